/** Observed flows to the workloads of a set of objects, as policies see them: on the pods behind Services, on the pods' ports. */
import { formatIp, type Ip, parseIp, parsePrefix, prefixContains } from '../../base/ip.ts'
import { hasEnded, type PolicyCluster, policyCluster } from '../../intent/policy/cluster.ts'
import type { KubeObjects, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { FlowEnd, ObservedFlow, ObservedFlows } from '../../model/observed-flow.ts'
import { parseReference, type Reference, referenceText } from '../question/reference.ts'
import { targets } from './dns-target.ts'

export type FlowPlace =
  /** `name` as ends of the matrix are called. */
  | { readonly kind: 'pods'; readonly name: string; readonly pod: PodObject }
  | { readonly kind: 'outside'; readonly ip: Ip }

export interface WorkloadFlow {
  readonly from: FlowPlace
  readonly to: FlowPlace
  readonly protocol: string
  readonly port: number | null
  readonly outcome: ObservedFlow['outcome']
  readonly count: number
  readonly perMinute?: number
}

export interface PlacedFlows {
  /** In order of names; flows of the same ends and port are one. */
  readonly flows: readonly WorkloadFlow[]
  /** What could not be placed, a sentence each. */
  readonly notes: readonly string[]
}

type Placed = { readonly kind: 'none'; readonly why: string } | FlowPlace | Behind

/** A Service: the place depends on its port. */
interface Behind {
  readonly kind: 'service'
  readonly service: ServiceObject
}

/** `1 flow`, `12 flows`: parts of a flow, of several endpoints, are rounded. */
export const flowCount = (n: number): string => (Math.round(n) === 1 ? '1 flow' : `${Math.round(n)} flows`)

export const placeName = (p: FlowPlace): string => (p.kind === 'pods' ? p.name : formatIp(p.ip))

/** `nameOf`: the end a pod belongs to. `namespace` completes references. */
export function placeFlows(
  observed: ObservedFlows,
  objects: KubeObjects,
  nameOf: (pod: PodObject) => string,
  namespace: string,
): PlacedFlows {
  const cluster = policyCluster(objects)
  const left = new Map<string, number>()
  const leave = (why: string, count: number) => left.set(why, (left.get(why) ?? 0) + count)
  const byName = new Map<string, PodObject>()
  for (const pod of objects.pods) if (!hasEnded(pod) && !byName.has(nameOf(pod))) byName.set(nameOf(pod), pod)
  const place = placer(cluster, objects, nameOf, byName, namespace)
  const sum = new Map<string, WorkloadFlow>()
  const add = (f: WorkloadFlow) => {
    const key = [placeName(f.from), placeName(f.to), f.protocol, f.port ?? '', f.outcome].join(' ')
    const known = sum.get(key)
    const perMinute =
      known?.perMinute === undefined && f.perMinute === undefined
        ? {}
        : { perMinute: (known?.perMinute ?? 0) + (f.perMinute ?? 0) }
    sum.set(key, { ...(known ?? f), count: (known?.count ?? 0) + f.count, ...perMinute })
  }
  for (const flow of observed.flows) {
    const from = place(flow.from)
    const to = place(flow.to)
    if (from.kind === 'service') leave('from the address of a Service, which sends nothing', flow.count)
    else if (from.kind === 'none') leave(from.why, flow.count)
    else if (to.kind === 'none') leave(to.why, flow.count)
    else if (from.kind === 'outside' && to.kind === 'outside')
      leave('between addresses outside the cluster', flow.count)
    else if (to.kind === 'service') {
      const behind = backends(cluster, objects, to.service, flow)
      if (behind.length === 0)
        leave(`to a Service that has no pods behind port ${flow.port} (${serviceName(to.service)})`, flow.count)
      for (const { pod, port, share } of behind) {
        const { perMinute, ...rest } = flow
        const rate = perMinute === undefined ? {} : { perMinute: perMinute * share }
        const target = { kind: 'pods' as const, name: nameOf(pod), pod }
        add({ ...rest, from, to: target, port, count: flow.count * share, ...rate })
      }
    } else add({ ...flow, from, to })
  }
  return {
    flows: [...sum].sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0)).map(([, f]) => f),
    notes: [...left].sort(([x], [y]) => (x < y ? -1 : 1)).map(([why, n]) => `${flowCount(n)} ${why}`),
  }
}

const serviceName = (s: ServiceObject) => `svc/${s.meta.namespace}/${s.meta.name}`

const NONE = (why: string): Placed => ({ kind: 'none', why })
const GONE = 'of pods that are not among the objects (gone, or not in these files)'
const HOST = 'of nodes (kubelet, host-network pods), whom no podSelector finds'

function placer(
  cluster: PolicyCluster,
  objects: KubeObjects,
  nameOf: (pod: PodObject) => string,
  byName: ReadonlyMap<string, PodObject>,
  namespace: string,
): (end: FlowEnd) => Placed {
  const podRanges = objects.nodes.flatMap((n) => n.podCIDRs.flatMap((c) => parsePrefix(c) ?? []))
  const ofPod = (pod: PodObject): Placed => (pod.hostNetwork ? NONE(HOST) : { kind: 'pods', name: nameOf(pod), pod })
  const ofName = (name: string): Placed => {
    const pod = byName.get(name)
    return pod ? ofPod(pod) : NONE(GONE)
  }
  const ofIp = (ip: Ip): Placed => {
    const text = formatIp(ip)
    const pod = cluster.podByIp.get(text)
    if (pod) return ofPod(pod)
    if (cluster.nodeByIp.has(text)) return NONE(HOST)
    const service = cluster.serviceByIp.get(text)
    if (service) return { kind: 'service', service }
    if (podRanges.some((p) => prefixContains(p, ip))) return NONE(GONE)
    return { kind: 'outside', ip }
  }
  const ofReference = (r: Reference): Placed => {
    switch (r.kind) {
      case 'pod': {
        const pod = cluster.pods.get(`${r.namespace}/${r.name}`)
        return pod && !hasEnded(pod) ? ofPod(pod) : NONE(GONE)
      }
      case 'workload':
        return ofName(referenceText(r))
      case 'service': {
        const service = cluster.servicesByNamespace.get(r.namespace)?.find((s) => s.meta.name === r.name)
        return service ? { kind: 'service', service } : NONE('to Services that are not among the objects')
      }
      case 'ip':
        return ofIp(r.ip)
      case 'node':
        return NONE(HOST)
      case 'host':
      case 'external':
        return NONE('of ends outside that are no address')
    }
  }
  const memo = new Map<string, Placed>()
  return (end) => {
    switch (end.kind) {
      case 'host':
        return NONE(HOST)
      case 'ip': {
        const ip = parseIp(end.ip)
        return ip ? ofIp(ip) : NONE('with an address that is none')
      }
      case 'pod': {
        const pod = cluster.pods.get(`${end.namespace}/${end.name}`)
        if (pod && !hasEnded(pod)) return ofPod(pod)
        const { workload } = end
        return workload
          ? ofReference({ kind: 'workload', workload: workload.kind, namespace: end.namespace, name: workload.name })
          : NONE(GONE)
      }
      case 'reference': {
        let known = memo.get(end.text)
        if (!known) {
          const parsed = parseReference(end.text, namespace, objects)
          known =
            typeof parsed === 'string'
              ? NONE(`with an end that is no reference (${parsed.slice(0, 200)})`)
              : ofReference(parsed.reference)
          memo.set(end.text, known)
        }
        return known
      }
    }
  }
}

/** Pods behind a Service's port, one of each end, with the part of the connections each gets. */
function backends(cluster: PolicyCluster, objects: KubeObjects, service: ServiceObject, flow: ObservedFlow) {
  const pods = podsBehind(cluster, objects, service)
  const found: { pod: PodObject; port: number | null }[] = []
  for (const pod of pods) {
    if (service.clusterIPs[0] === 'None') {
      found.push({ pod, port: flow.port })
      continue
    }
    const of = service.ports.find((p) => p.port === flow.port && p.protocol.toUpperCase() === flow.protocol)
    const target = of ? targets(of.targetPort, pod, of.protocol)[0] : undefined
    if (target !== undefined) found.push({ pod, port: Number(target.split(' ')[1]) })
  }
  return found.map((f) => ({ ...f, share: 1 / found.length }))
}

/** By the selector; of a Service without one by its EndpointSlices. */
export function podsBehind(cluster: PolicyCluster, objects: KubeObjects, service: ServiceObject): PodObject[] {
  const { namespace, name } = service.meta
  const selector = Object.entries(service.selector ?? {})
  if (selector.length > 0)
    return objects.pods.filter(
      (p) => p.meta.namespace === namespace && !hasEnded(p) && selector.every(([k, v]) => p.meta.labels[k] === v),
    )
  return objects.endpointSlices
    .filter((s) => s.meta.namespace === namespace && s.serviceName === name)
    .flatMap((s) => s.endpoints)
    .flatMap(({ target }) => {
      const pod =
        target?.kind === 'Pod' ? cluster.pods.get(`${target.namespace || namespace}/${target.name}`) : undefined
      return pod && !hasEnded(pod) ? [pod] : []
    })
}
