/** The corners of NetworkPolicy that evaluators get wrong, one row each: reference/policy-semantics.md section 2. */
import { describe, expect, it } from 'vitest'
import type { OtherObject } from '../../kubeobj/objects.ts'
import { evaluatePolicy, evaluator, policyCluster } from './index.ts'
import { end, pod, policy, world } from './world.test-data.ts'

const web = (rest: string) => policy('shop', 'p', `{ podSelector: { matchLabels: { app: web } }, ${rest} }`)
const all = (rest: string) => policy('shop', 'p', `{ podSelector: {}, ${rest} }`)
const isolatedBoth = all('policyTypes: [Ingress, Egress]')
const C = 'tools/client shop/web tcp/8080'

const rows: [corner: string, policies: readonly OtherObject[], question: string, 'allow' | 'deny' | 'unknown'][] = [
  ['policyTypes left out: ingress only', [web('ingress: []')], 'shop/web tools/client tcp/1', 'allow'],
  [
    'policyTypes left out, with an egress rule',
    [web('egress: [ { ports: [ { port: 1 } ] } ]')],
    'shop/web tools/client tcp/2',
    'deny',
  ],
  ['policyTypes left out, egress: []', [web('egress: []')], 'shop/web tools/client tcp/2', 'allow'],
  ['empty from list: everyone', [web('ingress: [ { from: [] } ]')], '203.0.113.9 shop/web tcp/1', 'allow'],
  ['empty podSelector in from: the namespace', [web('ingress: [ { from: [ { podSelector: {} } ] } ]')], C, 'deny'],
  ['[{}]: everyone', [web('ingress: [ {} ]')], C, 'allow'],
  ['[]: nobody', [web('ingress: []')], C, 'deny'],
  [
    'namespaceSelector AND podSelector in one peer',
    [web('ingress: [ { from: [ { namespaceSelector: {}, podSelector: { matchLabels: { app: x } } } ] } ]')],
    C,
    'deny',
  ],
  [
    'OR across peers',
    [web('ingress: [ { from: [ { namespaceSelector: {} }, { podSelector: { matchLabels: { app: x } } } ] } ]')],
    C,
    'allow',
  ],
  [
    'NotIn with the key absent',
    [
      web(
        'ingress: [ { from: [ { namespaceSelector: {}, podSelector: { matchExpressions: [ { key: nope, operator: NotIn, values: [x] } ] } } ] } ]',
      ),
    ],
    C,
    'allow',
  ],
  [
    'matchLabels with an empty value, key absent',
    [web('ingress: [ { from: [ { namespaceSelector: {}, podSelector: { matchLabels: { nope: "" } } } ] } ]')],
    C,
    'deny',
  ],
  [
    'implied kubernetes.io/metadata.name',
    [web('ingress: [ { from: [ { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: tools } } } ] } ]')],
    C,
    'allow',
  ],
  [
    'ipBlock except',
    [web('ingress: [ { from: [ { ipBlock: { cidr: 203.0.113.0/24, except: [ 203.0.113.9/32 ] } } ] } ]')],
    '203.0.113.9 shop/web tcp/1',
    'deny',
  ],
  [
    'ipBlock: overlapping blocks',
    [
      web(
        'ingress: [ { from: [ { ipBlock: { cidr: 203.0.113.0/24, except: [ 203.0.113.9/32 ] } }, { ipBlock: { cidr: 203.0.113.0/28 } } ] } ]',
      ),
    ],
    '203.0.113.9 shop/web tcp/1',
    'allow',
  ],
  [
    'ipBlock with host bits',
    [web('ingress: [ { from: [ { ipBlock: { cidr: 203.0.113.200/24 } } ] } ]')],
    '203.0.113.9 shop/web tcp/1',
    'allow',
  ],
  [
    'ipBlock finding a pod by its address',
    [web('ingress: [ { from: [ { ipBlock: { cidr: 10.244.1.0/24 } } ] } ]')],
    C,
    'allow',
  ],
  [
    'IPv6',
    [all('ingress: [ { from: [ { ipBlock: { cidr: "2001:db8::/32" } } ] } ]')],
    '2001:db9::1 shop/dual tcp/1',
    'deny',
  ],
  [
    'named port per pod',
    [all('ingress: [ { ports: [ { port: http } ] } ]')],
    'tools/client shop/api tcp/9090',
    'allow',
  ],
  ['named port, protocol mismatch', [all('ingress: [ { ports: [ { port: http, protocol: UDP } ] } ]')], C, 'deny'],
  [
    'named port of UDP, asked by TCP',
    [all('ingress: [ { ports: [ { port: sync, protocol: UDP } ] } ]')],
    'tools/client shop/api tcp/7000',
    'deny',
  ],
  ['named port, absent', [all('ingress: [ { ports: [ { port: nope } ] } ]')], C, 'deny'],
  [
    'named port of an init sidecar',
    [all('ingress: [ { ports: [ { port: mesh } ] } ]')],
    'tools/client shop/car tcp/15090',
    'allow',
  ],
  [
    'named port of an init container that ends',
    [all('ingress: [ { ports: [ { port: setup } ] } ]')],
    'tools/client shop/car tcp/15091',
    'deny',
  ],
  [
    'egress by named port with no to',
    [all('policyTypes: [Egress], egress: [ { ports: [ { port: http } ] } ]')],
    'shop/web tools/client tcp/80',
    'deny',
  ],
  ['endPort, its edge', [web('ingress: [ { ports: [ { port: 8000, endPort: 8080 } ] } ]')], C, 'allow'],
  ['endPort, past its edge', [web('ingress: [ { ports: [ { port: 8000, endPort: 8079 } ] } ]')], C, 'deny'],
  ['SCTP', [web('ingress: [ { ports: [ { port: 8080, protocol: SCTP } ] } ]')], C, 'deny'],
  [
    'protocol without port: that protocol',
    [web('ingress: [ { ports: [ { protocol: UDP } ] } ]')],
    'tools/client shop/web udp/5',
    'allow',
  ],
  ['protocol without port: no other', [web('ingress: [ { ports: [ { protocol: UDP } ] } ]')], C, 'deny'],
  [
    'port without protocol: TCP',
    [web('ingress: [ { ports: [ { port: 8080 } ] } ]')],
    'tools/client shop/web udp/8080',
    'deny',
  ],
  ['node to its own pods', [isolatedBoth], 'node:node1 shop/web tcp/1', 'allow'],
  ['another node', [isolatedBoth], 'node:node2 shop/web tcp/1', 'deny'],
  [
    'hostNetwork pods are not selectable',
    [policy('kube-system', 'p', '{ podSelector: {} }')],
    'tools/client kube-system/proxy tcp/1',
    'allow',
  ],
  [
    'hostNetwork pods are no selector’s peers',
    [all('ingress: [ { from: [ { namespaceSelector: {} } ] } ]')],
    'kube-system/proxy shop/api tcp/1',
    'deny',
  ],
  [
    'a Service’s address: the port after translation is not known',
    [web('policyTypes: [Egress], egress: [ { ports: [ { port: 8080 } ] } ]')],
    'shop/web 10.96.0.90 tcp/8080',
    'unknown',
  ],
  [
    'ipBlock of a ClusterIP does not admit the pods behind it',
    [web('policyTypes: [Egress], egress: [ { to: [ { ipBlock: { cidr: 10.96.0.90/32 } } ] } ]')],
    'shop/web shop/api tcp/9090',
    'deny',
  ],
  ['ICMP is not defined', [web('ingress: [ { ports: [ { port: 1 } ] } ]')], 'tools/client shop/web icmp', 'unknown'],
  ['ICMP with a rule for everything', [web('ingress: [ {} ]')], 'tools/client shop/web icmp', 'allow'],
  ['a pod to itself', [isolatedBoth], 'shop/web shop/web tcp/1', 'allow'],
  ['completed pods have no network', [], 'shop/old shop/api tcp/1', 'unknown'],
  [
    'the address of a completed pod is an outsider’s',
    [web('ingress: [ { from: [ { podSelector: {} } ] } ]')],
    '10.244.1.66 shop/web tcp/1',
    'deny',
  ],
  [
    'pods without an address: by selector',
    [web('ingress: [ { from: [ { podSelector: {} } ] } ]')],
    'shop/pending shop/web tcp/1',
    'allow',
  ],
  [
    'pods without an address: by block',
    [web('ingress: [ { from: [ { ipBlock: { cidr: 10.244.0.0/16 } } ] } ]')],
    'shop/pending shop/web tcp/1',
    'unknown',
  ],
  ['pods without an address are isolated too', [all('ingress: []')], 'tools/client shop/pending tcp/1', 'deny'],
]

const car = pod('shop', 'car', { app: 'car' }, 'node2', ['10.244.2.40'])
const port = (name: string, containerPort: number) => ({ name, containerPort, protocol: 'TCP' })
const carWithSidecar = {
  ...car,
  containers: [...car.containers, { ...car.containers[0]!, name: 'mesh', sidecar: true, ports: [port('mesh', 15090)] }],
  initContainers: [{ name: 'setup', ports: [port('setup', 15091)] }],
}

describe('corners', () => {
  it.each(rows)('%s', (_corner, policies, question, decision) => {
    const base = world(policies)
    const objects = { ...base, pods: [...base.pods, carWithSidecar, pod('shop', 'pending', {}, 'node2', [])] }
    const [from, to, service] = question.split(' ')
    const [protocol, number] = service!.split('/')
    const asked = {
      from: end(from!),
      to: end(to!),
      protocol: protocol!,
      port: number === undefined ? null : Number(number),
    }
    expect(evaluatePolicy(objects, asked).decision).toBe(decision)
    expect(evaluator(policyCluster(objects)).decide(asked)).toBe(decision)
  })
})
