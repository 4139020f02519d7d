/** `dns` as the end of an expectation: the DNS of the cluster, or the usual one where the objects have none. */
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import { withAssumedDns } from '../policy-diff/dns-target.ts'
import { dnsServers, hasNodeCache } from '../policy-lint/dns-servers.ts'
import { NO_ADDRESS } from './addresses.ts'
import type { EndSet } from './ends.ts'
import type { Wants } from './wanted.ts'

export interface DnsTarget {
  /** With the pods that stand for a DNS that is not there. */
  readonly objects: KubeObjects
  readonly assumed: ReadonlySet<PodObject>
  readonly set: EndSet
  readonly wants: Wants
  readonly notes: readonly string[]
}

/** Queries go over UDP; TCP comes only after a long answer. */
export function dnsTarget(objects: KubeObjects): DnsTarget {
  const found = dnsServers(objects)
  const nobody = { outside: NO_ADDRESS, special: [], problems: [] }
  const notes = hasNodeCache(objects) ? ['pods ask NodeLocal DNSCache first; this is about the DNS pods behind it'] : []
  if (found) {
    const { pods, service, ports, madeUp } = found
    return {
      objects: found.objects,
      assumed: new Set(madeUp ? pods : []),
      set: { ...nobody, pods: new Set(pods), ...(madeUp ? {} : { service }) },
      wants: () => [{ protocol: 'UDP', port: ports.UDP }],
      notes: madeUp
        ? [
            ...notes,
            `no pod of svc/${service.meta.namespace}/${service.meta.name} is among the objects: one with the labels it selects stands for it`,
          ]
        : notes,
    }
  }
  const assumed = withAssumedDns(objects)
  const all = assumed ?? objects
  const pods = assumed ? [assumed.pods.at(-1)!] : dnsPodsOf(objects)
  return {
    objects: all,
    assumed: new Set(assumed ? pods : []),
    set: { ...nobody, pods: new Set(pods) },
    wants: () => [{ protocol: 'UDP', port: 53 }],
    notes: assumed
      ? [
          ...notes,
          'the DNS of the cluster is not among the objects: the usual one (kube-system, k8s-app=kube-dns, port 53) stands for it',
        ]
      : notes,
  }
}

const dnsPodsOf = (objects: KubeObjects) =>
  objects.pods.filter((p) => p.meta.labels['k8s-app'] === 'kube-dns' && !p.hostNetwork)
