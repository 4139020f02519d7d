/** Links of running pods that are down or hang on nothing, and bridges that are down under them. */
import { prefixContains } from '../../../base/ip.ts'
import type { Link } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { withLink, withLinkUp } from '../../remedy/edit.ts'
import {
  concernsNode,
  concernsPod,
  type Host,
  hostLinksOf,
  hostsOf,
  type LocalPod,
  podBridges,
  podsOn,
} from './hosts.ts'

const isDown = (link: Link) => !link.flags.has('UP')

function podLinksDown(host: Host, pod: LocalPod): ClusterFinding[] {
  const name = `${pod.namespace}/${pod.name}`
  const both = [
    ...hostLinksOf(host, pod).map((link) => ({ netns: host.netns, link })),
    ...(pod.netns
      ? pod.netns.links.flatMap((link) => (carries(pod, link) && pod.netns ? [{ netns: pod.netns, link }] : []))
      : []),
  ]
  return both
    .filter(({ link }) => isDown(link))
    .map(({ netns, link }) => {
      const inPod = netns !== host.netns
      return clusterFinding('link-down', {
        severity: 'error',
        title: `${link.name} ${inPod ? 'in' : `on ${host.node}, the host side of`} pod ${name}${inPod ? '' : ','} is set down`,
        text: `Pod ${name} runs, but its link is administratively down (no UP flag): nothing reaches it and nothing leaves it. The other pods of ${host.node} are not affected.`,
        where: { node: host.node, netns: inPod ? `pod/${name}` : 'host', link: link.name },
        concerns: concernsPod(pod),
        evidence: [link.evidence, pod.object?.evidence],
        remedy: {
          text: "Set it up, and keep NetworkManager and scripts off the CNI's links.",
          commands: [`ip link set ${link.name} up`],
        },
        edit: (n) => withLinkUp(n, netns.id, link.name),
      })
    })
}

/** The pod's own link: a veth (or the like) that is its first interface or carries one of its addresses. */
function carries(pod: LocalPod, link: Link): boolean {
  if (link.kind === 'loopback') return false
  return (
    link.name === 'eth0' ||
    link.addresses.some((a) => pod.addresses.some((p) => p.d === a.ip.d && p.family === a.ip.family))
  )
}

/** A pod's host link outside every bridge although the pod's address is in a bridge's subnet and no route leads to the link. */
function looseLinks(host: Host, pod: LocalPod): ClusterFinding[] {
  const { links, routes, known } = host.netns
  if (!known.has('routes')) return []
  return hostLinksOf(host, pod).flatMap((link) => {
    if (link.master !== undefined || isDown(link)) return []
    if (routes.some((r) => r.nexthops.some((n) => n.link === link.name))) return []
    if (link.addresses.some((a) => a.scope === 'global')) return []
    const bridge = links.find(
      (b) =>
        b.kind === 'bridge' &&
        b.addresses.some((a) => pod.addresses.some((ip) => prefixContains({ ip: a.ip, length: a.length }, ip))),
    )
    if (!bridge) return []
    return [
      clusterFinding('bridge-port-missing', {
        severity: 'error',
        title: `${link.name}, the host side of pod ${pod.namespace}/${pod.name}, is not a port of ${bridge.name} on ${host.node}`,
        text: `The pod's address is in the subnet of ${bridge.name}, but its link has no master: frames of ${bridge.name} never reach it.`,
        where: { node: host.node, netns: 'host', link: link.name },
        concerns: concernsPod(pod),
        evidence: [link.evidence, bridge.evidence],
        remedy: {
          text: 'Attach it again, or create the pod anew.',
          commands: [`ip link set ${link.name} master ${bridge.name}`],
        },
        edit: (n) => withLink(n, host.netns.id, link.name, (l) => ({ ...l, master: bridge.ifindex })),
      }),
    ]
  })
}

function bridgesDown(state: ClusterState, host: Host): ClusterFinding[] {
  return podBridges(state, host)
    .filter(({ bridge }) => isDown(bridge))
    .map(({ bridge, ports }) =>
      clusterFinding('bridge-down', {
        severity: 'error',
        title: `the bridge ${bridge.name} on ${host.node} is set down, with ${ports.length} pod links on it`,
        text: `All pods of ${host.node} hang on ${bridge.name}. It is administratively down (no UP flag), so they reach nobody, not even each other, and its routes are gone.`,
        where: { node: host.node, netns: 'host', link: bridge.name },
        concerns: concernsNode(host),
        evidence: [bridge.evidence, ports[0]?.evidence],
        remedy: {
          text: 'Set it up, and find out what set it down (NetworkManager, a script, a reload of the network service).',
          commands: [`ip link set ${bridge.name} up`],
        },
        edit: (n) => withLinkUp(n, host.netns.id, bridge.name),
      }),
    )
}

/** `link-down`, `bridge-port-missing`, `bridge-down` wherever pods need the link; an unused bridge without carrier is healthy. */
export const podLinkState: ClusterCheck = {
  name: 'pod-link-state',
  find: (state) =>
    hostsOf(state).flatMap((host) =>
      host.netns.known.has('links')
        ? [
            ...bridgesDown(state, host),
            ...podsOn(state, host).flatMap((pod) => [...podLinksDown(host, pod), ...looseLinks(host, pod)]),
          ]
        : [],
    ),
}
