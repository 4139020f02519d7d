/** Services must not share addresses with machines or pods. */
import {
  formatIp,
  formatPrefix,
  ipEquals,
  isLoopback,
  parseIp,
  prefixContains,
  prefixesOverlap,
} from '../../../base/ip.ts'
import type { Link, Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof, serviceProof } from '../../view/object-proof.ts'
import { internalAddresses, podNetworks, serviceNetworks } from './ranges.ts'

/** `cidr-overlap-service`: machines or pods have addresses that kube-proxy takes for Services. */
export const overlapService: ClusterCheck = {
  name: 'cidr-overlap-service',
  find(state) {
    const { objects } = state
    const out: ClusterFinding[] = []
    const seen = new Set<string>()
    for (const s of serviceNetworks(state)) {
      const key = formatPrefix(s.range)
      if (seen.has(key)) continue
      const nodes = internalAddresses(objects).filter((a) => prefixContains(s.range, a.ip))
      const pods = podNetworks(state).filter((p) => prefixesOverlap(p.range, s.range))
      if (nodes.length === 0 && pods.length === 0) continue
      seen.add(key)
      out.push(
        clusterFinding('cidr-overlap-service', {
          severity: 'error',
          title: `the Service range ${key} overlaps ${nodes[0] ? `the address ${formatIp(nodes[0].ip)} of ${nodes[0].node.meta.name}` : `${pods[0]!.what} (${formatPrefix(pods[0]!.range)})`}`,
          text: 'A Service may be given the address of a machine or a pod; from then on every node sends packets for it to the Service, and the machine or pod cannot be reached. The ranges of nodes, pods and Services must be distinct.',
          where: { object: s.evidence.text.split(':')[0]! },
          concerns: [{ kind: 'object' }],
          evidence: [
            s.evidence,
            ...nodes.slice(0, 3).map((a) => nodeProof(a.node)),
            ...pods.slice(0, 3).map((p) => p.evidence),
          ],
          remedy: {
            text: 'Choose another Service range (or add one with a ServiceCIDR object and retire this), or renumber the machines.',
          },
        }),
      )
    }
    const machines = machinesByAddress(state)
    for (const service of objects.services)
      for (const text of service.clusterIPs) {
        const ip = parseIp(text)
        if (!ip) continue
        const other = machines.get(formatIp(ip))
        const node = objects.nodes.find((n) => n.addresses.some((a) => a.address === text))
        if (!other && !node) continue
        const name = `${service.meta.namespace}/${service.meta.name}`
        const who = node ? `Node ${node.meta.name}` : `the machine ${other!.netns.node}`
        out.push(
          clusterFinding('cidr-overlap-service', {
            severity: 'error',
            title: `${text} is the address of Service ${name} and of ${who}`,
            text: `Pods and nodes that connect to ${text} reach Service ${name}: kube-proxy translates the address before it leaves the node. ${who} is reached only by machines outside the cluster.`,
            where: { object: `Service ${name}` },
            concerns: [{ kind: 'service', namespace: service.meta.namespace, name: service.meta.name }],
            evidence: [
              serviceProof(service),
              other?.link.addresses.find((a) => ipEquals(a.ip, ip))?.evidence,
              node && nodeProof(node),
            ],
            remedy: {
              text: 'Create the Service anew with another cluster IP, and take a Service range that no real network uses.',
            },
          }),
        )
      }
    return out
  },
}

/**
 * Who has an address: machines that are no Nodes, and real links of Nodes. kube-proxy in IPVS mode and node-local DNS put
 * Service addresses on dummies.
 */
function machinesByAddress({ objects, network }: ClusterState): Map<string, { netns: Netns; link: Link }> {
  const out = new Map<string, { netns: Netns; link: Link }>()
  if (!objects.known.has('Node')) return out
  const nodes = new Set(objects.nodes.map((n) => n.meta.name))
  for (const netns of network.netns.values())
    for (const link of netns.kind === 'pod' ? [] : netns.links) {
      if (link.kind === 'dummy' || (nodes.has(netns.node) && link.kind !== 'ethernet')) continue
      for (const a of link.addresses) if (!isLoopback(a.ip)) out.set(formatIp(a.ip), { netns, link })
    }
  return out
}
