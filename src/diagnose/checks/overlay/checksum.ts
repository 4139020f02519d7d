import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { concernsNode, counterProof, type Host } from '../links/hosts.ts'
import { overlaysOf } from './ends.ts'

/** So many damaged datagrams are no accident of a cable. */
const MANY = 100

/**
 * Linux releases whose VXLAN offload leaves a wrong checksum when the outer packet is translated twice (kubernetes#88986; fixed in
 * 4.14.181, 4.19.123, 5.4.41, 5.6.13 and 5.7). Null: the release is not of a form we can compare.
 */
export function hasOffloadFault(release: string | undefined): boolean | null {
  const m = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release ?? '')
  if (!m) return null
  const [major, minor, patch] = [Number(m[1]), Number(m[2]), Number(m[3] ?? 0)]
  const fixed: Record<string, number> = { '4.14': 181, '4.19': 123, '5.4': 41, '5.6': 13 }
  const at = fixed[`${major}.${minor}`]
  if (at !== undefined) return patch < at
  return major < 5 || (major === 5 && minor < 7)
}

function ofHost(host: Host, link: string, peers: readonly Host[]): ClusterFinding[] {
  const name = ['UdpInCsumErrors', 'Udp6InCsumErrors'].find((n) => (host.netns.counters.get(n) ?? 0) >= MANY)
  if (name === undefined) return []
  const faulty = peers.filter((p) => hasOffloadFault(p.info.kernelRelease) === true)
  const on = peers.find((p) => p.info.files?.ethtool?.get(link)?.features.get('tx-checksum-ip-generic')?.on === true)
  const offload = on?.info.files?.ethtool?.get(link)?.features.get('tx-checksum-ip-generic')
  return [
    clusterFinding('tunnel-checksum-offload', {
      severity: faulty.length > 0 ? 'error' : 'warning',
      hurts: faulty.length > 0,
      title: `${host.node} drops datagrams with wrong checksums; the checksum offload of ${link} is the usual cause`,
      text: `${host.netns.counters.get(name)} datagrams came in damaged (${name}), and ${host.node} receives tunnel packets as datagrams. A sender whose kernel or NIC fills in the checksum of ${link} wrongly looks like this: pings pass, TCP between nodes hangs for 63 s or crawls. ${faulty.length > 0 ? `${faulty.map((h) => `${h.node} runs ${h.info.kernelRelease}`).join(', ')}, which has that fault.` : 'No node runs a kernel known for it, so a NIC or its driver may be to blame, or something else that sends datagrams here.'}`,
      where: { node: host.node, netns: 'host', link },
      concerns: concernsNode(host),
      evidence: [counterProof(host.netns, name), offload?.evidence],
      remedy: {
        text: 'Switch the offload off on the sending nodes, see whether the counter stands still, and update their kernel or driver.',
        commands: [`ethtool -K ${link} tx-checksum-ip-generic off`],
      },
    }),
  ]
}

/** `tunnel-checksum-offload`: many damaged datagrams on a node with a VXLAN end. */
export const tunnelChecksum: ClusterCheck = {
  name: 'tunnel-checksum-offload',
  find: (state) =>
    overlaysOf(state).flatMap(({ ends }) =>
      ends.flatMap((end) => {
        const peers = ends.filter((e) => e !== end).map((e) => e.host)
        return end.link.kind === 'vxlan' ? ofHost(end.host, end.link.name, peers) : []
      }),
    ),
}
