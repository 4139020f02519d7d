/**
 * Which endpoints of a Service port a node uses.
 * Source: kube-proxy pkg/proxy/topology.go `CategorizeEndpoints` (1.34) and pkg/proxy/endpointslicecache.go.
 */
import { compareIp, formatEndpoint, formatIp, type Ip, parseIp } from '../../base/ip.ts'
import type { EndpointSliceObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { ServicePortId } from './names.ts'

export interface ServiceEndpoint {
  readonly ip: Ip
  readonly address: string
  readonly port: number
  /** `ip:port` or `[ip]:port`: what DNAT rules say and hashes take. */
  readonly text: string
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName?: string
  readonly hintZones: readonly string[]
  readonly hintNodes: readonly string[]
  readonly target?: { readonly kind: string; readonly namespace: string; readonly name: string }
}

export interface EndpointChoice {
  /** Every endpoint of the port in this family, whatever its state, in kube-proxy's order (by text). */
  readonly all: readonly ServiceEndpoint[]
  /** Used by traffic with policy Cluster, in kube-proxy's order (by text). */
  readonly cluster: readonly ServiceEndpoint[]
  /** Used by traffic with policy Local. */
  readonly local: readonly ServiceEndpoint[]
  /** Everything this node may send to: the union of the two. */
  readonly reachable: readonly ServiceEndpoint[]
  /** Whether any endpoint anywhere is usable: decides between reject (none) and drop (none here). */
  readonly any: boolean
}

/** All endpoints of one Service port in one family, whatever their state, sorted by text as kube-proxy keeps them. */
export function endpointsOf(
  slices: readonly EndpointSliceObject[],
  id: ServicePortId,
  family: 4 | 6,
  nodeName: string,
): ServiceEndpoint[] {
  const found = new Map<string, ServiceEndpoint>()
  for (const slice of slicesOf(slices, id)) {
    if (slice.addressType !== (family === 4 ? 'IPv4' : 'IPv6')) continue
    for (const port of slice.ports) {
      if (port.name !== id.portName || port.protocol.toLowerCase() !== id.protocol || port.port === null) continue
      for (const e of slice.endpoints) {
        // Only the first address counts: the API calls the others fungible (EndpointSlice v1).
        const ip = parseIp(e.addresses[0] ?? '')
        if (ip?.family !== family) continue
        const text = formatEndpoint(ip, port.port)
        // An endpoint that two slices hold counts as ready when one of them says so (mid-move between slices).
        if (found.get(text)?.ready) continue
        found.set(text, {
          ip,
          address: formatIp(ip),
          port: port.port,
          text,
          local: e.nodeName === nodeName,
          ready: e.ready,
          serving: e.serving,
          terminating: e.terminating,
          nodeName: e.nodeName,
          hintZones: e.hintZones,
          hintNodes: e.hintNodes,
          target: e.target,
        })
      }
    }
  }
  return [...found.values()].sort((x, y) => (x.text < y.text ? -1 : x.text > y.text ? 1 : compareIp(x.ip, y.ip)))
}

/** Large clusters have thousands of slices and every node asks for each Service's: they are sorted by Service once. */
const byService = new WeakMap<readonly EndpointSliceObject[], ReadonlyMap<string, readonly EndpointSliceObject[]>>()

function slicesOf(slices: readonly EndpointSliceObject[], id: ServicePortId): readonly EndpointSliceObject[] {
  let index = byService.get(slices)
  if (!index) {
    const made = new Map<string, EndpointSliceObject[]>()
    for (const slice of slices) {
      if (LEFT_ALONE.some((label) => label in slice.meta.labels)) continue
      const key = `${slice.meta.namespace}/${slice.serviceName}`
      const known = made.get(key)
      if (known) known.push(slice)
      else made.set(key, [slice])
    }
    index = made
    byService.set(slices, index)
  }
  return index.get(`${id.namespace}/${id.service}`) ?? []
}

/** Hints count only when every ready endpoint carries them and at least one is for this node or zone. */
function topology(all: readonly ServiceEndpoint[], nodeName: string, zone: string): (e: ServiceEndpoint) => boolean {
  const ready = all.filter((e) => e.ready)
  if (ready.length > 0 && ready.every((e) => e.hintNodes.length > 0)) {
    if (ready.some((e) => e.hintNodes.includes(nodeName))) return (e) => e.hintNodes.includes(nodeName)
  }
  if (ready.length > 0 && zone !== '' && ready.every((e) => e.hintZones.length > 0)) {
    if (ready.some((e) => e.hintZones.includes(zone))) return (e) => e.hintZones.includes(zone)
  }
  return () => true
}

/** The ready ones of `candidates`, or when there are none those that still serve while they terminate. */
function usable(candidates: readonly ServiceEndpoint[], preferred: (e: ServiceEndpoint) => boolean) {
  const ready = candidates.filter((e) => e.ready && preferred(e))
  return ready.length > 0 ? ready : candidates.filter((e) => e.serving && e.terminating)
}

/** Divides a Service port's endpoints into the sets the rules need. `uses` says which traffic policies occur. */
export function chooseEndpoints(
  all: readonly ServiceEndpoint[],
  uses: { readonly cluster: boolean; readonly local: boolean },
  nodeName: string,
  zone: string,
): EndpointChoice {
  const cluster = uses.cluster ? usable(all, topology(all, nodeName, zone)) : []
  const local = uses.local
    ? usable(
        all.filter((e) => e.local),
        () => true,
      )
    : []
  const any = cluster.length > 0 || local.length > 0 || (!uses.cluster && usable(all, () => true).length > 0)
  const reachable = [...cluster, ...local.filter((e) => !cluster.includes(e))]
  return { all, cluster, local, reachable, any }
}

/** Labels with which kube-proxy's informers see neither a Service nor its slices (cmd/kube-proxy/app/server.go `Run`). */
const LEFT_ALONE = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless']

/** False when kube-proxy leaves this Service alone (pkg/proxy/util `ShouldSkipService`, and its informer's selector). */
export function isProxied(service: ServiceObject): boolean {
  if (service.type === 'ExternalName') return false
  if (service.clusterIPs.length === 0 || service.clusterIPs[0] === '' || service.clusterIPs[0] === 'None') return false
  return !LEFT_ALONE.some((label) => label in service.meta.labels)
}
