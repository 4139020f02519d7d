import type { Ip, Prefix } from '../../base/ip.ts'
import { isLinkLocal, prefixContains } from '../../base/ip.ts'
import type { Link, Netns, Network } from '../../model/network.ts'
import type { Place } from '../link/relations.ts'
import { masterOf, peerOf, portsOf, uppersOf } from '../link/relations.ts'

/**
 * Whether a link leads out of what was collected, onto a cable: a NIC, a bond, or a veth that is used as a NIC (its other end is in
 * no collected netns and it, or what is above it, has an address in a shared subnet). `behind-uncollected`: a veth whose other end
 * is a netns that was not collected, such as a pod's.
 */
export type Attachment = 'wire' | 'inside' | 'behind-uncollected'

export function attachmentOf(network: Network, netns: Netns, link: Link): Attachment {
  if (link.kind === 'bond') return 'wire'
  const master = masterOf(netns, link)
  if (link.kind === 'ethernet') return master?.kind === 'bond' ? 'inside' : 'wire'
  if (link.kind !== 'veth' || peerOf(network, link)) return 'inside'
  if (netns.kind === 'pod') return 'behind-uncollected'
  return subnetsOf(network, { netns, link }, false).length > 0 ? 'wire' : 'behind-uncollected'
}

/** Shared subnets a link lives in: its own, with `above` also those of its bridge, bond, VLAN and macvlan links. */
function subnetsOf(network: Network, place: Place, above: boolean): Prefix[] {
  const links = [place.link]
  if (above) {
    const master = masterOf(place.netns, place.link)
    if (master) links.push(master)
    for (const upper of uppersOf(network, place)) links.push(upper.link)
    if (master) for (const upper of uppersOf(network, { netns: place.netns, link: master })) links.push(upper.link)
    if (place.link.kind === 'bridge') links.push(...portsOf(place.netns, place.link))
  }
  const subnets: Prefix[] = []
  for (const l of links)
    for (const a of l.addresses) {
      const full = a.ip.family === 4 ? 32 : 128
      if (a.length < full && !isLinkLocal(a.ip)) subnets.push({ ip: a.ip, length: a.length })
    }
  return subnets
}

interface WirePlace extends Place {
  readonly subnets: readonly Prefix[]
}

const wires = new WeakMap<Network, readonly WirePlace[]>()

/** Every link of the network that is attached to a cable. */
function wirePlaces(network: Network): readonly WirePlace[] {
  let list = wires.get(network)
  if (!list) {
    const found: WirePlace[] = []
    for (const netns of network.netns.values())
      for (const link of netns.links) {
        if (attachmentOf(network, netns, link) !== 'wire') continue
        const place = { netns, link }
        found.push({ ...place, subnets: subnetsOf(network, place, true) })
      }
    list = found
    wires.set(network, list)
  }
  return list
}

const share = (x: readonly Prefix[], y: readonly Prefix[]): boolean =>
  x.some((p) => y.some((q) => prefixContains(p, q.ip) || prefixContains(q, p.ip)))

/**
 * Links on the same layer-2 segment as this one. The cable is not in the evidence: two links that share a subnet are taken to be
 * on one segment.
 */
export function neighboursOnWire(network: Network, place: Place): readonly Place[] {
  const all = wirePlaces(network)
  const self = all.find((w) => w.netns.id === place.netns.id && w.link.ifindex === place.link.ifindex)
  if (!self) return []
  return all.filter((w) => w !== self && share(self.subnets, w.subnets))
}

/** Every other link on any cable: for a MAC that is known from a neighbour table, which proves adjacency by itself. */
export function othersOnWire(network: Network, place: Place): readonly Place[] {
  return wirePlaces(network).filter((w) => !(w.netns.id === place.netns.id && w.link.ifindex === place.link.ifindex))
}

/** True when the address lies in a subnet of the segment: somebody on the cable should own it. */
export function isOnSegment(network: Network, place: Place, ip: Ip): boolean {
  return subnetsOf(network, place, true).some((p) => prefixContains(p, ip))
}

/** Every link of the network that is attached to a cable. */
export function wireLinks(network: Network): readonly Place[] {
  return wirePlaces(network)
}
