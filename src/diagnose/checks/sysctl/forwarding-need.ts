/** By which links of a node packets arrive that it must pass on: only there is forwarding needed. */
import { parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { Link } from '../../../model/network.ts'
import type { ClusterState } from '../../cluster/check.ts'
import { isDefault, MAIN_TABLE } from '../../view/route-view.ts'
import { type Host, podBridges, podsOn, podVeths } from '../links/hosts.ts'

/** Cilium may route pods in eBPF, where the sysctls are not asked (`enable-host-routing`). */
function routedByEbpf(host: Host): boolean {
  return host.netns.links.some((l) => /^(cilium_|lxc)/.test(l.name))
}

/**
 * Links the kernel asks `IN_DEV_FORWARD` of (net/ipv4/route.c ip_route_input_slow): the bridge rather than its ports, the veth of a
 * routed pod, the links that lead to other nodes' pods and the default route's, by which answers from outside return.
 */
export function forwardingLinks(state: ClusterState, host: Host, family: 4 | 6): Link[] {
  if (routedByEbpf(host)) return []
  const pods = podsOn(state, host).filter((p) => p.addresses.some((a) => a.family === family))
  const bridges = podBridges(state, host).map((b) => b.bridge)
  const routed = podVeths(state, host).filter((v) => v.master === undefined)
  if (pods.length === 0 || bridges.length + routed.length === 0) return []
  const ranges = state.objects.nodes
    .filter((n) => n.meta.name !== host.node)
    .flatMap((n) => n.podCIDRs.map(parsePrefix))
    .filter((r) => r !== null)
  const names = new Set<string>()
  for (const r of host.netns.routes) {
    if (r.family !== family || r.table !== MAIN_TABLE || r.type !== 'unicast') continue
    if (!isDefault(r) && !ranges.some((range) => prefixContains(range, r.dst.ip) || prefixContains(r.dst, range.ip)))
      continue
    for (const n of r.nexthops) if (n.link !== undefined) names.add(n.link)
  }
  const ways = host.netns.links.filter((l) => names.has(l.name) && l.flags.has('UP'))
  return [...new Set([...bridges, ...routed, ...ways])]
}
