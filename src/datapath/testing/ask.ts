/** Questions and short answers for path tests. */
import { parseIp, UNSPECIFIED } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { Network } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import type { ConnectionTrace, PacketTrace, Step } from '../../model/trace.ts'
import type { Sender } from '../trace.ts'
import { traceConnection } from '../trace.ts'

/** A first packet to `ADDRESS[:PORT]` or `[ADDRESS]:PORT`, source left to the kernel. */
export function packetTo(protocol: string, to: string, over: Partial<Packet> = {}): Packet {
  const m = /^\[([^\]]+)\]:(\d+)$/.exec(to) ?? /^([\d.]+):(\d+)$/.exec(to)
  const dst = parseIp(m?.[1] ?? to)
  if (!dst) throw new Error(`not an address: ${to}`)
  return {
    src: UNSPECIFIED[dst.family],
    dst,
    protocol: protocolNumber(protocol) ?? 6,
    sport: 0,
    dport: Number(m?.[2] ?? 0),
    tcpFlags: 0,
    ttl: 64,
    dscp: 0,
    length: 60,
    dontFragment: true,
    mark: 0,
    ...over,
  }
}

export function stepsOf(trace: PacketTrace | null): Step[] {
  return trace?.hops.flatMap((h) => [...h.steps]) ?? []
}

/** Cause of the last step of the direction that failed. */
export function causeOf(t: ConnectionTrace): string | undefined {
  return stepsOf(t.forward.disposition === 'delivered' ? t.reply : t.forward).at(-1)?.cause
}

/** `[reply ]disposition[ cause][ share]` of every outcome. */
export function fatesOf(network: Network, from: Sender, packet: Packet): string[] {
  const traces = traceConnection(network, { from, packet })
  const total = traces.reduce((sum, t) => sum + t.probability, 0)
  if (Math.abs(total - 1) > 1e-9) throw new Error(`probabilities add up to ${total}`)
  return traces.map((t) => {
    const side = t.forward.disposition === 'delivered' && t.disposition !== 'delivered' ? 'reply ' : ''
    const share = traces.length > 1 ? ` ${Math.round(t.probability * 100)}%` : ''
    return `${side}${t.disposition}${causeOf(t) ? ` ${causeOf(t)}` : ''}${share}`
  })
}
