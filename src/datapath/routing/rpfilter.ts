import type { Ip } from '../../base/ip.ts'
import { formatIp } from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Link, Netns } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import type { DropCause } from '../../model/trace.ts'
import { confKey, confMax, has, linksWithAddress, sysctlEvidence } from '../facts.ts'
import { lookupRoute, routeEvidence, routeText } from './lookup.ts'
import { hasBornRules } from './rules.ts'
import { candidates, fibOf, LOCAL } from './table.ts'

export type SourceCheck =
  | { readonly kind: 'pass' }
  | { readonly kind: 'drop'; readonly cause: DropCause; readonly text: string; readonly evidence: readonly Evidence[] }
  | { readonly kind: 'unknown'; readonly what: string }

const PASS: SourceCheck = { kind: 'pass' }

/**
 * `fib_validate_source` and `__fib_validate_source` (net/ipv4/fib_frontend.c, Linux 6.18): may a packet from this source
 * come in by this link? `oif` is the link it would be forwarded to, null when it is for us. rp_filter and the flags here are the
 * larger of `all` and the link's own value; only rp_filter=1 asks that the route back uses the same link.
 */
export function validateSource(netns: Netns, packet: Packet, link: Link, oif: string | null): SourceCheck {
  const max = (name: string) => confMax(netns, 4, link.name, name)
  const rpf = max('rp_filter')
  const acceptLocal = (max('accept_local') ?? 0) > 0
  const sendRedirects = (max('send_redirects') ?? 1) > 0
  const src = packet.src
  if (rpf === 0 && (oif !== link.name || !sendRedirects)) {
    if (acceptLocal) return PASS
    if (hasBornRules(netns) && !hasCustomLocalRoutes(netns))
      return linksWithAddress(netns, src).length > 0 ? localSource(netns, src, link) : PASS
  }
  const vmark = (max('src_valid_mark') ?? 0) > 0
  const answer = lookupRoute(netns, {
    dst: src,
    src: packet.dst,
    iif: oif ?? 'lo',
    oif: null,
    mark: vmark ? packet.mark : 0,
    dscp: packet.dscp,
    protocol: packet.protocol,
    sport: packet.dport,
    dport: packet.sport,
    uid: 0,
  })
  if (answer.kind === 'unknown') return { kind: 'unknown', what: answer.what }
  if (answer.kind !== 'paths') {
    const text = `no route back to ${formatIp(src)}`
    return lastResort(netns, rpf, link, text, answer.kind === 'refused' ? routeEvidence(answer) : [])
  }
  const type = answer.route.type
  if (type !== 'unicast' && !(type === 'local' && acceptLocal)) {
    if (type === 'local') return localSource(netns, src, link)
    return martian(`source ${formatIp(src)} is a ${type} address here`, routeEvidence(answer))
  }
  const usesLink = answer.route.nexthops.some((n) => n.link === link.name)
  if (usesLink || (type === 'local' && link.kind === 'loopback')) return PASS
  const back = `the way back to ${formatIp(src)} is ${routeText(answer.route)}, not ${link.name}`
  if (!link.addresses.some((a) => a.ip.family === 4)) return lastResort(netns, rpf, link, back, routeEvidence(answer))
  if (rpf === 1) return reversePath(netns, link, back, routeEvidence(answer))
  return rpf === null && !has(netns, 'sysctls') ? { kind: 'unknown', what: `sysctls of ${netns.id} (rp_filter)` } : PASS
}

/** `last_resort`: without a route, or without an address on the link, any rp_filter drops and none passes. */
function lastResort(
  netns: Netns,
  rpf: number | null,
  link: Link,
  text: string,
  evidence: readonly Evidence[],
): SourceCheck {
  if (rpf === null && !has(netns, 'sysctls')) return { kind: 'unknown', what: `sysctls of ${netns.id} (rp_filter)` }
  return (rpf ?? 0) > 0 ? reversePath(netns, link, text, evidence) : PASS
}

function reversePath(netns: Netns, link: Link, text: string, evidence: readonly Evidence[]): SourceCheck {
  return {
    kind: 'drop',
    cause: 'rp-filter',
    text: `dropped by the reverse path filter (rp_filter) of ${link.name}: ${text}`,
    evidence: [
      ...sysctlEvidence(netns, confKey(4, 'all', 'rp_filter')),
      ...sysctlEvidence(netns, confKey(4, link.name, 'rp_filter')),
      ...evidence,
    ],
  }
}

function localSource(netns: Netns, src: Ip, link: Link): SourceCheck {
  const owner = linksWithAddress(netns, src)[0]
  const address = owner?.addresses.find((a) => a.ip.d === src.d && a.ip.family === 4)
  return martian(
    `source ${formatIp(src)} is this netns's own address${owner ? ` (on ${owner.name})` : ''}, so it cannot come in by ${link.name}`,
    address ? [address.evidence] : [],
  )
}

function martian(text: string, evidence: readonly Evidence[]): SourceCheck {
  return { kind: 'drop', cause: 'martian-source', text: `dropped as martian: ${text}`, evidence }
}

const customLocal = new WeakMap<Netns, boolean>()

/** `fib_has_custom_local_routes`: a local route that the kernel did not put there. */
export function hasCustomLocalRoutes(netns: Netns): boolean {
  let known = customLocal.get(netns)
  if (known === undefined) {
    known = netns.routes.some((r) => r.type === 'local' && r.protocol !== 'kernel')
    customLocal.set(netns, known)
  }
  return known
}

/** True when the address is in the local table: the netns takes packets to it. */
export function isLocalAddress(netns: Netns, ip: Ip): boolean {
  for (const r of candidates(fibOf(netns, ip.family, [LOCAL]), ip)) return r.type === 'local'
  return false
}
