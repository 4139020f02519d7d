/**
 * Policy mode of npm run fuzz:kernel: random NetworkPolicies in a lab, the evaluation against real connections.
 *
 * npm run fuzz:kernel -- --policies [--minutes N | --rounds N] [--seed N] [--topology T] [--proxy P] [--iptables B] [--ip-stack S]
 */
import type { KubeJson } from '../../kubejson.ts'
import type { LabOptions } from '../../plan.ts'
import { agrees, openPolicyLab, type Pairing, type PolicyLab } from './run.ts'

export interface PolicyRunOptions {
  readonly until: number
  readonly rounds: number
  readonly seed: number
  readonly stopAfter: number
  readonly lab: LabOptions
}

const wrongOf = (pairings: readonly Pairing[]) => pairings.filter((p) => p.decision !== 'unknown' && !agrees(p))

/** A busy machine may answer too late: what disagrees is asked again, and counts when the same connection does so twice. */
async function confirmed(lab: PolicyLab, policies: readonly KubeJson[]): Promise<readonly Pairing[]> {
  const name = (p: Pairing) => `${p.from} ${p.to} ${p.protocol} ${p.port} ${p.family}`
  const first = new Set(wrongOf(await lab.try(policies)).map(name))
  return first.size === 0 ? [] : wrongOf(await lab.try(policies)).filter((p) => first.has(name(p)))
}

/** Fewer policies and rules that still disagree. */
async function shrink(lab: PolicyLab, policies: readonly KubeJson[]): Promise<readonly KubeJson[]> {
  let small = policies
  const without = (list: readonly KubeJson[], i: number) => list.filter((_, j) => j !== i)
  for (let i = 0; small.length > 1 && i < small.length; ) {
    const fewer = without(small, i)
    if ((await confirmed(lab, fewer)).length > 0) small = fewer
    else i++
  }
  return small
}

/** Runs rounds until time, rounds or patience are used up; prints each disagreement; returns how many there were. */
export async function runPolicies(o: PolicyRunOptions): Promise<number> {
  const lab = await openPolicyLab(o.lab)
  const tally = {
    lab: `${o.lab.topology}/${o.lab.proxy}/${o.lab.iptables}/${o.lab.stack}`,
    seed: o.seed,
    rounds: 0,
    connections: 0,
    allow: 0,
    deny: 0,
    unknown: 0,
    disagree: 0,
  }
  const met: Record<string, number> = {}
  try {
    for (let seed = o.seed; tally.rounds < o.rounds && Date.now() < o.until && tally.disagree < o.stopAfter; seed++) {
      const { policies, pairings } = await lab.round(seed)
      tally.rounds++
      tally.connections += pairings.length
      for (const p of pairings) {
        tally[p.decision]++
        met[p.met] = (met[p.met] ?? 0) + 1
      }
      if (wrongOf(pairings).length === 0 || (await confirmed(lab, policies)).length === 0) continue
      tally.disagree++
      const small = await shrink(lab, policies)
      const wrong = await confirmed(lab, small)
      process.stdout.write(`\n--- round ${seed}, ${tally.lab}: ${wrong.length} connections\n`)
      for (const p of wrong.slice(0, 8)) process.stdout.write(`${JSON.stringify(p)}\n`)
      for (const p of small) process.stdout.write(`${JSON.stringify(p)}\n`)
    }
  } finally {
    await lab.close()
  }
  process.stdout.write(`${JSON.stringify({ ...tally, met })}\n`)
  return tally.disagree
}
