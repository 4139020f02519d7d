import { expect, test } from 'vitest'
import type { ClusterCheck } from '../../cluster/check.ts'
import { OBJECTS } from '../../testing/cluster.ts'
import { type Change, findings, type Row, summary } from '../../testing/cluster-state.ts'
import { hasOffloadFault, tunnelChecksum } from './checksum.ts'
import { tunnelEnds } from './end-state.ts'
import { usual } from './ends.ts'
import { tunnelPeers } from './peer-entries.ts'

const FLANNEL2 = 'flannel.1 vxlan 1 8472 172.30.0.12 10.244.2.0/32'
const FDB = 'fdb @node2/host:flannel.1 flannel.1 dst 172.30.0.12'
const NEIGH = 'neigh 10.244.2.0 flannel.1 @node2/host:flannel.1 PERMANENT'
const announced = (ip: string) =>
  OBJECTS.nodes.map((n) => ({
    ...n,
    meta: { ...n.meta, annotations: { 'flannel.alpha.coreos.com/public-ip': ip } },
  }))

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'ends alike': [tunnelEnds, {}, []],
  'entries right': [tunnelPeers, {}, []],
  'MAC changed (F032)': [
    tunnelPeers,
    { edits: [[FLANNEL2, `${FLANNEL2} mac 5e:00:00:00:00:99`]] },
    [['error', 'vtep-mac-mismatch', 'node2/host/flannel.1']],
  ],
  'FDB leads to an old address (F033)': [
    tunnelPeers,
    { edits: [[FDB, 'fdb @node2/host:flannel.1 flannel.1 dst 172.30.0.99']] },
    [['error', 'fdb-wrong', 'node1/host/flannel.1']],
  ],
  'FDB entry gone': [tunnelPeers, { edits: [[FDB, '']] }, [['error', 'fdb-missing', 'node1/host/flannel.1']]],
  'FDB not collected': [tunnelPeers, { edits: [[FDB, 'unknown fdb']] }, []],
  'no entry, but a default one for every MAC': [
    tunnelPeers,
    { edits: [[FDB, 'fdb 00:00:00:00:00:00 flannel.1 dst 172.30.0.12']] },
    [],
  ],
  'an entry of a node that is gone': [
    tunnelPeers,
    { edits: [[FDB, `${FDB}\n  fdb 5e:00:00:00:00:77 flannel.1 dst 172.30.0.77`]] },
    [],
  ],
  'neighbour entry gone': [
    tunnelPeers,
    { edits: [[NEIGH, '']] },
    [['error', 'neighbour-unreachable', 'node1/host/flannel.1']],
  ],
  'no route over the tunnel, no entry wanted': [
    tunnelPeers,
    {
      edits: [
        [NEIGH, ''],
        ['route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', ''],
      ],
    },
    [],
  ],
  'other UDP port (F034)': [
    tunnelEnds,
    { edits: [['vxlan 1 8472 172.30.0.12', 'vxlan 1 4789 172.30.0.12']] },
    [['error', 'tunnel-port-mismatch', 'node2/host/flannel.1']],
  ],
  'other VNI (F035)': [
    tunnelEnds,
    { edits: [['vxlan 1 8472 172.30.0.12', 'vxlan 4096 8472 172.30.0.12']] },
    [['error', 'tunnel-vni-mismatch', 'node2/host/flannel.1']],
  ],
  'other VNI, so that flannel names the link after it': [
    tunnelEnds,
    { edits: [['flannel.1 vxlan 1 8472 172.30.0.12', 'flannel.4096 vxlan 4096 8472 172.30.0.12']] },
    [['error', 'tunnel-vni-mismatch', 'node2/host/flannel.4096']],
  ],
  'every node announces its NAT address (F036)': [
    tunnelPeers,
    {
      edits: [
        [FDB, 'fdb @node2/host:flannel.1 flannel.1 dst 10.0.2.15'],
        ['  eth0 wire 172.30.0.11/24', '  nat0 wire 10.0.2.15/24\n  eth0 wire 172.30.0.11/24'],
        ['  eth0 wire 172.30.0.12/24', '  nat0 wire 10.0.2.15/24\n  eth0 wire 172.30.0.12/24'],
      ],
      objects: { nodes: announced('10.0.2.15') },
    },
    [['error', 'tunnel-source-wrong', 'node1/host/flannel.1']],
  ],
  'two addresses of one node': [
    tunnelPeers,
    {
      edits: [
        [FDB, 'fdb @node2/host:flannel.1 flannel.1 dst 172.31.0.12'],
        ['  eth0 wire 172.30.0.12/24', '  eth1 wire 172.31.0.12/24\n  eth0 wire 172.30.0.12/24'],
      ],
    },
    [],
  ],
  'local address gone': [
    tunnelEnds,
    { edits: [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.112/24']] },
    [['error', 'tunnel-source-wrong', 'node2/host/flannel.1']],
  ],
  'tunnel device down (F037)': [
    tunnelEnds,
    { edits: [[FLANNEL2, `${FLANNEL2} down`]] },
    [['error', 'tunnel-down', 'node2/host/flannel.1']],
  ],
  'a tunnel device down that nobody uses': [
    tunnelEnds,
    {
      edits: [
        [FLANNEL2, `${FLANNEL2}\n  tunl0 ipip down`],
        ['flannel.1 vxlan 1 8472 172.30.0.11', 'tunl0 ipip\n  flannel.1 vxlan 1 8472 172.30.0.11'],
      ],
    },
    [],
  ],
  'a mirror is no overlay': [
    tunnelEnds,
    {
      edits: [
        [FLANNEL2, `${FLANNEL2}\n  mirror0 vxlan 7 4789 172.30.0.12`],
        [
          'flannel.1 vxlan 1 8472 172.30.0.11',
          'mirror0 vxlan 8 4789 172.30.0.11\n  flannel.1 vxlan 1 8472 172.30.0.11',
        ],
      ],
    },
    [],
  ],
  'few damaged datagrams': [
    tunnelChecksum,
    { netns: { 'node2/host': { counters: new Map([['UdpInCsumErrors', 3]]) } } },
    [],
  ],
  'many damaged datagrams, new kernels': [
    tunnelChecksum,
    {
      netns: { 'node2/host': { counters: new Map([['UdpInCsumErrors', 4000]]) } },
      nodes: { node1: { kernelRelease: '6.1.0' } },
    },
    [['warning', 'tunnel-checksum-offload', 'node2/host/flannel.1']],
  ],
  'many damaged datagrams, a kernel known for it': [
    tunnelChecksum,
    {
      netns: { 'node2/host': { counters: new Map([['UdpInCsumErrors', 4000]]) } },
      nodes: { node1: { kernelRelease: '5.4.0-42-generic' } },
    },
    [['error hurts', 'tunnel-checksum-offload', 'node2/host/flannel.1']],
  ],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})

test('a device that is missing on one of three nodes', () => {
  const found = findings(tunnelEnds, {
    edits: [
      [`  ${FLANNEL2}\n`, ''],
      [
        'netns node1/pod/default/client1',
        'netns node3/host\n  eth0 wire 172.30.0.13/24\n  flannel.1 vxlan 1 8472 172.30.0.13 10.244.3.0/32\n\nnetns node1/pod/default/client1',
      ],
    ],
  })
  expect(found.map((f) => [f.finding.code, f.finding.where.node])).toEqual([['tunnel-missing', 'node2']])
})

test.each([
  ['4.15.0', true],
  ['5.4.40', true],
  ['5.4.41', false],
  ['5.6.13', false],
  ['5.7.0', false],
  ['6.18.0-rc1', false],
  ['nonsense', null],
])('kernel %s has the offload fault: %s', (release, faulty) => {
  expect(hasOffloadFault(release)).toBe(faulty)
})

test('the usual value: the majority, then the default', () => {
  expect(usual([1, 1, 2], 2)).toBe(1)
  expect(usual([1, 2], 2)).toBe(2)
  expect(usual([1, 2], undefined)).toBe(1)
})
