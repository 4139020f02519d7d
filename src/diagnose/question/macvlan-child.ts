/**
 * A sender nobody collected may be a macvlan child of the very node it asks: the child shares the node's link and never exchanges
 * frames with the node itself (macvlan_broadcast and macvlan_hash_lookup, drivers/net/macvlan.c). The node's `ip link` does not show
 * a child that was moved to another netns, but its MAC stands among those its parent accepts (dev_uc_add, seen by `bridge fdb show`).
 */
import { formatIp, type Ip, ipEquals } from '../../base/ip.ts'
import type { FdbEntry, Link, Neighbour, Netns, Network } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import type { ConnectionTrace, PacketTrace, Step } from '../../model/trace.ts'

/** Unicast MACs beside its own that the link accepts, where only a child of it can have asked for them. */
function childMacs(netns: Netns, link: Link): FdbEntry[] {
  if (link.master !== undefined || ['bridge', 'vxlan', 'loopback'].includes(link.kind)) return []
  const here = new Set(netns.links.map((l) => l.mac))
  const unicast = (mac: string) => (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0
  return netns.fdb.filter(
    (e) =>
      e.link === link.name && e.flags.includes('self') && e.dst === undefined && unicast(e.mac) && !here.has(e.mac),
  )
}

/** Who was seen to have the address, by any neighbour table. */
function seenAs(network: Network, ip: Ip): Neighbour[] {
  return [...network.netns.values()].flatMap((n) =>
    n.neighbours.filter((x) => x.mac !== undefined && !x.proxy && ipEquals(x.ip, ip)),
  )
}

function ended(
  t: ConnectionTrace,
  step: Step,
  disposition: PacketTrace['disposition'],
  unknowns: string[],
): ConnectionTrace {
  const [first] = t.forward.hops
  const hops = first ? [{ ...first, steps: [step] }] : []
  const netns = first?.netns ?? t.forward.netns
  const forward: PacketTrace = {
    ...t.forward,
    disposition,
    hops,
    netns,
    packet: step.packet,
    connections: new Map(),
    unknowns,
  }
  return { ...t, disposition, forward, reply: null }
}

/**
 * The outcome for a sender outside of which nothing but `ip` is known. It stays as it is unless the packet enters a node by a link that has
 * macvlan children: dropped when a neighbour table says that the sender is one of them, undecided when no table knows the sender.
 */
export function unlessMacvlanChild(network: Network, ip: Ip, packet: Packet, trace: ConnectionTrace): ConnectionTrace {
  const hop = trace.forward.hops.find((h) => network.netns.has(h.netns))
  const entry = hop?.steps.find((s) => s.link !== undefined)
  const netns = hop ? network.netns.get(hop.netns) : undefined
  const link = netns?.links.find((l) => l.name === entry?.link)
  if (!netns || !link || trace.forward.hops[0] !== hop) return trace
  const children = childMacs(netns, link)
  if (children.length === 0) return trace
  const seen = seenAs(network, ip)
  const tied = seen.find((n) => children.some((c) => c.mac === n.mac))
  const text = `${formatIp(ip)} is behind ${link.name} itself: a macvlan child of it has`
  if (tied) {
    const child = children.filter((c) => c.mac === tied.mac)
    const step: Step = {
      kind: 'wire',
      text: `${text} its MAC ${tied.mac}, and a child never reaches its parent's own node`,
      link: link.name,
      packet: { ...packet, src: ip },
      verdict: 'drop',
      evidence: [...child.map((c) => c.evidence), tied.evidence],
      cause: 'macvlan-isolation',
    }
    return ended(trace, step, 'neighbour-unreachable', [])
  }
  // A router of the node is a machine of its own.
  const router = netns.routes.some((r) => r.nexthops.some((n) => n.gateway && ipEquals(n.gateway, ip)))
  if (seen.length > 0 || router) return trace
  const why = `whether ${formatIp(ip)} is a macvlan child of ${link.name} on ${netns.node}, which accepts frames for ${children[0]?.mac ?? 'another MAC'}`
  const step: Step = {
    kind: 'wire',
    text: `comes from ${formatIp(ip)}, which may be a macvlan child of ${link.name}: then the two never reach each other`,
    link: link.name,
    packet: { ...packet, src: ip },
    verdict: 'unknown',
    evidence: children.slice(0, 2).map((c) => c.evidence),
  }
  return ended(trace, step, 'insufficient-info', [why])
}
