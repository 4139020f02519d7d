/** Whether a rule's peer is the far end of the connection. */
import { formatIp, formatPrefix, type Ip, parseIp, prefixContains } from '../../base/ip.ts'
import { type PolicyCluster, serviceAddresses } from './cluster.ts'
import { type End, NAME_LABEL } from './end.ts'
import type { Direction, NetworkPolicy, PolicyPeer, Requirement, Selector } from './policy.ts'
import type { PeerConsidered, PeerMiss, ServiceHint, Tri } from './result.ts'
import { matchLabels } from './selector.ts'
import { servicesInFront } from './service-hint.ts'
import { all } from './tri.ts'

/** One question about one direction, as peers and ports see it. */
export interface Asked {
  readonly cluster: PolicyCluster
  readonly direction: Direction
  /** The end that is not the policy's subject. */
  readonly far: End
  /** The end that listens. */
  readonly destination: End
  /** Upper case. */
  readonly protocol: string
  readonly port: number | null
  /** Families the connection may have, from the question and the addresses of both ends. */
  readonly families: readonly (4 | 6)[]
}

/** The peer's verdict with the reason for a miss. */
export function considerPeer(peer: PolicyPeer, index: number, policy: NetworkPolicy, asked: Asked): PeerConsidered {
  switch (peer.kind) {
    case 'opaque':
      return { index, kind: 'opaque', matches: 'unknown', misses: [{ kind: 'unknown', why: peer.why }] }
    case 'ipBlock':
      return { index, kind: 'ipBlock', ...considerBlock(peer, asked) }
    case 'pods':
      return { index, kind: 'pods', ...considerPods(peer, policy, asked.far) }
  }
}

function considerPods(
  peer: Extract<PolicyPeer, { kind: 'pods' }>,
  policy: NetworkPolicy,
  far: End,
): Omit<PeerConsidered, 'index' | 'kind'> {
  switch (far.kind) {
    case 'unknown':
      return { matches: 'unknown', misses: [{ kind: 'unknown', why: far.why }] }
    case 'service':
      return { matches: 'unknown', misses: [{ kind: 'unknown', why: behindService(far) }] }
    case 'node':
      return { matches: 'no', misses: [{ kind: 'not-a-pod', what: far.what }] }
    case 'address':
      return { matches: 'no', misses: [{ kind: 'not-a-pod', what: 'address' }] }
    case 'pod':
      break
  }
  const misses: PeerMiss[] = []
  const namespace = peer.namespaces
    ? matchNamespace(peer.namespaces, far, misses)
    : far.namespace === policy.namespace
      ? 'yes'
      : 'no'
  if (!peer.namespaces && namespace === 'no')
    misses.push({ kind: 'other-namespace', wanted: policy.namespace, actual: far.namespace })
  let pod: Tri = 'yes'
  if (peer.pods) {
    const found = matchLabels(peer.pods, far.labels)
    pod = found.matches
    for (const { requirement, actual } of found.misses)
      misses.push(opaqueMiss(requirement) ?? { kind: 'pod-label', requirement, actual })
  }
  return { matches: all([namespace, pod]), namespace, pod, misses }
}

const opaqueMiss = (r: Requirement): PeerMiss | null =>
  r.operator === 'opaque' ? { kind: 'unknown', why: r.values.join(', ') } : null

function matchNamespace(selector: Selector, far: Extract<End, { kind: 'pod' }>, misses: PeerMiss[]): Tri {
  const { labels, complete } = far.namespaceLabels
  const found = matchLabels(selector, labels)
  if (complete) {
    for (const { requirement, actual } of found.misses)
      misses.push(opaqueMiss(requirement) ?? { kind: 'namespace-label', namespace: far.namespace, requirement, actual })
    return found.matches
  }
  // Without the Namespace object only requirements on its name can be judged.
  const byName = matchLabels(
    selector.filter((r) => r.key === NAME_LABEL),
    labels,
  )
  if (byName.matches === 'no') {
    for (const { requirement, actual } of byName.misses)
      misses.push({ kind: 'namespace-label', namespace: far.namespace, requirement, actual })
    return 'no'
  }
  if (selector.every((r) => r.key === NAME_LABEL)) return byName.matches
  misses.push({ kind: 'unknown', why: `the labels of namespace ${far.namespace} are not in the snapshot` })
  return 'unknown'
}

const behindService = (end: Extract<End, { kind: 'service' }>) =>
  `policies see the endpoint behind Service ${end.service.meta.namespace}/${end.service.meta.name}, not its address`

/** A block finds whatever has an address in it, pods too (upstream e2e "ipBlock" cases). */
function considerBlock(
  peer: Extract<PolicyPeer, { kind: 'ipBlock' }>,
  asked: Asked,
): Omit<PeerConsidered, 'index' | 'kind'> {
  const { far } = asked
  if (far.kind === 'service') return { matches: 'unknown', misses: [{ kind: 'unknown', why: behindService(far) }] }
  const addresses = far.addresses.filter((ip) => asked.families.includes(ip.family))
  if (addresses.length === 0) {
    const why = far.kind === 'unknown' ? far.why : 'the address of the peer is not known'
    return { matches: 'unknown', misses: [{ kind: 'unknown', why }] }
  }
  const missed = addresses.filter((ip) => !inBlock(peer, ip))
  if (missed.length === 0) return { matches: 'yes', misses: [] }
  if (missed.length < addresses.length) {
    const why = `which of its addresses ${addresses.map(formatIp).join(', ')} the peer has here is not known`
    return { matches: 'unknown', misses: [{ kind: 'unknown', why }] }
  }
  return { matches: 'no', misses: blockMisses(peer, missed, asked) }
}

function inBlock(peer: Extract<PolicyPeer, { kind: 'ipBlock' }>, ip: Ip): boolean {
  return prefixContains(peer.cidr, ip) && !peer.except.some((e) => prefixContains(e, ip))
}

function blockMisses(peer: Extract<PolicyPeer, { kind: 'ipBlock' }>, missed: readonly Ip[], asked: Asked): PeerMiss[] {
  const cidr = formatPrefix(peer.cidr)
  const misses: PeerMiss[] = []
  const outside: string[] = []
  for (const ip of missed) {
    const except = prefixContains(peer.cidr, ip) ? peer.except.find((e) => prefixContains(e, ip)) : undefined
    if (except) misses.push({ kind: 'excepted', cidr, except: formatPrefix(except), address: formatIp(ip) })
    else outside.push(formatIp(ip))
  }
  if (outside.length > 0) {
    const service = asked.direction === 'egress' ? serviceInBlock(peer, asked) : undefined
    misses.push({ kind: 'outside-block', cidr, addresses: outside, ...(service ? { service } : {}) })
  }
  return misses
}

/** The Service before the destination pod whose address the block was written for, if there is one. */
function serviceInBlock(peer: Extract<PolicyPeer, { kind: 'ipBlock' }>, asked: Asked): ServiceHint | undefined {
  return servicesInFront(asked).find(({ service }) =>
    serviceAddresses(service).some((text) => {
      const ip = parseIp(text)
      return ip !== null && inBlock(peer, ip)
    }),
  )?.hint
}
