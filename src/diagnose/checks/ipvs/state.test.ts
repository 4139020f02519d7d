import { expect, test } from 'vitest'
import { parseIp } from '../../../base/ip.ts'
import type { IpvsService } from '../../../model/network.ts'
import { parseIpvs } from '../../../parse/ipvs/ipvsadm.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import { OBJECTS, service } from '../../testing/cluster.ts'
import { type Change, entry, type Row, summary } from '../../testing/cluster-state.ts'
import { ipvsAddressConflict } from './address-conflict.ts'
import { ipvsConnReuse } from './conn-reuse.ts'
import { ipvsPortCollision } from './port-collision.ts'

const MODE = 'net.ipv4.vs.conn_reuse_mode'
const server = (ip: string, weight: number, active: number, inactive: number) => ({
  address: parseIp(ip)!,
  port: 8080,
  forwarding: 'masq' as const,
  weight,
  activeConnections: active,
  inactiveConnections: inactive,
  evidence: { artefact: 'ipvsadm.txt', text: `-> ${ip}:8080 Masq ${weight} ${active} ${inactive}` },
})
const virtual = (port: number, ...destinations: IpvsService['destinations']): IpvsService => ({
  protocol: 6,
  address: parseIp('10.96.0.80')!,
  port,
  scheduler: 'rr',
  destinations,
  evidence: { artefact: 'ipvsadm.txt', text: `TCP 10.96.0.80:${port} rr` },
})
const reuse = (mode: string, release: string, weight: number, active = 3): Change => ({
  sysctls: { 'node1/host': { [MODE]: mode } },
  nodes: { node1: { kernelRelease: release } },
  netns: {
    'node1/host': { ipvs: [virtual(80, server('10.244.1.20', weight, active, 41), server('10.244.2.20', 1, 12, 80))] },
  },
})
const SYN = 'tcp SYN_SENT 172.30.0.11:39616>10.96.0.80:80 10.244.2.20:8080>172.30.0.11:30080 UNREPLIED'
const np = {
  ...service('np', '10.96.0.81', 80, 8080, { app: 'web' }),
  ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }],
}
const collision = (text: string, port = 30080): Change => ({
  objects: { services: [...OBJECTS.services, np] },
  netns: { 'node1/host': { ipvs: [virtual(port, server('10.244.2.20', 1, 0, 0))], conntrack: [entry(text)] } },
})
const IPVS0 = (address: string) =>
  [
    '  flannel.1 vxlan 1 8472 172.30.0.11',
    `  kube-ipvs0 dummy ${address} down\n  flannel.1 vxlan 1 8472 172.30.0.11`,
  ] as const

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'leaving server, old kernel (F080)': [
    ipvsConnReuse,
    reuse('0', '4.19.0', 0),
    [['error hurts', 'ipvs-conn-reuse', 'node1/host']],
  ],
  'leaving server, new kernel': [ipvsConnReuse, reuse('0', '5.15.0', 0), []],
  'leaving server whose connections have ended': [
    ipvsConnReuse,
    {
      ...reuse('0', '4.19.0', 0),
      netns: { 'node1/host': { ipvs: [virtual(80, server('10.244.1.20', 0, 0, 0))] } },
    },
    [],
  ],
  'no server leaves': [ipvsConnReuse, reuse('0', '4.19.0', 1), []],
  'old kernel, mode 1': [ipvsConnReuse, reuse('1', '5.4.0', 1), [['warning', 'ipvs-conn-reuse', 'node1/host']]],
  'kernel not known': [ipvsConnReuse, { ...reuse('0', '', 0) }, []],
  'no IPVS': [
    ipvsConnReuse,
    { sysctls: { 'node1/host': { [MODE]: '1' } }, nodes: { node1: { kernelRelease: '4.19' } } },
    [],
  ],
  'source port is a node port (F081)': [
    ipvsPortCollision,
    collision(SYN),
    [['error hurts', 'ipvs-port-collision', 'node1/host']],
  ],
  'source port kept': [ipvsPortCollision, collision(SYN.replace('39616', '30080')), []],
  'source port of nobody': [ipvsPortCollision, collision(SYN.replace('172.30.0.11:30080', '172.30.0.11:31999')), []],
  answered: [ipvsPortCollision, collision(SYN.replace('SYN_SENT', 'ESTABLISHED').replace(' UNREPLIED', '')), []],
  'IPVS does not serve that port': [ipvsPortCollision, collision(SYN, 80), []],
  'kube-ipvs0 with Service addresses, down (F146)': [
    ipvsAddressConflict,
    { edits: [IPVS0('10.96.0.80/32 10.96.0.10/32')] },
    [],
  ],
  "kube-ipvs0 with another node's address": [
    ipvsAddressConflict,
    {
      edits: [IPVS0('172.30.0.12/32')],
      objects: { services: [{ ...OBJECTS.services[0]!, externalIPs: ['172.30.0.12'] }] },
    },
    [['error', 'ipvs-address-conflict', 'node1/host/kube-ipvs0']],
  ],
  'a cluster IP on a NIC': [
    ipvsAddressConflict,
    { edits: [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 10.96.0.80/32']] },
    [['error', 'ipvs-address-conflict', 'node2/host/eth0']],
  ],
  'node-local DNS holds the DNS address': [
    ipvsAddressConflict,
    {
      edits: [
        [
          '  flannel.1 vxlan 1 8472 172.30.0.11',
          '  nodelocaldns dummy 10.96.0.80/32\n  flannel.1 vxlan 1 8472 172.30.0.11',
        ],
      ],
    },
    [],
  ],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})

test('connection counts are known only where the listing tells them', () => {
  const read = parseIpvs('-A -t 10.96.0.80:80 -s rr\n-a -t 10.96.0.80:80 -r 10.244.1.20:8080 -m -w 0\n', {
    artefact: 'ipvsadm.txt',
  })
  expect(read.value[0]!.destinations[0]!.activeConnections).toBeUndefined()
})
