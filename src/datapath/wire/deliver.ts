import { formatIp } from '../../base/ip.ts'
import type { Link } from '../../model/network.ts'
import { netnsName } from '../facts.ts'
import type { Flight, Frame, World } from '../flight.ts'
import { cross, end, innermost, note, undecided } from '../flight.ts'
import { narrow } from '../ip/send.ts'
import type { Place } from '../link/relations.ts'
import { masterOf, uppersOf } from '../link/relations.ts'
import { arrivals } from './domain.ts'
import { neighboursOnWire, othersOnWire } from './segment.ts'

/** True when a frame for this MAC is meant for the link or for something above or behind it. */
function takes(world: World, place: Place, mac: string): boolean {
  const { netns, link } = place
  if (link.mac === mac || masterOf(netns, link)?.mac === mac) return true
  if (uppersOf(world.network, place).some((u) => u.link.mac === mac)) return true
  return arrivals(world.network, place).places.some((p) => p.link.mac === mac)
}

/** A frame on the cable: it surfaces at the collected link that has its MAC, or leaves what was collected. */
export function overWire(world: World, flight: Flight, link: Link, frame: Frame): Flight[] {
  const here: Place = { netns: flight.netns, link }
  const isolated = uppersOf(world.network, here).find((u) => u.link.kind === 'macvlan' && u.link.mac === frame.dst)
  if (isolated)
    return [
      end(
        flight,
        'denied',
        'send',
        `${link.name} cannot reach macvlan ${isolated.link.name} of ${netnsName(isolated.netns)} that sits on it: frames go out to the cable and do not come back`,
        { link: link.name, cause: 'macvlan-isolation', evidence: [isolated.link.evidence] },
      ),
    ]
  const near = neighboursOnWire(world.network, here).filter((p) => takes(world, p, frame.dst))
  const holders = near.length > 0 ? near : othersOnWire(world.network, here).filter((p) => takes(world, p, frame.dst))
  if (holders.length > 1) {
    const who = holders.map((p) => `${netnsName(p.netns)} ${p.link.name}`).join(' and ')
    return [
      undecided(flight, 'wire', `several machines have MAC ${frame.dst}: ${who}`, 'unsupported', {
        link: link.name,
        evidence: holders.map((p) => p.link.evidence),
      }),
    ]
  }
  const to = holders[0]
  if (!to) return [intoTheUnknown(flight, link, frame)]
  const sent = note(flight, 'wire', `crosses the wire from ${link.name} to ${netnsName(to.netns)} ${to.link.name}`, {
    link: link.name,
  })
  const measured = narrow(sent, to.link.mtu, `${to.link.name} of ${to.netns.id}`, false)
  return [cross(measured, to.netns, { kind: 'receive', link: to.link, frame, host: false, prerouted: false })]
}

/** Nobody who was collected has the MAC. It is wrong when the one who has the address has another; otherwise it leaves our sight. */
function intoTheUnknown(flight: Flight, link: Link, frame: Frame): Flight {
  const last = flight.trail?.step
  if (last?.kind === 'neighbour' && last.cause === 'neighbour-wrong-mac')
    return end(
      flight,
      'neighbour-unreachable',
      'wire',
      `no machine that was collected has MAC ${frame.dst}: the frame is lost`,
      {
        link: link.name,
        cause: 'neighbour-wrong-mac',
        evidence: last.evidence,
      },
    )
  return end(
    flight,
    'exits-network',
    'wire',
    `leaves by ${link.name} towards ${formatIp(innermost(flight).dst)}, to a machine that was not collected (${frame.dst})`,
    { link: link.name, evidence: last?.kind === 'neighbour' ? last.evidence : [] },
  )
}
