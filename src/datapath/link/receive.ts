import type { Link } from '../../model/network.ts'
import { enterBridge } from '../bridge/forward.ts'
import { isUp, lacksCarrier, linkView } from '../facts.ts'
import type { Flight, Frame, World } from '../flight.ts'
import { cross, end, note, undecided } from '../flight.ts'
import { passExtraHook } from '../hook.ts'
import { masterOf, uppersOf } from './relations.ts'
import { trafficControl } from './traffic-control.ts'

/**
 * `__netif_receive_skb_core`: tc ingress, then VLAN, bridge, bond or macvlan above the link, else its own IP stack, which
 * only takes frames addressed to it (`eth_type_trans` sets PACKET_OTHERHOST, `ip_rcv_core` drops it).
 */
export function receive(
  world: World,
  flight: Flight,
  link: Link,
  frame: Frame,
  host: boolean,
  prerouted: boolean,
): Flight[] {
  if (!isUp(link) || lacksCarrier(link))
    return [
      end(flight, 'neighbour-unreachable', 'receive', `${link.name} is ${isUp(link) ? 'without carrier' : 'down'}`, {
        link: link.name,
        cause: isUp(link) ? 'no-carrier' : 'link-down',
        evidence: [link.evidence],
      }),
    ]
  const arrived = host ? flight : note(flight, 'receive', `arrives on ${link.name}`, { link: link.name })
  const shaped = trafficControl(arrived, link, 'ingress')
  if (shaped.stage.kind === 'ended') return [shaped]
  const views = { in: linkView(link, shaped.packet.dst.family), out: null }
  return passExtraHook(world, shaped, 'ingress', views, 'ip').flatMap((f) =>
    f.stage.kind === 'ended' ? [f] : handOver(world, f, link, frame, host, prerouted),
  )
}

/** The rx handler of the link, or its own IP stack. */
function handOver(
  world: World,
  checked: Flight,
  link: Link,
  frame: Frame,
  host: boolean,
  prerouted: boolean,
): Flight[] {
  const { netns } = checked
  const master = masterOf(netns, link)
  if (frame.vlan !== undefined) return [untag(world, checked, link, frame)]
  if (master?.kind === 'bridge') return enterBridge(world, checked, master, link, frame)
  if (master?.kind === 'bond') return [{ ...checked, stage: { kind: 'receive', link: master, frame, host, prerouted } }]
  if (master?.kind === 'vrf')
    return [undecided(checked, 'receive', `VRF ${master.name} of ${netns.id} is not modelled`, 'unsupported')]
  if (!host && frame.dst !== '' && frame.dst !== link.mac) {
    const child = uppersOf(world.network, { netns, link }).find(
      (u) => u.link.kind === 'macvlan' && u.link.mac === frame.dst,
    )
    if (child) {
      const passed = note(checked, 'receive', `${frame.dst} is macvlan ${child.link.name}`, { link: link.name })
      return [cross(passed, child.netns, { kind: 'receive', link: child.link, frame, host: false, prerouted: false })]
    }
    return [
      end(
        checked,
        'neighbour-unreachable',
        'receive',
        `dropped: the frame is for ${frame.dst}, ${link.name} has ${link.mac}`,
        {
          link: link.name,
          cause: 'wrong-destination-mac',
          evidence: [link.evidence],
        },
      ),
    ]
  }
  return [{ ...checked, stage: { kind: 'ip-input', link, prerouted } }]
}

function untag(world: World, flight: Flight, link: Link, frame: Frame): Flight {
  const vlan = uppersOf(world.network, { netns: flight.netns, link }).find(
    (u) => u.link.kind === 'vlan' && u.link.vlanId === frame.vlan,
  )
  if (!vlan)
    return end(flight, 'neighbour-unreachable', 'receive', `dropped: no VLAN ${frame.vlan} on ${link.name}`, {
      link: link.name,
      cause: 'link-missing',
      evidence: [link.evidence],
    })
  const untagged = { src: frame.src, dst: frame.dst }
  return cross(flight, vlan.netns, { kind: 'receive', link: vlan.link, frame: untagged, host: false, prerouted: false })
}
