import { formatIp, ipEquals } from '../../../base/ip.ts'
import { hasPorts } from '../../../base/protocol.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { addressIndex } from '../conntrack/address-index.ts'
import { concernsNode, type Host, hostsOf } from '../links/hosts.ts'
import { isPerObject, ruleProof, rulesOf } from './rule-scan.ts'

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const index = addressIndex(state.objects)
  // A connection of one pod to another by its own address (no Service in between) whose answers go to somebody else.
  const entry = host.netns.conntrack.find((e) => {
    const { original, reply } = e
    if (!hasPorts(original.protocol) || ipEquals(reply.dst, original.src) || !ipEquals(reply.src, original.dst))
      return false
    if (ipEquals(original.src, original.dst)) return false
    const [from, to] = [index.podAt(original.src), index.podAt(original.dst)]
    return from !== undefined && to !== undefined && from !== to
  })
  if (!entry) return []
  const { original, reply } = entry
  const rules = [
    ...rulesOf(host.netns, (t, c) => t.name !== 'filter' && !isPerObject(c.name) && /POST|post|MASQ|masq/.test(c.name)),
  ].filter((at) => at.rule.parts.some((p) => p.kind === 'masquerade' || (p.kind === 'nat' && p.type === 'snat')))
  return [
    clusterFinding('masquerade-unwanted', {
      severity: 'warning',
      title: `${host.node} masquerades traffic between pods: ${formatIp(original.src)} reaches ${formatIp(original.dst)} as ${formatIp(reply.dst)}`,
      text: `Pods should see each other by their own addresses. Here the receiver sees ${formatIp(reply.dst)}: network policies that admit the pod do not match, logs and rate limits blame the node. Connections work otherwise.`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [entry.evidence, ...rules.slice(0, 3).map(ruleProof)],
      remedy: {
        text: "Exclude the pod range from the masquerade rule (flannel's network, Calico's IPPool, ip-masq-agent's nonMasqueradeCIDRs, kube-proxy's clusterCIDR must cover all pods).",
      },
    }),
  ]
}

/** `masquerade-unwanted`: a tracked connection between two pods whose source was changed. */
export const masqueradeUnwanted: ClusterCheck = {
  name: 'masquerade-unwanted',
  find: (state) =>
    state.objects.known.has('Pod')
      ? hostsOf(state).flatMap((host) => (host.netns.known.has('conntrack') ? ofHost(state, host) : []))
      : [],
}
