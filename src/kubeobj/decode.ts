/** Kubernetes objects as they came (JSON or YAML, turned into JS values by the caller) → the fields netwhy uses. */
import type { Evidence, Issue, Parsed } from '../model/evidence.ts'
import { decodeEndpointSlice, mirrorEndpoints } from './endpoints.ts'
import { integerOf, isRaw, objectOf, objectsOf, optional, type Raw, recordOf, textOf } from './fields.ts'
import { decodeNode } from './node.ts'
import type {
  EndpointSliceObject,
  EventObject,
  KubeObjects,
  Meta,
  NamespaceObject,
  NodeObject,
  OtherObject,
  PodObject,
  ServiceObject,
} from './objects.ts'
import { decodePod } from './pod.ts'
import { decodeService } from './service.ts'

export interface ObjectDocument {
  readonly artefact: string
  readonly source?: string
  /** 1-based line of the artefact where the value begins. */
  readonly line?: number
  /** Namespace of objects that name none; `default` when left out. */
  readonly namespace?: string
  /** A decoded object, a List, or an array of them. */
  readonly value: unknown
}

/** What all decoders of one kind get. */
export interface RawObject {
  readonly meta: Meta
  readonly evidence: Evidence
  readonly spec: Raw
  readonly status: Raw
  readonly raw: Raw
}

interface Draft {
  readonly nodes: NodeObject[]
  readonly pods: PodObject[]
  readonly services: ServiceObject[]
  readonly endpointSlices: EndpointSliceObject[]
  readonly namespaces: NamespaceObject[]
  readonly events: EventObject[]
  readonly others: OtherObject[]
  readonly endpoints: RawObject[]
  readonly known: Set<string>
}

/**
 * Objects by kind. Unknown kinds are kept whole among `others`; what is no object gives an issue. Of an object that comes
 * twice (same kind, namespace, name) the last one counts. Legacy Endpoints are mirrored into EndpointSlices for Services
 * that have none.
 *
 * `known` holds the kinds of Lists (also empty ones, `PodList` or a List with a kind per item) and of every object seen.
 */
export function decodeObjects(documents: readonly ObjectDocument[]): Parsed<KubeObjects> {
  const issues: Issue[] = []
  const latest = new Map<string, RawObject & { readonly kind: string; readonly apiVersion: string }>()
  const known = new Set<string>()
  for (const document of documents) visit(document.value, document, '', 0)
  const draft = draftOf(known)
  for (const object of latest.values()) place(object, draft)
  const served = new Set(draft.endpointSlices.map((s) => `${s.meta.namespace}/${s.serviceName}`))
  for (const e of draft.endpoints)
    if (!served.has(`${e.meta.namespace}/${e.meta.name}`)) draft.endpointSlices.push(...mirrorEndpoints(e))
  const { endpoints, ...value } = draft
  if (endpoints.length > 0) known.add('EndpointSlice')
  return { value, issues }

  function visit(value: unknown, from: ObjectDocument, listKind: string, depth: number): void {
    if (value === null || value === undefined) return
    if (Array.isArray(value) && depth < 4) {
      for (const item of value) visit(item, from, listKind, depth + 1)
      return
    }
    if (!isRaw(value)) {
      issues.push({ ...placeOf(from), message: 'not a Kubernetes object' })
      return
    }
    const kind = textOf(value.kind) ?? listKind
    if (Array.isArray(value.items) && /List$|^$/.test(kind) && depth < 4) {
      const itemKind = kind === 'List' ? '' : kind.replace(/List$/, '')
      if (itemKind !== '') known.add(itemKind)
      for (const item of value.items) visit(item, from, itemKind, depth + 1)
      return
    }
    const object = readObject(value, kind, from)
    if (typeof object === 'string') issues.push({ ...placeOf(from), message: object })
    else {
      known.add(kind)
      latest.set(`${object.apiVersion.split('/')[0]} ${kind} ${object.meta.namespace}/${object.meta.name}`, object)
    }
  }
}

const placeOf = (from: ObjectDocument) => ({ artefact: from.artefact, ...optional('line', from.line) })

/** No objects at all: what a cluster without API looks like. */
export function noObjects(): KubeObjects {
  const { endpoints: _, ...value } = draftOf(new Set())
  return value
}

function draftOf(known: Set<string>): Draft {
  return {
    nodes: [],
    pods: [],
    services: [],
    endpointSlices: [],
    namespaces: [],
    events: [],
    others: [],
    endpoints: [],
    known,
  }
}

/** Kinds without a namespace: one given by mistake is ignored. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  ...['Node', 'Namespace', 'ClusterRole', 'ClusterRoleBinding', 'IngressClass', 'GatewayClass', 'APIService'],
  ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'CustomResourceDefinition', 'IPPool'],
  ...['GlobalNetworkPolicy', 'FelixConfiguration', 'BGPConfiguration', 'BGPPeer', 'AdminNetworkPolicy'],
  ...['BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy', 'CiliumNode', 'CiliumClusterwideNetworkPolicy'],
  ...['PersistentVolume', 'StorageClass', 'PriorityClass', 'ServiceCIDR', 'IPAddress', 'HostEndpoint', 'IPAMBlock'],
])

/** The namespace an object of this kind is in when it names `given`; empty for cluster-scoped kinds. */
export function namespaceOf(kind: string, given: string | undefined, otherwise = 'default'): string {
  return CLUSTER_SCOPED.has(kind) ? '' : (given ?? otherwise)
}

function readObject(
  raw: Raw,
  kind: string,
  from: ObjectDocument,
): (RawObject & { readonly kind: string; readonly apiVersion: string }) | string {
  if (kind === '') return 'an object without a kind'
  const metadata = objectOf(raw.metadata)
  const name = textOf(metadata.name)
  if (name === undefined || name === '') return `a ${kind} without a name`
  const namespace = namespaceOf(kind, textOf(metadata.namespace), from.namespace)
  const meta: Meta = {
    name,
    namespace,
    uid: textOf(metadata.uid) ?? '',
    labels: recordOf(metadata.labels),
    annotations: recordOf(metadata.annotations),
    ...optional('creationTimestamp', textOf(metadata.creationTimestamp)),
    ...optional('deletionTimestamp', textOf(metadata.deletionTimestamp)),
    owners: objectsOf(metadata.ownerReferences).flatMap((o) => {
      const owner = { kind: textOf(o.kind), name: textOf(o.name) }
      return owner.kind === undefined || owner.name === undefined ? [] : [{ kind: owner.kind, name: owner.name }]
    }),
  }
  const evidence: Evidence = {
    ...placeOf(from),
    text: `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`,
    ...optional('source', from.source),
  }
  const apiVersion = textOf(raw.apiVersion) ?? ''
  return { kind, apiVersion, meta, evidence, spec: objectOf(raw.spec), status: objectOf(raw.status), raw }
}

function place(object: RawObject & { readonly kind: string; readonly apiVersion: string }, draft: Draft): void {
  const { meta, evidence, raw, kind, apiVersion } = object
  const core = apiVersion === 'v1' || apiVersion === ''
  switch (core || apiVersion.startsWith('discovery.k8s.io/') || apiVersion.startsWith('events.k8s.io/') ? kind : '') {
    case 'Node':
      draft.nodes.push(decodeNode(object))
      break
    case 'Pod':
      draft.pods.push(decodePod(object))
      break
    case 'Service':
      draft.services.push(decodeService(object))
      break
    case 'EndpointSlice':
      draft.endpointSlices.push(decodeEndpointSlice(object))
      break
    case 'Endpoints':
      draft.endpoints.push(object)
      break
    case 'Namespace':
      draft.namespaces.push({ meta, evidence })
      break
    case 'Event':
      draft.events.push(decodeEvent(object))
      break
    default:
      draft.others.push({ meta, evidence, apiVersion, kind, raw })
  }
}

/** `v1` names it involvedObject and message, `events.k8s.io/v1` regarding and note. */
function decodeEvent({ meta, evidence, raw }: RawObject): EventObject {
  const about = objectOf(raw.involvedObject ?? raw.regarding)
  const source = objectOf(raw.source ?? raw.deprecatedSource)
  const series = objectOf(raw.series)
  const reporter = [textOf(source.component) ?? textOf(raw.reportingComponent), textOf(source.host)].filter((x) => x)
  return {
    meta,
    evidence,
    type: textOf(raw.type) ?? '',
    reason: textOf(raw.reason) ?? '',
    message: textOf(raw.message) ?? textOf(raw.note) ?? '',
    about: {
      kind: textOf(about.kind) ?? '',
      namespace: textOf(about.namespace) ?? '',
      name: textOf(about.name) ?? '',
    },
    count: integerOf(series.count) ?? integerOf(raw.count) ?? integerOf(raw.deprecatedCount) ?? 1,
    ...optional(
      'lastSeen',
      textOf(series.lastObservedTime) ??
        textOf(raw.lastTimestamp) ??
        textOf(raw.deprecatedLastTimestamp) ??
        textOf(raw.eventTime),
    ),
    ...(reporter.length > 0 ? { reporter: reporter.join(' ') } : {}),
  }
}
