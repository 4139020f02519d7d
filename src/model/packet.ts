import type { Ip } from '../base/ip.ts'

/** TCP header flag bits (RFC 9293 section 3.1), as in the 13th and 14th octet. */
export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

/** ICMP or ICMPv6 message: type and code; `id` is the echo identifier, which conntrack uses as a port. */
export interface IcmpHeader {
  readonly type: number
  readonly code: number
  readonly id: number
}

/** One IP packet as a netns sees it: the header fields that decide its fate, and the marks the kernel hangs on it. */
export interface Packet {
  readonly src: Ip
  readonly dst: Ip
  /** IANA protocol number of the transport header. */
  readonly protocol: number
  /** Source and destination port; 0 for protocols without ports. */
  readonly sport: number
  readonly dport: number
  readonly icmp?: IcmpHeader
  /** TCP flag bits, see TCP_FLAGS; 0 for other protocols. */
  readonly tcpFlags: number
  /** In a question, 0 asks for what the source's netns gives its packets. */
  readonly ttl: number
  /** Differentiated services code point, 0–63. */
  readonly dscp: number
  /** Length in bytes of the IP packet, header included. */
  readonly length: number
  readonly dontFragment: boolean
  /** The packet mark (`skb->mark`), 32 bits unsigned. Lost when the packet leaves the netns. */
  readonly mark: number
}

/** Layers outside the packet, outermost first: a VXLAN packet is `[{outer}]` around the inner Packet. */
export interface Encap {
  readonly kind: 'vxlan' | 'ipip' | 'gre' | 'geneve' | 'wireguard'
  readonly outer: Packet
  /** VXLAN network identifier, where the encapsulation has one. */
  readonly vni?: number
}
