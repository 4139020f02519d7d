import type { Ip } from '../base/ip.ts'
import { ipEquals } from '../base/ip.ts'
import type { Evidence } from '../model/evidence.ts'
import type { FdbEntry, Link, Neighbour, Netns, NetnsArtefact, Sysctl } from '../model/network.ts'
import type { LinkView } from './netfilter/types.ts'

/** What one netns knows, indexed on first use. Keyed by the immutable Netns, so a what-if netns gets its own. */
export interface Facts {
  readonly netns: Netns
  readonly linkByName: ReadonlyMap<string, Link>
  readonly linkByIndex: ReadonlyMap<number, Link>
  readonly neighbours: ReadonlyMap<string, readonly Neighbour[]>
  /** FDB entries by `link` name, then MAC. */
  readonly fdb: ReadonlyMap<string, readonly FdbEntry[]>
  readonly ports: ReadonlyMap<number, readonly Link[]>
  readonly addresses: ReadonlyMap<string, readonly Link[]>
}

const cache = new WeakMap<Netns, Facts>()

const group = <T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> => {
  const map = new Map<K, T[]>()
  for (const item of items) {
    const k = key(item)
    const list = map.get(k)
    if (list) list.push(item)
    else map.set(k, [item])
  }
  return map
}

/** A key that is equal exactly when two addresses are. */
export function ipKey(ip: Ip): string {
  return ip.family === 4 ? `${ip.d}` : `${ip.a}:${ip.b}:${ip.c}:${ip.d}`
}

export function factsOf(netns: Netns): Facts {
  const known = cache.get(netns)
  if (known) return known
  const addresses = new Map<string, Link[]>()
  for (const link of netns.links)
    for (const a of link.addresses) {
      const list = addresses.get(ipKey(a.ip)) ?? []
      list.push(link)
      addresses.set(ipKey(a.ip), list)
    }
  const facts: Facts = {
    netns,
    linkByName: new Map(netns.links.map((l) => [l.name, l])),
    linkByIndex: new Map(netns.links.map((l) => [l.ifindex, l])),
    neighbours: group(
      netns.neighbours.filter((n) => !n.proxy),
      (n) => `${n.link} ${ipKey(n.ip)}`,
    ),
    fdb: group(netns.fdb, (e) => `${e.link} ${e.mac}`),
    ports: group(
      netns.links.filter((l) => l.master !== undefined),
      (l) => l.master ?? 0,
    ),
    addresses,
  }
  cache.set(netns, facts)
  return facts
}

/** True when the artefact was read: what it does not list is then not there. */
export function has(netns: Netns, artefact: NetnsArtefact): boolean {
  return netns.known.has(artefact)
}

/** Links that carry the address, as `ip addr` lists it (also tentative ones). */
export function linksWithAddress(netns: Netns, ip: Ip): readonly Link[] {
  return factsOf(netns).addresses.get(ipKey(ip)) ?? []
}

export function neighbourOf(netns: Netns, link: string, ip: Ip): Neighbour | undefined {
  return factsOf(netns)
    .neighbours.get(`${link} ${ipKey(ip)}`)
    ?.find((n) => ipEquals(n.ip, ip))
}

export function isUp(link: Link): boolean {
  return link.flags.has('UP')
}

/**
 * Administratively up but without carrier: `netif_carrier_ok` shows as LOWER_UP. NO-CARRIER and the operational state follow it
 * only after a while (linkwatch), so they are not asked.
 */
export function lacksCarrier(link: Link): boolean {
  return link.flags.has('UP') && !link.flags.has('LOWER_UP')
}

/** The link as rules see it. Addresses in the kernel's order (`ifa_list`), primary before secondary. */
export function linkView(link: Link, family: 4 | 6): LinkView {
  const own = link.addresses.filter((a) => a.ip.family === family)
  const primary = own.filter((a) => !a.flags.includes('secondary'))
  const rest = own.filter((a) => a.flags.includes('secondary'))
  return {
    name: link.name,
    ifindex: link.ifindex,
    kind: link.kernelKind ?? link.kind,
    addresses: [...primary, ...rest].map((a) => a.ip),
  }
}

export function sysctlOf(netns: Netns, key: string): Sysctl | undefined {
  return netns.sysctls.get(key)
}

/** Evidence of a sysctl, when its line was collected. */
export function sysctlEvidence(netns: Netns, key: string): readonly Evidence[] {
  const s = netns.sysctls.get(key)
  return s ? [s.evidence] : []
}

/** The key of a per-link sysctl: dots in link names are written `/`, as sysctl(8) does. */
export function confKey(family: 4 | 6, link: string, name: string): string {
  return `net.ipv${family}.conf.${link.replaceAll('.', '/')}.${name}`
}

const numeric = (s: Sysctl | undefined): number | null => {
  if (!s) return null
  const n = Number(s.value.trim())
  return Number.isFinite(n) ? n : null
}

/** `IN_DEV_CONF_GET`: the link's own value; the value of `default` when the link's was not collected; else null. */
export function conf(netns: Netns, family: 4 | 6, link: string, name: string): number | null {
  return (
    numeric(netns.sysctls.get(confKey(family, link, name))) ??
    numeric(netns.sysctls.get(confKey(family, 'default', name)))
  )
}

/** `IN_DEV_MAXCONF` and, for flags, `IN_DEV_ORCONF`: the larger of `all` and the link's own. Null when neither is known. */
export function confMax(netns: Netns, family: 4 | 6, link: string, name: string): number | null {
  const all = numeric(netns.sysctls.get(confKey(family, 'all', name)))
  const own = conf(netns, family, link, name)
  if (all === null && own === null) return null
  return Math.max(all ?? 0, own ?? 0)
}

export function sysctlNumber(netns: Netns, key: string): number | null {
  return numeric(netns.sysctls.get(key))
}

/** Time to live of what a netns sends itself: `ip_select_ttl`, `ip6_dst_hoplimit`. 64 where the sysctl was not collected. */
export function defaultTtl(netns: Netns, family: 4 | 6): number {
  const key = family === 4 ? 'net.ipv4.ip_default_ttl' : 'net.ipv6.conf.default.hop_limit'
  return sysctlNumber(netns, key) ?? 64
}

/** What names a netns to a person: `node2`, or `pod shop/web-1`. */
export function netnsName(netns: Netns): string {
  if (netns.pod) return `pod ${netns.pod.namespace}/${netns.pod.name}`
  return netns.kind === 'host' ? netns.node : netns.id
}
