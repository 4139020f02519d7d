/** The DNS of the cluster as policies see it: the pods behind the real Service, on the port they listen on. */
import { NAME_LABEL } from '../../intent/policy/end.ts'
import type { KubeObjects, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import { isDnsService } from '../view/service-view.ts'
import { isSubject, namespaceOf } from './input.ts'

export interface DnsServers {
  readonly service: ServiceObject
  readonly pods: readonly PodObject[]
  /** True: the Service is there and no pod of it; one was made up from its selector, in `pods` and `objects`. */
  readonly madeUp: boolean
  /** What the pods listen on. */
  readonly ports: { readonly UDP: number; readonly TCP: number | null }
  /** The objects with the made-up pod. */
  readonly objects: KubeObjects
}

/** kube-dns and its kin, and OpenShift's. */
export function isDns(s: ServiceObject): boolean {
  return isDnsService(s) || (s.meta.namespace === 'openshift-dns' && s.meta.name === 'dns-default')
}

/** Null: the DNS Service is not among the objects. */
export function dnsServers(objects: KubeObjects): DnsServers | null {
  const service = objects.services.find(isDns)
  if (!service || service.selector === null) return null
  const wanted = Object.entries(service.selector)
  const found = objects.pods.filter(
    (p) =>
      namespaceOf(p) === service.meta.namespace && isSubject(p) && wanted.every(([k, v]) => p.meta.labels[k] === v),
  )
  const pods = found.length > 0 ? found : [madeUpPod(service)]
  const portOf = (protocol: 'UDP' | 'TCP') => {
    const port = service.ports.find((p) => p.port === 53 && p.protocol.toUpperCase() === protocol)
    if (!port) return null
    return typeof port.targetPort === 'number' ? port.targetPort : (numberOf(pods, port.targetPort, protocol) ?? 53)
  }
  const udp = portOf('UDP')
  if (udp === null) return null
  return {
    service,
    pods,
    madeUp: found.length === 0,
    ports: { UDP: udp, TCP: portOf('TCP') },
    objects: found.length > 0 ? objects : { ...objects, pods: [...objects.pods, ...pods] },
  }
}

function numberOf(pods: readonly PodObject[], name: string, protocol: string): number | undefined {
  return pods
    .flatMap((p) => p.containers.flatMap((c) => c.ports))
    .find((p) => p.name === name && p.protocol.toUpperCase() === protocol)?.containerPort
}

function madeUpPod(service: ServiceObject): PodObject {
  return {
    meta: { ...service.meta, name: `${service.meta.name}-backend`, labels: service.selector ?? {}, owners: [] },
    evidence: service.evidence,
    hostNetwork: false,
    containers: [
      {
        name: 'dns',
        ports: service.ports.map((p) => ({
          name: typeof p.targetPort === 'string' ? p.targetPort : p.name,
          // OpenShift's DNS listens on 5353 behind named ports (openshift/cluster-dns-operator, assets/dns/daemonset.yaml).
          containerPort:
            typeof p.targetPort === 'number'
              ? p.targetPort
              : service.meta.namespace === 'openshift-dns'
                ? 5353
                : p.port,
          protocol: p.protocol,
        })),
        hasPreStop: false,
        hasReadinessProbe: false,
      },
    ],
    phase: 'Running',
    podIPs: [],
    conditions: [],
    containerStatuses: [],
  }
}

/** NodeLocal DNSCache: its pods are on the host network and answer at 169.254.20.10 or the Service's address. */
export function hasNodeCache(objects: KubeObjects): boolean {
  return objects.pods.some(
    (p) => p.hostNetwork && (p.meta.labels['k8s-app'] === 'node-local-dns' || /^node-?local-?dns/.test(p.meta.name)),
  )
}

/** The peer and ports that admit the DNS, as fields of an egress rule. */
export function dnsRule(dns: DnsServers) {
  const { service, ports } = dns
  return {
    to: [
      {
        namespaceSelector: { matchLabels: { [NAME_LABEL]: service.meta.namespace } },
        podSelector: { matchLabels: { ...service.selector } },
      },
    ],
    ports: [
      { protocol: 'UDP', port: ports.UDP },
      { protocol: 'TCP', port: ports.TCP ?? ports.UDP },
    ],
  }
}
