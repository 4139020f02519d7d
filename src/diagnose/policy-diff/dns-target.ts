/** Where the cluster's DNS listens, so that losing it can be said in words; an assumed one where the objects have none. */

import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import { dnsPods } from '../setup/dns-pods.ts'

/** By `namespace/name` of the pod: its DNS ports as `UDP 53`. */
export function dnsPorts(objects: KubeObjects): ReadonlyMap<string, ReadonlySet<string>> {
  const out = new Map<string, ReadonlySet<string>>()
  for (const pod of dnsPods(objects)) {
    const ports = new Set<string>()
    for (const service of objects.services) {
      if (service.meta.namespace !== pod.meta.namespace || !selects(service.selector, pod)) continue
      for (const p of service.ports)
        if (p.port === 53) for (const n of targets(p.targetPort, pod, p.protocol)) ports.add(n)
    }
    if (ports.size === 0) for (const protocol of ['UDP', 'TCP']) ports.add(`${protocol} 53`)
    out.set(`${pod.meta.namespace}/${pod.meta.name}`, ports)
  }
  return out
}

function selects(selector: Readonly<Record<string, string>> | null, pod: PodObject): boolean {
  if (selector === null || Object.keys(selector).length === 0) return false
  return Object.entries(selector).every(([k, v]) => pod.meta.labels[k] === v)
}

/** Where a Service's port ends up on a pod, as `TCP 8080`: nothing where the pod has no port of that name. */
export function targets(targetPort: number | string, pod: PodObject, protocol: string): string[] {
  const p = protocol.toUpperCase()
  if (typeof targetPort === 'number') return [`${p} ${targetPort}`]
  return pod.containers.flatMap((c) =>
    c.ports
      .filter((port) => port.name === targetPort && port.protocol.toUpperCase() === p)
      .map((port) => `${p} ${port.containerPort}`),
  )
}

/**
 * Manifests of an application rarely hold the cluster's DNS: the usual pods (kube-system, k8s-app=kube-dns, port 53) stand for it
 * where there are none. Null: there are some.
 */
export function withAssumedDns(objects: KubeObjects): KubeObjects | null {
  if (dnsPods(objects).length > 0) return null
  const pod: PodObject = {
    meta: {
      name: 'coredns',
      namespace: 'kube-system',
      uid: '',
      labels: { 'k8s-app': 'kube-dns' },
      annotations: {},
      owners: [{ kind: 'Deployment', name: 'coredns' }],
    },
    evidence: { artefact: '', text: 'assumed: the usual DNS pods' },
    hostNetwork: false,
    containers: [
      {
        name: 'coredns',
        ports: [
          { name: 'dns', containerPort: 53, protocol: 'UDP' },
          { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
        ],
        hasPreStop: false,
        hasReadinessProbe: false,
      },
    ],
    phase: 'Running',
    podIPs: [],
    conditions: [],
    containerStatuses: [],
  }
  return { ...objects, pods: [...objects.pods, pod] }
}
