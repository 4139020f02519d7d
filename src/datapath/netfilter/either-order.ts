/** Two runs of one hook that differ in the order of chains of equal priority. */
import { contentKey } from './merge.ts'
import type { HookOutcome, RuleHit } from './types.ts'
import { NO_MEMORY } from './walk.ts'

/** True when both orders end alike, whatever rules were met on the way. */
export function sameFates(xs: readonly HookOutcome[], ys: readonly HookOutcome[]): boolean {
  const x = tally(xs)
  const y = tally(ys)
  return x.size === y.size && [...x].every(([key, p]) => Math.abs((y.get(key) ?? -1) - p) < 1e-9)
}

function tally(outcomes: readonly HookOutcome[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const o of outcomes) sums.set(fate(o), (sums.get(fate(o)) ?? 0) + o.probability)
  return sums
}

function fate(o: HookOutcome): string {
  if (o.verdict === 'drop' || o.verdict === 'reject') return `${o.verdict} ${o.rejectWith ?? ''}`
  const { packet, connection, untracked, memory } = o.passage
  const walk = { packet, connection, untracked, memory: memory ?? NO_MEMORY, masqueraded: o.masqueraded }
  return `${o.verdict} ${contentKey({ ...walk, zone: 0, template: false, hits: null, weight: 1, worlds: [], next: 0 })}`
}

/** The outcomes of one order; rules that the other order does not meet, or only meets, are uncertain. */
export function inEitherOrder(xs: readonly HookOutcome[], ys: readonly HookOutcome[]): HookOutcome[] {
  const same = (x: RuleHit, y: RuleHit) => x.ruleset === y.ruleset && x.line === y.line && x.chain === y.chain
  return xs.map((o) => {
    const others = ys.filter((y) => fate(y) === fate(o))
    const rules = o.rules.map((r): RuleHit => {
      const met = others.every((y) => y.rules.some((other) => !other.uncertain && same(r, other)))
      return met ? r : { ...r, uncertain: true }
    })
    for (const r of others.flatMap((y) => y.rules))
      if (!rules.some((known) => same(known, r))) rules.push({ ...r, uncertain: true })
    return { ...o, rules }
  })
}
