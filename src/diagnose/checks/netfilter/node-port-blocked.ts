import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { ruleOwner, ruleOwnerText } from '../../view/rule-owner.ts'
import { serviceName } from '../../view/service-view.ts'
import { type Host, hostsOf } from '../links/hosts.ts'
import { nodePortsOf } from '../links/node-ports.ts'
import { isPerObject, kills, namesPort, ruleProof, rulesOf } from './rule-scan.ts'

/** Where kube-proxy translates: priority of dstnat (include/uapi/linux/netfilter_ipv4.h NF_IP_PRI_NAT_DST). */
const DSTNAT = -100

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const ports = nodePortsOf(state.objects)
  if (ports.length === 0) return []
  const ipvs = host.netns.ipvs.length > 0
  const out: ClusterFinding[] = []
  // Before translation a packet still has its node port. After it, and at INPUT, only IPVS leaves it so: there a DROP of the range is harmless.
  const scan = rulesOf(host.netns, (t, c) => {
    const { base } = c
    if (!base || t.dormant || isPerObject(c.name)) return false
    return (base.hook === 'prerouting' && base.priority < DSTNAT) || (ipvs && base.hook === 'input')
  })
  for (const at of scan) {
    if (!kills(at.rule)) continue
    // A rule for some clients, links or states is somebody's intent for those.
    if (
      at.rule.parts.some(
        (p) =>
          (p.kind === 'address' && p.side === 'src') || p.kind === 'ctState' || p.kind === 'ipset' || p.kind === 'rate',
      )
    )
      continue
    const hit = ports.filter((p) => namesPort(at.rule, p.protocol, p.nodePort))
    const first = hit[0]
    if (!first) continue
    const names = [...new Set(hit.map((p) => serviceName(p.service)))]
    out.push(
      clusterFinding('nodeport-blocked', {
        severity: 'error',
        title: `a rule on ${host.node} drops what is sent to node port ${first.nodePort} (Service ${names.slice(0, 3).join(', ')})`,
        text: `The rule stands in ${at.table.name} ${at.chain.name}, before node ports are translated, and belongs to ${ruleOwnerText(ruleOwner(at.table.name, at.chain.name))}. Clients that use ${host.node} get no answer on ${hit.length} node port${hit.length === 1 ? '' : 's'}; by way of other nodes they do.`,
        where: { node: host.node, netns: 'host', object: `Service ${names[0]}` },
        concerns: hit
          .slice(0, 20)
          .map((p) => ({ kind: 'service', namespace: p.service.meta.namespace, name: p.service.meta.name })),
        evidence: [ruleProof(at), serviceProof(first.service)],
        remedy: { text: 'Admit the node ports in that rule, or take it away and correct what installs it.' },
      }),
    )
  }
  return out
}

/** `nodeport-blocked`: a drop of node ports where packets still carry them. */
export const nodePortBlocked: ClusterCheck = {
  name: 'nodeport-blocked',
  find: (state) => (state.objects.known.has('Service') ? hostsOf(state).flatMap((host) => ofHost(state, host)) : []),
}
