import { expect, test } from 'vitest'
import type { ClusterCheck } from '../../cluster/check.ts'
import { OBJECTS, service } from '../../testing/cluster.ts'
import { type Change, findings, log, type Row, stateOf as stateWith, summary } from '../../testing/cluster-state.ts'
import { bridgeNetfilterState } from './bridge-netfilter-state.ts'
import { forwardingState } from './forwarding-state.ts'
import { ipv6DefaultRoute } from './ipv6-default.ts'
import { isReserved, portRange, portRangeOverlap } from './port-range.ts'
import { rpFilterState } from './rp-filter-state.ts'
import { twRecycle } from './tw-recycle.ts'

const on = (values: Record<string, string | null>): Change => ({ sysctls: { 'node2/host': values } })
const NODE_PORT = {
  services: [
    ...OBJECTS.services,
    {
      ...service('np', '10.96.0.81', 80, 8080, { app: 'web' }),
      type: 'NodePort',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }],
    },
  ],
}
const RANGE = 'net.ipv4.ip_local_port_range'
const direct = [
  ['route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink', 'route 10.244.1.0/24 via 172.30.0.11 dev eth0'],
] as const
const RA = '  flannel.1 vxlan 1 8472 172.30.0.12'
const withDynamic = (accept: string): Change => ({
  ...on({ 'net.ipv6.conf.all.forwarding': '1', 'net.ipv6.conf.eth1.accept_ra': accept }),
  edits: [[RA, `  eth1 wire 2001:db8::12/64\n${RA}`]],
})

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'forwarding on': [forwardingState, {}, []],
  'ip_forward 0 (F099)': [
    forwardingState,
    on({ 'net.ipv4.ip_forward': '0' }),
    [['error', 'ip-forward-off', 'node2/host']],
  ],
  'ip_forward 0 on a node without pods': [
    forwardingState,
    { ...on({ 'net.ipv4.ip_forward': '0' }), objects: { pods: OBJECTS.pods.filter((p) => p.nodeName !== 'node2') } },
    [],
  ],
  'flannel.1 does not forward (F100)': [
    forwardingState,
    on({ 'net.ipv4.conf.flannel/1.forwarding': '0' }),
    [['error', 'link-forwarding-off', 'node2/host/flannel.1']],
  ],
  'cni0 does not forward': [
    forwardingState,
    on({ 'net.ipv4.conf.cni0.forwarding': '0' }),
    [['error', 'link-forwarding-off', 'node2/host/cni0']],
  ],
  'a bridge port or an unused NIC need not forward': [
    forwardingState,
    {
      edits: [
        [
          '  flannel.1 vxlan 1 8472 172.30.0.12',
          '  docker0 bridge 172.17.0.1/16\n  flannel.1 vxlan 1 8472 172.30.0.12',
        ],
      ],
      ...on({ 'net.ipv4.conf.veth-web2.forwarding': '0', 'net.ipv4.conf.docker0.forwarding': '0' }),
    },
    [],
  ],
  'IPv6 forwarding 0 in an IPv4 cluster': [forwardingState, on({ 'net.ipv6.conf.all.forwarding': '0' }), []],
  'IPv6 forwarding 0 with IPv6 pods': [
    forwardingState,
    {
      ...on({ 'net.ipv6.conf.all.forwarding': '0' }),
      objects: {
        pods: OBJECTS.pods.map((p) => ({ ...p, podIPs: [...p.podIPs, `fd00::${p.podIPs[0]!.split('.')[3]}`] })),
      },
    },
    [['error', 'ipv6-forwarding-off', 'node2/host']],
  ],
  'sysctls not collected': [
    forwardingState,
    { edits: [['netns node2/host', 'netns node2/host\n  unknown sysctls']], ...on({ 'net.ipv4.ip_forward': '0' }) },
    [],
  ],
  'br_netfilter on': [bridgeNetfilterState, {}, []],
  'bridge-nf-call-iptables 0 where two pods share a bridge (F021)': [
    bridgeNetfilterState,
    { sysctls: { 'node1/host': { 'net.bridge.bridge-nf-call-iptables': '0' } } },
    [['error', 'bridge-netfilter-off', 'node1/host']],
  ],
  'br_netfilter not loaded': [
    bridgeNetfilterState,
    { sysctls: { 'node1/host': { 'net.bridge.bridge-nf-call-iptables': null } } },
    [['error', 'bridge-netfilter-off', 'node1/host']],
  ],
  'one pod alone on its bridge': [bridgeNetfilterState, on({ 'net.bridge.bridge-nf-call-iptables': '0' }), []],
  'no endpoint on the bridge': [
    bridgeNetfilterState,
    { sysctls: { 'node1/host': { 'net.bridge.bridge-nf-call-iptables': '0' } }, objects: { endpointSlices: [] } },
    [],
  ],
  'strict rp_filter, symmetric routing (F158)': [
    rpFilterState,
    on({ 'net.ipv4.conf.eth0.rp_filter': '1', 'net.ipv4.conf.flannel/1.rp_filter': '1' }),
    [],
  ],
  'strict rp_filter, the way back is another': [
    rpFilterState,
    { edits: direct, ...on({ 'net.ipv4.conf.flannel/1.rp_filter': '1' }) },
    [['error', 'rp-filter-drop', 'node2/host/flannel.1']],
  ],
  'loose rp_filter, the way back is another': [
    rpFilterState,
    { edits: direct, ...on({ 'net.ipv4.conf.flannel/1.rp_filter': '2', 'net.ipv4.conf.all.rp_filter': '1' }) },
    [],
  ],
  'default port range': [portRangeOverlap, { ...on({ [RANGE]: '32768\t60999' }), objects: NODE_PORT }, []],
  'range over a node port (F102)': [
    portRangeOverlap,
    { ...on({ [RANGE]: '1024 65535' }), objects: NODE_PORT },
    [['warning', 'port-range-overlap', 'node2/host']],
  ],
  'the same, and a connection hangs': [
    portRangeOverlap,
    {
      ...on({ [RANGE]: '1024 65535' }),
      objects: NODE_PORT,
      netns: {
        'node2/host': {
          sockets: [
            {
              protocol: 6,
              state: 'SYN-SENT',
              local: { family: 4, a: 0, b: 0, c: 0, d: 1 },
              localPort: 30080,
              remote: { family: 4, a: 0, b: 0, c: 0, d: 2 },
              remotePort: 6443,
              dualStack: false,
              recvQueue: 0,
              sendQueue: 1,
              evidence: { artefact: 'ss', text: 'SYN-SENT 192.168.50.12:30080 192.168.50.11:6443' },
            },
          ],
        },
      },
    },
    [['error hurts', 'port-range-overlap', 'node2/host']],
  ],
  'range over it, but reserved': [
    portRangeOverlap,
    { ...on({ [RANGE]: '1024 65535', 'net.ipv4.ip_local_reserved_ports': '8080,30000-32767' }), objects: NODE_PORT },
    [],
  ],
  'range over it, but nobody holds a node port': [portRangeOverlap, on({ [RANGE]: '1024 65535' }), []],
  'tcp_tw_recycle 1': [
    twRecycle,
    on({ 'net.ipv4.tcp_tw_recycle': '1' }),
    [['warning', 'tcp-tw-recycle', 'node2/host']],
  ],
  'tcp_tw_recycle 1 and SYNs dropped': [
    twRecycle,
    {
      ...on({ 'net.ipv4.tcp_tw_recycle': '1' }),
      netns: { 'node2/host': { counters: new Map([['TcpExtPAWSPassive', 7]]) } },
    },
    [['error hurts', 'tcp-tw-recycle', 'node2/host']],
  ],
  'tcp_tw_recycle 0': [twRecycle, on({ 'net.ipv4.tcp_tw_recycle': '0' }), []],
  'no address from a router': [ipv6DefaultRoute, withDynamic('1'), []],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})

test('a forwarding reset is told with what caused it (blackhole 2)', () => {
  const found = findings(forwardingState, {
    ...on({ 'net.ipv4.conf.cni0.forwarding': '0' }),
    nodes: {
      node2: {
        kernelLog: log(
          'eth0: link becomes ready',
          '[912] Out of memory: Killed process 311 (systemd-network) total-vm:17000kB',
          '[913] systemd-networkd[402]: eth0: Gained carrier',
        ),
      },
    },
  })
  expect(found.map((f) => f.finding.evidence.filter((e) => e.artefact.includes('kernel-log')).length)).toEqual([2])
  expect(found[0]!.finding.text).toContain('resets this value')
})

test.each([
  ['1', ['ipv6-default-route-lost']],
  ['2', []],
])('address from a router, forwarding on, accept_ra %s, no default route', (accept, expected) => {
  const found = ipv6DefaultRoute.find(dynamicAddress(withDynamic(accept)))
  expect(found.map((f) => f.finding.code)).toEqual(expected)
})

function dynamicAddress(change: Change) {
  const state = stateWith(change)
  const netns = new Map(state.network.netns)
  const host = netns.get('node2/host')!
  const links = host.links.map((l) =>
    l.name === 'eth1' ? { ...l, addresses: l.addresses.map((a) => ({ ...a, flags: ['dynamic'] })) } : l,
  )
  netns.set(host.id, { ...host, links })
  return { ...state, network: { ...state.network, netns } }
}

test('port ranges and reserved ports as sysctl prints them', () => {
  expect(portRange('32768\t60999')).toEqual([32768, 60999])
  expect(portRange('x')).toBeNull()
  expect([30000, 8080, 8081].map((p) => isReserved('8080,30000-32767', p))).toEqual([true, true, false])
  expect(isReserved('', 1)).toBe(false)
})
