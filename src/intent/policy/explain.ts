/** One direction with its reasons: what every rule of every policy about the pod made of the connection, and what decided. */
import { type Asked, considerPeer } from './peer.ts'
import { type Applied, planOf } from './plan.ts'
import { policyText } from './policy-text.ts'
import { considerPort } from './port.ts'
import { beforePolicies, ownNode, planFor, unknownVerdict, type Verdict, whicheverAddress } from './question.ts'
import type {
  DecidedBy,
  DirectionResult,
  PeerMiss,
  PolicyConsidered,
  PolicyRef,
  PortMiss,
  Reason,
  RuleConsidered,
} from './result.ts'
import type { StagePolicy, StageRule } from './stage.ts'
import { all, any } from './tri.ts'
import { type Doubts, decisionOf, type Ending, type Walk, walk } from './walk.ts'

/** Decides one direction and says why. */
export function explainDirection(asked: Asked): DirectionResult {
  return whicheverAddress(asked, explain, (result) => result.decision)
}

function explain(asked: Asked): DirectionResult {
  const { near, direction, cluster } = asked
  const plan = near.kind === 'pod' ? planOf(cluster, near, direction) : []
  const found = new Map<StageRule, RuleConsidered>()
  const considered = plan.flatMap(({ stage, applied }) =>
    applied.map((a): PolicyConsidered => {
      const rules = a.rules.map((rule, i) => considerRule(rule, i, a.policy.namespace, asked))
      a.rules.forEach((rule, i) => {
        found.set(rule, rules[i]!)
      })
      return { policy: refOf(a.policy), stage: stage.name, selects: a.selects, rules }
    }),
  )
  const isolating = plan.flatMap(({ applied }) => applied.filter((a) => a.isolates && a.selects === 'yes'))
  const settled = beforePolicies(asked)
  const doubts = new Collected(found, asked.protocol)
  const walked = walk(planFor(asked), asked.protocol, (_, rule) => found.get(rule)?.matches ?? 'unknown', doubts)
  const verdict = settled ?? verdictOf(walked, ownNode(asked), found, doubts)
  return {
    direction,
    decision: verdict.decision,
    isolated: isolating.length > 0,
    policies: isolating.map((a) => refOf(a.policy)),
    reason: verdict.reason,
    decidedBy: walked.ending && !settled ? decidedBy(walked.ending, found) : null,
    considered,
    dependsOnPlugin: pluginNotes(verdict.reason, asked, considered),
  }
}

function considerRule(rule: StageRule, index: number, namespace: string, asked: Asked): RuleConsidered {
  const peers = (rule.peers ?? []).map((p, i) => considerPeer(p, i, namespace, asked))
  const ports = (rule.ports ?? []).map((p, i) => considerPort(p, i, asked))
  const peer = rule.peers === null ? 'yes' : any(peers.map((p) => p.matches))
  const port = rule.ports === null ? 'yes' : any(ports.map((p) => p.matches))
  const { action, name, condition } = rule
  const matches = all([peer, port, condition === undefined ? 'yes' : 'unknown'])
  return { index, name, action, matches, peer, port, peers, ports, ...(condition === undefined ? {} : { condition }) }
}

function verdictOf(
  { outcomes, ending }: Walk,
  node: string | null,
  found: ReadonlyMap<StageRule, RuleConsidered>,
  doubts: Collected,
): Verdict {
  const decision = decisionOf(outcomes)
  if (decision === 'unknown') return unknownVerdict([...new Set(doubts.why)])
  if (!ending) return { decision, reason: node === null ? { kind: 'not-isolated' } : { kind: 'own-node', node } }
  return { decision, reason: reasonOf(ending, found) }
}

function reasonOf({ action, rule, policy }: Ending, found: ReadonlyMap<StageRule, RuleConsidered>): Reason {
  if (!rule || !policy) return { kind: 'no-rule-matches' }
  const kind = action === 'deny' ? 'denied-by-rule' : 'admitted'
  return { kind, policy: refOf(policy), rule: found.get(rule)?.index ?? 0 }
}

function decidedBy(ending: Ending, found: ReadonlyMap<StageRule, RuleConsidered>): DecidedBy {
  const { stage, action, rule, policy } = ending
  return {
    stage: stage.name,
    action,
    rule: rule && policy ? { policy: refOf(policy), index: found.get(rule)?.index ?? 0, name: rule.name } : null,
    priority: policy?.priority ?? null,
  }
}

const refOf = ({ kind, namespace, name, evidence }: StagePolicy): PolicyRef => ({ kind, namespace, name, evidence })

/** Doubts in words. */
class Collected implements Doubts {
  readonly #found: ReadonlyMap<StageRule, RuleConsidered>
  readonly #protocol: string
  readonly why: string[] = []
  #kept = 0

  constructor(found: ReadonlyMap<StageRule, RuleConsidered>, protocol: string) {
    this.#found = found
    this.#protocol = protocol
  }

  rule({ policy }: Applied, rule: StageRule): void {
    const r = this.#found.get(rule)
    if (!r) return
    const misses = [...r.peers, ...r.ports]
      .filter((x) => x.matches === 'unknown')
      .flatMap((x): readonly (PeerMiss | PortMiss)[] => x.misses)
    for (const m of misses) if (m.kind === 'unknown') this.why.push(`${policyText(policy)}: ${m.why}`)
    if (r.condition !== undefined) this.why.push(`${policyText(policy)}: ${r.condition}`)
  }

  selection({ policy }: Applied): void {
    const why = policy.subject.opaque
    this.why.push(`${policyText(policy)} may select the pod${why === undefined ? '' : ` (${why})`}`)
  }

  tie(group: readonly Applied[]): void {
    const names = group.map((a) => policyText(a.policy)).join(' and ')
    const priority = group[0]?.policy.priority
    const place = priority === undefined ? 'no defined place' : `the same priority ${priority}`
    this.why.push(`${names} differ and have ${place}: which of them comes first is not defined`)
  }

  protocol(): void {
    this.why.push(`NetworkPolicy does not define what happens to ${this.#protocol}`)
  }

  done(counts: boolean): void {
    if (!counts) this.why.length = this.#kept
    this.#kept = this.why.length
  }
}

function pluginNotes(reason: Reason, asked: Asked, considered: readonly PolicyConsidered[]): string[] {
  if (considered.length === 0) return []
  if (reason.kind === 'same-pod') return ['plugins differ on the connection of a pod to itself']
  if (reason.kind === 'own-node' && asked.direction === 'egress')
    return ['some plugins apply egress policy also to the pod’s own node']
  if (reason.kind !== 'admitted' || asked.far.kind !== 'pod') return []
  const rules = considered.flatMap((c) => c.rules).filter((r) => r.matches === 'yes' && r.action === 'allow')
  const byBlockOnly = rules.every(
    (r) => r.peers.length > 0 && r.peers.every((p) => p.matches !== 'yes' || p.kind === 'ipBlock'),
  )
  return byBlockOnly ? ['only an ipBlock admits this pod, and some plugins (Cilium) do not match pods by ipBlock'] : []
}
