import { formatEndpoint, formatIp } from '../base/ip.ts'
import { hasPorts, protocolName } from '../base/protocol.ts'
import type { Encap, Packet } from '../model/packet.ts'
import type { Hop, PacketTrace } from '../model/trace.ts'

/** `10.0.0.1:80`, or the bare address for protocols without ports and for a source port left open (0). */
export function endpointText(packet: Packet, side: 'src' | 'dst'): string {
  const port = side === 'src' ? packet.sport : packet.dport
  return hasPorts(packet.protocol) && port !== 0 ? formatEndpoint(packet[side], port) : formatIp(packet[side])
}

/** `10.0.0.1 → 10.0.0.2:80`. */
export function packetText(packet: Packet): string {
  return `${endpointText(packet, 'src')} → ${endpointText(packet, 'dst')}`
}

/** A packet in the CONTRACT's JSON: `{ src: "ip:port", dst: "ip:port", protocol, … }`. */
export function packetJson(packet: Packet): Record<string, unknown> {
  return {
    src: endpointText(packet, 'src'),
    dst: endpointText(packet, 'dst'),
    protocol: protocolName(packet.protocol),
    ...(packet.icmp ? { icmpType: packet.icmp.type, icmpCode: packet.icmp.code } : {}),
    ttl: packet.ttl,
    length: packet.length,
    ...(packet.mark ? { mark: packet.mark } : {}),
  }
}

export function encapJson(encap: Encap): Record<string, unknown> {
  return { kind: encap.kind, ...(encap.vni === undefined ? {} : { vni: encap.vni }), outer: packetJson(encap.outer) }
}

/** `host`, `pod/NAMESPACE/NAME` or `netns/NAME`: the netns id without its node. */
export function netnsName(hop: Pick<Hop, 'netns' | 'node'>): string {
  return hop.netns.startsWith(`${hop.node}/`) ? hop.netns.slice(hop.node.length + 1) : hop.netns
}

/** Where a trace ended, in words: `node2` for a host netns, `pod shop/web-1` for a pod. */
export function placeText(netns: string): string {
  const [node = '', kind = '', ...rest] = netns.split('/')
  if (kind === 'host') return node
  if (kind === 'pod') return `pod ${rest.join('/')}`
  return rest.length > 0 ? `netns ${rest.join('/')} on ${node}` : netns
}

/** The last hop of a packet, undefined when it never started. */
export function lastHop(trace: PacketTrace): Hop | undefined {
  return trace.hops[trace.hops.length - 1]
}
