/** The question as packets: who sends, where to, and what is traced. */
import { formatIp, type Ip, UNSPECIFIED } from '../../base/ip.ts'
import { hasPorts, ICMP, ICMPV6, TCP } from '../../base/protocol.ts'
import { traceConnection } from '../../datapath/trace.ts'
import type { Question } from '../../model/finding.ts'
import type { Network } from '../../model/network.ts'
import { type Packet, TCP_FLAGS } from '../../model/packet.ts'
import type { Branch, Source, Target } from '../inquiry.ts'
import { unlessMacvlanChild } from './macvlan-child.ts'
import { byEachNode } from './outside.ts'

export interface Asked {
  readonly question: Question
  /** IANA number; for ICMP the IPv4 one, whatever the family turns out to be. */
  readonly protocol: number
  readonly sourcePort: number
  readonly sources: readonly Source[]
  readonly targets: readonly Target[]
  /** Nameservers that must answer first when the destination is a name; asked over UDP port 53. */
  readonly nameservers: readonly Target[]
  /** A name outside the cluster, whose addresses are not in the evidence; then there are no targets. */
  readonly unresolved?: string
}

/** Bytes of a first packet: a SYN with the usual options, an echo of 56 bytes, a small datagram. */
const FIRST_LENGTH: Record<number, number> = { 6: 60, 1: 84, 58: 104 }

/** The first packet of the connection, source address left to routing unless the source pins it. */
export function firstPacket(protocol: number, src: Ip | null, dst: Ip, dport: number, sport: number): Packet {
  const p = protocol === ICMP && dst.family === 6 ? ICMPV6 : protocol
  const icmp = p === ICMP || p === ICMPV6
  return {
    src: src ?? UNSPECIFIED[dst.family],
    dst,
    protocol: p,
    sport: hasPorts(p) ? sport : 0,
    dport: hasPorts(p) ? dport : 0,
    ...(icmp ? { icmp: { type: p === ICMP ? 8 : 128, code: 0, id: 4242 } } : {}),
    tcpFlags: p === TCP ? TCP_FLAGS.syn : 0,
    // What the source's netns gives its packets.
    ttl: 0,
    dscp: 0,
    length: FIRST_LENGTH[p] ?? 60,
    dontFragment: p === TCP,
    mark: 0,
  }
}

function traceOne(
  network: Network,
  source: Source,
  target: Target,
  protocol: number,
  sport: number,
  share: number,
): Branch[] {
  if (source.ip && source.ip.family !== target.ip.family) return []
  const packet = firstPacket(protocol, source.ip, target.ip, target.port ?? 0, sport)
  const from = source.netns ?? (source.ip ? { external: source.ip } : null)
  if (from === null) return []
  const plain = traceConnection(network, { from, packet })
  const stranger = source.netns === null ? source.ip : null
  const direct = stranger ? plain.map((t) => unlessMacvlanChild(network, stranger, packet, t)) : plain
  const open = source.netns === null && source.ip !== null && plain.every((t) => t.disposition === 'insufficient-info')
  const ways = open && source.ip ? byEachNode(network, source.ip, packet) : null
  return (ways ?? direct).map((trace) => ({
    source,
    target,
    trace: { ...trace, probability: trace.probability * share },
  }))
}

/** Every outcome for every source and target. Probabilities of the connection itself add up to 1; DNS branches stand beside. */
export function traceAsked(network: Network, asked: Asked): Branch[] {
  const out: Branch[] = []
  const share = 1 / Math.max(1, asked.sources.length)
  for (const source of asked.sources) {
    for (const target of asked.targets)
      out.push(...traceOne(network, source, target, asked.protocol, asked.sourcePort, share * target.share))
    for (const server of asked.nameservers)
      out.push(
        ...traceOne(network, source, server, 17, 0, share * server.share).map((b) => ({ ...b, stage: 'dns' as const })),
      )
  }
  return out
}

export function targetText(t: Target): string {
  return t.port === null ? formatIp(t.ip) : `${formatIp(t.ip)} port ${t.port}`
}
