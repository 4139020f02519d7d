/**
 * AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy: rows after the API texts of network-policy-api
 * (v1alpha1, v1alpha2, v1beta1) and the questions its conformance suite asks.
 */
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { OtherObject } from '../../kubeobj/objects.ts'
import { evaluatePolicy, evaluator, policyCluster } from './index.ts'
import type { DirectionResult } from './result.ts'
import { end, other, policy, world } from './world.test-data.ts'

const GROUP = 'policy.networking.k8s.io'
let count = 0
const spec = (text: string): object => {
  const value: unknown = parse(`{ ${text} }`)
  return typeof value === 'object' && value !== null ? value : {}
}
const WEB = 'subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: web } } } }'
const cnp = (text: string, name = `c${count++}`) =>
  other(`${GROUP}/v1alpha2`, 'ClusterNetworkPolicy', '', name, spec(text))
/** About shop/web, ingress. */
const admin = (priority: number, rules: string, name?: string) =>
  cnp(`tier: Admin, priority: ${priority}, ${WEB}, ingress: [ ${rules} ]`, name)
const baseline = (priority: number, rules: string, name?: string) =>
  cnp(`tier: Baseline, priority: ${priority}, ${WEB}, ingress: [ ${rules} ]`, name)
/** About shop/web, egress. */
const out = (rules: string) => cnp(`tier: Admin, priority: 5, ${WEB}, egress: [ ${rules} ]`)
const anp = (priority: number, rules: string) =>
  other(
    `${GROUP}/v1alpha1`,
    'AdminNetworkPolicy',
    '',
    'anp',
    spec(`priority: ${priority}, ${WEB}, ingress: [ ${rules} ]`),
  )
const banp = (rules: string) =>
  other(`${GROUP}/v1alpha1`, 'BaselineAdminNetworkPolicy', '', 'default', spec(`${WEB}, ingress: [ ${rules} ]`))
const np = (ingress: string) =>
  policy('shop', 'np', `{ podSelector: { matchLabels: { app: web } }, ingress: ${ingress} }`)

const from = (action: string, peer: string, more = '') => `{ action: ${action}, from: [ ${peer} ] ${more} }`
const to = (action: string, peer: string, more = '') => `{ action: ${action}, to: [ ${peer} ] ${more} }`
const TOOLS = '{ namespaces: { matchLabels: { team: ops } } }'
const SHOP = '{ namespaces: { matchLabels: { kubernetes.io/metadata.name: shop } } }'
const ALL = '{ namespaces: {} }'
const tcp = (n: number) => `, protocols: [ { tcp: { destinationPort: { number: ${n} } } } ]`
const range = (protocol: string, start: number, last: number) =>
  `, protocols: [ { ${protocol}: { destinationPort: { range: { start: ${start}, end: ${last} } } } } ]`
const C = 'tools/client shop/web tcp/8080'
const O = 'shop/web tools/client tcp/8080'

/** `DECISION` with what decided it, for the direction that did: `deny Admin tier deny ClusterNetworkPolicy x ingress[0]`. */
function by(d: DirectionResult): string {
  const { decidedBy: b } = d
  if (!b) return d.decision
  const rule = b.rule ? ` ${b.rule.policy.kind} ${b.rule.name}` : ''
  return `${d.decision}: ${b.stage} ${b.action}${rule}${b.priority === null ? '' : ` at ${b.priority}`}`
}

function ask(others: readonly OtherObject[], question: string) {
  const [source, target, service] = question.split(' ')
  const [protocol, port] = service!.split('/')
  const base = world(others)
  const nodes = base.nodes.map((n) => ({
    ...n,
    meta: { ...n.meta, labels: { os: 'linux', ...(n.meta.name === 'node2' ? { role: 'db' } : {}) } },
  }))
  const objects = { ...base, nodes }
  const asked = {
    from: end(source!),
    to: end(target!),
    protocol: protocol!,
    port: port === undefined ? null : Number(port),
  }
  const result = evaluatePolicy(objects, asked)
  expect(evaluator(policyCluster(objects)).decide(asked)).toBe(result.decision)
  return result
}

type Row = [what: string, policies: readonly OtherObject[], question: string, answer: string]

const CNP = 'ClusterNetworkPolicy'
const tables: Record<string, Row[]> = {
  'the walk through the tiers': [
    ['no rule matches: nothing is isolated', [admin(1, from('Deny', SHOP))], C, 'allow'],
    ['deny', [admin(1, from('Deny', TOOLS))], C, `deny: Admin tier deny ${CNP} ingress[0] at 1`],
    [
      'accept beats NetworkPolicy',
      [admin(1, from('Accept', TOOLS)), np('[]')],
      C,
      `allow: Admin tier allow ${CNP} ingress[0] at 1`,
    ],
    [
      'deny beats NetworkPolicy',
      [admin(1, from('Deny', TOOLS)), np('[ {} ]')],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'pass to NetworkPolicy that allows',
      [admin(1, from('Pass', TOOLS)), np('[ {} ]'), baseline(1, from('Deny', TOOLS))],
      C,
      'allow: NetworkPolicy allow NetworkPolicy ingress[0]',
    ],
    [
      'pass to NetworkPolicy that isolates',
      [admin(1, from('Pass', TOOLS)), np('[]'), baseline(1, from('Accept', TOOLS))],
      C,
      'deny: NetworkPolicy isolation',
    ],
    [
      'pass skips the rest of the tier',
      [admin(1, `${from('Pass', TOOLS)}, ${from('Deny', ALL)}`), admin(2, from('Deny', ALL))],
      C,
      'allow',
    ],
    [
      'pass to the baseline where no NetworkPolicy selects',
      [admin(1, from('Pass', TOOLS)), baseline(1, from('Deny', TOOLS))],
      C,
      `deny: Baseline tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'baseline without any other',
      [baseline(1, from('Deny', TOOLS))],
      C,
      `deny: Baseline tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'a NetworkPolicy that may select the pod and would admit: the baseline may be heard or not',
      [
        baseline(1, from('Deny', TOOLS)),
        policy('shop', 'm', '{ podSelector: { matchExpressions: [ { key: app, operator: Near } ] }, ingress: [ {} ] }'),
      ],
      C,
      'unknown',
    ],
    [
      'a NetworkPolicy for the other direction leaves the baseline in force',
      [
        baseline(1, from('Deny', TOOLS)),
        policy('shop', 'e', '{ podSelector: {}, policyTypes: [Egress], egress: [ {} ] }'),
      ],
      C,
      `deny: Baseline tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'pass in the baseline: nothing is left to deny',
      [baseline(1, `${from('Pass', TOOLS)}, ${from('Deny', ALL)}`)],
      C,
      'allow',
    ],
    [
      'the first rule of a policy wins',
      [admin(1, `${from('Accept', TOOLS)}, ${from('Deny', TOOLS)}, ${from('Pass', TOOLS)}`)],
      C,
      `allow: Admin tier allow ${CNP} ingress[0] at 1`,
    ],
    [
      'priority, not place in the file',
      [admin(60, from('Pass', TOOLS)), admin(50, from('Deny', TOOLS))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 50`,
    ],
    [
      'priority changed',
      [admin(40, from('Pass', TOOLS)), admin(50, from('Deny', TOOLS)), baseline(10, from('Accept', TOOLS))],
      C,
      `allow: Baseline tier allow ${CNP} ingress[0] at 10`,
    ],
    [
      'the name of a rule',
      [admin(1, from('Deny', TOOLS, ', name: no-tools'))],
      C,
      `deny: Admin tier deny ${CNP} ingress "no-tools" at 1`,
    ],
    ['egress rules leave ingress alone', [out(to('Deny', TOOLS))], C, 'allow'],
    ['no rules at all', [cnp(`tier: Admin, priority: 1, ${WEB}, ingress: []`)], C, 'allow'],
    ['the deny of the source counts too', [out(to('Deny', TOOLS))], O, `deny: Admin tier deny ${CNP} egress[0] at 5`],
  ],
  'equal priorities': [
    [
      'that say the same',
      [admin(7, from('Deny', TOOLS)), admin(7, from('Deny', ALL))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 7`,
    ],
    ['that differ, one way', [admin(7, from('Deny', TOOLS), 'a'), admin(7, from('Accept', ALL), 'b')], C, 'unknown'],
    [
      'that differ, the other way',
      [admin(7, from('Accept', TOOLS), 'a'), admin(7, from('Deny', ALL), 'b')],
      C,
      'unknown',
    ],
    [
      'of which one only matches',
      [admin(7, from('Deny', TOOLS)), admin(7, from('Accept', SHOP))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 7`,
    ],
    [
      'on other ports',
      [admin(7, from('Deny', TOOLS, tcp(8080))), admin(7, from('Accept', TOOLS, tcp(80)))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 7`,
    ],
    [
      'of another subject',
      [
        admin(7, from('Deny', TOOLS)),
        cnp(
          `tier: Admin, priority: 7, subject: { namespaces: { matchLabels: { team: ops } } }, ingress: [ ${from('Accept', ALL)} ]`,
        ),
      ],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 7`,
    ],
    [
      'that differ, after one that decides',
      [admin(6, from('Accept', ALL)), admin(7, from('Deny', TOOLS)), admin(7, from('Accept', ALL))],
      C,
      `allow: Admin tier allow ${CNP} ingress[0] at 6`,
    ],
    [
      'pass or allow, and nothing after: the same',
      [admin(7, from('Pass', ALL)), admin(7, from('Accept', ALL))],
      C,
      'allow',
    ],
    [
      'pass or allow, and NetworkPolicy denies',
      [admin(7, from('Pass', ALL)), admin(7, from('Accept', ALL)), np('[]')],
      C,
      'unknown',
    ],
    [
      'pass or deny, and NetworkPolicy denies: the same',
      [admin(7, from('Pass', ALL)), admin(7, from('Deny', ALL)), np('[]')],
      C,
      'deny: NetworkPolicy isolation',
    ],
    ['in the baseline', [baseline(7, from('Deny', TOOLS)), baseline(7, from('Accept', TOOLS))], C, 'unknown'],
    [
      'the same priority in two tiers',
      [admin(7, from('Pass', TOOLS)), baseline(7, from('Deny', TOOLS))],
      C,
      `deny: Baseline tier deny ${CNP} ingress[0] at 7`,
    ],
    ['baseline of both kinds that differ', [banp(from('Allow', ALL)), baseline(1, from('Deny', TOOLS))], C, 'unknown'],
    [
      'baseline of both kinds that agree',
      [banp(from('Deny', ALL)), baseline(1, from('Deny', TOOLS))],
      C,
      'deny: Baseline tier deny ClusterNetworkPolicy ingress[0] at 1',
    ],
    [
      'baseline of both kinds, one silent',
      [banp(from('Deny', ALL)), baseline(1, from('Accept', SHOP))],
      C,
      'deny: Baseline tier deny BaselineAdminNetworkPolicy ingress[0]',
    ],
    [
      'no priority is any priority',
      [cnp(`tier: Admin, ${WEB}, ingress: [ ${from('Deny', ALL)} ]`), admin(0, from('Accept', ALL))],
      C,
      'unknown',
    ],
    [
      'no priority, alone',
      [cnp(`tier: Admin, ${WEB}, ingress: [ ${from('Deny', ALL)} ]`)],
      C,
      `deny: Admin tier deny ${CNP} ingress[0]`,
    ],
  ],
  'AdminNetworkPolicy and its baseline': [
    ['deny', [anp(3, from('Deny', TOOLS))], C, 'deny: Admin tier deny AdminNetworkPolicy ingress[0] at 3'],
    ['Accept is no action of it', [anp(3, from('Accept', TOOLS)), np('[]')], C, 'unknown'],
    ['Allow is none of ClusterNetworkPolicy', [admin(3, from('Allow', TOOLS)), np('[]')], C, 'unknown'],
    [
      'portNumber',
      [anp(3, from('Deny', TOOLS, ', ports: [ { portNumber: { protocol: TCP, port: 8080 } } ]'))],
      C,
      'deny: Admin tier deny AdminNetworkPolicy ingress[0] at 3',
    ],
    [
      'portNumber of UDP',
      [anp(3, from('Deny', TOOLS, ', ports: [ { portNumber: { protocol: UDP, port: 8080 } } ]'))],
      C,
      'allow',
    ],
    [
      'portRange without protocol is TCP',
      [anp(3, from('Deny', TOOLS, ', ports: [ { portRange: { start: 8000, end: 8080 } } ]'))],
      C,
      'deny: Admin tier deny AdminNetworkPolicy ingress[0] at 3',
    ],
    [
      'portRange, past its end',
      [anp(3, from('Deny', TOOLS, ', ports: [ { portRange: { start: 8000, end: 8079 } } ]'))],
      C,
      'allow',
    ],
    [
      'namedPort',
      [anp(3, from('Deny', TOOLS, ', ports: [ { namedPort: http } ]'))],
      C,
      'deny: Admin tier deny AdminNetworkPolicy ingress[0] at 3',
    ],
    [
      'namedPort of another number',
      [anp(3, from('Deny', TOOLS, ', ports: [ { namedPort: http } ]'))],
      'tools/client shop/web tcp/80',
      'allow',
    ],
    [
      'two fields in one port',
      [anp(3, from('Deny', TOOLS, ', ports: [ { namedPort: http, portNumber: { protocol: TCP, port: 1 } } ]'))],
      C,
      'unknown',
    ],
    [
      'by priority among the newer kind',
      [anp(3, from('Deny', TOOLS)), admin(2, from('Accept', TOOLS))],
      C,
      `allow: Admin tier allow ${CNP} ingress[0] at 2`,
    ],
    ['the baseline', [banp(from('Deny', TOOLS))], C, 'deny: Baseline tier deny BaselineAdminNetworkPolicy ingress[0]'],
    [
      'the baseline under a NetworkPolicy',
      [banp(from('Deny', TOOLS)), np('[ {} ]')],
      C,
      'allow: NetworkPolicy allow NetworkPolicy ingress[0]',
    ],
    ['the baseline cannot pass', [banp(from('Pass', TOOLS))], C, 'unknown'],
    ['peers of the first drafts', [anp(3, from('Deny', '{ namespaces: { namespaceSelector: {} } }'))], C, 'unknown'],
  ],
  'subjects and peers': [
    [
      'subject by namespace',
      [
        cnp(
          `tier: Admin, priority: 1, subject: { namespaces: { matchLabels: { kubernetes.io/metadata.name: shop } } }, ingress: [ ${from('Deny', ALL)} ]`,
        ),
      ],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'subject of another namespace',
      [
        cnp(
          `tier: Admin, priority: 1, subject: { namespaces: { matchLabels: { team: ops } } }, ingress: [ ${from('Deny', ALL)} ]`,
        ),
      ],
      C,
      'allow',
    ],
    [
      'subject by pod label alone: every namespace',
      [
        cnp(
          `tier: Admin, priority: 1, subject: { pods: { podSelector: { matchLabels: { app: web } } } }, ingress: [ ${from('Deny', ALL)} ]`,
        ),
      ],
      'tools/client bare/one tcp/1',
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'subject: podSelector is not ignored',
      [
        cnp(
          `tier: Admin, priority: 1, subject: { pods: { podSelector: { matchLabels: { app: x } } } }, ingress: [ ${from('Deny', ALL)} ]`,
        ),
      ],
      C,
      'allow',
    ],
    ['subject missing', [cnp(`tier: Admin, priority: 1, ingress: [ ${from('Deny', ALL)} ]`)], C, 'unknown'],
    [
      'subject missing, and the rule does not match',
      [cnp(`tier: Admin, priority: 1, ingress: [ ${from('Deny', SHOP)} ]`)],
      C,
      'allow',
    ],
    [
      'host-network pods are no subjects',
      [cnp(`tier: Admin, priority: 1, subject: { namespaces: {} }, ingress: [ ${from('Deny', ALL)} ]`)],
      'tools/client kube-system/proxy tcp/1',
      'allow',
    ],
    [
      'host-network pods are no peers',
      [cnp(`tier: Admin, priority: 1, subject: { namespaces: {} }, ingress: [ ${from('Deny', ALL)} ]`)],
      'kube-system/proxy shop/api tcp/1',
      'allow',
    ],
    ['the outside is no peer of namespaces', [admin(1, from('Deny', ALL))], '203.0.113.9 shop/web tcp/1', 'allow'],
    [
      'pods: both selectors',
      [
        admin(
          1,
          from(
            'Deny',
            '{ pods: { namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: client } } } }',
          ),
        ),
      ],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'pods: the pod half fails',
      [
        admin(
          1,
          from(
            'Deny',
            '{ pods: { namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: x } } } }',
          ),
        ),
      ],
      C,
      'allow',
    ],
    [
      'pods: namespaceSelector left out',
      [admin(1, from('Deny', '{ pods: { podSelector: { matchExpressions: [ { key: app, operator: Exists } ] } } }'))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    ['peers left out', [admin(1, '{ action: Deny }')], C, 'unknown'],
    ['an empty peer', [admin(1, from('Deny', '{}'))], C, 'unknown'],
    ['networks is no ingress peer', [admin(1, from('Deny', '{ networks: [ 0.0.0.0/0 ] }'))], C, 'unknown'],
    [
      'networks hits pods too',
      [out(to('Deny', '{ networks: [ 0.0.0.0/0, "::/0" ] }'))],
      O,
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'networks after a pass for pods',
      [out(`${to('Pass', ALL)}, ${to('Deny', '{ networks: [ 0.0.0.0/0 ] }')}`)],
      O,
      'allow',
    ],
    [
      'networks: the outside',
      [out(to('Deny', '{ networks: [ 198.51.100.0/24, 203.0.113.0/24 ] }'))],
      'shop/web 203.0.113.9 tcp/1',
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'networks: outside of it',
      [out(to('Deny', '{ networks: [ 198.51.100.0/24 ] }'))],
      'shop/web 203.0.113.9 tcp/1',
      'allow',
    ],
    ['networks: of the other family', [out(to('Deny', '{ networks: [ "::/0" ] }'))], O, 'allow'],
    [
      'networks: one pod by its address before the rest',
      [out(`${to('Accept', '{ networks: [ 10.244.1.20/32 ] }')}, ${to('Deny', '{ networks: [ 0.0.0.0/0 ] }')}`)],
      O,
      `allow: Admin tier allow ${CNP} egress[0] at 5`,
    ],
    ['networks: not a CIDR', [out(to('Deny', '{ networks: [ 10.0.0.1 ] }'))], O, 'unknown'],
    [
      'networks: ICMP',
      [out(to('Deny', '{ networks: [ 0.0.0.0/0 ] }'))],
      'shop/web tools/client icmp',
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'networks with a port: no ICMP',
      [out(to('Deny', '{ networks: [ 0.0.0.0/0 ] }', tcp(80)))],
      'shop/web tools/client icmp',
      'allow',
    ],
    [
      'nodes',
      [out(to('Deny', '{ nodes: { matchLabels: { os: linux } } }'))],
      'shop/web node:node2 tcp/10250',
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'nodes by address',
      [out(to('Deny', '{ nodes: {} }'))],
      'shop/web 172.30.0.12 tcp/10250',
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'nodes: other labels',
      [out(to('Deny', '{ nodes: { matchLabels: { role: x } } }'))],
      'shop/web node:node2 tcp/1',
      'allow',
    ],
    ['nodes are not pods', [out(to('Deny', '{ nodes: {} }'))], O, 'allow'],
    ['nodes are not the outside', [out(to('Deny', '{ nodes: {} }'))], 'shop/web 203.0.113.9 tcp/1', 'allow'],
    ['nodes: host-network pods', [out(to('Deny', '{ nodes: {} }'))], 'shop/api kube-system/proxy tcp/1', 'allow'],
    [
      'nodes: host-network pods of the own node too',
      [out(to('Deny', '{ nodes: {} }'))],
      'shop/web kube-system/proxy tcp/1',
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'nodes: the own node is one',
      [out(to('Deny', '{ nodes: {} }'))],
      'shop/web node:node1 tcp/1',
      `deny: Admin tier deny ${CNP} egress[0] at 5`,
    ],
    [
      'the own node, under NetworkPolicy alone',
      [policy('shop', 'e', '{ podSelector: {}, policyTypes: [Egress] }')],
      'shop/web node:node1 tcp/1',
      'allow',
    ],
    ['nodes is no ingress peer', [admin(1, from('Deny', '{ nodes: {} }'))], 'node:node2 shop/web tcp/1', 'unknown'],
    [
      'domainNames: which addresses nobody knows',
      [
        out(to('Accept', '{ domainNames: [ "*.example.com" ] }')),
        policy('shop', 'e', '{ podSelector: {}, policyTypes: [Egress] }'),
      ],
      'shop/web 203.0.113.9 tcp/443',
      'unknown',
    ],
    [
      'domainNames: allowed anyway',
      [out(to('Accept', '{ domainNames: [ "*.example.com" ] }'))],
      'shop/web 203.0.113.9 tcp/443',
      'allow',
    ],
    ['a pod to itself', [admin(1, from('Deny', ALL))], 'shop/web shop/web tcp/1', 'allow'],
  ],
  protocols: [
    ['number', [admin(1, from('Deny', ALL, tcp(8080)))], C, `deny: Admin tier deny ${CNP} ingress[0] at 1`],
    ['another number', [admin(1, from('Deny', ALL, tcp(80)))], C, 'allow'],
    ['another protocol', [admin(1, from('Deny', ALL, range('udp', 1, 65535)))], C, 'allow'],
    [
      'range, first',
      [admin(1, from('Deny', ALL, range('tcp', 8080, 9000)))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'range, last',
      [admin(1, from('Deny', ALL, range('tcp', 80, 8080)))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    ['range, before it', [admin(1, from('Deny', ALL, range('tcp', 8081, 9000)))], C, 'allow'],
    [
      'range of SCTP',
      [admin(1, from('Deny', ALL, range('sctp', 9003, 9005)))],
      'tools/client shop/web sctp/9004',
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    ['range the wrong way', [admin(1, from('Deny', ALL, range('tcp', 9000, 80)))], C, 'unknown'],
    [
      'several',
      [
        admin(
          1,
          from(
            'Deny',
            ALL,
            ', protocols: [ { udp: { destinationPort: { number: 53 } } }, { tcp: { destinationPort: { number: 8080 } } } ]',
          ),
        ),
      ],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'name',
      [admin(1, from('Deny', ALL, ', protocols: [ { destinationNamedPort: http } ]'))],
      C,
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'name, other number',
      [admin(1, from('Deny', ALL, ', protocols: [ { destinationNamedPort: http } ]'))],
      'tools/client shop/web tcp/80',
      'allow',
    ],
    [
      'name, UDP of the container',
      [
        cnp(
          `tier: Admin, priority: 1, subject: { namespaces: {} }, ingress: [ ${from('Deny', ALL, ', protocols: [ { destinationNamedPort: sync } ]')} ]`,
        ),
      ],
      'tools/client shop/api udp/7000',
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    [
      'name, not that protocol',
      [
        cnp(
          `tier: Admin, priority: 1, subject: { namespaces: {} }, ingress: [ ${from('Deny', ALL, ', protocols: [ { destinationNamedPort: sync } ]')} ]`,
        ),
      ],
      'tools/client shop/api tcp/7000',
      'allow',
    ],
    ['protocol without a port', [admin(1, from('Deny', ALL, ', protocols: [ { tcp: {} } ]'))], C, 'unknown'],
    [
      'the field of the first draft',
      [admin(1, from('Deny', ALL, ', ports: [ { portNumber: { protocol: TCP, port: 1 } } ]'))],
      C,
      'unknown',
    ],
    [
      'without protocols: ICMP too',
      [admin(1, from('Deny', ALL))],
      'tools/client shop/web icmp',
      `deny: Admin tier deny ${CNP} ingress[0] at 1`,
    ],
    ['port not given', [admin(1, from('Deny', ALL, tcp(80)))], 'tools/client shop/web tcp', 'unknown'],
    [
      'tier that does not exist',
      [cnp(`tier: Middle, priority: 1, ${WEB}, ingress: [ ${from('Deny', ALL)} ]`)],
      C,
      'unknown',
    ],
  ],
}

describe.each(Object.entries(tables))('%s', (_title, rows) => {
  it.each(rows)('%s', (_what, policies, question, answer) => {
    const { egress, ingress, decision } = ask(policies, question)
    const deciding = egress.decision !== 'allow' || (egress.decidedBy && !ingress.decidedBy) ? egress : ingress
    expect(by(deciding)).toBe(answer)
    expect(decision).toBe(answer.split(':')[0])
  })
})

describe('words about the tiers', () => {
  it('says which policies are tied, and that nobody knows which comes first', () => {
    const { ingress } = ask([admin(7, from('Deny', TOOLS), 'a'), admin(7, from('Accept', ALL), 'b')], C)
    expect(ingress.reason).toEqual({
      kind: 'unknown',
      why: [
        'ClusterNetworkPolicy a and ClusterNetworkPolicy b differ and have the same priority 7: which of them comes first is not defined',
      ],
    })
  })
  it('tells why a rule is not understood, once as an issue and once as the reason', () => {
    const { egress, issues } = ask([out(to('Deny', '{ networks: [ 10.0.0.1 ] }'))], O)
    expect(egress.reason).toMatchObject({
      kind: 'unknown',
      why: [expect.stringMatching(/networks: "10\.0\.0\.1" is not a CIDR$/)],
    })
    expect(issues.map((i) => i.message)).toEqual([
      expect.stringMatching(/^ClusterNetworkPolicy c\d+: egress rule 0: networks: "10\.0\.0\.1" is not a CIDR$/),
    ])
  })
  it('shows every rule of every tier that is about the pod, with its action', () => {
    const { ingress } = ask([admin(1, `${from('Pass', TOOLS)}, ${from('Deny', SHOP)}`, 'a'), np('[ {} ]')], C)
    expect(
      ingress.considered.map((c) => `${c.stage} ${c.policy.name}: ${c.rules.map((r) => `${r.action} ${r.matches}`)}`),
    ).toEqual(['Admin tier a: pass yes,deny no', 'NetworkPolicy np: allow yes'])
    expect(ingress).toMatchObject({ isolated: true, policies: [{ kind: 'NetworkPolicy', name: 'np' }] })
  })
})
