/**
 * A second opinion on policies, written from the API texts alone (networking.k8s.io/v1 reference and the concept page "Network
 * Policies"; policy.networking.k8s.io v1alpha1, v1alpha2, v1beta1): plain loops over the manifests, nothing of src/intent/policy.
 *
 * What the texts or the manifests leave open (which address a node sends from, which of two policies of one priority comes
 * first, which family a connection has) is answered by trying every way it may be: `unknown` where they differ.
 */
import { type Address, address, edges, holds } from './address.ts'
import type {
  Cluster,
  LabelSelector,
  Labels,
  NetworkPolicyManifest,
  NetworkPolicyPeer,
  NetworkPolicyRule,
  Place,
  PodManifest,
  Question,
  TierManifest,
  TierPeer,
  TierRule,
} from './manifests.ts'

export type Opinion = 'allow' | 'deny' | 'unknown'

export interface NaiveAnswer {
  readonly egress: DirectionOpinion
  readonly ingress: DirectionOpinion
}

export interface DirectionOpinion {
  readonly opinion: Opinion
  /** How many ways it may be were tried: with more than one, `unknown` is an honest answer even where all agree. */
  readonly ways: number
}

type Direction = 'ingress' | 'egress'

/** Who an end is: a pod with a network of its own, a node (and its host-network pods), an address of the outside, or nobody. */
type End =
  | { readonly kind: 'pod'; readonly pod: PodManifest; readonly addresses: readonly Address[] }
  | { readonly kind: 'node'; readonly node: string; readonly addresses: readonly Address[] }
  | { readonly kind: 'outside'; readonly addresses: readonly Address[] }
  | { readonly kind: 'nobody' }

/** One way it may be. */
interface Way {
  readonly at: Address
  readonly port: number
  /** Policies of the two tiers in an order that is allowed. */
  readonly admin: readonly TierManifest[]
  readonly baseline: readonly TierManifest[]
  /** Whether the destination is one of the domain names rules speak of. */
  readonly domains: boolean
}

interface Asked {
  readonly cluster: Cluster
  readonly direction: Direction
  readonly subject: PodManifest
  readonly far: End
  readonly destination: End
  readonly protocol: string
}

/** Both directions; null when one end has no network, which makes the question senseless. */
export function naive(cluster: Cluster, question: Question): NaiveAnswer | null {
  const from = resolve(cluster, question.from, 'source')
  const to = resolve(cluster, question.to, 'destination')
  if (from.kind === 'nobody' || to.kind === 'nobody') return null
  const families = question.family === undefined ? common(from, to) : [question.family]
  if (families.length === 0) return null
  return {
    egress: oneDirection(cluster, 'egress', from, to, to, question, families),
    ingress: oneDirection(cluster, 'ingress', to, from, to, question, families),
  }
}

const FAMILIES: readonly (4 | 6)[] = [4, 6]
type Somebody = Exclude<End, { kind: 'nobody' }>

function common(a: Somebody, b: Somebody): (4 | 6)[] {
  const may = (e: Somebody, f: 4 | 6) => e.addresses.length === 0 || e.addresses.some((x) => x.family === f)
  return FAMILIES.filter((f) => may(a, f) && may(b, f))
}

function oneDirection(
  cluster: Cluster,
  direction: Direction,
  near: Somebody,
  far: Somebody,
  destination: Somebody,
  question: Question,
  families: readonly (4 | 6)[],
): DirectionOpinion {
  if (near.kind !== 'pod') return { opinion: 'allow', ways: 1 }
  // "A Pod cannot block access to itself."
  if (far.kind === 'pod' && far.pod === near.pod) return { opinion: 'allow', ways: 1 }
  const asked: Asked = { cluster, direction, subject: near.pod, far, destination, protocol: question.protocol }
  const opinions = new Set<Opinion>()
  let ways = 0
  for (const way of waysOf(cluster, far, question, families)) {
    ways++
    opinions.add(decide(asked, way))
  }
  const [only] = opinions
  return { opinion: opinions.size === 1 && only ? only : 'unknown', ways }
}

function* waysOf(cluster: Cluster, far: Somebody, question: Question, families: readonly (4 | 6)[]): Generator<Way> {
  const tier = (name: 'Admin' | 'Baseline') => [...orders(cluster.tiers.filter((t) => tierOf(t) === name))]
  const admins = tier('Admin')
  const baselines = tier('Baseline')
  const known = far.addresses.length > 0 ? far.addresses : anywhere(cluster)
  const ports = question.port === null ? portsSpokenOf(cluster) : [question.port]
  const names = JSON.stringify(cluster.tiers).includes('domainNames') ? [false, true] : [false]
  for (const at of known.filter((a) => families.includes(a.family)))
    for (const port of ports)
      for (const admin of admins)
        for (const baseline of baselines) for (const domains of names) yield { at, port, admin, baseline, domains }
}

const tierOf = (t: TierManifest) =>
  t.kind === 'AdminNetworkPolicy' ? 'Admin' : t.kind === 'BaselineAdminNetworkPolicy' ? 'Baseline' : t.spec.tier

/** Every order that priorities allow; a policy without one may stand anywhere. */
function* orders(policies: readonly TierManifest[]): Generator<readonly TierManifest[]> {
  if (policies.length === 0) {
    yield []
    return
  }
  for (const first of policies) {
    const rest = policies.filter((p) => p !== first)
    const mine = first.spec.priority
    const earlier = rest.some((p) => mine !== undefined && p.spec.priority !== undefined && p.spec.priority < mine)
    if (!earlier) for (const order of orders(rest)) yield [first, ...order]
  }
}

/** Addresses where a rule of the cluster may begin or end to match. */
function anywhere(cluster: Cluster): Address[] {
  const blocks = [...JSON.stringify([cluster.policies, cluster.tiers]).matchAll(/"([0-9a-f.:]+\/\d+)"/g)].map(
    (m) => m[1]!,
  )
  return [
    ...blocks.flatMap(edges),
    ...['198.18.0.1', '198.18.0.2', '2001:db8:ffff::1', '2001:db8:ffff::2'].map(address),
  ]
}

/** Ports where a rule of the cluster may begin or end to match. */
function portsSpokenOf(cluster: Cluster): number[] {
  const text = JSON.stringify(cluster)
  const numbers = [...text.matchAll(/"(?:port|endPort|containerPort|number|start|end)":(\d+)/g)].map((m) =>
    Number(m[1]),
  )
  return [...new Set([1, 65535, ...numbers.flatMap((n) => [n - 1, n, n + 1])])].filter((n) => n > 0 && n < 65536)
}

function resolve(cluster: Cluster, place: Place, role: 'source' | 'destination'): End {
  switch (place.kind) {
    case 'pod':
      return podEnd(
        cluster,
        cluster.pods.find((p) => namespaceOf(p) === place.namespace && p.metadata.name === place.name),
        role,
      )
    case 'node':
      return nodeEnd(cluster, place.name, role)
    case 'ip': {
      const a = address(place.ip)
      const same = (text: string) => {
        const b = address(text)
        return b.family === a.family && b.value === a.value
      }
      const pod = cluster.pods.find((p) => p.spec.hostNetwork !== true && !ended(p) && addressesOf(p).some(same))
      if (pod) return podEnd(cluster, pod, role)
      const node = cluster.nodes.find((n) => n.status.addresses.some((x) => same(x.address)))
      return node ? { kind: 'node', node: node.metadata.name, addresses: [a] } : { kind: 'outside', addresses: [a] }
    }
  }
}

const ended = (p: PodManifest) => p.status.phase === 'Succeeded' || p.status.phase === 'Failed'
const namespaceOf = (o: { readonly metadata: { readonly namespace?: string } }) => o.metadata.namespace ?? 'default'

function addressesOf(p: PodManifest): string[] {
  return p.status.podIPs?.map((x) => x.ip) ?? (p.status.podIP === undefined ? [] : [p.status.podIP])
}

function podEnd(cluster: Cluster, pod: PodManifest | undefined, role: 'source' | 'destination'): End {
  if (!pod || ended(pod)) return { kind: 'nobody' }
  if (pod.spec.hostNetwork !== true) return { kind: 'pod', pod, addresses: addressesOf(pod).map(address) }
  return pod.spec.nodeName === undefined ? { kind: 'nobody' } : nodeEnd(cluster, pod.spec.nodeName, role)
}

/** A node is reached at its InternalIPs; it sends from one of them, or from the bridge or tunnel in its pod range. */
function nodeEnd(cluster: Cluster, name: string, role: 'source' | 'destination'): End {
  const node = cluster.nodes.find((n) => n.metadata.name === name)
  if (!node) return { kind: 'nobody' }
  const own = node.status.addresses.filter((a) => a.type === 'InternalIP').map((a) => address(a.address))
  const links = node.spec.podCIDRs.flatMap((cidr) => {
    const first = address(cidr.split('/')[0]!)
    return [first, { ...first, value: first.value + 1n }]
  })
  return { kind: 'node', node: name, addresses: role === 'source' ? [...own, ...links] : own }
}

/** The tiers in order: Admin, NetworkPolicy, Baseline; what nobody decides is allowed. */
function decide(asked: Asked, way: Way): Opinion {
  const admin = firstMatch(way.admin, asked, way)
  if (admin !== null && admin !== 'pass') return admin
  const policies = asked.cluster.policies.filter((p) => isAbout(p, asked))
  // "v1.NetworkPolicy always makes a final decision for selected pods."
  if (policies.length > 0) return networkPolicies(policies, asked, way)
  const baseline = firstMatch(way.baseline, asked, way)
  return baseline === null || baseline === 'pass' ? 'allow' : baseline
}

function isAbout(policy: NetworkPolicyManifest, { subject, direction }: Asked): boolean {
  if (namespaceOf(policy) !== namespaceOf(subject)) return false
  if (!selects(policy.spec.podSelector, subject.metadata.labels ?? {})) return false
  const types = policy.spec.policyTypes ?? []
  if (types.length > 0) return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress')
  return direction === 'ingress' || (policy.spec.egress ?? []).length > 0
}

function networkPolicies(policies: readonly NetworkPolicyManifest[], asked: Asked, way: Way): Opinion {
  const { far, subject, direction } = asked
  // "Traffic to and from the node where a Pod is running is always allowed, regardless of the IP address."
  if (far.kind === 'node' && far.node === subject.spec.nodeName) return 'allow'
  for (const policy of policies)
    for (const rule of policy.spec[direction] ?? []) if (ruleAdmits(policy, rule, asked, way)) return 'allow'
  // "A deny all policy is only guaranteed to deny TCP, UDP and SCTP connections." The concept page says the same of allow rules, but
  // the API reference has it that a rule without ports "matches all traffic": that is taken at its word.
  return ['TCP', 'UDP', 'SCTP'].includes(asked.protocol) ? 'deny' : 'unknown'
}

function ruleAdmits(policy: NetworkPolicyManifest, rule: NetworkPolicyRule, asked: Asked, way: Way): boolean {
  const peers = (asked.direction === 'ingress' ? rule.from : rule.to) ?? []
  if (peers.length > 0 && !peers.some((p) => isPeer(policy, p, asked, way))) return false
  const ports = rule.ports ?? []
  if (ports.length === 0) return true
  return ports.some((p) => {
    if ((p.protocol ?? 'TCP') !== asked.protocol) return false
    if (p.port === undefined) return true
    if (typeof p.port === 'string') return nameIsAt(p.port, p.protocol ?? 'TCP', asked.destination, way.port)
    return way.port >= p.port && way.port <= (p.endPort ?? p.port)
  })
}

function isPeer(policy: NetworkPolicyManifest, peer: NetworkPolicyPeer, { cluster, far }: Asked, way: Way): boolean {
  if (peer.ipBlock) {
    const { cidr, except = [] } = peer.ipBlock
    return holds(cidr, way.at) && !except.some((e) => holds(e, way.at))
  }
  if (far.kind !== 'pod') return false
  if (peer.namespaceSelector) {
    if (!selects(peer.namespaceSelector, namespaceLabels(cluster, namespaceOf(far.pod)))) return false
  } else if (namespaceOf(far.pod) !== namespaceOf(policy)) return false
  return !peer.podSelector || selects(peer.podSelector, far.pod.metadata.labels ?? {})
}

/** Containers and sidecars give their ports names; the name and the protocol must both fit. */
function nameIsAt(name: string, protocol: string | null, destination: End, port: number): boolean {
  if (destination.kind !== 'pod') return false
  const { containers, initContainers = [] } = destination.pod.spec
  for (const c of [...containers, ...initContainers.filter((i) => i.restartPolicy === 'Always')])
    for (const p of c.ports ?? [])
      if (p.name === name && p.containerPort === port && (protocol === null || (p.protocol ?? 'TCP') === protocol))
        return true
  return false
}

function firstMatch(policies: readonly TierManifest[], asked: Asked, way: Way): 'allow' | 'deny' | 'pass' | null {
  const { cluster, subject, direction } = asked
  for (const policy of policies) {
    const { namespaces, pods } = policy.spec.subject
    const home = namespaceLabels(cluster, namespaceOf(subject))
    if (namespaces && !selects(namespaces, home)) continue
    if (pods && !(selects(pods.namespaceSelector, home) && selects(pods.podSelector, subject.metadata.labels ?? {})))
      continue
    for (const rule of policy.spec[direction] ?? []) {
      const peers = (direction === 'ingress' ? rule.from : rule.to) ?? []
      if (!peers.some((p) => isTierPeer(p, asked, way)) || !tierPortFits(rule, asked, way)) continue
      return rule.action === 'Pass' ? 'pass' : rule.action === 'Deny' ? 'deny' : 'allow'
    }
  }
  return null
}

function isTierPeer(peer: TierPeer, { cluster, far }: Asked, way: Way): boolean {
  if (peer.networks) return peer.networks.some((cidr) => holds(cidr, way.at))
  if (peer.domainNames) return way.domains
  if (peer.nodes) {
    if (far.kind !== 'node') return false
    return selects(peer.nodes, cluster.nodes.find((n) => n.metadata.name === far.node)?.metadata.labels ?? {})
  }
  if (far.kind !== 'pod') return false
  const home = namespaceLabels(cluster, namespaceOf(far.pod))
  if (peer.namespaces) return selects(peer.namespaces, home)
  return peer.pods
    ? selects(peer.pods.namespaceSelector, home) && selects(peer.pods.podSelector, far.pod.metadata.labels ?? {})
    : false
}

function tierPortFits(rule: TierRule, { protocol, destination }: Asked, way: Way): boolean {
  const within = (wanted: string, from: number, to: number) => wanted === protocol && way.port >= from && way.port <= to
  if (rule.ports)
    return rule.ports.some((p) => {
      if (p.portNumber) return within(p.portNumber.protocol, p.portNumber.port, p.portNumber.port)
      if (p.portRange) return within(p.portRange.protocol ?? 'TCP', p.portRange.start, p.portRange.end)
      return p.namedPort !== undefined && nameIsAt(p.namedPort, protocol, destination, way.port)
    })
  if (rule.protocols)
    return rule.protocols.some((p) => {
      if (p.destinationNamedPort !== undefined) return nameIsAt(p.destinationNamedPort, protocol, destination, way.port)
      for (const [wanted, given] of [
        ['TCP', p.tcp],
        ['UDP', p.udp],
        ['SCTP', p.sctp],
      ] as const) {
        if (!given) continue
        const { number, range } = given.destinationPort
        return within(wanted, number ?? range?.start ?? 0, number ?? range?.end ?? 0)
      }
      return false
    })
  return true
}

/** Every namespace is labelled with its name (since 1.21). */
function namespaceLabels(cluster: Cluster, name: string): Labels {
  const object = cluster.namespaces.find((n) => n.metadata.name === name)
  return { ...object?.metadata.labels, 'kubernetes.io/metadata.name': name }
}

/** LabelSelector: matchLabels and matchExpressions are ANDed; NotIn and DoesNotExist also hold where the key is absent. */
function selects(selector: LabelSelector, labels: Labels): boolean {
  for (const key in selector.matchLabels)
    if (!(key in labels) || labels[key] !== selector.matchLabels[key]) return false
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const there = key in labels
    const among = there && values.includes(labels[key]!)
    if (operator === 'In' && !among) return false
    if (operator === 'NotIn' && among) return false
    if (operator === 'Exists' && !there) return false
    if (operator === 'DoesNotExist' && there) return false
  }
  return true
}
