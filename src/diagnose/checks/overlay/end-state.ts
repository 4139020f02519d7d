/** A node's own tunnel end: there, up, and like the others'. */
import { formatIp } from '../../../base/ip.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { withLinkUp } from '../../remedy/edit.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { allHosts, concernsNode, type Host, podsOn } from '../links/hosts.ts'
import {
  announces,
  hostsWith,
  type Overlay,
  overlaysOf,
  PUBLIC_IP,
  routesOver,
  type TunnelEnd,
  usual,
  VXLAN_DEFAULTS,
} from './ends.ts'
import { mismatchWords } from './words.ts'

/** `tunnel-down`: set down here, while another node sends its packets for this one by its own end. */
function down(overlay: Overlay, end: TunnelEnd): ClusterFinding[] {
  const { host, link } = end
  if (link.flags.has('UP')) return []
  const user = overlay.ends.find(
    (e) => e !== end && e.link.flags.has('UP') && routesOver(e.host, host, e.link.name).length > 0,
  )
  const route = user && routesOver(user.host, host, user.link.name)[0]
  if (!user) return []
  return [
    clusterFinding('tunnel-down', {
      severity: 'error',
      title: `the tunnel device ${link.name} on ${host.node} is set down`,
      text: `${link.name} carries the traffic between the pods of ${host.node} and those of other nodes. When it was set down the kernel removed its routes and its permanent neighbours; they do not come back when it is set up. Pods of ${host.node} still reach each other.`,
      where: { node: host.node, netns: 'host', link: link.name },
      concerns: concernsNode(host),
      evidence: [link.evidence, route?.evidence],
      remedy: {
        text: `Set it up, then restart the CNI's node agent on ${host.node} so that it restores the routes. Keep NetworkManager off the device.`,
        commands: [`ip link set ${link.name} up`],
      },
      edit: (n) => withLinkUp(n, host.netns.id, link.name),
    }),
  ]
}

/** `tunnel-missing`: the others have it and send to this node's pods by it. */
function missing(state: ClusterState, hosts: readonly Host[], overlay: Overlay): ClusterFinding[] {
  return hosts.flatMap((host) => {
    if (overlay.ends.some((e) => e.host === host) || !host.netns.known.has('links')) return []
    const user = overlay.ends.find((e) => routesOver(e.host, host, e.link.name).length > 0)
    if (!user || podsOn(state, host).length === 0) return []
    return [
      clusterFinding('tunnel-missing', {
        severity: 'error',
        title: `${host.node} has no tunnel device ${user.link.name}, which the other nodes have`,
        text: `${overlay.ends.map((e) => e.host.node).join(', ')} send packets for the pods of ${host.node} by ${user.link.name}; on ${host.node} there is no such device, so nobody unwraps them and nothing goes back.`,
        where: { node: host.node, netns: 'host', link: user.link.name },
        concerns: concernsNode(host),
        evidence: [user.link.evidence, routesOver(user.host, host, user.link.name)[0]?.evidence],
        remedy: {
          text: `Restart the CNI's node agent on ${host.node} and read its log: it could not make the device, or somebody deleted it.`,
        },
      }),
    ]
  })
}

/** `tunnel-port-mismatch`, `tunnel-vni-mismatch`: this end differs from what most ends have. */
function mismatches(overlay: Overlay): ClusterFinding[] {
  const ends = overlay.ends.filter((e) => e.link.vxlan !== undefined)
  return (['port', 'vni'] as const).flatMap((field) => {
    const right = usual(
      ends.map((e) => e.link.vxlan?.[field]),
      VXLAN_DEFAULTS[overlay.name]?.[field],
    )
    const model = ends.find((e) => e.link.vxlan?.[field] === right)
    return ends
      .filter((e) => e.link.vxlan?.[field] !== right)
      .flatMap((e) => {
        if (!model) return []
        const words = mismatchWords(
          field === 'port' ? 'UDP port' : 'VNI',
          { node: model.host.node, link: model.link },
          { node: e.host.node, link: e.link },
          `packets for the pods of ${e.host.node}`,
        )
        return [
          clusterFinding(field === 'port' ? 'tunnel-port-mismatch' : 'tunnel-vni-mismatch', {
            ...words,
            evidence: words.evidence ?? [],
            severity: 'error',
            where: { node: e.host.node, netns: 'host', link: e.link.name },
            concerns: concernsNode(e.host),
          }),
        ]
      })
  })
}

/** `tunnel-source-wrong`: the address the end sends from is not the node's alone. */
function sources(hosts: readonly Host[], overlay: Overlay): ClusterFinding[] {
  return overlay.ends.flatMap(({ host, link }) => {
    const local = link.vxlan?.local ?? link.tunnel?.local
    if (!local || !link.flags.has('UP') || local.d === 0) return []
    const holders = hostsWith(hosts, local)
    const own = holders.includes(host)
    const shared = holders.filter((h) => h !== host)
    if (own && shared.length === 0) return []
    const said = hosts.filter((h) => announces(h, local))
    return [
      clusterFinding('tunnel-source-wrong', {
        severity: 'error',
        title: own
          ? `${host.node} sends tunnel packets from ${formatIp(local)}, which ${shared.map((h) => h.node).join(', ')} ${shared.length > 1 ? 'have' : 'has'} too`
          : `${host.node} sends tunnel packets from ${formatIp(local)}, which none of its links has`,
        text: own
          ? `Every machine has ${formatIp(local)} on a NIC of its own (a NAT NIC of virtual machines), so answers to it never leave the machine that sends them. The CNI chose the wrong interface.`
          : `${link.name} was made for ${formatIp(local)}; ${host.node} no longer has that address, so its tunnel packets are not sent, and its peers answer to an address that is gone.`,
        where: { node: host.node, netns: 'host', link: link.name },
        concerns: concernsNode(host),
        evidence: [
          link.evidence,
          ...shared.map((h) => h.object && nodeProof(h.object)),
          ...said.map((h) => h.object && nodeProof(h.object, PUBLIC_IP)),
        ],
        remedy: {
          text: 'Tell the CNI which interface joins the nodes (flannel --iface=…, Calico IP_AUTODETECTION_METHOD) and restart its agent.',
        },
      }),
    ]
  })
}

/** State of each tunnel end beside its peers. */
export const tunnelEnds: ClusterCheck = {
  name: 'tunnel-ends',
  find(state) {
    const hosts = allHosts(state).filter((h) => h.netns.known.has('links'))
    return overlaysOf(state, hosts).flatMap((overlay) => [
      ...overlay.ends.flatMap((end) => down(overlay, end)),
      ...missing(state, hosts, overlay),
      ...mismatches(overlay),
      ...sources(hosts, overlay),
    ])
  },
}
