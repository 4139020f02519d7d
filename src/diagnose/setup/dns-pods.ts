/** The pods that answer the cluster's DNS queries, whatever they are called. */
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'

/** Pods behind a Service with port 53 and a DNS name; without such a Service, by the labels the well-known ones carry. */
export function dnsPods(objects: KubeObjects): PodObject[] {
  const services = objects.services.filter(
    (s) =>
      s.selector !== null &&
      s.ports.some((p) => p.port === 53) &&
      (/dns/i.test(s.meta.name) || s.meta.labels['k8s-app'] === 'kube-dns'),
  )
  const behind = objects.pods.filter((p) =>
    services.some(
      (s) =>
        s.meta.namespace === p.meta.namespace &&
        Object.entries(s.selector ?? {}).every(([k, v]) => p.meta.labels[k] === v),
    ),
  )
  if (behind.length > 0) return behind
  return objects.pods.filter(
    (p) =>
      p.meta.labels['k8s-app'] === 'kube-dns' ||
      (p.meta.namespace === 'kube-system' && /^(coredns|kube-dns)-/.test(p.meta.name)),
  )
}
