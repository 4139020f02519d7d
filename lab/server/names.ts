/** The names a cluster's DNS answers, from its objects (DNS-based service discovery specification 1.1.0, sections 2.3 and 2.4). */
import { isIPv6 } from 'node:net'
import { type KubeJson, labelsOf, listAt, mapAt, nameOf, namespaceOf, ofKind, stringsAt, textAt } from '../kubejson.ts'
import type { DnsRecord } from './dns.ts'

export interface ClusterNames {
  /** The zone this server answers for itself; empty: none. */
  readonly zone: string
  readonly records: ReadonlyMap<string, readonly DnsRecord[]>
}

const ZONE = 'cluster.local'
const address = (value: string): DnsRecord => ({ type: isIPv6(value) ? 'AAAA' : 'A', value })

/** `list` is a v1 List. An empty list at a name means it exists without records (NODATA). */
export function clusterNames(list: KubeJson): ClusterNames {
  const items = listAt(list, 'items')
  const records = new Map<string, DnsRecord[]>()
  const add = (name: string, ...found: DnsRecord[]) => {
    const at = records.get(name)
    if (at) at.push(...found)
    else records.set(name, [...found])
    // Every name above exists as well (RFC 8020).
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const above = name.slice(dot + 1)
      if (above.length >= ZONE.length && !records.has(above)) records.set(above, [])
    }
  }
  for (const service of ofKind(items, 'Service')) {
    const base = `${nameOf(service)}.${namespaceOf(service)}.svc.${ZONE}`
    const ips = stringsAt(service, 'spec', 'clusterIPs').filter((ip) => ip !== 'None' && ip !== '')
    if (ips.length > 0) {
      add(base, ...ips.map(address))
      for (const p of listAt(service, 'spec', 'ports'))
        if (typeof p.port === 'number') addPort(add, base, p, { type: 'SRV', value: base, port: p.port })
      continue
    }
    if (textAt(service, 'spec', 'type') === 'ExternalName') continue
    for (const slice of ofKind(items, 'EndpointSlice')) {
      if (namespaceOf(slice) !== namespaceOf(service)) continue
      if (labelsOf(slice)['kubernetes.io/service-name'] !== nameOf(service)) continue
      for (const e of listAt(slice, 'endpoints')) {
        if (mapAt(e, 'conditions').ready === false) continue
        for (const ip of stringsAt(e, 'addresses')) {
          const host = `${textAt(e, 'hostname') || ip.replace(/[.:]/g, '-')}.${base}`
          add(base, address(ip))
          add(host, address(ip))
          for (const p of listAt(slice, 'ports'))
            if (typeof p.port === 'number') addPort(add, base, p, { type: 'SRV', value: host, port: p.port })
        }
      }
    }
  }
  for (const pod of ofKind(items, 'Pod'))
    for (const { ip } of listAt(pod, 'status', 'podIPs'))
      if (typeof ip === 'string') add(`${ip.replace(/[.:]/g, '-')}.${namespaceOf(pod)}.pod.${ZONE}`, address(ip))
  return { zone: ZONE, records }
}

function addPort(add: (n: string, r: DnsRecord) => void, base: string, port: KubeJson, record: DnsRecord): void {
  const name = textAt(port, 'name')
  if (name !== '') add(`_${name}._${(textAt(port, 'protocol') || 'TCP').toLowerCase()}.${base}`, record)
}
