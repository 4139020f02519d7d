/** Services must not share addresses with machines or pods. */
import { formatIp, formatPrefix, ipEquals, parseIp, prefixContains, prefixesOverlap } from '../../../base/ip.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof, serviceProof } from '../../view/object-proof.ts'
import { holders } from '../../view/owner.ts'

import { internalAddresses, podNetworks, serviceNetworks } from './ranges.ts'

/** `cidr-overlap-service`: machines or pods have addresses that kube-proxy takes for Services. */
export const overlapService: ClusterCheck = {
  name: 'cidr-overlap-service',
  find(state) {
    const { objects, network } = state
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
    const known = new Set(objects.nodes.map((n) => n.meta.name))
    for (const service of objects.services)
      for (const text of service.clusterIPs) {
        const ip = parseIp(text)
        if (!ip) continue
        // A machine that is no Node, or a Node's real link: IPVS and node-local DNS put Service addresses on dummies.
        const other = holders(network, ip).find(
          (h) => h.netns.kind !== 'pod' && (!known.has(h.netns.node) || h.link.kind === 'ethernet'),
        )
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
