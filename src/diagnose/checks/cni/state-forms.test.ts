/** Addresses, ranges, host ports and policies by the state of nodes. F002 F004 F011 F012 F016 F088 F118 F119 F120 F123. */
import { expect, test } from 'vitest'
import { topology } from '../../../datapath/testing/topology.ts'
import { decodeObjects } from '../../../kubeobj/decode.ts'
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import type { Network } from '../../../model/network.ts'
import type { NodeFiles } from '../../../model/node-files.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import type { ClusterState } from '../../cluster/check.ts'
import { cni, withFiles } from '../../setup/fixture.ts'
import { OBJECTS, STATE } from '../../testing/cluster.ts'
import { SETUP_CHECKS } from './index.ts'

interface Words {
  readonly edits?: readonly (readonly [string | RegExp, string])[]
  readonly more?: string
  /** iptables-save text of node2's nat or filter table. */
  readonly rules?: string
  readonly objects?: (o: KubeObjects) => KubeObjects
  readonly files?: Partial<NodeFiles>
}

function stateOf(w: Words): ClusterState {
  const text = (w.edits ?? []).reduce((t, [from, to]) => {
    const after = t.replace(from, to)
    if (after === t) throw new Error(`no match: ${from}`)
    return after
  }, STATE)
  const origin = { artefact: 'nodes/node2/host/iptables-save.txt', family: 'ip', backend: 'iptables-nft' } as const
  const network = topology(
    text + (w.more ?? ''),
    w.rules === undefined ? {} : { 'node2/host': [parseIptablesSave(w.rules, origin)] },
  )
  // The topology says nothing of legacy tables: they are known to be empty.
  const netns = new Map(
    [...network.netns].map(([id, n]) => [id, { ...n, known: new Set([...n.known, 'iptables-legacy' as const]) }]),
  )
  const whole: Network = { ...network, netns }
  const objects = (w.objects ?? ((o) => o))(OBJECTS)
  return w.files ? withFiles(objects, { node2: w.files }, whole) : { objects, network: whole }
}

const raw = (value: Record<string, unknown>): OtherObject[] => [
  ...decodeObjects([{ artefact: 'objects/all.json', value }]).value.others,
]
const adding =
  (value: Record<string, unknown>) =>
  (o: KubeObjects): KubeObjects => ({ ...o, others: [...o.others, ...raw(value)] })
const pool = (cidr: string, spec = {}) =>
  adding({
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPPool',
    metadata: { name: 'default' },
    spec: { cidr, ...spec },
  })
const deny = adding({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'default', name: 'deny-all' },
  spec: { podSelector: {} },
})
const hostPort = (o: KubeObjects): KubeObjects => ({
  ...o,
  pods: o.pods.map((p) =>
    p.meta.name === 'web2'
      ? {
          ...p,
          containers: [{ ...p.containers[0]!, ports: [{ containerPort: 8080, hostPort: 8081, protocol: 'TCP' }] }],
        }
      : p,
  ),
})
const nat = (...rules: string[]) =>
  `*nat\n:PREROUTING ACCEPT [0:0]\n:CNI-HOSTPORT-DNAT - [0:0]\n${rules.join('\n')}\nCOMMIT\n`
const filter = (...rules: string[]) =>
  `*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]\n${rules.some((r) => r.includes('cali')) ? ':cali-FORWARD - [0:0]\n' : ''}${rules.join('\n')}\nCOMMIT\n`
const NODE1 = '  eth0 wire 172.30.0.11/24'

const CASES: readonly [what: string, words: Words, ...codes: string[]][] = [
  ['healthy', {}],
  ['docker0 of its own', { edits: [[NODE1, `${NODE1}\n  docker0 bridge 172.17.0.1/16`]] }],

  [
    'F011: no portmap in the chain',
    { objects: hostPort, files: { cniConfigs: [cni('10-flannel.conflist', 'flannel')] } },
    'error hostport-not-programmed',
  ],
  [
    'F012: rules flushed',
    { objects: hostPort, files: { cniConfigs: [cni('10-flannel.conflist', 'flannel', 'portmap')] } },
    'error hostport-not-programmed',
  ],
  [
    'hostPort with its rule',
    {
      objects: hostPort,
      rules: nat(
        '-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
        '-A CNI-HOSTPORT-DNAT -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.244.2.20:8080',
      ),
    },
  ],
  [
    'hostPort in a range of ports',
    { objects: hostPort, rules: nat('-A PREROUTING -p tcp -m tcp --dport 8000:9000 -j CNI-HOSTPORT-DNAT') },
  ],
  [
    'hostPort of a program on the node',
    { objects: hostPort, edits: [['netns node2/host\n', 'netns node2/host\n  listen tcp 0.0.0.0:8081\n']] },
  ],

  ['F088', { objects: deny }, 'warning policy-not-enforced'],
  [
    'policies that Calico enforces',
    { objects: deny, rules: filter('-A FORWARD -j cali-FORWARD', '-A cali-FORWARD -j DROP') },
  ],
  ['policies that some engine may enforce', { objects: deny, rules: filter('-A FORWARD -d 10.244.2.20/32 -j DROP') }],
  [
    "kube-proxy's own drops enforce nothing",
    {
      objects: deny,
      rules: filter('-A FORWARD -j KUBE-FORWARD', '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP'),
    },
    'warning policy-not-enforced',
  ],

  [
    'F118',
    {
      objects: pool('172.30.0.0/16'),
      edits: [[/( {2}route default via 172.30.0.1 dev eth0)/, '$1\n  route blackhole 172.30.0.64/26']],
    },
    'error cidr-overlap-node',
  ],
  ['F118, pool disabled', { objects: pool('172.30.0.0/16', { disabled: true }) }],
  ['a pool of its own', { objects: pool('10.244.0.0/16') }],
  [
    'F119: an endpoint is behind docker0',
    {
      edits: [[NODE1, `${NODE1}\n  docker0 bridge 172.30.9.1/24`]],
      objects: (o) => ({
        ...o,
        endpointSlices: [
          ...o.endpointSlices,
          {
            ...o.endpointSlices[0]!,
            serviceName: 'db',
            endpoints: [
              {
                addresses: ['172.30.9.9'],
                ready: true,
                serving: true,
                terminating: false,
                hintZones: [],
                hintNodes: [],
              },
            ],
          },
        ],
      }),
    },
    'error cidr-overlap-external',
  ],
  [
    'F120: a machine has a Service address',
    { more: '\nnetns outside/host\n  eth0 wire 172.30.0.100/24 10.96.0.80/32\n' },
    'error cidr-overlap-service',
  ],
  ['IPVS puts Service addresses on a dummy', { edits: [[NODE1, `${NODE1}\n  kube-ipvs0 dummy 10.96.0.80/32`]] }],
  [
    'Service range over nodes',
    {
      objects: adding({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name: 'kubernetes' },
        spec: { cidrs: ['172.30.0.0/16'] },
      }),
    },
    'error cidr-overlap-service',
  ],
  [
    'Service range apart',
    {
      objects: adding({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name: 'kubernetes' },
        spec: { cidrs: ['10.96.0.0/12'] },
      }),
    },
  ],
  [
    'F123',
    {
      edits: [
        ['  route 10.244.2.0/24', '  tun0 wire 10.8.0.2/32\n  route 10.244.2.0/25 dev tun0\n  route 10.244.2.0/24'],
      ],
    },
    'error route-shadowed',
  ],
  [
    'a VPN elsewhere',
    {
      edits: [
        ['  route 10.244.2.0/24', '  tun0 wire 10.8.0.2/32\n  route 10.9.0.0/16 dev tun0\n  route 10.244.2.0/24'],
      ],
    },
  ],

  [
    'F004',
    {
      edits: [
        [
          '  route default via 172.30.0.1 dev eth0',
          '  route default via 172.30.0.1 dev eth0\n  neigh 172.30.0.12 eth0 02:00:00:00:00:99 REACHABLE',
        ],
      ],
    },
    'error node-address-duplicate',
  ],
  [
    'a fabric that answers for all',
    {
      edits: [
        [
          '  route default via 172.30.0.1 dev eth0',
          '  route default via 172.30.0.1 dev eth0\n  neigh 172.30.0.12 eth0 02:00:00:00:00:99 REACHABLE\n  neigh 172.30.0.1 eth0 02:00:00:00:00:99 REACHABLE',
        ],
      ],
    },
  ],
  [
    'registered with an address it has not',
    {
      objects: (o) => ({
        ...o,
        nodes: o.nodes.map((n, i) =>
          i === 0 ? { ...n, addresses: [{ type: 'InternalIP', address: '172.30.0.77' }] } : n,
        ),
      }),
    },
    'error node-address-wrong',
  ],

  ['F016', { edits: [['10.244.1.10/24', '10.244.1.10/16']] }, 'error pod-route-wrong'],
  ['the API knows another address', { edits: [['10.244.1.10/24', '10.244.1.99/24']] }, 'error pod-address-wrong'],
  [
    'an address of an earlier range',
    {
      edits: [['10.244.1.10/24', '10.99.1.10/24']],
      objects: (o) => ({
        ...o,
        pods: o.pods.map((p) => (p.meta.name === 'client1' ? { ...p, podIPs: ['10.99.1.10'] } : p)),
      }),
    },
    'error pod-address-wrong',
  ],
  [
    'bridge of an earlier range',
    { edits: [['cni0 bridge 10.244.1.1/24', 'cni0 bridge 10.99.1.1/24']] },
    'error bridge-address-wrong',
  ],
]

test.each(CASES)('%s', (_what, words, ...codes) => {
  const found = SETUP_CHECKS.flatMap((c) => c.find(stateOf(words)))
  expect(found.map((f) => `${f.finding.severity} ${f.finding.code}`)).toEqual(codes)
  for (const f of found) {
    expect(f.finding.evidence.length).toBeGreaterThan(0)
    expect(f.concerns.length).toBeGreaterThan(0)
  }
})

test('F011 and F012 are told apart by the configuration', () => {
  const text = (...types: string[]) =>
    SETUP_CHECKS.flatMap((c) =>
      c.find(stateOf({ objects: hostPort, files: { cniConfigs: [cni('10-flannel.conflist', ...types)] } })),
    )[0]!.finding
  expect(text('flannel').text).toMatch(/has no portmap plugin/)
  expect(text('flannel').remedy?.text).toMatch(/Add portmap/)
  expect(text('flannel', 'portmap').text).toMatch(/were flushed since/)
})

test('where links, rules or neighbours were not collected, nothing is said', () => {
  const blind = (w: Words): ClusterState => {
    const s = stateOf(w)
    return {
      ...s,
      network: {
        ...s.network,
        netns: new Map([...s.network.netns].map(([id, n]) => [id, { ...n, known: new Set() }])),
      },
    }
  }
  for (const [what, words, ...codes] of CASES) {
    const objectsAlone = /F118|Service range over|F120/.test(what)
    if (codes.length > 0 && !objectsAlone)
      expect(
        SETUP_CHECKS.flatMap((c) => c.find(blind(words))),
        what,
      ).toEqual([])
  }
})
