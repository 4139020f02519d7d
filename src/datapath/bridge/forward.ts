import type { Evidence } from '../../model/evidence.ts'
import type { FdbEntry, Link } from '../../model/network.ts'
import { factsOf, has, isUp, lacksCarrier, linkView } from '../facts.ts'
import type { Flight, Frame, World } from '../flight.ts'
import { end, note, undecided } from '../flight.ts'
import { passExtraHook } from '../hook.ts'
import { portsOf } from '../link/relations.ts'
import { broadcastDomain } from '../wire/domain.ts'
import { bridgedForward, bridgedPrerouting, callsIptables } from './netfilter.ts'

/**
 * A frame comes in by a port of a bridge (`br_handle_frame`, `br_handle_frame_finish`, net/bridge/br_input.c): port state,
 * br_netfilter's prerouting, then up to the bridge device's own IP stack or out by another port.
 */
export function enterBridge(world: World, flight: Flight, bridge: Link, port: Link, frame: Frame): Flight[] {
  if (!isUp(bridge))
    return [
      end(flight, 'neighbour-unreachable', 'bridge', `bridge ${bridge.name} is down`, {
        link: bridge.name,
        cause: 'link-down',
        evidence: [bridge.evidence],
      }),
    ]
  const state = port.bridgePort?.state
  if (state !== undefined && state !== 'forwarding')
    return [
      end(flight, 'denied', 'bridge', `port ${port.name} of ${bridge.name} is ${state}, not forwarding`, {
        link: port.name,
        cause: 'bridge-port-blocked',
        evidence: [port.evidence],
      }),
    ]
  if (bridge.bridge?.vlanFiltering)
    return [
      undecided(
        flight,
        'bridge',
        `VLAN filtering on ${bridge.name} of ${flight.netns.id} is not modelled`,
        'unsupported',
        {
          link: bridge.name,
          evidence: [bridge.evidence],
        },
      ),
    ]
  const call = callsIptables(flight, bridge)
  if (call.kind === 'unknown') return [undecided(flight, 'bridge', call.what, 'not-collected')]
  const views = { in: linkView(port, flight.packet.dst.family), out: null }
  return passExtraHook(world, flight, 'prerouting', views, 'bridge').flatMap((entered) => {
    if (entered.stage.kind === 'ended') return [entered]
    if (!call.on) return switchFrame(world, entered, bridge, port, frame, false)
    return bridgedPrerouting(world, entered, bridge, port, frame).flatMap((r) =>
      r.flight.stage.kind === 'ended' ? [r.flight] : switchFrame(world, r.flight, bridge, port, r.frame, true),
    )
  })
}

function switchFrame(
  world: World,
  flight: Flight,
  bridge: Link,
  port: Link,
  frame: Frame,
  filtered: boolean,
): Flight[] {
  const ports = portsOf(flight.netns, bridge)
  const family = flight.packet.dst.family
  if (frame.dst === bridge.mac || frame.dst === port.mac)
    return passExtraHook(world, flight, 'input', { in: linkView(port, family), out: null }, 'bridge').map((up) =>
      up.stage.kind === 'ended'
        ? up
        : { ...up, stage: { kind: 'receive', link: bridge, frame, host: true, prerouted: filtered } },
    )
  if (ports.some((p) => p.mac === frame.dst))
    return [
      end(
        flight,
        'neighbour-unreachable',
        'bridge',
        `dropped: ${frame.dst} is the MAC of a port of ${bridge.name}, not of the bridge`,
        {
          link: bridge.name,
          cause: 'wrong-destination-mac',
        },
      ),
    ]
  const target = choosePort(world, flight, bridge, port, frame)
  if ('stage' in target) return [target]
  const blocked = mayNotLeave(flight, bridge, port, target.port)
  if (blocked) return [blocked]
  const switched = note(flight, 'bridge', `${bridge.name} switches ${port.name} → ${target.port.name}: ${target.why}`, {
    link: bridge.name,
    evidence: target.evidence,
  })
  const views = { in: linkView(port, family), out: linkView(target.port, family) }
  const filter = (f: Flight): Flight[] => (filtered ? bridgedForward(world, f, bridge, target.port) : [f])
  return passExtraHook(world, switched, 'forward', views, 'bridge')
    .flatMap((f) => (f.stage.kind === 'ended' ? [f] : filter(f)))
    .flatMap((f) => outOfPort(world, f, target.port, frame))
}

/** The bridge layer's postrouting, then the port. */
function outOfPort(world: World, flight: Flight, port: Link, frame: Frame): Flight[] {
  if (flight.stage.kind === 'ended') return [flight]
  const views = { in: null, out: linkView(port, flight.packet.dst.family) }
  return passExtraHook(world, flight, 'postrouting', views, 'bridge').map((f) => toPort(f, port, frame))
}

function toPort(flight: Flight, port: Link, frame: Frame): Flight {
  return flight.stage.kind === 'ended'
    ? flight
    : { ...flight, stage: { kind: 'transmit', link: port, frame, nexthop: null } }
}

interface Chosen {
  readonly port: Link
  readonly why: string
  readonly evidence: readonly Evidence[]
}

/**
 * Where the bridge sends a MAC (`br_fdb_find_rcu`, else `br_flood`). A flood goes everywhere; what matters is the port
 * behind which somebody has the MAC, as the others drop the frame.
 */
function choosePort(world: World, flight: Flight, bridge: Link, from: Link | null, frame: Frame): Chosen | Flight {
  const { netns } = flight
  const ports = portsOf(netns, bridge)
  const known = fdbPort(flight, bridge, ports, frame.dst)
  if (known) return known
  const behind = ports.filter((p) => {
    if (!isUp(p)) return false
    return broadcastDomain(world.network, { netns, link: p }).places.some((x) => x.link.mac === frame.dst)
  })
  const holders = behind.length > 1 ? behind.filter((p) => p.ifindex !== from?.ifindex) : behind
  const only = holders[0]
  if (only && holders.length === 1) {
    // With learning on, the answer to the first ARP request (a broadcast) puts the MAC into the FDB before unicast needs it.
    if (only.bridgePort && !only.bridgePort.flood && !only.bridgePort.learning)
      return end(flight, 'denied', 'bridge', `${frame.dst} is not learned and port ${only.name} does not take floods`, {
        link: only.name,
        cause: 'bridge-no-port',
        evidence: [only.evidence],
      })
    return { port: only, why: `${frame.dst} is behind it (flooded)`, evidence: [only.evidence] }
  }
  if (holders.length > 1)
    return undecided(flight, 'bridge', `${frame.dst} is behind several ports of ${bridge.name}`, 'unsupported')
  const blind = ports.flatMap((p) => (isUp(p) && p.ifindex !== from?.ifindex ? domainBlind(world, flight, p) : []))
  if (blind.length > 0)
    return undecided(flight, 'bridge', `${frame.dst} may be behind what is not visible: ${blind[0]}`, 'not-collected')
  const wire = ports.find((p) => isUp(p) && broadcastDomain(world.network, { netns, link: p }).wire)
  if (wire) return { port: wire, why: `${frame.dst} is not behind any other port (flooded)`, evidence: [wire.evidence] }
  return end(flight, 'neighbour-unreachable', 'bridge', `no port of ${bridge.name} leads to ${frame.dst}`, {
    link: bridge.name,
    cause: 'bridge-no-port',
    evidence: [bridge.evidence],
  })
}

function domainBlind(world: World, flight: Flight, port: Link): readonly string[] {
  return broadcastDomain(world.network, { netns: flight.netns, link: port }).blind
}

function fdbPort(flight: Flight, bridge: Link, ports: readonly Link[], mac: string): Chosen | null {
  if (!has(flight.netns, 'fdb')) return null
  const facts = factsOf(flight.netns)
  for (const port of ports) {
    const entries: readonly FdbEntry[] = facts.fdb.get(`${port.name} ${mac}`) ?? []
    // An entry with `self` is the device's own filter, not the bridge's table.
    const entry = entries.find((e) => e.master === bridge.name || (e.master === undefined && !e.flags.includes('self')))
    if (entry) return { port, why: `the FDB has ${mac} there`, evidence: [entry.evidence] }
  }
  return null
}

/** `should_deliver` (net/bridge/br_forward.c). */
function mayNotLeave(flight: Flight, bridge: Link, from: Link, to: Link): Flight | null {
  if (from.ifindex === to.ifindex && !to.bridgePort?.hairpin)
    return end(
      flight,
      'denied',
      'bridge',
      `${to.name} of ${bridge.name} has hairpin mode off: a frame does not go back out of the port it came in by`,
      { link: to.name, cause: 'hairpin-off', evidence: [to.evidence] },
    )
  return blockedPort(flight, bridge, to, from)
}

function blockedPort(flight: Flight, bridge: Link, to: Link, from: Link | null): Flight | null {
  const detail = { link: to.name, evidence: [to.evidence] }
  const state = to.bridgePort?.state
  if (!isUp(to) || lacksCarrier(to))
    return end(
      flight,
      'neighbour-unreachable',
      'bridge',
      `port ${to.name} of ${bridge.name} is ${isUp(to) ? 'without carrier' : 'down'}`,
      {
        ...detail,
        cause: isUp(to) ? 'no-carrier' : 'link-down',
      },
    )
  if (state !== undefined && state !== 'forwarding')
    return end(flight, 'denied', 'bridge', `port ${to.name} of ${bridge.name} is ${state}, not forwarding`, {
      ...detail,
      cause: 'bridge-port-blocked',
    })
  if (from?.bridgePort?.isolated && to.bridgePort?.isolated)
    return end(flight, 'denied', 'bridge', `ports ${from.name} and ${to.name} of ${bridge.name} are isolated`, {
      ...detail,
      cause: 'bridge-isolated',
    })
  return null
}

/** The bridge device as out link of its own IP stack (`br_dev_xmit`): no hairpin question, no br_netfilter hooks. */
export function leaveByBridge(world: World, flight: Flight, bridge: Link, frame: Frame): Flight[] {
  const target = choosePort(world, flight, bridge, null, frame)
  if ('stage' in target) return [target]
  const blocked = blockedPort(flight, bridge, target.port, null)
  if (blocked) return [blocked]
  const switched = note(flight, 'bridge', `${bridge.name} sends out of ${target.port.name}: ${target.why}`, {
    link: bridge.name,
    evidence: target.evidence,
  })
  const views = { in: null, out: linkView(target.port, flight.packet.dst.family) }
  return passExtraHook(world, switched, 'output', views, 'bridge').flatMap((f) =>
    outOfPort(world, f, target.port, frame),
  )
}
