import type { Inquiry, ProbeResult } from './inquiry.ts'

const asks = (r: ProbeResult) => r.kind === 'connect' || r.kind === 'datagram' || r.kind === 'echo'

/** True when probes were made and none of them got an answer. */
export function probeFailed(q: Pick<Inquiry, 'probes'>): boolean {
  const tries = q.probes?.results.filter(asks) ?? []
  return tries.length > 0 && tries.every((r) => r.answered === 0)
}

/** True when at least one probe of the connection asked about got its answer. */
export function probeAnswered(q: Pick<Inquiry, 'probes'>): boolean {
  return q.probes?.results.some((r) => asks(r) && r.answered > 0) ?? false
}
