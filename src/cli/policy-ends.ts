/** References of a policy question to the ends policies see: a Service to its endpoints, a workload to its pods. */
import { formatIp, parseIp } from '../base/ip.ts'
import { parseReference, referenceText } from '../diagnose/question/reference.ts'
import type { PolicyEnd } from '../intent/policy/result.ts'
import type { KubeObjects, PodObject, ServiceObject, ServicePort } from '../kubeobj/objects.ts'
import { UsageError } from './errors.ts'
import { outsideAddresses } from './policy-outside.ts'

export interface NamedEnd {
  readonly end: PolicyEnd
  readonly text: string
  /** Of pods: what decides which port a name means. */
  readonly pod?: PodObject
}

/** What a reference stands for. */
export interface Ends {
  readonly text: string
  /** Written behind the reference: `svc/shop/api:8080`. */
  readonly port: string | null
  readonly ends: readonly NamedEnd[]
  readonly service?: ServiceObject
  readonly outside?: true
  readonly notes: readonly string[]
}

interface Index {
  readonly pods: ReadonlyMap<string, PodObject>
  readonly byNamespace: ReadonlyMap<string, readonly PodObject[]>
  /** By the reference as written, and what else it depends on. */
  readonly resolved: Map<string, Ends>
}

const indexed = new WeakMap<KubeObjects, Index>()

function indexOf(objects: KubeObjects): Index {
  const before = indexed.get(objects)
  if (before) return before
  const byNamespace = new Map<string, PodObject[]>()
  for (const pod of objects.pods) {
    const list = byNamespace.get(pod.meta.namespace)
    if (list) list.push(pod)
    else byNamespace.set(pod.meta.namespace, [pod])
  }
  const index = {
    pods: new Map(objects.pods.map((p) => [`${p.meta.namespace}/${p.meta.name}`, p])),
    byNamespace,
    resolved: new Map(),
  }
  indexed.set(objects, index)
  return index
}

/**
 * Everything `text` stands for. `family` is the one addresses outside are asked about in.
 * @throws UsageError when it is no reference, or names what is not there
 */
export function endsOf(objects: KubeObjects, text: string, namespace: string, family: 4 | 6 = 4): Ends {
  const { resolved } = indexOf(objects)
  const key = `${family} ${namespace} ${text}`
  const ends = resolved.get(key) ?? resolve(objects, text, namespace, family)
  resolved.set(key, ends)
  return ends
}

function resolve(objects: KubeObjects, text: string, namespace: string, family: 4 | 6): Ends {
  const parsed = parseReference(text, namespace, objects)
  if (typeof parsed === 'string') throw new UsageError(parsed)
  const { reference, port } = parsed
  const named = referenceText(reference)
  const index = indexOf(objects)
  switch (reference.kind) {
    case 'pod': {
      const pod = index.pods.get(`${reference.namespace}/${reference.name}`)
      if (!pod) throw new UsageError(`${named} is not among the objects${similar(index, reference)}`)
      return { text: shownAs(pod), port, ends: [ofPod(pod)], notes: [] }
    }
    case 'workload': {
      const pods = podsOf(index, reference)
      if (pods.length === 0)
        throw new UsageError(`${named} is not among the objects, or has no pods${similar(index, reference)}`)
      return { text: named, port, ends: pods.map(ofPod), notes: [] }
    }
    case 'service': {
      const service = objects.services.find(
        (s) => s.meta.namespace === reference.namespace && s.meta.name === reference.name,
      )
      if (!service) throw new UsageError(`${named} is not among the objects`)
      return { text: named, port, service, ...endpointsOf(objects, index, service) }
    }
    case 'node':
      return { text: named, port, ends: [{ end: { kind: 'node', name: reference.name }, text: named }], notes: [] }
    case 'ip':
      return {
        text: formatIp(reference.ip),
        port,
        ends: [{ end: { kind: 'ip', ip: reference.ip }, text: formatIp(reference.ip) }],
        notes: [],
      }
    case 'host':
      throw new UsageError(`${text}: policies know addresses, not DNS names; give one of its addresses`)
    case 'external': {
      const { addresses, complete } = outsideAddresses(objects, family)
      const ends = addresses.map(({ ip, range }) => ({ end: { kind: 'ip' as const, ip }, text: `external (${range})` }))
      const notes = complete ? [] : ['the policies tell more ranges of addresses apart than were asked about']
      return { text: named, port, ends, outside: true, notes }
    }
  }
}

const ofPod = (pod: PodObject): NamedEnd => ({
  end: { kind: 'pod', namespace: pod.meta.namespace, name: pod.meta.name },
  text: shownAs(pod),
  pod,
})

/** A workload's stand-in pod is shown as the workload. */
function shownAs(pod: PodObject): string {
  const { namespace, name, owners, uid } = pod.meta
  const owner = owners[0]
  const standIn =
    uid === '' &&
    pod.phase === 'Unknown' &&
    owner &&
    (name === owner.name || name.startsWith(`${owner.name}-${owner.kind.toLowerCase()}`))
  if (!standIn) return `pod/${namespace}/${name}`
  return referenceText({ kind: 'workload', workload: owner.kind, namespace, name: owner.name })
}

type Named = { readonly namespace: string; readonly name: string }

function podsOf(index: Index, ref: Named & { readonly workload: string }): PodObject[] {
  const through = ref.workload === 'Deployment' ? 'ReplicaSet' : ref.workload === 'CronJob' ? 'Job' : null
  return (index.byNamespace.get(ref.namespace) ?? []).filter((pod) =>
    pod.meta.owners.some(
      (o) =>
        (o.kind === ref.workload && o.name === ref.name) ||
        (o.kind === through && o.name.replace(/-[a-z0-9]+$/, '') === ref.name),
    ),
  )
}

/** A hint at a name that is there: of the same namespace with the same beginning, or the same name elsewhere. */
function similar(index: Index, wanted: Named): string {
  const near = [...index.pods.values()].find(
    (p) =>
      (p.meta.name === wanted.name && p.meta.namespace !== wanted.namespace) ||
      (p.meta.namespace === wanted.namespace && p.meta.name.startsWith(wanted.name)),
  )
  return near ? `; there is ${shownAs(near)}` : ''
}

/** By the selector, ready or not: policies do not ask. Without a selector, by the EndpointSlices. */
function endpointsOf(objects: KubeObjects, index: Index, service: ServiceObject): Pick<Ends, 'ends' | 'notes'> {
  const { namespace, name } = service.meta
  const none = (why: string) => ({ ends: [], notes: [why] })
  if (service.type === 'ExternalName')
    return none(`svc/${namespace}/${name} is a DNS alias of ${service.externalName ?? '?'}`)
  if (service.selector) {
    const wanted = Object.entries(service.selector)
    const pods = (index.byNamespace.get(namespace) ?? []).filter(
      (p) =>
        p.phase !== 'Succeeded' && p.phase !== 'Failed' && wanted.every(([key, value]) => p.meta.labels[key] === value),
    )
    return pods.length > 0 ? { ends: pods.map(ofPod), notes: [] } : none(`svc/${namespace}/${name} selects no pod`)
  }
  const addresses = objects.endpointSlices
    .filter((s) => s.serviceName === name && s.meta.namespace === namespace)
    .flatMap((s) => s.endpoints.flatMap((e) => e.addresses))
  const ends = [...new Set(addresses)].flatMap((text): NamedEnd[] => {
    const ip = parseIp(text)
    return ip ? [{ end: { kind: 'ip', ip }, text }] : []
  })
  return ends.length > 0 ? { ends, notes: [] } : none(`svc/${namespace}/${name} has no selector and no endpoints`)
}

/** The port of a Service that is asked for. Null: it has no such port, or several and none was named. */
export function servicePort(service: ServiceObject, port: string | null, protocol: string | null): ServicePort | null {
  const fitting = service.ports.filter(
    (p) =>
      (protocol === null || p.protocol === protocol) && (port === null || String(p.port) === port || p.name === port),
  )
  return fitting.length === 1 || (fitting.length > 1 && port !== null) ? fitting[0]! : null
}

/** The number a port means in a pod: itself, or the named port of that protocol. Null: the pod has no port of that name. */
export function portIn(pod: PodObject | undefined, port: number | string, protocol: string): number | null {
  if (typeof port === 'number') return port
  if (/^\d{1,5}$/.test(port)) return Number(port)
  const ports = pod?.containers.flatMap((c) => c.ports) ?? []
  return ports.find((p) => p.name === port && p.protocol.toUpperCase() === protocol)?.containerPort ?? null
}
