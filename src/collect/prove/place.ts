/** Where a probe runs: the network namespace of a node, or one on it. */
import { commandOn, describeVia, type Via } from '../../host/reach.ts'
import { type RunResult, run } from '../../host/run.ts'
import type { InventoryPod } from '../inventory.ts'

export interface ProbePlace {
  readonly via: Via
  /** Null: the node's own netns. */
  readonly pod: InventoryPod['via'] | null
}

const CONNECT_TIMEOUT = 10
/** Bytes of output that are read. */
const MAX_OUTPUT = 4 * 1024 * 1024

export interface Bounds {
  /** Seconds, without the time to reach the node. */
  readonly seconds: number
  readonly signal?: AbortSignal
  readonly onOutput?: (text: string) => void
}

/** Runs a shell program given as text, with arguments, in the netns. It has ended when this resolves. */
export function runAt(place: ProbePlace, script: string, args: readonly string[], bounds: Bounds): Promise<RunResult> {
  const inner = ['sh', '-s', '--', ...args]
  const words =
    place.pod === null
      ? inner
      : place.pod.kind === 'netns'
        ? ['ip', 'netns', 'exec', place.pod.name, ...inner]
        : ['nsenter', '-t', String(place.pod.pid), '-n', '--', ...inner]
  const { program, args: line } = commandOn(place.via, words, CONNECT_TIMEOUT)
  return run(program, line, {
    stdin: script,
    timeout: (CONNECT_TIMEOUT + bounds.seconds) * 1000,
    maxOutput: MAX_OUTPUT,
    ...(bounds.signal ? { signal: bounds.signal } : {}),
    ...(bounds.onOutput ? { onOutput: bounds.onOutput } : {}),
  })
}

/** `netns node1, netns web-1`, for the citation of a probe. */
export function describePlace(place: ProbePlace): string {
  const node = describeVia(place.via)
  if (place.pod === null) return node
  return `${node}, ${place.pod.kind === 'netns' ? `netns ${place.pod.name}` : `netns of process ${place.pod.pid}`}`
}
