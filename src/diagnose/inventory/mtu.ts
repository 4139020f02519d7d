/** Decision: the sizes of packets, from the NIC to the pods. */
import type { Decision } from '../../model/inventory.ts'
import type { Link, Netns } from '../../model/network.ts'
import { type NodeFact, ofNodes } from './decision.ts'
import { askHosts, type Surroundings, uplinkOf } from './surroundings.ts'
import { tunnelOf } from './way-between-nodes.ts'

export function mtus(s: Surroundings): Decision {
  const partsOf = new Map<string, readonly string[]>()
  const facts = askHosts(s, (host, node): NodeFact => {
    const nic = uplinkOf(host)
    const tunnels = host.links.filter((l) => tunnelOf(host, l)?.link === l && l.flags.has('UP'))
    const bridges = podBridges(s, host)
    const pods = podLinks(s, node)
    const parts = [
      ...[...(nic ? [nic] : []), ...tunnels, ...bridges].map((l) => `${l.name} ${l.mtu}`),
      ...(pods.length > 0 ? [`pods ${sizes(pods)}`] : []),
    ]
    if (parts.length === 0) return { node, state: 'unknown', why: 'links not collected' }
    partsOf.set(node, parts)
    const evidence = [...(nic ? [nic] : []), ...tunnels, ...bridges].map((l) => l.evidence)
    return { node, state: 'present', value: parts.join(', '), evidence }
  })
  // A node without pods does not differ from one that has some, if all else is equal.
  const links = (parts: readonly string[]) => parts.filter((p) => !p.startsWith('pods ')).join(', ')
  const fullest = (node: string) => {
    const own = partsOf.get(node) ?? []
    const alike = [...partsOf.values()].filter((p) => p.length > own.length && links(p) === own.join(', '))
    return alike[0] ?? own
  }
  return ofNodes(
    { id: 'mtu', title: 'MTU' },
    facts.map((f) => (f.state === 'unknown' ? f : { ...f, value: fullest(f.node).join(', ') })),
  )
}

/** Links of a node's pods that carry their traffic: tunl0 and the like, which the kernel puts in every netns, do not. */
export function podLinks(s: Surroundings, node: string): Link[] {
  return (s.network.nodes.get(node)?.pods ?? []).flatMap(
    (id) =>
      s.network.netns.get(id)?.links.filter((l) => l.kind !== 'loopback' && (l.peer || l.addresses.length > 0)) ?? [],
  )
}

/** `1450`, or `1450 and 1500`. */
export function sizes(links: readonly Link[]): string {
  return [...new Set(links.map((l) => l.mtu))].sort((a, b) => a - b).join(' and ')
}

/** Bridges that have the host ends of pods as ports. */
export function podBridges(s: Surroundings, host: Netns): Link[] {
  const masters = new Set<number>()
  for (const id of s.network.nodes.get(host.node)?.pods ?? [])
    for (const link of s.network.netns.get(id)?.links ?? []) {
      const peer = link.peer
      const end = peer?.netns === host.id ? host.links.find((l) => l.ifindex === peer.ifindex) : undefined
      if (end?.master !== undefined) masters.add(end.master)
    }
  const known = host.links.filter((l) => masters.has(l.ifindex) && l.kind === 'bridge')
  return known.length > 0
    ? known
    : host.links.filter((l) => l.kind === 'bridge' && /^(cni\d|kube-bridge|weave|cbr0|mynet\d)$/.test(l.name))
}
