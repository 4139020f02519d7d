/** `mesh-mtls-strict`: a server that takes mutual TLS only, and a client that speaks plain text. */

import {
  type DestinationRuleObject,
  destinationRulesOf,
  inAmbientMesh,
  mtlsModeOf,
  type PeerAuthenticationObject,
  peerAuthenticationsOf,
  sidecarOf,
} from '../../../kubeobj/mesh.ts'
import type { KubeObjects, PodObject } from '../../../kubeobj/objects.ts'
import type { Finding } from '../../../model/finding.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { ownerOf } from '../../view/owner.ts'
import { isAlive, podName } from '../../view/pod-view.ts'
import { selectedPods, serviceName } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

/** Istio's proxy takes the pod's connections: mutual TLS can be asked of it. */
function guarded(objects: KubeObjects, p: PodObject): boolean {
  return !p.hostNetwork && (sidecarOf(p) === 'istio-proxy' || inAmbientMesh(p, objects))
}

function strictFor(objects: KubeObjects, p: PodObject, port: number | null): PeerAuthenticationObject | null {
  if (!guarded(objects, p)) return null
  const found = mtlsModeOf(objects, p, port)
  return found?.mode === 'STRICT' ? found.by : null
}

function about(by: PeerAuthenticationObject): string {
  return `PeerAuthentication ${by.meta.namespace}/${by.meta.name}`
}

function containers(p: PodObject): string {
  return `containers ${p.containers.map((c) => c.name).join(', ')}`
}

function finding(
  severity: Finding['severity'],
  server: PodObject,
  client: PodObject | null,
  by: PeerAuthenticationObject,
  who: string,
  rule?: DestinationRuleObject,
): Finding {
  const ns = client?.meta.namespace
  return {
    code: 'mesh-mtls-strict',
    severity,
    title: rule
      ? `DestinationRule ${rule.meta.namespace}/${rule.meta.name} turns TLS off towards pod ${podName(server)}, which takes mutual TLS only`
      : `pod ${podName(server)} takes mutual TLS only, and ${who} has no sidecar to speak it`,
    text: `${about(by)} is STRICT for pod ${podName(server)}. ${rule ? `The client's proxy sends plain text because of tls.mode ${rule.tlsMode}.` : `${who[0]?.toUpperCase()}${who.slice(1)} sends plain text.`} The connection opens and the server's proxy resets it at the first byte ("connection reset by peer", curl 56). Clients inside the mesh work; neither the program nor kube-proxy is at fault.`,
    where: { object: rule ? `DestinationRule ${rule.meta.namespace}/${rule.meta.name}` : about(by) },
    evidence: [
      { ...by.evidence, text: `${by.evidence.text}: mtls mode STRICT` },
      { ...server.evidence, text: `${server.evidence.text}: ${containers(server)}` },
      ...(client ? [{ ...client.evidence, text: `${client.evidence.text}: ${containers(client)}` }] : []),
      ...(rule ? [rule.evidence] : []),
    ],
    remedy: {
      text: rule
        ? 'Set tls.mode ISTIO_MUTUAL in the DestinationRule, or leave tls out.'
        : 'Put the client into the mesh (label its namespace, create it anew), or set PERMISSIVE for this workload or port.',
      ...(ns && !rule
        ? {
            commands: [
              `kubectl label namespace ${shellWord(ns)} istio-injection=enabled`,
              `kubectl -n ${shellWord(ns)} rollout restart deployment`,
            ],
          }
        : {}),
      verified: false,
    },
  }
}

/** For a question: every end of it that was reached asks for mutual TLS, and the sender does not speak it. */
export function meshMtls(q: Inquiry): StateFinding[] {
  if (q.protocol !== 6) return []
  const own = q.branches.filter((b) => b.stage !== 'dns')
  const hits = own.flatMap((b) => {
    const end = b.trace.forward
    const owner = ownerOf(q.network, q.objects, end.packet.dst)
    if (b.trace.disposition !== 'delivered' || owner.kind !== 'pod' || !owner.pod) return []
    const by = strictFor(q.objects, owner.pod, end.packet.dport)
    const { pod, node } = b.source
    if (!by || (!pod && !node && b.source.netns !== null)) return []
    if (pod && guarded(q.objects, pod)) {
      const rule = plainRule(q.objects, pod, b.target.service ? serviceName(b.target.service) : null)
      return rule ? [finding('error', owner.pod, pod, by, '', rule)] : []
    }
    // kubelet's probes are rewritten by the injector to reach the agent; other traffic of the node is plain text too.
    return [finding('error', owner.pod, pod ?? null, by, pod ? `pod ${podName(pod)}` : b.source.label)]
  })
  const [one] = hits
  return one ? [{ hurts: true, all: hits.length === own.length, finding: one }] : []
}

/** A DestinationRule that turns TLS off for a Service, in the client's or the Service's namespace. */
function plainRule(objects: KubeObjects, client: PodObject, service: string | null): DestinationRuleObject | undefined {
  if (service === null) return undefined
  const [ns = '', name = ''] = service.split('/')
  return destinationRulesOf(objects).find((r) => {
    const host = r.host.toLowerCase()
    const names =
      host === name ? r.meta.namespace === ns : host === `${name}.${ns}` || host.startsWith(`${name}.${ns}.svc`)
    return names && r.tlsMode === 'DISABLE' && [client.meta.namespace, ns].includes(r.meta.namespace)
  })
}

/** Without a question: a namespace asks for mutual TLS, and a neighbour in it has no sidecar. */
export const meshMtlsState: ClusterCheck = {
  name: 'mesh-mtls-strict',
  find({ objects }) {
    if (peerAuthenticationsOf(objects).length === 0) return []
    const out = new Map<string, ReturnType<ClusterCheck['find']>[number]>()
    for (const s of objects.services) {
      const server = selectedPods(objects, s).find((p) => isAlive(p) && strictFor(objects, p, null))
      const by = server ? strictFor(objects, server, null) : null
      if (!server || !by || out.has(about(by))) continue
      const client = objects.pods.find(
        (p) =>
          p.meta.namespace === s.meta.namespace &&
          isAlive(p) &&
          !p.hostNetwork &&
          !guarded(objects, p) &&
          p.meta.labels['sidecar.istio.io/inject'] !== 'false' &&
          p.meta.annotations['sidecar.istio.io/inject'] !== 'false' &&
          !p.meta.owners.some((o) => o.kind === 'Job'),
      )
      if (!client) continue
      out.set(about(by), {
        hurts: false,
        concerns: [{ kind: 'object' }],
        finding: finding('warning', server, client, by, `pod ${podName(client)} of the same namespace`),
      })
    }
    return [...out.values()]
  },
}
