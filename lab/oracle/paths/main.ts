/**
 * Path mode of npm run fuzz:kernel: random changes to a running lab, netwhy against real connections.
 *
 * npm run fuzz:kernel -- --paths [--minutes N | --rounds N] [--seed N] [--topology T] [--proxy P] [--iptables B] [--stop-after N]
 */
import { BACKENDS, DEFAULT_OPTIONS, type LabOptions, PROXIES, STACKS, TOPOLOGIES } from '../../plan.ts'
import { openPathLab, type PathResult } from './run.ts'

export interface PathRunOptions {
  readonly until: number
  readonly rounds: number
  readonly seed: number
  readonly stopAfter: number
  readonly lab: LabOptions
}

/** Reads the lab's options from the command line; null with the offending word when one is not known. */
export function labOptions(argument: (name: string) => string | undefined): LabOptions | string {
  const pick = <T extends string>(name: string, from: readonly T[], otherwise: T): T | null => {
    const given = argument(name)
    return given === undefined ? otherwise : (from.find((x) => x === given) ?? null)
  }
  const topology = pick('--topology', TOPOLOGIES, DEFAULT_OPTIONS.topology)
  const proxy = pick('--proxy', PROXIES, DEFAULT_OPTIONS.proxy)
  const iptables = pick('--iptables', BACKENDS, DEFAULT_OPTIONS.iptables)
  const stack = pick('--ip-stack', STACKS, DEFAULT_OPTIONS.stack)
  if (!topology || !proxy || !iptables || !stack) return 'unknown topology, proxy, iptables back end or IP stack'
  return { ...DEFAULT_OPTIONS, topology, proxy, iptables, stack }
}

function tell(seed: number, titles: readonly string[], wrong: PathResult): void {
  const q = wrong.question
  const said = wrong.traces.map((t) => `${t.disposition} ${t.probability.toFixed(2)}`).join(', ')
  process.stdout.write(
    `\n--- round ${seed}: ${q.from} -> ${q.protocol} ${q.dst}:${q.port}: kernel ${wrong.met}, netwhy ${said}\n`,
  )
  for (const t of titles) process.stdout.write(`  changed: ${t}\n`)
  const trace = wrong.traces[0]
  const hops = trace ? [...trace.forward.hops, ...(trace.reply?.hops ?? [])] : []
  for (const h of hops)
    for (const s of h.steps)
      process.stdout.write(`  ${h.netns} ${s.kind}: ${s.text}${s.cause ? ` (${s.cause})` : ''}\n`)
}

/** Runs rounds until time, rounds or patience are used up; prints each disagreement; returns how many there were. */
export async function runPaths(o: PathRunOptions): Promise<number> {
  const lab = await openPathLab(o.lab)
  const tally = {
    lab: `${o.lab.topology}/${o.lab.proxy}/${o.lab.iptables}`,
    seed: o.seed,
    rounds: 0,
    agree: 0,
    outside: 0,
    unknown: 0,
    disagree: 0,
    met: {} as Record<string, number>,
  }
  const unknowns: Record<string, number> = {}
  try {
    for (let seed = o.seed; tally.rounds < o.rounds && Date.now() < o.until && tally.disagree < o.stopAfter; seed++) {
      const { mutations, results } = await lab.round(seed)
      tally.rounds++
      for (const r of results) {
        tally[r.judgement]++
        tally.met[r.met] = (tally.met[r.met] ?? 0) + 1
        if (r.judgement === 'disagree')
          tell(
            seed,
            mutations.map((m) => m.title),
            r,
          )
        if (r.judgement === 'unknown') {
          const why =
            r.traces.flatMap((t) => [...t.forward.unknowns, ...(t.reply?.unknowns ?? [])])[0] ??
            r.traces[0]?.disposition ??
            '?'
          unknowns[why] = (unknowns[why] ?? 0) + 1
        }
      }
    }
  } finally {
    await lab.close()
  }
  process.stdout.write(`${JSON.stringify({ ...tally, unknowns })}\n`)
  return tally.disagree
}
