/** Chains and rules by owner, and the chains nobody known makes (A5.1, A5.3). Reads every rule. */
import type { OwnerCount, UnknownChain } from '../../model/inventory.ts'
import type { Netns } from '../../model/network.ts'
import { chainMaker, ruleMaker } from '../view/rule-owner.ts'
import type { Surroundings } from './surroundings.ts'

/** Unknown chains kept per netns. */
const UNKNOWN = 200

export function netnsName(netns: Netns): string {
  return netns.id.startsWith(`${netns.node}/`) ? netns.id.slice(netns.node.length + 1) : netns.id
}

/** Counts of every netns of the nodes in question that has rules. A built-in chain counts for nobody; its rules do. */
export function ownersOf(s: Surroundings): { readonly owners: OwnerCount[]; readonly unknown: UnknownChain[] } {
  const owners: OwnerCount[] = []
  const unknown: UnknownChain[] = []
  for (const netns of s.network.netns.values()) {
    if (!s.nodes.includes(netns.node)) continue
    const place = { node: netns.node, netns: netnsName(netns) }
    const counts = new Map<string, { backends: Set<string>; tables: Set<string>; chains: number; rules: number }>()
    const countOf = (owner: string) => {
      const known = counts.get(owner) ?? { backends: new Set(), tables: new Set(), chains: 0, rules: 0 }
      counts.set(owner, known)
      return known
    }
    let strangers = 0
    for (const ruleset of netns.rulesets)
      for (const table of ruleset.tables)
        for (const chain of table.chains.values()) {
          const own = chainMaker(table.name, chain.name)
          const rules = chain.rules()
          const note = (owner: string, n: number) => {
            const count = countOf(owner)
            count.backends.add(ruleset.backend)
            count.tables.add(`${table.family} ${table.name}`)
            count.rules += n
          }
          if (own) {
            note(own.name, rules.length)
            countOf(own.name).chains++
            continue
          }
          for (const rule of rules) note(ruleMaker(table.name, chain.name, rule).name, 1)
          if (chain.base && ruleset.backend !== 'nft') continue
          if (strangers++ < UNKNOWN)
            unknown.push({
              ...place,
              backend: ruleset.backend,
              family: table.family,
              table: table.name,
              chain: chain.name,
              rules: rules.length,
              evidence: { artefact: ruleset.artefact, line: chain.line, text: rules[0]?.text ?? chain.name },
            })
        }
    for (const [owner, c] of [...counts].sort((a, b) => b[1].rules - a[1].rules || a[0].localeCompare(b[0], 'en')))
      owners.push({
        ...place,
        owner,
        backends: [...c.backends],
        tables: [...c.tables],
        chains: c.chains,
        rules: c.rules,
      })
  }
  return { owners, unknown }
}
