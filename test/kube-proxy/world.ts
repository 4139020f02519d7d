/** Clusters for tests: nodes whose kube-proxy has written what some objects ask for, whatever the objects say now. */
import { topology } from '../../src/datapath/testing/topology.ts'
import { expectedServices } from '../../src/intent/service/expected.ts'
import { renderIptables } from '../../src/intent/service/iptables.ts'
import { expectedBoundAddresses, expectedVirtualServers, renderIpvs } from '../../src/intent/service/ipvs.ts'
import { renderNft } from '../../src/intent/service/nft.ts'
import type { ProxyOptions } from '../../src/intent/service/options.ts'
import type { EndpointSliceObject, KubeObjects, PodObject, ServiceObject } from '../../src/kubeobj/objects.ts'
import type { NetnsArtefact, Network } from '../../src/model/network.ts'
import type { Ruleset } from '../../src/model/ruleset.ts'
import { parseIptablesSave } from '../../src/parse/iptables/index.ts'
import { parseIpvs } from '../../src/parse/ipvs/ipvsadm.ts'
import { parseNftText } from '../../src/parse/nft/index.ts'

export type Mode = 'iptables' | 'nftables' | 'ipvs'

const evidence = { artefact: 'objects/all.json', text: 'object' }
const meta = (namespace: string, name: string, labels: Record<string, string> = {}) => ({
  name,
  namespace,
  uid: `${namespace}/${name}`,
  labels,
  annotations: {},
  owners: [],
})

export function service(name: string, clusterIP: string, over: Partial<ServiceObject> = {}): ServiceObject {
  return {
    meta: meta('shop', name),
    evidence: { artefact: 'objects/all.json', text: `Service shop/${name}` },
    type: 'ClusterIP',
    clusterIPs: [clusterIP],
    externalIPs: [],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    selector: { app: name },
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

export type Endpoint = EndpointSliceObject['endpoints'][number]

/** On the node its third number names. */
export function endpoint(address: string, over: Partial<Endpoint> = {}): Endpoint {
  const node = `node${address.split('.')[2]}`
  return {
    addresses: [address],
    ready: true,
    serving: true,
    terminating: false,
    nodeName: node,
    hintZones: [],
    hintNodes: [],
    ...over,
  }
}

export function slice(name: string, endpoints: readonly Endpoint[]): EndpointSliceObject {
  return {
    meta: meta('shop', `${name}-x`),
    evidence: { artefact: 'objects/all.json', text: `EndpointSlice shop/${name}-x` },
    serviceName: name,
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints,
  }
}

export function pod(namespace: string, name: string, node: string, over: Partial<PodObject> = {}): PodObject {
  return {
    meta: meta(namespace, name),
    evidence: { artefact: 'objects/all.json', text: `Pod ${namespace}/${name}` },
    nodeName: node,
    hostNetwork: namespace === 'kube-system',
    containers: [],
    phase: 'Running',
    podIPs: [],
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [],
    ...over,
  }
}

const KUBERNETES: ServiceObject = {
  ...service('kubernetes', '10.96.0.1', { ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }] }),
  meta: meta('default', 'kubernetes'),
}

export function objects(
  services: readonly ServiceObject[],
  slices: readonly EndpointSliceObject[],
  pods: readonly PodObject[] = [],
): KubeObjects {
  const node = (n: number) => ({
    meta: meta('', `node${n}`, { 'topology.kubernetes.io/zone': n === 1 ? 'a' : 'b' }),
    evidence,
    podCIDRs: [`10.244.${n}.0/24`],
    addresses: [{ type: 'InternalIP', address: `172.30.0.1${n}` }],
    conditions: [{ type: 'Ready', status: 'True' }],
    taints: [],
    allocatable: {},
  })
  return {
    nodes: [node(1), node(2)],
    pods,
    services: [KUBERNETES, ...services],
    endpointSlices: slices,
    namespaces: [],
    events: [],
    others: [],
    known: new Set(['Node', 'Pod', 'Service', 'EndpointSlice', 'Namespace']),
  }
}

export function optionsOf(n: number): ProxyOptions {
  return { nodeIPs: [`172.30.0.1${n}`], clusterCIDRs: ['10.244.0.0/16'], serviceCIDRs: ['10.96.0.0/12'] }
}

export interface NodeState {
  /** What its kube-proxy last saw; null: no kube-proxy ever wrote here. */
  readonly saw: KubeObjects | null
  readonly mode: Mode
  readonly options?: Partial<ProxyOptions>
  /** iptables-save text loaded besides, per table, before kube-proxy's rules. */
  readonly also?: string
  /** iptables-legacy-save text. */
  readonly legacy?: string
  readonly lacks?: readonly NetnsArtefact[]
  /** Changes what `ipvsadm -Sn` would print. */
  readonly ipvs?: (text: string) => string
  /** Addresses of kube-ipvs0 that are not there. */
  readonly unbound?: readonly string[]
}

function rulesetsOf(n: number, state: NodeState): Ruleset[] {
  const options = { ...optionsOf(n), ...state.options }
  const out: Ruleset[] = []
  const iptables = (text: string, artefact: string, backend: 'iptables-nft' | 'iptables-legacy') =>
    parseIptablesSave(text, { artefact: `nodes/node${n}/host/${artefact}`, family: 'ip', backend })
  if (state.legacy) out.push(iptables(state.legacy, 'iptables-legacy-save.txt', 'iptables-legacy'))
  const services = state.saw ? expectedServices(state.saw, `node${n}`) : []
  const text = state.saw && state.mode === 'iptables' ? renderIptables(services, 4, options, { jumps: true }).text : ''
  const saved = (state.also ?? '') + text
  if (saved !== '') out.push(iptables(saved, 'iptables-save.txt', 'iptables-nft'))
  if (state.saw && state.mode === 'nftables')
    out.push(parseNftText(renderNft(services, 4, options), `nodes/node${n}/host/nft-ruleset.txt`))
  return out
}

/** Two nodes with one pod each (10.244.N.9), their kube-proxies as told. */
export function world(states: readonly NodeState[]): Network {
  const rulesets: Record<string, readonly Ruleset[]> = {}
  const texts = states.map((state, i) => {
    const n = i + 1
    rulesets[`node${n}/host`] = rulesetsOf(n, state)
    const servers = state.saw ? expectedVirtualServers(expectedServices(state.saw, `node${n}`), 4, optionsOf(n)) : []
    const bound = expectedBoundAddresses(servers).filter((a) => !state.unbound?.includes(a))
    return `
netns node${n}/host
  eth0 wire 172.30.0.1${n}/24
  cni0 bridge 10.244.${n}.1/24
  veth1 veth node${n}/pod/shop/client${n}:eth0 master cni0
${state.saw && state.mode === 'ipvs' ? `  kube-ipvs0 dummy ${bound.map((a) => `${a}/32`).join(' ')}` : ''}
netns node${n}/pod/shop/client${n}
  eth0 veth node${n}/host:veth1 10.244.${n}.9/24
`
  })
  const network = topology(texts.join(''), rulesets)
  const netns = new Map(network.netns)
  states.forEach((state, i) => {
    const n = i + 1
    const id = `node${n}/host`
    const host = netns.get(id)!
    const known = new Set<NetnsArtefact>([...host.known, 'iptables-legacy'])
    for (const a of state.lacks ?? []) known.delete(a)
    const servers =
      state.saw && state.mode === 'ipvs'
        ? expectedVirtualServers(expectedServices(state.saw, `node${n}`), 4, optionsOf(n))
        : []
    const text = (state.ipvs ?? ((x) => x))(renderIpvs(servers))
    netns.set(id, { ...host, known, ipvs: parseIpvs(text, { artefact: `nodes/node${n}/host/ipvsadm.txt` }).value })
  })
  return { ...network, netns }
}
