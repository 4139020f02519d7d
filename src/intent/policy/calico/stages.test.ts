/** Calico's corners, each with what would be wrong otherwise. Cases after felix/calc, updateprocessors/rules_test.go and the API docs. */
import { describe, expect, it } from 'vitest'
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import { evaluatePolicy } from '../index.ts'
import { end, other, policy, world } from '../world.test-data.ts'

const V3 = 'projectcalico.org/v3'
const np = (name: string, spec: string, namespace = 'shop', api = V3) =>
  other(api, 'NetworkPolicy', namespace, name, spec)
const gnp = (name: string, spec: string, api = V3) => other(api, 'GlobalNetworkPolicy', '', name, spec)
const tier = (name: string, spec: string) => other(V3, 'Tier', '', name, spec)
const netset = (name: string, labels: Record<string, string>, spec: string, namespace = ''): OtherObject => {
  const o = other(V3, namespace === '' ? 'GlobalNetworkSet' : 'NetworkSet', namespace, name, spec)
  return { ...o, meta: { ...o.meta, labels } }
}

const SEEN = ['GlobalNetworkSet', 'NetworkSet']

function ask(others: readonly OtherObject[], text: string, more: Partial<KubeObjects> = {}) {
  const [from, to, what = 'tcp/8080'] = text.split(' ')
  const [protocol, port] = what.split('/')
  const base = world(others)
  const objects = { ...base, known: new Set([...base.known, ...SEEN]), ...more }
  return evaluatePolicy(objects, {
    from: end(from!),
    to: end(to!),
    protocol: protocol!,
    port: port === undefined ? null : Number(port),
  })
}

const decide = (others: readonly OtherObject[], text: string) => ask(others, text).decision

const web = "app == 'web'"
const ingress = (rules: string, more = '') => `{ selector: "${web}", types: [Ingress], ingress: [${rules}]${more} }`
const egress = (rules: string) => `{ selector: "app == 'client'", types: [Egress], egress: [${rules}] }`
/** tools/client (10.244.1.20) to shop/web (10.244.1.10). */
const C = 'tools/client shop/web'

type Row = readonly [what: string, policies: readonly OtherObject[], ask: string, decision: string]

const ROWS: readonly Row[] = [
  // Isolation and types.
  ['no types, no rules: Ingress', [np('p', `{ selector: "${web}" }`)], C, 'deny'],
  ['no types, no rules: not Egress', [np('p', `{ selector: "${web}" }`)], 'shop/web shop/api tcp/9090', 'allow'],
  [
    'no types, only egress rules: Egress alone',
    [np('p', `{ selector: "${web}", egress: [{ action: Deny }] }`)],
    C,
    'allow',
  ],
  [
    'no types, egress rules',
    [np('p', `{ selector: "${web}", egress: [{ action: Deny }] }`)],
    'shop/web shop/api',
    'deny',
  ],
  [
    'no types past the API server: felix reads both',
    [np('p', `{ selector: "${web}" }`, 'shop', 'crd.projectcalico.org/v1')],
    'shop/web shop/api',
    'unknown',
  ],
  [
    'no types past the API server, sure direction',
    [np('p', `{ selector: "${web}" }`, 'shop', 'crd.projectcalico.org/v1')],
    C,
    'deny',
  ],
  ['no selector: every pod of the namespace', [np('p', '{ types: [Ingress] }')], 'tools/client shop/api', 'deny'],
  [
    'a namespaced policy is about its namespace',
    [np('p', '{ selector: all(), types: [Ingress] }')],
    'shop/web tools/client',
    'allow',
  ],
  ['a global one is about every namespace', [gnp('p', '{ types: [Ingress] }')], 'shop/web tools/client', 'deny'],
  [
    'global with namespaceSelector',
    [gnp('p', `{ namespaceSelector: "team == 'ops'", types: [Ingress] }`)],
    'shop/web tools/client',
    'deny',
  ],
  [
    'global with namespaceSelector, another',
    [gnp('p', `{ namespaceSelector: "team == 'ops'", types: [Ingress] }`)],
    C,
    'allow',
  ],
  [
    'namespaceSelector by name',
    [gnp('p', `{ namespaceSelector: "projectcalico.org/name == 'shop'", types: [Ingress] }`)],
    C,
    'deny',
  ],
  [
    'selector by implicit namespace label',
    [gnp('p', `{ selector: "projectcalico.org/namespace == 'shop'", types: [Ingress] }`)],
    C,
    'deny',
  ],
  [
    'selector mixing namespace and pod labels',
    [gnp('p', `{ selector: "projectcalico.org/namespace == 'none' || ${web}", types: [Ingress] }`)],
    C,
    'deny',
  ],
  [
    'every pod is orchestrated by k8s',
    [gnp('p', `{ selector: "projectcalico.org/orchestrator != 'k8s'", types: [Ingress] }`)],
    C,
    'allow',
  ],
  [
    'global() as namespaceSelector finds no pod',
    [gnp('p', '{ namespaceSelector: global(), types: [Ingress] }')],
    C,
    'allow',
  ],
  [
    'a selector that does not parse: unknown, not nobody',
    [np('p', `{ selector: "app = 'web'", types: [Ingress] }`)],
    C,
    'unknown',
  ],
  ['a pod that no policy selects', [np('p', `{ selector: "app == 'x'", types: [Ingress] }`)], C, 'allow'],
  ['host-network pods are no subjects', [gnp('p', '{ types: [Ingress] }')], 'tools/client kube-system/proxy', 'allow'],

  // Whom a rule is about.
  [
    'selector alone: own namespace only',
    [np('p', ingress(`{ action: Allow, source: { selector: "app == 'client'" } }`))],
    C,
    'deny',
  ],
  [
    'selector with namespaceSelector',
    [np('p', ingress(`{ action: Allow, source: { selector: "app == 'client'", namespaceSelector: all() } }`))],
    C,
    'allow',
  ],
  [
    'namespaceSelector alone',
    [np('p', ingress(`{ action: Allow, source: { namespaceSelector: "team == 'ops'" } }`))],
    C,
    'allow',
  ],
  [
    'namespaceSelector all(): not the world',
    [np('p', ingress('{ action: Allow, source: { namespaceSelector: all() } }'))],
    '203.0.113.9 shop/web',
    'deny',
  ],
  [
    'selector in a global policy: every namespace',
    [gnp('p', ingress(`{ action: Allow, source: { selector: "app == 'client'" } }`))],
    C,
    'allow',
  ],
  [
    'selector all() in a global policy: not the world',
    [gnp('p', ingress('{ action: Allow, source: { selector: all() } }'))],
    '203.0.113.9 shop/web',
    'deny',
  ],
  ['no source: everybody', [np('p', ingress('{ action: Allow }'))], '203.0.113.9 shop/web', 'allow'],
  [
    'notSelector alone in a global policy: the world too',
    [gnp('p', ingress(`{ action: Allow, source: { notSelector: "app == 'client'" } }`))],
    '203.0.113.9 shop/web',
    'allow',
  ],
  [
    'notSelector alone in a global policy: not these',
    [gnp('p', ingress(`{ action: Allow, source: { notSelector: "app == 'client'" } }`))],
    C,
    'deny',
  ],
  [
    'notSelector in a namespaced policy: own namespace only',
    [np('p', ingress(`{ action: Allow, source: { notSelector: "app == 'x'" } }`))],
    C,
    'deny',
  ],
  [
    'notSelector in a namespaced policy, own namespace',
    [np('p', ingress(`{ action: Allow, source: { notSelector: "app == 'x'" } }`))],
    'shop/api shop/web',
    'allow',
  ],
  [
    'notSelector in a namespaced policy, world',
    [np('p', ingress(`{ action: Allow, source: { notSelector: "app == 'x'" } }`))],
    '203.0.113.9 shop/web',
    'deny',
  ],
  [
    'selector and notSelector',
    [gnp('p', ingress(`{ action: Allow, source: { selector: has(app), notSelector: "app == 'client'" } }`))],
    C,
    'deny',
  ],
  ['nets find pods by address', [np('p', ingress('{ action: Allow, source: { nets: [10.244.1.0/24] } }'))], C, 'allow'],
  [
    'nets alone are not confined to the namespace',
    [np('p', ingress('{ action: Allow, source: { nets: [203.0.113.0/24] } }'))],
    '203.0.113.9 shop/web',
    'allow',
  ],
  [
    'a net is an address',
    [np('p', ingress('{ action: Allow, source: { nets: [203.0.113.9] } }'))],
    '203.0.113.9 shop/web',
    'allow',
  ],
  [
    'nets and notNets',
    [np('p', ingress('{ action: Allow, source: { nets: [203.0.113.0/24], notNets: [203.0.113.8/30] } }'))],
    '203.0.113.9 shop/web',
    'deny',
  ],
  ['notNets alone', [np('p', ingress('{ action: Allow, source: { notNets: [203.0.113.8/30] } }'))], C, 'allow'],
  [
    'nets and selector must both match',
    [gnp('p', ingress(`{ action: Allow, source: { nets: [203.0.113.0/24], selector: "app == 'client'" } }`))],
    C,
    'deny',
  ],
  ['a net that is none', [np('p', ingress('{ action: Allow, source: { nets: [10.0.0] } }'))], C, 'unknown'],
  ['ipVersion 6', [np('p', ingress('{ action: Allow, ipVersion: 6 }'))], C, 'deny'],
  [
    'a service account by name',
    [np('p', ingress('{ action: Allow, source: { serviceAccounts: { names: [default] } } }'))],
    'shop/api shop/web',
    'allow',
  ],
  [
    'another service account',
    [np('p', ingress('{ action: Allow, source: { serviceAccounts: { names: [a] } } }'))],
    'shop/api shop/web',
    'deny',
  ],
  [
    'service accounts: own namespace only',
    [np('p', ingress('{ action: Allow, source: { serviceAccounts: { names: [default] } } }'))],
    C,
    'deny',
  ],
  [
    'labels of a service account are not in the evidence',
    [np('p', ingress(`{ action: Allow, source: { serviceAccounts: { selector: "a == 'b'" } } }`))],
    'shop/api shop/web',
    'unknown',
  ],
  [
    'a policy for the pods of a service account',
    [np('p', `{ serviceAccountSelector: "projectcalico.org/name == 'default'", types: [Ingress] }`)],
    C,
    'deny',
  ],
  [
    'a policy for the pods of another',
    [np('p', `{ serviceAccountSelector: "projectcalico.org/name == 'a'", types: [Ingress] }`)],
    C,
    'allow',
  ],
  [
    'service accounts: the world has none',
    [np('p', ingress('{ action: Allow, source: { serviceAccounts: { names: [a] } } }'))],
    '203.0.113.9 shop/web',
    'deny',
  ],

  // Network sets.
  [
    'a selector finds a global network set',
    [
      gnp('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'" } }`)),
      netset('s', { kind: 'office' }, '{ nets: [203.0.113.0/24] }'),
    ],
    '203.0.113.9 shop/web',
    'allow',
  ],
  [
    '… outside the set',
    [
      gnp('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'" } }`)),
      netset('s', { kind: 'office' }, '{ nets: [198.51.100.0/24] }'),
    ],
    '203.0.113.9 shop/web',
    'deny',
  ],
  [
    'a namespaced policy does not find a global set',
    [
      np('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'" } }`)),
      netset('s', { kind: 'office' }, '{ nets: [203.0.113.0/24] }'),
    ],
    '203.0.113.9 shop/web',
    'deny',
  ],
  [
    '… unless by global()',
    [
      np('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'", namespaceSelector: global() } }`)),
      netset('s', { kind: 'office' }, '{ nets: [203.0.113.0/24] }'),
    ],
    '203.0.113.9 shop/web',
    'allow',
  ],
  [
    '… nor by all()',
    [
      np('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'", namespaceSelector: all() } }`)),
      netset('s', { kind: 'office' }, '{ nets: [203.0.113.0/24] }'),
    ],
    '203.0.113.9 shop/web',
    'deny',
  ],
  [
    'a namespaced policy finds a set of its namespace',
    [
      np('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'" } }`)),
      netset('s', { kind: 'office' }, '{ nets: [203.0.113.0/24] }', 'shop'),
    ],
    '203.0.113.9 shop/web',
    'allow',
  ],
  [
    '… not of another',
    [
      np('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'" } }`)),
      netset('s', { kind: 'office' }, '{ nets: [203.0.113.0/24] }', 'tools'),
    ],
    '203.0.113.9 shop/web',
    'deny',
  ],

  // Order, actions, tiers.
  [
    'lower order first',
    [np('a', ingress('{ action: Deny }', ', order: 20')), np('b', ingress('{ action: Allow }', ', order: 10.5'))],
    C,
    'allow',
  ],
  [
    'no order is last',
    [np('a', ingress('{ action: Deny }')), np('b', ingress('{ action: Allow }', ', order: 5000'))],
    C,
    'allow',
  ],
  ['same order: by name', [np('b', ingress('{ action: Deny }')), np('a', ingress('{ action: Allow }'))], C, 'allow'],
  [
    'same order, global and namespaced: versions differ',
    [gnp('z', ingress('{ action: Deny }')), np('a', ingress('{ action: Allow }'))],
    C,
    'unknown',
  ],
  [
    'same order, global and namespaced: no matter',
    [gnp('z', ingress('{ action: Allow }')), np('a', ingress('{ action: Allow }'))],
    C,
    'allow',
  ],
  ['Log goes on', [np('p', ingress('{ action: Log }, { action: Allow }'))], C, 'allow'],
  ['first rule wins', [np('p', ingress('{ action: Deny }, { action: Allow }'))], C, 'deny'],
  ['Pass in the last tier: the profile allows', [np('p', ingress('{ action: Pass }'))], C, 'allow'],
  [
    'Pass skips the rest of the tier',
    [np('a', ingress('{ action: Pass }')), np('b', ingress('{ action: Deny }'))],
    C,
    'allow',
  ],
  ['an action that does not exist', [np('p', ingress('{ action: Maybe }'))], C, 'unknown'],
  [
    'the end of a tier denies whom it selects',
    [gnp('x.p', `{ tier: x, selector: "${web}", types: [Ingress] }`), tier('x', '{ order: 10 }')],
    C,
    'deny',
  ],
  [
    'a tier that selects nobody is passed',
    [gnp('x.p', '{ tier: x, selector: has(nope), types: [Ingress] }'), tier('x', '{ order: 10 }')],
    C,
    'allow',
  ],
  [
    'defaultAction Pass',
    [gnp('x.p', `{ tier: x, selector: "${web}", types: [Ingress] }`), tier('x', '{ order: 10, defaultAction: Pass }')],
    C,
    'allow',
  ],
  [
    'Pass goes to the next tier',
    [
      gnp('x.p', `{ tier: x, types: [Ingress], ingress: [{ action: Pass }] }`),
      tier('x', '{ order: 10 }'),
      np('p', ingress('{ action: Deny }')),
    ],
    C,
    'deny',
  ],
  [
    'tiers by order, not by name',
    [
      gnp('b.p', `{ tier: b, types: [Ingress], ingress: [{ action: Allow }] }`),
      tier('b', '{ order: 10 }'),
      gnp('a.p', '{ tier: a, types: [Ingress] }'),
      tier('a', '{ order: 20 }'),
    ],
    C,
    'allow',
  ],
  [
    'a tier without order comes after default',
    [gnp('b.p', `{ tier: b, types: [Ingress] }`), tier('b', '{}'), np('p', ingress('{ action: Allow }'))],
    C,
    'allow',
  ],
  ['a tier that is not there', [gnp('x.p', '{ tier: x, types: [Ingress] }')], C, 'unknown'],
  [
    'default tier with defaultAction Pass',
    [np('p', ingress('')), tier('default', '{ defaultAction: Pass }')],
    C,
    'allow',
  ],

  // Kubernetes' own policies.
  [
    'NetworkPolicy is order 1000: Calico before it',
    [np('p', ingress('{ action: Deny }', ', order: 999')), policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }')],
    C,
    'deny',
  ],
  [
    'NetworkPolicy is order 1000: Calico after it',
    [np('p', ingress('{ action: Deny }', ', order: 1001')), policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }')],
    C,
    'allow',
  ],
  [
    'NetworkPolicy is order 1000: no order is after it',
    [np('p', ingress('{ action: Deny }')), policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }')],
    C,
    'allow',
  ],
  [
    'NetworkPolicy isolates, Calico may still allow',
    [np('p', ingress('{ action: Allow }')), policy('shop', 'k', '{ podSelector: {} }')],
    C,
    'allow',
  ],
  [
    'NetworkPolicy isolates, the tier ends in deny',
    [np('p', '{ selector: has(nope) }'), policy('shop', 'k', '{ podSelector: {} }')],
    C,
    'deny',
  ],
  [
    'order 1000 as well: which is first differs',
    [np('p', ingress('{ action: Deny }', ', order: 1000')), policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }')],
    C,
    'unknown',
  ],
  [
    'order 1000 as well: also where the names would agree',
    [np('a', ingress('{ action: Deny }', ', order: 1000')), policy('shop', 'k', '{ podSelector: {}, ingress: [{}] }')],
    C,
    'unknown',
  ],
  [
    'an earlier tier overrules NetworkPolicy',
    [
      gnp('x.p', '{ tier: x, types: [Ingress], ingress: [{ action: Allow }] }'),
      tier('x', '{ order: 10 }'),
      policy('shop', 'k', '{ podSelector: {} }'),
    ],
    C,
    'allow',
  ],
  [
    'a tier before the Admin tier',
    [
      gnp('x.p', '{ tier: x, types: [Ingress], ingress: [{ action: Allow }] }'),
      tier('x', '{ order: 999 }'),
      other(
        'policy.networking.k8s.io/v1alpha1',
        'AdminNetworkPolicy',
        '',
        'a',
        '{ priority: 1, subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }] }',
      ),
    ],
    C,
    'allow',
  ],
  [
    'a tier after the Admin tier',
    [
      gnp('x.p', '{ tier: x, types: [Ingress], ingress: [{ action: Allow }] }'),
      tier('x', '{ order: 1001 }'),
      other(
        'policy.networking.k8s.io/v1alpha1',
        'AdminNetworkPolicy',
        '',
        'a',
        '{ priority: 1, subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: {} }] }] }',
      ),
    ],
    C,
    'deny',
  ],

  // Ports and protocols.
  ['port', [np('p', ingress('{ action: Allow, protocol: TCP, destination: { ports: [8080] } }'))], C, 'allow'],
  ['another port', [np('p', ingress('{ action: Allow, protocol: TCP, destination: { ports: [80] } }'))], C, 'deny'],
  [
    'range of ports',
    [np('p', ingress('{ action: Allow, protocol: TCP, destination: { ports: ["8000:8080"] } }'))],
    C,
    'allow',
  ],
  ['named port', [np('p', ingress('{ action: Allow, protocol: TCP, destination: { ports: [http] } }'))], C, 'allow'],
  [
    'named port of another protocol',
    [np('p', ingress('{ action: Allow, protocol: UDP, destination: { ports: [http] } }'))],
    'tools/client shop/web udp/8080',
    'deny',
  ],
  ['notPorts', [np('p', ingress('{ action: Allow, protocol: TCP, destination: { notPorts: [8080] } }'))], C, 'deny'],
  [
    'notPorts leaves the others',
    [np('p', ingress('{ action: Allow, protocol: TCP, destination: { notPorts: [8080] } }'))],
    'tools/client shop/web tcp/8081',
    'allow',
  ],
  [
    'notPorts leaves the others, not of other protocols',
    [np('p', ingress('{ action: Allow, protocol: TCP, destination: { notPorts: [8080] } }'))],
    'tools/client shop/web udp/1',
    'deny',
  ],
  [
    'ports without a protocol are refused',
    [np('p', ingress('{ action: Allow, destination: { ports: [8080] } }'))],
    C,
    'unknown',
  ],
  ['protocol by number', [np('p', ingress('{ action: Allow, protocol: 6 }'))], C, 'allow'],
  ['protocol by another number', [np('p', ingress('{ action: Allow, protocol: 47 }'))], C, 'deny'],
  ['notProtocol', [np('p', ingress('{ action: Allow, notProtocol: UDP }'))], C, 'allow'],
  ['notProtocol, that one', [np('p', ingress('{ action: Allow, notProtocol: TCP }'))], C, 'deny'],
  ['ICMP', [np('p', ingress('{ action: Allow, protocol: ICMP }'))], 'tools/client shop/web icmp', 'allow'],
  [
    'ICMP of a type',
    [np('p', ingress('{ action: Allow, protocol: ICMP, icmp: { type: 8 } }'))],
    'tools/client shop/web icmp',
    'unknown',
  ],
  ['TCP is not ICMP', [np('p', ingress('{ action: Allow, protocol: ICMP }'))], C, 'deny'],
  [
    'source ports are not known',
    [np('p', ingress('{ action: Allow, protocol: TCP, source: { ports: [1000] } }'))],
    C,
    'unknown',
  ],
  ['HTTP decides later', [np('p', ingress('{ action: Allow, http: { methods: [GET] } }'))], C, 'unknown'],

  // Both ends in one rule.
  [
    'the pod itself in an ingress rule',
    [np('p', `{ types: [Ingress], ingress: [{ action: Allow, destination: { selector: "${web}" } }] }`)],
    C,
    'allow',
  ],
  [
    '… another pod of the policy',
    [np('p', `{ types: [Ingress], ingress: [{ action: Allow, destination: { selector: "${web}" } }] }`)],
    'tools/client shop/api',
    'deny',
  ],
  [
    '… in order with the others',
    [
      np(
        'p',
        `{ types: [Ingress], ingress: [{ action: Deny, destination: { selector: "${web}" } }, { action: Allow }] }`,
      ),
    ],
    C,
    'deny',
  ],
  [
    '… and not for the others',
    [
      np(
        'p',
        `{ types: [Ingress], ingress: [{ action: Deny, destination: { selector: "${web}" } }, { action: Allow }] }`,
      ),
    ],
    'tools/client shop/api',
    'allow',
  ],
  [
    '… by notSelector',
    [
      gnp(
        'p',
        `{ types: [Ingress], ingress: [{ action: Deny, destination: { notSelector: "${web}" } }, { action: Allow }] }`,
      ),
    ],
    C,
    'allow',
  ],
  [
    'its own address is not judged',
    [np('p', ingress('{ action: Allow, destination: { nets: [10.244.0.0/16] } }'))],
    C,
    'unknown',
  ],

  // Egress and Services.
  [
    'egress by selector',
    [
      np(
        'p',
        egress(
          `{ action: Allow, destination: { selector: "${web}", namespaceSelector: "projectcalico.org/name == 'shop'" } }`,
        ),
        'tools',
      ),
    ],
    C,
    'allow',
  ],
  [
    'egress to a Service: the pods and ports behind it',
    [np('p', egress('{ action: Allow, destination: { services: { name: web, namespace: shop } } }'), 'tools')],
    C,
    'allow',
  ],
  [
    'egress to a Service: not its other ports',
    [np('p', egress('{ action: Allow, destination: { services: { name: web, namespace: shop } } }'), 'tools')],
    'tools/client shop/web tcp/1',
    'deny',
  ],
  [
    'egress to a Service that is not there',
    [np('p', egress('{ action: Allow, destination: { services: { name: nope, namespace: shop } } }'), 'tools')],
    C,
    'unknown',
  ],

  // What is told and not enforced.
  [
    'staged policies are not enforced',
    [other(V3, 'StagedNetworkPolicy', 'shop', 's', ingress('{ action: Deny }')), np('p', ingress('{ action: Allow }'))],
    C,
    'allow',
  ],
  [
    'preDNAT is about host endpoints',
    [
      gnp('h', '{ preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{ action: Deny }] }'),
      np('p', ingress('{ action: Allow }')),
    ],
    C,
    'allow',
  ],
  ['an unknown field of the policy', [np('p', '{ selector: all(), types: [Ingress], future: 1 }')], C, 'unknown'],
  ['an unknown field of a policy that allows', [np('p', ingress('{ action: Allow }', ', future: 1'))], C, 'unknown'],
  ['an unknown field of a rule', [np('p', ingress('{ action: Allow, future: 1 }'))], C, 'unknown'],
  ['rules that are no list', [np('p', '{ types: [Ingress], ingress: 5 }')], C, 'unknown'],
]

describe('Calico policies', () => {
  it.each(ROWS)('%s', (_, policies, question, decision) => expect(decide(policies, question)).toBe(decision))

  it('does not take an address for nobody when network sets were not collected', () => {
    const p = gnp('p', ingress(`{ action: Allow, source: { selector: "kind == 'office'" } }`))
    const known = world([]).known
    expect(ask([p], '203.0.113.9 shop/web', { known }).decision).toBe('unknown')
    expect(ask([p], C, { known }).decision).toBe('deny')
  })
  it('takes the endpoints of a Service from its slices', () => {
    const p = np('p', egress('{ action: Allow, destination: { services: { name: db, namespace: shop } } }'), 'tools')
    const { meta, evidence } = p
    const slice = {
      meta: { ...meta, namespace: 'shop' },
      evidence,
      serviceName: 'db',
      addressType: 'IPv4',
      ports: [{ name: '', port: 5432, protocol: 'TCP' }],
      endpoints: [
        { addresses: ['203.0.113.9'], ready: true, serving: true, terminating: false, hintZones: [], hintNodes: [] },
      ],
    }
    const decision = (question: string) => ask([p], question, { endpointSlices: [slice] }).decision
    expect(decision('tools/client 203.0.113.9 tcp/5432')).toBe('allow')
    expect(decision('tools/client 203.0.113.9 tcp/80')).toBe('deny')
    expect(decision('tools/client 203.0.113.8 tcp/5432')).toBe('deny')
  })
  it('names the tier and the rule that decided', () => {
    const { ingress: by } = ask([np('p', ingress('{ action: Log }, { action: Deny }'))], C)
    expect(by.decidedBy).toMatchObject({ stage: 'tier default', action: 'deny', rule: { name: 'ingress[1]' } })
    expect(ask([np('p', ingress(''))], C).ingress.decidedBy).toMatchObject({
      stage: 'tier default',
      action: 'isolation',
    })
  })
  it('tells what it does not evaluate', () => {
    const { issues } = ask(
      [
        np('p', ingress('{ action: Maybe, source: { selector: "a = b" } }')),
        other(V3, 'StagedGlobalNetworkPolicy', '', 's', '{}'),
        gnp('h', '{ preDNAT: true }'),
        other(V3, 'HostEndpoint', '', 'eth0', '{ expectedIPs: [nonsense] }'),
      ],
      C,
    )
    const messages = issues.map((i) => i.message).join('\n')
    for (const text of [
      'staged',
      'preDNAT',
      'host endpoints',
      'action "Maybe"',
      'selector is no selector',
      '"nonsense" is not',
    ])
      expect(messages).toContain(text)
  })
  it('never throws on nonsense', () => {
    for (const spec of [
      '5',
      '[]',
      '{ ingress: [5, null, { source: 5, destination: [] }], types: 5, selector: {}, order: x }',
    ])
      for (const kind of ['NetworkPolicy', 'GlobalNetworkPolicy', 'Tier', 'GlobalNetworkSet', 'HostEndpoint'])
        expect(() => decide([np('p', ingress('')), other(V3, kind, 'shop', 'x', spec)], C)).not.toThrow()
  })
})
