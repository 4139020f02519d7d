/** Brings the lab up and takes it down, whatever state an earlier command left it in. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { build, checkMachine } from './build.ts'
import { startObjects } from './content.ts'
import { LabError } from './errors.ts'
import type { KubeJson } from './kubejson.ts'
import type { LabOptions, LabPlace } from './plan.ts'
import { removeResolvConf } from './pods.ts'
import { kill, labNetns, labPids } from './processes.ts'
import { run } from './run.ts'
import { readObjects, readState, withLock, writeState } from './state.ts'

/** Removes every process, namespace and file of the lab at `place`: all that carries its prefix or its folder. */
export async function teardown(place: LabPlace): Promise<boolean> {
  const netns = labNetns(place)
  const found = netns.length > 0 || existsSync(place.dir)
  // A killed process that was starting another leaves that one behind, so look until nobody is left.
  for (let pids = labPids(place), rounds = 0; pids.length > 0; pids = labPids(place)) {
    if (++rounds > 200) throw new LabError(4, `processes ${pids.join(', ')} of the lab do not end`)
    kill(pids)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  if (netns.length > 0)
    await run(['ip', '-force', '-batch', '-'], { input: netns.map((n) => `netns del ${n}\n`).join(''), mayFail: true })
  for (const name of new Set([...netns, ...resolvConfNames(place)])) removeResolvConf(name)
  const left = labNetns(place)
  if (left.length > 0) throw new LabError(4, `network namespaces ${left.join(', ')} could not be deleted`)
  rmSync(place.dir, { recursive: true, force: true })
  return found
}

function resolvConfNames(place: LabPlace): string[] {
  return existsSync('/etc/netns') ? readdirSync('/etc/netns').filter((n) => n.startsWith(place.prefix)) : []
}

/** Makes the lab anew with these objects; nothing stays when that fails or `signal` aborts it. */
async function raise(
  place: LabPlace,
  options: LabOptions,
  objects: readonly KubeJson[],
  signal?: AbortSignal,
): Promise<void> {
  await teardown(place)
  const state = {
    version: 1,
    phase: 'starting',
    prefix: place.prefix,
    options,
    startedAt: new Date().toISOString(),
    faults: [],
    chains: {},
  } as const
  try {
    writeState(place, state)
    const chains = await build(place, options, objects, signal)
    signal?.throwIfAborted()
    writeState(place, { ...state, phase: 'up', chains })
  } catch (e) {
    await teardown(place)
    if (signal?.aborted) throw new LabError(4, 'interrupted; nothing was left behind', { cause: e })
    throw e
  }
}

/** Starts the lab. False when one is up already: then nothing changes, whatever its options. */
export async function up(place: LabPlace, options: LabOptions, signal?: AbortSignal): Promise<boolean> {
  await checkMachine(options, signal)
  return withLock(place, async () => {
    const state = existsSync(`${place.dir}/state.json`) ? readState(place) : null
    if (state?.phase === 'up' && labNetns(place).length > 0) return false
    await raise(place, options, startObjects(options), signal)
    return true
  })
}

/** Takes the lab down. False when there was none. */
export function down(place: LabPlace): Promise<boolean> {
  return withLock(place, () => teardown(place))
}

const BEFORE = 'objects-before-faults.json'

/** Where the objects are kept that a heal restores. */
export function keptObjects(place: LabPlace): string {
  return `${place.dir}/${BEFORE}`
}

/** Rebuilds the lab as it was before the first fault, objects applied since the start included. */
export function heal(place: LabPlace, signal?: AbortSignal): Promise<readonly string[]> {
  return withLock(place, async () => {
    const state = readState(place)
    if (!state) throw new LabError(4, 'no lab is up; `netwhy lab up` starts one')
    const kept = keptObjects(place)
    const objects = existsSync(kept) ? readList(kept) : readObjects(place)
    await raise(place, state.options, objects, signal)
    return state.faults
  })
}

function readList(path: string): KubeJson[] {
  return (JSON.parse(readFileSync(path, 'utf8')) as { items: KubeJson[] }).items
}
