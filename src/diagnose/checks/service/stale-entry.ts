import { formatEndpoint, formatIp, ipEquals } from '../../../base/ip.ts'
import { hasPorts, protocolName, TCP } from '../../../base/protocol.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { withNetns } from '../../remedy/edit.ts'
import { placed } from '../../remedy/place.ts'
import { sliceProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { backendsOf, frontendOf, serviceName } from '../../view/service-view.ts'

/**
 * `conntrack-stale` beside the path: new connections are fine, but a connection of this very client to this very Service
 * is held by an entry that leads to an address which is no endpoint and was never answered from. The client that owns that source
 * port gets no answer until the entry is gone.
 */
export function staleEntries(q: Inquiry): StateFinding[] {
  const out: StateFinding[] = []
  for (const branch of q.branches) {
    const first = branch.trace.forward.hops[0]?.steps[0]?.packet
    if (!first) continue
    const front = frontendOf(q, first.dst, first.dport, first.protocol)
    if (!front || !hasPorts(first.protocol)) continue
    const backends = backendsOf(q.objects, front.service, front.port)
    for (const id of new Set(branch.trace.forward.hops.map((h) => h.netns))) {
      const netns = q.network.netns.get(id)
      for (const e of netns?.conntrack ?? []) {
        // A TCP client takes a new port for its next try, and an entry that was never answered dies in two minutes.
        if (e.original.protocol === TCP) continue
        if (!netns || e.original.protocol !== first.protocol || e.original.dport !== first.dport || e.seenReply)
          continue
        if (!ipEquals(e.original.dst, first.dst) || !ipEquals(e.original.src, first.src)) continue
        if (ipEquals(e.reply.src, e.original.dst)) continue
        if (backends.some((b) => ipEquals(b.ip, e.reply.src))) continue
        const owner = ownerOf(q.network, q.objects, e.reply.src)
        if (owner.kind === 'pod' || owner.kind === 'node') continue
        if (out.some((o) => o.finding.evidence[0]?.text === e.evidence?.text)) continue
        const name = protocolName(first.protocol)
        out.push({
          hurts: true,
          edit: (n) => withNetns(n, netns.id, (x) => ({ ...x, conntrack: x.conntrack.filter((y) => y !== e) })),
          finding: placed({
            code: 'conntrack-stale',
            severity: 'error',
            title: `a conntrack entry on ${netns.node} still sends source port ${e.original.sport} to ${formatIp(e.reply.src)}, which is gone`,
            text: `New connections to ${serviceName(front.service)} work. But what ${formatEndpoint(e.original.src, e.original.sport)} sends is caught by an entry made when ${formatIp(e.reply.src)} was an endpoint; it was never answered, and every packet refreshes it. A client with a fixed source port (DNS forwarder, statsd, syslog) stays cut off until the entry goes.`,
            where: { node: netns.node, netns: 'host', object: `Service ${serviceName(front.service)}` },
            evidence: [...(e.evidence ? [e.evidence] : []), ...(backends[0] ? [sliceProof(backends[0].slice)] : [])],
            remedy: {
              text: 'Delete the entry; kube-proxy of 1.32 and newer removes such entries itself.',
              commands: [
                `conntrack -D -p ${name} --orig-dst ${formatIp(e.original.dst)} --reply-src ${formatIp(e.reply.src)}`,
              ],
              verified: false,
            },
          }),
        })
      }
    }
  }
  return out
}
