/** A private bridge of a node must not claim networks that the cluster uses. */
import {
  formatIp,
  formatPrefix,
  type Ip,
  ipEquals,
  isLinkLocal,
  isLoopback,
  parseIp,
  prefixContains,
} from '../../../base/ip.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { holders } from '../../view/owner.ts'
import { isConnected, isDefault, linkOf, routesTo } from '../../view/route-view.ts'

import { internalAddresses, podNetworks } from './ranges.ts'

/** Addresses outside the cluster that it is told to use: name servers of nodes, endpoints without a pod, other Nodes. */
function usedOutside({
  objects,
  network,
}: ClusterState): { readonly ip: Ip; readonly what: string; readonly evidence: Evidence }[] {
  const out: { ip: Ip; what: string; evidence: Evidence }[] = []
  for (const n of network.nodes.values()) {
    const host = n.host === undefined ? undefined : network.netns.get(n.host)
    for (const conf of [host?.resolvConf, n.files?.resolvedResolvConf])
      for (const ip of conf?.nameservers ?? [])
        out.push({ ip, what: `the name server ${formatIp(ip)} of ${n.name}`, evidence: conf!.evidence })
  }
  for (const a of internalAddresses(objects))
    out.push({ ip: a.ip, what: `${a.node.meta.name} (${formatIp(a.ip)})`, evidence: nodeProof(a.node) })
  for (const s of objects.endpointSlices)
    for (const e of s.endpoints)
      if (e.target === undefined && e.nodeName === undefined)
        for (const t of e.addresses) {
          const ip = parseIp(t)
          if (ip)
            out.push({
              ip,
              what: `${t}, an endpoint of Service ${s.meta.namespace}/${s.serviceName},`,
              evidence: s.evidence,
            })
        }
  const pods = podNetworks({ objects, network })
  return out.filter((o) => !isLoopback(o.ip) && !isLinkLocal(o.ip) && !pods.some((p) => prefixContains(p.range, o.ip)))
}

/** `cidr-overlap-external`: a private bridge of a node claims the network of a machine the cluster is told to use. */
export const overlapExternal: ClusterCheck = {
  name: 'cidr-overlap-external',
  find(state) {
    const seen = new Set<string>()
    return usedOutside(state).flatMap((used): ClusterFinding[] =>
      [...state.network.nodes.values()].flatMap((n): ClusterFinding[] => {
        const host = n.host === undefined ? undefined : state.network.netns.get(n.host)
        if (!host?.known.has('routes') || !host.known.has('links') || !host.known.has('neighbours')) return []
        const [best, ...rest] = routesTo(host, used.ip)
        const link = best && host.links.find((l) => l.name === linkOf(best))
        if (!best || !link || link.kind !== 'bridge' || !isConnected(best)) return []
        // Not private: the way out goes over it too (a bridge of virtual machines, br-ex).
        if (host.routes.some((r) => isDefault(r) && linkOf(r) === link.name)) return []
        const heard = host.neighbours.some(
          (x) => x.link === link.name && ipEquals(x.ip, used.ip) && x.mac !== undefined,
        )
        if (heard || holders(state.network, used.ip).some((h) => h.netns.id === host.id)) return []
        const uplink = rest.find((r) => linkOf(r) !== link.name)
        const key = `${n.name} ${link.name} ${formatIp(used.ip)}`
        if (!uplink || seen.has(key)) return []
        seen.add(key)
        return [
          clusterFinding('cidr-overlap-external', {
            severity: 'error',
            title: `${link.name} on ${n.name} claims ${formatPrefix(best.dst)}: ${used.what} cannot be reached from there`,
            text: `The private bridge ${link.name} owns ${formatPrefix(best.dst)} as a directly attached network, so ${n.name} looks for ${formatIp(used.ip)} there, where nobody has it, instead of sending it by ${linkOf(uplink) ?? 'its uplink'}.`,
            where: { node: n.name, netns: 'host', link: link.name },
            concerns: [{ kind: 'object' }],
            evidence: [best.evidence, link.evidence, used.evidence],
            remedy: {
              text: `Give ${link.name} another range (docker: bip and default-address-pools in daemon.json), or remove the bridge if nobody uses it.`,
            },
          }),
        ]
      }),
    )
  },
}
