/** The checks of an Ingress (reference E3 stage 3): class, controller, address, backend; then its controller's way to the backend. */
import type { KubeObjects, OtherObject, PodObject } from '../../kubeobj/objects.ts'
import type { Network } from '../../model/network.ts'
import { type AskOptions, ask } from '../question/ask.ts'
import { QuestionError } from '../question/resolve.ts'
import { podProof, serviceProof } from '../view/object-proof.ts'
import type { AskedWalk } from './ask-walk.ts'
import { count, type Draft, draft, some } from './draft.ts'

interface Backend {
  readonly host: string
  readonly path: string
  readonly service: string
  /** Number or name. */
  readonly port: string
}

/** Labels the makers' manifests put on controller pods, by the controller an IngressClass names. */
const CONTROLLERS: readonly (readonly [RegExp, RegExp])[] = [
  [/ingress-nginx/, /^ingress-nginx$/],
  [/nginx\.org/, /^nginx-ingress/],
  [/traefik/, /^traefik$/],
  [/haproxy/, /haproxy-ingress|^kubernetes-ingress$/],
  [/contour/, /^contour$/],
  [/kong/, /^kong/],
  [/cilium/, /^cilium/],
]

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, 200) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function backendOf(raw: unknown, host: string, path: string): Backend[] {
  const service = record(record(raw).service)
  const port = record(service.port)
  const name = text(service.name)
  return name === '' ? [] : [{ host, path, service: name, port: text(port.number) || text(port.name) }]
}

/** Every backend Service an Ingress names, the default backend last. */
export function backendsOfIngress(ingress: OtherObject): Backend[] {
  const spec = record(ingress.raw.spec)
  const rules = list(spec.rules).flatMap((rule) =>
    list(record(record(rule).http).paths).flatMap((p) =>
      backendOf(record(p).backend, text(record(rule).host) || '*', text(record(p).path) || '/'),
    ),
  )
  return [...rules, ...backendOf(spec.defaultBackend, '*', 'default')]
}

/** Addresses the controller published for it. */
export function addressesOfIngress(ingress: OtherObject): string[] {
  return list(record(record(ingress.raw.status).loadBalancer).ingress)
    .map((i) => text(record(i).ip) || text(record(i).hostname))
    .filter((a) => a !== '')
}

/** The controller's name, by the class the Ingress asks for. Empty class: the default one. */
function classOf(objects: KubeObjects, ingress: OtherObject): { readonly name: string; readonly found?: OtherObject } {
  const name =
    text(record(ingress.raw.spec).ingressClassName) || (ingress.meta.annotations['kubernetes.io/ingress.class'] ?? '')
  const classes = objects.others.filter((o) => o.kind === 'IngressClass')
  const found = name
    ? classes.find((c) => c.meta.name === name)
    : classes.find((c) => c.meta.annotations['ingressclass.kubernetes.io/is-default-class'] === 'true')
  return { name, ...(found ? { found } : {}) }
}

function controllerPods(objects: KubeObjects, controller: string): PodObject[] {
  const pattern = CONTROLLERS.find(([name]) => name.test(controller))?.[1]
  if (!pattern) return []
  const labels = ['app.kubernetes.io/name', 'app', 'k8s-app', 'name']
  return objects.pods.filter((p) => p.phase === 'Running' && labels.some((l) => pattern.test(p.meta.labels[l] ?? '')))
}

/**
 * The question an Ingress amounts to: does its controller (or, when that is not known, the sender) reach the backend Service?
 * @throws QuestionError when there is no such Ingress, or it has no backend
 */
export function askIngress(network: Network, objects: KubeObjects, options: AskOptions): AskedWalk {
  const parts = options.to.split('/').slice(1)
  const [namespace, rest = ''] = parts.length === 2 ? [parts[0] ?? '', parts[1]] : [options.namespace, parts[0]]
  const name = rest.replace(/:.*$/, '')
  if (!objects.known.has('Ingress') && !objects.others.some((o) => o.kind === 'Ingress'))
    throw new QuestionError(`${options.to}: Ingress objects were not collected`)
  const ingress = objects.others.find(
    (o) => o.kind === 'Ingress' && o.meta.namespace === namespace && o.meta.name === name,
  )
  if (!ingress) throw new QuestionError(`no ingress ${name} in namespace ${namespace}`)
  const backends = backendsOfIngress(ingress)
  const backend = backends[0]
  if (!backend) throw new QuestionError(`ingress ${namespace}/${name} names no backend Service`)
  const cls = classOf(objects, ingress)
  const controller = text(record(cls.found?.raw.spec).controller)
  const pods = controllerPods(objects, controller)
  const sender = pods[0] ? `pod/${pods[0].meta.namespace}/${pods[0].meta.name}` : options.from
  const service = objects.services.find((s) => s.meta.namespace === namespace && s.meta.name === backend.service)
  const before: Draft[] = [
    draft(
      'ingress.exists',
      `Ingress ${namespace}/${name} exists`,
      'ok',
      some(backends.map((b) => `${b.host}${b.path} → ${b.service}:${b.port}`)),
      [ingress.evidence],
    ),
    classStep(objects, cls, controller),
    controllerStep(controller, pods),
    addressStep(ingress),
    draft(
      'ingress.backend',
      'The backend Service exists',
      service ? 'ok' : objects.known.has('Service') ? 'failed' : 'unknown',
      service
        ? `${namespace}/${backend.service}; asked below from ${sender}`
        : `there is no Service ${namespace}/${backend.service}`,
      [service ? serviceProof(service) : ingress.evidence],
    ),
  ]
  const { port: _, ...others } = options
  const asked = ask(network, objects, {
    ...others,
    from: sender,
    to: `svc/${namespace}/${backend.service}`,
    ...(backend.port === '' ? {} : { port: backend.port }),
  })
  return { asked, before }
}

function classStep(objects: KubeObjects, cls: ReturnType<typeof classOf>, controller: string): Draft {
  const id = 'ingress.class'
  const title = 'A class says which controller serves it'
  if (cls.found) return draft(id, title, 'ok', `${cls.found.meta.name}: ${controller}`, [cls.found.evidence])
  const asked =
    cls.name === '' ? 'it names no class and no class is the default' : `there is no IngressClass ${cls.name}`
  if (!objects.known.has('IngressClass')) return draft(id, title, 'unknown', 'IngressClasses were not collected')
  return draft(id, title, 'failed', `${asked}: no controller takes it`)
}

function controllerStep(controller: string, pods: readonly PodObject[]): Draft {
  const id = 'ingress.controller'
  const title = 'The controller runs'
  if (controller === '') return draft(id, title, 'skipped', 'not reached: the class is not known')
  if (pods.length === 0)
    return draft(id, title, 'unknown', `no running pod was recognised as ${controller}; it may run outside the cluster`)
  const ready = pods.filter((p) => p.conditions.some((c) => c.type === 'Ready' && c.status === 'True'))
  const names = some(pods.map((p) => `${p.meta.namespace}/${p.meta.name}`))
  return draft(
    id,
    title,
    ready.length > 0 ? 'ok' : 'failed',
    `${ready.length} of ${count(pods.length, 'pod')} Ready: ${names}`,
    pods.slice(0, 2).map(podProof),
  )
}

function addressStep(ingress: OtherObject): Draft {
  const given = addressesOfIngress(ingress)
  const id = 'ingress.address'
  const title = 'Clients are told an address'
  if (given.length > 0) return draft(id, title, 'ok', some(given), [ingress.evidence])
  return draft(
    id,
    title,
    'unknown',
    'status.loadBalancer is empty: the controller has not taken it, or does not publish addresses',
    [ingress.evidence],
  )
}
