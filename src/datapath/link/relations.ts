import type { Link, Netns, Network } from '../../model/network.ts'
import { factsOf } from '../facts.ts'

/** A link in its netns. */
export interface Place {
  readonly netns: Netns
  readonly link: Link
}

export function placeKey(p: Place): string {
  return `${p.netns.id} ${p.link.ifindex}`
}

/** The other end of a veth, when it was collected. */
export function peerOf(network: Network, link: Link): Place | null {
  if (!link.peer) return null
  const netns = network.netns.get(link.peer.netns)
  const peer = netns && factsOf(netns).linkByIndex.get(link.peer.ifindex)
  return netns && peer ? { netns, link: peer } : null
}

/** The bridge, bond or VRF above a link. */
export function masterOf(netns: Netns, link: Link): Link | null {
  return link.master === undefined ? null : (factsOf(netns).linkByIndex.get(link.master) ?? null)
}

/**
 * The device below a macvlan, ipvlan or vlan link. When it is in another netns (`link-netnsid`) that is taken to be the node's
 * host netns: that is where CNI plugins move such links from.
 */
export function lowerOf(network: Network, netns: Netns, link: Link): Place | null {
  if (link.lower === undefined) return null
  if (link.linkNetnsid === undefined) {
    const lower = factsOf(netns).linkByIndex.get(link.lower)
    return lower ? { netns, link: lower } : null
  }
  const host = network.nodes.get(netns.node)?.host
  const below = host === undefined ? undefined : network.netns.get(host)
  const lower = below && factsOf(below).linkByIndex.get(link.lower)
  return below && lower ? { netns: below, link: lower } : null
}

const uppers = new WeakMap<Network, ReadonlyMap<string, readonly Place[]>>()

/** macvlan and vlan links that sit on a link, in any netns. */
export function uppersOf(network: Network, place: Place): readonly Place[] {
  let index = uppers.get(network)
  if (!index) {
    const map = new Map<string, Place[]>()
    for (const netns of network.netns.values())
      for (const link of netns.links) {
        if (link.kind !== 'macvlan' && link.kind !== 'vlan' && link.kind !== 'ipvlan') continue
        const lower = lowerOf(network, netns, link)
        if (!lower) continue
        const key = placeKey(lower)
        map.set(key, [...(map.get(key) ?? []), { netns, link }])
      }
    uppers.set(network, map)
    index = map
  }
  return index.get(placeKey(place)) ?? []
}

/** Ports of a bridge or slaves of a bond. */
export function portsOf(netns: Netns, master: Link): readonly Link[] {
  return factsOf(netns).ports.get(master.ifindex) ?? []
}
