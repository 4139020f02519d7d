/**
 * Flows through the rules kube-proxy writes, in its two modes: what a Service must do, as its documentation and its own tests
 * (TestInternalTrafficPolicy…, TestExternalTrafficPolicy…, pkg/proxy/{iptables,nftables}/proxier_test.go) say.
 */
import { expect, test } from 'vitest'
import { formatEndpoint, parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import { expectedServices } from '../../intent/service/expected.ts'
import { renderIptables } from '../../intent/service/iptables.ts'
import { renderNft } from '../../intent/service/nft.ts'
import type { EndpointSliceObject, KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { parseNftText } from '../../parse/nft/index.ts'
import { evaluateRuleset } from './evaluate.ts'

const evidence = { artefact: 'test', line: 1, text: '', source: '' }
const meta = (name: string) => ({ name, namespace: 'ns', uid: '', labels: {}, annotations: {}, owners: [] })
const ports = (protocol = 'TCP', nodePort?: number) => [
  { name: 'p', port: 80, protocol, targetPort: 8080, ...(nodePort ? { nodePort } : {}) },
]

function service(name: string, clusterIP: string, over: Partial<ServiceObject> = {}): ServiceObject {
  return {
    meta: meta(name),
    evidence,
    type: 'ClusterIP',
    clusterIPs: [clusterIP],
    externalIPs: [],
    ports: ports(),
    selector: null,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    loadBalancerSourceRanges: [],
    loadBalancerIngress: [],
    ipFamilies: ['IPv4'],
    publishNotReadyAddresses: false,
    ...over,
  }
}

function endpoints(name: string, nodes: readonly number[], protocol = 'TCP'): EndpointSliceObject {
  return {
    meta: meta(name),
    evidence,
    serviceName: name,
    addressType: 'IPv4',
    ports: [{ name: 'p', port: 8080, protocol }],
    endpoints: nodes.map((n) => ({
      addresses: [`10.244.${n}.7`],
      ready: true,
      serving: true,
      terminating: false,
      nodeName: `node${n}`,
      hintZones: [],
      hintNodes: [],
    })),
  }
}

const lb = { type: 'LoadBalancer' } as const
const objects: KubeObjects = {
  nodes: [],
  pods: [],
  services: [
    service('one', '10.96.0.1', { type: 'NodePort', ports: ports('TCP', 30001), externalIPs: ['192.0.2.1'] }),
    service('three', '10.96.0.3'),
    service('none', '10.96.0.4', { type: 'NodePort', ports: ports('TCP', 30004), externalIPs: ['192.0.2.4'] }),
    service('local', '10.96.0.5', {
      ...lb,
      ports: ports('TCP', 30005),
      externalTrafficPolicy: 'Local',
      loadBalancerIngress: [{ ip: '198.51.100.5' }],
      healthCheckNodePort: 30055,
    }),
    service('far', '10.96.0.6', {
      ...lb,
      ports: ports('TCP', 30006),
      externalTrafficPolicy: 'Local',
      loadBalancerIngress: [{ ip: '198.51.100.6' }],
    }),
    service('inner', '10.96.0.7', { internalTrafficPolicy: 'Local' }),
    service('ranged', '10.96.0.8', {
      ...lb,
      ports: ports('TCP', 30008),
      loadBalancerIngress: [{ ip: '198.51.100.8' }],
      loadBalancerSourceRanges: ['203.0.113.0/25'],
    }),
    service('udp', '10.96.0.9', { ports: ports('UDP') }),
    service('sticky', '10.96.0.10', { sessionAffinity: 'ClientIP' }),
  ],
  endpointSlices: [
    endpoints('one', [1]),
    endpoints('three', [1, 2, 3]),
    endpoints('local', [1, 2]),
    endpoints('far', [2]),
    endpoints('inner', [2]),
    endpoints('ranged', [1]),
    endpoints('udp', [1], 'UDP'),
    endpoints('sticky', [1, 2]),
  ],
  namespaces: [],
  events: [],
  others: [],
  known: new Set(),
}
const options = { nodeIPs: ['172.30.0.11'], clusterCIDRs: ['10.244.0.0/16'], serviceCIDRs: ['10.96.0.0/12'] }
const expected = expectedServices(objects, 'node1')
const MODES = {
  iptables: [
    parseIptablesSave(renderIptables(expected, 4, options, { jumps: true }).text, {
      artefact: 'restore',
      family: 'ip',
      backend: 'iptables-legacy',
    }),
  ],
  nftables: [parseNftText(renderNft(expected, 4, options), 'nft')],
}

const POD = '10.244.1.3:4000'
const OUTSIDE = '203.0.113.9:4000'
const FAR_OUTSIDE = '203.0.113.200:4000'
const NODE = '172.30.0.11:4000'

/** What: from, to, protocol, outcome in iptables mode, outcome in nftables mode where it differs. `masq` marks masquerade. */
const FLOWS: [string, string, string, string, string, string?][] = [
  ['a pod reaches a ClusterIP', POD, '10.96.0.1:80', 'tcp', 'accept 10.244.1.7:8080'],
  ['a node reaches it, masqueraded', NODE, '10.96.0.1:80', 'tcp', 'accept 10.244.1.7:8080 masq'],
  ['an outsider reaches it, masqueraded', OUTSIDE, '10.96.0.1:80', 'tcp', 'accept 10.244.1.7:8080 masq'],
  [
    'hairpin: the endpoint reaches itself, masqueraded',
    '10.244.1.7:4000',
    '10.96.0.1:80',
    'tcp',
    'accept 10.244.1.7:8080 masq',
  ],
  [
    'each endpoint has its share',
    POD,
    '10.96.0.3:80',
    'tcp',
    '0.33 accept 10.244.1.7:8080; 0.33 accept 10.244.2.7:8080; 0.33 accept 10.244.3.7:8080',
  ],
  [
    'of three endpoints only the way to itself is masqueraded',
    '10.244.2.7:4000',
    '10.96.0.3:80',
    'tcp',
    '0.33 accept 10.244.1.7:8080; 0.33 accept 10.244.2.7:8080 masq; 0.33 accept 10.244.3.7:8080',
  ],
  ['another port of a ClusterIP', POD, '10.96.0.1:81', 'tcp', 'accept 10.96.0.1:81', 'reject'],
  ['another protocol', POD, '10.96.0.1:80', 'udp', 'accept 10.96.0.1:80', 'reject'],
  ['a ClusterIP that nobody has', POD, '10.96.9.9:80', 'tcp', 'accept 10.96.9.9:80', 'drop'],
  ['UDP', POD, '10.96.0.9:80', 'udp', 'accept 10.244.1.7:8080'],
  ['no endpoints: ClusterIP', POD, '10.96.0.4:80', 'tcp', 'reject'],
  ['no endpoints: ClusterIP, from the node', NODE, '10.96.0.4:80', 'tcp', 'reject'],
  ['no endpoints: external IP', OUTSIDE, '192.0.2.4:80', 'tcp', 'reject'],
  ['no endpoints: node port', OUTSIDE, '172.30.0.11:30004', 'tcp', 'reject'],
  ['no endpoints: node port, from the node itself', NODE, '172.30.0.11:30004', 'tcp', 'reject'],
  ['node port', OUTSIDE, '172.30.0.11:30001', 'tcp', 'accept 10.244.1.7:8080 masq'],
  ['external IP', OUTSIDE, '192.0.2.1:80', 'tcp', 'accept 10.244.1.7:8080 masq'],
  [
    'node port on loopback',
    '127.0.0.1:4000',
    '127.0.0.1:30001',
    'tcp',
    'accept 10.244.1.7:8080 masq',
    'accept 127.0.0.1:30001',
  ],
  [
    'external traffic policy Local keeps the source and the node',
    OUTSIDE,
    '198.51.100.5:80',
    'tcp',
    'accept 10.244.1.7:8080',
  ],
  [
    'Local: pods reach every endpoint, unmasqueraded',
    POD,
    '198.51.100.5:80',
    'tcp',
    '0.50 accept 10.244.1.7:8080; 0.50 accept 10.244.2.7:8080',
  ],
  [
    'Local: the node reaches every endpoint, masqueraded',
    NODE,
    '198.51.100.5:80',
    'tcp',
    '0.50 accept 10.244.1.7:8080 masq; 0.50 accept 10.244.2.7:8080 masq',
  ],
  ['Local without a local endpoint: outsiders are dropped', OUTSIDE, '198.51.100.6:80', 'tcp', 'drop'],
  ['Local without a local endpoint: node port too', OUTSIDE, '172.30.0.11:30006', 'tcp', 'drop'],
  ['Local without a local endpoint: pods get through', POD, '198.51.100.6:80', 'tcp', 'accept 10.244.2.7:8080'],
  [
    'Local without a local endpoint: the node gets through',
    NODE,
    '198.51.100.6:80',
    'tcp',
    'accept 10.244.2.7:8080 masq',
  ],
  ['internal traffic policy Local without a local endpoint', POD, '10.96.0.7:80', 'tcp', 'drop'],
  ['source ranges: inside', OUTSIDE, '198.51.100.8:80', 'tcp', 'accept 10.244.1.7:8080 masq'],
  ['source ranges: outside', FAR_OUTSIDE, '198.51.100.8:80', 'tcp', 'drop'],
  ['source ranges: pods are subject to them', POD, '198.51.100.8:80', 'tcp', 'drop'],
  ['source ranges: node ports go round them', FAR_OUTSIDE, '172.30.0.11:30008', 'tcp', 'accept 10.244.1.7:8080 masq'],
  ['health check node port', OUTSIDE, '172.30.0.11:30055', 'tcp', 'accept 172.30.0.11:30055'],
  [
    'session affinity: a first packet is free to choose',
    POD,
    '10.96.0.10:80',
    'tcp',
    '0.50 accept 10.244.1.7:8080; 0.50 accept 10.244.2.7:8080',
  ],
]

function endpoint(text: string) {
  const [ip, port] = text.split(':')
  return { ip: parseIp(ip!)!, port: Number(port) }
}

function describeFlow(mode: keyof typeof MODES, from: string, to: string, protocol: string): string {
  const src = endpoint(from)
  const dst = endpoint(to)
  const outcomes = evaluateRuleset(MODES[mode], new Map(), {
    src: src.ip,
    sport: src.port,
    dst: dst.ip,
    dport: dst.port,
    protocol: protocolNumber(protocol)!,
    localIps: [parseIp('172.30.0.11')!],
  })
  const one = (o: (typeof outcomes)[number]) =>
    o.verdict === 'accept'
      ? `accept ${formatEndpoint(o.packet.dst, o.packet.dport)}${o.masquerade ? ' masq' : ''}`
      : o.verdict
  if (outcomes.length === 1) return one(outcomes[0]!)
  return outcomes
    .map((o) => `${o.probability.toFixed(2)} ${one(o)}`)
    .sort()
    .join('; ')
}

test.each(FLOWS)('%s: %s to %s %s', (_, from, to, protocol, iptables, nftables) => {
  expect(describeFlow('iptables', from, to, protocol)).toBe(iptables)
  expect(describeFlow('nftables', from, to, protocol)).toBe(nftables ?? iptables)
})

test.each(['iptables', 'nftables'] as const)('%s: a random masquerade makes up no source port', (mode) => {
  const outcomes = evaluateRuleset(MODES[mode], new Map(), {
    src: parseIp('203.0.113.9')!,
    dst: parseIp('172.30.0.11')!,
    dport: 30001,
    protocol: protocolNumber('tcp')!,
    localIps: [parseIp('172.30.0.11')!],
  })
  expect(outcomes).toMatchObject([{ masquerade: true, drawnPorts: { sport: true }, packet: { dport: 8080 } }])
  expect(outcomes[0]!.packet.sport).toBeLessThan(0)
})
