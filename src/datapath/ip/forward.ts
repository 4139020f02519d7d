import { formatIp, isLinkLocal, isLoopback } from '../../base/ip.ts'
import type { Link } from '../../model/network.ts'
import { linkView } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { end, note } from '../flight.ts'
import { passHook } from '../hook.ts'
import type { Path } from '../routing/lookup.ts'
import { routeEvidence, routeText } from '../routing/lookup.ts'
import { pathMtu, sendPath } from './send.ts'

/**
 * `ip_forward` and `ip6_forward`: TTL, then size, then the forward hook, then out. The size is checked before the hook, as
 * the kernel does, so a too large packet is reported and not filtered.
 */
export function forward(world: World, flight: Flight, link: Link, path: Path): Flight[] {
  const { packet } = flight
  const family = packet.dst.family
  if (packet.ttl <= 1)
    return [end(flight, 'ttl-exceeded', 'route', 'TTL used up: time exceeded', { cause: 'ttl-exceeded' })]
  if (family === 6 && (isLinkLocal(packet.src) || isLoopback(packet.src)))
    return [
      end(flight, 'denied', 'route', `source ${formatIp(packet.src)} is link-local and not forwarded`, {
        cause: 'martian-source',
      }),
    ]
  const routed = note(
    { ...flight, packet: { ...packet, ttl: packet.ttl - 1 } },
    'route',
    `${formatIp(packet.dst)} goes by ${routeText(path.route)}`,
    { link: path.link.name, rule: routeText(path.route), evidence: routeEvidence(path) },
  )
  const mtu = pathMtu(path)
  if (packet.length > mtu && (packet.dontFragment || family === 6))
    return [
      end(
        routed,
        'mtu-exceeded',
        'route',
        `${packet.length} bytes do not fit the MTU ${mtu} of ${path.link.name}: fragmentation needed`,
        { link: path.link.name, cause: 'mtu-exceeded', evidence: [path.link.evidence] },
      ),
    ]
  const links = { in: linkView(link, family), out: linkView(path.link, family), nexthop: path.gateway ?? packet.dst }
  return passHook(world, routed, 'forward', links).flatMap((after) =>
    after.stage.kind === 'ended' ? [after] : sendPath(world, after, path, link),
  )
}
