/**
 * kube-proxy's chain names carry hashes of names and addresses (pkg/proxy/iptables/proxier.go `portProtoHash`,
 * pkg/proxy/nftables/proxier.go `hashAndTruncate`). A hash tells the name to who guesses it, and would no longer fit its
 * pseudonym: it is replaced by the hash of the pseudonym.
 */
import { formatEndpoint, parseIp } from '../base/ip.ts'
import { base32Sha256 } from '../base/sha256.ts'
import { objectsOf } from './redact-objects.ts'

interface Port {
  readonly name?: unknown
  readonly protocol?: unknown
  readonly port?: unknown
}

const rows = (v: unknown): Record<string, unknown>[] =>
  Array.isArray(v) ? v.filter((x) => typeof x === 'object' && x !== null) : []
const record = (v: unknown): Record<string, unknown> =>
  typeof v === 'object' && v !== null ? (v as Record<string, unknown>) : {}

/** New hash by old one, of the chains of every Service port and of every endpoint in EndpointSlices and Endpoints. */
export function chainHashes(documents: readonly unknown[], rename: (text: string) => string): Map<string, string> {
  const hashes = new Map<string, string>()
  const put = (before: string, after: string) => hashes.set(base32Sha256(before, 16), base32Sha256(after, 16))
  const service = (namespace: string, name: string, port: Port): [string, string] => {
    const portName = typeof port.name === 'string' && port.name !== '' ? `:${port.name}` : ''
    const protocol = String(port.protocol ?? 'TCP').toLowerCase()
    return [`${namespace}/${name}${portName}${protocol}`, `${rename(namespace)}/${rename(name)}${portName}${protocol}`]
  }
  const endpoint = (names: [string, string], address: unknown, port: unknown) => {
    const ip = parseIp(String(address))
    const to = parseIp(rename(String(address)))
    if (ip && to && typeof port === 'number')
      put(names[0] + formatEndpoint(ip, port), names[1] + formatEndpoint(to, port))
  }
  for (const o of documents.flatMap(objectsOf)) {
    const meta = record(o.metadata)
    const namespace = String(meta.namespace ?? 'default')
    if (o.kind === 'Service') {
      for (const port of rows(record(o.spec).ports)) put(...service(namespace, String(meta.name), port))
    } else if (o.kind === 'EndpointSlice') {
      const name = String(record(meta.labels)['kubernetes.io/service-name'] ?? '')
      for (const port of rows(o.ports))
        for (const e of rows(o.endpoints))
          for (const a of Array.isArray(e.addresses) ? e.addresses : [])
            endpoint(service(namespace, name, port), a, port.port)
    } else if (o.kind === 'Endpoints') {
      for (const subset of rows(o.subsets))
        for (const port of rows(subset.ports))
          for (const a of rows(subset.addresses)) endpoint(service(namespace, String(meta.name), port), a.ip, port.port)
    }
  }
  return hashes
}

/**
 * The pseudonym of `HASH-ns/svc/proto/port[__ip/port]`, the readable chain names of nftables mode; null when the hash is not
 * that of what follows. `rename` replaces names and addresses in a text.
 */
export function renameNftBase(word: string, rename: (text: string) => string): string | null {
  const base = word.slice(9)
  if (base32Sha256(base, 8) !== word.slice(0, 8)) return null
  const at = base.indexOf('__')
  let renamed = rename(at < 0 ? base : base.slice(0, at))
  if (at >= 0) {
    // The colons of an IPv6 address are dots here.
    const port = base.lastIndexOf('/')
    const text = base.slice(at + 2, port)
    const address = parseIp(text) ? text : text.replaceAll('.', ':')
    renamed += `__${rename(address).replaceAll(':', '.')}${base.slice(port)}`
  }
  return `${base32Sha256(renamed, 8)}-${renamed}`
}
