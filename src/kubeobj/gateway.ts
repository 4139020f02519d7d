/** Gateway API (gateway.networking.k8s.io): the fields that say who takes a route up and where it sends. */
import type { Evidence } from '../model/evidence.ts'
import { integerOf, objectOf, objectsOf, optional, type Raw, textOf } from './fields.ts'
import { conditionsOf } from './node.ts'
import type { Condition, KubeObjects, Meta, OtherObject } from './objects.ts'

interface Base {
  readonly meta: Meta
  readonly evidence: Evidence
}

export interface GatewayClassObject extends Base {
  readonly controller: string
  readonly conditions: readonly Condition[]
}

export interface GatewayObject extends Base {
  readonly className: string
  readonly listeners: readonly string[]
  readonly conditions: readonly Condition[]
  readonly listenerStatus: readonly { readonly name: string; readonly conditions: readonly Condition[] }[]
}

export interface RouteRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute. */
export interface RouteObject extends Base {
  readonly kind: string
  readonly parents: readonly (RouteRef & { readonly section?: string })[]
  /** Those of weight 0 get no traffic and are left out. */
  readonly backends: readonly (RouteRef & { readonly port: number | null })[]
  readonly parentStatus: readonly {
    readonly parent: RouteRef
    readonly controller: string
    readonly conditions: readonly Condition[]
  }[]
}

export interface GatewayObjects {
  readonly classes: readonly GatewayClassObject[]
  readonly gateways: readonly GatewayObject[]
  readonly routes: readonly RouteObject[]
  /** ReferenceGrants: which kinds of which namespaces may name Services of the grant's namespace. */
  readonly grants: readonly {
    readonly namespace: string
    readonly from: readonly { readonly kind: string; readonly namespace: string }[]
    readonly to: readonly { readonly kind: string; readonly name?: string }[]
  }[]
}

const GROUP = 'gateway.networking.k8s.io'
const ROUTES: ReadonlySet<string> = new Set(['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute'])

/** Everything of the Gateway API among the objects. */
export function gatewayObjectsOf(objects: KubeObjects): GatewayObjects {
  const ours = objects.others.filter((o) => o.apiVersion.startsWith(`${GROUP}/`))
  const of = (kind: string) => ours.filter((o) => o.kind === kind)
  return {
    classes: of('GatewayClass').map(({ meta, evidence, raw }) => ({
      meta,
      evidence,
      controller: textOf(objectOf(raw.spec).controllerName) ?? '',
      conditions: conditionsOf(objectOf(raw.status)),
    })),
    gateways: of('Gateway').map(decodeGateway),
    routes: ours.filter((o) => ROUTES.has(o.kind)).map(decodeRoute),
    grants: of('ReferenceGrant').map(({ meta, raw }) => {
      const spec = objectOf(raw.spec)
      return {
        namespace: meta.namespace,
        from: objectsOf(spec.from).map((f) => ({ kind: textOf(f.kind) ?? '', namespace: textOf(f.namespace) ?? '' })),
        to: objectsOf(spec.to).map((t) => ({ kind: textOf(t.kind) ?? '', ...optional('name', textOf(t.name)) })),
      }
    }),
  }
}

function decodeGateway({ meta, evidence, raw }: OtherObject): GatewayObject {
  const spec = objectOf(raw.spec)
  const status = objectOf(raw.status)
  return {
    meta,
    evidence,
    className: textOf(spec.gatewayClassName) ?? '',
    listeners: objectsOf(spec.listeners).map((l) => textOf(l.name) ?? ''),
    conditions: conditionsOf(status),
    listenerStatus: objectsOf(status.listeners).map((l) => ({
      name: textOf(l.name) ?? '',
      conditions: conditionsOf(l),
    })),
  }
}

/** Defaults of the API: a parent is a Gateway, a backend a Service, both of the route's namespace. */
function refOf(r: Raw, namespace: string, group: string, kind: string): RouteRef {
  return {
    group: textOf(r.group) ?? group,
    kind: textOf(r.kind) ?? kind,
    namespace: textOf(r.namespace) ?? namespace,
    name: textOf(r.name) ?? '',
  }
}

function decodeRoute({ meta, evidence, raw, kind }: OtherObject): RouteObject {
  const spec = objectOf(raw.spec)
  return {
    meta,
    evidence,
    kind,
    parents: objectsOf(spec.parentRefs).map((p) => ({
      ...refOf(p, meta.namespace, GROUP, 'Gateway'),
      ...optional('section', textOf(p.sectionName)),
    })),
    backends: objectsOf(spec.rules).flatMap((rule) =>
      objectsOf(rule.backendRefs)
        .filter((b) => b.weight !== 0)
        .map((b) => ({
          ...refOf(b, meta.namespace, '', 'Service'),
          port: integerOf(b.port) ?? null,
        })),
    ),
    parentStatus: objectsOf(objectOf(raw.status).parents).map((p) => ({
      parent: refOf(objectOf(p.parentRef), meta.namespace, GROUP, 'Gateway'),
      controller: textOf(p.controllerName) ?? '',
      conditions: conditionsOf(p),
    })),
  }
}
