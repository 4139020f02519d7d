/** What every question of the inventory looks at: the collected state, the objects, and what was derived from them once. */
import { addToIp, formatIp, type Ip, networkOf, parseIp } from '../../base/ip.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Link, Netns, Network } from '../../model/network.ts'
import { holdsAddress, hostNetns, podRanges } from '../view/owner.ts'
import type { NodeFact } from './decision.ts'
import { type Running, runningSoftware } from './software.ts'

export interface Surroundings {
  readonly network: Network
  readonly objects: KubeObjects
  /** Nodes of the question, collected or only known as objects, in their order of names. */
  readonly nodes: readonly string[]
  readonly software: readonly Running[]
  /** An address of a pod of each node there is, in or out of question, by family: of one that runs, else one of its range. */
  readonly podAddress: ReadonlyMap<string, Readonly<Partial<Record<4 | 6, Ip>>>>
  /** Addresses of all nodes as formatIp prints them. */
  readonly nodeAddresses: ReadonlySet<string>
}

export function surroundingsOf(network: Network, objects: KubeObjects, only?: string): Surroundings {
  const names = [...new Set([...network.nodes.keys(), ...objects.nodes.map((n) => n.meta.name)])].sort(byName)
  return {
    network,
    objects,
    nodes: only === undefined ? names : names.filter((n) => n === only),
    software: runningSoftware(objects),
    podAddress: podAddresses(network, objects, names),
    nodeAddresses: addressesOfNodes(network, objects),
  }
}

function podAddresses(network: Network, objects: KubeObjects, names: readonly string[]) {
  const out = new Map<string, Partial<Record<4 | 6, Ip>>>(names.map((n) => [n, {}]))
  const offer = (node: string | undefined, ip: Ip | null) => {
    const known = node === undefined ? undefined : out.get(node)
    if (known && ip) known[ip.family] ??= ip
  }
  for (const p of objects.pods) if (holdsAddress(p)) for (const text of p.podIPs) offer(p.nodeName, parseIp(text))
  for (const node of names)
    for (const id of network.nodes.get(node)?.pods ?? []) {
      if (out.get(node)?.[4] && out.get(node)?.[6]) break
      for (const link of network.netns.get(id)?.links ?? [])
        for (const a of link.addresses) if (a.scope === 'global') offer(node, a.ip)
    }
  for (const { node, range } of podRanges(objects)) offer(node.meta.name, addToIp(networkOf(range).ip, 2))
  return out
}

function addressesOfNodes(network: Network, objects: KubeObjects): Set<string> {
  const out = new Set<string>()
  for (const n of objects.nodes)
    for (const a of n.addresses) {
      const ip = parseIp(a.address)
      if (ip) out.add(formatIp(ip))
    }
  for (const name of network.nodes.keys())
    for (const link of hostNetns(network, name)?.links ?? []) for (const a of link.addresses) out.add(formatIp(a.ip))
  return out
}

/** node2 before node10. */
function byName(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** Asks each collected node's host netns; the others answer that they were not collected. */
export function askHosts(s: Surroundings, ask: (host: Netns, node: string) => NodeFact): NodeFact[] {
  return s.nodes.map((node) => {
    const host = hostNetns(s.network, node)
    return host ? ask(host, node) : { node, state: 'unknown', why: 'not collected' }
  })
}

export function hostsOf(s: Surroundings): Netns[] {
  return s.nodes.flatMap((n) => hostNetns(s.network, n) ?? [])
}

/** Pod netns of the nodes in question. */
export function podNetnsOf(s: Surroundings): Netns[] {
  return s.nodes.flatMap((n) => (s.network.nodes.get(n)?.pods ?? []).flatMap((id) => s.network.netns.get(id) ?? []))
}

/** `data` of a ConfigMap in any namespace, with its evidence; null when there is none (or none was collected). */
export function configMap(
  s: Surroundings,
  name: RegExp,
): { readonly data: Readonly<Record<string, string>>; readonly evidence: Evidence } | null {
  const found = s.objects.others.find((o) => o.kind === 'ConfigMap' && name.test(o.meta.name))
  const data = found?.raw.data
  if (!found || typeof data !== 'object' || data === null) return null
  const texts: Record<string, string> = {}
  for (const [key, value] of Object.entries(data)) if (typeof value === 'string') texts[key] = value
  return { data: texts, evidence: found.evidence }
}

/** The host's link of the default route: the NIC that carries the node's traffic. */
export function uplinkOf(host: Netns): Link | null {
  const route = host.routes.find((r) => r.dst.length === 0 && r.type === 'unicast' && r.table === 254)
  const name = route?.nexthops[0]?.link
  return (
    host.links.find((l) => l.name === name) ??
    host.links.find((l) => l.kind === 'ethernet' && l.addresses.length > 0) ??
    null
  )
}
