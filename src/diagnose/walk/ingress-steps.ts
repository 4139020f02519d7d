/** The checks of an Ingress (reference E3 stage 3): class, controller, address, backend; then its controller's way to the backend. */
import {
  type IngressBackend,
  type IngressClassObject,
  type IngressObject,
  ingressClassesOf,
  ingressesOf,
} from '../../kubeobj/ingress.ts'
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { Finding, Question } from '../../model/finding.ts'
import type { Network } from '../../model/network.ts'
import type { WalkStepId } from '../../model/walk.ts'
import type { ClusterState } from '../cluster/check.ts'
import { CLUSTER_CHECKS } from '../cluster/registry.ts'
import { type AskOptions, ask } from '../question/ask.ts'
import { QuestionError } from '../question/resolve.ts'
import { podProof, serviceProof } from '../view/object-proof.ts'
import type { AskedWalk } from './ask-walk.ts'
import { count, type Draft, draft, failedBy, notReached, some } from './draft.ts'

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

/** The class that serves it: the one it names, or the default one. */
function classOf(objects: KubeObjects, ingress: IngressObject): IngressClassObject | undefined {
  const classes = ingressClassesOf(objects)
  return ingress.className === undefined
    ? classes.find((c) => c.isDefault)
    : classes.find((c) => c.meta.name === ingress.className)
}

function controllerPods(objects: KubeObjects, controller: string): PodObject[] {
  const pattern = CONTROLLERS.find(([name]) => name.test(controller))?.[1]
  if (!pattern) return []
  const labels = ['app.kubernetes.io/name', 'app', 'k8s-app', 'name']
  return objects.pods.filter((p) => p.phase === 'Running' && labels.some((l) => pattern.test(p.meta.labels[l] ?? '')))
}

/**
 * The question an Ingress amounts to: does its controller (or, when that is not known, the sender) reach the backend Service?
 * @throws QuestionError when there is no such Ingress, or it names no Service
 */
export function askIngress(network: Network, objects: KubeObjects, options: AskOptions): AskedWalk {
  const parts = options.to.split('/').slice(1)
  const [namespace, rest] = parts.length === 2 ? [parts[0]!, parts[1]!] : [options.namespace, parts[0] ?? '']
  const name = rest.replace(/:.*$/, '')
  if (!objects.known.has('Ingress') && !objects.others.some((o) => o.kind === 'Ingress'))
    throw new QuestionError(`${options.to}: Ingress objects were not collected`)
  const ingress = ingressesOf(objects).find((i) => i.meta.namespace === namespace && i.meta.name === name)
  if (!ingress) throw new QuestionError(`no ingress ${name} in namespace ${namespace}`)
  const backend = ingress.backends[0]
  if (!backend) throw new QuestionError(`ingress ${namespace}/${name} names no backend Service`)
  const cls = classOf(objects, ingress)
  const controller = cls?.controller ?? ''
  const pods = controllerPods(objects, controller)
  const sender = pods[0] ? `pod/${pods[0].meta.namespace}/${pods[0].meta.name}` : options.from
  const service = objects.services.find((s) => s.meta.namespace === namespace && s.meta.name === backend.service)
  const found = findingsAbout({ network, objects }, ingress, cls)
  const before: Draft[] = [
    draft(
      'ingress.exists',
      `Ingress ${namespace}/${name} exists`,
      'ok',
      some(ingress.backends.map((b) => `${b.where} → ${b.service}:${b.port ?? '?'}`)),
      [ingress.evidence],
    ),
    classStep(ingress, cls),
    controllerStep(controller, pods),
    addressStep(ingress),
    backendStep(objects, ingress, backend, sender),
  ].map((step) => blamed(step, found))
  if (!service) return { asked: null, before, findings: found, question: questionOf(options, backend) }
  const { port: _, ...others } = options
  const asked = ask(network, objects, {
    ...others,
    from: sender,
    to: `svc/${namespace}/${backend.service}`,
    ...(backend.port === null ? {} : { port: String(backend.port) }),
  })
  return { asked, before, findings: found, question: questionOf(options, backend) }
}

/** What the checks of the whole cluster say of this Ingress. */
function findingsAbout(state: ClusterState, ingress: IngressObject, cls: IngressClassObject | undefined): Finding[] {
  const about = [`Ingress ${ingress.meta.namespace}/${ingress.meta.name}`, `IngressClass ${cls?.meta.name ?? ''}`]
  return CLUSTER_CHECKS.flatMap((check) => check.find(state))
    .map((f) => f.finding)
    .filter((f) => f.code.startsWith('ingress-') && about.includes(f.where.object ?? ''))
}

const STEP_OF: Readonly<Record<string, WalkStepId>> = {
  'ingress-class-missing': 'ingress.class',
  'ingress-controller-down': 'ingress.controller',
  'ingress-backend-wrong': 'ingress.backend',
}

/** The step fails where a check of the cluster found its fault. */
function blamed(step: Draft, found: readonly Finding[]): Draft {
  const fault = found.find((f) => f.severity === 'error' && STEP_OF[f.code] === step.id)
  return fault ? failedBy(step.id, step.title, fault) : step
}

function questionOf(options: AskOptions, backend: IngressBackend): Question {
  const port = typeof backend.port === 'number' ? backend.port : null
  return { from: options.from, to: options.to, protocol: options.protocol ?? 'tcp', port }
}

function backendStep(objects: KubeObjects, ingress: IngressObject, backend: IngressBackend, sender: string): Draft {
  const id = 'ingress.backend'
  const title = 'The backend Service exists'
  const { namespace } = ingress.meta
  const service = objects.services.find((s) => s.meta.namespace === namespace && s.meta.name === backend.service)
  const name = `${namespace}/${backend.service}`
  if (service) return draft(id, title, 'ok', `${name}; asked below from ${sender}`, [serviceProof(service)])
  if (!objects.known.has('Service'))
    return draft(id, title, 'unknown', 'Services were not collected', [ingress.evidence])
  return draft(id, title, 'failed', `there is no Service ${name}`, [ingress.evidence])
}

function classStep(ingress: IngressObject, cls: IngressClassObject | undefined): Draft {
  const id = 'ingress.class'
  const title = 'A class says which controller serves it'
  if (cls) return draft(id, title, 'ok', `${cls.meta.name}: ${cls.controller}`, [cls.evidence])
  if (ingress.served) return draft(id, title, 'ok', 'no class object, but a controller serves it', [ingress.evidence])
  const text =
    ingress.className === undefined
      ? 'it names no class and no class is the default'
      : `no IngressClass ${ingress.className} is known`
  return draft(id, title, 'unknown', `${text}; some controllers need none`, [ingress.evidence])
}

function controllerStep(controller: string, pods: readonly PodObject[]): Draft {
  const id = 'ingress.controller'
  const title = 'The controller runs'
  if (controller === '') return draft(id, title, 'skipped', notReached('ingress.class'))
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

function addressStep(ingress: IngressObject): Draft {
  const id = 'ingress.address'
  const title = 'A controller has taken it up'
  if (ingress.served) return draft(id, title, 'ok', 'its status holds an address', [ingress.evidence])
  const text = 'its status is empty: no controller has taken it, or this one does not publish addresses'
  return draft(id, title, 'unknown', text, [ingress.evidence])
}
