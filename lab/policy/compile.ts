/**
 * What the NetworkPolicies ask, pod by pod, as lists of addresses and ports.
 * Source: networking.k8s.io/v1 API reference; policies of one pod add up, a direction without a policy is open.
 */
import { BlockList, isIPv6 } from 'node:net'
import {
  isMap,
  type KubeJson,
  labelsOf,
  listAt,
  mapAt,
  nameOf,
  namespaceOf,
  ofKind,
  selects,
  stringsAt,
  textAt,
} from '../kubejson.ts'

export interface PolicyMatch {
  /** Null: any address. */
  readonly peer: { readonly cidr: string; readonly except: readonly string[] } | null
  /** Null: any protocol and port. `to` equals `from` for one port; both 0 for all ports of the protocol. */
  readonly port: { readonly protocol: string; readonly from: number; readonly to: number } | null
}

export interface CompiledPolicy {
  readonly namespace: string
  readonly name: string
  readonly matches: readonly PolicyMatch[]
}

export interface PodPolicies {
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly ips: readonly string[]
  /** Null: not isolated in that direction. */
  readonly ingress: readonly CompiledPolicy[] | null
  readonly egress: readonly CompiledPolicy[] | null
}

type Direction = 'ingress' | 'egress'

/** The pods that a policy isolates in some direction. */
export function compilePolicies(objects: readonly KubeJson[]): PodPolicies[] {
  const pods = ofKind(objects, 'Pod').filter(
    (p) => mapAt(p, 'spec').hostNetwork !== true && !['Succeeded', 'Failed'].includes(textAt(p, 'status', 'phase')),
  )
  const namespaces = ofKind(objects, 'Namespace')
  const policies = ofKind(objects, 'NetworkPolicy')
  const out: PodPolicies[] = []
  for (const pod of pods) {
    const mine = policies.filter(
      (p) => namespaceOf(p) === namespaceOf(pod) && selects(mapAt(p, 'spec', 'podSelector'), labelsOf(pod)),
    )
    const of = (direction: Direction) => {
      const list = mine.filter((p) => directions(p).includes(direction))
      if (list.length === 0) return null
      return list.map((p) => ({
        namespace: namespaceOf(p),
        name: nameOf(p),
        matches: listAt(p, 'spec', direction).flatMap((rule) => expand(p, rule, direction, pod, pods, namespaces)),
      }))
    }
    const [ingress, egress] = [of('ingress'), of('egress')]
    if (ingress || egress)
      out.push({
        namespace: namespaceOf(pod),
        name: nameOf(pod),
        node: textAt(pod, 'spec', 'nodeName'),
        ips: addresses(pod),
        ingress,
        egress,
      })
  }
  return out
}

/** The policyTypes, defaulted as the API server does: Ingress always, Egress when there are egress rules. */
function directions(policy: KubeJson): Direction[] {
  const types = stringsAt(policy, 'spec', 'policyTypes').map((t) => t.toLowerCase())
  if (types.length > 0) return (['ingress', 'egress'] as const).filter((d) => types.includes(d))
  return listAt(policy, 'spec', 'egress').length > 0 ? ['ingress', 'egress'] : ['ingress']
}

const addresses = (pod: KubeJson) =>
  listAt(pod, 'status', 'podIPs')
    .map((p) => textAt(p, 'ip'))
    .filter((ip) => ip !== '')

const host = (ip: string) => ({ cidr: `${ip}/${isIPv6(ip) ? 128 : 32}`, except: [] })

function expand(
  policy: KubeJson,
  rule: KubeJson,
  direction: Direction,
  subject: KubeJson,
  pods: readonly KubeJson[],
  namespaces: readonly KubeJson[],
): PolicyMatch[] {
  const list = listAt(rule, direction === 'ingress' ? 'from' : 'to')
  const blocks: NonNullable<PolicyMatch['peer']>[] = []
  const chosen: KubeJson[] = []
  for (const peer of list) {
    const block = mapAt(peer, 'ipBlock')
    if (typeof block.cidr === 'string') blocks.push({ cidr: block.cidr, except: stringsAt(block, 'except') })
    else chosen.push(...pods.filter((p) => isPeer(policy, peer, p, namespaces)))
  }
  const peers: PolicyMatch['peer'][] =
    list.length === 0 ? [null] : [...blocks, ...[...new Set(chosen)].flatMap(addresses).map(host)]

  const ports = listAt(rule, 'ports')
  if (ports.length === 0) return peers.map((peer) => ({ peer, port: null }))
  return ports.flatMap((p): PolicyMatch[] => {
    const protocol = (textAt(p, 'protocol') || 'TCP').toLowerCase()
    if (p.port === undefined) return peers.map((peer) => ({ peer, port: { protocol, from: 0, to: 0 } }))
    if (typeof p.port === 'number') {
      const to = typeof p.endPort === 'number' ? p.endPort : p.port
      return peers.map((peer) => ({ peer, port: { protocol, from: p.port as number, to } }))
    }
    // A named port is the destination pod's: the subject for ingress, each peer for egress.
    if (direction === 'ingress')
      return numbersOf(subject, String(p.port), protocol).flatMap((n) =>
        peers.map((peer) => ({ peer, port: { protocol, from: n, to: n } })),
      )
    const admits = (pod: KubeJson, ip: string) =>
      list.length === 0 || chosen.includes(pod) || blocks.some((b) => holds(b, ip))
    return pods.flatMap((pod) =>
      numbersOf(pod, String(p.port), protocol).flatMap((n) =>
        addresses(pod)
          .filter((ip) => admits(pod, ip))
          .map((ip) => ({ peer: host(ip), port: { protocol, from: n, to: n } })),
      ),
    )
  })
}

/** Whether a block holds an address and no exception takes it out. */
function holds({ cidr, except }: NonNullable<PolicyMatch['peer']>, ip: string): boolean {
  const family = isIPv6(ip) ? 'ipv6' : 'ipv4'
  const inside = (block: string): boolean => {
    const [base = '', length = ''] = block.split('/')
    if (isIPv6(base) !== (family === 'ipv6')) return false
    const list = new BlockList()
    list.addSubnet(base, Number(length), family)
    return list.check(ip, family)
  }
  return inside(cidr) && !except.some(inside)
}

function numbersOf(pod: KubeJson, name: string, protocol: string): number[] {
  return listAt(pod, 'spec', 'containers')
    .flatMap((c) => listAt(c, 'ports'))
    .filter((c) => c.name === name && (textAt(c, 'protocol') || 'TCP').toLowerCase() === protocol)
    .map((c) => c.containerPort)
    .filter((n): n is number => typeof n === 'number')
}

function isPeer(policy: KubeJson, peer: KubeJson, pod: KubeJson, namespaces: readonly KubeJson[]): boolean {
  if (isMap(peer.namespaceSelector)) {
    const home = namespaces.find((n) => nameOf(n) === namespaceOf(pod))
    const labels = { ...(home ? labelsOf(home) : {}), 'kubernetes.io/metadata.name': namespaceOf(pod) }
    if (!selects(peer.namespaceSelector, labels)) return false
  } else if (namespaceOf(pod) !== namespaceOf(policy)) return false
  return !isMap(peer.podSelector) || selects(peer.podSelector, labelsOf(pod))
}
