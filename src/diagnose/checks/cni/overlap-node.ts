/** Pods and the LAN of the nodes must not share addresses. */
import { formatIp, formatPrefix, type Ip, ipEquals, prefixContains, prefixesOverlap } from '../../../base/ip.ts'
import type { Link, Netns, Route } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { pluginsOf } from '../../setup/agents.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { hostNetns } from '../../view/owner.ts'
import { isConnected, linkOf, MAIN_TABLE } from '../../view/route-view.ts'

import { internalAddresses, podNetworks } from './ranges.ts'

/** The network of the node's own address: the connected route on the link that carries it. */
function nodeNetwork(host: Netns, ip: Ip): { readonly link: Link; readonly route: Route } | null {
  const link = host.links.find((l) => l.kind !== 'loopback' && l.addresses.some((a) => ipEquals(a.ip, ip)))
  const route =
    link &&
    host.routes.find(
      (r) => r.table === MAIN_TABLE && isConnected(r) && linkOf(r) === link.name && prefixContains(r.dst, ip),
    )
  return link && route ? { link, route } : null
}

/** Plugins that give pods addresses of the nodes' own network on purpose. */
function sharesNodeNetwork(state: ClusterState): boolean {
  return [...pluginsOf(state)].some(
    (p) => p === 'aws' || p === 'azure' || p === 'gke' || p === 'other' || p === 'cilium',
  )
}

/** `cidr-overlap-node`: Node addresses, or the LAN of the nodes, lie in the range of pods. */
export const overlapNode: ClusterCheck = {
  name: 'cidr-overlap-node',
  find(state) {
    if (sharesNodeNetwork(state)) return []
    const seen = new Set<string>()
    return podNetworks(state).flatMap((pods): ClusterFinding[] => {
      const key = formatPrefix(pods.range)
      if (seen.has(key)) return []
      const inside = internalAddresses(state.objects).filter((a) => prefixContains(pods.range, a.ip))
      const lans = internalAddresses(state.objects).flatMap(({ node, ip }) => {
        const host = hostNetns(state.network, node.meta.name)
        const own = host && nodeNetwork(host, ip)
        return own && prefixesOverlap(own.route.dst, pods.range) ? [{ node: node.meta.name, host, ...own }] : []
      })
      if (inside.length === 0 && lans.length === 0) return []
      seen.add(key)
      const lan = lans[0]
      const taken = lan && hijacker(lan.host, lan.route, lan.link)
      return [
        clusterFinding('cidr-overlap-node', {
          severity: taken || inside.length > 0 ? 'error' : 'warning',
          title: `${pods.what} (${key}) overlaps the network of the nodes${lan ? ` (${formatPrefix(lan.route.dst)})` : ''}`,
          text: `${
            inside.length > 0
              ? `${inside
                  .slice(0, 3)
                  .map((a) => `${a.node.meta.name} has ${formatIp(a.ip)}`)
                  .join(', ')}, inside the range pods get addresses from. `
              : ''
          }${taken && lan ? `On ${lan.node} the route ${formatPrefix(taken.dst)} (${taken.type === 'unicast' ? `by ${linkOf(taken) ?? 'the plugin'}` : taken.type}) is more specific than the LAN's and takes packets for machines of the LAN. ` : ''}Machines of the LAN whose addresses the network plugin gives to pods, or has a route for, cannot be reached from nodes and pods.`,
          where: { ...(lan && taken ? { node: lan.node } : {}), object: pods.evidence.text.split(':')[0]! },
          concerns: [{ kind: 'object' }],
          evidence: [
            pods.evidence,
            ...inside.slice(0, 3).map((a) => nodeProof(a.node)),
            lan?.route.evidence,
            taken?.evidence,
          ],
          remedy: {
            text: 'Give the pods a range that does not overlap the LAN: make a new IP pool (or set the cluster up with another range), move the pods, remove the old one.',
          },
        }),
      ]
    })
  },
}

/** A route of the network plugin inside the LAN's range: block, tunnel or bridge. */
function hijacker(host: Netns, lan: Route, link: Link): Route | undefined {
  return host.routes.find(
    (r) =>
      r.table === MAIN_TABLE &&
      r.family === lan.family &&
      r.dst.length > lan.dst.length &&
      prefixContains(lan.dst, r.dst.ip) &&
      (r.type === 'blackhole' || (r.type === 'unicast' && linkOf(r) !== undefined && linkOf(r) !== link.name)),
  )
}
