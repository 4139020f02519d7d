import type { Flight } from './flight.ts'
import { note } from './flight.ts'

/** What a sender whose links are not in the evidence is taken to send at most: Ethernet's MTU (RFC 894). */
const ETHERNET_MTU = 1500

/**
 * The largest packet either end of a TCP connection makes, in bytes: each announces its own link's MTU in the MSS option (RFC 9293
 * section 3.7.1), so the smaller of both counts.
 */
export function segmentSize(forward: Flight, reply: Flight): number {
  return Math.min(forward.sendMtu ?? ETHERNET_MTU, reply.sendMtu ?? ETHERNET_MTU)
}

/** Reports a bottleneck that the small packets of a handshake do not meet: some link carries less than the ends make. */
export function withPathMtu(flight: Flight, size: number): Flight {
  if (flight.stage.kind !== 'ended' || flight.stage.disposition !== 'delivered' || !flight.mtu) return flight
  const { bytes, where, reported } = flight.mtu
  if (bytes >= size) return flight
  const fate = reported
    ? 'larger ones are answered with "fragmentation needed", which must get back to the sender'
    : 'larger ones are dropped silently'
  const text = `the path carries packets of ${bytes} bytes at most (${where}), the ends make up to ${size}: ${fate}`
  return { ...note(flight, 'route', text, { cause: 'mtu-exceeded' }), stage: flight.stage }
}
