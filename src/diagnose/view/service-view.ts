/** Services as a packet meets them: which Service port answers at an address, and who stands behind it. */
import { type Ip, ipEquals, parseIp } from '../../base/ip.ts'
import { protocolName } from '../../base/protocol.ts'
import type { EndpointSliceObject, KubeObjects, PodObject, ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import type { Packet } from '../../model/packet.ts'
import type { Inquiry } from '../inquiry.ts'
import { ownerOf, serviceOfAddress } from './owner.ts'

export interface Frontend {
  readonly service: ServiceObject
  readonly port: ServicePort
  readonly by: 'cluster-ip' | 'external' | 'node-port'
}

export function sameProtocol(text: string, protocol: number): boolean {
  return text.toLowerCase() === protocolName(protocol)
}

/** The Service port that `ip:port` is a frontend of; node ports on addresses of nodes only. */
export function frontendOf(q: Inquiry, ip: Ip, port: number, protocol: number): Frontend | null {
  const service = serviceOfAddress(q.objects, ip)
  if (service) {
    const found = service.ports.find((p) => p.port === port && sameProtocol(p.protocol, protocol))
    const by = service.clusterIPs.some((a) => same(a, ip)) ? 'cluster-ip' : 'external'
    return found ? { service, port: found, by } : null
  }
  if (ownerOf(q.network, q.objects, ip).kind !== 'node') return null
  for (const s of q.objects.services)
    for (const p of s.ports)
      if (p.nodePort === port && sameProtocol(p.protocol, protocol)) return { service: s, port: p, by: 'node-port' }
  return null
}

export function same(text: string, ip: Ip): boolean {
  const parsed = parseIp(text)
  return parsed !== null && ipEquals(parsed, ip)
}

/** The Service port the question's packet was sent to, before any translation. */
export function frontendAsked(q: Inquiry, packet: Packet): Frontend | null {
  return frontendOf(q, packet.dst, packet.dport, packet.protocol)
}

export interface Backend {
  readonly ip: Ip
  readonly address: string
  readonly port: number
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName?: string
  readonly pod?: PodObject
  readonly slice: EndpointSliceObject
}

/** EndpointSlices of a Service. */
export function slicesOf(objects: KubeObjects, service: ServiceObject): EndpointSliceObject[] {
  return indexOf(objects).slices.get(`${service.meta.namespace}/${service.meta.name}`) ?? []
}

interface Index {
  readonly slices: ReadonlyMap<string, EndpointSliceObject[]>
  readonly pods: ReadonlyMap<string, PodObject>
  /** Pods that have not ended, by namespace and label. */
  readonly byLabel: ReadonlyMap<string, PodObject[]>
}

function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace} ${key}=${value}`
}

const indexed = new WeakMap<KubeObjects, Index>()

/** Slices by `namespace/service` and pods by `namespace/name`: every Service asks, and there may be thousands. */
function indexOf(objects: KubeObjects): Index {
  const known = indexed.get(objects)
  if (known) return known
  const slices = new Map<string, EndpointSliceObject[]>()
  for (const s of objects.endpointSlices) {
    const key = `${s.meta.namespace}/${s.serviceName}`
    const list = slices.get(key)
    if (list) list.push(s)
    else slices.set(key, [s])
  }
  const byLabel = new Map<string, PodObject[]>()
  for (const p of objects.pods) {
    if (p.phase === 'Succeeded' || p.phase === 'Failed') continue
    for (const [k, v] of Object.entries(p.meta.labels)) {
      const key = labelKey(p.meta.namespace, k, v)
      const list = byLabel.get(key)
      if (list) list.push(p)
      else byLabel.set(key, [p])
    }
  }
  const index = { slices, byLabel, pods: new Map(objects.pods.map((p) => [`${p.meta.namespace}/${p.meta.name}`, p])) }
  indexed.set(objects, index)
  return index
}

/** Every endpoint of a Service port, whatever its state. */
export function backendsOf(objects: KubeObjects, service: ServiceObject, port: ServicePort): Backend[] {
  return slicesOf(objects, service).flatMap((slice) => {
    const ports = slice.ports.filter(
      (p) => p.name === port.name && p.protocol.toLowerCase() === port.protocol.toLowerCase() && p.port !== null,
    )
    return ports.flatMap((p) =>
      slice.endpoints.flatMap((e) => {
        const address = e.addresses[0] ?? ''
        const ip = parseIp(address)
        if (!ip) return []
        const target = e.target
        const pod =
          target?.kind === 'Pod'
            ? indexOf(objects).pods.get(`${target.namespace}/${target.name}`)
            : objects.pods.find((x) => !x.hostNetwork && x.podIPs.includes(address))
        return [
          {
            ip,
            address,
            port: p.port ?? 0,
            ready: e.ready,
            serving: e.serving,
            terminating: e.terminating,
            slice,
            ...(e.nodeName === undefined ? {} : { nodeName: e.nodeName }),
            ...(pod ? { pod } : {}),
          },
        ]
      }),
    )
  })
}

/** kube-proxy sends to ready endpoints, or failing that to those that still serve while terminating. */
export function usableBackends(backends: readonly Backend[]): Backend[] {
  const ready = backends.filter((b) => b.ready)
  return ready.length > 0 ? ready : backends.filter((b) => b.serving && b.terminating)
}

/** Pods a Service's selector picks, finished ones left out. */
export function selectedPods(objects: KubeObjects, service: ServiceObject): PodObject[] {
  const pairs = Object.entries(service.selector ?? {})
  const { byLabel } = indexOf(objects)
  const lists = pairs.map(([k, v]) => byLabel.get(labelKey(service.meta.namespace, k, v)) ?? [])
  const [fewest] = lists.sort((x, y) => x.length - y.length)
  return (fewest ?? []).filter((p) => pairs.every(([k, v]) => p.meta.labels[k] === v))
}

/** The cluster's DNS Service: by the label every distribution keeps, by name, or the nameserver pods are given. */
export function isDnsService(service: ServiceObject): boolean {
  if (!service.ports.some((p) => p.port === 53)) return false
  const label = service.meta.labels['k8s-app']
  return (
    label === 'kube-dns' ||
    (service.meta.namespace === 'kube-system' &&
      ['kube-dns', 'coredns', 'rke2-coredns-rke2-coredns'].includes(service.meta.name))
  )
}

export function dnsServices(objects: KubeObjects): ServiceObject[] {
  return objects.services.filter(isDnsService)
}

export function serviceName(s: ServiceObject): string {
  return `${s.meta.namespace}/${s.meta.name}`
}
