import { describe, expect, it } from 'vitest'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { evaluatePolicy } from './index.ts'
import { end, other, pod, policy, world } from './world.test-data.ts'

/** `FROM TO PROTOCOL/PORT` → `DECISION egress/ingress`, with the reason of the direction under test. */
function ask(objects: KubeObjects, question: string) {
  const [from, to, service] = question.split(' ')
  const [protocol, port] = service!.split('/')
  return evaluatePolicy(objects, {
    from: end(from!),
    to: end(to!),
    protocol: protocol!,
    port: port === undefined ? null : Number(port),
  })
}

/** [what, spec of a policy in namespace shop, question, decision]. */
type Row = [string, string, string, 'allow' | 'deny' | 'unknown']

const selectsWeb = 'podSelector: { matchLabels: { app: web } }'
const fromPeer = (peer: string) => `{ ${selectsWeb}, ingress: [ { from: [ ${peer} ] } ] }`
const onPort = (port: string) => `{ ${selectsWeb}, ingress: [ { ports: [ ${port} ] } ] }`
const egressOn = (rule: string) => `{ ${selectsWeb}, policyTypes: [Egress], egress: [ ${rule} ] }`

const C = 'tools/client shop/web tcp/8080'

const tables: Record<string, Row[]> = {
  'who is isolated': [
    ['pod not selected', '{ podSelector: { matchLabels: { app: api } } }', C, 'allow'],
    ['empty podSelector selects all', '{ podSelector: {} }', C, 'deny'],
    ['podSelector left out', '{ ingress: [] }', C, 'deny'],
    ['policy of another namespace', '{ podSelector: {} }', 'shop/web tools/client tcp/1', 'allow'],
    ['no policyTypes: ingress', `{ ${selectsWeb} }`, C, 'deny'],
    ['no policyTypes: egress free', `{ ${selectsWeb} }`, 'shop/web tools/client tcp/1', 'allow'],
    ['no policyTypes, empty egress: free', `{ ${selectsWeb}, egress: [] }`, 'shop/web tools/client tcp/1', 'allow'],
    [
      'no policyTypes, egress rule',
      `{ ${selectsWeb}, egress: [ { ports: [ { port: 2 } ] } ] }`,
      'shop/web tools/client tcp/1',
      'deny',
    ],
    ['no policyTypes, egress rule: ingress too', `{ ${selectsWeb}, egress: [ {} ] }`, C, 'deny'],
    ['empty policyTypes is left out', `{ ${selectsWeb}, policyTypes: [] }`, C, 'deny'],
    ['only Egress: ingress rules do not count', `{ ${selectsWeb}, policyTypes: [Egress], ingress: [] }`, C, 'allow'],
    ['only Egress without rules', `{ ${selectsWeb}, policyTypes: [Egress] }`, 'shop/web tools/client tcp/1', 'deny'],
    [
      'only Ingress: egress free',
      `{ ${selectsWeb}, policyTypes: [Ingress], egress: [ { ports: [ { port: 2 } ] } ] }`,
      'shop/web tools/client tcp/1',
      'allow',
    ],
  ],
  'empty and missing': [
    ['no rules', `{ ${selectsWeb}, ingress: [] }`, C, 'deny'],
    ['one empty rule', `{ ${selectsWeb}, ingress: [ {} ] }`, C, 'allow'],
    ['empty from', `{ ${selectsWeb}, ingress: [ { from: [] } ] }`, C, 'allow'],
    ['empty ports', `{ ${selectsWeb}, ingress: [ { ports: [] } ] }`, C, 'allow'],
    ['empty from and another port', `{ ${selectsWeb}, ingress: [ { from: [], ports: [ { port: 1 } ] } ] }`, C, 'deny'],
    ['empty podSelector: own namespace', fromPeer('{ podSelector: {} }'), 'shop/api shop/web tcp/1', 'allow'],
    ['empty podSelector: not others', fromPeer('{ podSelector: {} }'), C, 'deny'],
    ['empty namespaceSelector: all', fromPeer('{ namespaceSelector: {} }'), C, 'allow'],
    ['empty rule lets the world in', `{ ${selectsWeb}, ingress: [ {} ] }`, '203.0.113.9 shop/web tcp/1', 'allow'],
    ['empty selectors keep the world out', fromPeer('{ namespaceSelector: {} }'), '203.0.113.9 shop/web tcp/1', 'deny'],
    ['an empty peer is nonsense', fromPeer('{}'), C, 'unknown'],
  ],
  peers: [
    [
      'both selectors hold',
      fromPeer('{ namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: client } } }'),
      C,
      'allow',
    ],
    [
      'AND: pod half fails',
      fromPeer('{ namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: x } } }'),
      C,
      'deny',
    ],
    [
      'AND: namespace half fails',
      fromPeer('{ namespaceSelector: { matchLabels: { team: dev } }, podSelector: { matchLabels: { app: client } } }'),
      C,
      'deny',
    ],
    [
      'OR over peers',
      fromPeer('{ namespaceSelector: { matchLabels: { team: ops } } }, { podSelector: { matchLabels: { app: x } } }'),
      C,
      'allow',
    ],
    ['podSelector alone: own namespace', fromPeer('{ podSelector: { matchLabels: { app: client } } }'), C, 'deny'],
    [
      'implied name label',
      fromPeer('{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: tools } } }'),
      C,
      'allow',
    ],
    [
      'implied name label, no Namespace object',
      fromPeer('{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: bare } } }'),
      'bare/one shop/web tcp/1',
      'allow',
    ],
    [
      'implied name label differs, no Namespace object',
      fromPeer('{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: x, team: ops } } }'),
      'bare/one shop/web tcp/1',
      'deny',
    ],
    [
      'other label, no Namespace object',
      fromPeer('{ namespaceSelector: { matchLabels: { team: ops } } }'),
      'bare/one shop/web tcp/1',
      'unknown',
    ],
    [
      'pod half fails, no Namespace object',
      fromPeer('{ namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: x } } }'),
      'bare/one shop/web tcp/1',
      'deny',
    ],
    [
      'In',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: app, operator: In, values: [x, client] } ] } }',
      ),
      C,
      'allow',
    ],
    [
      'In, key absent',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: nope, operator: In, values: [x] } ] } }',
      ),
      C,
      'deny',
    ],
    [
      'NotIn, key absent',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: nope, operator: NotIn, values: [x] } ] } }',
      ),
      C,
      'allow',
    ],
    [
      'NotIn, value listed',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: app, operator: NotIn, values: [client] } ] } }',
      ),
      C,
      'deny',
    ],
    [
      'Exists',
      fromPeer('{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: empty, operator: Exists } ] } }'),
      C,
      'allow',
    ],
    [
      'DoesNotExist',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: app, operator: DoesNotExist } ] } }',
      ),
      C,
      'deny',
    ],
    [
      'empty value, key there',
      fromPeer("{ namespaceSelector: {}, podSelector: { matchLabels: { empty: '' } } }"),
      C,
      'allow',
    ],
    [
      'empty value, key absent',
      fromPeer("{ namespaceSelector: {}, podSelector: { matchLabels: { nope: '' } } }"),
      C,
      'deny',
    ],
    [
      'label and expression must both hold',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchLabels: { app: client }, matchExpressions: [ { key: empty, operator: DoesNotExist } ] } }',
      ),
      C,
      'deny',
    ],
    [
      'unknown operator',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: app, operator: Gt, values: [x] } ] } }',
      ),
      C,
      'unknown',
    ],
    ['misspelt selector field', fromPeer('{ podSelectors: {} }'), C, 'unknown'],
    [
      'object property as label',
      fromPeer(
        '{ namespaceSelector: {}, podSelector: { matchExpressions: [ { key: constructor, operator: Exists } ] } }',
      ),
      C,
      'deny',
    ],
  ],
  ipBlock: [
    [
      'outside address in block',
      fromPeer('{ ipBlock: { cidr: 203.0.113.0/24 } }'),
      '203.0.113.9 shop/web tcp/1',
      'allow',
    ],
    ['first address', fromPeer('{ ipBlock: { cidr: 203.0.113.0/24 } }'), '203.0.113.0 shop/web tcp/1', 'allow'],
    ['last address', fromPeer('{ ipBlock: { cidr: 203.0.113.0/24 } }'), '203.0.113.255 shop/web tcp/1', 'allow'],
    ['one past', fromPeer('{ ipBlock: { cidr: 203.0.113.0/24 } }'), '203.0.114.0 shop/web tcp/1', 'deny'],
    [
      'except',
      fromPeer('{ ipBlock: { cidr: 203.0.113.0/24, except: [ 203.0.113.8/30 ] } }'),
      '203.0.113.9 shop/web tcp/1',
      'deny',
    ],
    [
      'beside except',
      fromPeer('{ ipBlock: { cidr: 203.0.113.0/24, except: [ 203.0.113.8/30 ] } }'),
      '203.0.113.12 shop/web tcp/1',
      'allow',
    ],
    [
      'excepted here, in another block',
      fromPeer(
        '{ ipBlock: { cidr: 203.0.113.0/24, except: [ 203.0.113.8/30 ] } }, { ipBlock: { cidr: 203.0.113.9/32 } }',
      ),
      '203.0.113.9 shop/web tcp/1',
      'allow',
    ],
    ['host bits', fromPeer('{ ipBlock: { cidr: 203.0.113.77/24 } }'), '203.0.113.9 shop/web tcp/1', 'allow'],
    ['everything', fromPeer('{ ipBlock: { cidr: 0.0.0.0/0 } }'), '203.0.113.9 shop/web tcp/1', 'allow'],
    ['everything of the other family', fromPeer('{ ipBlock: { cidr: "::/0" } }'), '203.0.113.9 shop/web tcp/1', 'deny'],
    [
      'IPv6',
      '{ podSelector: {}, ingress: [ { from: [ { ipBlock: { cidr: "2001:db8::/32" } } ] } ] }',
      '2001:db8::9 shop/dual tcp/1',
      'allow',
    ],
    ['finds a pod by its address', fromPeer('{ ipBlock: { cidr: 10.244.0.0/16 } }'), C, 'allow'],
    [
      'excepts a pod by its address',
      fromPeer('{ ipBlock: { cidr: 10.244.0.0/16, except: [ 10.244.1.20/32 ] } }'),
      C,
      'deny',
    ],
    [
      'dual stack pod, both families in',
      '{ podSelector: { matchLabels: { app: dual } }, policyTypes: [Egress], egress: [ { to: [ { ipBlock: { cidr: 0.0.0.0/0 } }, { ipBlock: { cidr: "::/0" } } ] } ] }',
      'shop/dual 2001:db8::1 tcp/1',
      'allow',
    ],
    ['not a CIDR', fromPeer('{ ipBlock: { cidr: 10.0.0.300/8 } }'), C, 'unknown'],
    ['address without length', fromPeer('{ ipBlock: { cidr: 10.244.1.20 } }'), C, 'unknown'],
    ['ipBlock and selector', fromPeer('{ ipBlock: { cidr: 0.0.0.0/0 }, podSelector: {} }'), C, 'unknown'],
    ['nonsense beside a match', fromPeer('{ ipBlock: { cidr: x } }, { namespaceSelector: {} }'), C, 'allow'],
    ['node by its address', fromPeer('{ ipBlock: { cidr: 172.30.0.12/32 } }'), '172.30.0.12 shop/web tcp/1', 'allow'],
    [
      'node of another machine may use its tunnel address',
      fromPeer('{ ipBlock: { cidr: 172.30.0.12/32 } }'),
      'node:node2 shop/web tcp/1',
      'unknown',
    ],
    [
      'node of another machine, all its addresses in',
      fromPeer('{ ipBlock: { cidr: 172.30.0.0/24 } }, { ipBlock: { cidr: 0.0.0.0/0 } }'),
      'node:node2 shop/web tcp/1',
      'allow',
    ],
  ],
  ports: [
    ['number', onPort('{ port: 8080 }'), C, 'allow'],
    ['protocol defaults to TCP', onPort('{ port: 8080 }'), 'tools/client shop/web udp/8080', 'deny'],
    ['UDP', onPort('{ protocol: UDP, port: 8080 }'), 'tools/client shop/web udp/8080', 'allow'],
    ['SCTP', onPort('{ protocol: SCTP, port: 8080 }'), 'tools/client shop/web sctp/8080', 'allow'],
    ['SCTP is not TCP', onPort('{ protocol: SCTP, port: 8080 }'), C, 'deny'],
    ['protocol without port', onPort('{ protocol: UDP }'), 'tools/client shop/web udp/9', 'allow'],
    ['protocol without port: not another protocol', onPort('{ protocol: UDP }'), C, 'deny'],
    ['empty port: all of TCP', onPort('{}'), C, 'allow'],
    ['empty port: no UDP', onPort('{}'), 'tools/client shop/web udp/1', 'deny'],
    ['endPort, first', onPort('{ port: 8080, endPort: 8090 }'), C, 'allow'],
    ['endPort, last', onPort('{ port: 8000, endPort: 8080 }'), C, 'allow'],
    ['endPort, past', onPort('{ port: 8000, endPort: 8079 }'), C, 'deny'],
    ['endPort below port', onPort('{ port: 8090, endPort: 8080 }'), C, 'unknown'],
    ['endPort without port', onPort('{ endPort: 8080 }'), C, 'unknown'],
    ['endPort with a name', onPort('{ port: http, endPort: 8080 }'), C, 'unknown'],
    ['number in quotes', onPort('{ port: "8080" }'), C, 'unknown'],
    ['unknown protocol', onPort('{ protocol: tcp, port: 8080 }'), C, 'unknown'],
    ['name', onPort('{ port: http }'), C, 'allow'],
    ['name of another number', onPort('{ port: http }'), 'tools/client shop/web tcp/9090', 'deny'],
    [
      'name per pod',
      '{ podSelector: {}, ingress: [ { ports: [ { port: http } ] } ] }',
      'tools/client shop/api tcp/9090',
      'allow',
    ],
    [
      'name of the wrong protocol',
      '{ podSelector: {}, ingress: [ { ports: [ { port: sync } ] } ] }',
      'tools/client shop/api tcp/7000',
      'deny',
    ],
    [
      'name with its protocol',
      '{ podSelector: {}, ingress: [ { ports: [ { port: sync, protocol: UDP } ] } ] }',
      'tools/client shop/api udp/7000',
      'allow',
    ],
    ['egress by name without to', egressOn('{ ports: [ { port: http } ] }'), 'shop/web shop/api tcp/9090', 'allow'],
    [
      'egress by name: the destination names it',
      egressOn('{ ports: [ { port: http } ] }'),
      'shop/web shop/api tcp/8080',
      'deny',
    ],
    [
      'egress by name to an address',
      egressOn('{ ports: [ { port: http } ] }'),
      'shop/web 203.0.113.9 tcp/8080',
      'deny',
    ],
    [
      'peer and port of different rules',
      `{ ${selectsWeb}, ingress: [ { from: [ { namespaceSelector: {} } ], ports: [ { port: 1 } ] }, { from: [ { podSelector: {} } ], ports: [ { port: 8080 } ] } ] }`,
      C,
      'deny',
    ],
    ['ICMP, rule without ports', fromPeer('{ namespaceSelector: {} }'), 'tools/client shop/web icmp', 'allow'],
    ['ICMP is not defined otherwise', onPort('{ port: 8080 }'), 'tools/client shop/web icmp', 'unknown'],
    ['port not given', onPort('{ port: 8080 }'), 'tools/client shop/web tcp', 'unknown'],
  ],
  'ends that are special': [
    ['own node always gets in', '{ podSelector: {} }', 'node:node1 shop/web tcp/1', 'allow'],
    ['own node by address', '{ podSelector: {} }', '172.30.0.11 shop/web tcp/1', 'allow'],
    ['another node does not', '{ podSelector: {} }', 'node:node2 shop/web tcp/1', 'deny'],
    ['pod to its own node', egressOn(''), 'shop/web node:node1 tcp/10250', 'allow'],
    ['pod to another node', egressOn(''), 'shop/web node:node2 tcp/10250', 'deny'],
    [
      'a pod cannot cut itself off',
      '{ podSelector: {}, policyTypes: [Ingress, Egress] }',
      'shop/web shop/web tcp/1',
      'allow',
    ],
    ['hostNetwork pod on the own node', '{ podSelector: {} }', 'kube-system/proxy shop/web tcp/1', 'allow'],
    [
      'hostNetwork pod is no selector’s peer',
      '{ podSelector: {}, ingress: [ { from: [ { namespaceSelector: {} } ] } ] }',
      'kube-system/proxy shop/api tcp/1',
      'deny',
    ],
    [
      'address of a pod is that pod',
      fromPeer('{ podSelector: { matchLabels: { app: api } } }'),
      '10.244.2.10 shop/web tcp/1',
      'allow',
    ],
    ['address of an ended pod is nobody', fromPeer('{ podSelector: {} }'), '10.244.1.66 shop/web tcp/1', 'deny'],
    ['ended pod has no network', fromPeer('{ podSelector: {} }'), 'shop/old shop/web tcp/1', 'unknown'],
    ['pod that is not there', fromPeer('{ podSelector: {} }'), 'shop/none shop/web tcp/1', 'unknown'],
    [
      'Service address as destination',
      egressOn('{ to: [ { podSelector: {} } ] }'),
      'shop/web 10.96.0.90 tcp/8080',
      'unknown',
    ],
    ['Service address, everything allowed', egressOn('{}'), 'tools/client 10.96.0.90 tcp/8080', 'allow'],
  ],
}

describe.each(Object.entries(tables))('NetworkPolicy: %s', (_title, rows) => {
  it.each(rows)('%s', (_name, spec, question, decision) => {
    expect(ask(world([policy('shop', 'p', spec)]), question).decision).toBe(decision)
  })
})

describe('NetworkPolicy: what is not in the snapshot or not evaluated', () => {
  it('does not take missing policies for no policies', () => {
    const objects = world([], { known: new Set(['Pod']) })
    expect(ask(objects, C).decision).toBe('unknown')
    expect(ask(world([]), C).decision).toBe('allow')
  })
  it('does not take an address for an outsider when the pods are not known', () => {
    const known = new Set(['NetworkPolicy'])
    const web = world([]).pods.filter((p) => p.meta.name === 'web')
    const spec = fromPeer('{ namespaceSelector: {} }')
    expect(ask(world([policy('shop', 'p', spec)], { known, pods: web }), '10.9.9.9 shop/web tcp/1').decision).toBe(
      'deny',
    )
    expect(ask(world([policy('shop', 'p', spec)], { known, pods: [] }), '10.9.9.9 10.8.8.8 tcp/1').decision).toBe(
      'unknown',
    )
  })
  it('leaves room for policies of other kinds', () => {
    const deny = policy('shop', 'deny', `{ ${selectsWeb} }`)
    const antrea = other('crd.antrea.io/v1beta1', 'ClusterNetworkPolicy', '', 'a', '{}')
    const nearby = other('crd.antrea.io/v1beta1', 'NetworkPolicy', 'tools', 'n', '{}')
    const ingress = (...policies: (typeof deny)[]) => ask(world(policies), C).ingress
    expect(ingress(deny).decision).toBe('deny')
    expect(ingress(deny, antrea).decision).toBe('unknown')
    expect(ingress(deny, nearby).decision).toBe('deny')
    expect(ask(world([nearby]), C).egress.decision).toBe('unknown')
  })
  it('takes neither of two plugins whose policies are both there', () => {
    const calico = other('projectcalico.org/v3', 'NetworkPolicy', 'shop', 'p', '{ selector: all() }')
    const cilium = other(
      'cilium.io/v2',
      'CiliumNetworkPolicy',
      'shop',
      'c',
      '{ endpointSelector: {}, ingress: [ {} ] }',
    )
    expect(ask(world([calico, cilium]), C).ingress.decision).toBe('unknown')
  })
  it('decides as far as it can when it is not known whether a policy selects the pod', () => {
    const maybe = (ingress: string) =>
      policy(
        'shop',
        'maybe',
        `{ podSelector: { matchExpressions: [ { key: app, operator: Near } ] }, ingress: ${ingress} }`,
      )
    const deny = policy('shop', 'deny', `{ ${selectsWeb} }`)
    expect(ask(world([maybe('[]')]), C).decision).toBe('unknown')
    expect(ask(world([maybe('[ {} ]')]), C).decision).toBe('allow')
    expect(ask(world([maybe('[]'), deny]), C).decision).toBe('deny')
    expect(ask(world([maybe('[ {} ]'), deny]), C).decision).toBe('unknown')
  })
  it('tells the families of a dual-stack pair apart', () => {
    const two = pod('shop', 'two', { app: 'web' }, 'node1', ['10.244.1.40', 'fd00:1::40'])
    const base = world([policy('shop', 'p', fromPeer('{ ipBlock: { cidr: 10.244.0.0/16 } }'))])
    const objects = { ...base, pods: [...base.pods, two] }
    const decision = (family?: 4 | 6) =>
      evaluatePolicy(objects, {
        from: end('shop/dual'),
        to: end('shop/two'),
        protocol: 'tcp',
        port: 1,
        ...(family ? { family } : {}),
      }).decision
    expect([decision(), decision(4), decision(6)]).toEqual(['unknown', 'allow', 'deny'])
    const both = policy('shop', 'q', fromPeer('{ ipBlock: { cidr: "::/0" } }'))
    const question = { from: end('shop/dual'), to: end('shop/two'), protocol: 'tcp', port: 1 }
    expect(evaluatePolicy({ ...objects, others: [...objects.others, both] }, question).decision).toBe('allow')
  })
})
