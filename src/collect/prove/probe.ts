/** Asks with real packets from one network namespace, watches packets in another, reads counters in a third. */
import counters from './counters.sh'
import { describePlace, type ProbePlace, runAt } from './place.ts'
import program from './probe.py'
import fallback from './probe.sh'
import { type CounterReading, readCounters } from './read-counters.ts'
import { type AskOutput, readAsked, readWatched, type Seen } from './read-output.ts'

export interface Job {
  readonly kind: 'connect' | 'datagram' | 'dns' | 'echo' | 'mtu'
  readonly address: string
  /** 0 for `echo` and `mtu`. */
  readonly port: number
  readonly count: number
  /** Seconds to wait for each answer. */
  readonly wait: number
  readonly sourcePort?: number
  /** `dns`: the name asked for. `echo`: seconds between two. `mtu`: `LOW-HIGH`, lengths of IP packets in bytes. */
  readonly extra?: string
}

const END = 'NETWHY_END_OF_PROGRAM'
/** The python program where there is python3, else the shell's own ways. */
const script = `if command -v python3 >/dev/null 2>&1; then exec python3 - "$@" <<'${END}'\n${program}\n${END}\nfi\n`

function jobText(job: Job): string {
  const { kind, address, port, count, wait, sourcePort = 0, extra = '' } = job
  // The words are joined by commas; a name from the cluster may hold none.
  return [kind, address, port, count, wait, sourcePort, extra.replace(/[^A-Za-z0-9._-]/g, '')].join(',')
}

export interface Asked extends AskOutput {
  readonly command: string
  /** What it printed, at most 4000 characters. */
  readonly output: string
}

/** Sends the packets of all jobs. Null when the place could not be reached. */
export async function askFrom(place: ProbePlace, jobs: readonly Job[], signal?: AbortSignal): Promise<Asked | null> {
  const words = jobs.map(jobText)
  const result = await runAt(place, script + fallback, words, { seconds: 35, ...(signal ? { signal } : {}) })
  if (result.startError !== undefined || result.exitCode === null) return null
  const output = result.stdout.toString('utf8')
  const read = readAsked(output, jobs.length)
  if (read.jobs.every((j) => j.sent === 0)) return null
  return { ...read, command: `${describePlace(place)}: ${words.join(' ')}`, output: output.slice(0, 4000) }
}

export interface WatchSpec {
  /** IANA number of what is carried. */
  readonly protocol: number
  /** Addresses and ports (0: any) of the far end, before and after translation. */
  readonly marks: readonly { readonly address: string; readonly port: number }[]
  /** UDP ports of VXLAN and Geneve, whose inner packets count as well. */
  readonly tunnelPorts: readonly number[]
}

export interface Watcher {
  /** Settles when packets are seen from now on; false: there will be nothing to see. */
  readonly ready: Promise<boolean>
  /** Stops it and gives what was seen, or why that is not known. */
  readonly stop: () => Promise<{ readonly seen: readonly Seen[] } | { readonly reason: string }>
}

/** Seconds a watcher lives at most. */
const WATCH = 20

/** Starts watching packets in a netns. It must be stopped; it ends by itself all the same. */
export function watchAt(place: ProbePlace, spec: WatchSpec): Watcher {
  const marks = spec.marks.slice(0, 24).map((m) => `${m.address}/${m.port}`)
  const word = `watch,${WATCH},${spec.protocol},${marks.join('+')},${spec.tunnelPorts.slice(0, 8).join('+')}`
  const abort = new AbortController()
  let isReady: (ready: boolean) => void = () => {}
  const ready = new Promise<boolean>((resolve) => {
    isReady = resolve
  })
  let head = ''
  const ended = runAt(place, script, [word], {
    seconds: WATCH + 5,
    signal: abort.signal,
    onOutput: (text) => {
      if (head.length < 64) head += text
      if (head.startsWith('ready\n')) isReady(true)
    },
  }).then((result) => {
    isReady(false)
    return result
  })
  return {
    ready,
    stop: async () => {
      abort.abort()
      const result = await ended
      const { ready: was, seen, lost } = readWatched(result.stdout.toString('utf8'))
      if (!was) return { reason: 'packets cannot be captured there: no python3, or not allowed' }
      if (lost !== null && lost > 0) return { reason: `${lost} packets went by unseen` }
      return { seen }
    },
  }
}

/** Which programs tell the rules of a netns; asking one that has none could load kernel modules. */
export const RULE_TOOLS = [
  'iptables-save',
  'ip6tables-save',
  'iptables-legacy-save',
  'ip6tables-legacy-save',
  'iptables-nft-save',
  'ip6tables-nft-save',
  'nft',
] as const
export type RuleTool = (typeof RULE_TOOLS)[number]

/** Reads the counters of a netns. Null when it could not be reached. */
export async function countersAt(
  place: ProbePlace,
  tools: readonly RuleTool[],
  suspects: readonly string[],
  signal?: AbortSignal,
): Promise<CounterReading | null> {
  const wanted = suspects.filter((s) => s.length > 0 && s.length <= 1000 && !/[\0\n]/.test(s)).slice(0, 20)
  const result = await runAt(place, counters, [...tools, '--', ...wanted], {
    seconds: 10,
    ...(signal ? { signal } : {}),
  })
  if (result.startError !== undefined || result.exitCode === null) return null
  return readCounters(result.stdout.toString('utf8'))
}
