import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import {
  concernsNode,
  counterProof,
  type Host,
  hostsOf,
  kernelLines,
  sysctlNumber,
  sysctlProof,
} from '../links/hosts.ts'

const COUNT = 'net.netfilter.nf_conntrack_count'
const MAX = 'net.netfilter.nf_conntrack_max'

/** Above this share the table fills with the next burst. */
const CLOSE = 0.85
/** At this share it is taken for full: the count moves while it is read. */
const FULL = 0.97

function ofHost(host: Host): ClusterFinding[] {
  const { netns } = host
  const count = sysctlNumber(netns, COUNT)
  const most = sysctlNumber(netns, MAX)
  if (count === undefined || most === undefined || most === 0) return []
  const said = kernelLines(host, /nf_conntrack: table full, dropping packet/)
  const dropped = (netns.counters.get('conntrack.drop') ?? 0) + (netns.counters.get('conntrack.early_drop') ?? 0)
  const share = count / most
  const full = share >= FULL || (share >= CLOSE && (said.length > 0 || dropped > 0))
  if (!full && share < CLOSE && said.length === 0) return []
  const percent = Math.round(share * 100)
  return [
    clusterFinding('conntrack-full', {
      severity: full ? 'error' : 'warning',
      hurts: full,
      title: full
        ? `the connection table of ${host.node} is full (${count} of ${most})`
        : share >= CLOSE
          ? `the connection table of ${host.node} is nearly full (${count} of ${most}, ${percent} %)`
          : `the connection table of ${host.node} was full; now it holds ${count} of ${most}`,
      text: `${full ? 'New connections by way of this node are dropped by chance, whoever makes them: pods, node ports, ssh. Those that exist go on, so it looks like a lossy network.' : share >= CLOSE ? 'A burst of new connections will fill it, and then new connections are dropped by chance.' : 'The kernel logged that it dropped packets for want of room. It will happen again under the same load.'}${dropped > 0 ? ` ${dropped} packets or entries were dropped so far.` : ''}`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [
        ...said,
        ...sysctlProof(netns, COUNT, MAX),
        counterProof(netns, 'conntrack.drop'),
        counterProof(netns, 'conntrack.early_drop'),
      ],
      remedy: {
        text: "Raise the limit (kube-proxy's conntrack.maxPerCore and min set it), and find who fills the table: many entries of one source are a client that never reuses connections.",
        commands: [
          `sysctl -w ${MAX}=${most * 2}`,
          "conntrack -L | awk '{print $4, $5}' | sort | uniq -c | sort -rn | head",
        ],
      },
    }),
  ]
}

/** `conntrack-full`: nf_conntrack_count at nf_conntrack_max (net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc). */
export const conntrackFull: ClusterCheck = {
  name: 'conntrack-full',
  find: (state) => hostsOf(state).flatMap(ofHost),
}
