/** Which faces a peer finds, as bits; each distinct peer is looked up once. */
import type { PolicyCluster } from '../cluster.ts'
import type { End } from '../end.ts'
import { type Asked, matchNamespace, matchPeer } from '../peer.ts'
import type { PolicyPeer, Requirement, Selector } from '../policy.ts'
import { requirementHolds } from '../selector.ts'
import type { AddressSpace } from './address-space.ts'
import { addBits, type Bits, eachBit, everyBit, hasBit, keepBits, noBits, otherBits, setBit } from './bits.ts'
import type { Face } from './faces.ts'
import type { Mentions } from './mentions.ts'

/** `sure` ⊆ `maybe`; what is in `maybe` alone is unknown. */
export interface Found {
  readonly sure: Bits
  readonly maybe: Bits
}

export interface Finder {
  /** Of a rule in a policy of `namespace`. `near`: where its subject is. */
  readonly peers: (peers: readonly PolicyPeer[] | null, namespace: string, near: Nearness) => Found
}

/** Whether the far end is the subject's own node (or of it); `unknown`: the subject's node is not known. */
export type Nearness = 'here' | 'elsewhere' | 'unknown'

/** A subject on a node that is no far end's. */
const elsewhere: End = { kind: 'node', node: '\0elsewhere', what: 'node', addresses: [] }
const nowhere: End = { kind: 'unknown', why: 'the node is not known', addresses: [] }

function kept<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}

/** A finder over these faces; no face may be added afterwards. */
export function finder(
  cluster: PolicyCluster,
  faces: readonly Face[],
  mentions: Mentions,
  space: AddressSpace,
): Finder {
  const size = faces.length
  const nothing: Found = { sure: noBits(size), maybe: noBits(size) }
  const everything: Found = { sure: everyBit(size), maybe: everyBit(size) }
  const unclear = noBits(size)
  const pods = noBits(size)
  const byNamespace = new Map<string, { readonly bits: Bits; readonly end: Extract<End, { kind: 'pod' }> }>()
  /** By label key and value. */
  const byLabel = new Map<string, Map<string, Bits>>(mentions.podKeys.map((key) => [key, new Map()]))
  for (const { id, end } of faces) {
    if (end.kind === 'unknown' || end.kind === 'service') setBit(unclear, id)
    if (end.kind !== 'pod') continue
    setBit(pods, id)
    setBit(kept(byNamespace, end.namespace, () => ({ bits: noBits(size), end })).bits, id)
    for (const [key, values] of byLabel) {
      if (!Object.hasOwn(end.labels, key)) continue
      setBit(
        kept(values, end.labels[key]!, () => noBits(size)),
        id,
      )
    }
  }

  const requirements = new Map<string, Found>()
  const requirement = (r: Requirement): Found => kept(requirements, JSON.stringify(r), () => judge(r))
  const judge = (r: Requirement): Found => {
    const values = byLabel.get(r.key)
    const exact = (bits: Bits): Found => ({ sure: bits, maybe: bits })
    const having = (wanted: Iterable<string>): Bits => {
      const out = noBits(size)
      for (const value of wanted) {
        const bits = values?.get(value)
        if (bits) addBits(out, bits)
      }
      return out
    }
    switch (r.operator) {
      case 'In':
        return exact(having(r.values))
      case 'NotIn':
        return exact(otherBits(having(r.values), size))
      case 'Exists':
        return exact(having(values?.keys() ?? []))
      case 'DoesNotExist':
        return exact(otherBits(having(values?.keys() ?? []), size))
      case 'opaque':
      case 'Contains':
      case 'StartsWith':
      case 'EndsWith':
      case 'AnyOf':
      case 'NoneOf': {
        const out = { sure: noBits(size), maybe: noBits(size) }
        eachBit(pods, (id) => {
          const { end } = faces[id]!
          const holds = end.kind === 'pod' ? requirementHolds(r, end.labels) : 'no'
          if (holds !== 'no') setBit(out.maybe, id)
          if (holds === 'yes') setBit(out.sure, id)
        })
        return out
      }
    }
  }

  const namespaces = new Map<string, Found>()
  const inNamespaces = (selector: Selector): Found =>
    kept(namespaces, JSON.stringify(selector), () => {
      const found = { sure: noBits(size), maybe: noBits(size) }
      for (const { bits, end } of byNamespace.values()) {
        const matches = matchNamespace(selector, end, null)
        if (matches !== 'no') addBits(found.maybe, bits)
        if (matches === 'yes') addBits(found.sure, bits)
      }
      return found
    })

  const selections = new Map<string, Found>()
  const select = (namespaceSelector: Selector | null, podSelector: Selector | null, namespace: string): Found => {
    const key = JSON.stringify([namespaceSelector ?? namespace, podSelector])
    const known = selections.get(key)
    if (known) return known
    const own = byNamespace.get(namespace)?.bits
    const start = namespaceSelector ? inNamespaces(namespaceSelector) : own ? { sure: own, maybe: own } : nothing
    const out: Found = { sure: start.sure.slice(), maybe: start.maybe.slice() }
    for (const r of podSelector ?? []) {
      const held = requirement(r)
      keepBits(out.sure, held.sure)
      keepBits(out.maybe, held.maybe)
    }
    // What cannot be told may be any pod.
    addBits(out.maybe, unclear)
    selections.set(key, out)
    return out
  }

  /** Every face asked on its own: for the rare kinds, and the one place where they are decided. */
  const eachFace = (peer: PolicyPeer, namespace: string, near: Nearness, only: (f: Face) => boolean): Found => {
    const out = { sure: noBits(size), maybe: noBits(size) }
    for (const face of faces) {
      if (!only(face)) continue
      const asked: Asked = {
        cluster,
        direction: 'egress',
        near: near === 'here' ? face.end : near === 'elsewhere' ? elsewhere : nowhere,
        far: face.end,
        destination: face.end,
        protocol: 'TCP',
        port: null,
        families: [4, 6],
      }
      const matches = matchPeer(peer, namespace, asked, null)
      if (matches !== 'no') setBit(out.maybe, face.id)
      if (matches === 'yes') setBit(out.sure, face.id)
    }
    return out
  }

  const inBlock = (peer: PolicyPeer, block: number, namespace: string): Found => {
    const outsideOnly = peer.kind === 'networks' && peer.outsideOnly === true
    const simple = (f: Face) => f.region !== null && (!outsideOnly || f.end.kind === 'address')
    const out = eachFace(peer, namespace, 'elsewhere', (f) => !simple(f))
    for (const face of faces) {
      if (!simple(face) || hasBit(unclear, face.id) || !hasBit(space.blocksOf[face.region!]!, block)) continue
      setBit(out.sure, face.id)
      setBit(out.maybe, face.id)
    }
    addBits(out.maybe, unclear)
    return out
  }

  const memo = new Map<PolicyPeer, Map<string, Found>>()
  const peerFound = (peer: PolicyPeer, namespace: string, near: Nearness): Found => {
    if (peer.kind === 'pods') return select(peer.namespaces, peer.pods, namespace)
    const ofPeer = kept(memo, peer, () => new Map<string, Found>())
    return kept(ofPeer, `${near} ${namespace}`, () => lookUp(peer, namespace, near))
  }
  const lookUp = (peer: PolicyPeer, namespace: string, near: Nearness): Found => {
    switch (peer.kind) {
      case 'pods':
        return select(peer.namespaces, peer.pods, namespace)
      case 'ipBlock':
      case 'networks':
        return inBlock(peer, mentions.blockOf.get(peer)!, namespace)
      case 'allOf': {
        const out = { sure: everyBit(size), maybe: everyBit(size) }
        for (const one of peer.peers) {
          const found = peerFound(one, namespace, near)
          keepBits(out.sure, found.sure)
          keepBits(out.maybe, found.maybe)
        }
        return out
      }
      case 'not': {
        const { sure, maybe } = peerFound(peer.peer, namespace, near)
        return { sure: otherBits(maybe, size), maybe: otherBits(sure, size) }
      }
      case 'nodes':
      case 'entity':
      case 'domains':
      case 'opaque':
        return eachFace(peer, namespace, near, () => true)
    }
  }

  return {
    peers(peers, namespace, near) {
      if (peers === null) return everything
      if (peers.length === 1) return peerFound(peers[0]!, namespace, near)
      const out = { sure: noBits(size), maybe: noBits(size) }
      for (const peer of peers) {
        const found = peerFound(peer, namespace, near)
        addBits(out.sure, found.sure)
        addBits(out.maybe, found.maybe)
      }
      return out
    },
  }
}
