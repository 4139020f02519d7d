/** Who an end of the connection is, as policies see it. */
import { addToIp, formatIp, type Ip, networkOf, parseIp, parsePrefix } from '../../base/ip.ts'
import type { PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import { hasEnded, type PolicyCluster, podKey } from './cluster.ts'
import type { PolicyEnd } from './result.ts'
import type { Labels } from './selector.ts'

export type End =
  /** A pod with a network of its own: the only thing selectors find. */
  | {
      readonly kind: 'pod'
      readonly pod: PodObject
      readonly namespace: string
      readonly labels: Labels
      /** `complete` false: the Namespace object is not in the snapshot, only its name is known to be a label. */
      readonly namespaceLabels: { readonly labels: Labels; readonly complete: boolean }
      readonly addresses: readonly Ip[]
      readonly node: string | null
    }
  | {
      readonly kind: 'node'
      readonly node: string
      readonly what: 'node' | 'host-network-pod'
      readonly addresses: readonly Ip[]
    }
  | { readonly kind: 'address'; readonly addresses: readonly Ip[] }
  /** A Service's address: policies see the endpoint behind it, which was not said. */
  | { readonly kind: 'service'; readonly service: ServiceObject; readonly addresses: readonly Ip[] }
  /** It cannot be told what this is. */
  | { readonly kind: 'unknown'; readonly why: string; readonly addresses: readonly Ip[] }

/** Label that the API server puts on every namespace and keeps equal to its name (since 1.21). */
export const NAME_LABEL = 'kubernetes.io/metadata.name'

/**
 * Label by which selectors of Calico find the service account of a pod; Cilium's are translated to it. Admission gives a pod that
 * names none the account `default`.
 */
export const ACCOUNT_LABEL = 'projectcalico.org/serviceaccount'

/** Recognises one end; `role` matters for a node, which may send from more addresses than it is reached at. */
export function resolveEnd(cluster: PolicyCluster, end: PolicyEnd, role: 'from' | 'to'): End {
  switch (end.kind) {
    case 'pod': {
      const key = podKey(end.namespace, end.name)
      const pod = cluster.pods.get(key)
      if (!pod) return { kind: 'unknown', why: `pod ${key} is not in the snapshot`, addresses: [] }
      return podEnd(cluster, pod, role)
    }
    case 'node':
      return nodeEnd(cluster, end.name, role, 'node')
    case 'ip':
      return addressEnd(cluster, end.ip, role)
  }
}

function podEnd(cluster: PolicyCluster, pod: PodObject, role: 'from' | 'to'): End {
  const namespace = pod.meta.namespace || 'default'
  if (hasEnded(pod))
    return { kind: 'unknown', why: `pod ${namespace}/${pod.meta.name} has ended and has no network`, addresses: [] }
  if (pod.hostNetwork) {
    if (pod.nodeName === undefined)
      return { kind: 'unknown', why: `pod ${namespace}/${pod.meta.name} is on no node yet`, addresses: [] }
    return nodeEnd(cluster, pod.nodeName, role, 'host-network-pod')
  }
  const ends = podEnds.get(cluster) ?? new Map<PodObject, End>()
  podEnds.set(cluster, ends)
  const known = ends.get(pod)
  if (known) return known
  const end = plainPod(cluster, pod, namespace)
  ends.set(pod, end)
  return end
}

/** One object per pod, so that what is found out about it is found once. */
const podEnds = new WeakMap<PolicyCluster, Map<PodObject, End>>()

function plainPod(cluster: PolicyCluster, pod: PodObject, namespace: string): End {
  const object = cluster.namespaces.get(namespace)
  return {
    kind: 'pod',
    pod,
    namespace,
    labels: { ...pod.meta.labels, [ACCOUNT_LABEL]: pod.serviceAccountName ?? 'default' },
    namespaceLabels: { labels: { ...object?.meta.labels, [NAME_LABEL]: namespace }, complete: object !== undefined },
    addresses: pod.podIPs.flatMap((text) => parseIp(text) ?? []),
    node: pod.nodeName ?? null,
  }
}

/**
 * A node is reached at its registered addresses. What it sends to a pod of another node leaves with the address of its
 * tunnel or bridge, the first two of its pod CIDR, where there is one; with its own otherwise.
 */
function nodeEnd(cluster: PolicyCluster, name: string, role: 'from' | 'to', what: 'node' | 'host-network-pod'): End {
  const node = cluster.nodes.get(name)
  if (!node) return { kind: 'node', node: name, what, addresses: [] }
  const addresses = node.addresses.flatMap(({ type, address }) =>
    type === 'InternalIP' ? (parseIp(address) ?? []) : [],
  )
  if (role === 'from') {
    for (const cidr of node.podCIDRs) {
      const prefix = parsePrefix(cidr)
      if (!prefix) continue
      const first = networkOf(prefix).ip
      addresses.push(first, addToIp(first, 1))
    }
  }
  return { kind: 'node', node: name, what, addresses }
}

function addressEnd(cluster: PolicyCluster, ip: Ip, role: 'from' | 'to'): End {
  const key = formatIp(ip)
  const pod = cluster.podByIp.get(key)
  if (pod) return podEnd(cluster, pod, role)
  const node = cluster.nodeByIp.get(key)
  if (node !== undefined) return { kind: 'node', node, what: 'node', addresses: [ip] }
  const service = cluster.serviceByIp.get(key)
  if (service && role === 'to') return { kind: 'service', service, addresses: [ip] }
  if (!cluster.objects.known.has('Pod') && cluster.pods.size === 0)
    return { kind: 'unknown', why: `the pods are not known, ${key} may be one`, addresses: [ip] }
  return { kind: 'address', addresses: [ip] }
}
