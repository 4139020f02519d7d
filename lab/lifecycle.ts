/** Brings the lab up and takes it down, whatever state an earlier command left it in. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { build, checkMachine } from './build.ts'
import { startObjects } from './content.ts'
import { isMounted, removeNames, uncoverNames } from './cover.ts'
import { LabError } from './errors.ts'
import type { KubeJson } from './kubejson.ts'
import { labNetns, listedNetns, NETNS, NETNS_ETC } from './ownership.ts'
import type { LabOptions, LabPlace } from './plan.ts'
import { removeResolvConf } from './pods.ts'
import { kill, labPids } from './processes.ts'
import { run } from './run.ts'
import { type LabState, readObjects, readState, withLock, writeState } from './state.ts'

/** Everything the lab keeps in its folder; a folder that holds anything else is not the lab's to clear. */
const OWN =
  /^(state\.json|objects\.json|objects-before-faults\.json|netns|inventory\.yaml|servers|log|work)(\.\d+\.new)?$/

/** Removes every process, namespace and file of the lab at `place`: all that is on its list or in its folder. */
export async function teardown(place: LabPlace): Promise<boolean> {
  const foreign = existsSync(place.dir) ? readdirSync(place.dir).filter((n) => !OWN.test(n)) : []
  if (foreign.length > 0)
    throw new LabError(4, `${place.dir} is no lab's folder: it holds ${foreign.slice(0, 3).join(', ')}`)
  const found = existsSync(place.dir)
  const madeMount = stateOrNull(place)?.madeMount === true
  // A killed process that was starting another leaves that one behind, so look until nobody is left.
  for (let pids = labPids(place), rounds = 0; pids.length > 0; pids = labPids(place)) {
    if (++rounds > 500) throw new LabError(4, `processes ${pids.join(', ')} of the lab do not end`)
    kill(pids)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const remove = labNetns(place)
  if (remove.length > 0)
    await run(['ip', '-force', '-batch', '-'], { input: remove.map((n) => `netns del ${n}\n`).join(''), mayFail: true })
  for (const name of listedNetns(place)) removeResolvConf(name)
  const left = labNetns(place)
  if (left.length > 0) throw new LabError(4, `network namespaces ${left.join(', ')} could not be deleted`)
  if (!(await uncoverNames(place)) && found) {
    if (madeMount && isMounted(NETNS) && readdirSync(NETNS).length === 0)
      await run(['umount', NETNS], { mayFail: true })
    if (madeMount && !isMounted(NETNS)) removeNames(NETNS)
    removeNames(NETNS_ETC)
  }
  rmSync(place.dir, { recursive: true, force: true })
  return found
}

function stateOrNull(place: LabPlace): LabState | null {
  try {
    return readState(place)
  } catch {
    return null
  }
}

/** Makes the lab anew with these objects; nothing stays when that fails or `signal` aborts it. */
async function raise(
  place: LabPlace,
  options: LabOptions,
  objects: readonly KubeJson[],
  signal?: AbortSignal,
): Promise<void> {
  const before = stateOrNull(place)
  await teardown(place)
  const state = {
    version: 1,
    phase: 'starting',
    prefix: place.prefix,
    options,
    startedAt: new Date().toISOString(),
    madeMount: before?.madeMount === true || !isMounted(NETNS),
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
