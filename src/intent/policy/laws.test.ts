/** What must hold of every set of policies of the three tiers. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp } from '../../base/ip.ts'
import type { OtherObject } from '../../kubeobj/objects.ts'
import { evaluatePolicy, evaluator, policyCluster } from './index.ts'
import type { Decision, PolicyQuestion } from './result.ts'
import { end, other, policy, world } from './world.test-data.ts'

const app = fc.constantFrom('web', 'api', 'client').map((value) => ({ matchLabels: { app: value } }))
const namespaces = fc.constantFrom<object>({}, { matchLabels: { team: 'ops' } }, { matchLabels: { x: 'y' } })
const peer = fc.oneof(
  namespaces.map((n): object => ({ namespaces: n })),
  fc.tuple(namespaces, app).map(([namespaceSelector, podSelector]) => ({ pods: { namespaceSelector, podSelector } })),
)
const farPeer = fc.oneof(
  peer,
  fc.constantFrom<object>(
    { nodes: {} },
    { networks: ['10.244.1.0/24'] },
    { networks: ['0.0.0.0/0'] },
    { domainNames: ['a.b'] },
  ),
)
const protocols = fc.constantFrom<object>(
  {},
  { protocols: [{ tcp: { destinationPort: { number: 8080 } } }] },
  { protocols: [{ udp: { destinationPort: { range: { start: 1, end: 9000 } } } }, { destinationNamedPort: 'http' }] },
)
const action = fc.constantFrom('Accept', 'Deny', 'Pass')
const rule = (side: 'from' | 'to') =>
  fc
    .tuple(action, fc.array(side === 'from' ? peer : farPeer, { minLength: 1, maxLength: 2 }), protocols)
    .map(([a, peers, p]) => ({ action: a, [side]: peers, ...p }))
const cluster = fc
  .record({
    tier: fc.constantFrom('Admin', 'Baseline'),
    subject: fc.oneof(
      namespaces.map((n): object => ({ namespaces: n })),
      app.map((podSelector): object => ({ pods: { podSelector } })),
    ),
    ingress: fc.array(rule('from'), { maxLength: 3 }),
    egress: fc.array(rule('to'), { maxLength: 3 }),
    priority: fc.nat(4),
  })
  .map((spec): object => spec)
const own = fc
  .record({
    podSelector: fc.oneof(fc.constant({}), app),
    ingress: fc.array(fc.constantFrom({}, { ports: [{ port: 8080 }] }), { maxLength: 1 }),
  })
  .map((spec): object => spec)

const ends = fc.constantFrom(
  'shop/web',
  'shop/api',
  'shop/dual',
  'tools/client',
  'bare/one',
  '203.0.113.9',
  'node:node2',
  '10.96.0.90',
)
const question = fc
  .tuple(ends, ends, fc.constantFrom(80, 8080, 9090), fc.constantFrom('tcp', 'udp', 'icmp'))
  .map(([from, to, port, protocol]): PolicyQuestion => ({ from: end(from), to: end(to), port, protocol }))

const tiers = (specs: readonly object[]): OtherObject[] =>
  specs.map((spec, i) => other('policy.networking.k8s.io/v1beta1', 'ClusterNetworkPolicy', '', `c${i}`, spec))
const plain = (specs: readonly object[]) => specs.map((spec, i) => policy('shop', `p${i}`, spec))
const decide = (others: readonly OtherObject[], q: PolicyQuestion): Decision =>
  evaluatePolicy(world(others), q).decision
const clusters = fc.array(cluster, { maxLength: 4 })
const owns = fc.array(own, { maxLength: 2 })
const runs = { numRuns: 120 }

/** Distinct priorities, in the order given. */
const placed = (specs: readonly object[]) => specs.map((spec, i) => ({ ...spec, priority: i }))

describe('laws of the tiers', () => {
  it('the quick decision is the explained one', () => {
    fc.assert(
      fc.property(clusters, owns, question, (c, p, q) => {
        const objects = world([...tiers(c), ...plain(p)])
        expect(evaluator(policyCluster(objects)).decide(q)).toBe(evaluatePolicy(objects, q).decision)
      }),
      { numRuns: 200 },
    )
  })
  it('the order of objects in the files does not matter, whatever the priorities', () => {
    fc.assert(
      fc.property(clusters, owns, question, (c, p, q) => {
        const others = [...tiers(c), ...plain(p)]
        expect(decide([...others].reverse(), q)).toBe(decide(others, q))
      }),
      runs,
    )
  })
  it('equal priorities are unknown exactly where the two orders differ', () => {
    fc.assert(
      fc.property(fc.tuple(cluster, cluster), owns, question, ([x, y], p, q) => {
        const a = { ...x, tier: 'Admin', priority: 1 }
        const b = { ...y, tier: 'Admin', priority: 1 }
        const both = (specs: readonly object[]) => evaluatePolicy(world([...tiers(specs), ...plain(p)]), q)
        const [ab, ba, tied] = [both(placed([a, b])), both(placed([b, a])), both([a, b])]
        for (const d of ['ingress', 'egress'] as const)
          expect(tied[d].decision).toBe(ab[d].decision === ba[d].decision ? ab[d].decision : 'unknown')
      }),
      { numRuns: 200 },
    )
  })
  it('a policy whose rules all pass changes nothing when it comes last', () => {
    fc.assert(
      fc.property(clusters, cluster, owns, question, (c, extra, p, q) => {
        const list = placed(c)
        const pass = (rules: unknown) =>
          Array.isArray(rules) ? rules.map((r: object) => ({ ...r, action: 'Pass' })) : []
        const { ingress, egress } = extra as { ingress: unknown; egress: unknown }
        // Of an endpoint that was not named nobody knows what a policy does to it.
        fc.pre(q.to.kind !== 'ip' || formatIp(q.to.ip) !== '10.96.0.90')
        const last = { ...extra, ingress: pass(ingress), egress: pass(egress), priority: 999 }
        const before = decide([...tiers(list), ...plain(p)], q)
        expect(decide([...tiers([...list, last]), ...plain(p)], q)).toBe(before)
      }),
      runs,
    )
  })
  it('a rule behind one that takes everything changes nothing', () => {
    fc.assert(
      fc.property(
        clusters,
        fc.constantFrom('Accept', 'Deny'),
        fc.tuple(rule('from'), rule('to')),
        question,
        (c, a, [i, e], q) => {
          const takes = { action: a, from: [{ namespaces: {} }] }
          const first = { tier: 'Admin', priority: 0, subject: { namespaces: {} } }
          const list = placed(c).map((spec) => ({ ...spec, priority: spec.priority + 1 }))
          const alone = evaluatePolicy(world(tiers([{ ...first, ingress: [takes], egress: [e] }, ...list])), q)
          const more = evaluatePolicy(world(tiers([{ ...first, ingress: [takes, i], egress: [e] }, ...list])), q)
          const pods = q.from.kind === 'pod' && q.to.kind === 'pod'
          if (pods) expect(more.ingress.decision).toBe(alone.ingress.decision)
          if (pods && JSON.stringify(q.from) !== JSON.stringify(q.to))
            expect(more.ingress.decision).toBe(a === 'Deny' ? 'deny' : 'allow')
        },
      ),
      runs,
    )
  })
  it('the baseline never matters to an isolated pod', () => {
    fc.assert(
      fc.property(clusters, clusters, question, (c, more, q) => {
        const isolate = plain([{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }])
        const rest = tiers([...placed(c), ...more.map((spec) => ({ ...spec, tier: 'Baseline', priority: 999 }))])
        const before = evaluatePolicy(world([...tiers(placed(c)), ...isolate]), q)
        const after = evaluatePolicy(world([...rest, ...isolate]), q)
        for (const d of ['ingress', 'egress'] as const)
          if (before[d].isolated) expect(after[d].decision).toBe(before[d].decision)
      }),
      runs,
    )
  })
})
