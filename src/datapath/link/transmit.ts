import type { Ip } from '../../base/ip.ts'
import type { Link } from '../../model/network.ts'
import { leaveByBridge } from '../bridge/forward.ts'
import { ipipTransmit } from '../encap/ipip.ts'
import { vxlanTransmit } from '../encap/vxlan.ts'
import { isUp, lacksCarrier, linkView, netnsName } from '../facts.ts'
import type { Flight, Frame, World } from '../flight.ts'
import { cross, end, note, undecided } from '../flight.ts'
import { passExtraHook } from '../hook.ts'
import { narrow } from '../ip/send.ts'
import { overWire } from '../wire/deliver.ts'
import { attachmentOf } from '../wire/segment.ts'
import { lowerOf, peerOf, uppersOf } from './relations.ts'
import { trafficControl } from './traffic-control.ts'

/** `dev_queue_xmit` and the link's own transmit function: where the frame surfaces. */
export function transmit(world: World, flight: Flight, link: Link, frame: Frame, nexthop: Ip | null): Flight[] {
  if (!isUp(link))
    return [
      end(flight, 'neighbour-unreachable', 'send', `${link.name} is down`, {
        link: link.name,
        cause: 'link-down',
        evidence: [link.evidence],
      }),
    ]
  if (lacksCarrier(link) && link.kind !== 'bridge')
    return [
      end(flight, 'neighbour-unreachable', 'send', `${link.name} has no carrier`, {
        link: link.name,
        cause: 'no-carrier',
        evidence: [link.evidence],
      }),
    ]
  const views = { in: null, out: linkView(link, flight.packet.dst.family) }
  return passExtraHook(world, flight, 'egress', views, 'ip').flatMap((f) => {
    const shaped = f.stage.kind === 'ended' ? f : trafficControl(f, link, 'egress')
    return shaped.stage.kind === 'ended' ? [shaped] : hardStart(world, shaped, link, frame, nexthop)
  })
}

/** `ndo_start_xmit` of each kind of link. */
function hardStart(world: World, shaped: Flight, link: Link, frame: Frame, nexthop: Ip | null): Flight[] {
  switch (link.kind) {
    case 'loopback':
      return [{ ...shaped, stage: { kind: 'ip-input', link, prerouted: false } }]
    case 'veth':
      return throughVeth(world, shaped, link, frame)
    case 'ethernet':
    case 'bond':
      return overWire(world, shaped, link, frame)
    case 'bridge':
      return leaveByBridge(world, shaped, link, frame)
    case 'vxlan':
      return vxlanTransmit(world, shaped, link, frame)
    case 'ipip':
      return ipipTransmit(world, shaped, link, nexthop)
    case 'vlan':
    case 'macvlan':
      return downTo(world, shaped, link, frame)
    case 'dummy':
    case 'ifb':
      return [
        end(shaped, 'neighbour-unreachable', 'send', `${link.name} is a dummy link: what is sent there is discarded`, {
          link: link.name,
          cause: 'peer-missing',
          evidence: [link.evidence],
        }),
      ]
    case 'gre':
    case 'geneve':
    case 'wireguard':
    case 'ipvlan':
    case 'tun':
    case 'vrf':
    case 'sit':
    case 'other':
      return [
        undecided(
          shaped,
          'send',
          `what ${link.kernelKind ?? link.kind} link ${link.name} of ${shaped.netns.id} does with a packet is not modelled`,
          'unsupported',
          { link: link.name, evidence: [link.evidence] },
        ),
      ]
  }
}

/** `veth_xmit`: the frame surfaces at the other end (drivers/net/veth.c; `is_skb_forwardable` wants the peer up and the size within its MTU). */
function throughVeth(world: World, flight: Flight, link: Link, frame: Frame): Flight[] {
  const peer = peerOf(world.network, link)
  if (!peer) {
    if (attachmentOf(world.network, flight.netns, link) === 'wire') return overWire(world, flight, link, frame)
    return [
      undecided(
        flight,
        'send',
        `the netns behind ${link.name} of ${flight.netns.id} was not collected`,
        'not-collected',
        {
          link: link.name,
          evidence: [link.evidence],
        },
      ),
    ]
  }
  const sent = note(flight, 'send', `sent on ${link.name} to ${netnsName(peer.netns)} ${peer.link.name}`, {
    link: link.name,
  })
  const measured = narrow(sent, peer.link.mtu, `${peer.link.name} of ${peer.netns.id}`, false)
  return [cross(measured, peer.netns, { kind: 'receive', link: peer.link, frame, host: false, prerouted: false })]
}

/** VLAN and macvlan devices hand the frame to the device below, or a macvlan to its sibling (drivers/net/macvlan.c `macvlan_queue_xmit`). */
function downTo(world: World, flight: Flight, link: Link, frame: Frame): Flight[] {
  const lower = lowerOf(world.network, flight.netns, link)
  if (!lower)
    return [
      undecided(
        flight,
        'send',
        `the device below ${link.name} of ${flight.netns.id} was not collected`,
        'not-collected',
        {
          link: link.name,
          evidence: [link.evidence],
        },
      ),
    ]
  if (link.kind === 'macvlan') {
    if (link.macvlanMode === 'bridge' || link.macvlanMode === undefined) {
      const sibling = uppersOf(world.network, lower).find((u) => u.link.kind === 'macvlan' && u.link.mac === frame.dst)
      if (sibling) {
        const sent = note(
          flight,
          'send',
          `sent on ${link.name} to ${netnsName(sibling.netns)} ${sibling.link.name}, macvlan on the same ${lower.link.name}`,
          { link: link.name },
        )
        return [
          cross(sent, sibling.netns, { kind: 'receive', link: sibling.link, frame, host: false, prerouted: false }),
        ]
      }
    }
    if (frame.dst === lower.link.mac)
      return [
        end(
          flight,
          'denied',
          'send',
          `macvlan ${link.name} cannot reach ${lower.link.name} of ${netnsName(lower.netns)}, the link it sits on: frames go out to the cable and do not come back`,
          { link: link.name, cause: 'macvlan-isolation', evidence: [link.evidence] },
        ),
      ]
  }
  const sent = note(flight, 'send', `sent on ${link.name}, below it ${lower.link.name} of ${netnsName(lower.netns)}`, {
    link: link.name,
  })
  const tagged = link.kind === 'vlan' && link.vlanId !== undefined ? { ...frame, vlan: link.vlanId } : frame
  const moved = cross(sent, lower.netns, { kind: 'transmit', link: lower.link, frame: tagged, nexthop: null })
  return [narrow(moved, lower.link.mtu, `${lower.link.name} of ${lower.netns.id}`, false)]
}
