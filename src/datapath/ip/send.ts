import { formatIp } from '../../base/ip.ts'
import type { Link } from '../../model/network.ts'
import { isUp, lacksCarrier, linkView } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { end, learn, note, undecided } from '../flight.ts'
import { confirmConnection, passHook } from '../hook.ts'
import { resolveNeighbour } from '../neighbour/resolve.ts'
import type { Path } from '../routing/lookup.ts'

/** Outer headers of the layers around the packet, in bytes: what they take from the inner packet's MTU. */
function limitFor(flight: Flight, mtu: number): number {
  const first = flight.layers[0]
  return first ? mtu - (flight.packet.length - first.inner.length) : mtu
}

/** The smallest MTU so far, with this link's taken into account. */
export function narrow(flight: Flight, mtu: number, where: string, reported: boolean): Flight {
  const bytes = limitFor(flight, mtu)
  return flight.mtu && flight.mtu.bytes <= bytes ? flight : { ...flight, mtu: { bytes, where, reported } }
}

/** MTU of a path: the route's own when it sets one, else the link's (`ip_dst_mtu_maybe_forward`). */
export function pathMtu(path: Path): number {
  return path.route.mtu && path.route.mtu > 0 ? path.route.mtu : path.link.mtu
}

/**
 * Postrouting, then the neighbour, then the link (`ip_output`, `ip_finish_output2`). `input` is the link the packet came in by
 * when it is forwarded.
 */
export function sendPath(world: World, flight: Flight, path: Path, input: Link | null): Flight[] {
  const mtu = pathMtu(path)
  const { packet } = flight
  if (input === null && packet.length > mtu && packet.dontFragment)
    return [
      end(flight, 'mtu-exceeded', 'route', `${packet.length} bytes do not fit the MTU ${mtu} of ${path.link.name}`, {
        link: path.link.name,
        cause: 'mtu-exceeded',
        evidence: [path.link.evidence],
      }),
    ]
  const sized =
    input === null && flight.sendMtu === null && flight.layers.length === 0 ? { ...flight, sendMtu: mtu } : flight
  const measured = narrow(sized, mtu, `${path.link.name} of ${flight.netns.id}`, true)
  const nexthop = path.gateway ?? packet.dst
  const links = { in: null, out: linkView(path.link, packet.dst.family), nexthop }
  return passHook(world, measured, 'postrouting', links).map((after) =>
    after.stage.kind === 'ended' ? after : toNeighbour(world, confirmConnection(after), path),
  )
}

/** `ip_finish_output2`, `ip6_finish_output2`: the link-layer destination. */
function toNeighbour(world: World, flight: Flight, path: Path): Flight {
  const { link } = path
  const nexthop = path.gateway ?? flight.packet.dst
  if (!isUp(link))
    return end(flight, 'neighbour-unreachable', 'send', `${link.name} is down`, {
      link: link.name,
      cause: 'link-down',
      evidence: [link.evidence],
    })
  if (lacksCarrier(link))
    return end(flight, 'neighbour-unreachable', 'send', `${link.name} has no carrier`, {
      link: link.name,
      cause: 'no-carrier',
      evidence: [link.evidence],
    })
  const resolved = resolveNeighbour(world, flight, link, nexthop)
  const detail = { link: link.name, evidence: resolved.evidence }
  switch (resolved.kind) {
    case 'none-needed':
      return { ...flight, stage: { kind: 'transmit', link, frame: { src: '', dst: '' }, nexthop } }
    case 'mac': {
      const noted = note(learn(flight, resolved.taught), 'neighbour', resolved.text, {
        ...detail,
        ...(resolved.cause ? { cause: resolved.cause } : {}),
      })
      return { ...noted, stage: { kind: 'transmit', link, frame: { src: link.mac, dst: resolved.mac }, nexthop } }
    }
    case 'outside':
      return end(flight, 'exits-network', 'neighbour', resolved.text, detail)
    case 'fail':
      return end(flight, 'neighbour-unreachable', 'neighbour', resolved.text, { ...detail, cause: resolved.cause })
    case 'unknown':
      return undecided(flight, 'neighbour', `${formatIp(nexthop)}: ${resolved.text}`, resolved.cause, detail)
  }
}
