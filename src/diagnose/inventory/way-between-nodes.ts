/** How a node sends packets to pods of other nodes: the routes decide, not the name of the CNI. */
import { formatIp, type Ip } from '../../base/ip.ts'
import { lookupRoute } from '../../datapath/routing/lookup.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Link, Netns } from '../../model/network.ts'
import type { Surroundings } from './surroundings.ts'

export type Way =
  /** Wrapped in another packet. */
  | { readonly kind: 'tunnel'; readonly text: string; readonly link: Link; readonly evidence: Evidence }
  /** Sent as it is to the other node: host-gw, BGP. */
  | { readonly kind: 'direct'; readonly text: string; readonly link: string; readonly evidence: Evidence }
  /** Sent as it is to a router that must know pod addresses. */
  | { readonly kind: 'router'; readonly text: string; readonly link: string; readonly evidence: Evidence }
  | { readonly kind: 'none'; readonly text: string; readonly evidence: Evidence | null }
  | { readonly kind: 'unknown'; readonly why: string }

/** Other nodes looked at per node. */
const PEERS = 64

/** The ways from `host` to the pods of other nodes, each with the nodes it leads to. */
export function waysFrom(
  s: Surroundings,
  host: Netns,
  family: 4 | 6,
): readonly { readonly way: Way; readonly to: readonly string[] }[] {
  const out: { way: Way; to: string[] }[] = []
  const others = [...s.podAddress.keys()].filter((n) => n !== host.node)
  for (const other of others.slice(0, PEERS)) {
    const target = s.podAddress.get(other)?.[family]
    if (!target) continue
    const way = wayTo(s, host, target)
    const key = wayKey(way)
    const same = out.find((w) => wayKey(w.way) === key)
    if (same) same.to.push(other)
    else out.push({ way, to: [other] })
  }
  return out
}

function wayKey(way: Way): string {
  return way.kind === 'unknown' ? way.why : `${way.kind} ${way.text}`
}

function wayTo(s: Surroundings, host: Netns, dst: Ip): Way {
  const answer = lookupRoute(host, {
    dst,
    src: null,
    iif: 'lo',
    oif: null,
    mark: 0,
    dscp: 0,
    protocol: 6,
    sport: 0,
    dport: 0,
    uid: null,
  })
  switch (answer.kind) {
    case 'unknown':
      return { kind: 'unknown', why: `${answer.what} not collected or not understood` }
    case 'none':
      return { kind: 'none', text: `no route to pods of other nodes`, evidence: null }
    case 'refused':
      return { kind: 'none', text: `${answer.type} route`, evidence: answer.route?.evidence ?? null }
    case 'paths': {
      const path = answer.paths[0]
      const { evidence, dst: prefix, protocol } = answer.route
      if (!path) return { kind: 'unknown', why: 'a route without a usable next hop' }
      const { link } = path
      const name = link.name
      const tunnel = tunnelOf(host, link)
      if (tunnel) return { kind: 'tunnel', ...tunnel, evidence }
      const gateway = path.gateway
      if (prefix.length === 0)
        return {
          kind: 'router',
          link: name,
          text: 'the default route (what is outside must know pods)',
          evidence,
        }
      if (gateway && !s.nodeAddresses.has(formatIp(gateway)))
        return { kind: 'router', link: name, text: `a router, ${formatIp(gateway)}`, evidence }
      return { kind: 'direct', link: name, text: direct(protocol), evidence }
    }
  }
}

/** RTPROT_BIRD is 12 (rtnetlink.h); Felix' own routes are 80, cilium's are 11 (kernel's name `zebra`). */
function direct(protocol: string): string {
  return protocol === 'bird' || protocol === '12' || protocol === 'bgp' || protocol === '186'
    ? 'routes to the nodes, learned by BGP'
    : 'routes to the nodes (host-gw)'
}

/** The tunnel behind a link that pod routes name, with words for it; null when the link is none. */
export function tunnelOf(host: Netns, link: Link): { readonly text: string; readonly link: Link } | null {
  const named = (pattern: RegExp) => host.links.find((l) => pattern.test(l.name))
  switch (link.kind) {
    case 'vxlan':
      return {
        link,
        text: link.vxlan
          ? `VXLAN, VNI ${link.vxlan.external ? 'by flow' : link.vxlan.vni}, UDP ${link.vxlan.port}`
          : 'VXLAN',
      }
    case 'geneve':
      return { link, text: `Geneve${link.tunnel?.port === undefined ? '' : `, UDP ${link.tunnel.port}`}` }
    case 'ipip':
      return { link, text: 'IPIP' }
    case 'sit':
      return { link, text: 'SIT (IPv6 in IPv4)' }
    case 'gre':
      return { link, text: 'GRE' }
    case 'wireguard':
      return { link, text: 'WireGuard' }
    case 'tun':
      return { link, text: 'a tunnel in user space (tun)' }
    default:
  }
  // Links in front of a program that encapsulates: eBPF of Cilium, Open vSwitch of Antrea and OVN-Kubernetes, Weave's datapath.
  const hidden = /^(cilium_host|cilium_net|lxc)/.test(link.name)
    ? named(/^cilium_(vxlan|geneve|wg)/)
    : /^(antrea-gw|ovn-k8s-mp|br-ex|weave$)/.test(link.name)
      ? named(/^(genev_sys|vxlan_sys|gre_sys|antrea-tun|vxlan-\d+$)/)
      : undefined
  if (hidden === undefined || hidden === link) return null
  const inner = tunnelOf(host, hidden)
  return inner ?? { link: hidden, text: 'an Open vSwitch tunnel' }
}
