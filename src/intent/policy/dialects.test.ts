/** Laws that hold for the policies of every plugin: the order of objects means nothing, and the matrix equals the single answers. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp, type Ip } from '../../base/ip.ts'
import type { KubeObjects, OtherObject } from '../../kubeobj/objects.ts'
import { policyCluster } from './cluster.ts'
import { evaluator } from './evaluate.ts'
import { policyMatrix, workloadNames } from './matrix/index.ts'
import type { PolicyEnd } from './result.ts'
import { end, other, policy, world } from './world.test-data.ts'

const PROBES = [
  ['TCP', 80],
  ['TCP', 8080],
  ['UDP', 8080],
  ['ICMP', 1],
] as const
const NAMESPACES = ['shop', 'tools']

const expression = fc.constantFrom(
  'all()',
  'global()',
  "app == 'web'",
  "app != 'web'",
  "app in {'web', 'client'} && has(tier)",
  "app == 'api' || projectcalico.org/namespace == 'tools'",
  "app contains 'e' || !has(app)",
  'a = b',
)
const nsExpression = fc.constantFrom('all()', 'global()', "projectcalico.org/name == 'shop'", "team == 'ops'")
const entity = fc.record(
  {
    selector: expression,
    notSelector: expression,
    namespaceSelector: nsExpression,
    nets: fc.constantFrom(['10.244.1.0/24'], ['203.0.113.0/24']),
    notNets: fc.constantFrom(['10.244.1.20'], ['203.0.113.8/29']),
  },
  { requiredKeys: [] },
)
const ported = fc.constantFrom<object>({}, { ports: [80] }, { ports: ['http'] }, { notPorts: ['8000:9000'] })
const calicoRule = fc
  .tuple(fc.constantFrom('Allow', 'Deny', 'Pass', 'Log'), entity, entity, ported, fc.constantFrom('TCP', 'UDP'))
  .map(([action, source, destination, ports, protocol]) => ({
    action,
    protocol,
    source,
    destination: { ...destination, ...ports },
  }))
const calicoSpec = fc.record(
  {
    selector: expression,
    order: fc.constantFrom(1, 1000, 2000),
    tier: fc.constantFrom('default', 'x', 'y'),
    types: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: fc.array(calicoRule, { maxLength: 2 }),
    egress: fc.array(calicoRule, { maxLength: 2 }),
  },
  { requiredKeys: ['types'] },
)
const V3 = 'projectcalico.org/v3'
const calico = fc
  .array(fc.tuple(fc.constantFrom('', ...NAMESPACES), calicoSpec), { minLength: 1, maxLength: 4 })
  .map((list) => [
    ...list.map(([ns, spec], i) => other(V3, ns === '' ? 'GlobalNetworkPolicy' : 'NetworkPolicy', ns, `p${i}`, spec)),
    other(V3, 'Tier', '', 'x', { order: 10 }),
    other(V3, 'Tier', '', 'y', { order: 2e6, defaultAction: 'Pass' }),
    other(V3, 'GlobalNetworkSet', '', 's', { nets: ['203.0.113.0/28'] }),
  ])

const endpoints = fc.constantFrom<object>(
  {},
  { matchLabels: { app: 'web' } },
  { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'tools' } },
  { matchLabels: { 'k8s:io.cilium.k8s.namespace.labels.team': 'ops', 'any:app': 'client' } },
)
const entities = fc.constantFrom('all', 'world', 'cluster', 'host', 'remote-node', 'none', 'world-ipv6')
const ciliumRule = (side: 'from' | 'to') =>
  fc
    .tuple(
      fc.oneof(
        fc.constant({}),
        fc.array(endpoints, { maxLength: 2 }).map((l) => ({ [`${side}Endpoints`]: l })),
        fc.array(entities, { maxLength: 2 }).map((l) => ({ [`${side}Entities`]: l })),
        fc.constantFrom({ [`${side}CIDR`]: ['10.0.0.0/8'] }, { [`${side}CIDR`]: ['203.0.113.0/24'] }),
        fc.constant({ [`${side}CIDRSet`]: [{ cidr: '0.0.0.0/0', except: ['203.0.113.0/24'] }] }),
        side === 'to' ? fc.constant({ toFQDNs: [{ matchName: 'a.b' }] }) : fc.constant({}),
      ),
      fc.constantFrom<object>(
        {},
        { toPorts: [{ ports: [{ port: '8080' }] }] },
        { toPorts: [{ ports: [{ port: 'http', protocol: 'TCP' }] }] },
        { toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }], rules: { http: [{ path: '/' }] } }] },
      ),
    )
    .map(([x, y]) => ({ ...x, ...y }))
const ciliumSpec = fc.record(
  {
    endpointSelector: endpoints,
    ingress: fc.array(ciliumRule('from'), { maxLength: 2 }),
    ingressDeny: fc.array(ciliumRule('from'), { maxLength: 1 }),
    egress: fc.array(ciliumRule('to'), { maxLength: 2 }),
    enableDefaultDeny: fc.constantFrom({ ingress: false }, { egress: true }),
  },
  { requiredKeys: ['endpointSelector'] },
)
const cilium = fc
  .array(fc.tuple(fc.constantFrom('', ...NAMESPACES), ciliumSpec), { minLength: 1, maxLength: 4 })
  .map((list) =>
    list.map(([ns, spec], i) =>
      other('cilium.io/v2', ns === '' ? 'CiliumClusterwideNetworkPolicy' : 'CiliumNetworkPolicy', ns, `p${i}`, spec),
    ),
  )

const kubernetes = fc
  .array(
    fc.constantFrom<object>(
      { podSelector: {} },
      { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.244.1.0/24' } }] }] },
      { podSelector: {}, egress: [{ to: [{ namespaceSelector: {} }] }] },
    ),
    { maxLength: 1 },
  )
  .map((specs) => specs.map((spec) => policy('shop', 'k', spec)))

const both = (own: fc.Arbitrary<readonly OtherObject[]>) => fc.tuple(own, kubernetes).map((lists) => lists.flat())

function objectsOf(others: readonly OtherObject[]): KubeObjects {
  const base = world(others)
  return { ...base, known: new Set([...base.known, 'GlobalNetworkSet', 'NetworkSet']) }
}

const ENDS = [
  'shop/web',
  'shop/api',
  'tools/client',
  'bare/one',
  'node:node1',
  'node:node2',
  '203.0.113.9',
  '198.51.100.1',
]

describe.each([
  ['Calico', both(calico)],
  ['Cilium', both(cilium)],
] as const)('policies of %s', (_, policies) => {
  it('mean the same in every order of the objects', () => {
    fc.assert(
      fc.property(policies, (others) => {
        const one = evaluator(policyCluster(objectsOf(others)))
        const two = evaluator(policyCluster(objectsOf([...others].reverse())))
        for (const from of ENDS)
          for (const to of ENDS) {
            const question = { from: end(from), to: end(to), protocol: 'tcp', port: 8080 }
            expect(two.decide(question), `${from} ${to}`).toBe(one.decide(question))
          }
      }),
      { numRuns: 100 },
    )
  })
  it('give the matrix that the single answers give', () => {
    fc.assert(
      fc.property(policies, (others) => {
        const cluster = policyCluster(objectsOf(others))
        const { decide } = evaluator(cluster)
        const m = policyMatrix(cluster, { by: 'pod', workloadOf: workloadNames(cluster.objects) })
        const taken = (ip: Ip) => [cluster.podByIp, cluster.nodeByIp].some((x) => x.has(formatIp(ip)))
        const first = m.ends.findIndex((e) => e.kind === 'outside')
        const endOf = (i: number): PolicyEnd => {
          const e = m.ends[i]!
          if (e.kind === 'outside') return { kind: 'ip', ip: m.space.sampleOf[i - first]! }
          const [, namespace, name] = e.name.split('/')
          return { kind: 'pod', namespace: namespace!, name: name! }
        }
        for (const from of m.ends) {
          const row = m.row(from)
          for (const to of m.ends) {
            if (from === to || (from.kind === 'outside' && to.kind === 'outside')) continue
            const ends = { from: endOf(from.id), to: endOf(to.id) }
            // A sample of the outside that is an end's own address, or of a family the pods have not, is another question.
            if ([ends.from, ends.to].some((e) => e.kind === 'ip' && (e.ip.family === 6 || taken(e.ip)))) continue
            const { allowed, unknown } = m.pair(row[to.id]!)
            for (const [protocol, number] of PROBES) {
              const sure = m.sets.has(allowed, protocol, number) ? 'allow' : 'deny'
              const mine = m.sets.has(unknown, protocol, number) && sure === 'deny' ? 'unknown' : sure
              expect(mine, `${from.name} ${to.name} ${protocol} ${number}`).toBe(
                decide({ ...ends, protocol, port: number }),
              )
            }
          }
        }
      }),
      { numRuns: 100 },
    )
  })
})
