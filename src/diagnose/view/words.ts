import { formatEndpoint, formatIp } from '../../base/ip.ts'
import { hasPorts, protocolName } from '../../base/protocol.ts'
import type { Packet } from '../../model/packet.ts'
import type { Failure } from '../inquiry.ts'

/** `10.0.0.2:80`, without the port where there is none. */
export function destination(packet: Packet): string {
  return hasPorts(packet.protocol) ? formatEndpoint(packet.dst, packet.dport) : formatIp(packet.dst)
}

/** `10.0.0.1 → 10.0.0.2:80 (tcp)`; the source port only when it is set. */
export function packetWords(packet: Packet): string {
  const src =
    hasPorts(packet.protocol) && packet.sport !== 0 ? formatEndpoint(packet.src, packet.sport) : formatIp(packet.src)
  return `${src} → ${destination(packet)} (${protocolName(packet.protocol)})`
}

/** `request` or `reply`, for the direction the failure was seen in. */
export function directionWord(f: Failure): string {
  return f.direction === 'reply' ? 'reply' : 'request'
}

/** The place in words: `node2`, or `pod shop/web-1`. */
export function placeOf(f: Failure): string {
  return f.netns?.pod ? `pod ${f.netns.pod.namespace}/${f.netns.pod.name}` : f.hop.node
}

/** A shell word: what is not plainly harmless is quoted (POSIX sh single quotes). */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
