/** Service mesh: who carries a sidecar, and what Istio's PeerAuthentication and DestinationRule ask of connections. */
import type { Evidence } from '../model/evidence.ts'
import { objectOf, optional, recordOf, textOf } from './fields.ts'
import type { KubeObjects, Meta, PodObject } from './objects.ts'

/** Names of the proxies' containers (Istio, Linkerd, Kuma, Open Service Mesh, Consul). */
const SIDECARS: ReadonlySet<string> = new Set([
  'istio-proxy',
  'linkerd-proxy',
  'kuma-sidecar',
  'envoy',
  'consul-dataplane',
])

/** The proxy container of a pod; null when it is in no mesh by sidecar. */
export function sidecarOf(pod: PodObject): string | null {
  return pod.containers.find((c) => SIDECARS.has(c.name))?.name ?? null
}

/** Istio without sidecars: the node's ztunnel speaks mutual TLS for the pod. */
export function inAmbientMesh(pod: PodObject, objects: KubeObjects): boolean {
  if (pod.meta.annotations['ambient.istio.io/redirection'] === 'enabled') return true
  const label = 'istio.io/dataplane-mode'
  const ns = objects.namespaces.find((n) => n.meta.name === pod.meta.namespace)
  return (pod.meta.labels[label] ?? ns?.meta.labels[label]) === 'ambient'
}

export interface PeerAuthenticationObject {
  readonly meta: Meta
  readonly evidence: Evidence
  /** Null: every workload of the namespace (of the mesh, in the root namespace). */
  readonly selector: Readonly<Record<string, string>> | null
  /** STRICT, PERMISSIVE, DISABLE, or UNSET (inherits). */
  readonly mode: string
  /** By the workload's own port. */
  readonly portModes: ReadonlyMap<number, string>
}

export function peerAuthenticationsOf(objects: KubeObjects): PeerAuthenticationObject[] {
  return objects.others
    .filter((o) => o.kind === 'PeerAuthentication' && /^security\.istio\.io\//.test(o.apiVersion))
    .map(({ meta, evidence, raw }) => {
      const spec = objectOf(raw.spec)
      const labels = recordOf(objectOf(spec.selector).matchLabels)
      return {
        meta,
        evidence,
        selector: Object.keys(labels).length > 0 ? labels : null,
        mode: textOf(objectOf(spec.mtls).mode) ?? 'UNSET',
        portModes: new Map(
          Object.entries(objectOf(spec.portLevelMtls)).map(([port, m]) => [
            Number(port),
            textOf(objectOf(m).mode) ?? 'UNSET',
          ]),
        ),
      }
    })
}

export interface DestinationRuleObject {
  readonly meta: Meta
  readonly evidence: Evidence
  readonly host: string
  /** spec.trafficPolicy.tls.mode: DISABLE, SIMPLE, MUTUAL, ISTIO_MUTUAL. */
  readonly tlsMode?: string
}

export function destinationRulesOf(objects: KubeObjects): DestinationRuleObject[] {
  return objects.others
    .filter((o) => o.kind === 'DestinationRule' && /^networking\.istio\.io\//.test(o.apiVersion))
    .map(({ meta, evidence, raw }) => {
      const spec = objectOf(raw.spec)
      return {
        meta,
        evidence,
        host: textOf(spec.host) ?? '',
        ...optional('tlsMode', textOf(objectOf(objectOf(spec.trafficPolicy).tls).mode)),
      }
    })
}

/** Namespace whose PeerAuthentication without selector holds for the whole mesh (meshConfig.rootNamespace, its default). */
const ROOT_NAMESPACE = 'istio-system'

/**
 * The PeerAuthentication in force for a pod's port and its mode. Istio's precedence: workload, namespace, mesh; the oldest
 * of equals wins; UNSET inherits; PERMISSIVE when nothing says (istio.io, PeerAuthentication reference). Null: none says.
 */
export function mtlsModeOf(
  objects: KubeObjects,
  pod: PodObject,
  port: number | null,
): { readonly mode: string; readonly by: PeerAuthenticationObject } | null {
  const all = [...peerAuthenticationsOf(objects)].sort((x, y) =>
    (x.meta.creationTimestamp ?? '') < (y.meta.creationTimestamp ?? '') ? -1 : 1,
  )
  const inNamespace = all.filter((p) => p.meta.namespace === pod.meta.namespace)
  const selecting = inNamespace.filter(
    (p) => p.selector !== null && Object.entries(p.selector).every(([k, v]) => pod.meta.labels[k] === v),
  )
  const levels = [
    selecting,
    inNamespace.filter((p) => p.selector === null),
    all.filter((p) => p.meta.namespace === ROOT_NAMESPACE && p.selector === null),
  ]
  for (const p of selecting) {
    const mode = port === null ? undefined : p.portModes.get(port)
    if (mode !== undefined && mode !== 'UNSET') return { mode, by: p }
  }
  for (const level of levels) for (const p of level) if (p.mode !== 'UNSET') return { mode: p.mode, by: p }
  return null
}
