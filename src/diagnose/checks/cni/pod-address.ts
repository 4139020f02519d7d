/** The address of a pod's link against the range of its node and what the API knows. */
import { formatIp, formatPrefix, ipEquals, isLinkLocal, parseIp, prefixContains } from '../../../base/ip.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { pluginsOf, usedConfig, usesPodCidr } from '../../setup/agents.ts'
import { nodeProof, podProof } from '../../view/object-proof.ts'
import { holdsAddress, hostNetns } from '../../view/owner.ts'
import { rangesOf } from './bridge-address.ts'

/** `pod-route-wrong`: the pod's address has a shorter prefix than its node's range, so it takes pods of other nodes for neighbours. */
export const podPrefixWrong: ClusterCheck = {
  name: 'pod-route-wrong',
  find(state) {
    if (!usesPodCidr(pluginsOf(state))) return []
    return [...state.network.netns.values()].flatMap((netns): ClusterFinding[] => {
      const node = state.objects.nodes.find((n) => n.meta.name === netns.node)
      if (!netns.pod || !node || !netns.known.has('links') || !netns.known.has('routes')) return []
      const name = `${netns.pod.namespace}/${netns.pod.name}`
      for (const link of netns.links)
        for (const a of link.addresses) {
          const range = rangesOf(node, a.ip.family).find((r) => prefixContains(r, a.ip))
          if (!range || a.length >= range.length || link.kind === 'loopback') continue
          const on = { ip: a.ip, length: a.length }
          const route = netns.routes.find(
            (r) =>
              r.dst.length === a.length &&
              prefixContains(on, r.dst.ip) &&
              r.nexthops.some((n) => n.link === link.name && !n.gateway),
          )
          const bridge = hostNetns(state.network, netns.node)?.links.find(
            (l) => l.kind === 'bridge' && l.addresses.some((x) => prefixContains(range, x.ip)),
          )
          const same = bridge?.addresses.some((x) => x.length === a.length && prefixContains(range, x.ip)) === true
          const others = state.objects.nodes.filter(
            (n) => n !== node && rangesOf(n, a.ip.family).some((r) => prefixContains(on, r.ip)),
          )
          if (!route || same || others.length === 0) continue
          return [
            clusterFinding('pod-route-wrong', {
              severity: 'error',
              title: `pod ${name} takes the pods of ${others
                .slice(0, 3)
                .map((n) => n.meta.name)
                .join(', ')} for neighbours on its own link (/${a.length})`,
              text: `${link.name} of the pod has ${formatPrefix(on)}, wider than ${formatPrefix(range)}, the range of ${node.meta.name}. The pod asks on its own bridge for addresses that are on other nodes, instead of sending to its gateway; nobody answers.`,
              where: { node: netns.node, netns: `pod/${name}`, link: link.name },
              concerns: [{ kind: 'pod', namespace: netns.pod.namespace, name: netns.pod.name }],
              evidence: [
                a.evidence,
                route.evidence,
                nodeProof(node),
                usedConfig(state.network.nodes.get(netns.node)?.files)?.evidence,
              ],
              remedy: {
                text: 'Correct the subnet in the IPAM section of the CNI configuration to the podCIDR of the Node, and create the pod anew.',
                commands: [`kubectl -n ${netns.pod.namespace} delete pod ${netns.pod.name}`],
              },
            }),
          ]
        }
      return []
    })
  },
}

/** `pod-address-wrong`: by the ranges of Nodes where those count, and by what the API knows of the pod. */
export const podAddressWrong: ClusterCheck = {
  name: 'pod-address-wrong',
  find(state) {
    const byRange = usesPodCidr(pluginsOf(state))
    return state.objects.pods.flatMap((pod): ClusterFinding[] => {
      if (!holdsAddress(pod) || pod.phase !== 'Running' || pod.meta.deletionTimestamp !== undefined) return []
      const id = `${pod.nodeName}/pod/${pod.meta.namespace}/${pod.meta.name}`
      const netns = state.network.netns.get(id)
      const node = state.objects.nodes.find((n) => n.meta.name === pod.nodeName)
      if (!netns?.known.has('links') || !node) return []
      for (const text of pod.podIPs) {
        const ip = parseIp(text)
        const ranges = ip ? rangesOf(node, ip.family) : []
        if (!ip || ranges.length === 0) continue
        const held = netns.links.flatMap((l) =>
          l.kind === 'loopback' || l.kind === 'bridge'
            ? []
            : l.addresses.filter((a) => a.ip.family === ip.family && !isLinkLocal(a.ip)),
        )
        const same = held.some((a) => ipEquals(a.ip, ip))
        const outside = byRange && same && !ranges.some((r) => prefixContains(r, ip))
        const bare = held.length > 0 && !same
        if (!outside && !bare) continue
        const name = `${pod.meta.namespace}/${pod.meta.name}`
        const now = held.map((a) => formatIp(a.ip)).join(', ')
        return [
          clusterFinding('pod-address-wrong', {
            severity: 'error',
            title: bare
              ? `pod ${name} has ${now}, but the API knows it as ${text}`
              : `pod ${name} has ${text}, which is not of ${formatPrefix(ranges[0]!)}, the range of ${node.meta.name}`,
            text: bare
              ? `Services and other pods send to ${text}, which the pod's link does not have. Something changed the address inside the pod after it was created.`
              : `Other nodes have a route to ${formatPrefix(ranges[0]!)} for the pods of ${node.meta.name}; packets for ${text} go elsewhere. The pod comes from before the node got its range, or the subnet in the CNI configuration is not the node's.`,
            where: { node: node.meta.name, netns: `pod/${name}`, object: `Pod ${name}` },
            concerns: [{ kind: 'pod', namespace: pod.meta.namespace, name: pod.meta.name }],
            evidence: [
              ...held.map((a) => a.evidence),
              podProof(pod),
              nodeProof(node),
              usedConfig(state.network.nodes.get(node.meta.name)?.files)?.evidence,
            ],
            remedy: {
              text: bare
                ? 'Create the pod anew.'
                : "Correct the subnet in the CNI configuration to the node's range, and create the pod anew.",
              commands: [`kubectl -n ${pod.meta.namespace} delete pod ${pod.meta.name}`],
            },
          }),
        ]
      }
      return []
    })
  },
}
