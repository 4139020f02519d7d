/** Causes that neither a fault of the lab nor a catalogue case shows: the same question with the fault and without it. */
import { expect, test } from 'vitest'
import { parseIp } from '../base/ip.ts'
import type { KubeObjects, ServiceObject } from '../kubeobj/objects.ts'
import type { Answer } from '../model/finding.ts'
import type { Ruleset } from '../model/ruleset.ts'
import { parseIptablesSave } from '../parse/iptables/index.ts'
import { parseNftText } from '../parse/nft/index.ts'
import type { ProbeReport } from './inquiry.ts'
import * as testing from './testing/ask.ts'
import { OBJECTS, service } from './testing/cluster.ts'
import { entry } from './testing/cluster-state.ts'

interface Case extends Omit<testing.Case, 'rulesets'> {
  /** iptables-save text of a netns, by its id. */
  readonly rules?: Readonly<Record<string, string>>
  /** `nft list ruleset` text of a netns, beside its iptables. */
  readonly nft?: Readonly<Record<string, string>>
}

function answer({ rules = {}, nft = {}, ...c }: Case): Answer {
  const rulesets: Record<string, Ruleset[]> = {}
  for (const [id, save] of Object.entries(rules)) {
    const source = { artefact: `nodes/${id}/iptables-save.txt`, family: 'ip', backend: 'iptables-nft' } as const
    rulesets[id] = [parseIptablesSave(save, source)]
  }
  for (const [id, list] of Object.entries(nft))
    rulesets[id] = [...(rulesets[id] ?? []), parseNftText(list, `nodes/${id}/nft-ruleset.txt`)]
  return testing.answer({ ...c, rulesets })
}

type Edits = NonNullable<Case['edits']>

/** node2 in a subnet of its own, 172.31.0.0/24, behind a router that nobody collected. */
const TWO_SUBNETS: Edits = [
  ['eth0 wire 172.30.0.12/24', 'eth0 wire 172.31.0.12/24'],
  ['flannel.1 dst 172.30.0.12', 'flannel.1 dst 172.31.0.12'],
  ['8472 172.30.0.12', '8472 172.31.0.12'],
  [/(netns node2[\s\S]*?)via 172.30.0.1 dev/, '$1via 172.31.0.1 dev'],
]
const MOVED: KubeObjects = {
  ...OBJECTS,
  nodes: OBJECTS.nodes.map((n) =>
    n.meta.name === 'node2' ? { ...n, addresses: [{ type: 'InternalIP', address: '172.31.0.12' }] } : n,
  ),
}
const BETWEEN_SUBNETS: Case = { edits: TWO_SUBNETS, objects: MOVED }
const onNode1 = (line: string): Edits => [['netns node1/host\n', `netns node1/host\n  ${line}\n`]]
const NO_ANSWER: ProbeReport = {
  results: [
    {
      kind: 'connect',
      purpose: 'asked',
      target: '10.244.2.20:8080',
      address: parseIp('10.244.2.20')!,
      sent: 3,
      answered: 0,
      error: 'ETIMEDOUT',
      command: 'nc -z 10.244.2.20 8080',
      output: '',
    },
  ],
}

const SSH: Case = {
  to: '172.30.0.12:22',
  edits: [['netns node2/host\n', 'netns node2/host\n  listen tcp 0.0.0.0:22\n']],
}
const FORWARD = (rule: string, policy = 'accept') =>
  `table inet guard {\n\tchain fwd {\n\t\ttype filter hook forward priority 10; policy ${policy};\n\t\t${rule}\n\t}\n}\n`
const ACCEPTS = '*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n'
const INPUT = (rule: string, policy = 'ACCEPT') => `*filter\n:INPUT ${policy} [0:0]\n${rule}\nCOMMIT\n`
const CALICO = (port: number) =>
  `*filter\n:FORWARD ACCEPT [0:0]\n:cali-FORWARD - [0:0]\n:cali-tw-x - [0:0]\n-A FORWARD -j cali-FORWARD\n-A cali-FORWARD -d 10.244.2.20/32 -j cali-tw-x\n-A cali-tw-x -p tcp -m tcp --dport ${port} -j DROP\nCOMMIT\n`
const TO_WEB1 =
  '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.20:8080\nCOMMIT\n'
const WEB1 = '10.244.1.20:8080'
const HEADLESS: KubeObjects = { ...OBJECTS, services: [service('web', 'None', 80, 8080, { app: 'web' })] }
const published = (change: Partial<ServiceObject>): KubeObjects => ({
  ...OBJECTS,
  services: OBJECTS.services.map((s) => ({ ...s, ...change })),
})
const DUAL_STACK: Case = {
  to: '[fd00:10:244:1::20]:8080',
  edits: [
    ['10.244.1.10/24', '10.244.1.10/24 fd00:10:244:1::10/64'],
    ['10.244.1.20/24', '10.244.1.20/24 fd00:10:244:1::20/64'],
  ],
}
const ANY_FAMILY: Edits = [['listen tcp 0.0.0.0:8080', 'listen tcp *:8080']]
const faulty = (c: Case, edits: Edits): Case => ({ ...c, edits: [...(c.edits ?? []), ...edits] })

/** node1 masquerades connections to port 8080 of the other node with 1000 ports, `count` of which are taken towards web2. */
const masqueraded = (count: number, more: Case = {}): Case => ({
  rules: {
    'node1/host':
      '*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -s 10.244.1.0/24 -o flannel.1 -p tcp -m tcp --dport 8080 -j MASQUERADE --to-ports 20000-20999\nCOMMIT\n',
  },
  conntrack: {
    'node1/host': Array.from({ length: count }, (_, i) =>
      entry(`tcp ESTABLISHED 10.244.1.10:${30000 + i}>10.244.2.20:8080 10.244.2.20:8080>10.244.1.0:${20000 + i}`),
    ),
  },
  ...more,
})

const NODE2_SILENT: Edits = [
  ['eth0 wire 172.30.0.12/24', 'eth0 wire 172.31.0.12/24'],
  ...onNode1('neigh 172.30.0.12 eth0 - FAILED'),
]
const WEB1_LINK = /\n {2}veth-web1 .*/
const WEB1_ETH0 = / {2}eth0 veth node1\/host:veth-web1 .*\n.*\n/

interface Row {
  /** Its finding, with `verdict` and the line of evidence it cites. */
  readonly code: string
  readonly fault: Case
  readonly proof: string | RegExp
  /** unreachable when absent. */
  readonly verdict?: Answer['verdict']
  /** error when absent; only an error is a root cause. */
  readonly severity?: 'warning' | 'info'
  /** A word the title must say. */
  readonly says: string
  readonly remedyVerified?: true
  /** The same without the fault; reachable when `outcome` says nothing else. */
  readonly healthy: Case
  readonly outcome?: Answer['verdict']
}

const rows: Record<string, Row> = {
  'no node answers at the address': {
    code: 'node-unreachable',
    fault: { edits: NODE2_SILENT },
    proof: 'neigh 172.30.0.12 eth0 - FAILED',
    says: 'node2 does not answer',
    healthy: { edits: onNode1('neigh 172.30.0.12 eth0 @node2/host:eth0 REACHABLE') },
  },
  "the node's NIC is set down": {
    code: 'node-unreachable',
    fault: { edits: [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 down']] },
    proof: 'eth0 wire 172.30.0.12/24 down',
    says: 'node2 does not answer',
    healthy: {},
  },
  "the node's cable is out": {
    code: 'node-unreachable',
    fault: { edits: [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 nocarrier']] },
    proof: /nocarrier/,
    says: 'eth0 of node2 has no carrier',
    healthy: {},
  },
  'the router between the nodes is silent': {
    code: 'node-unreachable',
    fault: faulty(BETWEEN_SUBNETS, onNode1('neigh 172.30.0.1 eth0 - FAILED')),
    proof: 'route default via 172.30.0.1 dev eth0',
    says: 'the router 172.30.0.1',
    healthy: BETWEEN_SUBNETS,
    outcome: 'unknown',
  },
  'a pod without a veth pair is asked': {
    code: 'link-missing',
    fault: {
      to: WEB1,
      edits: [
        [WEB1_LINK, ''],
        [WEB1_ETH0, ''],
      ],
    },
    proof: 'no link but lo',
    says: 'pod default/web1 has no network link',
    healthy: { to: WEB1 },
  },
  'a pod without a veth pair asks': {
    code: 'link-missing',
    fault: {
      edits: [
        [/ {2}veth-client1 .*\n/, ''],
        [/ {2}eth0 veth node1\/host:veth-client1 .*\n.*\n/, ''],
      ],
    },
    proof: 'no link but lo',
    says: 'pod default/client1 has no network link',
    healthy: {},
  },
  'a dummy stands where the tunnel was': {
    code: 'link-missing',
    fault: { edits: [['flannel.1 vxlan 1 8472 172.30.0.11', 'flannel.1 dummy']] },
    proof: 'flannel.1 dummy 10.244.1.0/32',
    says: 'a dummy link',
    healthy: {},
  },
  'no route to the other node': {
    code: 'underlay-route-missing',
    fault: faulty(BETWEEN_SUBNETS, [['  route default via 172.30.0.1 dev eth0\n', '']]),
    proof: 'no route to 172.31.0.12',
    says: 'no route to node2 (172.31.0.12)',
    healthy: BETWEEN_SUBNETS,
    outcome: 'unknown',
  },
  'a closed route to the other node': {
    code: 'underlay-route-missing',
    fault: faulty(BETWEEN_SUBNETS, onNode1('route unreachable 172.31.0.0/24')),
    proof: 'route unreachable 172.31.0.0/24',
    says: 'no route to node2 (172.31.0.12)',
    healthy: BETWEEN_SUBNETS,
    outcome: 'unknown',
  },
  'probes by a router nobody collected fail': {
    code: 'underlay-route-missing',
    fault: { ...BETWEEN_SUBNETS, probes: NO_ANSWER },
    severity: 'warning',
    proof: 'route default via 172.30.0.1 dev eth0',
    says: 'the router 172.30.0.1',
    healthy: BETWEEN_SUBNETS,
    outcome: 'unknown',
  },
  'a stale entry in the pod': {
    code: 'neighbour-wrong',
    fault: { to: WEB1, edits: [[/(default\/client1\n)/, '$1  neigh 10.244.1.20 eth0 02:00:00:00:00:99 STALE\n']] },
    proof: /02:00:00:00:00:99/,
    says: '10.244.1.20 is 02:00:00:00:00:99',
    remedyVerified: true,
    healthy: {
      to: WEB1,
      edits: [[/(default\/client1\n)/, '$1  neigh 10.244.1.20 eth0 @node1/pod/default/web1:eth0 STALE\n']],
    },
  },
  "another pod's MAC on the node": {
    code: 'neighbour-wrong',
    fault: {
      from: 'node/node1',
      to: WEB1,
      edits: onNode1('neigh 10.244.1.20 cni0 @node1/pod/default/client1:eth0 STALE'),
    },
    proof: /client1:eth0 STALE/,
    says: '10.244.1.20 is',
    remedyVerified: true,
    healthy: {
      from: 'node/node1',
      to: WEB1,
      edits: onNode1('neigh 10.244.1.20 cni0 @node1/pod/default/web1:eth0 STALE'),
    },
  },
  'a rule of nftables drops what iptables accepts': {
    code: 'nft-chain-drop',
    fault: { nft: { 'node1/host': FORWARD('ip daddr 10.244.2.0/24 drop') }, rules: { 'node1/host': ACCEPTS } },
    proof: 'ip daddr 10.244.2.0/24 drop',
    says: 'node1 drops the request',
    remedyVerified: true,
    healthy: { nft: { 'node1/host': FORWARD('ip daddr 10.245.2.0/24 drop') }, rules: { 'node1/host': ACCEPTS } },
  },
  'a chain of nftables drops by its policy': {
    code: 'nft-chain-drop',
    fault: { nft: { 'node1/host': FORWARD('ip daddr 10.96.0.0/16 accept', 'drop') }, rules: { 'node1/host': ACCEPTS } },
    proof: /policy drop/,
    says: 'nftables chain fwd of table guard',
    healthy: { nft: { 'node1/host': FORWARD('ip saddr 10.244.0.0/16 accept', 'drop') } },
  },
  'a rule of INPUT': {
    code: 'input-drop',
    fault: { ...SSH, rules: { 'node2/host': INPUT('-A INPUT -p tcp -m tcp --dport 22 -j DROP') } },
    proof: '-A INPUT -p tcp -m tcp --dport 22 -j DROP',
    says: 'node2 drops the request',
    remedyVerified: true,
    healthy: { ...SSH, rules: { 'node2/host': INPUT('-A INPUT -p tcp -m tcp --dport 23 -j DROP') } },
  },
  'the policy of INPUT': {
    code: 'input-drop',
    fault: { ...SSH, rules: { 'node2/host': INPUT('-A INPUT -p udp -m udp --dport 8472 -j ACCEPT', 'DROP') } },
    proof: /policy drop/i,
    says: 'INPUT on node2 drops the request',
    healthy: { ...SSH, rules: { 'node2/host': INPUT('-A INPUT -s 10.244.0.0/16 -j ACCEPT', 'DROP') } },
  },
  'a port the Service does not publish': {
    code: 'service-port-missing',
    fault: { to: '10.96.0.80:81', rules: { 'node1/host': TO_WEB1 } },
    proof: /ports 80→8080/,
    says: 'does not publish port 81',
    healthy: { to: '10.96.0.80:80', rules: { 'node1/host': TO_WEB1 } },
  },
  'the port of a headless Service': {
    code: 'service-headless-port',
    fault: { to: 'svc/web:80', objects: HEADLESS },
    proof: /ports 80→8080/,
    says: 'port 80 is not turned into 8080',
    healthy: { to: 'svc/web:8080', objects: HEADLESS },
  },
  'a ping to a Service address': {
    code: 'service-answers-no-ping',
    fault: { to: '10.96.0.80', protocol: 'icmp', rules: { 'node1/host': TO_WEB1 } },
    severity: 'info',
    verdict: 'unknown',
    proof: /ports 80→8080/,
    says: 'does not answer ping',
    healthy: { to: '10.244.2.20', protocol: 'icmp', rules: { 'node1/host': TO_WEB1 } },
  },
  'a rule of Calico that no policy asks for': {
    code: 'policy-enforcer-disagrees',
    fault: { rules: { 'node2/host': CALICO(8080) } },
    proof: '-A cali-tw-x -p tcp -m tcp --dport 8080 -j DROP',
    says: 'no NetworkPolicy asks for it',
    healthy: { rules: { 'node2/host': CALICO(9090) } },
  },
  'a rule of Calico where no policy could be read': {
    code: 'policy-enforcer-disagrees',
    fault: {
      rules: { 'node2/host': CALICO(8080) },
      objects: { ...OBJECTS, known: new Set([...OBJECTS.known].filter((kind) => kind !== 'NetworkPolicy')) },
    },
    proof: '-A cali-tw-x -p tcp -m tcp --dport 8080 -j DROP',
    says: 'whether a NetworkPolicy asks for it is not clear',
    healthy: { rules: { 'node2/host': CALICO(9090) } },
  },
  'IPv6 to a program on 0.0.0.0': {
    code: 'listens-ipv4-only',
    fault: DUAL_STACK,
    proof: 'listen tcp 0.0.0.0:8080',
    says: 'listens on IPv4 only',
    healthy: faulty(DUAL_STACK, ANY_FAMILY),
  },
  'no source port left': {
    code: 'snat-port-exhaustion',
    fault: masqueraded(950),
    verdict: 'partial',
    proof: /--to-ports 20000-20999/,
    says: '950 of 1000',
    healthy: masqueraded(500),
  },
}

const reported = (a: Answer) => a.findings.map((f) => f.code)

test.each(Object.entries(rows))('with the fault: %s', (_name, row) => {
  const a = answer(row.fault)
  const found = a.findings.find((f) => f.code === row.code)
  const severity = row.severity ?? 'error'
  expect([a.verdict, found?.severity, a.rootCause]).toEqual([
    row.verdict ?? 'unreachable',
    severity,
    severity === 'error' ? row.code : null,
  ])
  expect(found?.title).toContain(row.says)
  expect(found?.evidence.map((e) => e.text)).toContainEqual(
    typeof row.proof === 'string' ? row.proof : expect.stringMatching(row.proof),
  )
  expect(found?.remedy?.verified).toBe(row.remedyVerified ?? false)
})

test.each(Object.entries(rows))('without the fault: %s', (_name, row) => {
  const a = answer(row.healthy)
  expect([a.verdict, a.rootCause]).toEqual([row.outcome ?? 'reachable', null])
  expect(reported(a)).not.toContain(row.code)
  expect(a.findings.filter((f) => f.severity === 'error')).toEqual([])
})

/** What looks like a cause and is none. */
const innocent: Record<string, [Case, Answer['verdict'], string | null]> = {
  'node2 was not collected': [
    {
      edits: [
        [/netns node2\/host[\s\S]*?(?=netns node1\/pod)/, ''],
        [/netns node2\/pod[\s\S]*$/, ''],
      ],
    },
    'unknown',
    null,
  ],
  'source ports towards another pod are taken': [masqueraded(950, { to: WEB1 }), 'reachable', null],
  'source ports towards another address with that port are taken': [
    masqueraded(950, { to: '10.244.2.1:8080' }),
    'unreachable',
    'not-listening',
  ],
  'source ports of another node are taken': [masqueraded(950, { from: 'pod/web2', to: WEB1 }), 'reachable', null],
  'the address of a load balancer is the node itself': [
    { to: '172.30.0.12:22', objects: published({ loadBalancerIngress: [{ ip: '172.30.0.12' }] }) },
    'unreachable',
    'not-listening',
  ],
}

test.each(Object.entries(innocent))('no such cause: %s', (_name, [c, verdict, cause]) => {
  const a = answer(c)
  expect([a.verdict, a.rootCause]).toEqual([verdict, cause])
  expect(reported(a).filter((code) => Object.values(rows).some((r) => r.code === code))).toEqual([])
})

test('a probability is told only where it is known', () => {
  expect([answer(masqueraded(500)).successProbability, answer(masqueraded(950)).successProbability]).toEqual([1, null])
})
