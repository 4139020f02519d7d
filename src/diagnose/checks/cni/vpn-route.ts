/** A VPN on a node must not route pod ranges into its tunnel. */
import { formatPrefix, type Prefix, parseIp, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { Link, Route } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { isDefault, linkOf, MAIN_TABLE } from '../../view/route-view.ts'

/** Links of VPN clients; tunnels of network plugins have names of their own. */
function isVpn(link: Link): boolean {
  const plugins = /^(wireguard\.cali|wg-v6\.cali|cilium_wg|flannel-wg|kube-|tunl|antrea-|ovn|weave|kilo|kube)/
  return (
    (link.kind === 'tun' || link.kind === 'wireguard' || /^(tun|ppp|wg|ipsec|utun|gpd)\d/.test(link.name)) &&
    !plugins.test(link.name)
  )
}

/** `route-shadowed`: a VPN's route lies inside a node's pod range and is more specific than the cluster's. */
export const vpnInPodRange: ClusterCheck = {
  name: 'route-shadowed',
  find(state) {
    return state.objects.nodes.flatMap((owner) =>
      owner.podCIDRs.flatMap((text) => {
        const range = parsePrefix(text)
        if (!range) return []
        return [...state.network.netns.values()].flatMap((host): ClusterFinding[] => {
          if (host.kind !== 'host' || !host.known.has('routes')) return []
          const of = (r: Route) => host.links.find((l) => l.name === linkOf(r))
          const main = host.routes.filter(
            (r) => r.table === MAIN_TABLE && r.family === range.ip.family && r.type === 'unicast',
          )
          const right = main.find(
            (r) => r.dst.length <= range.length && !isDefault(r) && prefixContains(r.dst, range.ip),
          )
          const best = main.find((r) => {
            const link = of(r)
            return (
              link &&
              isVpn(link) &&
              r.dst.length > (right?.dst.length ?? range.length) &&
              prefixContains(range, r.dst.ip)
            )
          })
          if (!best || (right && linkOf(right) === linkOf(best))) return []
          const victims = state.objects.pods.filter(
            (p) => p.nodeName === owner.meta.name && !p.hostNetwork && p.podIPs.some((t) => inside(best.dst, t)),
          )
          return [
            clusterFinding('route-shadowed', {
              severity: 'error',
              title: `a VPN route on ${host.node} takes ${formatPrefix(best.dst)} away from the pods of ${owner.meta.name}`,
              text: `${host.node} sends ${formatPrefix(best.dst)} into ${linkOf(best)}, and ${formatPrefix(range)} is the pod range of ${owner.meta.name}${right ? `; the right route (${formatPrefix(right.dst)} by ${linkOf(right) ?? '?'}) is less specific and loses` : ''}. Pods with addresses in between are cut off from ${host.node}${
                victims.length > 0
                  ? `: ${victims
                      .slice(0, 3)
                      .map((p) => `${p.meta.namespace}/${p.meta.name}`)
                      .join(', ')}`
                  : ''
              }; the others work.`,
              where: { node: host.node, netns: 'host', link: linkOf(best) ?? '' },
              concerns: [{ kind: 'node', node: host.node }],
              evidence: [best.evidence, right?.evidence, nodeProof(owner)],
              remedy: {
                text: 'Exclude the pod and Service ranges from what the VPN installs, or give one of the two another range.',
                commands: [`ip route del ${formatPrefix(best.dst)} dev ${linkOf(best)}`],
              },
            }),
          ]
        })
      }),
    )
  },
}

function inside(range: Prefix, text: string): boolean {
  const ip = parseIp(text)
  return ip !== null && prefixContains(range, ip)
}
