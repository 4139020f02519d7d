import type { Network } from '../model/network.ts'
import type { PacketTrace } from '../model/trace.ts'
import { misdelivered } from './checks/node/misdelivered.ts'
import type { Branch, Failure } from './inquiry.ts'

/** Where a packet ended: its last step, preferring the step that drops, rejects or cannot be decided. */
function ending(trace: PacketTrace) {
  const hop = trace.hops.at(-1)
  const step = hop?.steps.findLast((s) => s.cause !== undefined) ?? hop?.steps.at(-1)
  return hop && step ? { hop, step } : null
}

/** The failures among the branches, likeliest first. A branch that reaches its end and comes back is none. */
export function failuresOf(network: Network, branches: readonly Branch[]): Failure[] {
  const out: Failure[] = []
  for (const branch of branches) {
    const { forward, reply, disposition, probability } = branch.trace
    if (disposition === 'delivered' && !misdelivered(branch)) continue
    const direction = disposition !== 'delivered' && forward.disposition === 'delivered' && reply ? 'reply' : 'forward'
    const trace = direction === 'reply' && reply ? reply : forward
    const end = ending(trace)
    if (!end) continue
    out.push({
      branch,
      probability,
      direction,
      trace,
      hop: end.hop,
      step: end.step,
      netns: network.netns.get(end.hop.netns),
      cause: end.step.cause,
    })
  }
  return out.sort((x, y) => y.probability - x.probability)
}
