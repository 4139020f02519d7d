import type { Ip } from '../../base/ip.ts'
import { ipEquals, isLinkLocal, isLoopback, isMulticast, isUnspecified, prefixContains } from '../../base/ip.ts'
import type { Link, LinkAddress, Netns } from '../../model/network.ts'
import { conf } from '../facts.ts'
import type { Path } from './lookup.ts'

/** Address scopes as the kernel numbers them (include/uapi/linux/rtnetlink.h): the narrower, the larger. */
const SCOPES: Record<string, number> = { global: 0, universe: 0, site: 200, link: 253, host: 254, nowhere: 255 }

export function scopeNumber(scope: string): number {
  return SCOPES[scope] ?? (Number(scope) || 0)
}

/** `inet_select_addr` (net/ipv4/devinet.c): the address of `link`, or else of another link, to speak to `dst` with. */
export function selectAddress(netns: Netns, link: Link, dst: Ip | null, scope: number): Ip | null {
  const localnet = (conf(netns, 4, link.name, 'route_localnet') ?? 0) > 0 ? SCOPES.host! : SCOPES.link!
  let first: Ip | null = null
  for (const a of link.addresses) {
    if (a.ip.family !== 4 || a.flags.includes('secondary')) continue
    if (Math.min(scopeNumber(a.scope), localnet) > scope) continue
    if (dst === null || onLink(a, dst)) return a.ip
    first ??= a.ip
  }
  if (first) return first
  for (const other of netns.links)
    for (const a of other.addresses) {
      if (a.ip.family !== 4 || a.flags.includes('secondary')) continue
      const s = scopeNumber(a.scope)
      if (s !== SCOPES.link && s <= scope) return a.ip
    }
  return null
}

/** `inet_ifa_match`: the address a point-to-point link speaks to counts, where there is one. */
function onLink(a: LinkAddress, dst: Ip): boolean {
  return prefixContains(a.peer ?? { ip: a.ip, length: a.length }, dst)
}

/** Source address the kernel gives a packet that has none, on this path (`fib_result_prefsrc`, `ip6_route_get_saddr`). */
export function sourceFor(netns: Netns, path: Path, dst: Ip): Ip | null {
  if (path.route.src) return path.route.src
  if (path.route.type === 'local') return dst
  return dst.family === 4
    ? selectAddress(netns, path.link, path.gateway ?? null, scopeNumber(path.route.scope))
    : selectAddress6(netns, path.link, dst)
}

const scope6 = (ip: Ip): number => {
  if (isMulticast(ip)) return (ip.a >>> 16) & 0xf
  if (isLinkLocal(ip) || isLoopback(ip)) return 2
  return ip.a >>> 22 === 0x3fb ? 5 : 14
}

/** RFC 6724 section 2.1 policy table, as net/ipv6/addrlabel.c has it. */
const label6 = (ip: Ip): number => {
  if (isLoopback(ip)) return 0
  if (ip.a >>> 16 === 0x2002) return 2
  if (ip.a === 0 && ip.b === 0 && ip.c === 0) return 3
  if (ip.a === 0 && ip.b === 0 && ip.c === 0xffff) return 4
  if (ip.a >>> 25 === 0x7e) return 5
  if (ip.a === 0x20010000) return 6
  if (ip.a >>> 4 === 0x2001001) return 7
  return 1
}

const commonBits = (x: Ip, y: Ip): number => {
  let bits = 0
  for (const w of [x.a ^ y.a, x.b ^ y.b, x.c ^ y.c, x.d ^ y.d]) {
    const zeros = Math.clz32(w)
    bits += zeros
    if (zeros < 32) break
  }
  return bits
}

/**
 * `ipv6_dev_get_saddr` (net/ipv6/addrconf.c, RFC 6724 section 5): rules 1 same address, 2 scope, 3 not deprecated,
 * 5 outgoing link, 6 label, 8 longest prefix. Mobility and temporary addresses are not modelled.
 */
export function selectAddress6(netns: Netns, out: Link, dst: Ip): Ip | null {
  const onlyOut = isLinkLocal(dst) || (isMulticast(dst) && scope6(dst) <= 2)
  let best: { ip: Ip; rank: number[] } | null = null
  for (const link of netns.links) {
    if (onlyOut && link.ifindex !== out.ifindex) continue
    if ((conf(netns, 6, link.name, 'disable_ipv6') ?? 0) > 0) continue
    for (const a of link.addresses) {
      if (a.ip.family !== 6 || isUnspecified(a.ip)) continue
      if (a.flags.includes('tentative') || a.flags.includes('dadfailed')) continue
      const scope = scope6(a.ip)
      const wanted = scope6(dst)
      const rank = [
        ipEquals(a.ip, dst) ? 1 : 0,
        // Rule 2: the smallest scope that still reaches; otherwise the largest.
        scope >= wanted ? 100 - scope : scope - 100,
        a.flags.includes('deprecated') ? 0 : 1,
        link.ifindex === out.ifindex ? 1 : 0,
        label6(a.ip) === label6(dst) ? 1 : 0,
        Math.min(commonBits(a.ip, dst), a.length),
      ]
      if (!best || isGreater(rank, best.rank)) best = { ip: a.ip, rank }
    }
  }
  return best?.ip ?? null
}

function isGreater(x: readonly number[], y: readonly number[]): boolean {
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return x[i]! > y[i]!
  return false
}
