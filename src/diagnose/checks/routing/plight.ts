/** A packet that a node cannot bring to its destination in the cluster: what its routes say about that address. */
import { formatIp, formatPrefix, type Ip, ipEquals, type Prefix, parseIp, prefixContains } from '../../../base/ip.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Netns, Route } from '../../../model/network.ts'
import type { Failure, Inquiry } from '../../inquiry.ts'
import { type Owner, ownerOf, podRanges } from '../../view/owner.ts'
import { isDefault, linkOf, MAIN_TABLE, routesTo } from '../../view/route-view.ts'

export const TUNNELS: ReadonlySet<string> = new Set(['vxlan', 'ipip', 'gre', 'geneve', 'wireguard', 'sit'])

/** What is known about a packet that a host netns cannot bring to its destination in the cluster. */
export interface Plight {
  readonly netns: Netns
  readonly dst: Ip
  readonly owner: Owner
  /** The node the address is on. */
  readonly node: string
  /** The pod range of that node which holds the address, when the Node says so. */
  readonly range: Prefix | null
  readonly best: Route | undefined
}

const ROUTING_CAUSES: ReadonlySet<string> = new Set([
  'no-route',
  'route-blackhole',
  'route-unreachable',
  'route-prohibit',
  'neighbour-failed',
  'neighbour-no-answer',
  'not-for-us',
  'martian-source',
  'link-down',
  'no-carrier',
  'peer-missing',
  'loop',
  'ttl-exceeded',
])

export function plight(f: Failure, q: Inquiry): Plight | null {
  const { packet, encap } = f.step
  if (f.netns?.kind !== 'host' || (encap?.length ?? 0) > 0) return null
  const gone = f.trace.disposition === 'exits-network'
  if (!gone && !(f.cause !== undefined && ROUTING_CAUSES.has(f.cause))) return null
  const owner = inPodRange(q, ownerOf(q.network, q.objects, packet.dst), packet.dst)
  if (owner.kind !== 'pod' && owner.kind !== 'pod-range') return null
  const node = owner.node
  if (node === undefined || node === f.hop.node) return null
  const range = podRanges(q.objects).find((r) => r.node.meta.name === node && prefixContains(r.range, packet.dst))
  return {
    netns: f.netns,
    dst: packet.dst,
    owner,
    node,
    range: range?.range ?? null,
    best: routesTo(f.netns, packet.dst).find((r) => !isDefault(r)),
  }
}

/** The address of a node's bridge or tunnel is of its pod range: the way there is the way to its pods. */
export function inPodRange(q: Inquiry, owner: Owner, ip: Ip): Owner {
  if (owner.kind !== 'node') return owner
  const range = podRanges(q.objects).find((r) => r.node.meta.name === owner.node && prefixContains(r.range, ip))
  return range ? { kind: 'pod-range', node: owner.node, range: range.range } : owner
}

export function nodeAddress(q: Inquiry, node: string, family: 4 | 6): Ip | null {
  const object = q.objects.nodes.find((n) => n.meta.name === node)
  for (const a of object?.addresses ?? []) {
    const ip = a.type === 'InternalIP' ? parseIp(a.address) : null
    if (ip?.family === family) return ip
  }
  return null
}

/** That something is not there, cited by the list it is missing from. */
export function absence(p: Pick<Plight, 'netns' | 'dst'>, what: string): Evidence {
  const artefact =
    p.netns.routes.find((r) => r.family === p.dst.family)?.evidence.artefact ??
    `nodes/${p.netns.node}/host/${p.dst.family === 4 ? 'ip-route' : 'ip6-route'}.json`
  return { artefact, text: what }
}

/** How a third node (or the owner's mirror image) routes to the same range: the pattern the missing route should follow. */
function modelRoute(q: Inquiry, p: Plight): Route | undefined {
  for (const netns of q.network.netns.values()) {
    if (netns.kind !== 'host' || netns.node === p.netns.node || netns.node === p.node) continue
    const found = routesTo(netns, p.dst).find((r) => !isDefault(r))
    if (found) return found
  }
  return undefined
}

/** The route that should be there, made after the way this node and its peer are joined. */
export function wantedRoute(q: Inquiry, p: Plight): { readonly route: Route; readonly command: string } | null {
  if (!p.range) return null
  const tunnel = p.netns.links.find((l) => l.kind === 'vxlan' && l.flags.has('UP'))
  const known = modelRoute(q, p)
  const base = {
    family: p.dst.family,
    type: 'unicast' as const,
    dst: p.range,
    table: MAIN_TABLE,
    metric: 0,
    scope: 'global',
    protocol: 'static',
    tos: 0,
    flags: [],
  }
  const evidence: Evidence = { artefact: 'what-if', text: 'proposed route' }
  const six = p.dst.family === 6 ? '-6 ' : ''
  if (tunnel && p.dst.family === 4 && (!known || linkOf(known) === tunnel.name)) {
    const via = p.range.ip
    const neighbour = p.netns.neighbours.some(
      (n) => n.link === tunnel.name && ipEquals(n.ip, via) && n.mac !== undefined,
    )
    if (neighbour)
      return {
        route: {
          ...base,
          nexthops: [{ gateway: via, link: tunnel.name, weight: 1, onlink: true, dead: false }],
          evidence,
        },
        command: `ip route replace ${formatPrefix(p.range)} via ${formatIp(via)} dev ${tunnel.name} onlink`,
      }
  }
  const gateway = nodeAddress(q, p.node, p.dst.family)
  const link = gateway && routesTo(p.netns, gateway).find((r) => !isDefault(r))
  const dev = link ? linkOf(link) : undefined
  if (!gateway || dev === undefined || tunnel) return null
  return {
    route: { ...base, nexthops: [{ gateway, link: dev, weight: 1, onlink: false, dead: false }], evidence },
    command: `ip ${six}route replace ${formatPrefix(p.range)} via ${formatIp(gateway)} dev ${dev}`,
  }
}

export function rangeText(p: Plight): string {
  return p.range ? formatPrefix(p.range) : formatIp(p.dst)
}
