import { formatEndpoint } from '../../../base/ip.ts'
import { TCP } from '../../../base/protocol.ts'
import type { Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, Concern } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { counterProof } from '../links/hosts.ts'

const COUNTER = 'TcpExtListenOverflows'
/** A burst at start-up overflows a queue now and then; so many do not come from that. */
const MANY = 100

function ofNetns(netns: Netns): ClusterFinding[] {
  const overflows = netns.counters.get(COUNTER) ?? 0
  const listeners = netns.sockets.filter((s) => s.protocol === TCP && s.state === 'LISTEN' && s.sendQueue > 0)
  // sk_acceptq_is_full: more waiting than the backlog allows.
  const full = listeners.filter((s) => s.recvQueue > s.sendQueue)
  if (full.length === 0 && overflows < MANY) return []
  const place = netns.pod ? `pod ${netns.pod.namespace}/${netns.pod.name}` : netns.node
  const where = { node: netns.node, netns: netns.id.slice(netns.node.length + 1) }
  const concerns: Concern[] = netns.pod
    ? [{ kind: 'pod', namespace: netns.pod.namespace, name: netns.pod.name }]
    : [{ kind: 'node', node: netns.node }]
  const remedy = {
    text: 'Find out why the program does not accept (stuck worker, too few threads); raise its backlog and net.core.somaxconn if it is only bursts.',
  }
  if (full.length === 0)
    return [
      clusterFinding('accept-queue-overflow', {
        severity: 'warning',
        title: `a program on ${place} did not accept fast enough ${overflows} times`,
        text: `${COUNTER} counts connections dropped because the queue of a listening program was full; clients saw a timeout or a delay of 1, 3 or 7 s. No queue is full now, and the counter does not tell which program or when.`,
        where,
        concerns,
        evidence: [counterProof(netns, COUNTER)],
        remedy,
      }),
    ]
  return full.slice(0, 10).map((s) =>
    clusterFinding('accept-queue-overflow', {
      severity: 'error',
      // The traces know a full queue themselves; what they let pass is not touched by it.
      title: `the program on ${place} port ${s.localPort} does not accept: its queue is full`,
      text: `${s.recvQueue} connections wait at ${formatEndpoint(s.local, s.localPort)} in a queue for ${s.sendQueue}. The kernel drops further SYNs silently, so clients see a timeout although the port is open. The program is stuck or too slow.`,
      where,
      concerns,
      evidence: [s.evidence, counterProof(netns, COUNTER)],
      remedy,
    }),
  )
}

/** `accept-queue-overflow`: a listener's queue is full now, or overflowed often (net/ipv4/tcp_input.c tcp_conn_request). */
export const acceptQueueOverflow: ClusterCheck = {
  name: 'accept-queue-overflow',
  find: (state) => [...state.network.netns.values()].flatMap(ofNetns),
}
