/** Services from outside and in both families: `traffic-policy-no-local-endpoint`, `service-topology-mismatch`, `dual-stack-backend-missing`. */
import { parseIp } from '../../../base/ip.ts'
import type { ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof, serviceProof, sliceProof } from '../../view/object-proof.ts'
import { backendsOf, serviceName, slicesOf, usableBackends } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

const concern = (s: ServiceObject) => ({ kind: 'service' as const, namespace: s.meta.namespace, name: s.meta.name })

/** Local traffic policies next to where the endpoints are. That some nodes have none is how Local works: told as info. */
export const localEndpoints: ClusterCheck = {
  name: 'traffic-policy',
  find({ objects }: ClusterState) {
    if (!objects.known.has('Node')) return []
    const names = new Set(objects.nodes.map((n) => n.meta.name))
    return objects.services.flatMap((s): ClusterFinding[] => {
      const outside = s.externalTrafficPolicy === 'Local' && (s.type === 'NodePort' || s.type === 'LoadBalancer')
      const inside = s.internalTrafficPolicy === 'Local'
      const port = s.ports[0]
      if ((!outside && !inside) || !port) return []
      const backends = usableBackends(backendsOf(objects, s, port))
      if (backends.length === 0) return []
      const field = outside ? 'externalTrafficPolicy' : 'internalTrafficPolicy'
      const shared = {
        where: { object: `Service ${serviceName(s)}` },
        concerns: [concern(s)],
        evidence: [serviceProof(s), ...slicesOf(objects, s).slice(0, 3).map(sliceProof)],
      }
      const strange = backends.filter((b) => b.nodeName !== undefined && !names.has(b.nodeName))
      if (strange.length > 0)
        return [
          clusterFinding('service-topology-mismatch', {
            severity: 'error',
            title: `endpoints of Service ${serviceName(s)} are on ${strange[0]?.nodeName}, which is no Node`,
            text: `${serviceName(s)} has ${field} Local. kube-proxy compares the nodeName of each endpoint with its own node's name; ${strange[0]?.nodeName} is the name of no Node (${[...names].slice(0, 4).join(', ')}), so no node takes these endpoints for its own and all drop the traffic, also those that run the pods.`,
            ...shared,
            evidence: [...shared.evidence, ...objects.nodes.slice(0, 3).map((n) => nodeProof(n))],
            remedy: {
              text: 'Let what writes the EndpointSlices, and kube-proxy (hostnameOverride), use the names of the Nodes.',
            },
          }),
        ]
      const without = objects.nodes.filter((n) => !backends.some((b) => b.nodeName === n.meta.name))
      if (without.length === 0) return []
      return [
        clusterFinding('traffic-policy-no-local-endpoint', {
          severity: 'info',
          title: `${without.length} node${without.length === 1 ? '' : 's'} ha${without.length === 1 ? 's' : 've'} no endpoint of Service ${serviceName(s)}, whose ${field} is Local`,
          text: `${without
            .slice(0, 5)
            .map((n) => n.meta.name)
            .join(
              ', ',
            )} drop${without.length === 1 ? 's' : ''} what comes for ${serviceName(s)}: that is what Local means. ${outside ? 'A load balancer must ask the health check node port and leave these nodes out; clients that pick a node themselves must pick another.' : 'Pods on these nodes cannot use the Service.'}`,
          ...shared,
          remedy: {
            text: `If these nodes should serve it, run a pod on each, or set ${field} to Cluster.`,
            commands: [
              `kubectl -n ${shellWord(s.meta.namespace)} patch service ${shellWord(s.meta.name)} -p '{"spec":{"${field}":"Cluster"}}'`,
            ],
          },
        }),
      ]
    })
  },
}

/** A Service with addresses of both families whose endpoints are of one: connections of the other are refused. */
export const dualStackBackends: ClusterCheck = {
  name: 'dual-stack-backend-missing',
  find({ objects }) {
    return objects.services.flatMap((s): ClusterFinding[] => {
      const families = new Set(s.clusterIPs.flatMap((a) => parseIp(a)?.family ?? []))
      const port: ServicePort | undefined = s.ports[0]
      if (families.size < 2 || !port) return []
      const backends = usableBackends(backendsOf(objects, s, port))
      const has = (family: 4 | 6) => backends.some((b) => b.ip.family === family)
      if (has(4) === has(6)) return []
      const lacking = has(4) ? 6 : 4
      const address = s.clusterIPs.find((a) => parseIp(a)?.family === lacking)
      const pods = [...new Set(backends.flatMap((b) => b.pod ?? []))]
      return [
        clusterFinding('dual-stack-backend-missing', {
          severity: 'error',
          title: `Service ${serviceName(s)} has an IPv${lacking} address and no IPv${lacking} endpoint`,
          text: `Clients that choose ${address} are refused; IPv${lacking === 6 ? 4 : 6} works. ${
            pods.length > 0 && pods.every((p) => !p.podIPs.some((a) => parseIp(a)?.family === lacking))
              ? `Its pods (${pods
                  .slice(0, 3)
                  .map((p) => p.meta.name)
                  .join(
                    ', ',
                  )}) have no IPv${lacking} address: they were made before the cluster was dual-stack, or the CNI gives none.`
              : `Its EndpointSlices of IPv${lacking} are empty although the pods have such addresses.`
          }`,
          where: { object: `Service ${serviceName(s)}` },
          concerns: [concern(s)],
          evidence: [
            { ...serviceProof(s), text: `${serviceProof(s).text}; addresses ${s.clusterIPs.join(', ')}` },
            ...slicesOf(objects, s).slice(0, 4).map(sliceProof),
          ],
          remedy: {
            text: `Give the pods addresses of both families (CNI, then create them anew), or set ipFamilyPolicy: SingleStack on the Service.`,
          },
        }),
      ]
    })
  },
}
