/** The ranges Nodes give their pods. */
import { formatPrefix, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { NodeObject } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { pluginsOf, usesPodCidr } from '../../setup/agents.ts'
import { eventProof } from '../../setup/proof.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { proofsOf, stuckBy } from './sandbox.ts'

/** `pod-cidr-missing`, `pod-cidr-duplicate`: the ranges of Nodes, where the network plugin goes by them. */
export const podCidr: ClusterCheck = {
  name: 'pod-cidr',
  find(state) {
    const { objects, network } = state
    const plugins = pluginsOf(state)
    if (!usesPodCidr(plugins)) return []
    const out: ClusterFinding[] = []
    const waiting = stuckBy(state, (c) => c.kind === 'no-subnet-file')
    const some = objects.nodes.some((n) => n.podCIDRs.length > 0)
    for (const node of objects.nodes) {
      if (node.podCIDRs.length > 0 || isVirtual(node)) continue
      const files = network.nodes.get(node.meta.name)?.files
      const said = flannelSays(state, node.meta.name)
      const stuck = waiting.filter((g) => g.node === node.meta.name)
      // Flannel on etcd needs no podCIDR on any Node.
      if (!some && !said && stuck.length === 0) continue
      out.push(
        clusterFinding('pod-cidr-missing', {
          severity: 'error',
          title: `Node ${node.meta.name} has no pod range (spec.podCIDR)`,
          text: `The network plugin takes the range of a node's pods from Node.spec.podCIDR, which ${node.meta.name} does not have: it gets no subnet, its pods no network, and nobody a route to them. The controller manager does not give ranges, or none is left.`,
          where: { node: node.meta.name, object: `Node ${node.meta.name}` },
          concerns: [{ kind: 'node', node: node.meta.name }],
          evidence: [
            nodeProof(node),
            said,
            ...stuck.flatMap((g) => proofsOf(g.troubles)),
            files?.flannelSubnet?.evidence,
            ...allocationEvents(state, node.meta.name),
          ],
          remedy: {
            text: 'Run the controller manager with --allocate-node-cidrs and --cluster-cidr (kubeadm: podSubnet), or give the Node a range of its own; then restart the network agent there.',
          },
        }),
      )
    }
    const ranges = objects.nodes.flatMap((node) => node.podCIDRs.flatMap((t) => ({ node, range: parsePrefix(t) })))
    for (const [i, x] of ranges.entries())
      for (const y of ranges.slice(i + 1)) {
        if (!x.range || !y.range || x.node === y.node) continue
        if (!prefixContains(x.range, y.range.ip) && !prefixContains(y.range, x.range.ip)) continue
        const names = [x.node.meta.name, y.node.meta.name]
        out.push(
          clusterFinding('pod-cidr-duplicate', {
            severity: 'error',
            title: `${names.join(' and ')} have the same pod range ${formatPrefix(x.range)}`,
            text: `Two Nodes give their pods addresses of one range (${formatPrefix(x.range)} and ${formatPrefix(y.range)}). Other nodes have a route to one of them only, and pods of both may have one address.`,
            where: { object: `Node ${names[1]}` },
            concerns: names.map((node) => ({ kind: 'node', node })),
            evidence: [nodeProof(x.node), nodeProof(y.node)],
            remedy: {
              text: `Take ${names[1]} out of the cluster and join it anew, so that it gets a range of its own (a podCIDR cannot be changed); look for a range that was set by hand.`,
            },
          }),
        )
      }
    return out
  },
}

function isVirtual(node: NodeObject): boolean {
  return node.meta.labels.type === 'virtual-kubelet' || node.taints.some((t) => t.key.startsWith('virtual-kubelet.io/'))
}

function flannelSays({ network }: ClusterState, node: string): Evidence | undefined {
  for (const files of [...network.nodes.values()].map((n) => n.files))
    for (const log of files?.logs ?? []) {
      const line = log.lines.findLast((l) => l.text.includes(`node "${node}" pod cidr not assigned`))
      if (line) return line
    }
  return undefined
}

function allocationEvents({ objects }: ClusterState, node: string): Evidence[] {
  return objects.events
    .filter((e) => e.reason === 'CIDRNotAvailable' && e.about.kind === 'Node' && e.about.name === node)
    .slice(0, 2)
    .map(eventProof)
}
