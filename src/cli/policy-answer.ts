/** What the evaluator decided, as the answer's plain data. */

import type { DirectionResult, PolicyConsidered, PolicyRef, RuleConsidered } from '../intent/policy/result.ts'
import type { Places } from '../manifests/places.ts'
import type { PolicyAnswer, PolicyDirection, PolicyJudged, PolicyPlace, RuleJudged } from '../model/policy-answer.ts'
import { peerMissText, portMissText, reasonText } from './policy-words.ts'

export interface Sides {
  readonly from: string
  readonly to: string
}

/** `NS/NAME`, or `NAME` of a cluster-scoped policy. */
export const policyName = (p: Pick<PolicyRef, 'namespace' | 'name'>) =>
  p.namespace === '' ? p.name : `${p.namespace}/${p.name}`

/** One direction with its reasons; `places` gives rules their own line. */
export function directionOf(result: DirectionResult, sides: Sides, places: Places): PolicyDirection {
  const { direction, reason } = result
  const subject = direction === 'egress' ? sides.from : sides.to
  const decided = result.decidedBy?.rule
  return {
    decision: result.decision,
    isolated: result.isolated,
    policies: result.policies.map(policyName),
    reason: { kind: reason.kind, text: reasonText(reason, subject, direction) },
    ...(decided
      ? {
          rule: {
            policy: policyName(decided.policy),
            kind: decided.policy.kind,
            rule: decided.name,
            ...placeOfRule(decided.policy, direction, decided.index, places),
          },
        }
      : {}),
    considered: result.considered.map((c) => judged(c, direction, places)),
    dependsOnPlugin: result.dependsOnPlugin,
  }
}

function judged(c: PolicyConsidered, direction: 'egress' | 'ingress', places: Places): PolicyJudged {
  const { policy, stage, selects } = c
  const rules = c.rules.map((r) => ruleOf(r, policy, direction, places))
  return { kind: policy.kind, policy: policyName(policy), stage, selects, ...placeOfPolicy(policy), rules }
}

function ruleOf(r: RuleConsidered, policy: PolicyRef, direction: 'egress' | 'ingress', places: Places): RuleJudged {
  const peers = r.peer === 'yes' ? [] : r.peers.flatMap((p) => p.misses)
  const ports = r.port === 'yes' ? [] : r.ports.flatMap((p) => p.misses)
  const side = direction === 'egress' ? 'to' : 'from'
  const texts = [...peers.map((m) => peerMissText(m, side)), ...ports.map(portMissText)]
  const why = [...new Set([...texts, ...(r.condition === undefined ? [] : [r.condition])])]
  const near = why.length === 1 && [...peers, ...ports].every((m) => SLIPS.has(m.kind))
  const place = placeOfRule(policy, direction, r.index, places)
  return { rule: r.name, action: r.action, matches: r.matches, ...place, why, ...(near ? { near: true } : {}) }
}

/** What people get wrong by a word: labels, namespaces and ports, not addresses. */
const SLIPS: ReadonlySet<string> = new Set([
  ...['pod-label', 'namespace-label', 'other-namespace'],
  ...['protocol', 'number', 'name-absent', 'name-other-number'],
])

const placeOfPolicy = ({ evidence }: PolicyRef): PolicyPlace => ({
  file: evidence.artefact,
  ...(evidence.line === undefined ? {} : { line: evidence.line }),
})

function placeOfRule(policy: PolicyRef, direction: 'egress' | 'ingress', index: number, places: Places): PolicyPlace {
  const { kind, namespace, name } = policy
  const at = places.placeOf({ kind, namespace, name }, ['spec', direction, index])
  return at ? { file: at.file, line: at.line } : placeOfPolicy(policy)
}

/** The first denied one, else the first unknown one, else the first; of none, undefined. */
export function worst<T extends { readonly decision: PolicyAnswer['decision'] }>(results: readonly T[]): T | undefined {
  return results.find((r) => r.decision === 'deny') ?? results.find((r) => r.decision === 'unknown') ?? results[0]
}
