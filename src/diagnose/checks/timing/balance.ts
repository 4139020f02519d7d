/** `connection-not-rebalanced`: a Service balances connections, not requests; those that last stay where they are. */
import { formatEndpoint, formatIp, parseIp } from '../../../base/ip.ts'
import { protocolNumber, TCP } from '../../../base/protocol.ts'
import type { ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { sliceProof } from '../../view/object-proof.ts'
import { backendsOf, serviceName, usableBackends } from '../../view/service-view.ts'

/** With chance alone, one of N endpoints without any of so many connections per endpoint is rare: (1-1/N)^(8N) < 0.0004. */
const PER_ENDPOINT = 8

export const notRebalanced: ClusterCheck = {
  name: 'connection-not-rebalanced',
  find(state) {
    // Only ever info, which `why` does not tell: a question need not read the tables.
    if (state.focus !== undefined) return []
    const established = establishedTo(state)
    if (established.size === 0) return []
    return state.objects.services.flatMap((s) => s.ports.flatMap((p) => judge(state, s, p, established)))
  },
}

type Established = ReadonlyMap<string, readonly { readonly to: string; readonly evidence: Evidence | undefined }[]>

/** Established TCP connections in the nodes' tables, by the address and port that was asked for. */
function establishedTo({ network }: ClusterState): Established {
  const out = new Map<string, { to: string; evidence: Evidence | undefined }[]>()
  for (const n of network.netns.values()) {
    if (n.kind !== 'host' || !n.known.has('conntrack')) continue
    for (const e of n.conntrack) {
      if (e.tcpState !== 'ESTABLISHED') continue
      const key = formatEndpoint(e.original.dst, e.original.dport)
      const list = out.get(key) ?? []
      list.push({ to: formatIp(e.reply.src), evidence: e.evidence })
      out.set(key, list)
    }
  }
  return out
}

function judge(
  { objects }: ClusterState,
  s: ServiceObject,
  p: ServicePort,
  established: Established,
): ClusterFinding[] {
  if (s.sessionAffinity !== 'None' || s.internalTrafficPolicy === 'Local' || s.trafficDistribution !== undefined)
    return []
  if (protocolNumber(p.protocol) !== TCP) return []
  const backends = usableBackends(backendsOf(objects, s, p))
  // Hints keep connections in their zone.
  if (backends.length < 2 || backends.some((b) => b.slice.endpoints.some((e) => e.hintZones.length > 0))) return []
  const count = new Map(backends.map((b) => [b.address, 0]))
  const proof: Evidence[] = []
  for (const address of s.clusterIPs) {
    const ip = parseIp(address)
    for (const e of (ip && established.get(formatEndpoint(ip, p.port))) ?? []) {
      const known = count.get(e.to)
      if (known === undefined) continue
      count.set(e.to, known + 1)
      if (e.evidence && proof.length < 3) proof.push(e.evidence)
    }
  }
  const total = [...count.values()].reduce((sum, n) => sum + n, 0)
  const idle = backends.filter((b) => count.get(b.address) === 0)
  if (total < PER_ENDPOINT * backends.length || idle.length === 0) return []
  return [
    clusterFinding('connection-not-rebalanced', {
      severity: 'info',
      title: `${total} connections to Service ${serviceName(s)}, none of them to ${idle
        .map((b) => b.pod?.meta.name ?? b.address)
        .slice(0, 3)
        .join(', ')}`,
      text: `An endpoint is chosen when a connection is made. Long-lived ones (HTTP/2, gRPC, database pools) stay with the pods that were there then: new pods stay idle while the old ones are busy. The rules are right; new connections are spread.`,
      where: { object: `Service ${serviceName(s)}` },
      concerns: [{ kind: 'service', namespace: s.meta.namespace, name: s.meta.name }],
      evidence: [...proof, ...backends.slice(0, 1).map((b) => sliceProof(b.slice))],
      remedy: {
        text: 'Let clients or servers end connections after some time (max connection age), or balance by request in a proxy.',
      },
    }),
  ]
}
