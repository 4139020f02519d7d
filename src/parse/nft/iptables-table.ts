/** Tables of `iptables-nft` inside an nft listing: nft prints them through libxtables' translation, which can be wrong. */
import type { ChainType, Hook, RulePart, TableFamily } from '../../model/ruleset.ts'

/** The chains iptables makes in each of its tables (iptables' nft.c, xtables_ipv4). */
const BUILT_IN: ReadonlyMap<string, readonly string[]> = new Map([
  ['filter', ['INPUT', 'FORWARD', 'OUTPUT']],
  ['nat', ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING']],
  ['mangle', ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']],
  ['raw', ['PREROUTING', 'OUTPUT']],
  ['security', ['INPUT', 'FORWARD', 'OUTPUT']],
])

interface BaseChains {
  readonly family: TableFamily
  readonly name: string
  readonly chains: ReadonlyMap<string, { readonly base?: { readonly hook: Hook; readonly type: ChainType } }>
}

/**
 * True when a table has the name and only base chains of the names that iptables-nft gives them. Prefer `iptables-save`'s
 * word for such a table where it was collected: it is exact, this is a translation.
 */
export function isIptablesTable(table: BaseChains): boolean {
  const names = table.family === 'ip' || table.family === 'ip6' ? BUILT_IN.get(table.name) : undefined
  if (!names) return false
  const bases = [...table.chains].filter(([, chain]) => chain.base)
  return (
    bases.length > 0 && bases.every(([name, chain]) => names.includes(name) && chain.base!.hook === name.toLowerCase())
  )
}

/**
 * The parts of a rule of an iptables table, with what the translation is known to lose made opaque: `--ctstate` with SNAT
 * or DNAT among other states prints as `ct status` with the other states gone (libxt_conntrack.c, iptables 1.8.9).
 */
export function distrustTranslation(parts: readonly RulePart[]): readonly RulePart[] {
  return parts.map((p): RulePart => {
    const lossy =
      (p.kind === 'ctStatus' && p.statuses.every((s) => s === 'snat' || s === 'dnat')) ||
      (p.kind === 'compare' &&
        p.left.kind === 'field' &&
        p.left.field === 'ct.status' &&
        p.right.kind === 'literal' &&
        [16, 32, 48].includes(p.right.value as number))
    return lossy
      ? { kind: 'opaque', what: 'match', text: 'ct status, which may stand for --ctstate with more states' }
      : p
  })
}
