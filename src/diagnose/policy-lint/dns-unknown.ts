/** The DNS check where the DNS Service is not among the manifests: only whether any rule could admit port 53 somewhere. */

import { policyCluster } from '../../intent/policy/cluster.ts'
import { NAME_LABEL } from '../../intent/policy/end.ts'
import type { NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule, Selector } from '../../intent/policy/policy.ts'
import { matchLabels } from '../../intent/policy/selector.ts'
import { stagesOf } from '../../intent/policy/stages.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Finding } from '../../model/finding.ts'
import { lintFinding, listed, placeOf } from './finding.ts'
import { type LintPolicy, type LintWorld, namespaceOf } from './input.ts'
import type { WorkloadPods } from './workload.ts'

/** The NetworkPolicies that isolate a pod for egress. */
export function isolating(pod: PodObject, world: LintWorld): LintPolicy[] {
  return world.policies.filter(
    (p) =>
      p.policy.egress !== undefined &&
      p.policy.namespace === namespaceOf(pod) &&
      matchLabels(p.policy.podSelector, pod.meta.labels).matches === 'yes',
  )
}

/** A made-up pod for each egress policy of a namespace of which no pod is known, with the labels the policy asks for. */
export function standIns(world: LintWorld): WorkloadPods[] {
  const seen = new Set<string>()
  return world.policies.flatMap((p): WorkloadPods[] => {
    const { policy } = p
    if (policy.egress === undefined || world.podsByNamespace.has(policy.namespace)) return []
    if (world.input.complete) return []
    const labels = labelsFor(policy.podSelector)
    const key = labels && `${policy.namespace} ${JSON.stringify(Object.entries(labels).sort())}`
    if (!labels || key === null || seen.has(key)) return []
    seen.add(key)
    const { evidence } = p.object
    const meta = {
      name: `pods of ${policy.name}`,
      namespace: policy.namespace,
      uid: '',
      labels,
      annotations: {},
      owners: [],
    }
    return [
      {
        name: `Pods of NetworkPolicy ${p.name}`,
        pod: {
          meta,
          evidence,
          hostNetwork: false,
          containers: [],
          phase: 'Running',
          podIPs: [],
          conditions: [],
          containerStatuses: [],
        },
      },
    ]
  })
}

/** Labels a selector selects; null when it cannot be told. */
function labelsFor(selector: Selector): Record<string, string> | null {
  const labels: Record<string, string> = {}
  for (const r of selector) {
    if (r.operator === 'In') labels[r.key] = r.values[0] ?? ''
    else if (r.operator === 'Exists') labels[r.key] ??= 'any'
    else if (r.operator !== 'NotIn' && r.operator !== 'DoesNotExist') return null
  }
  return matchLabels(selector, labels).matches === 'yes' ? labels : null
}

/** Some rule admits pods, or any peer: connections that start with a name. Address blocks alone may do without. */
export function namesPeers(policies: readonly NetworkPolicy[]): boolean {
  return policies.some((p) => p.egress?.some((r) => r.peers === null || r.peers.some((x) => x.kind === 'pods')))
}

export function dnsUnknown(w: WorkloadPods, world: LintWorld): Finding[] {
  const policies = isolating(w.pod, world)
  if (policies.length === 0) return []
  // Policies of other kinds may admit or deny it; without the DNS pods that cannot be judged.
  const { stages } = stagesOf(policyCluster(world.objects))
  if (stages.some((s) => s.policies.some((p) => p.kind !== 'NetworkPolicy'))) return []
  const rules = policies.flatMap((p) => (p.policy.egress ?? []).map((rule, index) => ({ p, rule, index })))
  if (rules.some(({ p, rule }) => mayAdmit(rule, 'UDP', p.policy.namespace))) return []
  const lone = rules.find(
    ({ rule }) => names53(rule, 'UDP') && rule.peers?.every((x) => x.kind === 'pods' && x.namespaces === null),
  )
  const tcp = rules.find(({ p, rule }) => names53(rule, 'TCP') && mayAdmit(rule, 'TCP', p.policy.namespace))
  const named = namesPeers(policies.map((p) => p.policy))
  const names = policies.map((p) => p.name)
  const why = lone
    ? `The rule for port 53 has a podSelector without a namespaceSelector: it looks in namespace ${lone.p.policy.namespace} only.`
    : tcp
      ? 'Port 53 is admitted for TCP only (a port without protocol is TCP), and names are asked for over UDP.'
      : 'No rule could admit port 53 of the DNS.'
  const meant = lone ?? tcp
  return [
    lintFinding('policy-denies-dns', meant || named ? 'warning' : 'info', w.name, {
      title: `${w.name} cannot ask the cluster DNS: ${listed(names)} isolate${names.length === 1 ? 's' : ''} ${w.name.startsWith('Pods') ? 'them' : 'it'} for egress`,
      text: `${why} ${meant || named ? '' : 'Nothing else is admitted that would need names, so this may be meant. '}The DNS Service is not in these manifests: judged is only whether any rule could admit its port.`,
      evidence: [
        ...(meant ? [placeOf(world, meant.p.object, ['spec', 'egress', meant.index])] : []),
        ...policies.slice(0, 4).map((p) => placeOf(world, p.object, ['spec', 'egress'])),
      ],
      remedy: {
        text: 'Admit UDP and TCP to the DNS pods, on the port they listen on (53; 5353 on OpenShift).',
        manifest: MANIFEST,
        verified: false,
      },
    }),
  ]
}

/** As most clusters have it; not certain for this one. */
const MANIFEST = `# in spec.egress:
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
`

/** What DNS pods listen on in the distributions at hand: CoreDNS, OpenShift (5353), charts that run without privileges. */
const DNS_PORTS = [53, 1053, 5353, 8053]

function isDnsPort(port: PolicyPort, protocol: string): boolean {
  switch (port.kind) {
    case 'range':
      return port.protocol === protocol && DNS_PORTS.some((n) => port.from <= n && n <= port.to)
    case 'named':
      return port.protocol === protocol && /dns|domain/.test(port.name)
    default:
      return true
  }
}

const names53 = (rule: PolicyRule, protocol: string) => rule.ports?.some((p) => isDnsPort(p, protocol)) ?? false

function mayAdmit(rule: PolicyRule, protocol: string, namespace: string): boolean {
  if (rule.ports !== null && !names53(rule, protocol)) return false
  // A rule about port 53 was written for the DNS, whatever labels it asks for; another must be wide enough by its words.
  const meant = rule.ports !== null
  return rule.peers === null || rule.peers.some((p) => mayBeDns(p, meant, namespace))
}

const DNS_WORDS = /dns|kube-system/

function mayBeDns(peer: PolicyPeer, meant: boolean, namespace: string): boolean {
  if (peer.kind !== 'pods') return true
  if (peer.namespaces === null) return DNS_WORDS.test(namespace)
  if (meant) return true
  const says = (s: Selector, key?: string) =>
    s.every(
      (r) => r.operator !== 'In' || (key !== undefined && r.key !== key) || r.values.some((v) => DNS_WORDS.test(v)),
    )
  return says(peer.pods ?? []) && says(peer.namespaces, NAME_LABEL)
}
