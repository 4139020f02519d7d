/** Kubernetes objects from short manifests, for tests of checks that read objects only. */
import { decodeObjects } from '../../kubeobj/decode.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Network } from '../../model/network.ts'
import type { ClusterFinding, ClusterState } from '../cluster/check.ts'

/** Kinds a full collection asks for: an absent object of one of these does not exist. */
const ASKED = [
  ...['Node', 'Namespace', 'Pod', 'Service', 'EndpointSlice', 'Event', 'NetworkPolicy', 'Ingress', 'IngressClass'],
  ...['GatewayClass', 'Gateway', 'HTTPRoute', 'ReferenceGrant', 'ConfigMap', 'ClusterRole', 'Deployment'],
  ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'PeerAuthentication', 'DestinationRule'],
]

export const NO_NETWORK: Network = { nodes: new Map(), netns: new Map(), issues: [], missing: [] }

/** Decoded objects; every kind of ASKED but those of `unasked` counts as collected. */
export function objectsOf(items: readonly object[], unasked: readonly string[] = []): KubeObjects {
  const lists = ASKED.filter((k) => !unasked.includes(k)).map((k) => ({ kind: `${k}List`, items: [] }))
  return decodeObjects([{ artefact: 'objects/all.json', value: [...lists, ...items] }]).value
}

export function stateOf(items: readonly object[], network: Network = NO_NETWORK): ClusterState {
  return { network, objects: objectsOf(items) }
}

/** `code severity object` of findings, to compare at a glance. */
export function brief(findings: readonly ClusterFinding[]): string[] {
  return findings.map(
    (f) => `${f.finding.severity} ${f.finding.code} ${f.finding.where.object ?? f.finding.where.node ?? ''}`,
  )
}

type Extra = Record<string, unknown>

export function podItem(
  name: string,
  o: {
    readonly ns?: string
    readonly labels?: Record<string, string>
    readonly ip?: string
    readonly node?: string
    readonly ready?: boolean
    readonly containers?: readonly object[]
    readonly spec?: Extra
    readonly status?: Extra
    readonly metadata?: Extra
  } = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: o.ns ?? 'default', labels: o.labels ?? {}, ...o.metadata },
    spec: { nodeName: o.node ?? 'node1', containers: o.containers ?? [{ name: 'app' }], ...o.spec },
    status: {
      phase: 'Running',
      ...(o.ip === undefined ? {} : { podIP: o.ip }),
      conditions: [{ type: 'Ready', status: o.ready === false ? 'False' : 'True' }],
      ...o.status,
    },
  }
}

export function serviceItem(
  name: string,
  spec: Extra,
  o: { readonly ns?: string; readonly metadata?: Extra; readonly status?: Extra } = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: o.ns ?? 'default', ...o.metadata },
    spec,
    ...(o.status ? { status: o.status } : {}),
  }
}

/** One EndpointSlice; endpoints `[address, node, ready, pod]`. */
export function sliceItem(
  service: string,
  port: number,
  endpoints: readonly (readonly [string, string, boolean, string?])[],
  o: { readonly ns?: string; readonly portName?: string; readonly protocol?: string; readonly family?: string } = {},
): object {
  const namespace = o.ns ?? 'default'
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${service}-${o.family ?? 'a'}${port}${o.protocol ?? ''}`,
      namespace,
      labels: { 'kubernetes.io/service-name': service },
    },
    addressType: o.family ?? 'IPv4',
    ports: [{ name: o.portName ?? '', port, protocol: o.protocol ?? 'TCP' }],
    endpoints: endpoints.map(([address, nodeName, ready, pod]) => ({
      addresses: [address],
      nodeName,
      conditions: { ready, serving: ready, terminating: false },
      ...(pod === undefined ? {} : { targetRef: { kind: 'Pod', namespace, name: pod } }),
    })),
  }
}
