/** Kubernetes objects indexed for policy questions; built once per snapshot. */
import { formatIp, parseIp } from '../../base/ip.ts'
import type { KubeObjects, NamespaceObject, NodeObject, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { Issue } from '../../model/evidence.ts'
import { decodePolicy, isNetworkPolicy } from './decode.ts'
import { type ForeignPolicy, foreignPolicies } from './foreign.ts'
import type { NetworkPolicy } from './policy.ts'

export interface PolicyCluster {
  readonly objects: KubeObjects
  readonly pods: ReadonlyMap<string, PodObject>
  readonly nodes: ReadonlyMap<string, NodeObject>
  readonly namespaces: ReadonlyMap<string, NamespaceObject>
  /** By canonical text form of the address: pods with a network of their own that still run. */
  readonly podByIp: ReadonlyMap<string, PodObject>
  /** Addresses of nodes, from Node objects and from the hostIP of pods. */
  readonly nodeByIp: ReadonlyMap<string, string>
  /** ClusterIPs, external and load balancer addresses. */
  readonly serviceByIp: ReadonlyMap<string, ServiceObject>
  readonly servicesByNamespace: ReadonlyMap<string, readonly ServiceObject[]>
  readonly policiesByNamespace: ReadonlyMap<string, readonly NetworkPolicy[]>
  /** Policies of kinds that are not evaluated here but may overrule. */
  readonly foreign: readonly ForeignPolicy[]
  /** False when the snapshot does not say which NetworkPolicies there are. */
  readonly policiesKnown: boolean
  readonly issues: readonly Issue[]
}

const indexed = new WeakMap<KubeObjects, PolicyCluster>()

/** `namespace/name`; objects from files may leave the namespace out, which means `default`. */
export function podKey(namespace: string, name: string): string {
  return `${namespace || 'default'}/${name}`
}

/** A pod that has ended keeps its object but not its network, and its address may be another pod's by now. */
export function hasEnded(pod: PodObject): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed'
}

/** Text form that is the same for every spelling of an address; null for what is none. */
export function canonicalIp(text: string): string | null {
  const ip = parseIp(text)
  return ip && formatIp(ip)
}

/** The index of these objects, the same one for every question. */
export function policyCluster(objects: KubeObjects): PolicyCluster {
  const known = indexed.get(objects)
  if (known) return known
  const cluster = build(objects)
  indexed.set(objects, cluster)
  return cluster
}

function build(objects: KubeObjects): PolicyCluster {
  const issues: Issue[] = []
  const nodeByIp = new Map<string, string>()
  for (const node of objects.nodes)
    for (const { address } of node.addresses) put(nodeByIp, canonicalIp(address), node.meta.name)
  const podByIp = new Map<string, PodObject>()
  for (const pod of objects.pods) {
    if (pod.hostIP !== undefined && pod.nodeName !== undefined) put(nodeByIp, canonicalIp(pod.hostIP), pod.nodeName)
    if (!pod.hostNetwork && !hasEnded(pod)) for (const ip of pod.podIPs) put(podByIp, canonicalIp(ip), pod)
  }
  const serviceByIp = new Map<string, ServiceObject>()
  const servicesByNamespace = new Map<string, ServiceObject[]>()
  for (const service of objects.services) {
    for (const ip of serviceAddresses(service)) put(serviceByIp, canonicalIp(ip), service)
    append(servicesByNamespace, service.meta.namespace || 'default', service)
  }
  const policiesByNamespace = new Map<string, NetworkPolicy[]>()
  for (const other of objects.others) {
    if (!isNetworkPolicy(other)) continue
    const policy = decodePolicy(other, issues)
    append(policiesByNamespace, policy.namespace, policy)
  }
  for (const list of policiesByNamespace.values()) list.sort((x, y) => (x.name < y.name ? -1 : x.name > y.name ? 1 : 0))
  return {
    objects,
    pods: new Map(objects.pods.map((p) => [podKey(p.meta.namespace, p.meta.name), p])),
    nodes: new Map(objects.nodes.map((n) => [n.meta.name, n])),
    namespaces: new Map(objects.namespaces.map((n) => [n.meta.name, n])),
    podByIp,
    nodeByIp,
    serviceByIp,
    servicesByNamespace,
    policiesByNamespace,
    foreign: foreignPolicies(objects),
    policiesKnown: objects.known.has('NetworkPolicy') || policiesByNamespace.size > 0,
    issues,
  }
}

/** Addresses that are translated before any policy sees the packet. */
export function serviceAddresses(service: ServiceObject): readonly string[] {
  const balancers = service.loadBalancerIngress.flatMap((i) => (i.ip === undefined ? [] : [i.ip]))
  return [...service.clusterIPs, ...service.externalIPs, ...balancers]
}

function put<T>(map: Map<string, T>, key: string | null, value: T): void {
  if (key !== null && !map.has(key)) map.set(key, value)
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}
