/** Connections whose answers would come from an address that is no endpoint any more. */
import { formatEndpoint, formatIp, ipEquals } from '../../../base/ip.ts'
import { hasPorts, protocolName, TCP, UDP } from '../../../base/protocol.ts'
import { ipKey } from '../../../datapath/facts.ts'
import type { ConntrackEntry } from '../../../model/conntrack.ts'
import type { Severity } from '../../../model/finding.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { withNetns } from '../../remedy/edit.ts'
import { sliceProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { backendsOf, serviceName } from '../../view/service-view.ts'
import { type Host, hostsOf } from '../links/hosts.ts'
import { addressIndex, type ServiceFront } from './address-index.ts'

/** A table of a large node holds a hundred thousand entries; more findings than this say no more. */
const MOST = 20

/** How bad an entry to a vanished endpoint is; null: it harms nobody (it is closing). */
function severityOf(e: ConntrackEntry): Severity | null {
  if (e.original.protocol === UDP) return e.seenReply ? 'warning' : 'error'
  if (e.original.protocol !== TCP) return null
  if (e.tcpState === 'SYN_SENT') return 'warning'
  return e.tcpState === 'ESTABLISHED' ? 'info' : null
}

/** Nobody we know has the address: the last question, for it looks through the whole network. */
function isGone(state: ClusterState, e: ConntrackEntry): boolean {
  const owner = ownerOf(state.network, state.objects, e.reply.src)
  return owner.kind === 'pod-range' || owner.kind === 'outside'
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const index = addressIndex(state.objects)
  const groups = new Map<string, { front: ServiceFront; severity: Severity; entries: ConntrackEntry[] }>()
  for (const e of host.netns.conntrack) {
    const { original, reply } = e
    if (!hasPorts(original.protocol) || ipEquals(reply.src, original.dst)) continue
    const severity = severityOf(e)
    const front = severity === null ? undefined : index.frontAt(original.dst, original.dport, original.protocol)
    if (severity === null || !front) continue
    // A pod that left its Service and still runs finishes what it began.
    if (front.endpoints().has(ipKey(reply.src)) || index.podAt(reply.src)) continue
    const key = `${serviceName(front.service)} ${formatIp(reply.src)} ${original.protocol} ${severity}`
    const group = groups.get(key) ?? { front, severity, entries: [] }
    group.entries.push(e)
    groups.set(key, group)
  }
  return [...groups.values()]
    .slice(0, MOST)
    .filter(({ entries }) => isGone(state, entries[0]!))
    .map(({ front, severity, entries }) => said(state, host, front, severity, entries))
}

function said(
  state: ClusterState,
  host: Host,
  front: ServiceFront,
  severity: Severity,
  entries: readonly ConntrackEntry[],
): ClusterFinding {
  const e = entries[0]!
  const gone = formatIp(e.reply.src)
  const name = protocolName(e.original.protocol)
  const slice = backendsOf(state.objects, front.service, front.port)[0]?.slice
  const more = entries.length > 1 ? ` and ${entries.length - 1} more` : ''
  return clusterFinding('conntrack-stale', {
    severity,
    title: `a conntrack entry on ${host.node} still sends source port ${e.original.sport} to ${gone}, which is gone`,
    text: `New connections to ${serviceName(front.service)} work. But what ${formatEndpoint(e.original.src, e.original.sport)}${more} sends is caught by an entry made when ${gone} was an endpoint${e.seenReply ? '' : '; it was never answered, and every packet refreshes it'}. A client with a fixed source port (DNS forwarder, statsd, syslog) or a long connection stays cut off until the entry goes.`,
    where: { node: host.node, netns: 'host', object: `Service ${serviceName(front.service)}` },
    concerns: [{ kind: 'service', namespace: front.service.meta.namespace, name: front.service.meta.name }],
    evidence: [...entries.slice(0, 5).map((x) => x.evidence), slice && sliceProof(slice)],
    remedy: {
      text: 'Delete the entry; kube-proxy of 1.32 and newer removes such entries itself.',
      commands: [`conntrack -D -p ${name} --orig-dst ${formatIp(e.original.dst)} --reply-src ${gone}`],
    },
    edit: (n) =>
      withNetns(n, host.netns.id, (x) => ({ ...x, conntrack: x.conntrack.filter((y) => !entries.includes(y)) })),
  })
}

/** `conntrack-stale`, for every entry of every node ("Blackholes and Wormholes": blackhole 1). */
export const conntrackStaleState: ClusterCheck = {
  name: 'conntrack-stale-state',
  find(state) {
    const { known } = state.objects
    if (!known.has('Service') || !known.has('EndpointSlice') || !known.has('Pod')) return []
    return hostsOf(state).flatMap((host) => (host.netns.known.has('conntrack') ? ofHost(state, host) : []))
  },
}
