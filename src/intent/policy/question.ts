/** A question made ready for both directions, and what is settled before any policy is asked. */
import type { PolicyCluster } from './cluster.ts'
import { type End, NAME_LABEL, resolveEnd } from './end.ts'
import type { ForeignPolicy } from './foreign.ts'
import { type Asked, matchPeer } from './peer.ts'
import { type PlannedStage, planOf, planToOwnNode } from './plan.ts'
import type { Direction } from './policy.ts'
import { matchPort } from './port.ts'
import type { Decision, PolicyQuestion, Reason, Tri } from './result.ts'
import { selectorHolds } from './selector.ts'
import type { StageRule } from './stage.ts'
import { stagesOf } from './stages.ts'
import { decisionOf, walk } from './walk.ts'

export interface Verdict {
  readonly decision: Decision
  readonly reason: Reason
}

/** Both directions of a question: egress of the one end, ingress of the other. */
export function bothDirections(
  cluster: PolicyCluster,
  question: PolicyQuestion,
): { readonly egress: Asked; readonly ingress: Asked } {
  const from = resolveEnd(cluster, question.from, 'from')
  const to = resolveEnd(cluster, question.to, 'to')
  const families = familiesOf(from, to, question.family)
  const protocol = question.protocol.toUpperCase()
  const { port } = question
  return {
    egress: { cluster, direction: 'egress', near: from, far: to, destination: to, protocol, port, families },
    ingress: { cluster, direction: 'ingress', near: to, far: from, destination: to, protocol, port, families },
  }
}

const BOTH: readonly (4 | 6)[] = [4, 6]
const ONLY_4: readonly (4 | 6)[] = [4]
const ONLY_6: readonly (4 | 6)[] = [6]
const NEITHER: readonly (4 | 6)[] = []

/** An end without a known address may have either. */
function has(end: End, family: 4 | 6): boolean {
  if (end.addresses.length === 0) return true
  for (const ip of end.addresses) if (ip.family === family) return true
  return false
}

function familiesOf(from: End, to: End, given: 4 | 6 | undefined): readonly (4 | 6)[] {
  const four = given === undefined ? has(from, 4) && has(to, 4) : given === 4
  const six = given === undefined ? has(from, 6) && has(to, 6) : given === 6
  return four ? (six ? BOTH : ONLY_4) : six ? ONLY_6 : NEITHER
}

/** Deny when a direction denies, else unknown when one is unknown, else allow. */
export function together(egress: Decision, ingress: Decision): Decision {
  if (egress === 'deny' || ingress === 'deny') return 'deny'
  return egress === 'unknown' || ingress === 'unknown' ? 'unknown' : 'allow'
}

/** What one direction decides, without reasons: the quick way through the same walk that `explainDirection` takes. */
export function decideDirection(asked: Asked): Decision {
  const settled = beforePolicies(asked)
  if (settled) return settled.decision
  const plan = planFor(asked)
  if (plan.length === 0) return 'allow'
  const decide = (one: Asked) =>
    decisionOf(walk(plan, one.protocol, (a, rule) => matchRule(rule, a.policy.namespace, one), null).outcomes)
  return whicheverAddress(asked, decide, (decision) => decision)
}

/** The stages that have a say about this connection. */
export function planFor(asked: Asked): readonly PlannedStage[] {
  const { cluster, near, direction } = asked
  if (near.kind !== 'pod') return []
  const plan = planOf(cluster, near, direction)
  return ownNode(asked) === null ? plan : planToOwnNode(plan, direction)
}

/** The node, where the connection is between a pod and the node it runs on. */
export function ownNode({ near, far }: Asked): string | null {
  return near.kind === 'pod' && far.kind === 'node' && far.node === near.node ? far.node : null
}

/** Addresses of one end beyond which nobody asks about each of them. */
const MOST_ADDRESSES = 16

/**
 * Several addresses of the far end may need several rules: when each of them gives the same decision, it does not matter which
 * it is.
 */
export function whicheverAddress<T>(asked: Asked, decide: (asked: Asked) => T, decision: (result: T) => Decision): T {
  const result = decide(asked)
  if (decision(result) !== 'unknown' || asked.far.addresses.length < 2) return result
  const { far } = asked
  const addresses = far.addresses.filter((ip) => asked.families.includes(ip.family))
  if (addresses.length < 2 || addresses.length > MOST_ADDRESSES) return result
  const each = addresses.map((ip) => decide({ ...asked, far: { ...far, addresses: [ip] } }))
  const first = each[0]!
  return each.every((one) => decision(one) === decision(first)) ? first : result
}

/** Whether a rule is about the connection. `namespace` is the policy's. */
export function matchRule(rule: StageRule, namespace: string, asked: Asked): Tri {
  // Ports first: they are quicker to tell.
  let port: Tri = 'yes'
  if (rule.ports) {
    port = 'no'
    for (const p of rule.ports) {
      const matches = matchPort(p, asked, null)
      if (matches === 'no') continue
      port = matches
      if (matches === 'yes') break
    }
    if (port === 'no') return 'no'
  }
  let peer: Tri = 'yes'
  if (rule.peers) {
    peer = 'no'
    for (const p of rule.peers) {
      const matches = matchPeer(p, namespace, asked, null)
      if (matches === 'no') continue
      peer = matches
      if (matches === 'yes') break
    }
    if (peer === 'no') return 'no'
  }
  return port === 'yes' && peer === 'yes' && rule.condition === undefined ? 'yes' : 'unknown'
}

export const unknownVerdict = (why: readonly string[]): Verdict => ({
  decision: 'unknown',
  reason: { kind: 'unknown', why },
})

const NOT_ISOLATED: Verdict = { decision: 'allow', reason: { kind: 'not-isolated' } }
const SAME_POD: Verdict = { decision: 'allow', reason: { kind: 'same-pod' } }

/** What is decided without asking the policies; null where they decide. */
export function beforePolicies(asked: Asked): Verdict | null {
  const { near, far, cluster } = asked
  switch (near.kind) {
    case 'node':
      return { decision: 'allow', reason: { kind: 'not-a-subject', what: near.what } }
    case 'address':
      return { decision: 'allow', reason: { kind: 'not-a-subject', what: 'address' } }
    case 'unknown':
      return unknownVerdict([near.why])
    case 'service': {
      const { name, namespace } = near.service.meta
      if (cluster.policiesKnown && !anyPolicyNear(cluster, namespace || 'default', asked.direction)) return NOT_ISOLATED
      return unknownVerdict([`which endpoint of Service ${namespace}/${name} is asked for was not said`])
    }
    case 'pod':
      break
  }
  if (far.kind === 'pod' && far.pod === near.pod) return SAME_POD
  if (ownNode(asked) !== null) return null
  if (!cluster.policiesKnown) return unknownVerdict(['the NetworkPolicies are not in the snapshot'])
  const overruling = cluster.foreign.filter((f) => f.within === null || f.within === near.namespace)
  return overruling.length > 0 ? unknownVerdict(overruling.map(mayOverrule)) : null
}

/** Whether a policy may be about a pod of the namespace. */
function anyPolicyNear(cluster: PolicyCluster, namespace: string, direction: Direction): boolean {
  if (cluster.foreign.some((f) => f.within === null || f.within === namespace)) return true
  const object = cluster.namespaces.get(namespace)
  const labels = { ...object?.meta.labels, [NAME_LABEL]: namespace }
  return stagesOf(cluster).stages.some((stage) =>
    stage.policies.some((p) => {
      if (!p.rules[direction]) return false
      if (p.subject.namespaces === null) return p.namespace === namespace
      return !object || selectorHolds(p.subject.namespaces, labels) !== 'no'
    }),
  )
}

const mayOverrule = (f: ForeignPolicy) =>
  `${f.kind} ${f.namespace === '' ? '' : `${f.namespace}/`}${f.name} may decide otherwise and is not evaluated`
