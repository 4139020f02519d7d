/** Routes and the address they would carry, most specific first: what a person reads in `ip route`, not a FIB lookup. */
import { type Ip, type Prefix, prefixContains } from '../../base/ip.ts'
import type { Netns, Route } from '../../model/network.ts'

export const MAIN_TABLE = 254
export const LOCAL_TABLE = 255

/** Routes of `table` that contain `ip`, longest prefix first, then by metric. */
export function routesTo(netns: Netns, ip: Ip, table = MAIN_TABLE): Route[] {
  return netns.routes
    .filter((r) => r.table === table && r.family === ip.family && prefixContains(r.dst, ip))
    .sort((x, y) => y.dst.length - x.dst.length || x.metric - y.metric)
}

/** The route a default of length zero. */
export function isDefault(route: Pick<Route, 'dst'>): boolean {
  return route.dst.length === 0
}

/** Routes inside `range`, of the main table. */
export function routesWithin(netns: Netns, range: Prefix): Route[] {
  return netns.routes.filter(
    (r) =>
      r.table === MAIN_TABLE &&
      r.family === range.ip.family &&
      r.dst.length >= range.length &&
      prefixContains(range, r.dst.ip),
  )
}

/** Directly attached: no gateway, link scope. */
export function isConnected(route: Route): boolean {
  return route.type === 'unicast' && route.nexthops.every((n) => n.gateway === undefined) && !isDefault(route)
}

/** Route text for commands: `10.244.2.0/24 via 10.0.0.2 dev eth0`; null for routes `ip` needs more for. */
export function linkOf(route: Route): string | undefined {
  return route.nexthops.find((n) => n.link !== undefined)?.link
}

/** True when the netns was seen to have no link but the loopback. */
export function hasNoLink(netns: Netns): boolean {
  return netns.known.has('links') && netns.links.every((l) => l.kind === 'loopback')
}
