import type { Ip } from '../../base/ip.ts'
import { prefixContains } from '../../base/ip.ts'
import type { Netns, RoutingRule } from '../../model/network.ts'

/** What a lookup may depend on: `struct flowi4`, `struct flowi6`. */
export interface RouteQuery {
  readonly dst: Ip
  readonly src: Ip | null
  /** Link the packet came in by; `lo` for packets made here (LOOPBACK_IFINDEX). */
  readonly iif: string
  readonly oif: string | null
  readonly mark: number
  readonly dscp: number
  readonly protocol: number
  readonly sport: number
  readonly dport: number
  /** Socket's user; null when not known. Forwarded packets count as the netns's root. */
  readonly uid: number | null
}

/** Whether a routing rule selects the flow; null when that depends on what is not known (the user of the socket). */
export function ruleSelects(rule: RoutingRule, q: RouteQuery): boolean | null {
  const selects = selectors(rule, q)
  if (rule.opaque !== undefined && selects !== false) return null
  return selects === null ? null : selects !== rule.negate
}

/** `fib_rule_match` and `fib4_rule_match` (net/core/fib_rules.c, net/ipv4/fib_rules.c). */
function selectors(rule: RoutingRule, q: RouteQuery): boolean | null {
  if (rule.iif !== undefined && rule.iif !== q.iif) return false
  if (rule.oif !== undefined && rule.oif !== q.oif) return false
  if (rule.mark && ((q.mark ^ rule.mark.value) & rule.mark.mask) !== 0) return false
  if (rule.src && (q.src === null ? rule.src.length > 0 : !prefixContains(rule.src, q.src))) return false
  if (rule.dst && !prefixContains(rule.dst, q.dst)) return false
  if (rule.tos !== undefined && rule.tos !== 0 && rule.tos >> 2 !== q.dscp) return false
  if (rule.protocol !== undefined && rule.protocol !== 0 && rule.protocol !== q.protocol) return false
  if (rule.sport && (q.sport < rule.sport[0] || q.sport > rule.sport[1])) return false
  if (rule.dport && (q.dport < rule.dport[0] || q.dport > rule.dport[1])) return false
  if (rule.uidRange) {
    if (q.uid === null) return rule.uidRange[0] === 0 && rule.uidRange[1] >= 0xfffffffe ? true : null
    return q.uid >= rule.uidRange[0] && q.uid <= rule.uidRange[1]
  }
  return true
}

const ordered = new WeakMap<Netns, Map<4 | 6, readonly RoutingRule[]>>()

/** Routing rules of a family by priority; equal priorities stay in listed order. */
export function rulesOf(netns: Netns, family: 4 | 6): readonly RoutingRule[] {
  const own = ordered.get(netns) ?? new Map<4 | 6, readonly RoutingRule[]>()
  ordered.set(netns, own)
  let list = own.get(family)
  if (!list) {
    list = netns.routingRules.filter((r) => r.family === family).sort((x, y) => x.priority - y.priority)
    own.set(family, list)
  }
  return list
}

/** True when a rule selects on nothing and looks up the table: one of the rules a netns is born with. */
function isPlain(rule: RoutingRule, priority: number, table: number): boolean {
  return (
    rule.priority === priority &&
    rule.action.kind === 'table' &&
    rule.action.table === table &&
    !rule.negate &&
    !(rule.src && rule.src.length > 0) &&
    !(rule.dst && rule.dst.length > 0) &&
    rule.iif === undefined &&
    rule.oif === undefined &&
    !rule.mark &&
    !rule.protocol &&
    !rule.sport &&
    !rule.dport &&
    !rule.uidRange &&
    !rule.tos &&
    (rule.suppressPrefixLength === undefined || rule.suppressPrefixLength < 0)
  )
}

/**
 * True when the netns still has exactly the three IPv4 rules it was born with. The kernel then keeps the local and the
 * main table in one trie (`fib_unmerge` runs on the first rule change), so the longest prefix of both wins.
 */
export function hasBornRules(netns: Netns): boolean {
  const rules = rulesOf(netns, 4)
  return (
    rules.length === 3 && isPlain(rules[0]!, 0, 255) && isPlain(rules[1]!, 32766, 254) && isPlain(rules[2]!, 32767, 253)
  )
}
