/**
 * What `iptables-save` prints on a node of a large cluster: kube-proxy's rules in iptables mode (1.26–1.35), one TCP port
 * per Service, in the order and spelling of iptables 1.8.9, under the chain names kube-proxy gives them.
 */
import { addToIp, formatIp, type Ip, ipv4 } from '../src/base/ip.ts'
import { endpointChain, servicePortHash, servicePortName } from '../src/intent/service/index.ts'

export interface LargeSave {
  readonly text: string
  readonly rules: number
  readonly chains: number
}

const SERVICE_BASE = ipv4(0x0a600100) // 10.96.1.0
const POD_BASE = ipv4(0x0af40002) // 10.244.0.2

const JUMPS_NAT = [
  '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
  '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
  '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
  '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
  '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
]

const FILTER = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`

/** A probability as it comes back from the kernel, which keeps it in 1/2^31 (xt_statistic). */
const saved = (probability: number) => (Math.round(probability * 2 ** 31) / 2 ** 31).toFixed(11)

/** Rules as they are listed: chain after chain by name, in their order within the chain. */
function byChain(rules: readonly string[]): string[] {
  const keyed = rules.map((rule) => ({ rule, chain: rule.slice(3, rule.indexOf(' ', 3)) }))
  return keyed.sort((x, y) => (x.chain < y.chain ? -1 : x.chain > y.chain ? 1 : 0)).map((k) => k.rule)
}

/** The ClusterIP of the n-th Service; its port is 80. */
export function serviceIp(n: number): Ip {
  return addToIp(SERVICE_BASE, n)
}

/** `count` Services with `endpoints` endpoints each (1–250); at most 60,000 endpoints in all. */
export function kubeProxySave(count: number, endpoints: number): LargeSave {
  const declared = ['KUBE-MARK-MASQ', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-SERVICES'].map((c) => `:${c} - [0:0]`)
  const dispatch: string[] = []
  const perService: string[] = []
  for (let s = 0; s < count; s++) {
    const id = { namespace: `team-${s % 100}`, service: `service-${s}`, portName: 'http', protocol: 'tcp' }
    const name = servicePortName(id)
    const chain = `KUBE-SVC-${servicePortHash(id)}`
    const vip = formatIp(serviceIp(s))
    declared.push(`:${chain} - [0:0]`)
    dispatch.push(
      `-A KUBE-SERVICES -d ${vip}/32 -p tcp -m comment --comment "${name} cluster IP" -m tcp --dport 80 -j ${chain}`,
    )
    perService.push(
      `-A ${chain} ! -s 10.244.0.0/16 -d ${vip}/32 -p tcp -m comment --comment "${name} cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ`,
    )
    for (let e = 0; e < endpoints; e++) {
      const pod = formatIp(addToIp(POD_BASE, s * endpoints + e))
      const endpoint = `${pod}:8080`
      const sep = endpointChain(id, endpoint)
      const left = endpoints - e
      const random = left > 1 ? ` -m statistic --mode random --probability ${saved(1 / left)}` : ''
      declared.push(`:${sep} - [0:0]`)
      perService.push(
        `-A ${chain} -m comment --comment "${name} -> ${endpoint}"${random} -j ${sep}`,
        `-A ${sep} -s ${pod}/32 -m comment --comment "${name}" -j KUBE-MARK-MASQ`,
        `-A ${sep} -p tcp -m comment --comment "${name}" -m tcp -j DNAT --to-destination ${endpoint}`,
      )
    }
  }
  const nat = [
    '*nat',
    ...['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'].map((c) => `:${c} ACCEPT [0:0]`),
    ...declared.sort(),
    ...JUMPS_NAT,
    ...byChain([
      ...dispatch,
      '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
      ...perService,
    ]),
    'COMMIT',
    '',
  ].join('\n')
  const text = `# Generated by iptables-save v1.8.9 (nf_tables)\n${FILTER}${nat}`
  return {
    text,
    rules: text.split('\n-A ').length - 1,
    chains: text.split('\n:').length - 1,
  }
}
