/** Holds the outcomes of a traced connection against what a real one met. */
import type { ConnectionTrace, Disposition } from '../../../src/model/trace.ts'

export type Met = 'open' | 'refused' | 'timeout' | 'noroute' | string

/** What a socket would see. ICMP unreachables of several kinds and lost packets are told apart only as far as sockets do. */
export function wordOf(t: ConnectionTrace): 'open' | 'refused' | 'lost' | 'unknown' | 'outside' {
  const d: Disposition = t.disposition
  switch (d) {
    case 'delivered':
      return 'open'
    case 'insufficient-info':
      return 'unknown'
    case 'exits-network':
      return 'outside'
    case 'no-listener':
      return 'refused'
    default:
      return 'lost'
  }
}

/** `outside`: the packet leaves what was collected, and netwhy says so. */
export type PathJudgement = 'agree' | 'unknown' | 'outside' | 'disagree'

/**
 * Agreement: what was met is among the outcomes. `lost` and `refused` are one class here when a rule rejects, because which
 * errno a reject gives is the ruleset oracle's business.
 */
export function judgePath(traces: readonly ConnectionTrace[], met: Met): PathJudgement {
  const words = traces.map(wordOf)
  if (met === 'open' ? words.includes('open') : words.includes('lost') || words.includes('refused')) return 'agree'
  return words.includes('unknown') ? 'unknown' : words.includes('outside') ? 'outside' : 'disagree'
}
