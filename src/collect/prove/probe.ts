/** Sends one kind of probe from one network namespace of one node. */
import { commandOn, describeVia, type Via } from '../../host/reach.ts'
import { run } from '../../host/run.ts'
import type { InventoryPod } from '../inventory.ts'
import script from './probe.sh'

/** Where a probe starts: the node's own netns, or a netns on it. */
export interface ProbePlace {
  readonly via: Via
  readonly pod: InventoryPod['via'] | null
}

export interface ProbeSpec {
  readonly kind: 'connect' | 'datagram' | 'echo' | 'big-echo'
  readonly address: string
  /** Destination port; for `big-echo` the length of the IP packet in bytes; 0 for `echo`. */
  readonly port: number
  readonly count: number
  /** Seconds to wait for each answer. */
  readonly wait: number
  readonly sourcePort?: number
}

export interface ProbeOutcome {
  readonly spec: ProbeSpec
  readonly sent: number
  readonly answered: number
  /** errno name of the last failure. */
  readonly error?: string
  /** Median of the answered ones. */
  readonly milliseconds?: number
  readonly command: string
  /** What it printed, at most 2000 characters. */
  readonly output: string
}

const CONNECT_TIMEOUT = 10
const MAX_OUTPUT = 64 * 1024

function command(place: ProbePlace, spec: ProbeSpec): string[] {
  const args = [
    spec.kind,
    spec.address,
    String(spec.port),
    String(spec.count),
    String(spec.wait),
    String(spec.sourcePort ?? 0),
  ]
  const inner = ['sh', '-s', '--', ...args]
  if (place.pod === null) return inner
  return place.pod.kind === 'netns'
    ? ['ip', 'netns', 'exec', place.pod.name, ...inner]
    : ['nsenter', '-t', String(place.pod.pid), '-n', '--', ...inner]
}

/** The outcome of a probe, or null when it could not be made at all (no tool, node gone). */
export async function probe(place: ProbePlace, spec: ProbeSpec, signal?: AbortSignal): Promise<ProbeOutcome | null> {
  const words = command(place, spec)
  const { program, args } = commandOn(place.via, words, CONNECT_TIMEOUT)
  const result = await run(program, args, {
    stdin: script,
    timeout: (CONNECT_TIMEOUT + spec.count * (spec.wait + 0.3) + 5) * 1000,
    maxOutput: MAX_OUTPUT,
    ...(signal ? { signal } : {}),
  })
  if (result.startError !== undefined || result.exitCode === null) return null
  const output = result.stdout.toString('utf8')
  const counts = spec.kind === 'connect' || spec.kind === 'datagram' ? readTries(output) : readPing(output)
  if (!counts) return null
  return {
    spec,
    ...counts,
    command: `${describeVia(place.via)}: ${words.filter((w) => w !== '-s' && w !== '--' && w !== 'sh').join(' ')}`,
    output: (output.trim() || result.stderr.trim()).slice(0, 2000),
  }
}

type Counts = Pick<ProbeOutcome, 'sent' | 'answered' | 'error' | 'milliseconds'>

/** `ok MS` and `fail ERRNO` lines of probe.sh. Null when there are none: no tool was found. */
export function readTries(output: string): Counts | null {
  const times: number[] = []
  let sent = 0
  let error: string | undefined
  for (const line of output.split('\n')) {
    const ok = /^ok ([0-9.]+)$/.exec(line)
    const fail = /^fail (\w+)$/.exec(line)
    if (!ok && !fail) continue
    sent++
    if (ok) times.push(Number(ok[1]))
    else error = fail?.[1]
  }
  if (sent === 0) return null
  const median = times.sort((x, y) => x - y)[Math.floor(times.length / 2)]
  return {
    sent,
    answered: times.length,
    ...(error === undefined ? {} : { error }),
    ...(median === undefined ? {} : { milliseconds: median }),
  }
}

/** The summary line of ping (iputils and busybox). */
export function readPing(output: string): Counts | null {
  const m = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(output)
  if (!m) return null
  const average = /= [0-9.]+\/([0-9.]+)\//.exec(output)
  return {
    sent: Number(m[1]),
    answered: Number(m[2]),
    ...(Number(m[2]) < Number(m[1]) ? { error: 'ETIMEDOUT' } : {}),
    ...(average ? { milliseconds: Number(average[1]) } : {}),
  }
}
