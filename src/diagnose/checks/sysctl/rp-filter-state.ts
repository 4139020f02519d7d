/** Strict reverse path filtering where the ways between two nodes differ: where they are the same, it is healthy. */
import { ipEquals, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { Link, Netns, Route } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { withSysctls } from '../../remedy/edit.ts'
import { MAIN_TABLE } from '../../view/route-view.ts'
import { concernsNode, counterProof, type Host, hostsOf, sysctlNumber, sysctlProof } from '../links/hosts.ts'
import { confKey } from './forwarding.ts'

const TUNNELS: ReadonlySet<string> = new Set(['vxlan', 'geneve', 'ipip', 'gre', 'wireguard', 'sit'])

/** The route of `from` that covers the whole pod range of `to`, when there is exactly one way. */
function wayTo(from: Netns, to: Host): { readonly route: Route; readonly link: Link } | null {
  const range = to.object?.podCIDRs.map(parsePrefix).find((r) => r?.ip.family === 4)
  if (!range) return null
  const routes = from.routes.filter(
    (r) => r.family === 4 && r.table === MAIN_TABLE && prefixContains(range, r.dst.ip) && r.dst.length >= range.length,
  )
  const route = routes[0]
  const hop = route?.nexthops[0]
  const link = from.links.find((l) => l.name === hop?.link)
  if (routes.length !== 1 || !route || route.nexthops.length !== 1 || !link || route.type !== 'unicast') return null
  return { route, link }
}

/** The link of `to` by which a packet that `from` sends along `way` comes in. */
function arrival(way: { readonly route: Route; readonly link: Link }, to: Netns): Link | undefined {
  if (TUNNELS.has(way.link.kind)) return to.links.find((l) => l.kind === way.link.kind && l.name === way.link.name)
  const gateway = way.route.nexthops[0]?.gateway
  return gateway && to.links.find((l) => l.kind !== 'loopback' && l.addresses.some((a) => ipEquals(a.ip, gateway)))
}

/** True when some link may test strictly; most nodes need not be compared at all. */
function anyStrict(netns: Netns): boolean {
  return (
    netns.links.some((l) => sysctlNumber(netns, confKey(4, l.name, 'rp_filter')) === 1) ||
    sysctlNumber(netns, confKey(4, 'all', 'rp_filter')) === 1
  )
}

/** More than the kernel's own three rules (local, main, default). */
function hasPolicyRouting(netns: Netns): boolean {
  return netns.routingRules.filter((r) => r.family === 4).length > 3
}

function between(from: Host, to: Host): ClusterFinding[] {
  if (!to.netns.known.has('sysctls') || !to.netns.known.has('routes') || !from.netns.known.has('routes')) return []
  // Policy routing decides by more than the main table; the traces follow it, this sketch does not.
  if (hasPolicyRouting(to.netns) || hasPolicyRouting(from.netns)) return []
  const there = wayTo(from.netns, to)
  const back = wayTo(to.netns, from)
  const link = there && arrival(there, to.netns)
  if (!there || !back || !link || link.name === back.link.name) return []
  const keys = [confKey(4, 'all', 'rp_filter'), confKey(4, link.name, 'rp_filter')] as const
  const strict = Math.max(...keys.map((k) => sysctlNumber(to.netns, k) ?? 0))
  if (strict !== 1) return []
  return [
    clusterFinding('rp-filter-drop', {
      severity: 'error',
      title: `${to.node} drops what pods of ${from.node} send, because the way back leaves by another link (rp_filter)`,
      text: `${from.node} sends to the pods of ${to.node} by ${there.link.name}, which comes in by ${link.name}; ${to.node} would answer by ${back.link.name}. With rp_filter 1 on ${link.name} (the larger of conf.all and conf.${link.name} counts) the kernel drops it, with no rule and no log.`,
      where: { node: to.node, netns: 'host', link: link.name },
      concerns: [...concernsNode(to), ...concernsNode(from)],
      evidence: [
        ...sysctlProof(to.netns, ...keys),
        there.route.evidence,
        back.route.evidence,
        counterProof(to.netns, 'TcpExtIPReversePathFilter'),
      ],
      remedy: {
        text: `Make the routing symmetric (both nodes by the tunnel, or both without), or use the loose test on this link.`,
        commands: [`sysctl -w ${keys[1]}=2`],
      },
      edit: (n) => withSysctls(n, to.netns.id, { [keys[1]]: '2' }),
    }),
  ]
}

/** `rp-filter-drop` between nodes that reach each other's pods by different ways. */
export const rpFilterState: ClusterCheck = {
  name: 'rp-filter-state',
  find(state: ClusterState) {
    const hosts = hostsOf(state)
    const strict = hosts.filter((h) => anyStrict(h.netns))
    return strict.flatMap((to) => hosts.flatMap((from) => (from === to ? [] : between(from, to))))
  },
}
