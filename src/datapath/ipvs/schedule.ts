import { formatEndpoint, formatIp, ipEquals } from '../../base/ip.ts'
import { hasPorts } from '../../base/protocol.ts'
import type { IpvsDestination, IpvsService, Link } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import { newEntry } from '../conntrack/entry.ts'
import type { Flight, World } from '../flight.ts'
import { end, note, undecided } from '../flight.ts'
import { localOut } from '../ip/output.ts'
import type { Connection } from '../netfilter/types.ts'

/** `ip_vs_service_find`: by packet mark first, then by protocol, address and port. */
function serviceFor(flight: Flight): IpvsService | null {
  const { packet, netns } = flight
  if (netns.ipvs.length === 0) return null
  const marked = netns.ipvs.find((s) => s.mark !== undefined && s.mark === packet.mark)
  if (marked) return marked
  return (
    netns.ipvs.find(
      (s) =>
        s.protocol === packet.protocol &&
        s.address !== undefined &&
        ipEquals(s.address, packet.dst) &&
        (s.port === packet.dport || s.port === 0),
    ) ?? null
  )
}

/** Shares of the destinations: by weight in the weighted schedulers, evenly in the others; weight 0 takes nothing new. */
function shares(service: IpvsService): { destination: IpvsDestination; share: number }[] | 'unsupported' {
  const usable = service.destinations.filter((d) => d.weight > 0)
  const weighted = ['wrr', 'wlc', 'sed', 'nq', 'mh', 'lblc', 'lblcr'].includes(service.scheduler)
  const even = ['rr', 'lc', 'sh', 'dh', 'ovf', 'fo'].includes(service.scheduler)
  if (!weighted && !even) return 'unsupported'
  const total = usable.reduce((sum, d) => sum + (weighted ? d.weight : 1), 0)
  return usable.map((destination) => ({ destination, share: (weighted ? destination.weight : 1) / total }))
}

/**
 * IPVS at the end of the input hook (`ip_vs_in`, net/netfilter/ipvs/ip_vs_core.c): null when no virtual server takes the packet.
 * Only masquerading (NAT) destinations are followed. The connection is kept as a translated conntrack entry, which is how
 * IPVS with `net.ipv4.vs.conntrack=1` shows it to the rules.
 */
export function virtualServer(world: World, flight: Flight, link: Link): Flight[] | null {
  if (world.purpose.kind !== 'request' && flight.connection && !flight.connection.fresh) return continued(world, flight)
  const service = serviceFor(flight)
  if (!service) return null
  const { packet } = flight
  const name = formatEndpoint(packet.dst, hasPorts(packet.protocol) ? packet.dport : undefined)
  const choice = shares(service)
  if (choice === 'unsupported')
    return [
      undecided(flight, 'ipvs', `scheduler ${service.scheduler} of ${name} is not modelled`, 'unsupported', {
        evidence: [service.evidence],
      }),
    ]
  if (choice.length === 0)
    return [
      end(flight, 'rejected', 'ipvs', `virtual server ${name} has no real server: port unreachable`, {
        link: link.name,
        cause: 'ipvs-no-destination',
        evidence: [service.evidence],
      }),
    ]
  return choice.flatMap(({ destination, share }) => {
    const fork = { ...flight, probability: flight.probability * share }
    if (destination.forwarding !== 'masq')
      return [
        undecided(
          fork,
          'ipvs',
          `${destination.forwarding} forwarding to ${formatIp(destination.address)} is not modelled`,
          'unsupported',
          {
            evidence: [destination.evidence],
          },
        ),
      ]
    return toRealServer(world, fork, destination)
  })
}

function toRealServer(world: World, flight: Flight, destination: IpvsDestination): Flight[] {
  const before = flight.packet
  const packet: Packet = { ...before, dst: destination.address, dport: destination.port || before.dport }
  const base = flight.connection?.entry ?? newEntry(before, 0)
  const entry = {
    ...base,
    reply: { ...base.reply, src: packet.dst, sport: hasPorts(packet.protocol) ? packet.dport : base.reply.sport },
  }
  const connection: Connection = {
    entry,
    direction: 'original',
    state: 'new',
    fresh: true,
    settled: { src: false, dst: true },
  }
  const chosen = note(
    { ...flight, packet, connection },
    'ipvs',
    `IPVS picks real server ${formatEndpoint(destination.address, destination.port)}`,
    { evidence: [destination.evidence] },
  )
  return localOut(world, chosen, null, false)
}

/** Later packets of a connection follow the destination it was given. */
function continued(world: World, flight: Flight): Flight[] | null {
  const { packet, connection } = flight
  if (connection?.direction !== 'original' || !serviceFor(flight)) return null
  const to = connection.entry.reply
  if (ipEquals(to.src, packet.dst)) return null
  const moved = { ...packet, dst: to.src, dport: hasPorts(packet.protocol) ? to.sport : packet.dport }
  return localOut(world, { ...flight, packet: moved }, null, false)
}
