/** `ip -d -j -4|-6 route show table all` (iproute2 ip/iproute.c print_route). */
import { type Prefix, parsePrefix, UNSPECIFIED } from '../../base/ip.ts'
import type { Nexthop, Route, RouteType } from '../../model/network.ts'
import {
  evidenceOf,
  ipOf,
  isRow,
  issueList,
  type Listing,
  listOf,
  looksLikeJson,
  numberOf,
  type Origin,
  type Placed,
  type Row,
  readJsonRows,
  textOf,
  textsOf,
} from '../rows.ts'
import { readRouteText } from './route-text.ts'
import { tableNumber } from './tables.ts'

export const ROUTE_TYPES: ReadonlySet<string> = new Set<RouteType>([
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'anycast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
])

/**
 * Routes of one family in the order of the listing, which for IPv4 is the kernel's order within a table. Plain `ip route`
 * output is read too. A route whose destination, type or next hop cannot be read makes the listing incomplete: it might
 * be the one that wins.
 */
export function parseRoutes(text: string, origin: Origin, family: 4 | 6): Listing<Route> {
  const rows = looksLikeJson(text) || text.trim() === '' ? readJsonRows(text, origin) : readRouteText(text, origin)
  const found = issueList(origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const value: Route[] = []
  for (const row of rows.value) {
    const route = readRoute(row, origin, family)
    if (typeof route === 'string') {
      complete = false
      found.add(row.line, `route not understood: ${route}`)
    } else value.push(route)
  }
  return { value, issues: found.issues, complete }
}

function readRoute(row: Placed<Row>, origin: Origin, family: 4 | 6): Route | string {
  const r = row.value
  const type = textOf(r.type) ?? 'unicast'
  if (!ROUTE_TYPES.has(type)) return `type ${type}`
  const dst = destination(r.dst, family)
  if (!dst) return `destination ${JSON.stringify(r.dst)}`
  const from = r.from === undefined ? undefined : destination(r.from, family)
  if (from === null) return `source ${JSON.stringify(r.from)}`
  const nexthops = readNexthops(r)
  if (typeof nexthops === 'string') return nexthops
  const metrics = listOf(r.metrics).find(isRow) ?? {}
  const mtu = numberOf(metrics.mtu)
  const src = ipOf(r.prefsrc)
  const opaque = notModelled(r)
  return {
    family,
    type: type as RouteType,
    dst,
    table: tableNumber(textOf(r.table) ?? (type === 'local' || type === 'broadcast' ? 'local' : 'main')),
    nexthops,
    metric: numberOf(r.metric) ?? 0,
    ...(src ? { src } : {}),
    scope: textOf(r.scope) ?? defaultScope(type, nexthops),
    protocol: textOf(r.protocol) ?? 'boot',
    tos: tosOf(r.tos),
    ...(mtu === undefined ? {} : { mtu }),
    ...(from && from.length > 0 ? { from } : {}),
    ...(opaque === undefined ? {} : { opaque }),
    flags: textsOf(r.flags),
    evidence: evidenceOf(origin, row),
  }
}

/** `ip route` without -d leaves out the scope it takes for granted (iproute.c iproute_modify). */
function defaultScope(type: string, nexthops: readonly Nexthop[]): string {
  if (type === 'local') return 'host'
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return 'link'
  return type === 'unicast' && nexthops.every((n) => !n.gateway) && nexthops.length > 0 ? 'link' : 'global'
}

function destination(value: unknown, family: 4 | 6): Prefix | null {
  if (value === 'default' || value === 'all' || value === 'any') return { ip: UNSPECIFIED[family], length: 0 }
  const prefix = typeof value === 'string' ? parsePrefix(value) : null
  return prefix && prefix.ip.family === family ? prefix : null
}

/** A TOS is printed as hexadecimal or as a name of rt_dsfield; a name we do not know gives NaN-free −1: matches nothing. */
function tosOf(value: unknown): number {
  if (value === undefined) return 0
  return numberOf(value) ?? -1
}

/** What the model has no word for: lightweight tunnels and MPLS give the packet another way than gateway and link say. */
function notModelled(r: Row): string | undefined {
  const encap = r.encap ?? listOf(r.nexthops).find((n) => isRow(n) && n.encap !== undefined)
  if (encap !== undefined) return `encap ${textOf(r.encap) ?? 'on a next hop'}`
  if (r['src-tos'] !== undefined || tosOf(r.tos) < 0) return 'tos'
  if (isRow(r.via) && r.via.family !== 'inet' && r.via.family !== 'inet6') return `via ${textOf(r.via.family)}`
  return undefined
}

function readNexthops(r: Row): readonly Nexthop[] | string {
  if (Array.isArray(r.nexthops)) {
    const out: Nexthop[] = []
    for (const n of r.nexthops) {
      const hop = isRow(n) ? readNexthop(n) : 'next hop'
      if (typeof hop === 'string') return hop
      out.push(hop)
    }
    return out
  }
  if (r.gateway === undefined && r.via === undefined && r.dev === undefined) {
    return r.nhid === undefined || !isRow(r.nh_info) ? [] : readInfo(r.nh_info)
  }
  const hop = readNexthop(r)
  return typeof hop === 'string' ? hop : [hop]
}

/** A nexthop object printed by `-d` beside a route that only names it. */
function readInfo(info: Row): readonly Nexthop[] | string {
  if (info.blackhole !== undefined) return []
  if (info.group !== undefined) return 'next hop group without its members'
  const hop = readNexthop(info)
  return typeof hop === 'string' ? hop : [hop]
}

function readNexthop(n: Row): Nexthop | string {
  const host = isRow(n.via) ? n.via.host : n.gateway
  const gateway = ipOf(host)
  if (host !== undefined && !gateway) return `gateway ${JSON.stringify(host)}`
  const link = textOf(n.dev)
  const flags = textsOf(n.flags)
  return {
    ...(gateway ? { gateway } : {}),
    ...(link === undefined ? {} : { link }),
    weight: Math.max(1, numberOf(n.weight) ?? 1),
    onlink: flags.includes('onlink'),
    dead: flags.includes('dead'),
  }
}
