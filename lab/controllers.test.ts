/** The lab's controllers on objects alone: admission, EndpointSlices, DNS names, compiled policies. */
import { describe, expect, test } from 'vitest'
import { admit } from './admit.ts'
import { startObjects } from './content.ts'
import {
  describe as described,
  type KubeJson,
  listAt,
  mapAt,
  nameOf,
  namespaceOf,
  ofKind,
  stringsAt,
  textAt,
} from './kubejson.ts'
import { parseManifests } from './manifests.ts'
import { DEFAULT_OPTIONS, type LabOptions } from './plan.ts'
import { compilePolicies } from './policy/compile.ts'
import { policyIptables, policyNft } from './policy/render.ts'
import { clusterNames } from './server/names.ts'
import { withSlices } from './slices.ts'

const dual: LabOptions = { ...DEFAULT_OPTIONS, stack: 'dual' }

/** The start content of a lab after these manifests were applied. */
function applied(yaml: string, options: LabOptions = DEFAULT_OPTIONS): KubeJson[] {
  let all = startObjects(options)
  for (const object of yaml === '' ? [] : parseManifests(yaml, 'test')) {
    const before = all.find((o) => described(o) === described(object))
    const stored = admit(object, before, all, options)
    all = before ? all.map((o) => (o === before ? stored : o)) : [...all, stored]
  }
  return withSlices(all)
}

const slicesFor = (objects: KubeJson[], service: string) =>
  ofKind(objects, 'EndpointSlice')
    .filter((s) => mapAt(s, 'metadata', 'labels')['kubernetes.io/service-name'] === service)
    .map((s) => ({
      type: s.addressType,
      ports: listAt(s, 'ports').map((p) => p.port),
      endpoints: listAt(s, 'endpoints').map((e) => [stringsAt(e, 'addresses')[0], mapAt(e, 'conditions').ready]),
    }))

describe('EndpointSlices', () => {
  test('named ports, one slice per family', () => {
    expect(slicesFor(applied('', dual), 'api')).toEqual([
      {
        type: 'IPv4',
        ports: [9090],
        endpoints: [
          ['10.244.2.20', true],
          ['10.244.3.20', true],
        ],
      },
      {
        type: 'IPv6',
        ports: [9090],
        endpoints: [
          ['fd00:10:244:2::20', true],
          ['fd00:10:244:3::20', true],
        ],
      },
    ])
  })

  test('a pod that is not ready stays, not ready; one without the named port has no port', () => {
    const yaml = `
{ apiVersion: v1, kind: Pod, metadata: { name: api-1, namespace: shop }, status: { conditions: [ { type: Ready, status: "False" } ] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: web-1, namespace: shop, labels: { app: api } } }`
    expect(slicesFor(applied(yaml), 'api')).toEqual([
      { type: 'IPv4', ports: [], endpoints: [['10.244.2.10', true]] },
      {
        type: 'IPv4',
        ports: [9090],
        endpoints: [
          ['10.244.2.20', false],
          ['10.244.3.20', true],
        ],
      },
    ])
  })

  test('slices of a Service without a selector are left alone', () => {
    expect(slicesFor(applied(''), 'kubernetes')).toEqual([
      { type: 'IPv4', ports: [6443], endpoints: [['172.30.0.11', true]] },
    ])
  })
})

describe('admission', () => {
  test('a NodePort Service gets addresses and a port of its own; they stay when it is applied again', () => {
    const yaml =
      '{ apiVersion: v1, kind: Service, metadata: { name: x, namespace: shop }, spec: { type: NodePort, ports: [ { port: 1 } ] } }'
    const [once] = ofKind(applied(`${yaml}\n---\n${yaml}`), 'Service').filter((s) => nameOf(s) === 'x')
    expect(stringsAt(once!, 'spec', 'clusterIPs')).toEqual(['10.96.20.1'])
    expect(listAt(once!, 'spec', 'ports')).toEqual([{ port: 1, protocol: 'TCP', targetPort: 1, nodePort: 30100 }])
  })

  test('pods do not move, and get addresses nobody has', () => {
    const pod = (name: string) =>
      `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: shop }, spec: { nodeName: node1, containers: [ { name: a } ] } }`
    const made = ofKind(applied(`${pod('a')}\n---\n${pod('b')}`), 'Pod').filter(
      (p) => textAt(p, 'spec', 'nodeName') === 'node1',
    )
    expect(made.map((p) => textAt(p, 'status', 'podIP'))).toEqual(['10.244.1.100', '10.244.1.101'])
    expect(() => applied(pod('web-1'))).toThrow(/does not move/)
  })

  test.each([
    ['{ apiVersion: v1, kind: Node, metadata: { name: node9 } }', /makes no more/],
    [
      '{ apiVersion: v1, kind: Service, metadata: { name: a, namespace: shop }, spec: { ports: [ { port: 1, protocol: X } ] } }',
      /not TCP/,
    ],
    [
      '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: a, namespace: shop }, spec: {} }',
      /podSelector/,
    ],
    ['{ kind: Pod }', /apiVersion/],
    ['[1]', /not a map/],
    ['', /no object/],
  ])('refuses %s', (yaml, why) => {
    expect(() => (yaml === '' ? parseManifests('', 'test') : applied(yaml))).toThrow(why)
  })
})

describe('DNS names', () => {
  const names = clusterNames({ items: applied('', dual) })
  const at = (name: string) => names.records.get(name)?.map((r) => r.value)

  test.each([
    ['web.shop.svc.cluster.local', ['10.96.10.10', 'fd00:10:96::1010']],
    ['_http._tcp.web.shop.svc.cluster.local', ['web.shop.svc.cluster.local']],
    ['db.shop.svc.cluster.local', ['10.244.3.30', 'fd00:10:244:3::30']],
    ['db-0.db.shop.svc.cluster.local', ['10.244.3.30', 'fd00:10:244:3::30']],
    ['10-244-2-40.tools.pod.cluster.local', ['10.244.2.40']],
    ['shop.svc.cluster.local', []],
    ['nobody.shop.svc.cluster.local', undefined],
  ])('%s', (name, values) => {
    expect(at(name)).toEqual(values)
  })
})

describe('policies', () => {
  const policy = (spec: string, namespace = 'shop') =>
    `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: p, namespace: ${namespace} }, spec: ${spec} }`
  const compiled = (spec: string, namespace = 'shop') =>
    compilePolicies(applied(policy(spec, namespace))).map((p) => ({
      pod: `${p.namespace}/${p.name}`,
      ingress: p.ingress?.flatMap((x) => x.matches.map(flat)),
      egress: p.egress?.flatMap((x) => x.matches.map(flat)),
    }))
  const flat = (m: {
    peer: { cidr: string; except: readonly string[] } | null
    port: { protocol: string; from: number; to: number } | null
  }) =>
    `${m.peer ? [m.peer.cidr, ...m.peer.except].join('!') : '*'} ${m.port ? `${m.port.protocol} ${m.port.from}-${m.port.to}` : '*'}`
  const db = 'podSelector: { matchLabels: { app: db } }'

  test.each([
    ['no rules: nothing is let in', `{ ${db} }`, { ingress: [], egress: undefined }],
    ['an empty rule lets everything in', `{ ${db}, ingress: [ {} ] }`, { ingress: ['* *'], egress: undefined }],
    ['egress rules isolate egress without policyTypes', `{ ${db}, egress: [ {} ] }`, { ingress: [], egress: ['* *'] }],
    ['policyTypes: Egress alone', `{ ${db}, policyTypes: [ Egress ] }`, { ingress: undefined, egress: [] }],
    [
      'a podSelector peer is of the policy’s namespace',
      `{ ${db}, ingress: [ { from: [ { podSelector: { matchLabels: { app: client } } } ] } ] }`,
      { ingress: [] },
    ],
    [
      'a namespaceSelector and a podSelector in one peer both count',
      `{ ${db}, ingress: [ { from: [ { namespaceSelector: {}, podSelector: { matchLabels: { app: client } } } ] } ] }`,
      { ingress: ['10.244.2.40/32 *'] },
    ],
    [
      'NotIn matches an absent key',
      `{ ${db}, ingress: [ { from: [ { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }, podSelector: { matchExpressions: [ { key: app, operator: NotIn, values: [ x ] } ] } } ] } ] }`,
      { ingress: ['10.244.2.53/32 *', '10.244.3.53/32 *'] },
    ],
    [
      'a named port of the subject, and a range',
      `{ ${db}, ingress: [ { ports: [ { port: db }, { port: 80, endPort: 90 }, { port: nobody }, { protocol: UDP } ] } ] }`,
      { ingress: ['* tcp 5432-5432', '* tcp 80-90', '* udp 0-0'] },
    ],
    [
      'a named port of each peer for egress',
      `{ ${db}, policyTypes: [ Egress ], egress: [ { ports: [ { port: http } ] } ] }`,
      { egress: ['10.244.2.20/32 tcp 9090-9090', '10.244.3.20/32 tcp 9090-9090'] },
    ],
    [
      'blocks with exceptions',
      `{ ${db}, ingress: [ { from: [ { ipBlock: { cidr: 10.0.0.0/8, except: [ 10.1.0.0/16 ] } } ] } ] }`,
      { ingress: ['10.0.0.0/8!10.1.0.0/16 *'] },
    ],
  ])('%s', (_, spec, want) => {
    expect(compiled(spec)).toEqual([{ pod: 'shop/db-0', ingress: undefined, egress: undefined, ...want }])
  })

  test('a policy selects pods of its own namespace only', () => {
    expect(compiled('{ podSelector: {} }', 'tools').map((p) => p.pod)).toEqual(['tools/client'])
  })

  test('the rules name the policy and the pod; a later rendering deletes what is gone', () => {
    const pods = compilePolicies(applied(policy(`{ ${db}, ingress: [ {} ] }`)))
    const first = policyIptables(pods, 4, true, [])
    expect(first.text).toContain('--comment "run through nw policy name p namespace shop"')
    expect(first.text).toMatch(/rule to DROP ingress traffic of POD name:db-0 namespace: shop/)
    for (const chain of first.chains) {
      expect(chain.length).toBeLessThanOrEqual(28)
      expect(policyIptables([], 4, false, first.chains).text).toContain(`-X ${chain}`)
    }
    expect(policyNft(pods)).toMatch(/ip daddr 10\.244\.3\.30 jump KUBE-POD-FW-/)
  })
})

test('every object of the start content has a namespace that exists', () => {
  const all = startObjects(dual)
  const names = ofKind(all, 'Namespace').map(nameOf)
  for (const o of all) if (namespaceOf(o) !== '') expect(names).toContain(namespaceOf(o))
})
