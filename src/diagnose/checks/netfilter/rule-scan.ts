/** Reading rules without a packet: the chains worth reading, and what a rule plainly says. */
import type { Evidence } from '../../../model/evidence.ts'
import type { Netns } from '../../../model/network.ts'
import type { Chain, Rule, Ruleset, Table } from '../../../model/ruleset.ts'

export interface PlacedRule {
  readonly ruleset: Ruleset
  readonly table: Table
  readonly chain: Chain
  readonly rule: Rule
}

/** Chains of one Service, endpoint or pod: tens of thousands, made by one program, and all alike. */
export function isPerObject(chain: string): boolean {
  return /^(KUBE-(SVC|SEP|SVL|EXT|FW|XLB|POD-FW|NWPLCY)-|(service|endpoint|external|firewall|hairpin)-|cali-(tw|fw|pi|po|pri|pro|fhfw|thfw)-|CNI-(DN|SN|HOSTPORT)-?[0-9a-f]|CNI-[0-9a-f]{16})/.test(
    chain,
  )
}

/** Rules of the chains that `wanted` picks, chains of single objects left out unless it names them. */
export function* rulesOf(netns: Netns, wanted: (table: Table, chain: Chain) => boolean): Generator<PlacedRule> {
  for (const ruleset of netns.rulesets)
    for (const table of ruleset.tables)
      for (const chain of table.chains.values()) {
        if (!wanted(table, chain)) continue
        for (const rule of chain.rules()) yield { ruleset, table, chain, rule }
      }
}

export function ruleProof(at: { readonly ruleset: Ruleset; readonly rule: Rule }): Evidence {
  return { artefact: at.ruleset.artefact, line: at.rule.line, text: at.rule.text }
}

/** True when the rule ends the packet's way: drop or reject. */
export function kills(rule: Rule): boolean {
  return rule.parts.some((p) => p.kind === 'reject' || (p.kind === 'verdict' && p.verdict.kind === 'drop'))
}

/** True when the rule sends the packet elsewhere. */
export function redirects(rule: Rule): boolean {
  return rule.parts.some((p) => p.kind === 'redirect' || (p.kind === 'nat' && p.type === 'dnat'))
}

/** Chains that the rule leads to. */
export function jumps(rule: Rule): string[] {
  return rule.parts.flatMap((p) =>
    p.kind === 'verdict' && (p.verdict.kind === 'jump' || p.verdict.kind === 'goto') ? [p.verdict.chain] : [],
  )
}

/** True when the rule names destination ports and `port` of `protocol` is among them. */
export function namesPort(rule: Rule, protocol: number, port: number): boolean {
  let named = false
  for (const p of rule.parts) {
    if (p.kind === 'protocol' && p.negate === (p.protocol === protocol)) return false
    if (p.kind !== 'port' || p.side === 'src') continue
    if (p.protocols !== null && !p.protocols.includes(protocol)) return false
    if (p.ranges.some(([from, to]) => port >= from && port <= to) === p.negate) return false
    named ||= !p.negate
  }
  return named
}
