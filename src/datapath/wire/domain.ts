import type { Network } from '../../model/network.ts'
import { has, isUp, lacksCarrier, linksWithAddress } from '../facts.ts'
import type { Place } from '../link/relations.ts'
import { lowerOf, masterOf, peerOf, placeKey, portsOf, uppersOf } from '../link/relations.ts'
import { attachmentOf, neighboursOnWire } from './segment.ts'

/** Who hears a broadcast: the links (with an IP stack above) it arrives at, and whether it also leaves what was collected. */
export interface Domain {
  readonly places: readonly Place[]
  /** It also reaches a cable, where machines may be that were not collected. */
  readonly wire: boolean
  /** It also reaches something that was not collected or is not understood. */
  readonly blind: readonly string[]
}

interface Walk {
  readonly network: Network
  readonly seen: Set<string>
  readonly places: Place[]
  readonly blind: string[]
  wire: boolean
}

const domains = new WeakMap<Network, Map<string, Domain>>()

/** The broadcast domain as a frame sent on this link would see it: ARP requests and floods travel it. */
export function broadcastDomain(network: Network, from: Place): Domain {
  return cached(network, `tx ${placeKey(from)}`, (walk) => transmit(walk, from, null))
}

/** Where a frame to all arrives once it has come in at this link. */
export function arrivals(network: Network, at: Place): Domain {
  return cached(network, `rx ${placeKey(at)}`, (walk) => receive(walk, at, null))
}

function cached(network: Network, key: string, run: (walk: Walk) => void): Domain {
  const own = domains.get(network) ?? new Map<string, Domain>()
  domains.set(network, own)
  let domain = own.get(key)
  if (!domain) {
    const walk: Walk = { network, seen: new Set(), places: [], blind: [], wire: false }
    run(walk)
    domain = { places: walk.places, wire: walk.wire, blind: walk.blind }
    own.set(key, domain)
  }
  return domain
}

const once = (walk: Walk, kind: string, place: Place, vlan: number | null): boolean => {
  const key = `${kind} ${placeKey(place)} ${vlan ?? ''}`
  if (walk.seen.has(key)) return false
  walk.seen.add(key)
  return true
}

function transmit(walk: Walk, from: Place, vlan: number | null): void {
  const { network } = walk
  const { netns, link } = from
  if (!once(walk, 'tx', from, vlan) || !isUp(link) || lacksCarrier(link)) return
  switch (link.kind) {
    case 'loopback':
    case 'dummy':
    case 'ifb':
      return
    case 'bridge':
      for (const port of portsOf(netns, link)) if (mayForward(port)) transmit(walk, { netns, link: port }, vlan)
      return
    case 'vxlan':
      floodVxlan(walk, from)
      return
    case 'vlan': {
      const lower = lowerOf(network, netns, link)
      if (lower) transmit(walk, lower, link.vlanId ?? null)
      return
    }
    case 'macvlan': {
      const lower = lowerOf(network, netns, link)
      if (!lower) {
        walk.blind.push(`the device below ${link.name} of ${netns.id}`)
        return
      }
      if (link.macvlanMode === undefined || link.macvlanMode === 'bridge')
        for (const sibling of uppersOf(network, lower))
          if (sibling.link.kind === 'macvlan' && sibling.link !== link) receive(walk, sibling, vlan)
      transmit(walk, lower, vlan)
      return
    }
    case 'veth':
    case 'ethernet':
    case 'bond': {
      const peer = peerOf(network, link)
      if (peer) {
        receive(walk, peer, vlan)
        return
      }
      if (attachmentOf(network, netns, link) === 'wire') {
        walk.wire = true
        for (const other of neighboursOnWire(network, from)) receive(walk, other, vlan)
        return
      }
      walk.blind.push(`the netns behind ${link.name} of ${netns.id}`)
      return
    }
    default:
      walk.blind.push(`${link.kernelKind ?? link.kind} link ${link.name} of ${netns.id}`)
  }
}

/** `flood off` keeps back unknown unicast only: broadcasts have a switch of their own (bcast_flood), taken to be on. */
function mayForward(port: Place['link']): boolean {
  return !port.bridgePort || port.bridgePort.state === 'forwarding'
}

function receive(walk: Walk, at: Place, vlan: number | null): void {
  const { netns, link } = at
  if (!once(walk, 'rx', at, vlan) || !isUp(link)) return
  const master = masterOf(netns, link)
  if (master?.kind === 'bridge') {
    if (link.bridgePort && link.bridgePort.state !== 'forwarding') return
    if (!isUp(master)) return
    arrive(walk, { netns, link: master }, vlan)
    for (const port of portsOf(netns, master)) {
      if (port.ifindex === link.ifindex && !link.bridgePort?.hairpin) continue
      if (link.bridgePort?.isolated && port.bridgePort?.isolated) continue
      if (mayForward(port)) transmit(walk, { netns, link: port }, vlan)
    }
    return
  }
  arrive(walk, master?.kind === 'bond' ? { netns, link: master } : at, vlan)
}

function arrive(walk: Walk, at: Place, vlan: number | null): void {
  for (const upper of uppersOf(walk.network, at)) {
    if (upper.link.kind === 'macvlan') receive(walk, upper, vlan)
    else if (upper.link.kind === 'vlan' && vlan !== null && upper.link.vlanId === vlan) receive(walk, upper, null)
  }
  if (vlan === null && once(walk, 'in', at, null)) walk.places.push(at)
}

/** Default entries (all-zero MAC) and the device's own remote: where VXLAN sends what it has no entry for. */
function floodVxlan(walk: Walk, from: Place): void {
  const { netns, link } = from
  if (!link.vxlan || link.vxlan.external || !has(netns, 'fdb')) {
    walk.blind.push(`tunnel ${link.name} of ${netns.id}`)
    return
  }
  const remotes = netns.fdb.flatMap((e) =>
    e.link === link.name && e.mac === '00:00:00:00:00:00' && e.dst ? [e.dst] : [],
  )
  if (link.vxlan.remote) remotes.push(link.vxlan.remote)
  for (const remote of remotes) {
    let known = false
    for (const other of walk.network.netns.values()) {
      if (other.id === netns.id || linksWithAddress(other, remote).length === 0) continue
      known = true
      for (const l of other.links)
        if (l.vxlan && l.vxlan.vni === link.vxlan.vni && l.vxlan.port === link.vxlan.port)
          receive(walk, { netns: other, link: l }, null)
    }
    if (!known) walk.blind.push(`the remote end of tunnel ${link.name} of ${netns.id}`)
  }
}
