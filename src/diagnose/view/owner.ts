/** Whose address is it: a pod's, a node's, a Service's, inside a node's pod range, or nobody's we know. */
import { formatIp, type Ip, ipEquals, type Prefix, parseIp, parsePrefix, prefixContains } from '../../base/ip.ts'
import type { KubeObjects, NodeObject, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { Link, Netns, Network } from '../../model/network.ts'

export type Owner =
  | {
      readonly kind: 'pod'
      readonly pod?: PodObject
      readonly node?: string
      readonly netns?: Netns
      readonly name: string
    }
  | { readonly kind: 'node'; readonly node: string; readonly netns?: Netns; readonly link?: Link }
  | { readonly kind: 'service'; readonly service: ServiceObject; readonly name: string }
  | { readonly kind: 'pod-range'; readonly node: string; readonly range: Prefix }
  | { readonly kind: 'outside' }

/** Pod ranges by node, from Node.spec.podCIDRs. */
export function podRanges(objects: KubeObjects): { readonly node: NodeObject; readonly range: Prefix }[] {
  return objects.nodes.flatMap((node) =>
    node.podCIDRs.flatMap((text) => {
      const range = parsePrefix(text)
      return range ? [{ node, range }] : []
    }),
  )
}

/** True when the pod still has its address: not finished, not sharing the node's. */
export function holdsAddress(pod: PodObject): boolean {
  return !pod.hostNetwork && pod.phase !== 'Succeeded' && pod.phase !== 'Failed'
}

export function podOfAddress(objects: KubeObjects, ip: Ip): PodObject | undefined {
  const text = formatIp(ip)
  return objects.pods.find((p) => holdsAddress(p) && p.podIPs.some((a) => a === text || sameIp(a, ip)))
}

function sameIp(text: string, ip: Ip): boolean {
  const parsed = parseIp(text)
  return parsed !== null && ipEquals(parsed, ip)
}

export function serviceOfAddress(objects: KubeObjects, ip: Ip): ServiceObject | undefined {
  return objects.services.find((s) =>
    [...s.clusterIPs, ...s.externalIPs, ...s.loadBalancerIngress.map((i) => i.ip ?? '')].some((a) => sameIp(a, ip)),
  )
}

/** The Node whose InternalIP or ExternalIP is `ip`, by its object. */
export function nodeOfAddress(objects: KubeObjects, ip: Ip): NodeObject | undefined {
  return objects.nodes.find((n) => n.addresses.some((a) => sameIp(a.address, ip)))
}

/** The netns of a pod object, when it was collected. */
export function netnsOfPod(network: Network, namespace: string, name: string): Netns | undefined {
  for (const n of network.netns.values()) if (n.pod?.namespace === namespace && n.pod.name === name) return n
  return undefined
}

export function hostNetns(network: Network, node: string): Netns | undefined {
  const id = network.nodes.get(node)?.host
  return id === undefined ? undefined : network.netns.get(id)
}

/** Netns and links that carry the address, loopback addresses left out. */
export function holders(network: Network, ip: Ip): { readonly netns: Netns; readonly link: Link }[] {
  const out: { netns: Netns; link: Link }[] = []
  for (const netns of network.netns.values())
    for (const link of netns.links) if (link.addresses.some((a) => ipEquals(a.ip, ip))) out.push({ netns, link })
  return out
}

export function ownerOf(network: Network, objects: KubeObjects, ip: Ip): Owner {
  const pod = podOfAddress(objects, ip)
  if (pod) {
    const netns = netnsOfPod(network, pod.meta.namespace, pod.meta.name)
    return {
      kind: 'pod',
      pod,
      name: `${pod.meta.namespace}/${pod.meta.name}`,
      ...(pod.nodeName === undefined ? {} : { node: pod.nodeName }),
      ...(netns ? { netns } : {}),
    }
  }
  const service = serviceOfAddress(objects, ip)
  if (service) return { kind: 'service', service, name: `${service.meta.namespace}/${service.meta.name}` }
  const held = holders(network, ip)
  const inPod = held.find((h) => h.netns.kind === 'pod')
  if (inPod?.netns.pod)
    return {
      kind: 'pod',
      name: `${inPod.netns.pod.namespace}/${inPod.netns.pod.name}`,
      node: inPod.netns.node,
      netns: inPod.netns,
    }
  const object = nodeOfAddress(objects, ip)
  if (object) {
    const netns = hostNetns(network, object.meta.name)
    return { kind: 'node', node: object.meta.name, ...(netns ? { netns } : {}) }
  }
  const inHost = held.find((h) => h.netns.kind === 'host')
  if (inHost) return { kind: 'node', node: inHost.netns.node, netns: inHost.netns, link: inHost.link }
  const range = podRanges(objects).find((r) => prefixContains(r.range, ip))
  if (range) return { kind: 'pod-range', node: range.node.meta.name, range: range.range }
  return { kind: 'outside' }
}

/** The owner in words: `pod shop/web-1 on node2`, `node2`, `Service shop/api`, `an address outside the cluster`. */
export function ownerText(owner: Owner): string {
  switch (owner.kind) {
    case 'pod':
      return `pod ${owner.name}${owner.node ? ` on ${owner.node}` : ''}`
    case 'node':
      return owner.node
    case 'service':
      return `Service ${owner.name}`
    case 'pod-range':
      return `the pod range of ${owner.node}`
    case 'outside':
      return 'an address outside the cluster'
  }
}
