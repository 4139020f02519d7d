/** Rulesets boiled down to what they mean, so that two spellings of one ruleset can be compared. For tests. */
import { formatIp, type Ip } from '../../base/ip.ts'
import type { Ruleset } from '../../model/ruleset.ts'

/** Where things stood and how they were worded is no part of their meaning. */
const WORDING = new Set(['line', 'text', 'artefact', 'issues', 'handle'])

function isIp(x: object): x is Ip {
  return 'family' in x && 'a' in x && 'd' in x
}

/** Plain data: addresses as text, rules and elements read, lines and wording left out. */
export function meaning(x: unknown): unknown {
  if (Array.isArray(x)) return x.map(meaning)
  if (x instanceof Map) return Object.fromEntries([...x].map(([k, v]) => [k, meaning(v)]))
  if (typeof x === 'function') return meaning((x as () => unknown)())
  if (typeof x !== 'object' || x === null) return x
  if (isIp(x)) return formatIp(x)
  const note = 'kind' in x && x.kind === 'note'
  return Object.fromEntries(
    Object.entries(x)
      .filter(([k]) => !WORDING.has(k) && !(note && k === 'what'))
      .map(([k, v]) => [k, meaning(v)]),
  )
}

/** Everything that was not understood, rule by rule. */
export function opaqueParts(ruleset: Ruleset): string[] {
  const out: string[] = []
  for (const table of ruleset.tables) {
    for (const chain of table.chains.values())
      for (const rule of chain.rules()) {
        if (rule.parts.some((p) => p.kind === 'opaque')) out.push(rule.text)
      }
    for (const set of table.sets.values())
      for (const e of set.elements()) if (e.opaque !== undefined) out.push(`${set.name}: ${e.opaque}`)
  }
  return out
}
