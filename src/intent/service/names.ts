/**
 * The names kube-proxy gives its chains. A chain name holds at most 28 characters, so iptables chains carry a hash; nftables
 * allows more, and has the hash in front of a readable name.
 * Source: kube-proxy pkg/proxy/iptables/proxier.go `portProtoHash`, pkg/proxy/nftables/proxier.go `hashAndTruncate` (1.33).
 */
import { base32Sha256 } from '../../base/sha256.ts'

export interface ServicePortId {
  readonly namespace: string
  readonly service: string
  /** Empty for the only port of a Service that has no name. */
  readonly portName: string
  /** `tcp`, `udp` or `sctp`. */
  readonly protocol: string
}

/** `namespace/name:port`, or `namespace/name` for a port without a name, as kube-proxy's comments and logs print it. */
export function servicePortName(id: ServicePortId): string {
  return `${id.namespace}/${id.service}${id.portName === '' ? '' : `:${id.portName}`}`
}

/** The 16 characters that KUBE-SVC-, KUBE-SVL-, KUBE-EXT- and KUBE-FW- chains of one Service port share. */
export function servicePortHash(id: ServicePortId): string {
  return base32Sha256(servicePortName(id) + id.protocol, 16)
}

/** `KUBE-SEP-HASH`; `endpoint` is `ip:port`, `[ip]:port` for IPv6. */
export function endpointChain(id: ServicePortId, endpoint: string): string {
  return `KUBE-SEP-${base32Sha256(servicePortName(id) + id.protocol + endpoint, 16)}`
}

/** knftables.NameLengthMax (256) less the 16 characters kept for `service-`, `endpoint-`… */
const NFT_BASE_LENGTH = 240

function hashed(base: string): string {
  const name = `${base32Sha256(base, 8)}-${base}`
  return name.length > NFT_BASE_LENGTH ? `${name.slice(0, NFT_BASE_LENGTH - 3)}...` : name
}

/** `HASH-namespace/service/protocol/port`: what follows `service-`, `local-`, `external-` or `firewall-` in nftables mode. */
export function nftServiceBase(id: ServicePortId): string {
  return hashed(`${id.namespace}/${id.service}/${id.protocol}/${id.portName}`)
}

/** What follows `endpoint-` or `affinity-` in nftables mode; the colons of an IPv6 address become dots. */
export function nftEndpointBase(id: ServicePortId, ip: string, port: number): string {
  const address = ip.replaceAll(':', '.')
  return hashed(`${id.namespace}/${id.service}/${id.protocol}/${id.portName}__${address}/${port}`)
}
