/** Cilium's corners, each with what would be wrong otherwise. After pkg/policy tests, policy/utils and the policy language docs. */
import { describe, expect, it } from 'vitest'
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import { evaluatePolicy } from '../index.ts'
import { end, other, policy, service, world } from '../world.test-data.ts'

const cnp = (spec: string, namespace = 'shop', name = 'p') =>
  other('cilium.io/v2', 'CiliumNetworkPolicy', namespace, name, spec)
const ccnp = (spec: string, name = 'p') => other('cilium.io/v2', 'CiliumClusterwideNetworkPolicy', '', name, spec)
const specs = (text: string): OtherObject => {
  const { raw, ...rest } = cnp(text)
  return { ...rest, raw: { specs: raw.spec } }
}

function ask(others: readonly OtherObject[], text: string, more: Partial<KubeObjects> = {}) {
  const [from, to, what = 'tcp/8080'] = text.split(' ')
  const [protocol, port] = what.split('/')
  return evaluatePolicy(world(others, more), {
    from: end(from!),
    to: end(to!),
    protocol: protocol!,
    port: port === undefined ? null : Number(port),
  })
}

const WEB = 'endpointSelector: { matchLabels: { app: web } }'
const CLIENT = 'endpointSelector: { matchLabels: { app: client } }'
const ingress = (rules: string, more = '') => cnp(`{ ${WEB}, ingress: [${rules}]${more} }`)
const wide = (rules: string) => ccnp(`{ ${WEB}, ingress: [${rules}] }`)
const egress = (rules: string) => cnp(`{ ${CLIENT}, egress: [${rules}] }`, 'tools')
/** tools/client (10.244.1.20, node1) to shop/web (10.244.1.10, node1). */
const C = 'tools/client shop/web'
/** shop/api (node2) to shop/web. */
const A = 'shop/api shop/web'
const OUT = '203.0.113.9 shop/web'

type Row = readonly [what: string, policies: readonly OtherObject[], ask: string, decision: string]

const ROWS: readonly Row[] = [
  // Empty and absent.
  ['an empty rule allows nothing, other than in NetworkPolicy', [ingress('{}')], A, 'deny'],
  ['no rules isolate nobody', [cnp(`{ ${WEB}, ingress: [] }`)], A, 'allow'],
  ['no section isolates nobody', [ingress('{}')], 'shop/web shop/api', 'allow'],
  ['fromEndpoints [{}]: the own namespace', [ingress('{ fromEndpoints: [{}] }')], A, 'allow'],
  ['fromEndpoints [{}]: no other namespace', [ingress('{ fromEndpoints: [{}] }')], C, 'deny'],
  ['fromEndpoints []: nobody', [ingress('{ fromEndpoints: [] }')], A, 'deny'],
  [
    'fromEndpoints [] with ports: nobody',
    [ingress('{ fromEndpoints: [], toPorts: [{ ports: [{ port: "8080" }] }] }')],
    A,
    'deny',
  ],
  ['fromEntities []: nobody', [ingress('{ fromEntities: [], toPorts: [{ ports: [{ port: "8080" }] }] }')], A, 'deny'],
  ['only ports: everybody on them', [ingress('{ toPorts: [{ ports: [{ port: "8080" }] }] }')], OUT, 'allow'],
  ['toPorts []: every port of these', [ingress('{ fromEndpoints: [{}], toPorts: [] }')], A, 'allow'],
  ['clusterwide fromEndpoints [{}]: every pod', [wide('{ fromEndpoints: [{}] }')], C, 'allow'],
  ['clusterwide fromEndpoints [{}]: not the world', [wide('{ fromEndpoints: [{}] }')], OUT, 'deny'],
  [
    'clusterwide endpointSelector {}: every namespace',
    [ccnp('{ endpointSelector: {}, ingress: [{}] }')],
    'shop/web tools/client',
    'deny',
  ],
  [
    'namespaced endpointSelector {}: its own',
    [cnp('{ endpointSelector: {}, ingress: [{}] }')],
    'shop/web tools/client',
    'allow',
  ],
  [
    'host-network pods are no subjects',
    [ccnp('{ endpointSelector: {}, ingress: [{}] }')],
    'tools/client kube-system/proxy',
    'allow',
  ],

  // Selectors.
  [
    'namespace label overrides the own namespace',
    [ingress('{ fromEndpoints: [{ matchLabels: { "k8s:io.kubernetes.pod.namespace": tools } }] }')],
    C,
    'allow',
  ],
  [
    '… and leaves the own out',
    [ingress('{ fromEndpoints: [{ matchLabels: { io.kubernetes.pod.namespace: tools } }] }')],
    A,
    'deny',
  ],
  [
    'labels of the namespace',
    [ingress('{ fromEndpoints: [{ matchLabels: { "k8s:io.cilium.k8s.namespace.labels.team": ops } }] }')],
    C,
    'allow',
  ],
  [
    'any namespace',
    [
      ingress(
        '{ fromEndpoints: [{ matchExpressions: [{ key: "k8s:io.kubernetes.pod.namespace", operator: Exists }] }] }',
      ),
    ],
    C,
    'allow',
  ],
  ['prefix k8s:', [ingress('{ fromEndpoints: [{ matchLabels: { "k8s:app": api } }] }')], A, 'allow'],
  ['prefix any:', [ingress('{ fromEndpoints: [{ matchLabels: { "any:app": api } }] }')], A, 'allow'],
  [
    'another source is not known',
    [ingress('{ fromEndpoints: [{ matchLabels: { "container:app": api } }] }')],
    A,
    'unknown',
  ],
  [
    'a label that is no part of the identity',
    [ingress('{ fromEndpoints: [{ matchLabels: { pod-template-hash: x } }] }')],
    A,
    'unknown',
  ],
  [
    'app.kubernetes.io is part of it',
    [ingress('{ fromEndpoints: [{ matchLabels: { app.kubernetes.io/name: x } }] }')],
    A,
    'deny',
  ],
  [
    'a service account',
    [ingress('{ fromEndpoints: [{ matchLabels: { io.cilium.k8s.policy.serviceaccount: default } }] }')],
    A,
    'allow',
  ],
  [
    'the name of the cluster is not in the evidence',
    [ingress('{ fromEndpoints: [{ matchLabels: { io.cilium.k8s.policy.cluster: x } }] }')],
    A,
    'unknown',
  ],
  [
    'a foreign namespace in endpointSelector is ignored',
    [
      cnp(
        '{ endpointSelector: { matchLabels: { app: web, "k8s:io.kubernetes.pod.namespace": tools } }, ingress: [{}] }',
      ),
    ],
    A,
    'deny',
  ],
  [
    'reserved labels are entities',
    [ingress('{ fromEndpoints: [{ matchLabels: { "reserved:world": "" } }] }')],
    OUT,
    'allow',
  ],
  [
    'endpointSelector of reserved labels: no pods',
    [ccnp('{ endpointSelector: { matchLabels: { "reserved:ingress": "" } }, ingress: [{}] }')],
    A,
    'allow',
  ],

  // Entities.
  ['all', [ingress('{ fromEntities: [all] }')], OUT, 'allow'],
  ['world', [ingress('{ fromEntities: [world] }')], OUT, 'allow'],
  ['world is not a pod', [ingress('{ fromEntities: [world] }')], C, 'deny'],
  ['world is not a node', [ingress('{ fromEntities: [world] }')], 'node:node2 shop/web', 'deny'],
  ['world-ipv4', [ingress('{ fromEntities: [world-ipv4] }')], OUT, 'allow'],
  ['world-ipv6', [ingress('{ fromEntities: [world-ipv6] }')], OUT, 'deny'],
  ['cluster: pods of every namespace', [ingress('{ fromEntities: [cluster] }')], C, 'allow'],
  ['cluster: nodes', [ingress('{ fromEntities: [cluster] }')], 'node:node2 shop/web', 'allow'],
  ['cluster: not the world', [ingress('{ fromEntities: [cluster] }')], OUT, 'deny'],
  ['the host reaches its pods whatever is written', [ingress('{}')], 'node:node1 shop/web', 'allow'],
  ['another node does not', [ingress('{}')], 'node:node2 shop/web', 'deny'],
  ['host is not another node', [ingress('{ fromEntities: [host] }')], 'node:node2 shop/web', 'deny'],
  ['remote-node', [ingress('{ fromEntities: [remote-node] }')], 'node:node2 shop/web', 'allow'],
  ['a pod does not reach its host without a rule', [egress('{}')], 'tools/client node:node1', 'deny'],
  ['toEntities host', [egress('{ toEntities: [host] }')], 'tools/client node:node1', 'allow'],
  [
    'toEntities remote-node is not the host',
    [egress('{ toEntities: [remote-node] }')],
    'tools/client node:node1',
    'deny',
  ],
  ['toEntities remote-node', [egress('{ toEntities: [remote-node] }')], 'tools/client node:node2', 'allow'],
  ['host finds its host-network pods', [egress('{ toEntities: [host] }')], 'tools/client kube-system/proxy', 'allow'],
  [
    'kube-apiserver without its addresses',
    [egress('{ toEntities: [kube-apiserver] }')],
    'tools/client 203.0.113.9',
    'unknown',
  ],
  ['none', [ingress('{ fromEntities: [none] }')], A, 'deny'],
  [
    'health, init, ingress and unmanaged are no pods',
    [ingress('{ fromEntities: [health, init, ingress, unmanaged] }')],
    A,
    'deny',
  ],
  ['an entity that does not exist', [ingress('{ fromEntities: [moon] }')], A, 'unknown'],

  // CIDR.
  ['fromCIDR finds what is outside', [ingress('{ fromCIDR: [203.0.113.0/24] }')], OUT, 'allow'],
  ['fromCIDR does not find pods', [ingress('{ fromCIDR: [10.244.0.0/16] }')], C, 'deny'],
  ['fromCIDR does not find nodes', [ingress('{ fromCIDR: [0.0.0.0/0] }')], 'node:node2 shop/web', 'deny'],
  ['fromCIDR an address', [ingress('{ fromCIDR: [203.0.113.9] }')], OUT, 'allow'],
  [
    'fromCIDRSet except',
    [ingress('{ fromCIDRSet: [{ cidr: 203.0.113.0/24, except: [203.0.113.8/30] }] }')],
    OUT,
    'deny',
  ],
  ['a CIDR that is none: refused', [ingress('{ fromCIDR: [nonsense] }')], OUT, 'unknown'],
  [
    'a CIDR group',
    [
      egress('{ toCIDRSet: [{ cidrGroupRef: g }] }'),
      other('cilium.io/v2alpha1', 'CiliumCIDRGroup', '', 'g', '{ externalCIDRs: [203.0.113.0/24] }'),
    ],
    'tools/client 203.0.113.9',
    'allow',
  ],
  [
    'a CIDR group that is not there',
    [egress('{ toCIDRSet: [{ cidrGroupRef: g }] }')],
    'tools/client 203.0.113.9',
    'unknown',
  ],

  // Conditions.
  [
    'toFQDNs: may be any address outside',
    [egress('{ toFQDNs: [{ matchName: example.org }] }')],
    'tools/client 203.0.113.9',
    'unknown',
  ],
  ['toFQDNs: never a pod', [egress('{ toFQDNs: [{ matchName: example.org }] }')], C, 'deny'],
  ['toGroups', [egress('{ toGroups: [{ aws: {} }] }')], 'tools/client 203.0.113.9', 'unknown'],
  [
    'HTTP rules decide after the connection',
    [ingress('{ toPorts: [{ ports: [{ port: "8080", protocol: TCP }], rules: { http: [{ method: GET }] } }] }')],
    A,
    'unknown',
  ],
  [
    'HTTP rules that let all through',
    [ingress('{ toPorts: [{ ports: [{ port: "8080", protocol: TCP }], rules: { http: [{}] } }] }')],
    A,
    'allow',
  ],
  [
    'HTTP rules on another port',
    [ingress('{ toPorts: [{ ports: [{ port: "80", protocol: TCP }], rules: { http: [{ method: GET }] } }] }')],
    A,
    'deny',
  ],
  [
    'DNS rules for every name',
    [egress('{ toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [{ matchPattern: "*" }] } }] }')],
    'tools/client kube-system/dns udp/53',
    'allow',
  ],
  [
    'DNS rules for some names',
    [egress('{ toPorts: [{ ports: [{ port: "53", protocol: ANY }], rules: { dns: [{ matchName: a.b }] } }] }')],
    'tools/client kube-system/dns udp/53',
    'unknown',
  ],
  ['mutual authentication', [ingress('{ fromEndpoints: [{}], authentication: { mode: required } }')], A, 'unknown'],
  [
    'fromRequires narrows other policies too',
    [
      ingress('{ fromEndpoints: [{}] }'),
      cnp(`{ ${WEB}, ingress: [{ fromRequires: [{ matchLabels: { a: b } }] }] }`, 'shop', 'q'),
    ],
    A,
    'unknown',
  ],

  // Ports.
  ['port without a protocol: TCP', [ingress('{ toPorts: [{ ports: [{ port: "8080" }] }] }')], A, 'allow'],
  [
    'port without a protocol: UDP',
    [ingress('{ toPorts: [{ ports: [{ port: "8080" }] }] }')],
    'shop/api shop/web udp/8080',
    'allow',
  ],
  [
    'port without a protocol: not ICMP',
    [ingress('{ toPorts: [{ ports: [{ port: "8080" }] }] }')],
    'shop/api shop/web icmp',
    'deny',
  ],
  ['endPort', [ingress('{ toPorts: [{ ports: [{ port: "8000", endPort: 8080, protocol: TCP }] }] }')], A, 'allow'],
  ['port 0 is every port', [ingress('{ toPorts: [{ ports: [{ port: "0", protocol: TCP }] }] }')], A, 'allow'],
  ['port 0 of another protocol', [ingress('{ toPorts: [{ ports: [{ port: "0", protocol: UDP }] }] }')], A, 'deny'],
  ['named port', [ingress('{ toPorts: [{ ports: [{ port: http, protocol: TCP }] }] }')], A, 'allow'],
  ['named port of any protocol', [ingress('{ toPorts: [{ ports: [{ port: HTTP }] }] }')], A, 'allow'],
  ['named port that the pod has not', [ingress('{ toPorts: [{ ports: [{ port: web }] }] }')], A, 'deny'],
  [
    'ports are or, peers and ports are and',
    [ingress('{ fromEndpoints: [{ matchLabels: { app: x } }], toPorts: [{ ports: [{ port: "8080" }] }] }')],
    A,
    'deny',
  ],
  ['icmps', [ingress('{ icmps: [{ fields: [{ type: 8, family: IPv4 }] }] }')], 'shop/api shop/web icmp', 'unknown'],
  ['icmps are not TCP', [ingress('{ icmps: [{ fields: [{ type: 8 }] }] }')], A, 'deny'],

  // Deny, default deny, together with others.
  ['deny wins over allow', [ingress('{ fromEntities: [all] }', ', ingressDeny: [{ fromEndpoints: [{}] }]')], A, 'deny'],
  [
    'deny leaves the others',
    [ingress('{ fromEntities: [all] }', ', ingressDeny: [{ fromEndpoints: [{}] }]')],
    C,
    'allow',
  ],
  ['deny rules alone isolate as well', [cnp(`{ ${WEB}, ingressDeny: [{ fromEntities: [world] }] }`)], A, 'deny'],
  [
    '… but not with enableDefaultDeny false',
    [cnp(`{ ${WEB}, ingressDeny: [{ fromEntities: [world] }], enableDefaultDeny: { ingress: false } }`)],
    A,
    'allow',
  ],
  [
    '… and still deny',
    [cnp(`{ ${WEB}, ingressDeny: [{ fromEntities: [world] }], enableDefaultDeny: { ingress: false } }`)],
    OUT,
    'deny',
  ],
  [
    'deny on a port',
    [
      ingress(
        '{ fromEntities: [all] }',
        ', ingressDeny: [{ toPorts: [{ ports: [{ port: "8080", protocol: TCP }] }] }]',
      ),
    ],
    A,
    'deny',
  ],
  ['deny that names nobody', [ingress('{ fromEntities: [all] }', ', ingressDeny: [{}]')], A, 'unknown'],
  [
    'allow without default deny isolates nobody',
    [ingress('{ fromEndpoints: [{}] }', ', enableDefaultDeny: { ingress: false }')],
    C,
    'allow',
  ],
  [
    '… unless another policy does',
    [
      ingress('{ fromEndpoints: [{}] }', ', enableDefaultDeny: { ingress: false }'),
      policy('shop', 'k', '{ podSelector: {} }'),
    ],
    C,
    'deny',
  ],
  [
    'policies add up',
    [ingress('{ fromEntities: [world] }'), cnp(`{ ${WEB}, ingress: [{ fromEndpoints: [{}] }] }`, 'shop', 'q')],
    A,
    'allow',
  ],
  [
    'NetworkPolicy adds up with them',
    [ingress('{}'), policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }')],
    A,
    'allow',
  ],
  [
    '… and is denied by them',
    [
      ingress('{}', ', ingressDeny: [{ fromEndpoints: [{}] }]'),
      policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }'),
    ],
    A,
    'deny',
  ],
  [
    'ipBlock of NetworkPolicy does not find pods here',
    [
      ingress('{}'),
      policy('shop', 'k', '{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }] }'),
    ],
    C,
    'deny',
  ],
  [
    '… and finds what is outside',
    [
      ingress('{}'),
      policy(
        'shop',
        'k',
        '{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 203.0.0.0/8, except: [203.1.0.0/16] } }] }] }',
      ),
    ],
    OUT,
    'allow',
  ],
  ['specs', [specs(`[{ ${WEB}, ingress: [{}] }, { ${WEB}, ingress: [{ fromEndpoints: [{}] }] }]`)], A, 'allow'],

  // Services.
  [
    'toServices with a selector: versions differ',
    [egress('{ toServices: [{ k8sService: { serviceName: web, namespace: shop } }] }')],
    C,
    'unknown',
  ],
  [
    'toServices of another',
    [egress('{ toServices: [{ k8sService: { serviceName: api, namespace: shop } }] }')],
    C,
    'deny',
  ],
  ['toServices by labels', [egress('{ toServices: [{ k8sServiceSelector: { selector: {} } }] }')], C, 'unknown'],

  // Refused or not about pods.
  ['two kinds of peers in one rule', [ingress('{ fromEndpoints: [{}], fromCIDR: [203.0.113.0/24] }')], A, 'unknown'],
  ['an unknown field of a rule', [ingress('{ fromEndpoints: [{}], future: 1 }')], A, 'unknown'],
  ['an unknown field of the policy', [ingress('{ fromEndpoints: [{}] }', ', future: 1')], A, 'unknown'],
  ['no endpointSelector', [cnp('{ ingress: [{}] }')], A, 'unknown'],
  ['nodeSelector is about nodes', [ccnp('{ nodeSelector: {}, ingress: [{}] }')], A, 'allow'],
]

describe('Cilium policies', () => {
  it.each(ROWS)('%s', (_, policies, question, decision) => expect(ask(policies, question).decision).toBe(decision))

  it('knows the API server by its endpoints and Services without selector by theirs', () => {
    const slice = (namespace: string, name: string, address: string) => {
      const { meta, evidence } = cnp('{}', namespace, name)
      const endpoint = {
        addresses: [address],
        ready: true,
        serving: true,
        terminating: false,
        hintZones: [],
        hintNodes: [],
      }
      const ports = [{ name: '', port: 6443, protocol: 'TCP' }]
      return { meta, evidence, serviceName: name, addressType: 'IPv4', ports, endpoints: [endpoint] }
    }
    const endpointSlices = [slice('default', 'kubernetes', '203.0.113.5'), slice('shop', 'ext', '203.0.113.6')]
    const services = [{ ...service('shop', 'ext', {}, '10.96.0.99', []), selector: null }]
    const decide = (rules: string, to: string) =>
      ask([egress(rules)], `tools/client ${to}`, { endpointSlices, services }).decision
    expect(decide('{ toEntities: [kube-apiserver] }', '203.0.113.5')).toBe('allow')
    expect(decide('{ toEntities: [kube-apiserver] }', '203.0.113.6')).toBe('deny')
    const ext = '{ toServices: [{ k8sService: { serviceName: ext, namespace: shop } }] }'
    expect(decide(ext, '203.0.113.6')).toBe('allow')
    expect(decide(ext, '203.0.113.5')).toBe('deny')
  })
  it('names the rule that decided', () => {
    const result = ask([ingress('{ fromEntities: [all] }', ', ingressDeny: [{ fromEndpoints: [{}] }]')], A).ingress
    expect(result.decidedBy).toMatchObject({ stage: 'Cilium', action: 'deny', rule: { name: 'ingressDeny[0]' } })
    const specd = specs(`[{ ${WEB}, ingress: [{}] }, { ${WEB}, ingress: [{ fromEndpoints: [{}] }] }]`)
    expect(ask([specd], A).ingress.decidedBy).toMatchObject({ rule: { name: 'specs[1].ingress[0]' } })
  })
  it('takes policies of two plugins for what they are: nobody knows who enforces', () => {
    const calico = other('projectcalico.org/v3', 'NetworkPolicy', 'shop', 'c', '{ selector: all() }')
    expect(ask([ingress('{}'), calico], A).decision).toBe('unknown')
  })
  it('tells what it does not evaluate', () => {
    const messages = ask([ccnp('{ nodeSelector: {}, ingress: [{}] }'), ingress('{ fromEntities: [moon] }')], A).issues
    expect(messages.map((i) => i.message)).toEqual([
      'CiliumClusterwideNetworkPolicy p: nodeSelector: what it does to nodes is not evaluated',
      'CiliumNetworkPolicy p: ingress[0]: entity "moon" does not exist',
    ])
  })
  it('never throws on nonsense', () => {
    for (const rule of [
      '5',
      'null',
      '{ fromEndpoints: 5, toPorts: [5, { ports: [5, { port: 99999 }] }], icmps: [5] }',
      '{ fromCIDRSet: [5, { cidr: 5, except: 5 }], toServices: [5] }',
    ])
      for (const field of ['ingress', 'ingressDeny', 'egress', 'egressDeny'])
        expect(() => ask([cnp(`{ ${WEB}, ${field}: [${rule}] }`)], A)).not.toThrow()
    expect(() => ask([cnp('5'), cnp('{ endpointSelector: 5, ingress: 5 }')], A)).not.toThrow()
  })
})
