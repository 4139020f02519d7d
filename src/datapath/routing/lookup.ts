import type { Ip } from '../../base/ip.ts'
import { formatIp, formatPrefix, prefixContains } from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Link, Netns, Nexthop, Route, RoutingRule } from '../../model/network.ts'
import { conf, factsOf, has, sysctlNumber } from '../facts.ts'
import type { RouteQuery } from './rules.ts'
import { hasBornRules, ruleSelects, rulesOf } from './rules.ts'
import type { Fib } from './table.ts'
import { candidates, DEFAULT, fibOf, LOCAL, MAIN } from './table.ts'

/** One nexthop of the route that was chosen: where the packet goes next. */
export interface Path {
  readonly route: Route
  readonly rule: RoutingRule | null
  /** Share of flows that take this nexthop. */
  readonly probability: number
  readonly gateway: Ip | null
  readonly onlink: boolean
  readonly link: Link
}

export type RouteAnswer =
  | {
      readonly kind: 'paths'
      readonly route: Route
      readonly rule: RoutingRule | null
      readonly paths: readonly Path[]
    }
  | {
      readonly kind: 'refused'
      readonly type: 'blackhole' | 'unreachable' | 'prohibit'
      readonly route: Route | null
      readonly rule: RoutingRule | null
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly what: string; readonly cause: 'not-collected' | 'unsupported' }

type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly nexthops: readonly Nexthop[] }
  | { readonly kind: 'refused'; readonly type: 'blackhole' | 'unreachable' | 'prohibit'; readonly route: Route }

/**
 * Routing decision of the kernel: routing rules by priority, in each table the longest prefix, then TOS, then metric
 * (`fib_lookup`, `fib_table_lookup`, `fib6_rule_lookup`, Linux 6.x). Multipath gives one path per usable nexthop with its
 * share of flows: the flow hash is not known.
 */
export function lookupRoute(netns: Netns, q: RouteQuery, ignoreLinkstate = false): RouteAnswer {
  const family = q.dst.family
  // Which nexthops are usable and which addresses are local stands in the links.
  if (!has(netns, 'links'))
    return { kind: 'unknown', what: `links and addresses of ${netns.id}`, cause: 'not-collected' }
  if (!has(netns, 'routes')) return { kind: 'unknown', what: `routes of ${netns.id}`, cause: 'not-collected' }
  if (!has(netns, 'routing-rules'))
    return { kind: 'unknown', what: `routing rules of ${netns.id}`, cause: 'not-collected' }
  if (family === 4 && hasBornRules(netns)) {
    const merged = search(netns, fibOf(netns, 4, [LOCAL, MAIN]), q, ignoreLinkstate)
    // Tables that were parted once stay parted, also after the rule that did it is gone; that does not show in the rules.
    const local = search(netns, fibOf(netns, 4, [LOCAL]), q, ignoreLinkstate)
    if (local !== null && local !== 'throw' && (merged === null || merged === 'throw' || merged.route !== local.route))
      return {
        kind: 'unknown',
        what: `whether ${routeText(local.route)} goes before a longer prefix of table main: that depends on routing rules there were once`,
        cause: 'unsupported',
      }
    const found = merged ?? search(netns, fibOf(netns, 4, [DEFAULT]), q, ignoreLinkstate)
    return found === null || found === 'throw' ? { kind: 'none' } : answer(netns, found, null, q)
  }
  const rules = rulesOf(netns, family)
  let skipBelow = -1
  for (const rule of rules) {
    if (rule.priority < skipBelow) continue
    const selects = ruleSelects(rule, q)
    if (selects === false) continue
    if (selects === null)
      return { kind: 'unknown', what: `whether the routing rule applies: ${ruleText(rule)}`, cause: 'unsupported' }
    switch (rule.action.kind) {
      case 'nop':
        continue
      case 'goto':
        skipBelow = rule.action.priority
        continue
      case 'blackhole':
      case 'unreachable':
      case 'prohibit':
        return { kind: 'refused', type: rule.action.kind, route: null, rule }
      case 'table': {
        const found = search(netns, fibOf(netns, family, [rule.action.table]), q, ignoreLinkstate)
        if (found === null || found === 'throw') continue
        if (found.kind === 'route' && suppressed(rule, found.route)) continue
        return answer(netns, found, rule, q)
      }
    }
  }
  return { kind: 'none' }
}

/** `fib4_rule_suppress`: a route no longer than the limit counts as not found. */
function suppressed(rule: RoutingRule, route: Route): boolean {
  return (
    rule.suppressPrefixLength !== undefined &&
    rule.suppressPrefixLength >= 0 &&
    route.dst.length <= rule.suppressPrefixLength
  )
}

/** `fib_table_lookup`: null when nothing fits, `throw` when a throw route sends the lookup to the next routing rule. */
function search(netns: Netns, fib: Fib, q: RouteQuery, ignoreLinkstate: boolean): Found | null | 'throw' {
  for (const route of candidates(fib, q.dst)) {
    if (route.from && route.from.length > 0 && !(q.src && prefixContains(route.from, q.src))) continue
    if (route.tos !== 0 && route.tos >> 2 !== q.dscp) continue
    switch (route.type) {
      case 'throw':
        return 'throw'
      case 'blackhole':
      case 'unreachable':
      case 'prohibit':
        return { kind: 'refused', type: route.type, route }
      default:
    }
    const usable = route.nexthops.filter((n) => isUsable(netns, n, route, q, ignoreLinkstate))
    if (usable.length > 0) return { kind: 'route', route, nexthops: usable }
  }
  return null
}

function isUsable(netns: Netns, n: Nexthop, route: Route, q: RouteQuery, ignoreLinkstate: boolean): boolean {
  if (n.dead || route.flags.includes('dead')) return false
  if (q.oif !== null && n.link !== q.oif && route.type !== 'local') return false
  const link = n.link === undefined ? undefined : factsOf(netns).linkByName.get(n.link)
  if (!link) return n.link === undefined ? route.type === 'local' : true
  if (ignoreLinkstate || !route.flags.includes('linkdown')) return true
  return ignoresLinkdown(netns, q.dst.family, link.name) !== true
}

function ignoresLinkdown(netns: Netns, family: 4 | 6, link: string): boolean {
  return (
    (conf(netns, family, link, 'ignore_routes_with_linkdown') ?? 0) > 0 ||
    (sysctlNumber(netns, `net.ipv${family}.conf.all.ignore_routes_with_linkdown`) ?? 0) > 0
  )
}

function answer(netns: Netns, found: Found, rule: RoutingRule | null, q: RouteQuery): RouteAnswer {
  if (found.kind === 'refused') return { kind: 'refused', type: found.type, route: found.route, rule }
  const { route } = found
  if (route.opaque !== undefined)
    return { kind: 'unknown', what: `route with ${route.opaque}: ${routeText(route)}`, cause: 'unsupported' }
  const facts = factsOf(netns)
  // With an out link given, `fib_select_path` leaves the first fitting nexthop.
  const nexthops = q.oif === null ? found.nexthops : found.nexthops.slice(0, 1)
  const total = nexthops.reduce((sum, n) => sum + n.weight, 0)
  const paths: Path[] = []
  for (const n of nexthops) {
    const link = facts.linkByName.get(n.link ?? 'lo')
    if (!link)
      return {
        kind: 'unknown',
        what: `link ${n.link ?? 'lo'} of ${netns.id}, used by route ${routeText(route)}`,
        cause: 'not-collected',
      }
    paths.push({
      route,
      rule,
      probability: total > 0 ? n.weight / total : 1 / nexthops.length,
      gateway: n.gateway ?? null,
      onlink: n.onlink,
      link,
    })
  }
  return { kind: 'paths', route, rule, paths }
}

const tableName = (table: number): string =>
  table === MAIN ? 'main' : table === LOCAL ? 'local' : table === DEFAULT ? 'default' : String(table)

/** `10.244.2.0/24 via 10.244.2.0 dev flannel.1 table main`, as `ip route` words it. */
export function routeText(route: Route): string {
  const type = route.type === 'unicast' ? '' : `${route.type} `
  const dst = route.dst.length === 0 ? 'default' : formatPrefix(route.dst)
  const hops = route.nexthops.map(
    (n) => `${n.gateway ? ` via ${formatIp(n.gateway)}` : ''}${n.link ? ` dev ${n.link}` : ''}`,
  )
  const where = hops.length > 1 ? hops.map((h) => ` nexthop${h}`).join('') : (hops[0] ?? '')
  return `${type}${dst}${where}${route.metric > 0 ? ` metric ${route.metric}` : ''} (table ${tableName(route.table)})`
}

export function ruleText(rule: RoutingRule): string {
  const text = rule.evidence.text.trim()
  if (text !== '' && !text.startsWith('{')) return text
  const parts = [`${rule.priority}:`, rule.negate ? 'not ' : '', `from ${rule.src ? formatPrefix(rule.src) : 'all'}`]
  if (rule.dst) parts.push(`to ${formatPrefix(rule.dst)}`)
  if (rule.mark) parts.push(`fwmark 0x${rule.mark.value.toString(16)}/0x${rule.mark.mask.toString(16)}`)
  if (rule.iif) parts.push(`iif ${rule.iif}`)
  if (rule.oif) parts.push(`oif ${rule.oif}`)
  parts.push(rule.action.kind === 'table' ? `lookup ${tableName(rule.action.table)}` : rule.action.kind)
  return parts.filter((p) => p !== '').join(' ')
}

/** Lines that decided: the routing rule, unless it is one every netns has, and the route. */
export function routeEvidence(answer: { readonly route: Route | null; readonly rule: RoutingRule | null }): Evidence[] {
  const evidence: Evidence[] = []
  if (answer.rule && ![0, 32766, 32767].includes(answer.rule.priority)) evidence.push(answer.rule.evidence)
  if (answer.route) evidence.push(answer.route.evidence)
  return evidence
}
