import type { Ip } from '../../base/ip.ts'
import { formatIp, isLoopback, isMulticast, isUnspecified } from '../../base/ip.ts'
import type { Link } from '../../model/network.ts'
import { conf, confKey, confMax, has, linkView, sysctlEvidence } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { end, undecided } from '../flight.ts'
import { passHook } from '../hook.ts'
import type { RouteAnswer } from '../routing/lookup.ts'
import { lookupRoute } from '../routing/lookup.ts'
import { validateSource } from '../routing/rpfilter.ts'
import { endUnrouted } from './refused.ts'

/** `ip_rcv` and `ipv6_rcv`: the checks before prerouting, then the hook. */
export function ipInput(world: World, flight: Flight, link: Link, prerouted: boolean): Flight[] {
  const { packet, netns } = flight
  if (packet.dst.family === 6) {
    if (conf(netns, 6, link.name, 'disable_ipv6') === 1)
      return [
        end(flight, 'denied', 'receive', `IPv6 is disabled on ${link.name}`, {
          link: link.name,
          cause: 'ipv6-disabled',
          evidence: sysctlEvidence(netns, confKey(6, link.name, 'disable_ipv6')),
        }),
      ]
    if (link.kind !== 'loopback' && (isLoopback(packet.src) || isLoopback(packet.dst)))
      return [
        end(flight, 'denied', 'receive', 'dropped: a loopback address came in from outside', {
          link: link.name,
          cause: isLoopback(packet.src) ? 'martian-source' : 'martian-destination',
        }),
      ]
    if (isMulticast(packet.src))
      return [
        end(flight, 'denied', 'receive', 'dropped: multicast source', { link: link.name, cause: 'martian-source' }),
      ]
  }
  if (prerouted) return [{ ...flight, stage: { kind: 'ip-route', link } }]
  const links = { in: linkView(link, packet.dst.family), out: null }
  return passHook(world, flight, 'prerouting', links).map((after) =>
    after.stage.kind === 'ended' ? after : { ...after, stage: { kind: 'ip-route', link } },
  )
}

/** The routing question of a packet that came in by `link`. */
export function inputQuery(flight: Flight, link: Link) {
  const { packet } = flight
  return {
    dst: packet.dst,
    src: packet.src,
    iif: link.name,
    oif: null,
    mark: packet.mark,
    dscp: packet.dscp,
    protocol: packet.protocol,
    sport: packet.sport,
    dport: packet.dport,
    uid: 0,
  }
}

/** `IN_DEV_FORWARD` for IPv4, `devconf_all->forwarding` (or the link's force_forwarding) for IPv6; null when not known. */
export function forwards(flight: Flight, link: Link): boolean | null {
  const { netns } = flight
  if (flight.packet.dst.family === 4) {
    const own = conf(netns, 4, link.name, 'forwarding') ?? conf(netns, 4, 'all', 'forwarding')
    if (own !== null) return own > 0
    const all = netns.sysctls.get('net.ipv4.ip_forward')
    return all ? all.value.trim() !== '0' : null
  }
  const all = conf(netns, 6, 'all', 'forwarding')
  if (all === null) return null
  return all > 0 || (netns.sysctls.get(confKey(6, link.name, 'force_forwarding'))?.value.trim() ?? '0') !== '0'
}

function martianAddress(flight: Flight, link: Link): Flight | null {
  const { packet, netns } = flight
  const drop = (cause: 'martian-source' | 'martian-destination', what: string, ip: Ip): Flight =>
    end(flight, 'denied', 'route', `dropped as martian: ${what} ${formatIp(ip)} on ${link.name}`, {
      link: link.name,
      cause,
    })
  if (packet.src.family === 6) return null
  if (isMulticast(packet.src) || packet.src.d === 0xffffffff) return drop('martian-source', 'source', packet.src)
  if (packet.src.d >>> 24 === 0) return drop('martian-source', 'source', packet.src)
  if (packet.dst.d >>> 24 === 0) return drop('martian-destination', 'destination', packet.dst)
  const localnet = (confMax(netns, 4, link.name, 'route_localnet') ?? 0) > 0
  if (!localnet && isLoopback(packet.dst)) return drop('martian-destination', 'destination', packet.dst)
  if (!localnet && isLoopback(packet.src)) return drop('martian-source', 'source', packet.src)
  return null
}

/** `ip_route_input_slow` and `ip6_route_input`: for us, to be forwarded, or neither. */
export function ipRoute(flight: Flight, link: Link): Flight[] {
  const { netns, packet } = flight
  // A packet that was sent through lo keeps the route it left with (skb_valid_dst).
  if (link.kind === 'loopback') return [{ ...flight, stage: { kind: 'deliver', link } }]
  const martian = martianAddress(flight, link)
  if (martian) return [martian]
  const answer: RouteAnswer = lookupRoute(netns, inputQuery(flight, link))
  if (answer.kind === 'unknown') return [endUnrouted(flight, answer)]
  const forwarding = forwards(flight, link)
  if (answer.kind !== 'paths') {
    if (forwarding === false) return [notForwarded(flight, link)]
    return [endUnrouted(flight, answer)]
  }
  const type = answer.route.type
  if (type === 'local' || (type === 'anycast' && packet.dst.family === 6)) {
    const refused = checkSource(flight, link, null)
    return [refused ?? { ...flight, stage: { kind: 'deliver', link } }]
  }
  if (type !== 'unicast')
    return [undecided(flight, 'route', `packets to a ${type} address are not followed`, 'unsupported')]
  if (forwarding === null && !has(netns, 'sysctls'))
    return [undecided(flight, 'route', `sysctls of ${netns.id} (forwarding)`, 'not-collected')]
  if (forwarding === null)
    return [undecided(flight, 'route', `whether ${link.name} of ${netns.id} forwards`, 'not-collected')]
  if (!forwarding) return [notForwarded(flight, link)]
  return answer.paths.map((path) => {
    const share = { ...flight, probability: flight.probability * path.probability }
    const refused = checkSource(share, link, path.link)
    return refused ?? { ...share, stage: { kind: 'forward', link, path } }
  })
}

function checkSource(flight: Flight, link: Link, out: Link | null): Flight | null {
  const { netns, packet } = flight
  if (packet.src.family === 6) {
    if (out && isUnspecified(packet.src))
      return end(flight, 'denied', 'route', 'not forwarded: unspecified source', { cause: 'martian-source' })
    return null
  }
  const check = validateSource(netns, packet, link, out?.name ?? null)
  if (check.kind === 'pass') return null
  if (check.kind === 'unknown') return undecided(flight, 'route', check.what, 'not-collected')
  return end(flight, 'denied', 'route', check.text, { link: link.name, cause: check.cause, evidence: check.evidence })
}

/** Ends a flight that is not for this netns where forwarding is off. */
export function notForwarded(flight: Flight, link: Link): Flight {
  const { netns, packet } = flight
  const family = packet.dst.family
  const key = family === 4 ? confKey(4, link.name, 'forwarding') : confKey(6, 'all', 'forwarding')
  const global = family === 4 ? 'net.ipv4.ip_forward' : key
  const off = netns.sysctls.get(global)?.value.trim() === '0' ? global : key
  return end(flight, 'denied', 'route', `${formatIp(packet.dst)} is not for us and forwarding is off (${off} = 0)`, {
    link: link.name,
    cause: 'forwarding-off',
    evidence: [...new Set([...sysctlEvidence(netns, key), ...sysctlEvidence(netns, global)])],
  })
}
