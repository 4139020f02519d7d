import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import { policyCluster } from '../cluster.ts'
import { evaluator } from '../evaluate.ts'
import type { PolicyEnd } from '../result.ts'
import { other, pod, policy, world } from '../world.test-data.ts'
import { type PolicyMatrix, policyMatrix, portNames, workloadNames } from './index.ts'

function matrixOf(objects: KubeObjects, by: 'pod' | 'workload' = 'pod'): PolicyMatrix {
  return policyMatrix(policyCluster(objects), { by, workloadOf: workloadNames(objects) })
}

/** `FROM TO` → ports, for ends by name. */
function ports(m: PolicyMatrix, from: string, to: string, which: 'allowed' | 'unknown' = 'allowed'): string {
  const find = (name: string) => {
    const end = m.ends.find((e) => e.name === name)
    if (!end) throw new Error(`${name} is not in ${m.ends.map((e) => e.name).join(' ')}`)
    return end
  }
  return portNames(m.sets, m.pair(m.row(find(from))[find(to).id]!)[which]).join(', ')
}

const NAMESPACES = ['shop', 'tools', 'bare']
const PROBES: readonly (readonly [string, number])[] = [
  ['TCP', 80],
  ['TCP', 81],
  ['TCP', 8080],
  ['TCP', 9090],
  ['UDP', 80],
  ['UDP', 53],
  ['SCTP', 9090],
  ['ICMP', 1],
]

const label = fc.constantFrom<Record<string, string>>(
  {},
  { app: 'web' },
  { app: 'api' },
  { app: 'web', tier: 'x' },
  { tier: '' },
)
const selector = fc.oneof(
  fc.constant({}),
  label.map((matchLabels) => ({ matchLabels })),
  fc
    .tuple(fc.constantFrom('app', 'tier'), fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist', 'Nonsense'))
    .map(([key, operator]) => ({
      matchExpressions: [{ key, operator, ...(/In/.test(operator) ? { values: ['web', ''] } : {}) }],
    })),
)
const nsSelector = fc.constantFrom<object>(
  {},
  { matchLabels: { team: 'ops' } },
  { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } },
  { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] },
)
const block = fc.constantFrom<object>(
  { cidr: '10.244.0.0/16' },
  { cidr: '10.244.1.0/24', except: ['10.244.1.10/32'] },
  { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] },
  { cidr: 'fd00:2::/64' },
  { cidr: '203.0.113.0/24' },
  { cidr: 'nonsense' },
)
const peer = fc.oneof(
  selector.map((podSelector) => ({ podSelector })),
  nsSelector.map((namespaceSelector) => ({ namespaceSelector })),
  fc.tuple(selector, nsSelector).map(([podSelector, namespaceSelector]) => ({ podSelector, namespaceSelector })),
  block.map((ipBlock) => ({ ipBlock })),
)
const port = fc.constantFrom<object>(
  { port: 80 },
  { port: 80, endPort: 8080 },
  { protocol: 'UDP', port: 53 },
  { protocol: 'SCTP' },
  { port: 'http' },
  { protocol: 'UDP', port: 'sync' },
  { port: 80, protocol: 'Nonsense' },
)
const npRule = (side: 'from' | 'to') =>
  fc.record({ [side]: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) }, { requiredKeys: [] })
const networkPolicy = fc
  .record({
    podSelector: selector,
    policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: fc.array(npRule('from'), { maxLength: 2 }),
    egress: fc.array(npRule('to'), { maxLength: 2 }),
  })
  .chain((spec) => fc.constantFrom(...NAMESPACES).map((ns) => (name: string) => policy(ns, name, spec)))

const adminPeer = (egress: boolean) =>
  fc.oneof(
    nsSelector.map((namespaces) => ({ namespaces })),
    fc
      .tuple(nsSelector, selector)
      .map(([namespaceSelector, podSelector]) => ({ pods: { namespaceSelector, podSelector } })),
    ...(egress
      ? [
          fc.constantFrom({ networks: ['10.244.2.0/24'] }, { networks: ['0.0.0.0/0', '::/0'] }),
          fc.constantFrom({ nodes: {} }, { nodes: { matchLabels: { app: 'web' } } }),
        ]
      : []),
  )
const adminPort = fc.constantFrom<object>(
  { portNumber: { protocol: 'TCP', port: 80 } },
  { portRange: { protocol: 'TCP', start: 80, end: 9000 } },
  { namedPort: 'http' },
)
const adminRule = (side: 'from' | 'to', actions: readonly string[]) =>
  fc.record(
    {
      action: fc.constantFrom(...actions),
      [side]: fc.array(adminPeer(side === 'to'), { minLength: 1, maxLength: 2 }),
      ports: fc.array(adminPort, { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: ['action', side] },
  )
const adminSubject = fc.oneof(
  nsSelector.map((namespaces) => ({ namespaces })),
  fc
    .tuple(nsSelector, selector)
    .map(([namespaceSelector, podSelector]) => ({ pods: { namespaceSelector, podSelector } })),
)
const adminSpec = (actions: readonly string[]) =>
  fc.record({
    subject: adminSubject,
    priority: fc.constantFrom(1, 2),
    ingress: fc.array(adminRule('from', actions), { maxLength: 2 }),
    egress: fc.array(adminRule('to', actions), { maxLength: 2 }),
  })
const admin = adminSpec(['Allow', 'Deny', 'Pass']).map(
  (spec) => (name: string) => other('policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy', '', name, spec),
)
const baseline = adminSpec(['Allow', 'Deny']).map(
  ({ priority: _, ...spec }) =>
    (_name: string) =>
      other('policy.networking.k8s.io/v1alpha1', 'BaselineAdminNetworkPolicy', '', 'default', spec),
)
const clusterwide = fc
  .tuple(adminSpec(['Accept', 'Deny', 'Pass']), fc.constantFrom('Admin', 'Baseline'))
  .map(([spec, tier]) => (name: string) => {
    const strip = (rules: readonly object[]) => rules.map((r) => ({ ...r, ports: undefined }))
    return other('policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy', '', name, {
      ...spec,
      tier,
      ingress: strip(spec.ingress),
      egress: strip(spec.egress),
    })
  })

const policies = fc
  .tuple(
    fc.array(networkPolicy, { maxLength: 4 }),
    fc.array(admin, { maxLength: 3 }),
    fc.array(baseline, { maxLength: 1 }),
    fc.array(clusterwide, { maxLength: 2 }),
  )
  .map((lists) => lists.flat().map((make, i): OtherObject => make(`p${i}`)))

const POD_ENDS = [
  ['10.244.1.1', 'node1'],
  ['10.244.2.1', 'node2'],
] as const
const randomPods = fc.array(
  fc.tuple(fc.constantFrom(...NAMESPACES), label, fc.constantFrom(0, 1), fc.constantFrom('ip', 'none', 'dual', 'host')),
  { maxLength: 4 },
)

describe('the matrix', () => {
  it('equals the single answers', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(policies, randomPods, (others, more) => {
        const base = world(others)
        const added = more.map(([ns, labels, n, address], i) => {
          const [prefix, node] = POD_ENDS[n]!
          const ips =
            address === 'none' ? [] : address === 'dual' ? [`${prefix}${i}0`, `fd00:2::${i + 1}`] : [`${prefix}${i}0`]
          return pod(ns, `extra${i}`, labels, node, ips, {
            hostNetwork: address === 'host',
            ports: i % 2 ? [['http', 81, 'TCP']] : [],
          })
        })
        const objects = { ...base, pods: [...base.pods, ...added] }
        const cluster = policyCluster(objects)
        const { decide } = evaluator(cluster)
        const m = matrixOf(objects)
        const endOf = (i: number): PolicyEnd => {
          const end = m.ends[i]!
          if (end.kind === 'outside')
            return { kind: 'ip', ip: m.space.sampleOf[i - m.ends.findIndex((e) => e.kind === 'outside')]! }
          const [, namespace, name] = end.name.split('/')
          return { kind: 'pod', namespace: namespace!, name: name! }
        }
        for (const from of m.ends) {
          const row = m.row(from)
          for (const to of m.ends) {
            if (from === to || (from.kind === 'outside' && to.kind === 'outside')) continue
            const ends = { from: endOf(from.id), to: endOf(to.id) }
            if (!comparable(objects, ends.from, ends.to)) continue
            const { allowed, unknown } = m.pair(row[to.id]!)
            for (const [protocol, number] of PROBES) {
              const mine = m.sets.has(allowed, protocol, number)
                ? 'allow'
                : m.sets.has(unknown, protocol, number)
                  ? 'unknown'
                  : 'deny'
              const theirs = decide({ ...ends, protocol, port: number })
              if (mine !== theirs)
                throw new Error(`${from.name} ${to.name} ${protocol} ${number}: ${mine}, alone ${theirs}`)
            }
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})

/** A sample of the outside that is some end's own address, or of a family the other end has not, is another question. */
function comparable(objects: KubeObjects, from: PolicyEnd, to: PolicyEnd): boolean {
  const pods = [from, to].flatMap((e) => (e.kind === 'pod' ? [e] : []))
  const addresses = [from, to].flatMap((e) => (e.kind === 'ip' ? [e.ip] : []))
  return addresses.every((ip) => {
    const own = objects.pods.filter((p) => pods.some((e) => e.namespace === p.meta.namespace && e.name === p.meta.name))
    return own.every((p) => p.podIPs.length === 0 || p.podIPs.some((t) => t.includes(':') === (ip.family === 6)))
  })
}

describe('small tables', () => {
  const shop = (spec: string, ...more: OtherObject[]) => matrixOf(world([policy('shop', 'p', spec), ...more]))
  const onApi = 'podSelector: { matchLabels: { app: api } }'

  it('names ports, ranges and everything', () => {
    const m = shop(
      `{ ${onApi}, ingress: [ { from: [ { podSelector: {} } ], ports: [ { port: http }, { port: 8000, endPort: 8080 }, { protocol: UDP, port: 53 } ] } ] }`,
    )
    expect(ports(m, 'pod/shop/web', 'pod/shop/api')).toBe('TCP 8000-8080, TCP 9090, UDP 53')
    expect(ports(m, 'pod/shop/api', 'pod/shop/web')).toBe('all')
    expect(ports(m, 'pod/tools/client', 'pod/shop/api')).toBe('')
    expect(ports(m, 'external', 'pod/shop/api')).toBe('')
    expect(ports(m, 'external', 'pod/shop/web')).toBe('all')
  })

  it('resolves a named port in each destination', () => {
    const m = shop(
      '{ podSelector: { matchLabels: { app: dual } }, policyTypes: [Egress], egress: [ { ports: [ { port: http } ] } ] }',
    )
    expect(ports(m, 'pod/shop/dual', 'pod/shop/web')).toBe('TCP 8080')
    expect(ports(m, 'pod/shop/dual', 'pod/shop/api')).toBe('TCP 9090')
    expect(ports(m, 'pod/shop/dual', 'pod/tools/client')).toBe('')
  })

  it('spares the connection to the own node, and only to that', () => {
    const m = shop('{ podSelector: {}, policyTypes: [Ingress, Egress] }')
    expect(ports(m, 'pod/shop/web', 'pod/kube-system/proxy')).toBe('all')
    expect(ports(m, 'pod/kube-system/proxy', 'pod/shop/web')).toBe('all')
    expect(ports(m, 'pod/shop/api', 'pod/kube-system/proxy')).toBe('')
    expect(ports(m, 'pod/kube-system/proxy', 'pod/shop/api')).toBe('')
  })

  it('leaves ended pods out', () => {
    expect(shop('{ podSelector: {} }').ends.map((e) => e.name)).not.toContain('pod/shop/old')
  })

  it('cuts the outside where blocks do', () => {
    const m = shop(
      `{ ${onApi}, ingress: [ { from: [ { ipBlock: { cidr: 203.0.113.0/24, except: [203.0.113.64/26] } } ] } ] }`,
    )
    expect(m.ends.filter((e) => e.kind === 'outside').map((e) => e.name)).toEqual([
      '0.0.0.0-203.0.112.255, 203.0.113.64/26, 203.0.114.0-255.255.255.255, ::/0',
      '203.0.113.0/26, 203.0.113.128/25',
    ])
    expect(ports(m, '203.0.113.0/26, 203.0.113.128/25', 'pod/shop/api')).toBe('all')
  })

  it('says of a policy kind that is not evaluated that it is not known', () => {
    const foreign = other('crd.antrea.io/v1beta1', 'NetworkPolicy', 'shop', 'x', {})
    const m = matrixOf(world([foreign]))
    expect(ports(m, 'pod/tools/client', 'pod/shop/api')).toBe('')
    expect(ports(m, 'pod/tools/client', 'pod/shop/api', 'unknown')).toBe('all')
    expect(ports(m, 'pod/tools/client', 'pod/kube-system/dns')).toBe('all')
  })
})

describe('workloads', () => {
  const replica = (name: string, labels: Record<string, string>, ip: string) => {
    const made = pod('shop', name, { app: 'cart', 'pod-template-hash': '5d9c', ...labels }, 'node1', [ip])
    return { ...made, meta: { ...made.meta, owners: [{ kind: 'ReplicaSet', name: 'cart-5d9c' }] } }
  }
  const cart = (second: Record<string, string>, ...others: OtherObject[]) => {
    const base = world(others)
    const pods = [...base.pods, replica('cart-1', {}, '10.244.1.71'), replica('cart-2', second, '10.244.1.72')]
    return matrixOf({ ...base, pods }, 'workload')
  }
  const names = (m: PolicyMatrix) => m.ends.filter((e) => e.name.includes('cart')).map((e) => `${e.name} ${e.size}`)

  it('stand for replicas that are alike', () => {
    expect(names(cart({ canary: 'yes' }))).toEqual(['deploy/shop/cart 2'])
  })

  it('are split where a policy tells replicas apart, and say so', () => {
    const m = cart({ canary: 'yes' }, policy('shop', 'p', '{ podSelector: { matchLabels: { canary: "yes" } } }'))
    expect(names(m)).toEqual(['pod/shop/cart-1 1', 'pod/shop/cart-2 1'])
    expect(m.split).toEqual(['deploy/shop/cart'])
    expect(ports(m, 'pod/tools/client', 'pod/shop/cart-1')).toBe('all')
    expect(ports(m, 'pod/tools/client', 'pod/shop/cart-2')).toBe('')
  })

  it('are split by a block around one of the addresses', () => {
    const block =
      '{ podSelector: { matchLabels: { app: api } }, ingress: [ { from: [ { ipBlock: { cidr: 10.244.1.72/32 } } ] } ] }'
    const m = cart({}, policy('shop', 'p', block))
    expect(ports(m, 'pod/shop/cart-2', 'pod/shop/api')).toBe('all')
    expect(ports(m, 'pod/shop/cart-1', 'pod/shop/api')).toBe('')
  })

  it('are named by their owner: of a ReplicaSet that is there the one above it', () => {
    const rs = other('apps/v1', 'ReplicaSet', 'shop', 'cart-5d9c', {})
    const owned = { ...rs, meta: { ...rs.meta, owners: [{ kind: 'Rollout', name: 'cart' }] } }
    expect(names(cart({}, owned))).toEqual(['rollout/shop/cart 2'])
    expect(names(cart({}, rs))).toEqual(['rs/shop/cart-5d9c 2'])
  })
})
