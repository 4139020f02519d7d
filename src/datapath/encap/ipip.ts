import type { Ip } from '../../base/ip.ts'
import { formatIp, ipEquals, isUnspecified, UNSPECIFIED } from '../../base/ip.ts'
import { PROTOCOLS } from '../../base/protocol.ts'
import type { Link } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import { isUp } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { end, note, undecided } from '../flight.ts'
import { localOut } from '../ip/output.ts'

/**
 * `ipip_tunnel_xmit` and `ip_tunnel_xmit` (net/ipv4/ipip.c, ip_tunnel.c): the outer destination is the tunnel's remote, or for
 * a tunnel without one (tunl0) the gateway of the route.
 */
export function ipipTransmit(world: World, flight: Flight, link: Link, nexthop: Ip | null): Flight[] {
  const { packet } = flight
  const t = link.tunnel
  if (t?.external || packet.dst.family !== 4)
    return [
      undecided(flight, 'encap', `how ${link.name} of ${flight.netns.id} sends this is not modelled`, 'unsupported'),
    ]
  const remote = t?.remote && !isUnspecified(t.remote) ? t.remote : nexthop
  if (!remote) return [undecided(flight, 'encap', `${link.name} has no remote`, 'unsupported', { link: link.name })]
  const local = t?.local && !isUnspecified(t.local) ? t.local : UNSPECIFIED[4]
  const outer: Packet = {
    src: local,
    dst: remote,
    protocol: PROTOCOLS.ipip,
    sport: 0,
    dport: 0,
    tcpFlags: 0,
    ttl: t?.ttl && t.ttl > 0 ? t.ttl : packet.ttl,
    dscp: packet.dscp,
    length: packet.length + 20,
    dontFragment: true,
    mark: packet.mark,
  }
  const wrapped: Flight = {
    ...flight,
    packet: outer,
    layers: [...flight.layers, { kind: 'ipip', inner: packet, innerFrame: { src: '', dst: '' } }],
    connection: null,
    untracked: false,
    physIn: null,
  }
  const noted = note(wrapped, 'encap', `${link.name} wraps it in IPIP to ${formatIp(remote)}`, {
    link: link.name,
    evidence: [link.evidence],
  })
  return localOut(world, noted, t?.link ?? null, false)
}

export function isIpip(flight: Flight): boolean {
  return flight.packet.protocol === PROTOCOLS.ipip && flight.layers[flight.layers.length - 1]?.kind === 'ipip'
}

/** `ip_tunnel_lookup`: remote and local, remote only, local only, then the fallback device; it must be up. */
export function ipipReceive(flight: Flight): Flight[] {
  const { netns, packet } = flight
  const layer = flight.layers[flight.layers.length - 1]
  if (!layer) return [flight]
  const set = (ip: Ip | undefined): ip is Ip => ip !== undefined && !isUnspecified(ip)
  const tunnels = netns.links.filter((l) => l.kind === 'ipip')
  const fits = tunnels
    .filter((l) => !set(l.tunnel?.remote) || ipEquals(l.tunnel.remote, packet.src))
    .filter((l) => !set(l.tunnel?.local) || ipEquals(l.tunnel.local, packet.dst))
    .sort((x, y) => score(y, set) - score(x, set))
  const device = fits.find(isUp)
  if (!device)
    return [
      end(
        flight,
        'denied',
        'decap',
        fits.length > 0 ? `${fits[0]!.name} is down` : `no IPIP device here takes packets from ${formatIp(packet.src)}`,
        { cause: 'tunnel-down', evidence: tunnels.map((l) => l.evidence) },
      ),
    ]
  const unwrapped: Flight = {
    ...flight,
    packet: { ...layer.inner, mark: packet.mark },
    layers: flight.layers.slice(0, -1),
    connection: null,
    untracked: false,
    physIn: null,
  }
  const noted = note(unwrapped, 'decap', `${device.name} unwraps IPIP from ${formatIp(packet.src)}`, {
    link: device.name,
  })
  return [{ ...noted, stage: { kind: 'ip-input', link: device, prerouted: false } }]
}

const score = (l: Link, set: (ip: Ip | undefined) => boolean): number =>
  (set(l.tunnel?.remote) ? 2 : 0) + (set(l.tunnel?.local) ? 1 : 0)
