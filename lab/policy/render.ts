/**
 * The compiled policies as rules of one node: kube-router's chains in iptables (KUBE-POD-FW-, KUBE-NWPLCY-), or a table
 * `inet netwhy-policy` beside kube-proxy's nftables. Same-node traffic passes the forward hook by br_netfilter. What the node
 * itself sends to its pods passes output only, what they send to it passes input: both are always allowed, as the API wants it.
 */
import { isIPv6 } from 'node:net'
import { base32Sha256 } from '../../src/base/sha256.ts'
import type { CompiledPolicy, PodPolicies, PolicyMatch } from './compile.ts'

const DIRECTIONS = ['egress', 'ingress'] as const
type Direction = (typeof DIRECTIONS)[number]

const podChain = (pod: PodPolicies, direction: Direction, family: 4 | 6) =>
  `KUBE-POD-FW-${base32Sha256(`${pod.namespace}/${pod.name}/${direction}/${family}`, 16)}`
const policyChain = (pod: PodPolicies, policy: CompiledPolicy, direction: Direction, family: 4 | 6) =>
  `KUBE-NWPLCY-${base32Sha256([policy.namespace, policy.name, pod.namespace, pod.name, direction, family].join('/'), 16)}`

const about = (pod: PodPolicies) => `POD name:${pod.name} namespace: ${pod.namespace}`
const named = (policy: CompiledPolicy) => `policy name ${policy.name} namespace ${policy.namespace}`
const denial = (pod: PodPolicies, direction: Direction) =>
  `rule to DROP ${direction} traffic of ${about(pod)} that no policy allows`.slice(0, 250)

function matchesOf(policy: CompiledPolicy, family: 4 | 6): PolicyMatch[] {
  return policy.matches.filter((m) => m.peer === null || isIPv6(m.peer.cidr.split('/')[0]!) === (family === 6))
}

const ALLOWED = '0x10000/0x10000'
const comment = (text: string) => `-m comment --comment "${text}"`

/** iptables-restore input (`--noflush`). `first`: also hook the chains in; `stale`: chains of the last rendering. */
export function policyIptables(
  pods: readonly PodPolicies[],
  family: 4 | 6,
  first: boolean,
  stale: readonly string[],
): { text: string; chains: string[] } {
  const chains: string[] = []
  const rules: string[] = []
  for (const direction of DIRECTIONS)
    for (const pod of pods) {
      const policies = pod[direction]
      const ip = pod.ips.find((a) => isIPv6(a) === (family === 6))
      if (!policies || ip === undefined) continue
      const chain = podChain(pod, direction, family)
      const jump = `${comment(`rule to jump ${direction} traffic of ${about(pod)} to its policies`)} -j ${chain}`
      const side = direction === 'ingress' ? '-d' : '-s'
      rules.push(`-A KUBE-ROUTER-FORWARD ${side} ${ip} ${jump}`)
      chains.push(chain)
      rules.push(
        `-A ${chain} ${comment('rule for stateful firewall for pod')} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`,
        // A pod cannot block access to itself (NetworkPolicy, networking.k8s.io/v1): its own Service may lead back to it.
        `-A ${chain} -s ${ip} -d ${ip} ${comment('a pod reaches itself whatever policies say')} -j RETURN`,
      )
      for (const policy of policies) {
        const target = policyChain(pod, policy, direction, family)
        chains.push(target)
        rules.push(`-A ${chain} ${comment(`run through nw ${named(policy)}`)} -j ${target}`)
        for (const match of matchesOf(policy, family)) rules.push(...iptablesMatch(target, policy, match, direction))
      }
      rules.push(
        `-A ${chain} ${comment(denial(pod, direction))} -m mark ! --mark ${ALLOWED} -j DROP`,
        `-A ${chain} ${comment('clear the mark for the other direction')} -j MARK --set-xmark 0x0/0x10000`,
      )
    }
  const gone = stale.filter((c) => !chains.includes(c))
  const lines = [
    '*filter',
    ...['KUBE-ROUTER-FORWARD', 'KUBE-ROUTER-INPUT', ...chains, ...gone].map((c) => `:${c} - [0:0]`),
    ...(first
      ? [
          `-I FORWARD ${comment('kube-router netpol')} -j KUBE-ROUTER-FORWARD`,
          `-I INPUT ${comment('kube-router netpol')} -j KUBE-ROUTER-INPUT`,
        ]
      : []),
    ...rules,
    ...gone.map((c) => `-X ${c}`),
    'COMMIT',
  ]
  return { text: `${lines.join('\n')}\n`, chains }
}

function iptablesMatch(chain: string, policy: CompiledPolicy, m: PolicyMatch, direction: Direction): string[] {
  const side = direction === 'ingress' ? '-s' : '-d'
  const ports = m.port === null || m.port.from === 0 ? '' : ` --dport ${m.port.from}:${m.port.to}`
  const port = m.port === null ? '' : `-p ${m.port.protocol}${ports === '' ? '' : ` -m ${m.port.protocol}${ports}`} `
  const allow = (peer: string) => [
    `-A ${chain} ${peer}${port}${comment(`rule to ACCEPT traffic selected by ${named(policy)}`)} -j MARK --set-xmark ${ALLOWED}`,
    `-A ${chain} ${comment(`rule to RETURN accepted traffic of ${named(policy)}`)} -m mark --mark ${ALLOWED} -j RETURN`,
  ]
  if (m.peer === null) return allow('')
  const { cidr, except } = m.peer
  if (except.length === 0) return allow(`${side} ${cidr} `)
  // What a block leaves out is handled in a chain position of its own: skip the accept when the address is in one of them.
  const inside = except.map(
    (e) => `-A ${chain} ${side} ${e} ${comment(`except of ${named(policy)}`)} -j MARK --set-xmark 0x20000/0x20000`,
  )
  return [
    `-A ${chain} ${comment(`except of ${named(policy)}`)} -j MARK --set-xmark 0x0/0x20000`,
    ...inside,
    `-A ${chain} ${side} ${cidr} ${port}-m mark --mark 0x0/0x20000 ${comment(`rule to ACCEPT traffic selected by ${named(policy)}`)} -j MARK --set-xmark ${ALLOWED}`,
    `-A ${chain} ${comment(`except of ${named(policy)}`)} -j MARK --set-xmark 0x0/0x20000`,
    `-A ${chain} ${comment(`rule to RETURN accepted traffic of ${named(policy)}`)} -m mark --mark ${ALLOWED} -j RETURN`,
  ]
}

/** `nft -f` input that replaces the table. An accept here ends only the base chain of its direction. */
export function policyNft(pods: readonly PodPolicies[]): string {
  const body: string[] = []
  const jumps: Record<Direction, string[]> = { ingress: [], egress: [] }
  for (const direction of DIRECTIONS)
    for (const pod of pods)
      for (const family of [4, 6] as const) {
        const policies = pod[direction]
        const ip = pod.ips.find((a) => isIPv6(a) === (family === 6))
        if (!policies || ip === undefined) continue
        const proto = family === 4 ? 'ip' : 'ip6'
        const chain = podChain(pod, direction, family)
        const note = `comment "rule to jump ${direction} traffic of ${about(pod)} to its policies"`
        jumps[direction].push(`${proto} ${direction === 'ingress' ? 'daddr' : 'saddr'} ${ip} jump ${chain} ${note}`)
        const inner = [
          `${proto} saddr ${ip} ${proto} daddr ${ip} accept comment "a pod reaches itself whatever policies say"`,
        ]
        for (const policy of policies) {
          const target = policyChain(pod, policy, direction, family)
          const lines = matchesOf(policy, family).map((m) => nftMatch(proto, policy, m, direction))
          body.push(`chain ${target} {\n${lines.join('\n')}\n}`)
          inner.push(`jump ${target} comment "run through nw ${named(policy)}"`)
        }
        body.push(`chain ${chain} {\n${inner.join('\n')}\ndrop comment "${denial(pod, direction).slice(0, 120)}"\n}`)
      }
  const base = (name: string, hook: string, priority: number, list: readonly string[]) =>
    `chain ${name} {\ntype filter hook ${hook} priority ${priority}; policy accept;\nct state established,related accept\n${list.join('\n')}\n}`
  return `add table inet netwhy-policy
delete table inet netwhy-policy
table inet netwhy-policy {
${body.join('\n')}
${base('egress', 'forward', -2, jumps.egress)}
${base('ingress', 'forward', -1, jumps.ingress)}
}
`
}

function nftMatch(proto: string, policy: CompiledPolicy, m: PolicyMatch, direction: Direction): string {
  const side = direction === 'ingress' ? 'saddr' : 'daddr'
  const parts: string[] = []
  if (m.peer !== null) {
    parts.push(`${proto} ${side} ${m.peer.cidr}`)
    for (const e of m.peer.except) parts.push(`${proto} ${side} != ${e}`)
  }
  if (m.port !== null)
    parts.push(
      m.port.from === 0
        ? `meta l4proto ${m.port.protocol}`
        : `${m.port.protocol} dport ${m.port.from === m.port.to ? m.port.from : `${m.port.from}-${m.port.to}`}`,
    )
  return `${parts.join(' ')} accept comment "${`rule to ACCEPT traffic selected by ${named(policy)}`.slice(0, 120)}"`
}
