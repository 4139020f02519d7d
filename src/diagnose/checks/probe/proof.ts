/** What the packets say of the prediction, in one sentence. */
import type { Evidence } from '../../../model/evidence.ts'
import type { Answer, Finding, Proof } from '../../../model/finding.ts'
import type { CounterMove } from '../../../model/probe.ts'
import type { Failure, Inquiry } from '../../inquiry.ts'
import { askedTries, predicted, probeAlwaysAnswered, probeAnswered, probeFailed, resultText } from '../../probes.ts'
import { checkpointText, lostBetween } from './last-seen.ts'
import { refuserOf } from './sender.ts'
import { lostBeforePrediction, moveProof } from './vanished.ts'
import { ruleWithoutCounters } from './watch-plan.ts'

/** The counter of the rule that the prediction blames: moved by so much; 0 when it was read and stood still; null when it was not read. */
export function suspectMoved(q: Inquiry, f: Failure): CounterMove | 0 | null {
  const { rule, table } = f.step
  const counted = q.probes?.counted?.includes(f.hop.netns) ?? false
  if (!counted || f.step.kind !== 'netfilter') return null
  const here = (q.probes?.moved ?? []).filter((m) => m.netns === f.hop.netns)
  if (f.cause === 'chain-policy-drop')
    return (
      here.find((m) => m.kind === 'chain-policy' && m.table === table && m.name.startsWith(`${f.step.chain} `)) ?? null
    )
  if (rule === undefined) return null
  const text = ruleWithoutCounters(rule)
  const moved = here.find((m) => m.kind === 'rule' && (m.name === text || m.name.endsWith(text)))
  // nft rules without a counter of their own cannot be read.
  return moved ?? (text.startsWith('-A ') ? 0 : null)
}

/** Evidence that the packets add to the finding about `f`. */
export function packetEvidence(q: Inquiry, f: Failure): Evidence[] {
  const moved = suspectMoved(q, f)
  return moved === null || moved === 0 ? [] : [moveProof(moved)]
}

/** The outcome, or undefined without probes of the connection asked. */
export function proofOf(q: Inquiry, verdict: Answer['verdict'], cause: Finding | undefined): Proof | undefined {
  const tries = askedTries(q)
  if (tries.length === 0) return undefined
  const said = tries.map(resultText).join('; ')
  const own = predicted(q)
  const lost = lostBetween(q)
  const seen = lost
    ? `; packets are last seen ${checkpointText(lost.last)}${lost.last.direction === 'reply' ? ' on the way back' : ''}`
    : ''
  if (own.length === 0) {
    if (cause && verdict !== 'reachable')
      return { outcome: 'refuted', text: `the state promised an answer, the packets say ${cause.code}: ${said}` }
    if (probeAlwaysAnswered(q)) {
      const beside = (q.probes?.results ?? []).filter((r) => r.purpose !== 'asked' && r.purpose !== 'endpoint')
      return { outcome: 'confirmed', text: [said, ...beside.map(resultText)].join('; ') }
    }
    return { outcome: 'open', text: said }
  }
  const certain = own.reduce((p, f) => p + f.probability, 0) > 1 - 1e-9
  if (probeAnswered(q) && certain) return { outcome: 'refuted', text: said }
  if (!probeFailed(q)) return { outcome: probeAlwaysAnswered(q) ? 'open' : 'confirmed', text: said }
  if (lostBeforePrediction(q) !== null) return { outcome: 'refuted', text: `${said}${seen}` }
  const moved = own.map((f) => suspectMoved(q, f)).find((m) => m !== null)
  if (moved === 0) return { outcome: 'open', text: `${said}, but the counter of the rule blamed did not move${seen}` }
  if (moved)
    return {
      outcome: 'confirmed',
      text: `${said}; the packets moved the counter of ${moved.name} by ${moved.by}${seen}`,
    }
  const refused = tries.find((r) => r.senders !== undefined)
  const who = refused ? `; ${refuserOf(q, refused).how}` : ''
  return { outcome: 'confirmed', text: `${said}${who}${seen}` }
}
