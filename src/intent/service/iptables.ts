/**
 * kube-proxy's iptables mode, written as the input it gives to `iptables-restore --noflush`.
 * Source: kube-proxy pkg/proxy/iptables/proxier.go `syncProxyRules`, 1.33–1.35.
 */
import { parseIp, parsePrefix, prefixContains } from '../../base/ip.ts'
import type { ServiceEndpoint } from './endpoints.ts'
import type { ExpectedServicePort } from './expected.ts'
import { endpointChain, servicePortHash, servicePortName } from './names.ts'
import { MASQUERADE_MARK, ofFamily, type ProxyOptions } from './options.ts'

export interface IptablesRendering {
  /** Input for `iptables-restore --noflush` (or ip6tables-restore). */
  readonly text: string
  /** The per-service chains of table nat that the text defines; give them as `stale` when a later rendering lacks them. */
  readonly chains: readonly string[]
}

const NEW = '-m conntrack --ctstate NEW '

/** Jumps in the order kube-proxy prepends them, so a live chain lists them reversed. Table, chain, arguments. */
const JUMPS: readonly (readonly ['filter' | 'nat', string, string])[] = [
  [
    'filter',
    'INPUT',
    `${NEW}-m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES`,
  ],
  [
    'filter',
    'FORWARD',
    `${NEW}-m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES`,
  ],
  ['filter', 'INPUT', '-m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS'],
  ['filter', 'FORWARD', `${NEW}-m comment --comment "kubernetes service portals" -j KUBE-SERVICES`],
  ['filter', 'OUTPUT', `${NEW}-m comment --comment "kubernetes service portals" -j KUBE-SERVICES`],
  ['filter', 'FORWARD', '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD'],
  ['filter', 'INPUT', `${NEW}-m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL`],
  ['filter', 'OUTPUT', `${NEW}-m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL`],
  ['filter', 'FORWARD', `${NEW}-m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL`],
  ['nat', 'OUTPUT', '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'],
  ['nat', 'PREROUTING', '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'],
  ['nat', 'POSTROUTING', '-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'],
  ['filter', 'INPUT', '-j KUBE-FIREWALL'],
  ['filter', 'OUTPUT', '-j KUBE-FIREWALL'],
]

const FILTER_CHAINS = [
  'KUBE-EXTERNAL-SERVICES',
  'KUBE-FIREWALL',
  'KUBE-FORWARD',
  'KUBE-NODEPORTS',
  'KUBE-PROXY-FIREWALL',
  'KUBE-SERVICES',
]
const NAT_CHAINS = ['KUBE-NODEPORTS', 'KUBE-SERVICES', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING']

/** A comment argument as iptables-restore reads it back: quoted, without what would end the quotes or the line. */
const comment = (text: string) => `-m comment --comment "${text.replace(/["\\\p{Cc}]/gu, '')}"`

/**
 * The rules of one family. `jumps`: also hook the chains into the built-in ones and make the canaries (the first sync).
 * `stale`: chains of an earlier rendering, deleted when this one does not define them.
 */
export function renderIptables(
  services: readonly ExpectedServicePort[],
  family: 4 | 6,
  options: ProxyOptions,
  sync: { readonly jumps: boolean; readonly stale?: readonly string[] },
): IptablesRendering {
  const out = new Rules(family, options)
  for (const service of services) if (service.family === family) out.service(service)
  return out.finish(sync.jumps, sync.stale ?? [])
}

class Rules {
  readonly family: 4 | 6
  readonly options: ProxyOptions
  readonly filter: string[] = []
  readonly nat: string[] = []
  readonly chains = new Set<string>()
  private readonly localSource: string | undefined

  constructor(family: 4 | 6, options: ProxyOptions) {
    this.family = family
    this.options = options
    this.localSource = ofFamily(options.clusterCIDRs, family)
  }

  service(s: ExpectedServicePort): void {
    const hash = servicePortHash(s)
    const name = servicePortName(s)
    const [svc, svl, ext, fw] = ['SVC', 'SVL', 'EXT', 'FW'].map((kind) => `KUBE-${kind}-${hash}`) as [
      string,
      string,
      string,
      string,
    ]
    const proto = `-m ${s.protocol} -p ${s.protocol}`
    const usesExt = s.any && s.externallyAccessible
    const usesFw = s.any && s.loadBalancerIPs.length > 0 && s.sourceRanges.length > 0
    const internal = s.internalLocal ? svl : svc
    const internalSet = s.internalLocal ? s.local : s.cluster
    const externalSet = s.externalLocal ? s.local : s.cluster
    const refusal = s.any ? ['no local endpoints', 'DROP'] : ['no endpoints', 'REJECT']
    const refuse = (chain: string, match: string, dport: number) =>
      this.filter.push(
        `-A ${chain} ${comment(`${name} has ${refusal[0]}`)} ${match === '' ? '-m addrtype --dst-type LOCAL ' : ''}${proto}${match} --dport ${dport} -j ${refusal[1]}`,
      )
    const dispatch = (what: string, ip: string, target: string) =>
      this.nat.push(`-A KUBE-SERVICES ${comment(`${name} ${what}`)} ${proto} -d ${ip} --dport ${s.port} -j ${target}`)

    if (internalSet.length > 0) dispatch('cluster IP', s.clusterIP, internal)
    else refuse('KUBE-SERVICES', ` -d ${s.clusterIP}`, s.port)
    for (const ip of s.externalIPs) {
      if (usesExt) dispatch('external IP', ip, ext)
      if (externalSet.length === 0) refuse('KUBE-EXTERNAL-SERVICES', ` -d ${ip}`, s.port)
    }
    for (const ip of s.loadBalancerIPs) {
      if (usesExt) dispatch('loadbalancer IP', ip, usesFw ? fw : ext)
      if (usesFw)
        this.filter.push(
          `-A KUBE-PROXY-FIREWALL ${comment(`${name} traffic not accepted by ${fw}`)} ${proto} -d ${ip} --dport ${s.port} -j DROP`,
        )
      if (externalSet.length === 0) refuse('KUBE-EXTERNAL-SERVICES', ` -d ${ip}`, s.port)
    }
    if (s.nodePort !== 0) {
      if (usesExt) this.nat.push(`-A KUBE-NODEPORTS ${comment(name)} ${proto} --dport ${s.nodePort} -j ${ext}`)
      if (externalSet.length === 0) refuse('KUBE-EXTERNAL-SERVICES', '', s.nodePort)
    }
    if (s.healthCheckNodePort !== 0)
      this.filter.push(
        `-A KUBE-NODEPORTS ${comment(`${name} health check node port`)} -m tcp -p tcp --dport ${s.healthCheckNodePort} -j ACCEPT`,
      )

    if (internalSet.length > 0) {
      const match = `-A ${internal} ${comment(`${name} cluster IP`)} ${proto} -d ${s.clusterIP} --dport ${s.port}`
      if (this.options.masqueradeAll) this.nat.push(`${match} -j KUBE-MARK-MASQ`)
      else if (this.localSource) this.nat.push(`${match} ! -s ${this.localSource} -j KUBE-MARK-MASQ`)
    }
    if (usesExt) this.external(s, name, ext, svc, svl, externalSet.length > 0)
    if (usesFw) this.firewall(s, name, fw, ext)
    if (s.cluster.length > 0 && (!s.internalLocal || s.externallyAccessible)) this.balance(s, name, svc, s.cluster)
    if (s.local.length > 0) this.balance(s, name, svl, s.local)
    for (const e of s.reachable) this.endpoint(s, name, proto, e)
  }

  private external(s: ExpectedServicePort, name: string, ext: string, svc: string, svl: string, some: boolean): void {
    this.chains.add(ext)
    const to = `for ${name} external destinations`
    if (!s.externalLocal) {
      this.nat.push(`-A ${ext} ${comment(`masquerade traffic ${to}`)} -j KUBE-MARK-MASQ`)
    } else {
      if (this.localSource) this.nat.push(`-A ${ext} ${comment(`pod traffic ${to}`)} -s ${this.localSource} -j ${svc}`)
      const local = '-m addrtype --src-type LOCAL'
      this.nat.push(`-A ${ext} ${comment(`masquerade LOCAL traffic ${to}`)} ${local} -j KUBE-MARK-MASQ`)
      this.nat.push(`-A ${ext} ${comment(`route LOCAL traffic ${to}`)} ${local} -j ${svc}`)
    }
    if (some) this.nat.push(`-A ${ext} -j ${s.externalLocal ? svl : svc}`)
  }

  private firewall(s: ExpectedServicePort, name: string, fw: string, ext: string): void {
    this.chains.add(fw)
    const match = `-A ${fw} ${comment(`${name} loadbalancer IP`)}`
    for (const range of s.sourceRanges) this.nat.push(`${match} -s ${range} -j ${ext}`)
    // A node in the ranges may reach the address with that very address as its source (kubernetes issue 5588 era rule).
    const nodeAllowed = this.options.nodeIPs.some((text) => {
      const ip = parseIp(text)
      return ip !== null && s.sourceRanges.some((r) => prefixContains(parsePrefix(r)!, ip))
    })
    if (nodeAllowed) for (const ip of s.loadBalancerIPs) this.nat.push(`${match} -s ${ip} -j ${ext}`)
    this.nat.push(`-A ${fw} ${comment(`other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL`)}`)
  }

  private balance(s: ExpectedServicePort, name: string, chain: string, endpoints: readonly ServiceEndpoint[]): void {
    this.chains.add(chain)
    if (s.affinity !== null)
      for (const e of endpoints) {
        const sep = endpointChain(s, e.text)
        this.nat.push(
          `-A ${chain} ${comment(`${name} -> ${e.text}`)} -m recent --name ${sep} --rcheck --seconds ${s.affinity} --reap -j ${sep}`,
        )
      }
    for (const [i, e] of endpoints.entries()) {
      const rest = endpoints.length - i
      const chance = rest === 1 ? '' : ` -m statistic --mode random --probability ${(1 / rest).toFixed(10)}`
      this.nat.push(`-A ${chain} ${comment(`${name} -> ${e.text}`)}${chance} -j ${endpointChain(s, e.text)}`)
    }
  }

  private endpoint(s: ExpectedServicePort, name: string, proto: string, e: ServiceEndpoint): void {
    const sep = endpointChain(s, e.text)
    this.chains.add(sep)
    const affinity = s.affinity === null ? '' : `-m recent --name ${sep} --set `
    this.nat.push(`-A ${sep} ${comment(name)} -s ${e.address} -j KUBE-MARK-MASQ`)
    this.nat.push(`-A ${sep} ${comment(name)} ${affinity}${proto} -j DNAT --to-destination ${e.text}`)
  }

  finish(jumps: boolean, stale: readonly string[]): IptablesRendering {
    const { options } = this
    const localhost = options.localhostNodePorts !== false && this.family === 4
    const nodePorts: string[] = []
    const last = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')
    if (options.nodePortAddresses) {
      for (const ip of options.nodePortAddresses)
        if (ip.includes(':') === (this.family === 6))
          nodePorts.push(`-A KUBE-SERVICES ${last} -d ${ip} -j KUBE-NODEPORTS`)
    } else {
      const except = this.family === 6 ? ' ! -d ::1/128' : localhost ? '' : ' ! -d 127.0.0.0/8'
      nodePorts.push(`-A KUBE-SERVICES ${last} -m addrtype --dst-type LOCAL${except} -j KUBE-NODEPORTS`)
    }
    const firewall = localhost
      ? [
          `-A KUBE-FIREWALL ${comment('block incoming localnet connections')} -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`,
        ]
      : []
    const forward = [
      ...(options.conntrackLiberal ? [] : ['-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP']),
      `-A KUBE-FORWARD ${comment('kubernetes forwarding rules')} -m mark --mark ${MASQUERADE_MARK}/${MASQUERADE_MARK} -j ACCEPT`,
      `-A KUBE-FORWARD ${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    ]
    const masquerade = [
      `-A KUBE-MARK-MASQ -j MARK --or-mark ${MASQUERADE_MARK}`,
      `-A KUBE-POSTROUTING -m mark ! --mark ${MASQUERADE_MARK}/${MASQUERADE_MARK} -j RETURN`,
      `-A KUBE-POSTROUTING -j MARK --xor-mark ${MASQUERADE_MARK}`,
      `-A KUBE-POSTROUTING ${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
    ]
    const define = (chain: string) => `:${chain} - [0:0]`
    const hook = (table: string) =>
      jumps ? JUMPS.filter(([t]) => t === table).map(([, c, args]) => `-I ${c} ${args}`) : []
    const canary = jumps ? [define('KUBE-PROXY-CANARY')] : []
    const gone = stale.filter((chain) => !this.chains.has(chain))
    const chains = [...this.chains].sort()
    const lines = [
      ...(jumps ? ['*mangle', ...canary, 'COMMIT'] : []),
      '*filter',
      ...canary,
      ...FILTER_CHAINS.map(define),
      ...hook('filter'),
      ...this.filter,
      ...firewall,
      ...forward,
      'COMMIT',
      '*nat',
      ...canary,
      ...[...NAT_CHAINS, ...chains, ...gone].map(define),
      ...hook('nat'),
      ...this.nat,
      ...nodePorts,
      ...masquerade,
      ...gone.map((chain) => `-X ${chain}`),
      'COMMIT',
    ]
    return { text: `${lines.join('\n')}\n`, chains }
  }
}
