import { describe, expect, it } from 'vitest'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Answer } from '../model/finding.ts'
import { parseIptablesSave } from '../parse/iptables/index.ts'
import * as testing from './testing/ask.ts'
import { OBJECTS } from './testing/cluster.ts'

interface Case extends Omit<testing.Case, 'rulesets'> {
  /** iptables-save text of a netns. */
  readonly rules?: Readonly<Record<string, string>>
}

function answer({ rules = {}, ...c }: Case): Answer {
  const read = ([id, save]: [string, string]) => {
    const source = { artefact: `nodes/${id}/iptables-save.txt`, family: 'ip', backend: 'iptables-nft' } as const
    return [id, [parseIptablesSave(save, source)]] as const
  }
  return testing.answer({ ...c, rulesets: Object.fromEntries(Object.entries(rules).map(read)) })
}

const FILTER = (rule: string, policy = 'ACCEPT') =>
  `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ${policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n:ufw-user-forward - [0:0]\n${rule}\nCOMMIT\n`

const SERVICE_RULES = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.1.20:8080
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.20:8080
COMMIT
`

describe('the root cause', () => {
  const cases: Record<string, [string | null, Case, boolean?]> = {
    'nothing wrong': [null, {}],
    'no route to the other node': [
      'route-missing',
      { edits: [['  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink\n', '']] },
      true,
    ],
    'no route back': [
      'route-missing',
      { edits: [['  route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\n', '']] },
      true,
    ],
    'next hop nobody has': [
      'route-wrong-next-hop',
      {
        edits: [
          ['route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', 'route 10.244.2.0/24 via 172.30.0.99 dev eth0'],
        ],
      },
      true,
    ],
    'forwarding off': [
      'ip-forward-off',
      {
        edits: [
          [
            /(netns node2[\s\S]*?)ip_forward 1(\n.*)forwarding 1(\n.*)forwarding 1/,
            '$1ip_forward 0$2forwarding 0$3forwarding 0',
          ],
        ],
      },
      true,
    ],
    'ports disagree': [
      'tunnel-port-mismatch',
      { edits: [['flannel.1 vxlan 1 8472 172.30.0.12', 'flannel.1 vxlan 1 4789 172.30.0.12']] },
    ],
    'VNIs disagree': [
      'tunnel-vni-mismatch',
      { edits: [['flannel.1 vxlan 1 8472 172.30.0.12', 'flannel.1 vxlan 9 8472 172.30.0.12']] },
    ],
    'FDB points elsewhere': [
      'fdb-wrong',
      { edits: [['flannel.1 dst 172.30.0.12', 'flannel.1 dst 172.30.0.99']] },
      true,
    ],
    'no FDB entry': ['fdb-missing', { edits: [['  fdb @node2/host:flannel.1 flannel.1 dst 172.30.0.12\n', '']] }, true],
    'a drop in FORWARD': [
      'forward-drop',
      { rules: { 'node1/host': FILTER('-A FORWARD -d 10.244.2.0/24 -j DROP') } },
      true,
    ],
    'a drop of ufw': [
      'host-firewall-drop',
      {
        rules: { 'node1/host': FILTER('-A FORWARD -j ufw-user-forward\n-A ufw-user-forward -d 10.244.2.0/24 -j DROP') },
      },
      true,
    ],
    'a reject': [
      'host-firewall-reject',
      { rules: { 'node1/host': FILTER('-A FORWARD -j REJECT --reject-with icmp-host-prohibited') } },
      true,
    ],
    'the chain policy': [
      'forward-policy-drop',
      { rules: { 'node2/host': FILTER('-A FORWARD -p udp -j ACCEPT', 'DROP') } },
      true,
    ],
    'the outer packet': [
      'tunnel-blocked',
      { rules: { 'node2/host': FILTER('-A INPUT -p udp -m udp --dport 8472 -j DROP') } },
      true,
    ],
    'a rule in the pod': [
      'pod-firewall-drop',
      { rules: { 'node2/pod/default/web2': FILTER('-A INPUT -p tcp -m tcp --dport 8080 -j DROP') } },
      true,
    ],
    'by chance': [
      'packet-loss',
      {
        rules: {
          'node2/host': FILTER(
            '-A INPUT -p udp -m udp --dport 8472 -m statistic --mode random --probability 0.3 -j DROP',
          ),
        },
      },
      true,
    ],
    'nobody listens': ['not-listening', { to: '10.244.2.20:9999' }],
    'loopback only': [
      'listens-on-loopback',
      { edits: [[/(web2[\s\S]*)listen tcp 0.0.0.0:8080/, '$1listen tcp 127.0.0.1:8080']] },
    ],
    'the accept queue': [
      'accept-queue-overflow',
      { edits: [[/(web2[\s\S]*)listen tcp 0.0.0.0:8080/, '$1listen tcp 0.0.0.0:8080 queue 2/1']] },
    ],
    'a Service that works': [null, { to: 'svc/web:80', rules: { 'node1/host': SERVICE_RULES } }],
    'no rule for the Service': ['kube-proxy-not-running', { to: 'svc/web:80' }],
  }
  it.each(Object.entries(cases))('%s', (_name, [code, c, verified]) => {
    const a = answer(c)
    expect([a.rootCause, a.verdict === 'reachable']).toEqual([code, code === null])
    if (code === null) expect(a.findings.filter((f) => f.severity !== 'info')).toEqual([])
    else if (verified !== undefined) expect(a.findings[0]?.remedy?.verified).toBe(verified)
  })
})

describe('a Service and its objects', () => {
  const withService = (change: object): KubeObjects => ({
    ...OBJECTS,
    services: OBJECTS.services.map((s) => ({ ...s, ...change })),
  })
  const rejected = { 'node1/host': FILTER('-A FORWARD -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j REJECT') }
  const gone = { ...OBJECTS, endpointSlices: [] }

  it.each([
    ['service-no-endpoints', { ...gone, services: withService({ selector: { app: 'wep' } }).services }],
    [
      'service-target-port-name-missing',
      {
        ...gone,
        services: withService({ ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'https' }] }).services,
      },
    ],
    [
      'service-endpoints-not-ready',
      { ...gone, pods: OBJECTS.pods.map((p) => ({ ...p, conditions: [{ type: 'Ready', status: 'False' }] })) },
    ],
  ] satisfies [string, KubeObjects][])('%s', (code, objects) => {
    const a = answer({ to: 'svc/web:80', rules: rejected, objects })
    expect(a.rootCause).toBe(code)
    expect(a.verdict).toBe('unreachable')
  })

  it('service-selector-too-broad: one endpoint of two is another kind of pod', () => {
    const objects: KubeObjects = {
      ...OBJECTS,
      endpointSlices: OBJECTS.endpointSlices.map((s) => ({
        ...s,
        endpoints: s.endpoints.map((e, i) =>
          i === 0
            ? { ...e, addresses: ['10.244.1.10'], target: { kind: 'Pod', namespace: 'default', name: 'client1' } }
            : e,
        ),
      })),
    }
    const rules = { 'node1/host': SERVICE_RULES.replace('10.244.1.20:8080', '10.244.1.10:8080') }
    const a = answer({ from: 'pod/web1', to: 'svc/web:80', rules, objects })
    expect([a.verdict, a.rootCause, a.successProbability]).toEqual(['partial', 'service-selector-too-broad', 0.5])
  })
})
