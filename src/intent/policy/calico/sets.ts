/**
 * What else than pods a Calico selector finds: GlobalNetworkSets, NetworkSets and HostEndpoints stand for addresses and have
 * labels (felix/labelindex, updateprocessors/{globalnetworksetprocessor,networksetprocessor,hostendpointprocessor}.go).
 */
import { networkOf, type Prefix, parsePrefix } from '../../../base/ip.ts'
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import { NAME_LABEL } from '../end.ts'
import type { PolicyPeer } from '../policy.ts'
import { isObject, type Labels } from '../selector.ts'
import type { Complain } from '../tier.ts'
import { type Expression, expressionHolds } from './expression.ts'

export interface AddressSet {
  readonly labels: Labels
  /** Null: it belongs to no namespace. */
  readonly namespace: string | null
  /** Of its namespace, with its name; null: the Namespace object is not in the evidence. */
  readonly namespaceLabels: Labels | null
  readonly cidrs: readonly Prefix[]
}

export interface AddressSets {
  readonly all: readonly AddressSet[]
  /** False: a kind of sets was not collected, so that a selector may find addresses nobody told us of. */
  readonly complete: boolean
}

const GROUP = /^(crd\.)?projectcalico\.org\//

/** All sets of the snapshot; `complain` hears of the addresses in them that are none. */
export function addressSets(objects: KubeObjects, complain: (o: OtherObject) => Complain): AddressSets {
  const namespaces = new Map(objects.namespaces.map((n) => [n.meta.name, n.meta.labels]))
  const all = objects.others.flatMap((o): AddressSet[] => {
    const nets = GROUP.test(o.apiVersion) ? netsOf(o) : null
    if (!nets) return []
    const namespace = o.kind === 'NetworkSet' ? o.meta.namespace || 'default' : null
    const inherited = namespace === null ? undefined : namespaces.get(namespace)
    return [
      {
        labels: o.meta.labels,
        namespace,
        namespaceLabels: inherited && namespace !== null ? { ...inherited, [NAME_LABEL]: namespace } : null,
        cidrs: nets.flatMap((net) => {
          const prefix = typeof net === 'string' ? parsePrefix(net) : null
          if (!prefix) complain(o)(`${JSON.stringify(net)} is not a network`)
          return prefix ? [networkOf(prefix)] : []
        }),
      },
    ]
  })
  return { all, complete: objects.known.has('GlobalNetworkSet') && objects.known.has('NetworkSet') }
}

function netsOf(o: OtherObject): readonly unknown[] | null {
  const spec = isObject(o.raw.spec) ? o.raw.spec : {}
  const field = { GlobalNetworkSet: spec.nets, NetworkSet: spec.nets, HostEndpoint: spec.expectedIPs }
  if (!Object.hasOwn(field, o.kind)) return null
  const nets = field[o.kind as keyof typeof field] ?? []
  return Array.isArray(nets) ? (nets as unknown[]) : []
}

/** What an endpoint must be: all parts that are there must hold. */
export interface Wanted {
  /** Null: the rule does not ask for one. */
  readonly selector: Expression | null
  readonly notSelector: Expression | null
  readonly namespaceSelector: Expression | null
  /** The policy's own, where only that counts. */
  readonly ownNamespace: string | null
  /** Service accounts are asked for: only pods have one. */
  readonly serviceAccount: boolean
}

/** The sets a rule's selectors find, as peers; one of which it cannot be told is there under a doubt. */
export function setPeers(sets: AddressSets, wanted: Wanted): PolicyPeer[] {
  if (wanted.serviceAccount) return []
  const out: PolicyPeer[] = []
  for (const set of sets.all) {
    const found = findsSet(set, wanted)
    if (found === 'no' || set.cidrs.length === 0) continue
    const networks: PolicyPeer = { kind: 'networks', cidrs: set.cidrs }
    if (found === 'yes') out.push(networks)
    else {
      const why = `the labels of namespace ${set.namespace} are not in the evidence`
      out.push({ kind: 'allOf', peers: [networks, { kind: 'opaque', why }] })
    }
  }
  if (!sets.complete && wanted.ownNamespace === null) {
    const why =
      'whether a network set of Calico holds this address is not known: the network sets are not in the evidence'
    out.push({
      kind: 'allOf',
      peers: [
        { kind: 'entity', entity: 'world' },
        { kind: 'opaque', why },
      ],
    })
  }
  return out
}

function findsSet(set: AddressSet, wanted: Wanted): 'yes' | 'no' | 'unknown' {
  const { selector, notSelector, namespaceSelector, ownNamespace } = wanted
  const label = (key: string): string | undefined => {
    if (key === 'projectcalico.org/namespace') return set.namespace ?? undefined
    if (key.startsWith('pcns.')) return namespaceLabel(set, key.slice('pcns.'.length))
    return Object.hasOwn(set.labels, key) ? set.labels[key] : undefined
  }
  if (ownNamespace !== null && set.namespace !== ownNamespace) return 'no'
  if (selector && !expressionHolds(selector, label)) return 'no'
  if (notSelector && expressionHolds(notSelector, label)) return 'no'
  if (!namespaceSelector) return 'yes'
  const words = { all: set.namespace !== null, global: set.namespace === null }
  if (set.namespace !== null && !set.namespaceLabels && asksForLabels(namespaceSelector)) return 'unknown'
  return expressionHolds(namespaceSelector, (key) => namespaceLabel(set, key), words) ? 'yes' : 'no'
}

function namespaceLabel(set: AddressSet, key: string): string | undefined {
  const own = key === 'projectcalico.org/name' ? NAME_LABEL : key
  const labels = set.namespaceLabels ?? (set.namespace === null ? {} : { [NAME_LABEL]: set.namespace })
  return Object.hasOwn(labels, own) ? labels[own] : undefined
}

function asksForLabels(e: Expression): boolean {
  switch (e.kind) {
    case 'all':
    case 'global':
      return false
    case 'not':
      return asksForLabels(e.of)
    case 'and':
    case 'or':
      return e.of.some(asksForLabels)
    default:
      return e.key !== 'projectcalico.org/name' && e.key !== NAME_LABEL
  }
}
