import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OtherObject } from '../../kubeobj/objects.ts'
import { type DirectionResult, evaluatePolicy, formatRequirement, type PeerMiss, type PortMiss } from './index.ts'
import { end, policy, world } from './world.test-data.ts'

const say = (m: PeerMiss | PortMiss): string => {
  switch (m.kind) {
    case 'pod-label':
      return `pod ${formatRequirement(m.requirement)} has ${m.actual}`
    case 'namespace-label':
      return `namespace ${m.namespace} ${formatRequirement(m.requirement)} has ${m.actual}`
    case 'other-namespace':
      return `namespace ${m.actual} not ${m.wanted}`
    case 'not-a-pod':
      return `not a pod: ${m.what}`
    case 'outside-block':
      return `${m.addresses.join()} outside ${m.cidr}${m.service ? ` (Service ${m.service.name})` : ''}`
    case 'node-label':
      return `node ${m.node} ${formatRequirement(m.requirement)} has ${m.actual}`
    case 'not-a-node':
      return `not a node: ${m.what}`
    case 'not-entity':
      return `not ${m.entity}`
    case 'not-outside':
      return `not outside: ${m.what}`
    case 'shut-out':
      return m.what
    case 'excepted':
      return `${m.address} in ${m.except} of ${m.cidr}`
    case 'protocol':
      return `${m.actual} not ${m.wanted}`
    case 'number':
      return `${m.actual} not ${m.from}-${m.to}${m.service ? ` (Service ${m.service.name} ${m.service.port}→${m.service.targetPort})` : ''}`
    case 'name-absent':
      return `no ${m.protocol} port ${m.name}`
    case 'name-other-number':
      return `${m.name} is ${m.numbers.join()} not ${m.actual}`
    case 'name-without-pod':
      return `${m.name} but no pod`
    case 'unknown':
      return `? ${m.why}`
  }
}

/** Every rule of every selecting policy: `policy[rule] peer-index: miss; port-index: miss`. */
const explain = (d: DirectionResult): string[] =>
  d.considered.flatMap((c) =>
    c.rules.map((r) => {
      const peers = r.peers.map((p) => `peer ${p.index}: ${p.misses.map(say).join(' & ') || 'yes'}`)
      const ports = r.ports.map((p) => `port ${p.index}: ${p.misses.map(say).join(' & ') || 'yes'}`)
      return `${c.policy.name}[${r.index}] ${[...peers, ...ports].join('; ')}`
    }),
  )

const evaluate = (others: readonly OtherObject[], from: string, to: string, port: number, protocol = 'tcp') =>
  evaluatePolicy(world(others), { from: end(from), to: end(to), protocol, port })

describe('the reason of a decision', () => {
  it('tells for each rule why it does not admit', () => {
    const p = policy(
      'shop',
      'p',
      `podSelector: {}
ingress:
- from: [ { podSelector: { matchLabels: { app: client } } } ]
- from: [ { namespaceSelector: { matchLabels: { team: dev } }, podSelector: { matchLabels: { app: x, role: y } } } ]
- from: [ { ipBlock: { cidr: 10.244.0.0/16, except: [ 10.244.1.0/24 ] } }, { ipBlock: { cidr: 192.0.2.0/24 } } ]
- ports: [ { port: 80 }, { port: 8000, endPort: 8079 }, { port: http, protocol: UDP }, { protocol: SCTP } ]
- from: [ { namespaceSelector: {} } ]
  ports: [ { port: nope } ]`,
    )
    const { ingress } = evaluate([p], 'tools/client', 'shop/web', 8080)
    expect(ingress.reason).toEqual({ kind: 'no-rule-matches' })
    expect(ingress.policies.map((x) => x.name)).toEqual(['p'])
    expect(explain(ingress)).toEqual([
      'p[0] peer 0: namespace tools not shop',
      'p[1] peer 0: namespace tools team=dev has ops & pod app=x has client & pod role=y has null',
      'p[2] peer 0: 10.244.1.20 in 10.244.1.0/24 of 10.244.0.0/16; peer 1: 10.244.1.20 outside 192.0.2.0/24',
      'p[3] port 0: 8080 not 80-80 (Service web 80→8080); port 1: 8080 not 8000-8079; port 2: TCP not UDP; port 3: TCP not SCTP',
      'p[4] peer 0: yes; port 0: no TCP port nope',
    ])
    // The two halves of a peer, for telling AND from OR.
    expect(ingress.considered[0]!.rules[1]!.peers[0]).toMatchObject({ namespace: 'no', pod: 'no' })
    expect(ingress.considered[0]!.rules[0]!.peers[0]).toMatchObject({ namespace: 'no', pod: 'yes' })
  })

  it('sees the Service whose address or port an egress rule was written for', () => {
    const p = policy(
      'shop',
      'p',
      `podSelector: { matchLabels: { app: web } }
policyTypes: [Egress]
egress:
- to: [ { ipBlock: { cidr: 10.96.0.0/12 } } ]
- to: [ { podSelector: { matchLabels: { app: api } } } ]
  ports: [ { port: 8080 } ]`,
    )
    expect(explain(evaluate([p], 'shop/web', 'shop/api', 9090).egress)).toEqual([
      'p[0] peer 0: 10.244.2.10 outside 10.96.0.0/12 (Service api)',
      'p[1] peer 0: yes; port 0: 9090 not 8080-8080 (Service api 8080→9090)',
    ])
  })

  it('names the rule that admits, and where plugins differ', () => {
    const deny = policy('shop', 'a-deny', 'podSelector: {}')
    const rule =
      'podSelector: {}\ningress: [ { ports: [ { port: 1 } ] }, { from: [ { ipBlock: { cidr: 10.0.0.0/8 } } ] } ]'
    const { ingress } = evaluate([deny, policy('shop', 'b', rule)], 'tools/client', 'shop/web', 8080)
    expect(ingress.reason).toMatchObject({ kind: 'admitted', policy: { namespace: 'shop', name: 'b' }, rule: 1 })
    expect(ingress.policies.map((x) => x.name)).toEqual(['a-deny', 'b'])
    expect(ingress.dependsOnPlugin).toHaveLength(1)
    const open = policy('shop', 'c', 'podSelector: {}\ningress: [ { from: [ { namespaceSelector: {} } ] } ]')
    expect(evaluate([deny, open], 'tools/client', 'shop/web', 8080).ingress.dependsOnPlugin).toEqual([])
  })

  it('says who is no subject, and whose issue it is', () => {
    expect(evaluate([], 'kube-system/proxy', 'shop/web', 1).egress.reason).toEqual({
      kind: 'not-a-subject',
      what: 'host-network-pod',
    })
    expect(evaluate([], '203.0.113.9', 'shop/web', 1).egress.reason).toEqual({ kind: 'not-a-subject', what: 'address' })
    const bad = policy('shop', 'bad', 'podSelector: {}\ningress: [ { from: [ {} ], ports: [ { port: 0 } ] } ]')
    expect(evaluate([bad], 'tools/client', 'shop/web', 1).issues.map((i) => i.message)).toEqual([
      'NetworkPolicy shop/bad: rule 0: a peer is empty',
      'NetworkPolicy shop/bad: rule 0: a port number is out of range',
    ])
  })
})

describe('laws of NetworkPolicy', () => {
  const app = (value: string) => ({ matchLabels: { app: value } })
  const selector = fc.constantFrom({}, app('web'), app('api'), app('client'))
  const peer = fc.oneof(
    selector.map((podSelector): object => ({ podSelector })),
    selector.map((podSelector) => ({ namespaceSelector: { matchLabels: { team: 'ops' } }, podSelector })),
    fc.constantFrom<object>(
      { namespaceSelector: {} },
      { ipBlock: { cidr: '10.244.1.0/24' } },
      { ipBlock: { cidr: '0.0.0.0/0', except: ['10.244.0.0/16'] } },
    ),
  )
  const port = fc.constantFrom({ port: 8080 }, { port: 'http' }, { port: 1, endPort: 8999 }, { protocol: 'UDP' }, {})
  const optional = <T>(name: string, item: fc.Arbitrary<T>) =>
    fc.option(fc.array(item, { maxLength: 2 }), { nil: null }).map((l) => (l ? { [name]: l } : {}))
  const rule = (side: string) =>
    fc.tuple(optional(side, peer), optional('ports', port)).map(([x, y]) => ({ ...x, ...y }))
  const spec = fc.record({
    podSelector: selector,
    ingress: fc.array(rule('from'), { maxLength: 2 }),
    egress: fc.array(rule('to'), { maxLength: 2 }),
    policyTypes: fc.constantFrom([], ['Egress'], ['Ingress', 'Egress']),
  })
  const policies = fc.array(fc.tuple(fc.constantFrom('shop', 'tools'), spec), { maxLength: 4 })
  const ends = fc.constantFrom('shop/web', 'shop/api', 'tools/client', '203.0.113.9', 'node:node2', 'kube-system/proxy')
  const question = fc.tuple(ends, ends, fc.constantFrom(80, 8080, 9090), fc.constantFrom('tcp', 'udp'))
  const build = (list: readonly (readonly [string, object])[]) => list.map(([ns, s], i) => policy(ns, `p${i}`, s))

  it('one more policy only adds connections where the pod is isolated already', () => {
    fc.assert(
      fc.property(
        policies,
        fc.tuple(fc.constantFrom('shop', 'tools'), spec),
        question,
        (list, extra, [f, t, p, proto]) => {
          const before = evaluate(build(list), f, t, p, proto)
          const after = evaluate(build([extra, ...list]), f, t, p, proto)
          for (const direction of ['ingress', 'egress'] as const)
            if (before[direction].isolated && before[direction].decision === 'allow')
              expect(after[direction].decision).toBe('allow')
        },
      ),
      { numRuns: 300 },
    )
  })
  it('the order of policies does not matter', () => {
    fc.assert(
      fc.property(policies, question, (list, [f, t, p, proto]) => {
        const others = build(list)
        const forward = evaluate(others, f, t, p, proto)
        expect(evaluate([...others].reverse(), f, t, p, proto)).toEqual(forward)
      }),
      { numRuns: 200 },
    )
  })
  it('a deny always has a selecting policy and a miss for every rule', () => {
    fc.assert(
      fc.property(policies, question, (list, [f, t, p, proto]) => {
        const result = evaluate(build(list), f, t, p, proto)
        for (const d of [result.ingress, result.egress]) {
          if (d.decision !== 'deny') continue
          expect(d.policies.length).toBeGreaterThan(0)
          for (const r of d.considered.flatMap((c) => c.rules))
            expect(r.peers.flatMap((x) => x.misses).length + r.ports.flatMap((x) => x.misses).length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 300 },
    )
  })
  it('never throws on nonsense', () => {
    fc.assert(
      fc.property(
        fc.object({
          key: fc.constantFrom(
            'podSelector',
            'ingress',
            'egress',
            'from',
            'ports',
            'port',
            'ipBlock',
            'matchLabels',
            'policyTypes',
            'cidr',
          ),
          maxDepth: 5,
        }),
        (raw) => {
          const objects = world([{ ...policy('shop', 'p', '{}'), raw: { spec: raw } }])
          const ask = { from: end('tools/client'), to: end('shop/web'), protocol: 'tcp', port: 1 }
          expect(() => evaluatePolicy(objects, ask)).not.toThrow()
        },
      ),
      { numRuns: 200 },
    )
  })
})
