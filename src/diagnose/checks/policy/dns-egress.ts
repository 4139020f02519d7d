/** `policy-denies-dns` and `dns-tcp-blocked` without a question: egress rules that name peers and forget the DNS. */
import { evaluatePolicy } from '../../../intent/policy/evaluate.ts'
import { blamed, policyText, policyTexts } from '../../../intent/policy/policy-text.ts'
import type { DirectionResult } from '../../../intent/policy/result.ts'
import type { KubeObjects, PodObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { dnsPods } from '../../view/dns-view.ts'
import { podProof } from '../../view/object-proof.ts'
import { isAlive, podName } from '../../view/pod-view.ts'
import { backendsOf, dnsServices } from '../../view/service-view.ts'
import { dnsPolicy } from './manifest.ts'

/** Most pods looked at: policies repeat over replicas. */
const MOST = 2000

export const dnsEgress: ClusterCheck = {
  name: 'policy-dns-egress',
  find({ objects, focus }) {
    const server = dnsPods(objects).find((p) => !p.hostNetwork && p.podIPs.length > 0)
    // A cache on the node answers instead, and reaching one's own node is never forbidden.
    if (!server || objects.pods.some((p) => /node-?local-?dns/.test(p.meta.name))) return []
    const port = dnsPort(objects)
    const seen = new Map<string, PodObject[]>()
    const results = new Map<string, { readonly udp: DirectionResult; readonly tcp: DirectionResult }>()
    const asked = focus ? objects.pods.filter((p) => focus.has(p.nodeName ?? '')) : objects.pods
    for (const pod of asked.slice(0, MOST)) {
      if (!isAlive(pod) || pod.hostNetwork || pod.podIPs.length === 0 || pod === server) continue
      if (pod.dnsPolicy === 'Default' || pod.dnsPolicy === 'None') continue
      const ask = (protocol: string) =>
        evaluatePolicy(objects, {
          from: { kind: 'pod', namespace: pod.meta.namespace, name: pod.meta.name },
          to: { kind: 'pod', namespace: server.meta.namespace, name: server.meta.name },
          protocol,
          port,
        }).egress
      const udp = ask('udp')
      const tcp = ask('tcp')
      if (udp.decision !== 'deny' && tcp.decision !== 'deny') continue
      const key = `${udp.decision} ${blamed(udp.decision === 'deny' ? udp : tcp)
        .map(policyText)
        .join(' ')}`
      seen.set(key, [...(seen.get(key) ?? []), pod])
      results.set(key, { udp, tcp })
    }
    return [...seen].flatMap(([key, pods]): ClusterFinding[] => {
      const { udp, tcp } = results.get(key) ?? {}
      return udp && tcp ? [finding(objects, udp, tcp, pods, port)] : []
    })
  },
}

/** The port DNS pods listen on, which is what policies see. */
function dnsPort(objects: KubeObjects): number {
  for (const s of dnsServices(objects))
    for (const p of s.ports) {
      const backend = p.port === 53 && p.protocol === 'UDP' ? backendsOf(objects, s, p)[0] : undefined
      if (backend) return backend.port
    }
  return 53
}

function finding(
  objects: KubeObjects,
  udp: DirectionResult,
  tcp: DirectionResult,
  pods: readonly PodObject[],
  port: number,
): ClusterFinding {
  const denied = udp.decision === 'deny' ? udp : tcp
  const blame = blamed(denied)
  const names = policyTexts(blame)
  const rule = denied.decidedBy?.rule ?? null
  const who = `${pods.slice(0, 3).map(podName).join(', ')}${pods.length > 3 ? ` and ${pods.length - 3} more` : ''}`
  const [first] = pods
  // What a rule of another tier denies no NetworkPolicy can admit.
  const text = rule ? null : dnsPolicy(objects, blame[0], port)
  const manifest = text === null ? {} : { manifest: text }
  const before = rule && `put a rule that allows the DNS before rule ${rule.name} of ${names}.`
  const shared = {
    where: { object: blame[0] ? policyText(blame[0]) : '' },
    concerns: pods.slice(0, 200).map((p) => ({ kind: 'pod' as const, namespace: p.meta.namespace, name: p.meta.name })),
    evidence: [...blame.slice(0, 4).map((p) => p.evidence), first ? podProof(first) : undefined],
  }
  if (udp.decision !== 'deny')
    return clusterFinding('dns-tcp-blocked', {
      severity: 'info',
      title: `${names} lets ${who} ask the DNS over UDP but not over TCP`,
      text: `Answers too long for UDP are asked for again over TCP port ${port}, which ${rule ? `rule ${rule.name} denies` : 'no rule admits'}: names with many addresses may fail.`,
      ...shared,
      remedy: { text: before ? `For TCP, ${before}` : 'Admit TCP as well.', ...manifest },
    })
  const why = rule
    ? `Rule ${rule.name} of ${names} denies egress to port ${port} of the cluster DNS`
    : `The pods are isolated for egress by ${names} and no rule admits port ${port} of the cluster DNS`
  return clusterFinding('policy-denies-dns', {
    severity: namesPeers(udp) ? 'warning' : 'info',
    title: `${names} lets ${who} talk to others but not to the DNS`,
    text: `${why}, so every name they look up times out. ${namesPeers(udp) ? 'The rules admit peers that are usually called by name: the DNS was forgotten.' : 'Nothing else is admitted that would need names, so this may be meant.'}`,
    ...shared,
    remedy: {
      text: `If the pods look names up, ${before ?? 'admit the DNS (this policy adds up with the others).'}`,
      ...manifest,
    },
  })
}

/** Some rule admits pods, or any peer: connections that start with a name. Address blocks alone may do without. */
function namesPeers(d: DirectionResult): boolean {
  const allows = d.considered.flatMap((c) => c.rules.filter((r) => r.action === 'allow'))
  return allows.some((r) => r.peers.length === 0 || r.peers.some((p) => p.kind === 'pods'))
}
