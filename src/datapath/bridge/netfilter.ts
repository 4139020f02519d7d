import { ipEquals } from '../../base/ip.ts'
import type { Link } from '../../model/network.ts'
import { has, linkView, sysctlNumber } from '../facts.ts'
import type { Flight, Frame, World } from '../flight.ts'
import { end, learn, note, undecided } from '../flight.ts'
import { confirmConnection, passHook } from '../hook.ts'
import { forwards, inputQuery, notForwarded } from '../ip/input.ts'
import { endUnrouted } from '../ip/refused.ts'
import { resolveNeighbour } from '../neighbour/resolve.ts'
import { lookupRoute } from '../routing/lookup.ts'
import { validateSource } from '../routing/rpfilter.ts'

export type Calls =
  | { readonly kind: 'known'; readonly on: boolean }
  | { readonly kind: 'unknown'; readonly what: string }

/**
 * Whether bridged IP packets pass the IP hooks: br_netfilter is loaded (the sysctl exists) and it is on for this netns or this
 * bridge (`br_nf_pre_routing`, net/bridge/br_netfilter_hooks.c).
 */
export function callsIptables(flight: Flight, bridge: Link): Calls {
  const { netns } = flight
  const six = flight.packet.dst.family === 6
  const key = `net.bridge.bridge-nf-call-ip${six ? '6' : ''}tables`
  const value = sysctlNumber(netns, key)
  const own = six ? bridge.bridge?.nfCallIp6tables : bridge.bridge?.nfCallIptables
  if (value === null && !has(netns, 'sysctls')) return { kind: 'unknown', what: `sysctls of ${netns.id} (${key})` }
  return { kind: 'known', on: value !== null && (value !== 0 || own === true) }
}

/**
 * `br_nf_pre_routing` and `br_nf_pre_routing_finish`: the IP prerouting hook with the bridge as in link and the port as
 * physical one. When it changed the destination, routing decides: a new destination on the same bridge keeps the packet bridged,
 * readdressed to that neighbour; any other sends it up to the bridge's own IP stack.
 */
export function bridgedPrerouting(
  world: World,
  flight: Flight,
  bridge: Link,
  port: Link,
  frame: Frame,
): { flight: Flight; frame: Frame }[] {
  const family = flight.packet.dst.family
  const entering: Flight = { ...flight, physIn: linkView(port, family) }
  return passHook(world, entering, 'prerouting', { in: linkView(bridge, family), out: null }).map((after) => {
    if (after.stage.kind === 'ended' || ipEquals(after.packet.dst, flight.packet.dst)) return { flight: after, frame }
    return readdress(world, after, bridge, frame)
  })
}

function readdress(world: World, flight: Flight, bridge: Link, frame: Frame): { flight: Flight; frame: Frame } {
  const { netns, packet } = flight
  const up = { flight, frame: { ...frame, dst: bridge.mac } }
  const fail = (failed: Flight) => ({ flight: failed, frame })
  const answer = lookupRoute(netns, inputQuery(flight, bridge))
  if (answer.kind === 'unknown') return fail(endUnrouted(flight, answer))
  // One path: a bridged packet to a multipath destination follows the first; ECMP over a bridge is not modelled further.
  const path = answer.kind === 'paths' ? answer.paths[0] : undefined
  if (answer.kind === 'paths' && answer.paths.length > 1)
    return fail(undecided(flight, 'bridge', 'multipath route for a translated bridged packet', 'unsupported'))
  if (answer.kind !== 'paths' || !path) return fail(answer.kind === 'paths' ? flight : endUnrouted(flight, answer))
  const local = answer.route.type === 'local'
  if (packet.dst.family === 4) {
    const check = validateSource(netns, packet, bridge, local ? null : path.link.name)
    if (check.kind === 'unknown') return fail(undecided(flight, 'bridge', check.what, 'not-collected'))
    if (check.kind === 'drop')
      return fail(
        end(flight, 'denied', 'bridge', check.text, {
          link: bridge.name,
          cause: check.cause,
          evidence: check.evidence,
        }),
      )
  }
  if (local || path.link.ifindex !== bridge.ifindex) return up
  // Linux 6.18 drops it without forwarding, although the destination is on the bridge (seen on the kernel; the comment in
  // br_nf_pre_routing_finish promises otherwise).
  const forwarding = forwards(flight, bridge)
  if (forwarding === null)
    return fail(undecided(flight, 'bridge', `sysctls of ${netns.id} (forwarding)`, 'not-collected'))
  if (!forwarding) return fail(notForwarded(flight, bridge))
  return toNeighbour(world, flight, bridge, frame, path.gateway ?? packet.dst)
}

/** `br_nf_pre_routing_finish_bridge`: the frame gets the MAC of its new destination. */
function toNeighbour(
  world: World,
  flight: Flight,
  bridge: Link,
  frame: Frame,
  nexthop: Flight['packet']['dst'],
): { flight: Flight; frame: Frame } {
  const resolved = resolveNeighbour(world, flight, bridge, nexthop)
  const detail = { link: bridge.name, evidence: resolved.evidence }
  switch (resolved.kind) {
    case 'mac':
      return {
        flight: note(learn(flight, resolved.taught), 'neighbour', `stays on ${bridge.name}: ${resolved.text}`, {
          ...detail,
          ...(resolved.cause ? { cause: resolved.cause } : {}),
        }),
        frame: { ...frame, dst: resolved.mac },
      }
    case 'fail':
      return {
        flight: end(flight, 'neighbour-unreachable', 'neighbour', resolved.text, { ...detail, cause: resolved.cause }),
        frame,
      }
    case 'outside':
      return { flight: end(flight, 'exits-network', 'neighbour', resolved.text, detail), frame }
    case 'unknown':
      return { flight: undecided(flight, 'neighbour', resolved.text, resolved.cause, detail), frame }
    case 'none-needed':
      return { flight, frame }
  }
}

/** `br_nf_forward_ip` and `br_nf_post_routing`: the forward and postrouting hooks with the bridge on both sides. */
export function bridgedForward(world: World, flight: Flight, bridge: Link, port: Link): Flight[] {
  const family = flight.packet.dst.family
  const view = linkView(bridge, family)
  const physOut = linkView(port, family)
  return passHook(world, flight, 'forward', { in: view, out: view, physOut }).flatMap((after) =>
    after.stage.kind === 'ended'
      ? [after]
      : passHook(world, after, 'postrouting', { in: null, out: view, physOut }).map((out) =>
          out.stage.kind === 'ended' ? out : confirmConnection(out),
        ),
  )
}
