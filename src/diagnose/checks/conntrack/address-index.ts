/** Who has an address or a Service port, looked up once per object and then by key: tables hold a hundred thousand connections. */
import { type Ip, parseIp } from '../../../base/ip.ts'
import { protocolNumber } from '../../../base/protocol.ts'
import { ipKey } from '../../../datapath/facts.ts'
import type { KubeObjects, PodObject, ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'
import { holdsAddress } from '../../view/owner.ts'
import { backendsOf } from '../../view/service-view.ts'

export interface ServiceFront {
  readonly service: ServiceObject
  readonly port: ServicePort
  /** Keys (`ipKey`) of the addresses of its endpoints, whatever their state. */
  endpoints(): ReadonlySet<string>
}

export interface AddressIndex {
  podAt(ip: Ip): PodObject | undefined
  /** The Service port that answers at the address: its own, or a node port on a node's. */
  frontAt(ip: Ip, port: number, protocol: number): ServiceFront | undefined
}

const indexes = new WeakMap<KubeObjects, AddressIndex>()

function keyOf(text: string): string | null {
  const ip = parseIp(text)
  return ip && ipKey(ip)
}

function make(objects: KubeObjects): AddressIndex {
  const pods = new Map<string, PodObject>()
  for (const pod of objects.pods) {
    if (!holdsAddress(pod)) continue
    for (const text of pod.podIPs) {
      const key = keyOf(text)
      if (key !== null && !pods.has(key)) pods.set(key, pod)
    }
  }
  const nodes = new Set(objects.nodes.flatMap((n) => n.addresses.map((a) => keyOf(a.address))))
  const fronts = new Map<string, ServiceFront>()
  for (const service of objects.services) {
    const own = [...service.clusterIPs, ...service.externalIPs, ...service.loadBalancerIngress.map((i) => i.ip ?? '')]
    const keys = own.map(keyOf).filter((k) => k !== null)
    for (const port of service.ports) {
      const protocol = protocolNumber(port.protocol)
      if (protocol === null) continue
      let endpoints: ReadonlySet<string> | undefined
      const front: ServiceFront = {
        service,
        port,
        endpoints() {
          endpoints ??= new Set(backendsOf(objects, service, port).map((b) => ipKey(b.ip)))
          return endpoints
        },
      }
      for (const key of keys) fronts.set(`${protocol} ${port.port} ${key}`, front)
      if (port.nodePort) fronts.set(`${protocol} ${port.nodePort} node`, front)
    }
  }
  return {
    podAt: (ip) => pods.get(ipKey(ip)),
    frontAt(ip, port, protocol) {
      const key = ipKey(ip)
      const own = fronts.get(`${protocol} ${port} ${key}`)
      return own ?? (nodes.has(key) ? fronts.get(`${protocol} ${port} node`) : undefined)
    },
  }
}

export function addressIndex(objects: KubeObjects): AddressIndex {
  const known = indexes.get(objects) ?? make(objects)
  indexes.set(objects, known)
  return known
}
