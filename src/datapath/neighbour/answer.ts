import type { Ip } from '../../base/ip.ts'
import { ipEquals, prefixContains } from '../../base/ip.ts'
import type { Link, Netns } from '../../model/network.ts'
import { conf, confMax, has, sysctlNumber } from '../facts.ts'
import type { Place } from '../link/relations.ts'
import { lookupRoute } from '../routing/lookup.ts'
import { validateSource } from '../routing/rpfilter.ts'

/** Whether a netns that hears a request for an address answers with this link's MAC. */
export type Reply =
  | { readonly kind: 'owner' | 'proxy' }
  | { readonly kind: 'silent'; readonly why: 'not-mine' | 'proxy-off' | 'arp-ignore' | 'source-refused' | 'dad-failed' }
  | { readonly kind: 'unknown'; readonly what: string }

const SILENT = (why: (Reply & { kind: 'silent' })['why']): Reply => ({ kind: 'silent', why })

export function repliesTo(place: Place, target: Ip, asker: Ip | null): Reply {
  const reply = target.family === 4 ? arpReply(place, target, asker) : neighbourAdvert(place, target)
  // Without all of its addresses a machine that seems not to have this one may have it.
  if (reply.kind === 'silent' && !has(place.netns, 'links'))
    return { kind: 'unknown', what: `addresses of ${place.netns.id}` }
  return reply
}

/**
 * `arp_process` (net/ipv4/arp.c, Linux 6.18): answered when routing says the target is local, whichever link has it
 * (arp_ignore restricts that); else by proxy when the link forwards, has proxy_arp (or a proxy neighbour entry), and the
 * route to the target leaves by another link. The sender must pass source validation either way.
 */
function arpReply(place: Place, target: Ip, asker: Ip | null): Reply {
  const { netns, link } = place
  if (link.flags.has('NOARP')) return SILENT('not-mine')
  const answer = lookupRoute(netns, {
    dst: target,
    src: asker,
    iif: link.name,
    oif: null,
    mark: 0,
    dscp: 0,
    protocol: 0,
    sport: 0,
    dport: 0,
    uid: 0,
  })
  if (answer.kind === 'unknown') return { kind: 'unknown', what: answer.what }
  if (answer.kind !== 'paths') return SILENT('not-mine')
  const out = answer.paths[0]?.link
  if (answer.route.type === 'local') {
    if (ignores(netns, link, target, asker)) return SILENT('arp-ignore')
    if (filters(netns, link, asker)) return SILENT('arp-ignore')
    return sourceRefused(place, target, asker, null) ?? { kind: 'owner' }
  }
  if (answer.route.type !== 'unicast' || !out) return SILENT('not-mine')
  const forwarding = conf(netns, 4, link.name, 'forwarding') ?? sysctlNumber(netns, 'net.ipv4.ip_forward')
  const proxyArp = confMax(netns, 4, link.name, 'proxy_arp')
  const entry = netns.neighbours.some(
    (n) => n.proxy && ipEquals(n.ip, target) && (n.link === link.name || n.link === ''),
  )
  if (out.ifindex === link.ifindex) return SILENT('not-mine')
  if (!has(netns, 'sysctls') && (forwarding === null || proxyArp === null))
    return { kind: 'unknown', what: `sysctls of ${netns.id} (proxy_arp)` }
  if ((forwarding ?? 0) === 0) return SILENT('proxy-off')
  if ((proxyArp ?? 0) === 0 && !entry) return SILENT('proxy-off')
  return sourceRefused(place, target, asker, out.name) ?? { kind: 'proxy' }
}

/** A request whose sender fails source validation is not answered: `ip_route_input_noref` fails. */
function sourceRefused(place: Place, target: Ip, asker: Ip | null, oif: string | null): Reply | null {
  if (asker === null) return null
  const packet = {
    src: asker,
    dst: target,
    protocol: 0,
    sport: 0,
    dport: 0,
    tcpFlags: 0,
    ttl: 64,
    dscp: 0,
    length: 28,
    dontFragment: false,
    mark: 0,
  }
  const check = validateSource(place.netns, packet, place.link, oif)
  return check.kind === 'drop' ? SILENT('source-refused') : null
}

/** `arp_ignore`: 1 only addresses of this link, 2 also the sender in its subnet, 3 not host scope, 8 none. */
function ignores(netns: Netns, link: Link, target: Ip, asker: Ip | null): boolean {
  const mode = confMax(netns, 4, link.name, 'arp_ignore') ?? 0
  const own = link.addresses.find((a) => ipEquals(a.ip, target))
  switch (mode) {
    case 1:
      return !own
    case 2:
      return !own || !(asker && prefixContains({ ip: own.ip, length: own.length }, asker))
    case 3:
      return netns.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, target) && a.scope === 'host'))
    case 8:
      return true
    default:
      return false
  }
}

/** `arp_filter`: silent when the route back to the sender leaves by another link. */
function filters(netns: Netns, link: Link, asker: Ip | null): boolean {
  if ((confMax(netns, 4, link.name, 'arp_filter') ?? 0) === 0 || !asker) return false
  const back = lookupRoute(netns, {
    dst: asker,
    src: null,
    iif: 'lo',
    oif: null,
    mark: 0,
    dscp: 0,
    protocol: 0,
    sport: 0,
    dport: 0,
    uid: 0,
  })
  return back.kind === 'paths' && back.paths[0]?.link.ifindex !== link.ifindex
}

/**
 * `ndisc_recv_ns` (net/ipv6/ndisc.c): the address must be on this very link and past duplicate address detection; else a
 * proxy entry answers when forwarding and proxy_ndp are on.
 */
function neighbourAdvert(place: Place, target: Ip): Reply {
  const { netns, link } = place
  if (conf(netns, 6, link.name, 'disable_ipv6') === 1) return SILENT('not-mine')
  const own = link.addresses.find((a) => ipEquals(a.ip, target))
  if (own)
    return own.flags.includes('dadfailed') || own.flags.includes('tentative') ? SILENT('dad-failed') : { kind: 'owner' }
  const entry = netns.neighbours.some((n) => n.proxy && ipEquals(n.ip, target) && n.link === link.name)
  if (!entry) return SILENT('not-mine')
  const on = (confMax(netns, 6, link.name, 'proxy_ndp') ?? 0) > 0 && (conf(netns, 6, link.name, 'forwarding') ?? 0) > 0
  return on ? { kind: 'proxy' } : SILENT('proxy-off')
}
