/** A two-node flannel cluster as text, and its Kubernetes objects, for tests of checks. */
import type { KubeObjects, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'

const at = (name: string): Evidence => ({ artefact: 'objects/all.json', text: name })
const meta = (name: string, namespace = 'default', labels: Record<string, string> = {}) => ({
  name,
  namespace,
  uid: `uid-${name}`,
  labels,
  annotations: {},
  owners: [],
})

function pod(name: string, node: string, ip: string, port: number | null): PodObject {
  return {
    meta: meta(name, 'default', { app: name.replace(/\d$/, ''), name }),
    evidence: at(`pod ${name}`),
    nodeName: node,
    hostNetwork: false,
    containers: [
      {
        name: 'app',
        ports: port === null ? [] : [{ name: 'http', containerPort: port, protocol: 'TCP' }],
        hasPreStop: false,
        hasReadinessProbe: false,
      },
    ],
    phase: 'Running',
    podIPs: [ip],
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [],
  }
}

export function service(
  name: string,
  clusterIP: string,
  port: number,
  targetPort: number | string,
  selector: Record<string, string>,
): ServiceObject {
  return {
    meta: meta(name),
    evidence: at(`service ${name}`),
    type: 'ClusterIP',
    clusterIPs: [clusterIP],
    externalIPs: [],
    ports: [{ name: 'http', port, protocol: 'TCP', targetPort }],
    selector,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    loadBalancerSourceRanges: [],
    loadBalancerIngress: [],
    ipFamilies: ['IPv4'],
    publishNotReadyAddresses: false,
  }
}

function slice(name: string, port: number, addresses: readonly (readonly [string, string, string])[]) {
  return {
    meta: meta(`${name}-abcde`),
    evidence: at(`slice ${name}`),
    serviceName: name,
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: addresses.map(([ip, nodeName, target]) => ({
      addresses: [ip],
      ready: true,
      serving: true,
      terminating: false,
      nodeName,
      hintZones: [],
      hintNodes: [],
      target: { kind: 'Pod', namespace: 'default', name: target },
    })),
  }
}

function node(name: string, podCIDR: string, address: string) {
  return {
    meta: meta(name, ''),
    evidence: at(`node ${name}`),
    podCIDRs: [podCIDR],
    addresses: [{ type: 'InternalIP', address }],
    conditions: [{ type: 'Ready', status: 'True' }],
    taints: [],
    allocatable: {},
  }
}

/** Nodes node1 and node2; pods client1 (node1), web1 (node1) and web2 (node2) on 8080; Service web 10.96.0.80:80. */
export const OBJECTS: KubeObjects = {
  nodes: [node('node1', '10.244.1.0/24', '172.30.0.11'), node('node2', '10.244.2.0/24', '172.30.0.12')],
  pods: [
    pod('client1', 'node1', '10.244.1.10', null),
    pod('web1', 'node1', '10.244.1.20', 8080),
    pod('web2', 'node2', '10.244.2.20', 8080),
  ],
  services: [service('web', '10.96.0.80', 80, 8080, { app: 'web' })],
  endpointSlices: [
    slice('web', 8080, [
      ['10.244.1.20', 'node1', 'web1'],
      ['10.244.2.20', 'node2', 'web2'],
    ]),
  ],
  namespaces: [
    { meta: meta('default', '', { 'kubernetes.io/metadata.name': 'default' }), evidence: at('namespace default') },
  ],
  events: [],
  others: [],
  known: new Set(['Node', 'Pod', 'Service', 'EndpointSlice', 'Namespace', 'NetworkPolicy', 'Event']),
}

const host = (n: number, other: number, pods: string) => `
netns node${n}/host
  eth0 wire 172.30.0.1${n}/24
  cni0 bridge 10.244.${n}.1/24 mtu 1450
${pods}
  flannel.1 vxlan 1 8472 172.30.0.1${n} 10.244.${n}.0/32
  route 10.244.${other}.0/24 via 10.244.${other}.0 dev flannel.1 onlink
  route default via 172.30.0.1 dev eth0
  neigh 10.244.${other}.0 flannel.1 @node${other}/host:flannel.1 PERMANENT
  fdb @node${other}/host:flannel.1 flannel.1 dst 172.30.0.1${other}
  sysctl net.ipv4.ip_forward 1
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.default.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 0
  sysctl net.ipv4.conf.default.rp_filter 0
  sysctl net.bridge.bridge-nf-call-iptables 1
`

const podNetns = (n: number, name: string, address: string, listen: string) => `
netns node${n}/pod/default/${name}
  eth0 veth node${n}/host:veth-${name} ${address}/24 mtu 1450
  route default via 10.244.${n}.1 dev eth0
${listen}
`

/** The same cluster's state, in the language of datapath/testing/topology.ts. */
export const STATE = [
  host(
    1,
    2,
    '  veth-client1 veth node1/pod/default/client1:eth0 master cni0 mtu 1450\n  veth-web1 veth node1/pod/default/web1:eth0 master cni0 mtu 1450',
  ),
  host(2, 1, '  veth-web2 veth node2/pod/default/web2:eth0 master cni0 mtu 1450'),
  podNetns(1, 'client1', '10.244.1.10', ''),
  podNetns(1, 'web1', '10.244.1.20', '  listen tcp 0.0.0.0:8080'),
  podNetns(2, 'web2', '10.244.2.20', '  listen tcp 0.0.0.0:8080'),
].join('')
