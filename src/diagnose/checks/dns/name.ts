/**
 * A question by name (`host:NAME`) whose name does not become the Service that was meant: `dns-name-wrong` when the search
 * list of the sender does not lead there, `dns-policy-not-cluster` when the sender does not ask the cluster's DNS at all.
 */
import { formatIp } from '../../../base/ip.ts'
import type { PodObject, ServiceObject } from '../../../kubeobj/objects.ts'
import type { Finding } from '../../../model/finding.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { podProof, serviceProof } from '../../view/object-proof.ts'
import { netnsOfPod } from '../../view/owner.ts'
import { podName } from '../../view/pod-view.ts'
import { dnsServices } from '../../view/service-view.ts'

export function dnsName(q: Inquiry): StateFinding[] {
  const name = askedName(q)
  const pod = q.branches[0]?.source.pod ?? senderPod(q)
  if (name === null || !pod || !q.objects.known.has('Service')) return []
  const meant = servicesMeant(q, name, pod.meta.namespace)
  const policy = notClusterPolicy(q, pod)
  if (policy && meant.some((m) => m.right))
    return [{ hurts: true, all: true, finding: policyFinding(q, pod, name, policy) }]
  if (meant.some((m) => m.right) || q.branches.some((b) => b.stage !== 'dns')) return []
  const finding = wrongName(q, pod, name, meant)
  return finding ? [{ hurts: true, all: true, finding }] : []
}

/** The name of `host:NAME[:PORT]`, lower case, without the last dot. */
function askedName(q: Inquiry): string | null {
  const m = /^host:([A-Za-z0-9_.-]{1,253}?)\.?(?::[A-Za-z0-9-]+)?$/.exec(q.question.to)
  return m?.[1]?.toLowerCase() ?? null
}

function senderPod(q: Inquiry): PodObject | undefined {
  return q.objects.pods.find((p) => `pod/${podName(p)}` === q.question.from)
}

interface Meant {
  readonly service: ServiceObject
  /** The name, with the search list a pod of the cluster has, leads to it. */
  readonly right: boolean
}

/** Services the name may have been meant for. */
function servicesMeant(q: Inquiry, name: string, namespace: string): Meant[] {
  const labels = name.split('.')
  const [first = '', second] = labels
  return q.objects.services
    .filter((s) => s.meta.name === first)
    .map((service) => {
      const own = service.meta.namespace
      const short = labels.length === 1 && own === namespace
      const long = labels.length >= 2 && second === own && (labels.length === 2 || labels[2] === 'svc')
      return { service, right: short || long }
    })
}

/** Why the pod asks the node's resolvers instead of the cluster's; null when it asks the cluster's, or nobody knows. */
function notClusterPolicy(q: Inquiry, pod: PodObject): string | null {
  const conf = pod.hostNetwork ? undefined : netnsOfPod(q.network, pod.meta.namespace, pod.meta.name)?.resolvConf
  const cluster = new Set(dnsServices(q.objects).flatMap((s) => s.clusterIPs))
  if (
    conf &&
    (conf.search.some((d) => d.startsWith('svc.')) || conf.nameservers.some((ip) => cluster.has(formatIp(ip))))
  )
    return null
  if (pod.dnsPolicy === 'Default') return 'dnsPolicy is Default'
  // The API server fills ClusterFirst in; with hostNetwork kubelet treats it as Default (pkg/kubelet/network/dns, getPodDNSType).
  if (pod.hostNetwork && pod.dnsPolicy === 'ClusterFirst')
    return "it uses the node's network with dnsPolicy ClusterFirst, which acts as Default"
  return null
}

function policyFinding(q: Inquiry, pod: PodObject, name: string, why: string): Finding {
  const right = pod.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst'
  const conf = netnsOfPod(q.network, pod.meta.namespace, pod.meta.name)?.resolvConf
  return {
    code: 'dns-policy-not-cluster',
    severity: 'error',
    title: `pod ${podName(pod)} does not ask the cluster's DNS: ${why}`,
    text: `${why[0]?.toUpperCase()}${why.slice(1)}: its resolv.conf is the node's, and the resolvers there do not know ${name}.`,
    where: { object: `Pod ${podName(pod)}` },
    evidence: [
      {
        ...pod.evidence,
        text: `${pod.evidence.text}: dnsPolicy ${pod.dnsPolicy}${pod.hostNetwork ? '; hostNetwork' : ''}`,
      },
      ...(conf ? [conf.evidence] : []),
    ],
    remedy: {
      text: `Set dnsPolicy: ${right} in the pod's template; the field cannot be changed in a running pod.`,
      manifest: `spec:\n  dnsPolicy: ${right}\n`,
      verified: false,
    },
  }
}

function wrongName(q: Inquiry, pod: PodObject, name: string, meant: readonly Meant[]): Finding | null {
  const labels = name.split('.')
  const cluster =
    labels.length === 1 ||
    labels[2] === 'svc' ||
    (labels.length === 2 && q.objects.namespaces.some((n) => n.meta.name === labels[1]))
  if (!cluster) return null
  const elsewhere = meant.map((m) => m.service)
  const full = elsewhere.map((s) => `${s.meta.name}.${s.meta.namespace}`)
  const tried = labels.length === 1 ? `${name}.${pod.meta.namespace}.svc` : `${labels[0]}.${labels[1]}.svc`
  const conf = netnsOfPod(q.network, pod.meta.namespace, pod.meta.name)?.resolvConf
  const similar = q.objects.services
    .filter((s) => s.meta.namespace === (labels[1] ?? pod.meta.namespace))
    .map((s) => s.meta.name)
  return {
    code: 'dns-name-wrong',
    severity: 'error',
    title:
      full.length > 0
        ? `${name} is no name in namespace ${pod.meta.namespace}; the Service is ${full.slice(0, 3).join(' or ')}`
        : `no Service has the name ${name}`,
    text: `For pod ${podName(pod)} the name means Service ${tried}, which does not exist, so the DNS answers NXDOMAIN. ${full.length > 0 ? 'A short name is completed with the namespace of the pod that asks.' : `Services there: ${similar.slice(0, 6).join(', ') || 'none'}.`}`,
    where: { object: `Pod ${podName(pod)}` },
    evidence: [podProof(pod), ...elsewhere.slice(0, 3).map(serviceProof), ...(conf ? [conf.evidence] : [])],
    remedy: {
      text: full.length > 0 ? `Ask for ${full[0]} (or ${full[0]}.svc.cluster.local).` : 'Correct the name.',
      verified: false,
    },
  }
}
