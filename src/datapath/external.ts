import { formatIp, ipEquals } from '../base/ip.ts'
import { hasPorts } from '../base/protocol.ts'
import type { Flight, World } from './flight.ts'
import { end, note, undecided } from './flight.ts'
import type { Place } from './link/relations.ts'
import { masterOf } from './link/relations.ts'
import { repliesTo } from './neighbour/answer.ts'
import { isOnSegment, wireLinks } from './wire/segment.ts'

/**
 * Where a packet from outside comes in: the links on the cable whose netns answers for its destination, when the destination
 * lies in a subnet of that cable. How routers outside would send it elsewhere is not in the evidence.
 */
export function outsideStart(world: World, flight: Flight): Flight[] {
  const { dst, src } = flight.packet
  const takers: Place[] = []
  for (const place of wireLinks(world.network)) {
    const master = masterOf(place.netns, place.link)
    const upper = master ? { netns: place.netns, link: master } : place
    if (!isOnSegment(world.network, place, dst)) continue
    if (repliesTo(upper, dst, null).kind === 'owner') takers.push(place)
  }
  const owners = takers.filter((p) => {
    const master = masterOf(p.netns, p.link)
    return [p.link, master].some((l) => l?.addresses.some((a) => a.ip.d === dst.d && a.ip.family === dst.family))
  })
  const chosen = owners.length > 0 ? owners : takers
  const to = chosen[0]
  if (!to || chosen.length > 1)
    return [
      undecided(
        flight,
        'wire',
        to
          ? `several machines answer for ${formatIp(dst)}: which one a packet from ${formatIp(src)} reaches is not known`
          : `which machine a packet from ${formatIp(src)} to ${formatIp(dst)} reaches is decided outside`,
        'unsupported',
      ),
    ]
  const inside: Flight = { ...flight, netns: to.netns }
  const noted = note(inside, 'wire', `comes from ${formatIp(src)} outside to ${to.link.name}`, { link: to.link.name })
  const master = masterOf(to.netns, to.link)
  const mac = master && master.kind !== 'vrf' ? master.mac : to.link.mac
  return [
    {
      ...noted,
      stage: { kind: 'receive', link: to.link, frame: { src: '', dst: mac }, host: false, prerouted: false },
    },
  ]
}

/**
 * An answer to somebody outside is taken to arrive when it leaves the network towards him with the addresses he expects; what
 * happens after is not in the evidence.
 */
export function leftToAsker(world: World, flight: Flight): Flight {
  const { purpose } = world
  if (purpose.kind === 'request' || purpose.asker !== null) return flight
  if (flight.stage.kind !== 'ended' || flight.stage.disposition !== 'exits-network') return flight
  const { packet } = flight
  const { expected } = purpose
  const ports = !hasPorts(packet.protocol) || (packet.sport === expected.sport && packet.dport === expected.dport)
  if (ports && ipEquals(packet.src, expected.src) && ipEquals(packet.dst, expected.dst))
    return end(flight, 'delivered', 'deliver', `the answer leaves towards ${formatIp(expected.dst)}`)
  return end(
    flight,
    'denied',
    'deliver',
    `the answer leaves from ${formatIp(packet.src)}, not from ${formatIp(expected.src)} as asked: it was not translated back`,
    { cause: 'not-translated-back' },
  )
}
