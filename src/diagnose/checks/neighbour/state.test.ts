import { expect, test } from 'vitest'
import type { ClusterCheck } from '../../cluster/check.ts'
import { OBJECTS, service } from '../../testing/cluster.ts'
import { type Change, log, type Row, summary } from '../../testing/cluster-state.ts'
import { loadBalancerAddresses } from './load-balancer.ts'
import { neighbourTableFull } from './table-full.ts'

const LIMIT = 'net.ipv4.neigh.default.gc_thresh3'
const arp = (entries: number, fulls = 0): Change => ({
  sysctls: { 'node1/host': { [LIMIT]: '1024' } },
  netns: {
    'node1/host': {
      counters: new Map([
        ['arp.entries', entries],
        ['arp.table_fulls', fulls],
      ]),
    },
  },
})
const OVERFLOW = log('[5] neighbour: arp_cache: neighbor table overflow!')

const lb = {
  ...service('lb', '10.96.0.90', 80, 8080, { app: 'web' }),
  type: 'LoadBalancer',
  loadBalancerIngress: [{ ip: '172.30.0.200' }],
}
const pooled = { ...lb, meta: { ...lb.meta, annotations: { 'metallb.io/ip-allocated-from-pool': 'main' } } }
const KINDS = ['IPAddressPool', 'L2Advertisement', 'BGPAdvertisement']
const custom = (kind: string, name: string, spec: unknown) => ({
  meta: { name, namespace: 'metallb-system', uid: name, labels: {}, annotations: {}, owners: [] },
  evidence: { artefact: 'objects', text: `${kind} ${name}` },
  apiVersion: 'metallb.io/v1beta1',
  kind,
  raw: { spec },
})
const objects = (...others: ReturnType<typeof custom>[]): Change['objects'] => ({
  services: [pooled],
  others: [custom('IPAddressPool', 'main', { addresses: ['172.30.0.200-172.30.0.210'] }), ...others],
  known: new Set([...OBJECTS.known, ...KINDS]),
})
const IPVS1 = [
  '  flannel.1 vxlan 1 8472 172.30.0.11',
  '  kube-ipvs0 dummy 172.30.0.200/32 down\n  flannel.1 vxlan 1 8472 172.30.0.11',
] as const
const IPVS2 = [
  '  flannel.1 vxlan 1 8472 172.30.0.12',
  '  kube-ipvs0 dummy 172.30.0.200/32 down\n  flannel.1 vxlan 1 8472 172.30.0.12',
] as const
const ignore = (value: string) => ({
  'node1/host': { 'net.ipv4.conf.all.arp_ignore': value },
  'node2/host': { 'net.ipv4.conf.all.arp_ignore': value },
})
const L2 = custom('L2Advertisement', 'all', {})
const assigned = {
  ...custom('Event', 'lb.1', {}),
  type: 'Normal',
  reason: 'nodeAssigned',
  message: 'announcing from node "node1" with protocol "layer2"',
  about: { kind: 'Service', namespace: 'default', name: 'lb' },
}
const outside = (mac: string): Change => ({
  edits: [
    [
      'netns node1/pod/default/client1',
      `netns gw/host\n  eth0 wire 172.30.0.1/24\n  neigh 172.30.0.200 eth0 ${mac}\n\nnetns node1/pod/default/client1`,
    ],
  ],
  objects: { services: [lb], events: [assigned] },
})

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'table with room': [neighbourTableFull, arp(200), []],
  'table at its limit, with log and counter (F048)': [
    neighbourTableFull,
    { ...arp(1019, 5530), nodes: { node1: { kernelLog: OVERFLOW } } },
    [['error hurts', 'neighbour-table-full', 'node1/host']],
  ],
  'nearly full': [neighbourTableFull, arp(950), [['warning', 'neighbour-table-full', 'node1/host']]],
  'was full once': [
    neighbourTableFull,
    { ...arp(200), nodes: { node1: { kernelLog: OVERFLOW } } },
    [['warning', 'neighbour-table-full', 'node1/host']],
  ],
  'an overflow of the IPv6 table is not one of the other': [
    neighbourTableFull,
    { ...arp(200), nodes: { node1: { kernelLog: log('neighbour: ndisc_cache: neighbor table overflow!') } } },
    [['warning', 'neighbour-table-full', 'node1/host']],
  ],
  'nothing known': [neighbourTableFull, {}, []],
  'announced by everybody: IPVS without strictARP': [
    loadBalancerAddresses,
    { edits: [IPVS1, IPVS2], sysctls: ignore('0'), objects: objects(L2) },
    [['error', 'lb-arp-conflict', '']],
  ],
  'IPVS with strictARP': [
    loadBalancerAddresses,
    { edits: [IPVS1, IPVS2], sysctls: ignore('1'), objects: objects(L2) },
    [],
  ],
  'IPVS, a balancer outside the cluster': [
    loadBalancerAddresses,
    { edits: [IPVS1, IPVS2], sysctls: ignore('0'), objects: { services: [lb] } },
    [],
  ],
  'a machine has the address': [
    loadBalancerAddresses,
    { edits: [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 172.30.0.200/24']], objects: objects(L2) },
    [['error', 'lb-arp-conflict', 'node2']],
  ],
  'pool without an advertisement': [loadBalancerAddresses, { objects: objects() }, [['error', 'lb-not-announced', '']]],
  'advertisement of another pool': [
    loadBalancerAddresses,
    { objects: objects(custom('L2Advertisement', 'x', { ipAddressPools: ['other'] })) },
    [['error', 'lb-not-announced', '']],
  ],
  'advertisement of every pool': [loadBalancerAddresses, { objects: objects(L2) }, []],
  'advertisements not collected': [loadBalancerAddresses, { objects: { ...objects(), known: OBJECTS.known } }, []],
  'every node excluded from load balancers': [
    loadBalancerAddresses,
    {
      objects: {
        ...objects(L2),
        nodes: OBJECTS.nodes.map((n) => ({
          ...n,
          meta: { ...n.meta, labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } },
        })),
      },
    },
    [['error', 'lb-not-announced', '']],
  ],
  'a machine outside still sends to the node before': [
    loadBalancerAddresses,
    outside('@node2/host:eth0'),
    [['warning', 'arp-stale-outside', 'gw/host/eth0']],
  ],
  'a machine outside sends to the right node': [loadBalancerAddresses, outside('@node1/host:eth0'), []],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})
