/**
 * What the NetworkPolicies of a snapshot decide about one connection. Semantics: networking.k8s.io/v1 API documentation and
 * the "Network Policies" concept page (1.33). Policies add up, order never matters, replies are always allowed.
 */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { policyCluster } from './cluster.ts'
import { type End, resolveEnd } from './end.ts'
import type { ForeignPolicy } from './foreign.ts'
import { type Asked, considerPeer } from './peer.ts'
import type { NetworkPolicy, PolicyRule } from './policy.ts'
import { considerPort, hasPolicyPorts } from './port.ts'
import type {
  Decision,
  DirectionResult,
  PeerConsidered,
  PeerMiss,
  PolicyConsidered,
  PolicyQuestion,
  PolicyRef,
  PolicyResult,
  PortConsidered,
  PortMiss,
  Reason,
  RuleConsidered,
  Tri,
} from './result.ts'
import { matchLabels } from './selector.ts'
import { all, any } from './tri.ts'

/**
 * Decides both directions of a connection: egress of `from`, ingress of `to`. `to` and `port` are as after Service
 * translation. Anything that is not in `objects` and matters makes the decision `unknown`.
 */
export function evaluatePolicy(objects: KubeObjects, question: PolicyQuestion): PolicyResult {
  const cluster = policyCluster(objects)
  const from = resolveEnd(cluster, question.from, 'from')
  const to = resolveEnd(cluster, question.to, 'to')
  const shared = {
    cluster,
    destination: to,
    protocol: question.protocol.toUpperCase(),
    port: question.port,
    families: familiesOf(from, to, question.family),
  }
  const egress = decideWhicheverAddress(from, { ...shared, direction: 'egress', far: to })
  const ingress = decideWhicheverAddress(to, { ...shared, direction: 'ingress', far: from })
  const decisions = [egress.decision, ingress.decision]
  const decision = decisions.includes('deny') ? 'deny' : decisions.includes('unknown') ? 'unknown' : 'allow'
  return { decision, egress, ingress, issues: cluster.issues }
}

function familiesOf(from: End, to: End, given: 4 | 6 | undefined): readonly (4 | 6)[] {
  if (given !== undefined) return [given]
  const has = (end: End, family: 4 | 6) =>
    end.addresses.length === 0 || end.addresses.some((ip) => ip.family === family)
  return ([4, 6] as const).filter((family) => has(from, family) && has(to, family))
}

/** Several addresses of the far end may need several rules: when each of them is allowed, it does not matter which it is. */
function decideWhicheverAddress(subject: End, asked: Asked): DirectionResult {
  const together = decide(subject, asked)
  const { far } = asked
  const addresses = far.addresses.filter((ip) => asked.families.includes(ip.family))
  if (together.byNetworkPolicy !== 'unknown' || addresses.length < 2) return together
  const each = addresses.map((ip) => decide(subject, { ...asked, far: { ...far, addresses: [ip] } }))
  return each.find((one) => one.byNetworkPolicy !== 'allow') ? together : each[0]!
}

interface Verdict {
  readonly decision: Decision
  readonly reason: Reason
}

function decide(subject: End, asked: Asked): DirectionResult {
  const { direction, far, cluster } = asked
  const considered = subject.kind === 'pod' ? considerPolicies(subject, asked) : []
  const sure = considered.filter((c) => c.selects === 'yes')
  const isolated = sure.length > 0
  const alone = exempt(subject, far) ?? verdictOf(subject, asked, considered)
  const overruling = subject.kind === 'pod' ? overrulers(cluster.foreign, subject.namespace, isolated) : []
  const settled = alone.reason.kind === 'same-pod' || alone.reason.kind === 'own-node'
  const verdict: Verdict = overruling.length > 0 && !settled ? unknown(overruling.map(mayOverrule)) : alone
  return {
    direction,
    decision: verdict.decision,
    byNetworkPolicy: alone.decision,
    isolated,
    policies: sure.map((c) => c.policy),
    reason: verdict.reason,
    considered,
    dependsOnPlugin: pluginNotes(alone.reason, asked, considered),
  }
}

const unknown = (why: readonly string[]): Verdict => ({ decision: 'unknown', reason: { kind: 'unknown', why } })

/** What is allowed whatever the policies say. */
function exempt(subject: End, far: End): Verdict | null {
  if (subject.kind !== 'pod') return null
  if (far.kind === 'pod' && far.pod === subject.pod) return { decision: 'allow', reason: { kind: 'same-pod' } }
  if (far.kind === 'node' && far.node === subject.node)
    return { decision: 'allow', reason: { kind: 'own-node', node: far.node } }
  return null
}

function verdictOf(subject: End, asked: Asked, considered: readonly PolicyConsidered[]): Verdict {
  const notIsolated: Verdict = { decision: 'allow', reason: { kind: 'not-isolated' } }
  switch (subject.kind) {
    case 'node':
      return { decision: 'allow', reason: { kind: 'not-a-subject', what: subject.what } }
    case 'address':
      return { decision: 'allow', reason: { kind: 'not-a-subject', what: 'address' } }
    case 'unknown':
      return unknown([subject.why])
    case 'service': {
      const { name, namespace } = subject.service.meta
      const near = asked.cluster.policiesByNamespace.get(namespace || 'default') ?? []
      if (asked.cluster.policiesKnown && near.every((p) => !p[asked.direction])) return notIsolated
      return unknown([`which endpoint of Service ${namespace}/${name} is asked for was not said`])
    }
    case 'pod':
      break
  }
  if (!asked.cluster.policiesKnown) return unknown(['the NetworkPolicies are not in the snapshot'])
  const sure = considered.filter((c) => c.selects === 'yes')
  for (const c of sure) {
    const rule = c.rules.find((r) => r.matches === 'yes')
    if (rule) return { decision: 'allow', reason: { kind: 'admitted', policy: c.policy, rule: rule.index } }
  }
  const admits = (c: PolicyConsidered): Tri => any(c.rules.map((r) => r.matches))
  const unsure = considered.filter((c) => c.selects === 'unknown')
  if (sure.length === 0) {
    // A policy that may select the pod changes nothing when it would admit the connection.
    const harmful = unsure.filter((c) => admits(c) !== 'yes')
    return harmful.length === 0 ? notIsolated : unknown(harmful.map(maySelect))
  }
  const why = [
    ...sure.filter((c) => admits(c) === 'unknown').flatMap(unknownsOf),
    ...unsure.filter((c) => admits(c) !== 'no').map(maySelect),
    ...(hasPolicyPorts(asked.protocol) ? [] : [`NetworkPolicy does not define what happens to ${asked.protocol}`]),
  ]
  return why.length > 0 ? unknown([...new Set(why)]) : { decision: 'deny', reason: { kind: 'no-rule-matches' } }
}

function considerPolicies(subject: Extract<End, { kind: 'pod' }>, asked: Asked): PolicyConsidered[] {
  const out: PolicyConsidered[] = []
  for (const policy of asked.cluster.policiesByNamespace.get(subject.namespace) ?? []) {
    const rules = policy[asked.direction]
    if (!rules) continue
    const selects = matchLabels(policy.podSelector, subject.labels).matches
    if (selects === 'no') continue
    const considered = rules.map((rule, index) => considerRule(rule, index, policy, asked))
    out.push({ policy: refOf(policy), selects, rules: considered })
  }
  return out
}

function considerRule(rule: PolicyRule, index: number, policy: NetworkPolicy, asked: Asked): RuleConsidered {
  const peers = (rule.peers ?? []).map((p, i) => considerPeer(p, i, policy, asked))
  const ports = (rule.ports ?? []).map((p, i) => considerPort(p, i, asked))
  const peer = rule.peers === null ? 'yes' : any(peers.map((p) => p.matches))
  const port = rule.ports === null ? 'yes' : any(ports.map((p) => p.matches))
  return { index, matches: all([peer, port]), peer, port, peers, ports }
}

const refOf = (p: NetworkPolicy): PolicyRef => ({ namespace: p.namespace, name: p.name, evidence: p.evidence })
const maySelect = (c: PolicyConsidered) => `NetworkPolicy ${c.policy.namespace}/${c.policy.name} may select the pod`

function unknownsOf(c: PolicyConsidered): string[] {
  const misses = c.rules
    .filter((r) => r.matches === 'unknown')
    .flatMap((r): readonly (PeerConsidered | PortConsidered)[] => [...r.peers, ...r.ports])
    .filter((x) => x.matches === 'unknown')
    .flatMap((x): readonly (PeerMiss | PortMiss)[] => x.misses)
  return misses.flatMap((m) =>
    m.kind === 'unknown' ? [`NetworkPolicy ${c.policy.namespace}/${c.policy.name}: ${m.why}`] : [],
  )
}

/** Baseline tiers speak only where no NetworkPolicy isolates the pod; the others come first or are added. */
function overrulers(foreign: readonly ForeignPolicy[], namespace: string, isolated: boolean): readonly ForeignPolicy[] {
  return foreign.filter((f) => (f.within === null || f.within === namespace) && (f.tier === 'any' || !isolated))
}

const mayOverrule = (f: ForeignPolicy) =>
  `${f.kind} ${f.namespace === '' ? '' : `${f.namespace}/`}${f.name} may decide otherwise and is not evaluated`

function pluginNotes(reason: Reason, asked: Asked, considered: readonly PolicyConsidered[]): string[] {
  if (considered.length === 0) return []
  if (reason.kind === 'same-pod') return ['plugins differ on the connection of a pod to itself']
  if (reason.kind === 'own-node' && asked.direction === 'egress')
    return ['some plugins apply egress policy also to the pod’s own node']
  if (reason.kind !== 'admitted' || asked.far.kind !== 'pod') return []
  const rules = considered.flatMap((c) => c.rules).filter((r) => r.matches === 'yes')
  const byBlockOnly = rules.every(
    (r) => r.peers.length > 0 && r.peers.every((p) => p.matches !== 'yes' || p.kind === 'ipBlock'),
  )
  return byBlockOnly ? ['only an ipBlock admits this pod, and some plugins (Cilium) do not match pods by ipBlock'] : []
}
