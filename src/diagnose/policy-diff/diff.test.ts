import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collectFlows } from '../../flows/collect.ts'
import { evaluatePolicy } from '../../intent/policy/evaluate.ts'
import type { PolicyDifference } from '../../model/policy-diff.ts'
import { policyDiff } from './diff.ts'
import { DENY_EGRESS, load, policy, SHOP, workload } from './world.test-data.ts'

const diff = (before: string[], after: string[], flows?: string[]) => {
  const c = collectFlows()
  for (const f of flows ?? []) c.line(f)
  return policyDiff(load(...before), load(...after), {
    before: 'old',
    after: 'new',
    ...(flows ? { flows: c.done() } : {}),
  })
}
const line = (d: PolicyDifference) =>
  `${d.dns ? 'DNS ' : ''}${d.from} > ${d.to}: ${d.ports.join(',')} [${d.declared.join(',')}] ${d.because
    .map((b) => `${b.change} ${b.object}${b.alone ? '' : ' together'}${b.direction ? ` (${b.direction})` : ''}`)
    .join('; ')}`

describe('policyDiff', () => {
  it('equal sets: nothing', () => {
    const d = diff([SHOP, DENY_EGRESS], [SHOP, DENY_EGRESS])
    expect([d.lost, d.gained, d.unknown, d.changes, d.appeared, d.vanished]).toEqual([[], [], [], [], [], []])
  })
  it('an egress policy that forgot DNS: DNS first, the cause named', () => {
    const d = diff([SHOP], [SHOP, DENY_EGRESS])
    expect(d.lost.map(line)).toEqual([
      'DNS deploy/shop/web > deploy/kube-system/coredns: TCP,UDP,SCTP [TCP 5353,UDP 5353] added NetworkPolicy shop/no-egress (egress)',
      'deploy/shop/web > deploy/shop/api: TCP,UDP,SCTP [TCP 9090] added NetworkPolicy shop/no-egress (egress)',
      'deploy/shop/web > deploy/shop/web: TCP,UDP,SCTP [TCP 8080] added NetworkPolicy shop/no-egress (egress)',
      'deploy/shop/web > sts/shop/db: TCP,UDP,SCTP [TCP 5432] added NetworkPolicy shop/no-egress (egress)',
      'deploy/shop/web > deploy/tools/client: TCP,UDP,SCTP [] added NetworkPolicy shop/no-egress (egress)',
      'deploy/shop/web > external: TCP,UDP,SCTP [] added NetworkPolicy shop/no-egress (egress)',
    ])
    expect(d.changes).toEqual([{ change: 'added', object: 'NetworkPolicy shop/no-egress', place: 'm1.yaml:2' }])
    expect(diff([SHOP, DENY_EGRESS], [SHOP]).gained.map(line)).toContain(
      'deploy/shop/web > deploy/shop/api: TCP,UDP,SCTP [TCP 9090] removed NetworkPolicy shop/no-egress',
    )
  })
  it('one port of one pair; the other policy is no cause', () => {
    const allow = (port: number) =>
      policy(
        'shop',
        'api',
        `{ podSelector: { matchLabels: { app: api } }, ingress: [ { from: [ { podSelector: { matchLabels: { app: web } } } ], ports: [ { port: ${port} } ] } ] }`,
      )
    const unrelated = policy('tools', 'x', '{ podSelector: { matchLabels: { app: nobody } } }')
    const d = diff([SHOP, allow(9090)], [SHOP, allow(9091), unrelated])
    expect(d.lost.map(line)).toEqual([
      'deploy/shop/web > deploy/shop/api: TCP 9090 [TCP 9090] changed NetworkPolicy shop/api (ingress)',
    ])
    expect(d.gained.map(line)).toEqual([
      'deploy/shop/web > deploy/shop/api: TCP 9091 [] changed NetworkPolicy shop/api',
    ])
  })
  it('two that only together cut', () => {
    const isolate = policy('shop', 'deny', '{ podSelector: { matchLabels: { app: db } } }')
    const allow = (name: string) =>
      policy(
        'shop',
        name,
        '{ podSelector: { matchLabels: { app: db } }, ingress: [ { from: [ { podSelector: { matchLabels: { app: api } } } ] } ] }',
      )
    const d = diff([SHOP, isolate, allow('one'), allow('two')], [SHOP, isolate])
    expect(d.lost.map(line)).toEqual([
      'deploy/shop/api > sts/shop/db: TCP,UDP,SCTP [TCP 5432] removed NetworkPolicy shop/one together; removed NetworkPolicy shop/two together',
    ])
  })
  it('a label of the pods may be the cause', () => {
    const allow = policy(
      'shop',
      'db',
      '{ podSelector: { matchLabels: { app: db } }, ingress: [ { from: [ { podSelector: { matchLabels: { app: api } } } ] } ] }',
    )
    const relabelled = SHOP.replaceAll('{ app: api }', '{ app: api2 }')
    expect(diff([SHOP, allow], [relabelled, allow]).lost.map(line)).toEqual([
      'deploy/shop/api > sts/shop/db: TCP,UDP,SCTP [TCP 5432] changed deploy/shop/api (ingress)',
    ])
  })
  it('new and gone workloads are told apart', () => {
    const job = workload('DaemonSet', 'shop', 'agent', '{ app: agent }')
    const d = diff([SHOP], [SHOP, job])
    expect([d.lost, d.gained, d.appeared, d.vanished]).toEqual([[], [], ['ds/shop/agent'], []])
    expect(diff([SHOP, job], [SHOP]).vanished).toEqual(['ds/shop/agent'])
  })
  it('ranges outside, cut where either state cuts', () => {
    const to = (cidr: string) =>
      policy(
        'shop',
        'out',
        `{ podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [ { to: [ { ipBlock: { cidr: ${cidr} } } ] } ] }`,
      )
    const d = diff([SHOP, to('203.0.113.0/24')], [SHOP, to('203.0.113.128/25')])
    expect(d.lost.map(line)).toEqual([
      'deploy/shop/web > 203.0.113.0/25: TCP,UDP,SCTP [] changed NetworkPolicy shop/out (egress)',
    ])
    expect(d.gained).toEqual([])
  })
  it('what is not known is said, and not lost', () => {
    const odd = policy(
      'shop',
      'odd',
      '{ podSelector: { matchExpressions: [ { key: app, operator: Near, values: [web] } ] } }',
    )
    const d = diff([SHOP], [SHOP, odd])
    expect(d.lost).toEqual([])
    expect(d.unknown.length).toBeGreaterThan(0)
    expect(d.unknown[0]!.why.join()).toContain('shop/odd')
    expect(diff([SHOP, odd], [SHOP, odd]).unknown).toEqual([])
  })
  it('assumes the usual DNS where the manifests have none', () => {
    const app = workload('Deployment', 'shop', 'web', '{ app: web }')
    const d = diff([app], [app, DENY_EGRESS])
    expect(line(d.lost[0]!)).toBe(
      'DNS deploy/shop/web > deploy/kube-system/coredns: TCP,UDP,SCTP [TCP 53,UDP 53] added NetworkPolicy shop/no-egress (egress)',
    )
    expect(d.notes.join()).toContain('assumed')
  })
  it('one of two DNS servers lost is not all of it', () => {
    const second = workload(
      'Deployment',
      'kube-system',
      'dns-two',
      '{ k8s-app: kube-dns, n: two }',
      '{ containerPort: 5353, name: dns, protocol: UDP }',
    )
    const guard = policy('kube-system', 'two', '{ podSelector: { matchLabels: { n: two } } }')
    const d = diff([SHOP, second], [SHOP, second, guard])
    const dns = d.lost.filter((l) => l.dns && l.from === 'deploy/shop/web')
    expect(dns.map((l) => [l.to, l.dnsLeft])).toEqual([['deploy/kube-system/dns-two', ['deploy/kube-system/coredns']]])
    expect(diff([SHOP], [SHOP, DENY_EGRESS]).lost[0]).not.toHaveProperty('dnsLeft')
  })
  it('replicas talk to each other', () => {
    const d = diff([SHOP], [SHOP, policy('shop', 'db', '{ podSelector: { matchLabels: { app: db } } }')])
    expect(d.lost.map((l) => `${l.from} > ${l.to}`)).toContain('sts/shop/db > sts/shop/db')
  })
})

describe('flows', () => {
  const flows = [
    '{"from":"deploy/shop/web","to":"10.96.0.10","protocol":"udp","port":53,"rate":214}',
    '{"from":"deploy/shop/web","to":"svc/shop/api:80","port":80,"count":3}',
    '{"from":"deploy/shop/api","to":"sts/shop/db","port":5432,"count":5}',
    '{"from":"deploy/shop/gone","to":"sts/shop/db","port":5432,"count":2}',
    '{"from":"node/node1","to":"sts/shop/db","port":5432,"count":4}',
  ]
  it('weigh what is lost', () => {
    const d = diff([SHOP], [SHOP, DENY_EGRESS], flows)
    expect(d.flows?.cut).toEqual([
      {
        from: 'deploy/shop/web',
        to: 'deploy/kube-system/coredns',
        port: 'UDP 5353',
        flows: 1,
        flowsPerMinute: 214,
        unsure: false,
      },
      { from: 'deploy/shop/web', to: 'deploy/shop/api', port: 'TCP 9090', flows: 3, unsure: false },
    ])
    expect(d.lost.slice(0, 2).map((l) => [l.to, l.flows, l.flowsPerMinute])).toEqual([
      ['deploy/kube-system/coredns', 1, 214],
      ['deploy/shop/api', 3, undefined],
    ])
    expect(d.flows?.notes).toEqual([
      expect.stringMatching(/^4 flows of nodes/),
      expect.stringMatching(/^2 flows of pods that are not among/),
    ])
  })
  it('flows that the first state refuses are pointed out', () => {
    expect(diff([SHOP, DENY_EGRESS], [SHOP], flows).flows?.notes.join()).toContain('4 flows seen though')
  })
})

const LABELS = ['a', 'b', 'c']
const peer = fc.constantFrom(
  ...LABELS.map((l) => `podSelector: { matchLabels: { app: ${l} } }`),
  'podSelector: {}',
  'namespaceSelector: {}',
  'ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] }',
)
const port = fc.constantFrom('{ port: 80 }', '{ port: 53, protocol: UDP }', '{ port: 8000, endPort: 8010 }')
const rule = (side: string) =>
  fc
    .tuple(fc.array(peer, { maxLength: 2 }), fc.array(port, { maxLength: 2 }))
    .map(
      ([peers, ports]) =>
        `{ ${[
          peers.length > 0 ? `${side}: [ ${peers.map((p) => `{ ${p} }`).join(', ')} ]` : '',
          ports.length > 0 ? `ports: [ ${ports.join(', ')} ]` : '',
        ]
          .filter((x) => x !== '')
          .join(', ')} }`,
    )
const spec = fc
  .tuple(
    fc.constantFrom('{}', ...LABELS.map((l) => `{ matchLabels: { app: ${l} } }`)),
    fc.array(rule('from'), { maxLength: 2 }),
    fc.array(rule('to'), { maxLength: 2 }),
  )
  .map(
    ([s, i, e]) =>
      `{ podSelector: ${s}, policyTypes: [Ingress, Egress], ingress: [ ${i.join(', ')} ], egress: [ ${e.join(', ')} ] }`,
  )
const policies = fc
  .array(spec, { maxLength: 4 })
  .map((list) => list.map((s, i) => policy('shop', `p${i}`, s)).join('\n'))
const apps = LABELS.map((l) => workload('Deployment', 'shop', l, `{ app: ${l} }`, '{ containerPort: 80 }')).join('\n')

describe('properties', () => {
  it('a pair and port is lost or gained exactly when the single answers say so', () => {
    fc.assert(
      fc.property(policies, policies, (x, y) => {
        const [before, after] = [load(apps, x), load(apps, y)]
        const d = policyDiff(before, after, { before: '', after: '' })
        const listed = (list: readonly PolicyDifference[], from: string, to: string, protocol: string, port: number) =>
          list.some(
            (e) =>
              e.from === `deploy/shop/${from}` &&
              e.to === `deploy/shop/${to}` &&
              e.ports.some((p) => {
                const [, of, low, high] = /^(\w+)(?: (\d+)(?:-(\d+))?)?$/.exec(p)!
                return of === protocol && (low === undefined || (port >= Number(low) && port <= Number(high ?? low)))
              }),
          )
        const ends = LABELS.map((name) => ({ kind: 'pod' as const, namespace: 'shop', name }))
        for (const from of ends)
          for (const to of ends.filter((e) => e !== from))
            for (const [protocol, port] of [
              ['TCP', 80],
              ['UDP', 53],
              ['TCP', 8005],
              ['SCTP', 9],
            ] as const) {
              const of = (o: typeof before) => evaluatePolicy(o, { from, to, protocol, port }).decision
              const pair = `${of(before)} ${of(after)}`
              const here = [from.name, to.name, protocol, port] as const
              expect([listed(d.lost, ...here), pair]).toEqual([pair === 'allow deny', pair])
              expect([listed(d.gained, ...here), pair]).toEqual([pair === 'deny allow', pair])
            }
      }),
      { numRuns: 40 },
    )
  })
  it('a cause that does it alone does: the earlier state with that change refuses', () => {
    fc.assert(
      fc.property(policies, policies, (x, y) => {
        const [before, after] = [load(apps, x), load(apps, y)]
        for (const l of policyDiff(before, after, { before: '', after: '' }).lost)
          for (const b of l.because.filter(
            (c) => c.alone && l.from.startsWith('deploy/') && l.to.startsWith('deploy/'),
          )) {
            const name = b.object.replace('NetworkPolicy shop/', '')
            const swapped = {
              ...before,
              others: [
                ...before.others.filter((o) => o.meta.name !== name),
                ...after.others.filter((o) => o.meta.name === name),
              ],
            }
            const again = policyDiff(before, swapped, { before: '', after: '' })
            expect(again.lost.some((e) => e.from === l.from && e.to === l.to)).toBe(true)
          }
      }),
      { numRuns: 8 },
    )
  })
  it('equal sets never differ; what one way loses the other way gains', () => {
    fc.assert(
      fc.property(policies, policies, (x, y) => {
        const same = diff([apps, x], [apps, x])
        expect([same.lost, same.gained, same.unknown]).toEqual([[], [], []])
        const names = (list: readonly PolicyDifference[]) => list.map((d) => `${d.from} ${d.to} ${d.ports}`).sort()
        const forth = diff([apps, x], [apps, y])
        const back = diff([apps, y], [apps, x])
        expect(names(forth.lost).join('\n')).toBe(names(back.gained).join('\n'))
      }),
      { numRuns: 40 },
    )
  })
})
