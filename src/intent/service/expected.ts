/**
 * What the API objects ask of one node's kube-proxy, port by port, before it is written in any dialect.
 * Source: kube-proxy pkg/proxy/serviceport.go and the head of `syncProxyRules` (1.33–1.35).
 */
import { formatIp, formatPrefix, networkOf, parseIp, parsePrefix } from '../../base/ip.ts'
import type { KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import { chooseEndpoints, type EndpointChoice, endpointsOf, isProxied, type ServiceEndpoint } from './endpoints.ts'
import type { ServicePortId } from './names.ts'

export interface ExpectedServicePort extends ServicePortId, EndpointChoice {
  readonly family: 4 | 6
  readonly clusterIP: string
  readonly port: number
  /** Zero when the Service has none. */
  readonly nodePort: number
  readonly externalIPs: readonly string[]
  readonly loadBalancerIPs: readonly string[]
  /** Normalised prefixes; empty: every source may use the load balancer address. */
  readonly sourceRanges: readonly string[]
  /** Zero unless the Service is a LoadBalancer with external traffic policy Local. */
  readonly healthCheckNodePort: number
  readonly externalLocal: boolean
  readonly internalLocal: boolean
  /** Seconds of ClientIP affinity, or null. */
  readonly affinity: number | null
  readonly externallyAccessible: boolean
  readonly frontends: readonly Frontend[]
}

/** A service address as one node answers for it. */
export interface Frontend {
  readonly kind: 'clusterIP' | 'externalIP' | 'loadBalancerIP' | 'nodePort'
  /** Null for a node port: any address the node serves node ports on. */
  readonly address: string | null
  readonly port: number
  readonly policy: 'cluster' | 'local'
  /** Endpoints for traffic from elsewhere, under this frontend's traffic policy. */
  readonly endpoints: readonly ServiceEndpoint[]
  /** What befalls a packet when `endpoints` is empty: `reject` none exist at all, `drop` none on this node. */
  readonly whenEmpty: 'reject' | 'drop'
}

const ZONE = 'topology.kubernetes.io/zone'

/**
 * Every Service port the node's kube-proxy programs, sorted by name, protocol and family. A node that is not among the
 * objects is treated as one without labels.
 */
export function expectedServices(objects: KubeObjects, nodeName: string): ExpectedServicePort[] {
  const zone = objects.nodes.find((n) => n.meta.name === nodeName)?.meta.labels[ZONE] ?? ''
  const out: ExpectedServicePort[] = []
  for (const service of objects.services) {
    if (!isProxied(service)) continue
    for (const family of [4, 6] as const) {
      const clusterIP = addressesOf(service.clusterIPs, family)[0]
      if (clusterIP === undefined) continue
      for (const port of service.ports) {
        const id: ServicePortId = {
          namespace: service.meta.namespace,
          service: service.meta.name,
          portName: port.name,
          protocol: port.protocol.toLowerCase(),
        }
        out.push(expect(objects, service, id, port, family, clusterIP, nodeName, zone))
      }
    }
  }
  const key = (s: ExpectedServicePort) => [s.namespace, s.service, s.portName, s.protocol, s.family].join('\0')
  return out
    .map((s) => [key(s), s] as const)
    .sort((x, y) => (x[0] < y[0] ? -1 : 1))
    .map(([, s]) => s)
}

function expect(
  objects: KubeObjects,
  service: ServiceObject,
  id: ServicePortId,
  port: ServiceObject['ports'][number],
  family: 4 | 6,
  clusterIP: string,
  nodeName: string,
  zone: string,
): ExpectedServicePort {
  const externalIPs = addressesOf(service.externalIPs, family)
  const loadBalancerIPs = addressesOf(
    service.loadBalancerIngress.filter((i) => i.ipMode !== 'Proxy').map((i) => i.ip ?? ''),
    family,
  )
  const nodePort = port.nodePort ?? 0
  const externallyAccessible = nodePort !== 0 || externalIPs.length > 0 || loadBalancerIPs.length > 0
  const mayBeExternal = service.type === 'LoadBalancer' || service.type === 'NodePort' || service.externalIPs.length > 0
  const externalLocal = mayBeExternal && service.externalTrafficPolicy === 'Local'
  const internalLocal = service.internalTrafficPolicy === 'Local'
  // Policy Cluster is needed for external traffic too: pods and the node itself are short-circuited to all endpoints.
  const uses = {
    cluster: !internalLocal || externallyAccessible,
    local: internalLocal || (externalLocal && externallyAccessible),
  }
  const choice = chooseEndpoints(endpointsOf(objects.endpointSlices, id, family, nodeName), uses, nodeName, zone)
  const frontend = (kind: Frontend['kind'], address: string | null, number: number): Frontend => {
    const policy = (kind === 'clusterIP' ? internalLocal : externalLocal) ? 'local' : 'cluster'
    return { kind, address, port: number, policy, endpoints: choice[policy], whenEmpty: choice.any ? 'drop' : 'reject' }
  }
  return {
    ...id,
    ...choice,
    family,
    clusterIP,
    port: port.port,
    nodePort,
    externalIPs,
    loadBalancerIPs,
    sourceRanges: service.loadBalancerSourceRanges
      .map((r) => parsePrefix(r.trim()))
      .filter((p) => p?.ip.family === family)
      .map((p) => formatPrefix(networkOf(p!))),
    healthCheckNodePort: service.type === 'LoadBalancer' && externalLocal ? (service.healthCheckNodePort ?? 0) : 0,
    externalLocal,
    internalLocal,
    affinity: service.sessionAffinity === 'ClientIP' ? service.sessionAffinityTimeout : null,
    externallyAccessible,
    frontends: [
      frontend('clusterIP', clusterIP, port.port),
      ...externalIPs.map((a) => frontend('externalIP', a, port.port)),
      ...loadBalancerIPs.map((a) => frontend('loadBalancerIP', a, port.port)),
      ...(nodePort === 0 ? [] : [frontend('nodePort', null, nodePort)]),
    ],
  }
}

/** The addresses of one family in canonical form; Kubernetes has accepted leading zeros (`172.30.0.041`) as decimal. */
function addressesOf(texts: readonly string[], family: 4 | 6): string[] {
  const out: string[] = []
  for (const text of texts) {
    const ip = parseIp(text.includes(':') ? text : text.replace(/\b0+(?=\d)/g, ''))
    if (ip?.family === family) out.push(formatIp(ip))
  }
  return out
}
