/**
 * kube-proxy's nftables mode, written as one `nft -f` transaction that replaces the table.
 * Source: kube-proxy pkg/proxy/nftables/proxier.go `setupNFTables` and `syncProxyRules`, 1.33–1.35.
 */
import { parseIp, parsePrefix, prefixContains } from '../../base/ip.ts'
import type { ServiceEndpoint } from './endpoints.ts'
import type { ExpectedServicePort } from './expected.ts'
import { nftEndpointBase, nftServiceBase, servicePortName } from './names.ts'
import { MASQUERADE_MARK, ofFamily, type ProxyOptions } from './options.ts'

/** A comment as nft reads it back. */
const comment = (text: string) => `comment "${text.replace(/["\\\p{Cc}]/gu, '').slice(0, 128)}"`

const BASE_CHAINS: readonly (readonly [string, string, string, string])[] = [
  ['filter-prerouting-pre-dnat', 'filter', 'prerouting', '-110'],
  ['filter-output-pre-dnat', 'filter', 'output', '-110'],
  ['filter-forward', 'filter', 'forward', '0'],
  ['filter-input', 'filter', 'input', '0'],
  ['filter-output', 'filter', 'output', '0'],
  ['nat-output', 'nat', 'output', '-100'],
  ['nat-postrouting', 'nat', 'postrouting', '100'],
  ['nat-prerouting', 'nat', 'prerouting', '-100'],
]
const CHAINS = [
  'cluster-ips-check',
  'firewall-check',
  'mark-for-masquerade',
  'masquerading',
  'nodeport-endpoints-check',
  'service-endpoints-check',
  'services',
]
const JUMPS: readonly (readonly [string, string])[] = [
  ['filter-prerouting-pre-dnat', 'ct state new jump firewall-check'],
  ['filter-output-pre-dnat', 'ct state new jump firewall-check'],
  ['filter-input', 'ct state new jump nodeport-endpoints-check'],
  ['filter-input', 'ct state new jump service-endpoints-check'],
  ['filter-forward', 'ct state new jump service-endpoints-check'],
  ['filter-forward', 'ct state new jump cluster-ips-check'],
  ['filter-output', 'ct state new jump service-endpoints-check'],
  ['filter-output', 'ct state new jump cluster-ips-check'],
  ['nat-prerouting', 'jump services'],
  ['nat-output', 'jump services'],
  ['nat-postrouting', 'jump masquerading'],
]

/** The table of one family (`ip` or `ip6`), as input for `nft -f`: an earlier table of that name is replaced atomically. */
export function renderNft(services: readonly ExpectedServicePort[], family: 4 | 6, options: ProxyOptions): string {
  const out = new Table(family, options)
  out.base()
  for (const service of services) if (service.family === family) out.service(service)
  return out.finish()
}

class Table {
  private readonly lines: string[] = []
  /** By set and key. */
  private readonly elements = new Map<string, Map<string, string>>()
  private readonly ip: 'ip' | 'ip6'
  private readonly table: string
  private readonly family: 4 | 6
  private readonly options: ProxyOptions
  private readonly localSource: string | undefined

  constructor(family: 4 | 6, options: ProxyOptions) {
    this.family = family
    this.options = options
    this.ip = family === 4 ? 'ip' : 'ip6'
    this.table = `${this.ip} kube-proxy`
    this.localSource = ofFamily(options.clusterCIDRs, family)
  }

  private chain(name: string, rest = ''): void {
    this.lines.push(`add chain ${this.table} ${name}${rest}`)
  }

  private rule(chain: string, text: string): void {
    this.lines.push(`add rule ${this.table} ${chain} ${text}`)
  }

  /** A key that two Services claim goes to the later one (nftElementStorage.ensureElem); nft refuses it twice in one transaction. */
  private element(set: string, text: string): void {
    const list = this.elements.get(set) ?? new Map<string, string>()
    list.set(text.split(/ comment | : /, 1)[0]!, text)
    this.elements.set(set, list)
  }

  base(): void {
    const { ip, table, options } = this
    const address = this.family === 4 ? 'ipv4_addr' : 'ipv6_addr'
    const triple = `type ${address} . inet_proto . inet_service : verdict`
    const pair = 'type inet_proto . inet_service : verdict'
    const add = (kind: string, name: string, type: string, about: string) =>
      this.lines.push(`add ${kind} ${table} ${name} { ${type} ; ${comment(about)} ; }`)
    this.lines.push(
      `add table ${table}`,
      `delete table ${table}`,
      `add table ${table} { ${comment('rules for kube-proxy')} ; }`,
    )
    add('set', 'cluster-ips', `type ${address}`, 'Active ClusterIPs')
    add('set', 'nodeport-ips', `type ${address}`, 'IPs that accept NodePort traffic')
    add('map', 'firewall-ips', triple, 'destinations that are subject to LoadBalancerSourceRanges')
    add('map', 'no-endpoint-services', triple, 'vmap to drop or reject packets to services with no endpoints')
    add('map', 'no-endpoint-nodeports', pair, 'vmap to drop or reject packets to service nodeports with no endpoints')
    add('map', 'service-ips', triple, 'ClusterIP, ExternalIP and LoadBalancer IP traffic')
    add('map', 'service-nodeports', pair, 'NodePort traffic')
    for (const [name, type, hook, priority] of BASE_CHAINS)
      this.chain(name, ` { type ${type} hook ${hook} priority ${priority} ; }`)
    for (const name of CHAINS) this.chain(name)
    this.chain('reject-chain', ` { ${comment('helper for @no-endpoint-services / @no-endpoint-nodeports')} ; }`)

    for (const [chain, text] of JUMPS) this.rule(chain, text)
    const lookup = `${ip} daddr . meta l4proto . th dport vmap`
    this.rule('firewall-check', `${lookup} @firewall-ips`)
    this.rule('mark-for-masquerade', `mark set mark or ${MASQUERADE_MARK}`)
    this.rule('masquerading', `mark and ${MASQUERADE_MARK} == 0 return`)
    this.rule('masquerading', `mark set mark xor ${MASQUERADE_MARK}`)
    this.rule('masquerading', 'masquerade fully-random')
    this.rule('reject-chain', 'reject')
    const nodeport = `${ip} daddr @nodeport-ips meta l4proto . th dport vmap`
    this.rule('nodeport-endpoints-check', `${nodeport} @no-endpoint-nodeports`)
    this.rule('service-endpoints-check', `${lookup} @no-endpoint-services`)
    this.rule('services', `${lookup} @service-ips`)
    this.rule('services', `${nodeport} @service-nodeports`)
    this.rule(
      'cluster-ips-check',
      `${ip} daddr @cluster-ips reject ${comment('Reject traffic to invalid ports of ClusterIPs')}`,
    )
    const cidrs = options.serviceCIDRs.filter((c) => c.includes(':') === (this.family === 6))
    if (cidrs.length > 0)
      this.rule(
        'cluster-ips-check',
        `${ip} daddr { ${cidrs.join(', ')} } drop ${comment('Drop traffic to unallocated ClusterIPs')}`,
      )
    const primary = ofFamily(options.nodeIPs, this.family)
    for (const nodeIP of options.nodePortAddresses ?? (primary === undefined ? [] : [primary]))
      if (nodeIP.includes(':') === (this.family === 6)) this.element('nodeport-ips', nodeIP)
  }

  service(s: ExpectedServicePort): void {
    const { ip } = this
    const base = nftServiceBase(s)
    const [svc, local, ext, fw] = ['service', 'local', 'external', 'firewall'].map((k) => `${k}-${base}`) as [
      string,
      string,
      string,
      string,
    ]
    const usesExt = s.any && s.externallyAccessible
    // Unlike iptables mode, the firewall stands before the lookup of endpoints, so it is there without any.
    const usesFw = s.loadBalancerIPs.length > 0 && s.sourceRanges.length > 0
    const internalSet = s.internalLocal ? s.local : s.cluster
    const externalSet = s.externalLocal ? s.local : s.cluster
    const refusal = `${comment(servicePortName(s))} : ${s.any ? 'drop' : 'goto reject-chain'}`
    const key = (address: string) => `${address} . ${s.protocol} . ${s.port}`

    for (const e of s.reachable) this.endpoint(s, e)
    if (s.cluster.length > 0) this.chain(svc)
    if (s.local.length > 0) this.chain(local)
    if (usesExt) this.chain(ext)

    this.element('cluster-ips', s.clusterIP)
    if (internalSet.length > 0) {
      const internal = s.internalLocal ? local : svc
      this.element('service-ips', `${key(s.clusterIP)} : goto ${internal}`)
      if (this.options.masqueradeAll) this.rule(internal, `${ip} daddr ${s.clusterIP} jump mark-for-masquerade`)
      else if (this.localSource)
        this.rule(internal, `${ip} daddr ${s.clusterIP} ${ip} saddr != ${this.localSource} jump mark-for-masquerade`)
    } else this.element('no-endpoint-services', `${key(s.clusterIP)} ${refusal}`)
    for (const address of [...s.externalIPs, ...s.loadBalancerIPs]) {
      if (usesExt) this.element('service-ips', `${key(address)} : goto ${ext}`)
      if (externalSet.length === 0) this.element('no-endpoint-services', `${key(address)} ${refusal}`)
    }
    if (s.nodePort !== 0) {
      if (usesExt) this.element('service-nodeports', `${s.protocol} . ${s.nodePort} : goto ${ext}`)
      if (externalSet.length === 0) this.element('no-endpoint-nodeports', `${s.protocol} . ${s.nodePort} ${refusal}`)
    }
    if (usesExt) this.external(s, ext, svc, externalSet.length === 0 ? null : s.externalLocal ? local : svc)
    if (usesFw) this.firewall(s, fw, key)
    if (s.cluster.length > 0) this.balance(s, svc, s.cluster)
    if (s.local.length > 0) this.balance(s, local, s.local)
  }

  private external(s: ExpectedServicePort, ext: string, svc: string, target: string | null): void {
    if (!s.externalLocal) this.rule(ext, 'jump mark-for-masquerade')
    else {
      if (this.localSource)
        this.rule(ext, `${this.ip} saddr ${this.localSource} goto ${svc} ${comment('short-circuit pod traffic')}`)
      this.rule(ext, `fib saddr type local jump mark-for-masquerade ${comment('masquerade local traffic')}`)
      this.rule(ext, `fib saddr type local goto ${svc} ${comment('short-circuit local traffic')}`)
    }
    if (target !== null) this.rule(ext, `goto ${target}`)
  }

  private firewall(s: ExpectedServicePort, fw: string, key: (address: string) => string): void {
    this.chain(fw)
    const nodeAllowed = this.options.nodeIPs.some((text) => {
      const ip = parseIp(text)
      return ip !== null && s.sourceRanges.some((r) => prefixContains(parsePrefix(r)!, ip))
    })
    const sources = [...s.sourceRanges, ...(nodeAllowed ? s.loadBalancerIPs : [])]
    this.rule(fw, `${this.ip} saddr != { ${sources.join(', ')} } drop`)
    for (const address of s.loadBalancerIPs) this.element('firewall-ips', `${key(address)} : goto ${fw}`)
  }

  private endpoint(s: ExpectedServicePort, e: ServiceEndpoint): void {
    const base = nftEndpointBase(s, e.address, e.port)
    const chain = `endpoint-${base}`
    if (s.affinity !== null)
      this.lines.push(
        `add set ${this.table} affinity-${base} { type ${this.family === 4 ? 'ipv4_addr' : 'ipv6_addr'} ; flags dynamic,timeout ; timeout ${s.affinity}s ; }`,
      )
    this.chain(chain)
    this.rule(chain, `${this.ip} saddr ${e.address} jump mark-for-masquerade`)
    if (s.affinity !== null) this.rule(chain, `update @affinity-${base} { ${this.ip} saddr }`)
    this.rule(chain, `meta l4proto ${s.protocol} dnat to ${e.text}`)
  }

  private balance(s: ExpectedServicePort, chain: string, endpoints: readonly ServiceEndpoint[]): void {
    const bases = endpoints.map((e) => nftEndpointBase(s, e.address, e.port))
    if (s.affinity !== null)
      for (const base of bases) this.rule(chain, `${this.ip} saddr @affinity-${base} goto endpoint-${base}`)
    const choices = bases.map((base, i) => `${i} : goto endpoint-${base}`).join(' , ')
    this.rule(chain, `numgen random mod ${endpoints.length} vmap { ${choices} }`)
  }

  finish(): string {
    for (const [set, list] of this.elements)
      for (const element of list.values()) this.lines.push(`add element ${this.table} ${set} { ${element} }`)
    return `${this.lines.join('\n')}\n`
  }
}
