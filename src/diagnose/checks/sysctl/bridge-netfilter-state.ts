import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { withSysctls } from '../../remedy/edit.ts'
import { concernsNode, type Host, hostsOf, podBridges, podsOn, sysctl } from '../links/hosts.ts'

/** Families of which a Service has an endpoint among the node's pods: 4, 6 or both. */
function servedFamilies(state: ClusterState, host: Host): Set<4 | 6> {
  const own = new Set(podsOn(state, host).flatMap((p) => p.object?.podIPs ?? []))
  const out = new Set<4 | 6>()
  for (const slice of state.objects.endpointSlices)
    for (const e of slice.endpoints) for (const a of e.addresses) if (own.has(a)) out.add(a.includes(':') ? 6 : 4)
  return out
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const { netns } = host
  if (!netns.known.has('sysctls') || !netns.known.has('links')) return []
  const shared = podBridges(state, host).find((b) => b.ports.length > 1)
  if (!shared) return []
  return ([4, 6] as const).flatMap((family) => {
    const own = family === 4 ? shared.bridge.bridge?.nfCallIptables : shared.bridge.bridge?.nfCallIp6tables
    const key = family === 4 ? 'net.bridge.bridge-nf-call-iptables' : 'net.bridge.bridge-nf-call-ip6tables'
    const value = sysctl(netns, key)
    if (own === true || value === '1' || !servedFamilies(state, host).has(family)) return []
    const artefact = [...netns.sysctls.values()][0]?.evidence.artefact ?? `nodes/${host.node}/host/sysctl.txt`
    return [
      clusterFinding('bridge-netfilter-off', {
        severity: 'error',
        title: `replies between pods of ${host.node} cross the bridge past netfilter, so they are not translated back`,
        text: `${shared.ports.length} pods are ports of ${shared.bridge.name}, and a Service has endpoints among them. A request to the Service is translated while it is routed; the reply of an endpoint on the same bridge is bridged straight back, and with ${key} ${value === undefined ? 'absent (br_netfilter is not loaded)' : `= ${value}`} it never meets conntrack. The client gets an answer from an address it did not ask, and drops it. Endpoints on other nodes answer well.`,
        where: { node: host.node, netns: 'host' },
        concerns: concernsNode(host),
        evidence: [netns.sysctls.get(key)?.evidence ?? { artefact, text: `${key} is absent` }, shared.bridge.evidence],
        remedy: {
          text: 'Load br_netfilter and switch it on, also in /etc/modules-load.d and /etc/sysctl.d.',
          commands: ['modprobe br_netfilter', `sysctl -w ${key}=1`],
        },
        edit: (n) => withSysctls(n, netns.id, { [key]: '1' }),
      }),
    ]
  })
}

/** `bridge-netfilter-off` where two pods share a bridge and one of them is an endpoint. */
export const bridgeNetfilterState: ClusterCheck = {
  name: 'bridge-netfilter-state',
  find: (state) => hostsOf(state).flatMap((host) => ofHost(state, host)),
}
