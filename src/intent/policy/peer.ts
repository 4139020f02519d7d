/** Whether a rule's peer is the far end of the connection. */
import { formatIp, formatPrefix, type Ip, type Prefix, parseIp, prefixContains } from '../../base/ip.ts'
import { type PolicyCluster, serviceAddresses } from './cluster.ts'
import { type End, NAME_LABEL } from './end.ts'
import type { Direction, Entity, PolicyPeer, Requirement, Selector } from './policy.ts'
import type { PeerConsidered, PeerMiss, ServiceHint, Tri } from './result.ts'
import { matchLabels, selectorHolds } from './selector.ts'
import { servicesInFront } from './service-hint.ts'
import { not } from './tri.ts'

/** One question about one direction, as peers and ports see it. */
export interface Asked {
  readonly cluster: PolicyCluster
  readonly direction: Direction
  /** The end the policies are about. */
  readonly near: End
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

/** Where matching leaves the reasons for a miss; null where nobody asks for them. */
export interface PeerNotes {
  readonly misses: PeerMiss[]
  namespace?: Tri
  pod?: Tri
}

type PodsPeer = Extract<PolicyPeer, { kind: 'pods' }>

/** The peer's verdict with the reason for a miss. `namespace` is the policy's, empty for cluster-scoped ones. */
export function considerPeer(peer: PolicyPeer, index: number, namespace: string, asked: Asked): PeerConsidered {
  const notes: PeerNotes = { misses: [] }
  const matches = matchPeer(peer, namespace, asked, notes)
  return { index, kind: peer.kind, matches, ...notes, misses: matches === 'yes' ? [] : notes.misses }
}

/** Whether the peer is the far end. */
export function matchPeer(peer: PolicyPeer, namespace: string, asked: Asked, notes: PeerNotes | null): Tri {
  switch (peer.kind) {
    case 'opaque':
      return unknown(notes, peer.why)
    case 'domains':
      return unknown(notes, `which addresses ${peer.names.join(', ')} resolve to is not known`)
    case 'ipBlock':
      return matchBlock([peer], asked, notes)
    case 'networks':
      return matchNetworks(peer, asked, notes)
    case 'pods':
      return matchPods(peer, namespace, asked.far, notes)
    case 'nodes':
      return matchNodes(peer.nodes, asked, notes)
    case 'entity':
      return matchEntity(peer.entity, asked, notes)
    case 'allOf':
      return matchAll(peer.peers, namespace, asked, notes)
    case 'not': {
      const matches = not(matchPeer(peer.peer, namespace, asked, notes))
      if (matches === 'no') notes?.misses.push({ kind: 'shut-out', what: 'the rule leaves this peer out' })
      return matches
    }
  }
}

function unknown(notes: PeerNotes | null, why: string): Tri {
  notes?.misses.push({ kind: 'unknown', why })
  return 'unknown'
}

function matchAll(peers: readonly PolicyPeer[], namespace: string, asked: Asked, notes: PeerNotes | null): Tri {
  let out: Tri = 'yes'
  for (const peer of peers) {
    const part: PeerNotes | null = notes && { misses: [] }
    const matches = matchPeer(peer, namespace, asked, part)
    if (matches === 'yes') continue
    if (part) notes?.misses.push(...part.misses)
    if (matches === 'no') out = 'no'
    else if (out === 'yes') out = 'unknown'
    if (out === 'no' && !notes) return 'no'
  }
  return out
}

function matchPods(peer: PodsPeer, own: string, far: End, notes: PeerNotes | null): Tri {
  switch (far.kind) {
    case 'unknown':
      return unknown(notes, far.why)
    case 'service':
      return unknown(notes, behindService(far))
    case 'node':
      notes?.misses.push({ kind: 'not-a-pod', what: far.what })
      return 'no'
    case 'address':
      notes?.misses.push({ kind: 'not-a-pod', what: 'address' })
      return 'no'
    case 'pod':
      break
  }
  const namespace = peer.namespaces ? matchNamespace(peer.namespaces, far, notes) : far.namespace === own ? 'yes' : 'no'
  if (!notes) {
    if (namespace === 'no' || !peer.pods) return namespace
    const pod = selectorHolds(peer.pods, far.labels)
    return pod === 'yes' ? namespace : pod
  }
  if (!peer.namespaces && namespace === 'no')
    notes.misses.push({ kind: 'other-namespace', wanted: own, actual: far.namespace })
  let pod: Tri = 'yes'
  if (peer.pods) {
    const found = matchLabels(peer.pods, far.labels)
    pod = found.matches
    for (const { requirement, actual } of found.misses)
      notes.misses.push(opaqueMiss(requirement) ?? { kind: 'pod-label', requirement, actual })
  }
  notes.namespace = namespace
  notes.pod = pod
  return namespace === 'no' || pod === 'no' ? 'no' : pod === 'unknown' ? pod : namespace
}

const opaqueMiss = (r: Requirement): PeerMiss | null =>
  r.operator === 'opaque' ? { kind: 'unknown', why: r.values.join(', ') } : null

/** Keys a selector asks about, those inside alternatives too. */
function namesOnly(selector: Selector): boolean {
  return selector.every((r) => (r.alternatives ? r.alternatives.every(namesOnly) : r.key === NAME_LABEL))
}

/** Whether the namespace of a pod is selected. Without its object only requirements on its name can be judged. */
export function matchNamespace(selector: Selector, far: Extract<End, { kind: 'pod' }>, notes: PeerNotes | null): Tri {
  const { labels, complete } = far.namespaceLabels
  const judged = complete ? selector : selector.filter((r) => namesOnly([r]))
  let matches: Tri
  if (notes) {
    const found = matchLabels(judged, labels)
    matches = found.matches
    for (const { requirement, actual } of found.misses)
      notes.misses.push(
        opaqueMiss(requirement) ?? { kind: 'namespace-label', namespace: far.namespace, requirement, actual },
      )
  } else matches = selectorHolds(judged, labels)
  if (matches === 'no' || judged.length === selector.length) return matches
  return unknown(notes, `the labels of namespace ${far.namespace} are not in the snapshot`)
}

const behindService = (end: Extract<End, { kind: 'service' }>) =>
  `policies see the endpoint behind Service ${end.service.meta.namespace}/${end.service.meta.name}, not its address`

/** Nodes by the labels of their objects (network-policy-api, Nodes peer: any of a node's addresses). */
function matchNodes(selector: Selector, asked: Asked, notes: PeerNotes | null): Tri {
  const { far } = asked
  switch (far.kind) {
    case 'unknown':
      return unknown(notes, far.why)
    case 'service':
      return unknown(notes, behindService(far))
    case 'pod':
    case 'address':
      notes?.misses.push({ kind: 'not-a-node', what: far.kind })
      return 'no'
    case 'node':
      break
  }
  if (selector.length === 0) return 'yes'
  const node = asked.cluster.nodes.get(far.node)
  if (!node) return unknown(notes, `the labels of node ${far.node} are not in the snapshot`)
  const found = matchLabels(selector, node.meta.labels)
  for (const { requirement, actual } of found.misses)
    notes?.misses.push(opaqueMiss(requirement) ?? { kind: 'node-label', node: far.node, requirement, actual })
  return found.matches
}

function matchEntity(entity: Entity, { near, far }: Asked, notes: PeerNotes | null): Tri {
  if (entity === 'all') return 'yes'
  if (far.kind === 'unknown') return unknown(notes, far.why)
  if (far.kind === 'service') return unknown(notes, behindService(far))
  const own = near.kind === 'pod' || near.kind === 'node' ? near.node : null
  const here = far.kind === 'node' && own === null ? 'unknown' : far.kind === 'node' && far.node === own ? 'yes' : 'no'
  const verdict = (): Tri => {
    switch (entity) {
      case 'world':
        return far.kind === 'address' ? 'yes' : 'no'
      case 'cluster':
        return far.kind === 'address' ? 'no' : 'yes'
      case 'host':
        return here
      case 'remote-node':
        return far.kind === 'node' ? not(here) : 'no'
    }
  }
  const matches = verdict()
  if (matches === 'unknown') return unknown(notes, 'on which node the pod runs is not known')
  if (matches === 'no') notes?.misses.push({ kind: 'not-entity', entity })
  return matches
}

interface Block {
  readonly cidr: Prefix
  readonly except: readonly Prefix[]
}

const NONE: readonly Prefix[] = []

function matchNetworks(peer: Extract<PolicyPeer, { kind: 'networks' }>, asked: Asked, notes: PeerNotes | null): Tri {
  const { far } = asked
  if (peer.outsideOnly && (far.kind === 'pod' || far.kind === 'node')) {
    notes?.misses.push({ kind: 'not-outside', what: far.kind })
    return 'no'
  }
  return matchBlock(
    peer.cidrs.map((cidr) => ({ cidr, except: NONE })),
    asked,
    notes,
  )
}

/**
 * A block finds whatever has an address in it, pods too (upstream e2e "ipBlock" cases; API text and conformance of `networks`).
 */
function matchBlock(blocks: readonly Block[], asked: Asked, notes: PeerNotes | null): Tri {
  const { far, families } = asked
  if (far.kind === 'service') return unknown(notes, behindService(far))
  let known = 0
  let inside = 0
  for (const ip of far.addresses) {
    if (!families.includes(ip.family)) continue
    known++
    if (blocks.some((b) => inBlock(b, ip))) inside++
  }
  if (known === 0) return unknown(notes, far.kind === 'unknown' ? far.why : 'the address of the peer is not known')
  if (inside === known) return 'yes'
  if (!notes) return inside > 0 ? 'unknown' : 'no'
  const addresses = far.addresses.filter((ip) => families.includes(ip.family))
  if (inside > 0)
    return unknown(notes, `which of its addresses ${addresses.map(formatIp).join(', ')} the peer has here is not known`)
  for (const block of blocks) notes.misses.push(...blockMisses(block, addresses, asked))
  return 'no'
}

function inBlock(block: Block, ip: Ip): boolean {
  return prefixContains(block.cidr, ip) && !block.except.some((e) => prefixContains(e, ip))
}

function blockMisses(peer: Block, missed: readonly Ip[], asked: Asked): PeerMiss[] {
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
function serviceInBlock(block: Block, asked: Asked): ServiceHint | undefined {
  return servicesInFront(asked).find(({ service }) =>
    serviceAddresses(service).some((text) => {
      const ip = parseIp(text)
      return ip !== null && inBlock(block, ip)
    }),
  )?.hint
}
