import { isLinkLocal } from '../../../base/ip.ts'
import type { Link } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { isDefault } from '../../view/route-view.ts'
import { concernsNode, type Host, hostsOf, podsOn, sysctl, sysctlProof } from '../links/hosts.ts'
import { confKey } from './forwarding.ts'

/** Its address came from a router's advertisement: `ip addr` calls it dynamic. */
function advertised(link: Link): boolean {
  return link.addresses.some(
    (a) => a.ip.family === 6 && !isLinkLocal(a.ip) && a.flags.some((f) => f === 'dynamic' || f === 'mngtmpaddr'),
  )
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const { netns } = host
  if (!netns.known.has('sysctls') || !netns.known.has('routes') || !netns.known.has('links')) return []
  if (sysctl(netns, 'net.ipv6.conf.all.forwarding') !== '1') return []
  if (netns.routes.some((r) => r.family === 6 && r.type === 'unicast' && isDefault(r))) return []
  const link = netns.links.find((l) => {
    const forwarding = sysctl(netns, confKey(6, l.name, 'forwarding'))
    return advertised(l) && forwarding !== '0' && sysctl(netns, confKey(6, l.name, 'accept_ra')) === '1'
  })
  if (!link) return []
  const needed = podsOn(state, host).some((p) => p.addresses.some((a) => a.family === 6))
  const key = confKey(6, link.name, 'accept_ra')
  return [
    clusterFinding('ipv6-default-route-lost', {
      severity: needed ? 'error' : 'warning',
      title: `${host.node} lost its IPv6 default route when IPv6 forwarding was switched on`,
      text: `${link.name} got its address from a router's advertisement. With forwarding on, ${key} = 1 means that advertisements are ignored (ipv6_accept_ra), so the default route expired: the node and its pods reach no IPv6 address outside their own networks.`,
      where: { node: host.node, netns: 'host', link: link.name },
      concerns: concernsNode(host),
      evidence: [
        ...sysctlProof(netns, key, 'net.ipv6.conf.all.forwarding'),
        link.addresses.find((a) => a.ip.family === 6 && !isLinkLocal(a.ip))?.evidence,
      ],
      remedy: {
        text: 'Accept advertisements although the node forwards, also in /etc/sysctl.d; the route comes back with the next one.',
        commands: [`sysctl -w ${key}=2`],
      },
    }),
  ]
}

/** `ipv6-default-route-lost`: accept_ra 1 on a forwarding node whose address came from a router. */
export const ipv6DefaultRoute: ClusterCheck = {
  name: 'ipv6-default-route',
  find: (state) => hostsOf(state).flatMap((host) => ofHost(state, host)),
}
