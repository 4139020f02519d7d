/** What the lab remembers between commands: files in its state folder, written whole or not at all. */
import { existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { LabError } from './errors.ts'
import type { KubeJson } from './kubejson.ts'
import type { LabOptions, LabPlace } from './plan.ts'

export interface LabState {
  readonly version: 1
  /** `starting` until every part is ready; a lab found in that phase was cut short. */
  readonly phase: 'starting' | 'up'
  readonly prefix: string
  readonly options: LabOptions
  readonly startedAt: string
  /** Whether `ip netns` had to make the mount at /run/netns: then the last lab to go takes it away. */
  readonly madeMount: boolean
  /** Faults broken and not healed, oldest first. */
  readonly faults: readonly string[]
  /** Per-service iptables chains now in each node, by `node/family`: kube-proxy's memory of what may become stale. */
  readonly chains: Readonly<Record<string, readonly string[]>>
}

/** A LabError unless this process may change network namespaces. */
export function requireRoot(): void {
  if (userInfo().uid !== 0) throw new LabError(4, 'the lab needs root: it makes network namespaces')
}

const STATE = 'state.json'
const OBJECTS = 'objects.json'

/** Where a symbolic link of /proc points; null when the process has gone. */
export function readlinkOrNull(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

export function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`
  writeFileSync(draft, text)
  renameSync(draft, path)
}

/** The state of the lab at `place`; null when there is none. */
export function readState(place: LabPlace): LabState | null {
  const path = join(place.dir, STATE)
  if (!existsSync(path)) return null
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as LabState
    if (state.version === 1 && typeof state.prefix === 'string') return state
  } catch (cause) {
    throw new LabError(4, `${path} is not readable; \`netwhy lab down\` clears it away`, { cause })
  }
  throw new LabError(4, `${path} was written by another version of netwhy; \`netwhy lab down\` clears it away`)
}

export function writeState(place: LabPlace, state: LabState): void {
  mkdirSync(place.dir, { recursive: true, mode: 0o755 })
  writeWhole(join(place.dir, STATE), `${JSON.stringify(state, null, 1)}\n`)
}

/** The state of a lab that is wholly up; a LabError otherwise. */
export function requireUp(place: LabPlace): LabState {
  const state = readState(place)
  if (!state) throw new LabError(4, 'no lab is up; `netwhy lab up` starts one')
  if (state.phase !== 'up')
    throw new LabError(4, 'the lab was cut short while starting; run `netwhy lab down` and `netwhy lab up`')
  return state
}

export function objectsPath(place: LabPlace): string {
  return join(place.dir, OBJECTS)
}

export function readObjects(place: LabPlace): KubeJson[] {
  const list = JSON.parse(readFileSync(objectsPath(place), 'utf8')) as { items: KubeJson[] }
  return list.items.filter((o) => !SERVED.some((s) => s.kind === o.kind))
}

/** Kinds the lab's API has although there may be no object of them: an empty list is not an unasked question. */
const SERVED = [{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicyList', items: [] }]

export function writeObjects(place: LabPlace, items: readonly KubeJson[]): void {
  const head = { apiVersion: 'v1', kind: 'List', items: [...items, ...SERVED] }
  writeWhole(objectsPath(place), `${JSON.stringify(head, null, 1)}\n`)
}

/**
 * Runs `work` while no other process changes the lab at `place`. The lock is an abstract Unix socket (unix(7)), which the
 * kernel frees however this process ends. A LabError when another command holds it.
 */
export async function withLock<T>(place: LabPlace, work: () => Promise<T>): Promise<T> {
  requireRoot()
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new LabError(4, `another netwhy lab command is at work on ${place.dir}; try again when it is done`, { cause }),
      ),
    )
    server.listen(`\0netwhy-lab:${place.dir}`, resolve)
  })
  try {
    return await work()
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
