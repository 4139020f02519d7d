/** The ruleset oracle: one case through the kernel and through netwhy. */
import type { Arena } from './arena.ts'
import type { OracleCase } from './case.ts'
import { type Judgement, judge } from './compare.ts'
import type { Coverage } from './coverage.ts'
import { load, observe } from './kernel-run.ts'
import { parseListings, predict } from './predict.ts'
import type { Probe } from './probe.ts'

export interface ProbeResult {
  readonly probe: Probe
  readonly judgement: Judgement | { readonly kind: 'skipped' }
  readonly fate: string
  readonly hits: number
}

/** Null when the kernel's tools refused the case. A `recent` list or a rate remembers: such cases load anew for each probe. */
export async function runCase(arena: Arena, c: OracleCase, coverage?: Coverage): Promise<ProbeResult[] | null> {
  if (load(arena, c) !== null) return null
  const remembers = / recent | limit /.test(JSON.stringify(c.rulesets))
  const out: ProbeResult[] = []
  for (const [i, probe] of c.probes.entries()) {
    if (remembers && i > 0 && load(arena, c) !== null) return null
    const { result, listings } = await observe(arena, c, probe)
    listings.forEach((text, r) => {
      coverage?.add(text, result.hits[r]!)
    })
    const predictions = predict(c, parseListings(c, listings), probe)
    const judgement = predictions === null ? ({ kind: 'skipped' } as const) : judge(predictions, result)
    out.push({ probe, judgement, fate: result.fate, hits: result.hits.reduce((n, h) => n + h.size, 0) })
  }
  return out
}

/** Whether the case still disagrees, for shrinking. */
export async function disagrees(arena: Arena, c: OracleCase): Promise<boolean> {
  const results = await runCase(arena, c)
  return results?.some((r) => r.judgement.kind === 'disagree') ?? false
}
