import type { ConnectionTrace, Hop, PacketTrace } from '../model/trace.ts'

/** What two outcomes must share to be one: where it ended, how, and every step on the way. */
function hopsKey(hops: readonly Hop[]): string {
  return hops.map((h) => `${h.netns}\n${h.steps.map((s) => `${s.text}\t${s.rule ?? ''}`).join('\n')}`).join('\n\n')
}

function packetKey(trace: PacketTrace): string {
  return `${trace.disposition}\n${trace.netns}\n${trace.unknowns.join('\t')}\n${hopsKey(trace.hops)}`
}

/** Equal outcomes become one, with their probabilities added; order of first appearance. */
export function mergePackets(traces: readonly PacketTrace[]): PacketTrace[] {
  const merged = new Map<string, PacketTrace>()
  for (const t of traces) {
    const key = packetKey(t)
    const old = merged.get(key)
    merged.set(key, old ? { ...old, probability: old.probability + t.probability } : t)
  }
  return [...merged.values()]
}

export function mergeConnections(traces: readonly ConnectionTrace[]): ConnectionTrace[] {
  const merged = new Map<string, ConnectionTrace>()
  for (const t of traces) {
    const key = `${t.disposition}\n${packetKey(t.forward)}\n${t.reply ? packetKey(t.reply) : ''}`
    const old = merged.get(key)
    merged.set(key, old ? { ...old, probability: old.probability + t.probability } : t)
  }
  return [...merged.values()]
}
