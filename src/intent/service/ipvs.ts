/**
 * kube-proxy's IPVS mode: the virtual servers, and the addresses its dummy link holds so that packets to them are delivered
 * to the node, where IPVS takes them. Which traffic is masqueraded is decided by rules over ipsets, not here.
 * Source: kube-proxy pkg/proxy/ipvs/proxier.go `syncProxyRules` and `syncEndpoint`, 1.33–1.35.
 */
import { parseIp } from '../../base/ip.ts'
import type { ServiceEndpoint } from './endpoints.ts'
import type { ExpectedServicePort } from './expected.ts'
import { ofFamily, type ProxyOptions } from './options.ts'

export interface ExpectedVirtualServer {
  readonly namespace: string
  readonly service: string
  /** `tcp`, `udp` or `sctp`. */
  readonly protocol: string
  readonly address: string
  readonly port: number
  /** Seconds of persistence (session affinity), or null. */
  readonly persistent: number | null
  /** Whether the dummy link `kube-ipvs0` must hold the address; a node port uses an address the node has anyway. */
  readonly bound: boolean
  /** All of weight 1. Empty: the virtual server stands without destinations, and the kernel refuses. */
  readonly destinations: readonly ServiceEndpoint[]
}

/** The virtual servers of one family. A key that two Services claim goes to the first. */
export function expectedVirtualServers(
  services: readonly ExpectedServicePort[],
  family: 4 | 6,
  options: ProxyOptions,
): ExpectedVirtualServer[] {
  const out = new Map<string, ExpectedVirtualServer>()
  const primary = ofFamily(options.nodeIPs, family)
  const nodeAddresses = (options.nodePortAddresses ?? options.nodeIPs).filter((a) => parseIp(a)?.family === family)
  const served = nodeAddresses.length > 0 ? nodeAddresses : primary === undefined ? [] : [primary]
  for (const s of services) {
    if (s.family !== family) continue
    const add = (address: string, port: number, bound: boolean, destinations: readonly ServiceEndpoint[]) => {
      const key = `${address} ${s.protocol} ${port}`
      if (out.has(key)) return
      const { namespace, service, protocol, affinity: persistent } = s
      out.set(key, { namespace, service, protocol, address, port, persistent, bound, destinations })
    }
    // A virtual server cannot tell senders apart: without local endpoints it takes all of them, for pods and the node, and a
    // rule of the filter table drops the senders to whom policy Local applies (kubernetes pull request 97081).
    const local = s.local.length > 0 ? s.local : s.cluster
    const external = s.externalLocal ? local : s.cluster
    add(s.clusterIP, s.port, true, s.internalLocal ? local : s.cluster)
    for (const address of [...s.externalIPs, ...s.loadBalancerIPs]) add(address, s.port, true, external)
    if (s.nodePort !== 0) for (const address of served) add(address, s.nodePort, false, external)
  }
  return [...out.values()]
}

/** What `ipvsadm-restore` reads (ipvsadm(8)): masquerading destinations, scheduler `rr` unless another is named. */
export function renderIpvs(servers: readonly ExpectedVirtualServer[], scheduler = 'rr'): string {
  const lines: string[] = []
  for (const s of servers) {
    const flag = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }[s.protocol]
    if (flag === undefined) continue
    const at = `${s.address.includes(':') ? `[${s.address}]` : s.address}:${s.port}`
    lines.push(`-A ${flag} ${at} -s ${scheduler}${s.persistent === null ? '' : ` -p ${s.persistent}`}`)
    for (const d of s.destinations) lines.push(`-a ${flag} ${at} -r ${d.text} -m -w 1`)
  }
  return lines.map((l) => `${l}\n`).join('')
}

/** The addresses of one family that `kube-ipvs0` must hold, sorted as text, each once. */
export function expectedBoundAddresses(servers: readonly ExpectedVirtualServer[]): string[] {
  return [...new Set(servers.filter((s) => s.bound).map((s) => s.address))].sort()
}
