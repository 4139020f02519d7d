/** internalTrafficPolicy and externalTrafficPolicy Local: a node without an endpoint of its own drops. */
import { diagnosis } from '../../finding.ts'
import type { Check, Inquiry } from '../../inquiry.ts'
import { withServiceEndpoints } from '../../remedy/service.ts'
import { serviceProof, sliceProof } from '../../view/object-proof.ts'
import { type Backend, backendsOf, frontendOf, serviceName, usableBackends } from '../../view/service-view.ts'
import { patchService } from './no-endpoints.ts'

/** Endpoints whose pod (or address) is on `node`, although their nodeName says otherwise. */
function misnamed(q: Inquiry, backends: readonly Backend[], node: string): Backend[] {
  const names = new Set(q.objects.nodes.map((n) => n.meta.name))
  return backends.filter(
    (b) => b.nodeName !== undefined && b.nodeName !== node && !names.has(b.nodeName) && b.pod?.nodeName === node,
  )
}

/** `traffic-policy-no-local-endpoint`, or `service-topology-mismatch` when there is one that kube-proxy cannot recognise. */
export const localTrafficPolicy: Check = {
  name: 'traffic-policy-local',
  explain(f, q) {
    if (f.netns?.kind !== 'host') return null
    const { packet } = f.step
    const front = frontendOf(q, packet.dst, packet.dport, packet.protocol)
    if (!front) return null
    const { service } = front
    const inside = front.by === 'cluster-ip'
    const policy = inside ? service.internalTrafficPolicy : service.externalTrafficPolicy
    if (policy !== 'Local') return null
    const backends = usableBackends(backendsOf(q.objects, service, front.port))
    const node = f.hop.node
    if (backends.length === 0 || backends.some((b) => b.nodeName === node)) return null
    const field = inside ? 'internalTrafficPolicy' : 'externalTrafficPolicy'
    const name = serviceName(service)
    const wrong = misnamed(q, backends, node)
    const where = { object: `Service ${name}` }
    if (wrong.length > 0) {
      const b = wrong[0]
      return diagnosis(f, 'service-topology-mismatch', {
        title: `${node} has an endpoint of Service ${name} but does not know it as its own`,
        text: `${name} has ${field} Local. Its endpoint ${b?.address} runs on ${node}, yet the EndpointSlice calls that node ${b?.nodeName}, which is no Node's name; kube-proxy compares the two names, finds no local endpoint and drops.`,
        evidence: [serviceProof(service), ...wrong.map((w) => sliceProof(w.slice))],
        where,
        remedy: {
          text: 'Let kube-proxy and the EndpointSlices use the Node name: set hostnameOverride of kube-proxy (and the node name of what writes the slices) to it.',
        },
      })
    }
    return diagnosis(f, 'traffic-policy-no-local-endpoint', {
      title: `${node} has no endpoint of Service ${name}, whose ${field} is Local`,
      text: `${name} has ${field} Local: a node gives traffic to its own endpoints only and drops it when it has none. Endpoints are on ${[...new Set(backends.map((b) => b.nodeName ?? 'an unnamed node'))].join(', ')}.`,
      evidence: [serviceProof(service), ...backends.slice(0, 2).map((b) => sliceProof(b.slice))],
      where,
      remedy: {
        text: `Send to a node that has an endpoint (a load balancer must use the health check node port), spread the pods over the nodes, or set ${field} to Cluster.`,
        commands: [patchService(service, { [field]: 'Cluster' })],
      },
      edit: (n) => withServiceEndpoints(n, service, front.port, backends),
    })
  },
}
