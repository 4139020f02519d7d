import { formatEndpoint, ipEquals } from '../../../base/ip.ts'
import { TCP } from '../../../base/protocol.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { serviceName } from '../../view/service-view.ts'
import { concernsNode, type Host, hostsOf } from '../links/hosts.ts'
import { nodePortsOf } from '../links/node-ports.ts'

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const { netns } = host
  const ports = new Map(
    nodePortsOf(state.objects)
      .filter((p) => p.protocol === TCP)
      .map((p) => [p.nodePort, p]),
  )
  // IPVS itself must serve the port on the node: only then is the answer taken for it.
  const served = new Set(netns.ipvs.filter((s) => s.protocol === TCP).map((s) => s.port))
  const stuck = netns.conntrack.filter(
    (e) =>
      e.original.protocol === TCP &&
      e.tcpState === 'SYN_SENT' &&
      !e.seenReply &&
      e.reply.dport !== e.original.sport &&
      ports.has(e.reply.dport) &&
      served.has(e.reply.dport) &&
      netns.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, e.reply.dst))),
  )
  const first = stuck[0]
  const port = first && ports.get(first.reply.dport)
  if (!first || !port) return []
  return [
    clusterFinding('ipvs-port-collision', {
      severity: 'error',
      hurts: true,
      title: `${host.node} gave a connection source port ${first.reply.dport}, which is the node port of Service ${serviceName(port.service)}`,
      text: `The connection to ${formatEndpoint(first.original.dst, first.original.dport)} was masqueraded and got source port ${first.reply.dport} by chance. Its answer comes to ${formatEndpoint(first.reply.dst, first.reply.dport)}, and IPVS takes it for a connection to that node port: the client hangs in SYN_SENT. ${stuck.length > 1 ? `${stuck.length} connections hang so now. ` : ''}It happens under load, with IPVS and node ports only.`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [...stuck.slice(0, 4).map((e) => e.evidence), serviceProof(port.service)],
      remedy: {
        text: 'Keep node ports out of masquerading (MASQUERADE --to-ports below 30000), or use the nftables or iptables mode of kube-proxy. net.ipv4.ip_local_reserved_ports does not apply to masquerading.',
      },
    }),
  ]
}

/** `ipvs-port-collision` (kubernetes#139276). */
export const ipvsPortCollision: ClusterCheck = {
  name: 'ipvs-port-collision',
  find: (state) =>
    hostsOf(state).flatMap((host) =>
      host.netns.known.has('conntrack') && host.netns.ipvs.length > 0 ? ofHost(state, host) : [],
    ),
}
