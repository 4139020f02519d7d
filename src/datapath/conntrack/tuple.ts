/** Tuples: the 5-tuple of one direction of a connection (`nf_conntrack_tuple`). */
import { type Ip, ipEquals } from '../../base/ip.ts'
import { hasPorts, ICMP, ICMPV6 } from '../../base/protocol.ts'
import type { Tuple } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'

/** The tuple of a packet (`nf_ct_get_tuple`). ICMP uses the echo identifier on both sides; other protocols have zero ports. */
export function tupleOf(packet: Packet): Tuple {
  const { src, dst, protocol } = packet
  if (hasPorts(protocol)) return { src, dst, protocol, sport: packet.sport, dport: packet.dport }
  const id = isIcmp(protocol) ? (packet.icmp?.id ?? 0) : 0
  return { src, dst, protocol, sport: id, dport: id }
}

/** The tuple of the other direction (`nf_ct_invert_tuple`). */
export function invert(t: Tuple): Tuple {
  return { src: t.dst, dst: t.src, protocol: t.protocol, sport: t.dport, dport: t.sport }
}

export function tupleEquals(x: Tuple, y: Tuple): boolean {
  return (
    x.sport === y.sport &&
    x.dport === y.dport &&
    x.protocol === y.protocol &&
    ipEquals(x.src, y.src) &&
    ipEquals(x.dst, y.dst)
  )
}

const word = (ip: Ip) => (ip.family === 4 ? `${ip.d}` : `${ip.a}:${ip.b}:${ip.c}:${ip.d}`)

/** A string that is the same for equal tuples of one zone, for use as a map key. */
export function tupleKey(t: Tuple, zone: number): string {
  return `${t.protocol} ${word(t.src)} ${t.sport} ${word(t.dst)} ${t.dport} ${zone}`
}

export function isIcmp(protocol: number): boolean {
  return protocol === ICMP || protocol === ICMPV6
}
