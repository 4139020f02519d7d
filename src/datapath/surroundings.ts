import type { Ip } from '../base/ip.ts'
import { ipEquals, isMulticast } from '../base/ip.ts'
import type { ConntrackEntry } from '../model/conntrack.ts'
import type { Link, Netns } from '../model/network.ts'
import type { Packet } from '../model/packet.ts'
import type { AddressType } from '../model/ruleset.ts'
import { factsOf, has } from './facts.ts'
import type { Flight, World } from './flight.ts'
import type { FibAnswer, Surroundings } from './netfilter/types.ts'
import { lookupRoute } from './routing/lookup.ts'
import type { RouteQuery } from './routing/rules.ts'
import { selectAddress, selectAddress6 } from './routing/source.ts'
import { candidates, fibOf, LOCAL } from './routing/table.ts'

/**
 * The netns as its rules may ask about it. `nexthop` is where the packet is about to go, which decides the address
 * MASQUERADE takes (`nf_nat_masquerade_ipv4`: `inet_select_addr(out, rt_nexthop(...), RT_SCOPE_UNIVERSE)`).
 */
export function surroundings(world: World, flight: Flight, nexthop: Ip | null): Surroundings {
  const { netns } = flight
  return {
    rulesets: netns.rulesets,
    ipsets: netns.ipsets,
    conntrack: entriesFor(world, flight),
    addressType: (ip, link) => addressType(netns, ip, link),
    fib: (query) => ruleFib(netns, query, flight.packet),
    masqueradeAddress(out, dst) {
      const link = factsOf(netns).linkByName.get(out.name)
      if (!link) return null
      return dst.family === 4 ? selectAddress(netns, link, nexthop ?? dst, 0) : selectAddress6(netns, link, dst)
    },
    sysctl: (key) => netns.sysctls.get(key)?.value ?? null,
  }
}

/** Entries this connection made here, and the snapshot's when the asked 5-tuple is exactly known. */
function entriesFor(world: World, flight: Flight): readonly ConntrackEntry[] {
  const own = flight.connections.get(flight.netns.id) ?? []
  if (!world.exactTuple) return own
  const old = flight.netns.conntrack.filter((e) => touches(e, flight.packet))
  return old.length > 0 ? [...own, ...old] : own
}

function touches(e: ConntrackEntry, p: Packet): boolean {
  if (e.original.protocol !== p.protocol) return false
  return [e.original, e.reply].some((t) => ipEquals(t.src, p.src) || ipEquals(t.dst, p.src) || ipEquals(t.dst, p.dst))
}

/** `__inet_dev_addr_type` (net/ipv4/fib_frontend.c): a lookup in the local table alone; `link` restricts it. */
export function addressType(netns: Netns, ip: Ip, link: string | null): AddressType | null {
  if (ip.family === 4 && (ip.d >>> 24 === 0 || ip.d === 0xffffffff)) return 'broadcast'
  if (isMulticast(ip)) return 'multicast'
  if (!has(netns, 'routes')) return null
  for (const route of candidates(fibOf(netns, ip.family, [LOCAL]), ip)) {
    if (link !== null && route.nexthops[0]?.link !== link) return 'unicast'
    return route.type === 'nat' ? 'unicast' : route.type
  }
  return 'unicast'
}

function ruleFib(netns: Netns, query: Parameters<Surroundings['fib']>[0], packet: Packet): FibAnswer | 'none' | null {
  const q: RouteQuery = {
    dst: query.dst,
    src: query.src,
    iif: query.iif ?? 'lo',
    oif: query.oif,
    mark: query.mark,
    dscp: packet.dscp,
    protocol: packet.protocol,
    sport: packet.sport,
    dport: packet.dport,
    uid: 0,
  }
  const answer = lookupRoute(netns, q)
  switch (answer.kind) {
    case 'unknown':
      return null
    case 'none':
      return 'none'
    case 'refused':
      return answer.route ? { type: answer.type, ifindex: 0, link: '' } : 'none'
    case 'paths': {
      const link: Link | undefined =
        answer.route.type === 'local'
          ? (factsOf(netns).linkByName.get(answer.route.nexthops[0]?.link ?? 'lo') ?? answer.paths[0]?.link)
          : answer.paths[0]?.link
      if (!link) return 'none'
      const type = answer.route.type === 'nat' ? 'unicast' : answer.route.type
      return { type, ifindex: link.ifindex, link: link.name }
    }
  }
}
