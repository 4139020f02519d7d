/** Configured sizes that do not fit into each other. */
import { ipEquals } from '../../../base/ip.ts'
import type { Link } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { MAIN_TABLE } from '../../view/route-view.ts'
import { allHosts, concernsNode, concernsPod, type Host, hostLinksOf, podsOn } from '../links/hosts.ts'
import { overlaysOf, routesOver } from '../overlay/ends.ts'

/**
 * Bytes a tunnel puts before the inner IP packet: outer IP, UDP, tunnel header, inner Ethernet where there is one
 * (include/net/vxlan.h VXLAN_HEADROOM less the outer Ethernet, ip_tunnel, drivers/net/wireguard/messages.h). Null: unknown.
 */
export function overhead(link: Link, outer: 4 | 6): number | null {
  const ip = outer === 6 ? 40 : 20
  switch (link.kind) {
    case 'vxlan':
    case 'geneve':
      return ip + 8 + 8 + 14
    case 'ipip':
      return ip
    case 'wireguard':
      return ip + 8 + 32
    default:
      return null
  }
}

/** The link the tunnel's outer packets leave by: the one it was bound to, or the holder of its local address. */
function below(host: Host, tunnel: Link): Link | undefined {
  const { local, link } = tunnel.vxlan ?? tunnel.tunnel ?? {}
  const { links } = host.netns
  const bound = link === undefined ? undefined : links.find((l) => l.name === link || String(l.ifindex) === link)
  const holder = local && links.find((l) => l.addresses.some((a) => ipEquals(a.ip, local)))
  // WireGuard is bound to no link; its packets go where the node's own do.
  const way =
    tunnel.kind === 'wireguard'
      ? host.netns.routes.find((r) => r.dst.length === 0 && r.table === MAIN_TABLE)
      : undefined
  return bound ?? holder ?? links.find((l) => l.name === way?.nexthops[0]?.link)
}

function tunnelTooBig(host: Host, tunnel: Link): ClusterFinding[] {
  const nic = below(host, tunnel)
  const outer = (tunnel.vxlan?.local ?? tunnel.tunnel?.local)?.family ?? nic?.addresses[0]?.ip.family
  const extra = outer === undefined ? null : overhead(tunnel, outer)
  if (!nic || nic === tunnel || extra === null || tunnel.mtu + extra <= nic.mtu) return []
  return [
    clusterFinding('mtu-mismatch', {
      severity: 'warning',
      title: `${tunnel.name} on ${host.node} promises ${tunnel.mtu} bytes, ${nic.name} carries ${nic.mtu - extra} of them`,
      text: `Around each packet ${tunnel.name} puts ${extra} bytes, and ${nic.name} has an MTU of ${nic.mtu}. Packets of full size must be split, or are dropped where fragments are not allowed (most clouds): small answers arrive, large ones hang.`,
      where: { node: host.node, netns: 'host', link: tunnel.name },
      concerns: concernsNode(host),
      evidence: [tunnel.evidence, nic.evidence],
      remedy: {
        text: `Set the MTU of the CNI to ${nic.mtu - extra} or less and create the pods anew.`,
        commands: [`ip link set ${tunnel.name} mtu ${nic.mtu - extra}`],
      },
    }),
  ]
}

function podTooBig(state: ClusterState, host: Host, tunnel: Link, others: readonly Host[]): ClusterFinding[] {
  if (!others.some((o) => routesOver(host, o, tunnel.name).length > 0)) return []
  const big = podsOn(state, host).flatMap((pod) => {
    const link = pod.netns?.links.find((l) => l.addresses.some((a) => pod.addresses.some((p) => ipEquals(p, a.ip))))
    const route = pod.netns?.routes.find((r) => r.dst.length === 0 && r.mtu !== undefined)
    const size = Math.min(link?.mtu ?? 0, route?.mtu ?? Number.POSITIVE_INFINITY)
    return link && size > tunnel.mtu ? [{ pod, link }] : []
  })
  const first = big[0]
  if (!first) return []
  return [
    clusterFinding('mtu-mismatch', {
      severity: 'warning',
      title: `pods of ${host.node} send up to ${first.link.mtu} bytes, ${tunnel.name} carries ${tunnel.mtu}`,
      text: `${big.length} pod${big.length === 1 ? '' : 's'} (${first.pod.namespace}/${first.pod.name}${big.length > 1 ? ' and others' : ''}) have a larger MTU than the tunnel to the other nodes. The node tells them by ICMP "fragmentation needed"; where that message is lost, large answers hang, and UDP is split.`,
      where: { node: host.node, netns: 'host', link: tunnel.name },
      concerns: concernsNode(host),
      evidence: [first.link.evidence, tunnel.evidence],
      remedy: { text: `Set the MTU of the CNI to ${tunnel.mtu} and create the pods anew.` },
    }),
  ]
}

/** The two ends of a pod's veth: what is larger than the receiving end's MTU is dropped without a word (is_skb_forwardable). */
function vethEnds(state: ClusterState, host: Host): ClusterFinding[] {
  return podsOn(state, host).flatMap((pod) =>
    hostLinksOf(host, pod).flatMap((link) => {
      const inner = pod.netns?.links.find((l) => l.ifindex === link.peer?.ifindex && link.peer?.netns === pod.netns?.id)
      if (!inner || inner.mtu <= link.mtu) return []
      return [
        clusterFinding('mtu-mismatch', {
          severity: 'error',
          hurts: true,
          title: `pod ${pod.namespace}/${pod.name} sends up to ${inner.mtu} bytes, its host side ${link.name} takes ${link.mtu}`,
          text: `The two ends of one veth differ. What the pod sends in packets larger than ${link.mtu} bytes is dropped at ${link.name} without a message: small requests work, large ones hang.`,
          where: { node: host.node, netns: 'host', link: link.name },
          concerns: concernsPod(pod),
          evidence: [inner.evidence, link.evidence],
          remedy: {
            text: 'Give both ends one MTU, or create the pod anew.',
            commands: [`ip link set ${link.name} mtu ${inner.mtu}`],
          },
        }),
      ]
    }),
  )
}

/** Nodes that give the same tunnel different sizes. */
function endsDisagree(ends: readonly { readonly host: Host; readonly link: Link }[]): ClusterFinding[] {
  const sorted = [...ends].sort((x, y) => x.link.mtu - y.link.mtu)
  const [small, big] = [sorted[0], sorted.at(-1)]
  if (!small || !big || small.link.mtu === big.link.mtu) return []
  return [
    clusterFinding('mtu-mismatch', {
      severity: 'warning',
      title: `${big.host.node} and ${small.host.node} disagree about the size of ${small.link.name} (${big.link.mtu} and ${small.link.mtu} bytes)`,
      text: `Pods of ${big.host.node} may send packets that the network of ${small.host.node} does not carry. TCP between pods agrees on the smaller size when the pods' own MTUs follow; UDP does not.`,
      where: { node: small.host.node, netns: 'host', link: small.link.name },
      concerns: [...concernsNode(small.host), ...concernsNode(big.host)],
      evidence: [big.link.evidence, small.link.evidence],
      remedy: { text: "Set one MTU in the CNI's configuration for all nodes: the smallest any of them carries." },
    }),
  ]
}

/** `mtu-mismatch`: of a pod and its tunnel, a tunnel and its NIC, two ends of a tunnel, two ends of a veth. */
export const mtuMismatch: ClusterCheck = {
  name: 'mtu-mismatch',
  find(state) {
    const hosts = allHosts(state).filter((h) => h.netns.known.has('links'))
    return [
      ...hosts.flatMap((host) => vethEnds(state, host)),
      ...overlaysOf(state, hosts).flatMap(({ ends }) => {
        const up = ends.filter((e) => e.link.flags.has('UP'))
        const others = (host: Host) => up.filter((e) => e.host !== host).map((e) => e.host)
        return [
          ...up.flatMap(({ host, link }) => [
            ...tunnelTooBig(host, link),
            ...podTooBig(state, host, link, others(host)),
          ]),
          ...endsDisagree(up),
        ]
      }),
    ]
  },
}
