import { formatEndpoint, formatIp, ipEquals } from '../../base/ip.ts'
import { hasPorts, ICMP, ICMPV6, protocolName, TCP, UDP } from '../../base/protocol.ts'
import type { Link, Socket } from '../../model/network.ts'
import { ipipReceive, isIpip } from '../encap/ipip.ts'
import { isVxlan, vxlanReceive } from '../encap/vxlan.ts'
import { has, linkView, sysctlEvidence, sysctlNumber } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { end, netnsLabel, undecided } from '../flight.ts'
import { confirmConnection, passHook } from '../hook.ts'
import { virtualServer } from '../ipvs/schedule.ts'
import { acceptQueueFull, findListener, listensWhere } from '../socket/listen.ts'

/** `ip_local_deliver`, `ip6_input`: the input hook, IPVS, then the protocol: a tunnel, the kernel itself or a socket. */
export function deliver(world: World, flight: Flight, link: Link): Flight[] {
  const links = { in: linkView(link, flight.packet.dst.family), out: null }
  return passHook(world, flight, 'input', links).flatMap((after) => {
    if (after.stage.kind === 'ended') return [after]
    const scheduled = virtualServer(world, after, link)
    if (scheduled) return scheduled
    const confirmed = confirmConnection(after)
    if (isVxlan(confirmed)) return vxlanReceive(confirmed)
    if (isIpip(confirmed)) return ipipReceive(confirmed)
    return world.purpose.kind === 'request' ? toSocket(confirmed, link) : [toAsker(world, confirmed, link)]
  })
}

const target = (flight: Flight) =>
  `${protocolName(flight.packet.protocol)} ${formatEndpoint(flight.packet.dst, hasPorts(flight.packet.protocol) ? flight.packet.dport : undefined)}`

function toSocket(flight: Flight, link: Link): Flight[] {
  const { packet, netns } = flight
  if (packet.protocol === ICMP || packet.protocol === ICMPV6) return [toIcmp(flight)]
  if (!hasPorts(packet.protocol)) return [end(flight, 'delivered', 'deliver', `delivered: ${target(flight)}`)]
  if (!has(netns, 'sockets'))
    return [
      undecided(
        flight,
        'socket',
        `sockets of ${netns.id}: whether anything listens on ${target(flight)}`,
        'not-collected',
      ),
    ]
  const found = findListener(netns, packet, link.name)
  const refuses =
    packet.protocol === UDP ? 'ICMP port unreachable' : packet.protocol === TCP ? 'a TCP reset' : 'an abort'
  switch (found.kind) {
    case 'none':
      return [
        end(
          flight,
          'no-listener',
          'socket',
          `nothing listens on ${target(flight)} in ${netnsLabel(flight)}: ${refuses} goes back`,
          {
            cause: packet.protocol === UDP ? 'udp-no-listener' : 'tcp-reset-no-listener',
          },
        ),
      ]
    case 'elsewhere':
      return [
        end(
          flight,
          'no-listener',
          'socket',
          `port ${packet.dport} is listened on ${listensWhere(found.socket, packet.dst)} (${formatEndpoint(found.socket.local, found.socket.localPort)}), not on ${formatIp(packet.dst)}: ${refuses} goes back`,
          { cause: 'listens-other-address', evidence: [found.socket.evidence] },
        ),
      ]
    case 'found':
      return accept(flight, found.sockets)
  }
}

function accept(flight: Flight, sockets: readonly Socket[]): Flight[] {
  const full = sockets.filter(acceptQueueFull)
  const open = sockets.filter((s) => !acceptQueueFull(s))
  const share = (n: number): Flight => ({ ...flight, probability: (flight.probability * n) / sockets.length })
  const out: Flight[] = []
  const first = full[0]
  if (first)
    out.push(
      end(
        share(full.length),
        'denied',
        'socket',
        `the accept queue of ${target(flight)} is full (${first.recvQueue} of ${first.sendQueue}): the SYN is dropped`,
        { cause: 'accept-queue-full', evidence: [first.evidence] },
      ),
    )
  const taker = open[0]
  if (taker)
    out.push(
      end(
        share(open.length),
        'delivered',
        'socket',
        `delivered to ${taker.process ?? 'the socket'} listening on ${formatEndpoint(taker.local, taker.localPort)}`,
        { evidence: [taker.evidence] },
      ),
    )
  return out
}

/** `icmp_echo`, `icmpv6_echo_reply`: the kernel answers echo requests itself unless told not to. */
function toIcmp(flight: Flight): Flight {
  const { netns, packet } = flight
  const echo = packet.icmp === undefined || packet.icmp.type === (packet.protocol === ICMP ? 8 : 128)
  const key = packet.protocol === ICMP ? 'net.ipv4.icmp_echo_ignore_all' : 'net.ipv6.icmp.echo_ignore_all'
  if (echo && (sysctlNumber(netns, key) ?? 0) !== 0)
    return end(flight, 'denied', 'deliver', `echo requests are ignored (${key})`, {
      cause: 'udp-no-listener',
      evidence: sysctlEvidence(netns, key),
    })
  return end(
    flight,
    'delivered',
    'deliver',
    `delivered to the kernel of ${netnsLabel(flight)}, which answers echo requests`,
  )
}

/** An answer must reach the netns that asked, and look like coming from the address that was asked. */
function toAsker(world: World, flight: Flight, link: Link): Flight {
  const { purpose } = world
  if (purpose.kind === 'request') return flight
  const { packet, netns } = flight
  const { expected } = purpose
  const from = formatEndpoint(packet.src, hasPorts(packet.protocol) ? packet.sport : undefined)
  const wanted = formatEndpoint(expected.src, hasPorts(packet.protocol) ? expected.sport : undefined)
  const handshake = purpose.kind === 'handshake'
  if (netns.id !== purpose.asker)
    return end(
      flight,
      'denied',
      'deliver',
      `${handshake ? 'the packet' : 'the answer'} from ${from} is delivered in ${netnsLabel(flight)}, which has no such connection: it was not translated back`,
      { link: link.name, cause: 'not-translated-back' },
    )
  const ports = !hasPorts(packet.protocol) || (packet.sport === expected.sport && packet.dport === expected.dport)
  if (!ipEquals(packet.src, expected.src) || !ipEquals(packet.dst, expected.dst) || !ports)
    return end(
      flight,
      'denied',
      'deliver',
      `${handshake ? 'the packet' : 'the answer'} comes from ${from}, not from ${wanted} as asked: no socket takes it, it was not translated back`,
      { link: link.name, cause: 'not-translated-back' },
    )
  const text = handshake
    ? `the server's half-open connection takes it`
    : `the answer from ${from} reaches the one who asked`
  return end(flight, 'delivered', 'deliver', text, { link: link.name })
}
