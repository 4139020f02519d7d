import type { Ip } from '../../base/ip.ts'
import { ipEquals, isLoopback, isUnspecified } from '../../base/ip.ts'
import { SCTP, TCP } from '../../base/protocol.ts'
import type { Netns, Socket } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'

/** Which socket takes a packet that opens a connection. */
export type Listening =
  /** Several when they share the port (SO_REUSEPORT): the kernel spreads connections over them. */
  | { readonly kind: 'found'; readonly sockets: readonly Socket[] }
  /** Somebody listens on the port, but not on this address or family. */
  | { readonly kind: 'elsewhere'; readonly socket: Socket }
  | { readonly kind: 'none' }

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2): an IPv4 address as an IPv6 socket has it. */
function mapped(ip: Ip): Ip {
  return ip.family === 6 && ip.a === 0 && ip.b === 0 && ip.c === 0xffff ? { family: 4, a: 0, b: 0, c: 0, d: ip.d } : ip
}

/**
 * `__inet_lookup_listener`, `__udp4_lib_lookup` and their IPv6 twins: a socket bound to the address goes before one bound to
 * any; a socket bound to a link only takes what comes in by it. Dual-stack `*` sockets take IPv4 too.
 */
export function findListener(netns: Netns, packet: Packet, link: string): Listening {
  const state = packet.protocol === TCP || packet.protocol === SCTP ? 'LISTEN' : 'UNCONN'
  const onPort = netns.sockets.filter(
    (s) => s.protocol === packet.protocol && s.localPort === packet.dport && s.state === state,
  )
  const scored = onPort
    .filter((s) => s.link === undefined || s.link === link)
    .map((s) => ({ s, score: score(s, packet.dst) }))
    .filter((x) => x.score > 0)
  const best = Math.max(0, ...scored.map((x) => x.score))
  const sockets = scored.filter((x) => x.score === best).map((x) => x.s)
  if (sockets.length > 0) return { kind: 'found', sockets }
  return onPort[0] ? { kind: 'elsewhere', socket: onPort[0] } : { kind: 'none' }
}

function score(s: Socket, dst: Ip): number {
  const local = mapped(s.local)
  const bound = s.link === undefined ? 0 : 1
  if (isUnspecified(local)) {
    if (local.family === dst.family) return 2 + bound
    return local.family === 6 && dst.family === 4 && s.dualStack ? 1 + bound : 0
  }
  return ipEquals(local, dst) ? 4 + bound : 0
}

/** `sk_acceptq_is_full`: more waiting than the backlog. Then a SYN is dropped (`tcp_conn_request`). */
export function acceptQueueFull(s: Socket): boolean {
  return s.protocol === TCP && s.recvQueue > s.sendQueue
}

/** Why a listener does not take the packet, in words. */
export function listensWhere(s: Socket, dst: Ip): string {
  const local = mapped(s.local)
  if (isLoopback(local)) return 'only on loopback'
  if (local.family !== dst.family) return `only on IPv${local.family}`
  if (s.link !== undefined) return `only on ${s.link}`
  return 'on another address'
}
