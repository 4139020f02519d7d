import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collectFlows } from '../../flows/collect.ts'
import { loadManifests } from '../../manifests/load.ts'
import { load, policy, SHOP, workload } from '../policy-diff/world.test-data.ts'
import { generatePolicies } from './generate.ts'
import { verifyPolicies } from './verify.ts'
import { writePolicies } from './write.ts'

function generated(manifests: string[], lines: string[] | null, namespace: string | null = null) {
  const objects = load(...manifests)
  const c = collectFlows()
  for (const l of lines ?? []) expect(c.line(l)).toBeNull()
  const g = generatePolicies(objects, { flows: lines ? c.done() : null, namespace })
  const yaml = writePolicies(g.policies)
  const back = loadManifests([{ path: 'generated.yaml', text: yaml }])
  expect(back.issues).toEqual([])
  expect(back.objects.others.length).toBe(g.policies.length)
  return { g, yaml, v: verifyPolicies(objects, back.objects.others, g) }
}

const flow = (from: string, to: string, port: number, more = '') =>
  `{"from":"${from}","to":"${to}","port":${port},"rate":2${more}}`
const FLOWS = [
  flow('deploy/shop/web', 'svc/shop/api', 80),
  flow('deploy/shop/api', 'sts/shop/db', 5432),
  flow('deploy/tools/client', 'deploy/shop/web', 8080),
  flow('deploy/shop/web', '10.96.0.10', 53, ',"protocol":"udp"'),
  flow('deploy/shop/api', '203.0.113.8', 443),
  flow('deploy/shop/api', '203.0.113.9', 443),
  flow('198.51.100.7', 'deploy/shop/web', 8080),
]

const golden = new URL('./golden/shop.yaml', import.meta.url)

describe('generatePolicies from flows', () => {
  it('writes what was seen, and nothing else is allowed but its own DNS', () => {
    const { yaml, v, g } = generated([SHOP], FLOWS)
    if (process.env.UPDATE_GOLDEN) writeFileSync(golden, yaml)
    expect(yaml).toBe(readFileSync(golden, 'utf8'))
    expect(v.refused).toEqual([])
    expect(v.allowed).toBe(v.wanted)
    expect(v.beyond).toEqual([])
    expect(g.notes).toEqual(['no policy for kube-system: name it with -n to get one'])
  })
  it('tells what it left out', () => {
    const { g } = generated(
      [SHOP],
      [
        ...FLOWS,
        flow('deploy/shop/gone', 'sts/shop/db', 5432),
        flow('node/n1', 'sts/shop/db', 5432),
        flow('deploy/shop/web', 'sts/shop/db', 5432, ',"verdict":"dropped"'),
      ],
    )
    expect(g.notes).toEqual([
      expect.stringMatching(/^1 flow of nodes/),
      expect.stringMatching(/^1 flow of pods that are not among/),
      expect.stringMatching(/^1 flow refused/),
      expect.stringMatching(/^no policy for kube-system/),
    ])
  })
  it('a workload nobody was seen to talk to is left alone', () => {
    const quiet = workload('Deployment', 'shop', 'idle', '{ app: idle }')
    const { g } = generated([SHOP, quiet], FLOWS)
    expect(g.notes[0]).toContain('deploy/shop/idle')
    expect(g.policies.map((p) => p.name)).not.toContain('idle-allow')
  })
  it('one namespace only', () => {
    expect(generated([SHOP], FLOWS, 'tools').g.policies.map((p) => `${p.namespace}/${p.name}`)).toEqual([
      'tools/client-allow',
    ])
  })
  it('the DNS itself, when asked for, answers everybody', () => {
    const { g, v } = generated([SHOP], FLOWS, 'kube-system')
    expect(JSON.stringify(g.policies[0]!.ingress)).toContain('{"namespaceSelector":{}}')
    expect(v.refused).toEqual([])
  })
  it('without DNS pods the usual ones', () => {
    const app = workload('Deployment', 'shop', 'web', '{ app: web }')
    const { yaml, g } = generated([app], [flow('deploy/shop/web', '203.0.113.8', 443)])
    expect(yaml).toContain('k8s-app: kube-dns')
    expect(g.notes.join()).toContain('assumed')
  })
  it('many addresses outside become all public ones, which is told', () => {
    const many = Array.from({ length: 40 }, (_, i) => flow('deploy/shop/api', `203.0.${i * 2}.9`, 443))
    const { yaml, v } = generated([SHOP], many)
    expect(yaml).toContain('cidr: 0.0.0.0/0')
    expect(yaml).toContain('too many to list')
    expect(v.refused).toEqual([])
    expect(v.beyond.length).toBeGreaterThan(0)
  })
  it('neighbours are one block', () => {
    expect(generated([SHOP], FLOWS).yaml).toContain('cidr: 203.0.113.8/31')
  })
  it('a policy of the admin tier that refuses is named', () => {
    const admin = `
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: no-db }
spec:
  priority: 1
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: db } } } }
  ingress: [ { action: Deny, from: [ { namespaces: {} } ] } ]
---`
    const { v } = generated([SHOP, admin], FLOWS)
    expect(v.refused).toEqual([
      { connection: 'deploy/shop/api → sts/shop/db TCP 5432', why: 'ingress is refused by AdminNetworkPolicy no-db' },
    ])
  })
  it('names of policies that are there are not taken', () => {
    const old = policy('shop', 'web-allow', '{ podSelector: {} }')
    const { g, v } = generated([SHOP, old], FLOWS)
    expect(g.policies.map((p) => p.name)).toContain('deploy-web-allow')
    expect(v.setAside).toEqual(['shop/web-allow'])
  })
})

describe('selectors', () => {
  const selectorOf = (labels: string, ...others: string[]) => {
    const all = [
      workload('Deployment', 'shop', 'me', labels),
      ...others.map((o, i) => workload('Deployment', 'shop', `o${i}`, o)),
    ]
    const { g, v } = generated(all, [flow('deploy/shop/me', '203.0.113.8', 443)])
    expect(v.refused).toEqual([])
    return g.policies[0]?.podSelector
  }
  it.each<[string, string, string[], unknown]>([
    ['app alone', '{ app: me, pod-template-hash: abc, tier: x }', ['{ app: other }'], { matchLabels: { app: 'me' } }],
    [
      'the recommended name first',
      '{ app: me, app.kubernetes.io/name: me }',
      [],
      { matchLabels: { 'app.kubernetes.io/name': 'me' } },
    ],
    [
      'two where one is shared',
      '{ app: shop, tier: me }',
      ['{ app: shop, tier: x }', '{ app: other, tier: me }'],
      { matchLabels: { app: 'shop', tier: 'me' } },
    ],
    [
      'never a version or a hash',
      '{ version: v1, pod-template-hash: abc, helm.sh/chart: c, x: z }',
      [],
      { matchLabels: { x: 'z' } },
    ],
    [
      'a label that only others have',
      '{ app: me }',
      ['{ app: me, track: canary }'],
      { matchLabels: { app: 'me' }, matchExpressions: [{ key: 'track', operator: 'DoesNotExist' }] },
    ],
    ['nothing to select by', '{ pod-template-hash: abc }', [], undefined],
    ['texts that YAML would take for other things', '{ app: "on", x: "1e3" }', [], { matchLabels: { app: 'on' } }],
  ])('%s', (_, labels, others, expected) => {
    expect(selectorOf(labels, ...others)).toEqual(expected)
  })
})

describe('generatePolicies from the matrix', () => {
  it('Services that exist, and who may reach them now', () => {
    const api = policy(
      'shop',
      'api',
      '{ podSelector: { matchLabels: { app: api } }, ingress: [ { from: [ { podSelector: { matchLabels: { app: web } } } ] } ] }',
    )
    const { g, v } = generated([SHOP, api], null)
    expect(v.refused).toEqual([])
    const ingress = g.policies.find((p) => p.name === 'api-allow')!.ingress
    expect(ingress).toEqual([
      {
        comment: 'deploy/shop/web: TCP 9090 (svc/shop/api)',
        peers: [{ podSelector: { matchLabels: { app: 'web' } } }],
        ports: [{ port: 'http' }],
      },
    ])
    expect(g.notes.join()).toContain('give --flows')
  })
})

describe('properties', () => {
  const NAMES = ['a', 'b', 'c', 'd']
  const label = fc.constantFrom(
    '{ app: x }',
    '{ app: y }',
    '{ app: x, tier: "1" }',
    '{ tier: "1" }',
    '{ app.kubernetes.io/name: "yes" }',
    '{}',
  )
  const end = fc.oneof(
    fc.tuple(fc.constantFrom('one', 'two'), fc.constantFrom(...NAMES)).map(([ns, n]) => `deploy/${ns}/${n}`),
    fc.integer({ min: 1, max: 250 }).map((n) => `203.0.113.${n}`),
  )
  it('whatever the labels and flows, all of them are allowed', () => {
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 8, maxLength: 8 }),
        fc.array(fc.tuple(end, end, fc.constantFrom(80, 443, 8080), fc.constantFrom('tcp', 'udp', 'sctp')), {
          minLength: 1,
          maxLength: 12,
        }),
        (labels, list) => {
          const all = ['one', 'two'].flatMap((ns, i) =>
            NAMES.map((n, k) => workload('Deployment', ns, n, labels[i * 4 + k]!, '{ containerPort: 80, name: http }')),
          )
          const lines = list.map(([from, to, port, protocol]) => flow(from, to, port, `,"protocol":"${protocol}"`))
          const { v } = generated(all, lines)
          expect(v.refused).toEqual([])
        },
      ),
      { numRuns: 60 },
    )
  })
})
