import { ipEquals } from '../../../base/ip.ts'
import { UDP } from '../../../base/protocol.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { concernsNode, counterProof, type Host, hostsOf } from '../links/hosts.ts'

/** A few entries are lost on any node, now and then. */
const SOME = 100

function ofHost(host: Host): ClusterFinding[] {
  const { netns } = host
  const lost = netns.counters.get('conntrack.insert_failed') ?? 0
  if (lost < SOME || !netns.known.has('conntrack')) return []
  const dns = netns.conntrack.find(
    (e) => e.original.protocol === UDP && e.original.dport === 53 && !ipEquals(e.reply.src, e.original.dst),
  )
  return [
    clusterFinding('conntrack-insert-race', {
      severity: dns ? 'warning' : 'info',
      title: `${host.node} lost ${lost} packets to the conntrack race${dns ? '; name lookups that take 5 s are its usual sign' : ''}`,
      text: `Two packets from one UDP socket at once (a lookup for A and one for AAAA) each make a conntrack entry; only one can be inserted, and the other packet is dropped (insert_failed). ${dns ? 'Pods of this node ask a DNS Service whose address is translated, so the resolver of a pod then waits 5 s and asks again.' : 'No translated DNS lookup is in the table now, so nothing tells that name lookups suffer.'} The counter says how often, not when.`,
      where: { node: host.node, netns: 'host' },
      concerns: dns ? [{ kind: 'dns' }, ...concernsNode(host)] : concernsNode(host),
      evidence: [counterProof(netns, 'conntrack.insert_failed'), dns?.evidence],
      remedy: {
        text: 'Run a node-local DNS cache, or give pods dnsConfig options single-request-reopen or use-vc; watch whether the counter rises.',
        commands: ['conntrack -S'],
      },
    }),
  ]
}

/** `conntrack-insert-race`: never more than a warning, for a counter tells no cause (nf_conntrack_confirm: insert_failed). */
export const conntrackInsertRace: ClusterCheck = {
  name: 'conntrack-insert-race',
  find: (state) => hostsOf(state).flatMap(ofHost),
}
