/** From outcomes, findings and probes to one word. */
import type { AnswerVerdict } from '../model/finding.ts'
import { misdelivered } from './checks/node/misdelivered.ts'
import type { Branch, ProbeReport } from './inquiry.ts'
import { probeAlwaysAnswered, probeAnswered, probeFailed } from './probes.ts'

/** Shares smaller than this are rounding. */
const DUST = 1e-9

export interface Shares {
  readonly delivered: number
  readonly failed: number
  /** Leaves what was collected: what happens then is not in the evidence. */
  readonly outside: number
  readonly undecided: number
}

/** How the probability of `branches` is divided; `certain` are branches without an end in the evidence that are known to fail all the same. */
export function sharesOf(branches: readonly Branch[], certain: ReadonlySet<Branch>): Shares {
  let delivered = 0
  let failed = 0
  let outside = 0
  let undecided = 0
  for (const b of branches) {
    const p = b.trace.probability
    switch (b.trace.disposition) {
      case 'delivered':
        if (misdelivered(b)) failed += p
        else delivered += p
        break
      case 'exits-network':
        if (certain.has(b)) failed += p
        else outside += p
        break
      case 'insufficient-info':
        if (certain.has(b)) failed += p
        else undecided += p
        break
      default:
        failed += p
    }
  }
  return { delivered, failed, outside, undecided }
}

export interface Verdict {
  readonly verdict: AnswerVerdict
  readonly successProbability: number | null
}

/** The verdict from shares alone, then corrected by what probes saw of the outside. */
export function verdictOf(shares: Shares, probes: ProbeReport | undefined): Verdict {
  const seen = { ...(probes ? { probes } : {}) }
  const s = { ...shares }
  if (s.outside > DUST && probeAnswered(seen)) {
    s.delivered += s.outside
    s.outside = 0
  } else if (s.outside > DUST && probeFailed(seen)) {
    s.failed += s.outside
    s.outside = 0
  }
  // Packets decide what the state does not tell; where only some come through, the state's shares stay open.
  if (s.undecided > DUST && s.failed <= DUST && probeAlwaysAnswered(seen)) {
    s.delivered += s.undecided
    s.undecided = 0
  } else if (s.undecided > DUST && s.delivered <= DUST && probeFailed(seen)) {
    s.failed += s.undecided
    s.undecided = 0
  }
  const open = s.outside + s.undecided
  if (open > DUST) {
    if (s.delivered > DUST && s.failed > DUST) return { verdict: 'partial', successProbability: null }
    return { verdict: 'unknown', successProbability: null }
  }
  const total = s.delivered + s.failed
  if (total <= DUST) return { verdict: 'unknown', successProbability: null }
  const success = s.delivered / total
  if (s.failed <= DUST) return { verdict: 'reachable', successProbability: 1 }
  return { verdict: s.delivered <= DUST ? 'unreachable' : 'partial', successProbability: success }
}
