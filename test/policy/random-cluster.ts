/** Random small clusters with every corner of the policy APIs, and random questions about them (fast-check arbitraries). */
import fc from 'fast-check'
import type {
  AdminPort,
  Cluster,
  ClusterProtocol,
  ContainerManifest,
  LabelSelector,
  Labels,
  NamespaceManifest,
  NetworkPolicyManifest,
  NetworkPolicyPeer,
  NetworkPolicyRule,
  NodeManifest,
  Place,
  PodManifest,
  Question,
  TierManifest,
  TierPeer,
  TierRule,
} from './manifests.ts'

const NAMESPACES = ['red', 'blue', 'default']
const NODES = ['n1', 'n2']
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const
const PORTS = [52, 53, 79, 80, 81, 8080, 65535]
const PORT_NAMES = ['http', 'dns']

/** Keeps only the fields that are set, as manifests do. */
function without<T extends object>(o: T): T {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as T
}
const maybe = <T>(a: fc.Arbitrary<T>, freq = 3) => fc.option(a, { nil: undefined, freq })
const few = <T>(a: fc.Arbitrary<T>, most: number, least = 0) => fc.array(a, { minLength: least, maxLength: most })
const often = <T>(...arms: readonly (readonly [number, fc.Arbitrary<T>])[]) =>
  fc.oneof(...arms.map(([weight, arbitrary]) => ({ weight, arbitrary })))

const key = fc.constantFrom('app', 'app', 'app', 'tier', 'x')
const value = fc.constantFrom('a', 'b', '')
const labels: fc.Arbitrary<Labels> = often<Labels>(
  [4, fc.record({ app: fc.constantFrom('a', 'b') })],
  [2, fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true })],
)
const requirement = often<NonNullable<LabelSelector['matchExpressions']>[number]>(
  [
    3,
    fc.record({
      key,
      operator: fc.constantFrom('In' as const, 'NotIn' as const),
      values: fc.uniqueArray(value, { minLength: 1, maxLength: 2 }),
    }),
  ],
  [2, fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) })],
)
const selector: fc.Arbitrary<LabelSelector> = often<LabelSelector>(
  [3, fc.constant({})],
  [3, fc.record({ matchLabels: fc.record({ app: fc.constantFrom('a', 'b') }) })],
  [2, fc.record({ matchLabels: fc.dictionary(key, value, { minKeys: 1, maxKeys: 2, noNullPrototype: true }) })],
  [2, fc.record({ matchExpressions: few(requirement, 2, 1) })],
  [1, fc.record({ matchLabels: labels, matchExpressions: few(requirement, 2) })],
)
/** Whom policies are about: often everybody, so that much is denied. */
const subjects = often<LabelSelector>([2, fc.constant({})], [2, selector])
const namespaceSelector = often(
  [4, selector],
  [
    2,
    fc
      .record({
        key: fc.constant('kubernetes.io/metadata.name'),
        operator: fc.constantFrom('In' as const, 'NotIn' as const),
        values: fc.uniqueArray(fc.constantFrom(...NAMESPACES), { minLength: 1, maxLength: 2 }),
      })
      .map((r): LabelSelector => ({ matchExpressions: [r] })),
  ],
  [
    1,
    fc
      .constantFrom(...NAMESPACES)
      .map((name): LabelSelector => ({ matchLabels: { 'kubernetes.io/metadata.name': name } })),
  ],
)

const namespace = (name: string): fc.Arbitrary<NamespaceManifest> =>
  labels.map((l) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: l } }))

const node = (name: string, i: number): fc.Arbitrary<NodeManifest> =>
  fc
    .record({ labels, ranges: fc.boolean(), dual: fc.boolean(), external: fc.boolean() })
    .map((r) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: r.labels },
      spec: { podCIDRs: r.ranges ? [`10.0.${i}.0/24`, ...(r.dual ? [`fd00:${i}::/64`] : [])] : [] },
      status: {
        addresses: [
          { type: 'InternalIP', address: `192.168.0.${i}` },
          ...(r.dual ? [{ type: 'InternalIP', address: `fd00:a::${i}` }] : []),
          ...(r.external ? [{ type: 'ExternalIP', address: `203.0.113.${i}` }] : []),
          { type: 'Hostname', address: name },
        ],
      },
    }))
    .map(
      (n) => ({ ...n, status: { addresses: n.status.addresses.filter((a) => a.type !== 'Hostname') } }) as NodeManifest,
    )

const container: fc.Arbitrary<ContainerManifest> = few(
  fc
    .record({
      name: maybe(fc.constantFrom(...PORT_NAMES), 1),
      containerPort: fc.constantFrom(53, 80, 8080),
      protocol: maybe(fc.constantFrom(...PROTOCOLS)),
    })
    .map(without),
  2,
).map((ports) => ({ name: 'c', ports }))

interface PodChoices {
  readonly home: string
  readonly on: string | undefined
  readonly labels: Labels
  readonly main: ContainerManifest
  readonly beside: ContainerManifest | undefined
  readonly sidecar: boolean
  readonly phase: string
  readonly hostNetwork: boolean
  readonly stack: '4' | '6' | 'both' | 'none'
}

const podChoices: fc.Arbitrary<PodChoices> = fc.record({
  home: fc.constantFrom(...NAMESPACES, 'red', 'red'),
  on: often<string | undefined>([8, fc.constantFrom(...NODES)], [1, fc.constant(undefined)]),
  labels,
  main: container,
  beside: maybe(container, 5),
  sidecar: fc.boolean(),
  phase: often([9, fc.constant('Running')], [1, fc.constantFrom('Succeeded', 'Failed', 'Pending')]),
  hostNetwork: often([7, fc.constant(false)], [1, fc.constant(true)]),
  stack: often<PodChoices['stack']>(
    [8, fc.constant('4')],
    [1, fc.constant('6')],
    [2, fc.constant('both')],
    [1, fc.constant('none')],
  ),
})

/** Pod `i` has 10.0.NODE.1i; a pod that has ended keeps in its status the address that is now pod 0's. */
function podManifest(c: PodChoices, i: number): PodManifest {
  const at = c.on === undefined ? 3 : NODES.indexOf(c.on) + 1
  const gone = c.phase === 'Succeeded' || c.phase === 'Failed'
  const four = gone ? '10.0.1.10' : `10.0.${at}.${10 + i}`
  const own = { '4': [four], '6': [`fd00:${at}::${i + 1}`], both: [four, `fd00:${at}::${i + 1}`], none: [] }[c.stack]
  const ips = c.hostNetwork ? (c.on === undefined ? [] : [`192.168.0.${at}`]) : own
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${i}`, namespace: c.home, labels: c.labels },
    spec: without({
      nodeName: c.on,
      hostNetwork: c.hostNetwork ? true : undefined,
      containers: [c.main],
      initContainers: c.beside ? [c.sidecar ? { ...c.beside, restartPolicy: 'Always' as const } : c.beside] : undefined,
    }),
    status: { phase: c.phase, ...(ips.length > 0 ? { podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })) } : {}) },
  }
}

const BLOCKS: readonly (readonly [string, readonly string[]])[] = [
  ['0.0.0.0/0', ['10.0.0.0/8', '10.0.1.0/24', '192.168.0.0/24', '10.0.1.10/32']],
  ['10.0.0.0/16', ['10.0.1.0/24', '10.0.2.0/24', '10.0.1.8/29']],
  ['10.0.1.0/24', ['10.0.1.0/28', '10.0.1.11/32', '10.0.1.1/32']],
  ['10.0.2.11/24', ['10.0.2.0/25', '10.0.2.10/31']],
  ['192.168.0.0/24', ['192.168.0.2/32']],
  ['198.51.100.0/24', ['198.51.100.128/25', '198.51.100.5/32']],
  ['10.0.1.10/32', []],
  ['::/0', ['fd00:1::/64', 'fd00::/8']],
  ['fd00::/8', ['fd00:1::/64', 'fd00:a::/64']],
]
const ipBlock = fc.constantFrom(...BLOCKS).chain(([cidr, inside]) =>
  fc
    .record({
      cidr: fc.constant(cidr),
      except:
        inside.length === 0
          ? fc.constant(undefined)
          : maybe(fc.subarray([...inside], { maxLength: Math.min(2, inside.length) }), 1),
    })
    .map(without),
)

const peer: fc.Arbitrary<NetworkPolicyPeer> = often<NetworkPolicyPeer>(
  [3, fc.record({ podSelector: selector })],
  [3, fc.record({ namespaceSelector })],
  [3, fc.record({ namespaceSelector, podSelector: selector })],
  [3, fc.record({ ipBlock })],
)
type PolicyPort = NonNullable<NetworkPolicyRule['ports']>[number]
const protocol = maybe(fc.constantFrom(...PROTOCOLS), 2)
const policyPort: fc.Arbitrary<PolicyPort> = often<PolicyPort>(
  [1, fc.record({ protocol }).map(without)],
  [4, fc.record({ protocol, port: fc.constantFrom(...PORTS) }).map(without)],
  [2, fc.record({ protocol, port: fc.constantFrom(...PORT_NAMES) }).map(without)],
  [
    2,
    fc
      .record({ protocol, ends: fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS)) })
      .map(({ protocol: p, ends: [a, b] }) => without({ protocol: p, port: Math.min(a, b), endPort: Math.max(a, b) })),
  ],
)
const policyRule = (side: 'from' | 'to'): fc.Arbitrary<NetworkPolicyRule> =>
  fc
    .record({ peers: maybe(few(peer, 3), 4), ports: maybe(few(policyPort, 2), 2) })
    .map(({ peers, ports }) => without({ [side]: peers, ports }))
const policy: fc.Arbitrary<NetworkPolicyManifest> = fc
  .record({
    home: fc.constantFrom(undefined, ...NAMESPACES, 'red', 'red'),
    podSelector: subjects,
    policyTypes: often<('Ingress' | 'Egress')[] | undefined>(
      [3, fc.constant(['Ingress', 'Egress'])],
      [1, fc.subarray(['Ingress' as const, 'Egress' as const])],
      [1, fc.constant(undefined)],
    ),
    ingress: maybe(few(policyRule('from'), 2), 3),
    egress: maybe(few(policyRule('to'), 2), 3),
  })
  .map(({ home, ...spec }) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: without({ name: 'np', namespace: home }),
    spec: without(spec),
  }))

const namespacedPod = fc.record({ namespaceSelector, podSelector: selector })
const tierPeer = (side: 'from' | 'to', cluster: boolean): fc.Arbitrary<TierPeer> =>
  often<TierPeer>(
    [3, fc.record({ namespaces: namespaceSelector })],
    [3, fc.record({ pods: namespacedPod })],
    ...(side === 'to'
      ? ([
          [2, fc.record({ nodes: selector })],
          [
            2,
            fc.record({
              networks: fc.uniqueArray(fc.constantFrom(...BLOCKS.map(([c]) => c)), { minLength: 1, maxLength: 2 }),
            }),
          ],
          ...(cluster ? ([[1, fc.constant({ domainNames: ['*.example.com'] })]] as const) : []),
        ] as const)
      : []),
  )
const span = fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS)).map(([a, b]) => ({
  start: Math.min(a, b),
  end: Math.max(a, b),
}))
const proto = fc.constantFrom(...PROTOCOLS)
const named = fc.constantFrom(...PORT_NAMES)
const adminPort: fc.Arbitrary<AdminPort> = often<AdminPort>(
  [3, fc.record({ portNumber: fc.record({ protocol: proto, port: fc.constantFrom(...PORTS) }) })],
  [2, fc.record({ s: span, protocol }).map(({ s, protocol: p }) => ({ portRange: without({ ...s, protocol: p }) }))],
  [1, fc.record({ namedPort: named })],
)
const destinationPort = fc.oneof(fc.record({ number: fc.constantFrom(...PORTS) }), fc.record({ range: span }))
const clusterProtocol: fc.Arbitrary<ClusterProtocol> = often<ClusterProtocol>(
  [3, fc.record({ tcp: fc.record({ destinationPort }) })],
  [2, fc.record({ udp: fc.record({ destinationPort }) })],
  [1, fc.record({ sctp: fc.record({ destinationPort }) })],
  [1, fc.record({ destinationNamedPort: named })],
)

type TierKind = TierManifest['kind']

function tierRule(side: 'from' | 'to', kind: TierKind): fc.Arbitrary<TierRule> {
  const cluster = kind === 'ClusterNetworkPolicy'
  const allow = cluster ? ('Accept' as const) : ('Allow' as const)
  const actions =
    kind === 'BaselineAdminNetworkPolicy' ? [allow, 'Deny' as const] : [allow, 'Deny' as const, 'Pass' as const]
  return fc
    .record({
      name: maybe(fc.constant('rule'), 2),
      action: fc.constantFrom(...actions),
      peers: few(tierPeer(side, cluster), 2, 1),
      limits: maybe(
        cluster
          ? few<AdminPort | ClusterProtocol>(clusterProtocol, 2, 1)
          : few<AdminPort | ClusterProtocol>(adminPort, 2, 1),
        2,
      ),
    })
    .map(({ name, action, peers, limits }): TierRule => {
      // The API refuses port names for what has no named ports, and domain names for anything but Accept.
      const bare = peers.some((p) => p.networks || p.nodes || p.domainNames)
      const kept = limits?.filter((l) => !(bare && ('namedPort' in l || 'destinationNamedPort' in l)))
      return without({
        name,
        action: peers.some((p) => p.domainNames) ? allow : action,
        [side]: peers,
        [cluster ? 'protocols' : 'ports']: kept && kept.length > 0 ? kept : undefined,
      })
    })
}

function tierPolicy(kind: TierKind): fc.Arbitrary<TierManifest> {
  return fc
    .record({
      apiVersion: fc.constantFrom(...(kind === 'ClusterNetworkPolicy' ? ['v1alpha2', 'v1beta1'] : ['v1alpha1'])),
      tier: fc.constantFrom('Admin' as const, 'Baseline' as const),
      priority: fc.constantFrom(0, 7, 7, 1000),
      subject: fc.oneof(fc.record({ namespaces: namespaceSelector }), fc.record({ pods: namespacedPod })),
      ingress: maybe(few(tierRule('from', kind), 3), 2),
      egress: maybe(few(tierRule('to', kind), 3), 2),
    })
    .map(({ apiVersion, tier, priority, ...spec }) => ({
      apiVersion: `policy.networking.k8s.io/${apiVersion}`,
      kind,
      metadata: { name: kind === 'BaselineAdminNetworkPolicy' ? 'default' : 'tp' },
      spec: without({
        tier: kind === 'ClusterNetworkPolicy' ? tier : undefined,
        priority: kind === 'BaselineAdminNetworkPolicy' ? undefined : priority,
        ...spec,
      }),
    }))
}

const tiers: fc.Arbitrary<TierManifest[]> = often<TierManifest[]>(
  [3, fc.constant([])],
  [
    3,
    fc
      .tuple(
        few(tierPolicy('AdminNetworkPolicy'), 2),
        few(tierPolicy('BaselineAdminNetworkPolicy'), 1),
        few(tierPolicy('ClusterNetworkPolicy'), 2),
      )
      .map((lists) => lists.flat()),
  ],
  [2, few(tierPolicy('ClusterNetworkPolicy'), 3, 1)],
)

/** Names within a kind are told apart by a number. */
const numbered = <T extends { readonly metadata: { readonly name: string } }>(list: readonly T[]): T[] =>
  list.map((o, i) =>
    o.metadata.name === 'default' ? o : { ...o, metadata: { ...o.metadata, name: `${o.metadata.name}${i}` } },
  )

const clusters: fc.Arbitrary<Cluster> = fc
  .record({
    namespaces: fc.tuple(...NAMESPACES.map(namespace)),
    nodes: fc.tuple(...NODES.map((n, i) => node(n, i + 1))),
    pods: few(podChoices, 4, 1),
    policies: often([5, few(policy, 3, 1)], [1, few(policy, 3)]),
    tiers,
  })
  .map(({ pods, policies, tiers: t, ...rest }) => ({
    ...rest,
    pods: pods.map(podManifest),
    policies: numbered(policies),
    tiers: numbered(t),
  }))

const OUTSIDE = ['198.51.100.5', '198.51.100.200', '8.8.8.8', '2001:db8::1']

/** A question by numbers, which fit every cluster: so a case shrinks without losing what it asks. */
const draws = fc.record({
  from: fc.nat(999),
  to: fc.nat(999),
  protocol: often([12, proto as fc.Arbitrary<string>], [1, fc.constant('ICMP')]),
  port: often<number | null>([12, fc.constantFrom(...PORTS)], [1, fc.constant(null)]),
  family: maybe(fc.constantFrom(4 as const, 6 as const), 1),
})

/** A cluster and questions about its pods, nodes, their addresses and the outside. */
export const cases: fc.Arbitrary<{ readonly cluster: Cluster; readonly questions: readonly Question[] }> = fc
  .record({ cluster: clusters, asked: fc.array(draws, { minLength: 1, maxLength: 24, size: 'max' }) })
  .map(({ cluster, asked }) => {
    const ips = [...cluster.pods.flatMap((p) => p.status.podIPs?.map((x) => x.ip) ?? []), ...OUTSIDE, '192.168.0.1']
    const places: readonly Place[] = [
      ...[...cluster.pods, ...cluster.pods, ...cluster.pods].map(
        (p): Place => ({ kind: 'pod', namespace: p.metadata.namespace ?? 'default', name: p.metadata.name }),
      ),
      ...ips.map((ip): Place => ({ kind: 'ip', ip })),
      ...NODES.map((name): Place => ({ kind: 'node', name })),
    ]
    const place = (n: number) => places[n % places.length]!
    const questions = asked.map((q) =>
      without({ ...q, from: place(q.from), to: place(q.to), port: q.protocol === 'ICMP' ? null : q.port }),
    )
    return plain({ cluster, questions: questions as readonly Question[] })
  })

/** As it comes out of a file: no undefined fields, no objects without a prototype. */
const plain = <T>(o: T): T => JSON.parse(JSON.stringify(o)) as T
