/** Makes a failing case smaller while it still fails: whole tables and chains first, then rules, then single matches. */
import type { OracleCase, RulesetPieces, TablePieces } from './case.ts'

const without = <T>(list: readonly T[], i: number): T[] => [...list.slice(0, i), ...list.slice(i + 1)]
const replace = <T>(list: readonly T[], i: number, v: T): T[] => [...list.slice(0, i), v, ...list.slice(i + 1)]

function* smallerTables(t: TablePieces): Generator<TablePieces> {
  for (let c = 0; c < t.chains.length; c++) {
    const chain = t.chains[c]!
    const target = new RegExp(`\\b${chain.name}\\b`)
    const used = t.chains.some((x) => x.rules.some((r) => target.test(r.target))) || t.sets.some((s) => target.test(s))
    if (!used) yield { ...t, chains: without(t.chains, c) }
    else if (chain.rules.length > 1) yield { ...t, chains: replace(t.chains, c, { ...chain, rules: [] }) }
  }
  for (let c = 0; c < t.chains.length; c++) {
    const chain = t.chains[c]!
    for (let r = 0; r < chain.rules.length; r++) {
      yield { ...t, chains: replace(t.chains, c, { ...chain, rules: without(chain.rules, r) }) }
      const rule = chain.rules[r]!
      for (let m = 0; m < rule.matches.length; m++)
        yield {
          ...t,
          chains: replace(t.chains, c, {
            ...chain,
            rules: replace(chain.rules, r, { ...rule, matches: without(rule.matches, m) }),
          }),
        }
    }
  }
}

function* smallerRulesets(r: RulesetPieces): Generator<RulesetPieces> {
  if (r.tables.length > 1) for (let i = 0; i < r.tables.length; i++) yield { ...r, tables: without(r.tables, i) }
  for (let i = 0; i < r.tables.length; i++)
    for (const t of smallerTables(r.tables[i]!)) yield { ...r, tables: replace(r.tables, i, t) }
}

function* smaller(c: OracleCase): Generator<OracleCase> {
  if (c.rulesets.length > 1)
    for (let i = 0; i < c.rulesets.length; i++) yield { ...c, rulesets: without(c.rulesets, i) }
  for (let i = 0; i < c.rulesets.length; i++)
    for (const r of smallerRulesets(c.rulesets[i]!)) yield { ...c, rulesets: replace(c.rulesets, i, r) }
}

/** Greedy descent, at most `budget` tries; `fails` says whether a candidate still shows the disagreement. */
export async function shrink(
  c: OracleCase,
  fails: (c: OracleCase) => Promise<boolean>,
  budget = 400,
): Promise<OracleCase> {
  let best = c
  for (let tries = 0; tries < budget; ) {
    let found = false
    for (const candidate of smaller(best)) {
      if (++tries > budget) break
      if (await fails(candidate)) {
        best = candidate
        found = true
        break
      }
    }
    if (!found) break
  }
  return best
}
