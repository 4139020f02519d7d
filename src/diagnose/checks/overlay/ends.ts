/** The ends of the overlay on every node, side by side. */
import { formatIp, type Ip, ipEquals, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { Link, Route } from '../../../model/network.ts'
import type { ClusterState } from '../../cluster/check.ts'
import { MAIN_TABLE } from '../../view/route-view.ts'
import { allHosts, type Host } from '../links/hosts.ts'

export interface TunnelEnd {
  readonly host: Host
  readonly link: Link
}

export interface Overlay {
  /** `flannel`, `vxlan.calico`: the link's name without flannel's number, which is the VNI. */
  readonly name: string
  /** At least two, on different nodes. */
  readonly ends: readonly TunnelEnd[]
}

const TUNNELS: ReadonlySet<string> = new Set(['vxlan', 'geneve', 'ipip', 'wireguard'])

/** Links made to copy traffic elsewhere are no overlay, whatever their kind. */
export function isCaptureLink(name: string): boolean {
  return /mirror|kokotap|netwhy-|span/i.test(name)
}

/** Tunnel links that two or more nodes have under one name, with those whose peers the state shows (no metadata mode). */
export function overlaysOf(state: ClusterState, hosts: readonly Host[] = allHosts(state)): Overlay[] {
  const byName = new Map<string, TunnelEnd[]>()
  for (const host of hosts)
    for (const link of host.netns.links) {
      if (!TUNNELS.has(link.kind) || isCaptureLink(link.name)) continue
      if (link.vxlan?.external || link.tunnel?.external) continue
      const key = link.name.replace(/^(flannel[\w-]*)\.\d+$/, '$1')
      byName.set(key, [...(byName.get(key) ?? []), { host, link }])
    }
  return [...byName]
    .map(([name, ends]) => ({ name, ends: ends.filter((e, i) => ends.findIndex((x) => x.host === e.host) === i) }))
    .filter((o) => o.ends.length > 1)
}

/** Routes of `from` into the pod ranges of `to` by the link. */
export function routesOver(from: Host, to: Host, link: string): Route[] {
  const ranges = to.object?.podCIDRs.map(parsePrefix).filter((r) => r !== null) ?? []
  return from.netns.routes.filter(
    (r) =>
      r.table === MAIN_TABLE &&
      r.type === 'unicast' &&
      r.nexthops.some((n) => n.link === link) &&
      ranges.some((range) => prefixContains(range, r.dst.ip) || prefixContains(r.dst, range.ip)),
  )
}

/** Hosts one of whose links carries the address. */
export function hostsWith(hosts: readonly Host[], ip: Ip): Host[] {
  return hosts.filter((h) => h.netns.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, ip))))
}

/** The value most ends have. With a tie the CNI's default, then the first. */
export function usual<T>(values: readonly T[], preferred: T | undefined): T | undefined {
  const counts = new Map<T, number>()
  for (const v of values) counts.set(v, (counts.get(v) ?? 0) + 1)
  const most = Math.max(0, ...counts.values())
  const tied = [...counts].filter(([, n]) => n === most).map(([v]) => v)
  return preferred !== undefined && tied.includes(preferred) ? preferred : tied[0]
}

/** UDP port and VNI an overlay has unless it was told otherwise: flannel Documentation/backends.md, Felix VXLANPort and VXLANVNI. */
export const VXLAN_DEFAULTS: Readonly<Record<string, { readonly port: number; readonly vni: number }>> = {
  flannel: { port: 8472, vni: 1 },
  'flannel-v6': { port: 8472, vni: 1 },
  'vxlan.calico': { port: 4789, vni: 4096 },
  'vxlan-v6.calico': { port: 4789, vni: 4096 },
}

/** flannel's annotation with the address a node announced as its tunnel end. */
export const PUBLIC_IP = 'flannel.alpha.coreos.com/public-ip'

export function announces(host: Host, ip: Ip): boolean {
  return host.object?.meta.annotations[PUBLIC_IP] === formatIp(ip)
}
