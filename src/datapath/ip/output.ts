import { formatIp, ipEquals, isUnspecified } from '../../base/ip.ts'
import { hasPorts } from '../../base/protocol.ts'
import type { Netns, Route } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import { conf, factsOf, has, isUp, linksWithAddress, linkView } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { end, note, undecided } from '../flight.ts'
import { confirmConnection, passHook } from '../hook.ts'
import type { Path } from '../routing/lookup.ts'
import { lookupRoute, routeEvidence, routeText } from '../routing/lookup.ts'
import { isLocalAddress } from '../routing/rpfilter.ts'
import { sourceFor } from '../routing/source.ts'
import { endUnrouted } from './refused.ts'
import { sendPath } from './send.ts'

/** The link a path leaves by: packets to an own address go through loopback. */
function outLink(netns: Netns, path: Path): Path {
  if (path.route.type !== 'local') return path
  const lo = factsOf(netns).linkByName.get('lo')
  return lo ? { ...path, link: lo } : path
}

function query(packet: Packet, oif: string | null) {
  return {
    dst: packet.dst,
    src: isUnspecified(packet.src) ? null : packet.src,
    iif: 'lo',
    oif,
    mark: packet.mark,
    dscp: packet.dscp,
    protocol: packet.protocol,
    sport: packet.sport,
    dport: packet.dport,
    uid: null,
  }
}

/**
 * A packet made in this netns: route, source address, output hook, a second routing decision when output changed what
 * routing depends on, then out (`ip_route_output_key_hash`, `__ip_local_out`, `ip_route_me_harder`; IPv6 alike).
 */
export function localOut(world: World, flight: Flight, oif: string | null, socket: boolean): Flight[] {
  const { netns } = flight
  const refused = socket ? refuseSource(flight) : null
  if (refused) return [refused]
  if (!isUnspecified(flight.packet.src)) return routed(world, flight, oif)
  const answer = lookupRoute(netns, query(flight.packet, oif))
  if (answer.kind !== 'paths') return [endUnrouted(flight, answer)]
  return answer.paths.flatMap((path) => {
    const { dst } = flight.packet
    const src = sourceFor(netns, path, dst)
    if (!src)
      return [
        dst.family === 6
          ? end(flight, 'no-route', 'route', `no source address for ${formatIp(dst)}`, { cause: 'no-route' })
          : undecided(flight, 'route', `no source address for ${formatIp(dst)}`, 'unsupported'),
      ]
    const share = { ...flight, packet: { ...flight.packet, src }, probability: flight.probability * path.probability }
    // `ip_route_connect` asks again once the source is known; IPv6 and tunnels do not.
    return socket && dst.family === 4 && hasPorts(share.packet.protocol)
      ? routed(world, share, oif)
      : leaveBy(world, share, path, oif)
  })
}

/** Routes a packet whose source is known. */
function routed(world: World, flight: Flight, oif: string | null): Flight[] {
  const answer = lookupRoute(flight.netns, query(flight.packet, oif))
  if (answer.kind !== 'paths') return [endUnrouted(flight, answer)]
  return preferred(flight, answer.paths).flatMap((path) =>
    leaveBy(world, { ...flight, probability: flight.probability * path.probability }, path, oif),
  )
}

/**
 * Multipath nexthops whose own source address is the packet's go before the others (`fib_select_multipath`, Linux 6.16 and
 * later; before that, and for forwarded packets, the flow hash alone decides).
 */
function preferred(flight: Flight, paths: readonly Path[]): readonly Path[] {
  const { src, dst } = flight.packet
  if (paths.length < 2 || dst.family === 6) return paths
  const fitting = paths.filter((p) => {
    const own = sourceFor(flight.netns, p, dst)
    return own !== null && ipEquals(own, src)
  })
  if (fitting.length === 0 || fitting.length === paths.length) return paths
  const total = fitting.reduce((sum, p) => sum + p.probability, 0)
  return fitting.map((p) => ({ ...p, probability: p.probability / total }))
}

/** The output hook on the way out by a path, and what it changes. */
function leaveBy(world: World, flight: Flight, found: Path, oif: string | null): Flight[] {
  if (!isFollowed(found.route))
    return [undecided(flight, 'route', `packets to a ${found.route.type} address are not followed`, 'unsupported')]
  const { packet } = flight
  const path = outLink(flight.netns, found)
  const noted = note(
    flight,
    'route',
    path.route.type === 'local'
      ? `${formatIp(packet.dst)} is an address of this netns: through lo`
      : `${formatIp(packet.dst)} goes by ${routeText(path.route)}, source ${formatIp(packet.src)}`,
    { link: path.link.name, rule: routeText(path.route), evidence: routeEvidence(path) },
  )
  const links = { in: null, out: linkView(path.link, packet.dst.family), nexthop: path.gateway ?? packet.dst }
  return passHook(world, noted, 'output', links).flatMap((after) =>
    after.stage.kind === 'ended' ? [after] : rerouted(world, noted, after, path, oif),
  )
}

const isFollowed = (route: Route): boolean =>
  route.type === 'unicast' || route.type === 'local' || (route.type === 'anycast' && route.family === 6)

/** A socket can only send from an address of its netns (`__ip_dev_find`, `ipv6_chk_addr`). */
function refuseSource(flight: Flight): Flight | null {
  const { netns, packet } = flight
  if (packet.src.family === 6 && !isUnspecified(packet.src) && conf(netns, 6, 'all', 'disable_ipv6') === 1)
    return end(flight, 'no-route', 'send', 'IPv6 is disabled here (net.ipv6.conf.all.disable_ipv6)', {
      cause: 'ipv6-disabled',
    })
  if (isUnspecified(packet.src) || !has(netns, 'links')) return null
  if (packet.src.family === 4 && packet.src.d >>> 24 === 127) return null
  const owners = linksWithAddress(netns, packet.src)
  // `__ip_dev_find` falls back to the local table: a local route makes an address one's own.
  if (owners.length === 0 && isLocalAddress(netns, packet.src)) return null
  if (owners.length === 0)
    return end(flight, 'no-route', 'send', `${formatIp(packet.src)} is not an address of this netns`, {
      cause: 'martian-source',
    })
  for (const link of owners)
    for (const a of link.addresses)
      if (ipEquals(a.ip, packet.src) && !a.flags.some((f) => f === 'tentative' || f === 'dadfailed')) return null
  const failed = owners[0]!.addresses.find((a) => ipEquals(a.ip, packet.src))
  return end(flight, 'no-route', 'send', `${formatIp(packet.src)} is not usable: duplicate address detection failed`, {
    cause: 'address-dadfailed',
    evidence: failed ? [failed.evidence] : [],
  })
}

/** True when a changed mark makes the kernel route again: only chains of type route do that (nft_chain_route.c, iptable_mangle.c). */
function marksReroute(flight: Flight): boolean {
  return flight.netns.rulesets.some((r) =>
    r.tables.some((t) => [...t.chains.values()].some((c) => c.base?.hook === 'output' && c.base.type === 'route')),
  )
}

function rerouted(world: World, before: Flight, after: Flight, path: Path, oif: string | null): Flight[] {
  const moved = !ipEquals(before.packet.dst, after.packet.dst) || !ipEquals(before.packet.src, after.packet.src)
  const marked =
    (before.packet.mark !== after.packet.mark || before.packet.dscp !== after.packet.dscp) && marksReroute(after)
  if (!moved && !marked) return leave(world, after, path)
  const answer = lookupRoute(after.netns, query(after.packet, oif))
  if (answer.kind !== 'paths') return [endUnrouted(after, answer)]
  return preferred(after, answer.paths).flatMap((found) => {
    const next = outLink(after.netns, found)
    const same = next.link.ifindex === path.link.ifindex && next.route === path.route
    const flight = { ...after, probability: after.probability * found.probability }
    const routed = same
      ? flight
      : note(flight, 'route', `routed again: ${formatIp(after.packet.dst)} goes by ${routeText(next.route)}`, {
          link: next.link.name,
          rule: routeText(next.route),
          evidence: routeEvidence(next),
        })
    return leave(world, routed, next)
  })
}

function leave(world: World, flight: Flight, path: Path): Flight[] {
  if (path.route.type !== 'local') return sendPath(world, flight, path, null)
  const { netns } = flight
  if (!isUp(path.link))
    return [end(flight, 'no-route', 'send', 'lo is down', { cause: 'link-down', evidence: [path.link.evidence] })]
  const view = linkView(path.link, flight.packet.dst.family)
  return passHook(world, flight, 'postrouting', { in: null, out: view, nexthop: null }).map((out) =>
    out.stage.kind === 'ended'
      ? out
      : { ...confirmConnection(out), netns, stage: { kind: 'ip-input', link: path.link, prerouted: false } as const },
  )
}
