/** Applying a connection's stored translation to a packet (`nf_nat_packet`, `nf_nat_manip_pkt`, net/netfilter/nf_nat_core.c). */
import { ipEquals } from '../../base/ip.ts'
import { hasPorts } from '../../base/protocol.ts'
import type { ConntrackEntry } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'
import { isDstNat, isSrcNat } from './entry.ts'
import { invert, isIcmp } from './tuple.ts'

/** Which side of the packet a hook rewrites: prerouting and output the destination, input and postrouting the source. */
export type Manip = 'src' | 'dst'

/**
 * The packet with side `manip` as the connection wants it. A reply's destination undoes source NAT and its source undoes
 * destination NAT. The same packet when that side is not translated.
 */
export function translate(
  packet: Packet,
  entry: ConntrackEntry,
  direction: 'original' | 'reply',
  manip: Manip,
): Packet {
  const sourceNat = (manip === 'src') === (direction === 'original')
  if (!(sourceNat ? isSrcNat(entry) : isDstNat(entry))) return packet
  const target = invert(direction === 'original' ? entry.reply : entry.original)
  const ip = manip === 'src' ? target.src : target.dst
  const port = manip === 'src' ? target.sport : target.dport
  const old = manip === 'src' ? packet.src : packet.dst
  const ports = hasPorts(packet.protocol)
  if (ipEquals(ip, old) && (!ports || port === (manip === 'src' ? packet.sport : packet.dport))) return packet
  const moved = manip === 'src' ? { ...packet, src: ip } : { ...packet, dst: ip }
  if (ports) return manip === 'src' ? { ...moved, sport: port } : { ...moved, dport: port }
  if (isIcmp(packet.protocol) && packet.icmp) {
    // Only the echo identifier is rewritten, by source NAT (icmp_manip_pkt takes src.u.icmp.id for both directions).
    return { ...moved, icmp: { ...packet.icmp, id: target.sport } }
  }
  return moved
}
