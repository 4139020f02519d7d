/** What conntrack makes of a packet that has no entry (`init_conntrack` and the per-protocol `new` checks, Linux 6.18). */
import { ICMP, TCP } from '../../base/protocol.ts'
import { type Packet, TCP_FLAGS } from '../../model/packet.ts'
import { isIcmp } from './tuple.ts'

export type FirstPacket = 'new' | 'invalid' | 'untracked' | 'icmp-error'

const { fin, syn, rst, ack, urg, psh, ece, cwr } = TCP_FLAGS

/** Flag combinations conntrack accepts, PSH, ECE and CWR aside (`tcp_valid_flags`, nf_conntrack_proto_tcp.c). */
const VALID_FLAGS = new Set([syn, syn | urg, syn | ack, rst, rst | ack, fin | ack, fin | ack | urg, ack, ack | urg])

/** True when conntrack calls the TCP flags malformed (`tcp_error`): the packet is invalid even on a known connection. */
export function malformedTcp(packet: Packet): boolean {
  return packet.protocol === TCP && !VALID_FLAGS.has(packet.tcpFlags & ~(psh | ece | cwr))
}

/**
 * The fate of a packet without an entry. `loose` is sysctl nf_conntrack_tcp_loose: a bare ACK is picked up as a
 * connection in progress. `icmp-error` packets are judged by the packet they quote.
 */
export function classifyFirst(packet: Packet, loose: boolean): FirstPacket {
  if (packet.protocol === TCP) {
    if (malformedTcp(packet)) return 'invalid'
    // tcp_conntracks[original][*][NONE]: SYN makes SYN_SENT, ACK makes ESTABLISHED, the rest is invalid.
    if (packet.tcpFlags & rst) return 'invalid'
    if (packet.tcpFlags & syn) return packet.tcpFlags & ack ? 'invalid' : 'new'
    if (packet.tcpFlags & fin) return 'invalid'
    return loose ? 'new' : 'invalid'
  }
  if (!isIcmp(packet.protocol)) return 'new'
  const type = packet.icmp?.type ?? (packet.protocol === ICMP ? 8 : 128)
  if (packet.protocol === ICMP) {
    // icmp_new: echo, timestamp, information and address mask requests; nf_conntrack_icmpv4_error: the error types.
    if (type === 8 || type === 13 || type === 15 || type === 17) return 'new'
    return type === 3 || type === 4 || type === 5 || type === 11 || type === 12 ? 'icmp-error' : 'invalid'
  }
  // nf_conntrack_icmpv6_error: neighbour discovery and MLD are untracked; below 128 are errors.
  if ((type >= 130 && type <= 136) || type === 143) return 'untracked'
  if (type < 128) return 'icmp-error'
  return type === 128 || type === 139 ? 'new' : 'invalid'
}
