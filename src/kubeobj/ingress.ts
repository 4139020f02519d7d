/** Ingress and IngressClass (networking.k8s.io/v1, and the older beta forms of the same fields). */
import type { Evidence } from '../model/evidence.ts'
import { integerOf, objectOf, objectsOf, optional, type Raw, textOf } from './fields.ts'
import type { KubeObjects, Meta, OtherObject } from './objects.ts'

export interface IngressObject {
  readonly meta: Meta
  readonly evidence: Evidence
  /** spec.ingressClassName, or the older annotation `kubernetes.io/ingress.class`. */
  readonly className?: string
  readonly classBy?: 'spec' | 'annotation'
  readonly backends: readonly IngressBackend[]
  /** status.loadBalancer.ingress has an entry: a controller has taken the object up. */
  readonly served: boolean
}

/** A Service an Ingress sends to; backends of kind `resource` are left out. */
export interface IngressBackend {
  /** `shop.example.com/path`, or `default backend`. */
  readonly where: string
  readonly service: string
  /** Number or name; null when the object gives none. */
  readonly port: number | string | null
}

export interface IngressClassObject {
  readonly meta: Meta
  readonly evidence: Evidence
  readonly controller: string
  readonly isDefault: boolean
}

const GROUPS = /^(networking\.k8s\.io|extensions)\//

/** Ingresses of any version that has been served. */
export function ingressesOf(objects: KubeObjects): IngressObject[] {
  return objects.others.filter((o) => o.kind === 'Ingress' && GROUPS.test(o.apiVersion)).map(decodeIngress)
}

export function ingressClassesOf(objects: KubeObjects): IngressClassObject[] {
  return objects.others
    .filter((o) => o.kind === 'IngressClass' && GROUPS.test(o.apiVersion))
    .map(({ meta, evidence, raw }) => ({
      meta,
      evidence,
      controller: textOf(objectOf(raw.spec).controller) ?? '',
      isDefault: meta.annotations['ingressclass.kubernetes.io/is-default-class'] === 'true',
    }))
}

function decodeIngress({ meta, evidence, raw }: OtherObject): IngressObject {
  const spec = objectOf(raw.spec)
  const named = textOf(spec.ingressClassName)
  const noted = meta.annotations['kubernetes.io/ingress.class']
  const rules = objectsOf(spec.rules).flatMap((rule) => {
    const host = textOf(rule.host) ?? '*'
    return objectsOf(objectOf(rule.http).paths).flatMap((path) =>
      backendOf(objectOf(path.backend), `${host}${textOf(path.path) ?? '/'}`),
    )
  })
  const byDefault = backendOf(objectOf(spec.defaultBackend ?? spec.backend), 'default backend')
  return {
    meta,
    evidence,
    ...optional('className', named ?? noted),
    ...(named !== undefined
      ? { classBy: 'spec' as const }
      : noted !== undefined
        ? { classBy: 'annotation' as const }
        : {}),
    backends: [...rules, ...byDefault],
    served: objectsOf(objectOf(objectOf(raw.status).loadBalancer).ingress).length > 0,
  }
}

/** v1 says `service: {name, port: {number|name}}`, the betas `serviceName`, `servicePort`. */
function backendOf(backend: Raw, where: string): IngressBackend[] {
  const service = objectOf(backend.service)
  const name = textOf(service.name) ?? textOf(backend.serviceName)
  if (name === undefined) return []
  const port = objectOf(service.port)
  const value = port.number ?? port.name ?? backend.servicePort
  return [{ where, service: name, port: integerOf(value) ?? textOf(value) ?? null }]
}
