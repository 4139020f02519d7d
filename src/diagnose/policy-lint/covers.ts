/** Whether one rule's words imply another's, whatever pods there are: yes only where that is certain. */
import { type Prefix, prefixContains, prefixesOverlap } from '../../base/ip.ts'
import { NAME_LABEL } from '../../intent/policy/end.ts'
import type { PolicyPeer, PolicyPort, PolicyRule, Requirement, Selector } from '../../intent/policy/policy.ts'

/** Every label set that `narrow` selects, `wide` selects too. */
export function selectorCovers(wide: Selector, narrow: Selector): boolean {
  return wide.every((w) => narrow.some((n) => requirementCovers(w, n)))
}

function requirementCovers(wide: Requirement, narrow: Requirement): boolean {
  if (wide.key !== narrow.key) return false
  const within = (values: readonly string[]) => values.every((v) => wide.values.includes(v))
  switch (wide.operator) {
    case 'In':
      return narrow.operator === 'In' && within(narrow.values)
    case 'Exists':
      return narrow.operator === 'Exists' || narrow.operator === 'In'
    case 'NotIn':
      return (
        narrow.operator === 'DoesNotExist' ||
        (narrow.operator === 'NotIn' && wide.values.every((v) => narrow.values.includes(v))) ||
        (narrow.operator === 'In' && !narrow.values.some((v) => wide.values.includes(v)))
      )
    case 'DoesNotExist':
      return narrow.operator === 'DoesNotExist'
    default:
      return false
  }
}

/** A peer and the namespace its policy is in; empty for cluster-scoped policies. */
export interface PlacedPeer {
  readonly peer: PolicyPeer
  readonly namespace: string
}

const ownNamespace = (name: string): Selector => [{ key: NAME_LABEL, operator: 'In', values: [name] }]

/** Every end that `narrow` finds, `wide` finds too. */
export function peerCovers(wide: PlacedPeer, narrow: PlacedPeer): boolean {
  const [w, n] = [wide.peer, narrow.peer]
  if (w.kind === 'pods' && n.kind === 'pods')
    return (
      selectorCovers(w.namespaces ?? ownNamespace(wide.namespace), n.namespaces ?? ownNamespace(narrow.namespace)) &&
      selectorCovers(w.pods ?? [], n.pods ?? [])
    )
  const [wideBlocks, narrowBlocks] = [blocksOf(w), blocksOf(n)]
  if (!wideBlocks || !narrowBlocks) return false
  return narrowBlocks.every((b) => wideBlocks.some((a) => blockCovers(a, b)))
}

interface Block {
  readonly cidr: Prefix
  readonly except: readonly Prefix[]
}

function blocksOf(peer: PolicyPeer): readonly Block[] | null {
  if (peer.kind === 'ipBlock') return [peer]
  if (peer.kind === 'networks' && peer.outsideOnly !== true) return peer.cidrs.map((cidr) => ({ cidr, except: [] }))
  return null
}

const inside = (outer: Prefix, inner: Prefix) => outer.length <= inner.length && prefixContains(outer, inner.ip)

function blockCovers(wide: Block, narrow: Block): boolean {
  return (
    inside(wide.cidr, narrow.cidr) &&
    wide.except.every((e) => !prefixesOverlap(e, narrow.cidr) || narrow.except.some((x) => inside(x, e)))
  )
}

/** Every port that `narrow` finds, `wide` finds too, in the same pod. */
export function portCovers(wide: PolicyPort, narrow: PolicyPort): boolean {
  if (wide.kind === 'range' && wide.from === 0 && wide.to === 65535)
    return (narrow.kind === 'range' || narrow.kind === 'named') && narrow.protocol === wide.protocol
  if (wide.kind === 'range')
    return (
      narrow.kind === 'range' && narrow.protocol === wide.protocol && wide.from <= narrow.from && narrow.to <= wide.to
    )
  if (wide.kind === 'named')
    return narrow.kind === 'named' && narrow.protocol === wide.protocol && narrow.name === wide.name
  if (wide.kind === 'named-any')
    return (narrow.kind === 'named' || narrow.kind === 'named-any') && narrow.name === wide.name
  return false
}

export interface PlacedRule {
  readonly rule: PolicyRule
  readonly namespace: string
}

/** Whatever connection `narrow` matches, `wide` matches too. */
export function ruleCovers(wide: PlacedRule, narrow: PlacedRule): boolean {
  const [w, n] = [wide.rule, narrow.rule]
  const peers =
    w.peers === null ||
    (n.peers?.every((p) =>
      w.peers?.some((q) =>
        peerCovers({ peer: q, namespace: wide.namespace }, { peer: p, namespace: narrow.namespace }),
      ),
    ) ??
      false)
  const ports = w.ports === null || (n.ports?.every((p) => w.ports?.some((q) => portCovers(q, p))) ?? false)
  return peers && ports
}
