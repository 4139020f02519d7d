/**
 * Pods that are not there yet: one without labels for each namespace and for a new one, and one for each set of labels some rule
 * speaks of. What they could reach, and who could reach them, is what a policy leaves open.
 */
import type { KubeObjects, NamespaceObject, PodObject } from '../../../kubeobj/objects.ts'
import { NAME_LABEL } from '../end.ts'
import type { PolicyPeer, Selector } from '../policy.ts'
import { formatRequirement, type Labels, selectorHolds } from '../selector.ts'
import type { Stage } from '../stage.ts'

export interface Newcomers {
  /** The given objects with the newcomers among them. */
  readonly objects: KubeObjects
  /** What each stands for: `any pod in namespace shop`. */
  readonly names: ReadonlyMap<PodObject, string>
  /** The newcomer without labels in the same namespace; null: it is that. */
  readonly plainOf: ReadonlyMap<PodObject, PodObject | null>
  /** False: there are more sets of labels than were looked at. */
  readonly complete: boolean
}

/** Most sets of labels looked at. */
const MOST = 300
const evidence = { artefact: 'a pod that is not there yet', text: '' }
type PodsPeer = Extract<PolicyPeer, { kind: 'pods' }>

/** Adds newcomers for all rules of `stages`. */
export function withNewcomers(objects: KubeObjects, stages: readonly Stage[]): Newcomers {
  const names = new Map<PodObject, string>()
  const plainOf = new Map<PodObject, PodObject | null>()
  const namespaces: NamespaceObject[] = [...objects.namespaces]
  const plain = new Map<string, PodObject>()
  const seen = new Set<string>()
  let count = 0

  const add = (namespace: string, labels: Labels, name: string): PodObject => {
    const pod = podOf(namespace, `newcomer-${names.size}`, labels)
    names.set(pod, name)
    return pod
  }
  const plainIn = (namespace: string, place: string): PodObject => {
    const known = plain.get(namespace)
    if (known) return known
    const pod = add(namespace, {}, `any pod in ${place}`)
    plain.set(namespace, pod)
    plainOf.set(pod, null)
    return pod
  }
  const newNamespace = (labels: Labels): string => {
    const taken = new Set(namespaces.map((n) => n.meta.name))
    let name = labels[NAME_LABEL] ?? 'new-namespace'
    while (taken.has(name)) name += '-x'
    namespaces.push({ meta: metaOf('', name, labels), evidence })
    return name
  }

  const there = new Set([
    ...objects.namespaces.map((n) => n.meta.name),
    ...objects.pods.map((p) => p.meta.namespace || 'default'),
  ])
  for (const namespace of [...there].sort()) plainIn(namespace, `namespace ${namespace}`)
  const fresh = newNamespace({})
  plainIn(fresh, 'a new namespace')
  /** Namespaces by the selector that asks for them. */
  const asked = new Map<string, { readonly name: string; readonly place: string } | null>()
  const placeOf = (peer: PodsPeer, own: string): { readonly name: string; readonly place: string } | null => {
    const { namespaces: selector } = peer
    if (selector === null) return { name: own, place: `namespace ${own}` }
    const key = JSON.stringify(selector)
    const known = asked.get(key)
    if (known !== undefined) return known
    const found = place(selector)
    asked.set(key, found)
    return found
  }
  const place = (selector: Selector) => {
    const labels = labelsFor(selector)
    if (!labels) return null
    const name = labels[NAME_LABEL]
    if (name !== undefined && there.has(name)) return { name, place: `namespace ${name}` }
    if (Object.keys(labels).length === 0) return { name: fresh, place: 'a new namespace' }
    return { name: newNamespace(labels), place: `namespaces with ${selector.map(formatRequirement).join(', ')}` }
  }

  for (const { peer, own } of podsPeers(stages)) {
    const key = JSON.stringify([peer.namespaces ?? own, peer.pods])
    if (seen.has(key)) continue
    seen.add(key)
    if (++count > MOST) break
    const where = own === '' && peer.namespaces === null ? null : placeOf(peer, own)
    const labels = labelsFor(peer.pods ?? [])
    if (!where || !labels) continue
    const base = plainIn(where.name, where.place)
    if (Object.keys(labels).length === 0) continue
    const words = (peer.pods ?? []).map(formatRequirement).join(', ')
    plainOf.set(add(where.name, labels, `any pod with ${words} in ${where.place}`), base)
  }
  return {
    objects: { ...objects, namespaces, pods: [...objects.pods, ...names.keys()] },
    names,
    plainOf,
    complete: count <= MOST,
  }
}

function* podsPeers(stages: readonly Stage[]): Generator<{ readonly peer: PodsPeer; readonly own: string }> {
  for (const stage of stages)
    for (const { namespace, rules } of stage.policies)
      for (const rule of [...(rules.ingress ?? []), ...(rules.egress ?? [])])
        for (const peer of rule.peers ?? []) if (peer.kind === 'pods') yield { peer, own: namespace }
}

/** The fewest labels that satisfy the selector; null: none were found. */
function labelsFor(selector: Selector): Labels | null {
  const labels: Record<string, string> = {}
  for (const r of selector) {
    if (r.operator === 'In' || r.operator === 'Contains' || r.operator === 'StartsWith' || r.operator === 'EndsWith')
      labels[r.key] ??= r.values[0] ?? ''
    else if (r.operator === 'Exists') labels[r.key] ??= 'any'
  }
  return selectorHolds(selector, labels) === 'yes' ? labels : null
}

const metaOf = (namespace: string, name: string, labels: Labels) => ({
  name,
  namespace,
  uid: '',
  labels,
  annotations: {},
  owners: [],
})

function podOf(namespace: string, name: string, labels: Labels): PodObject {
  return {
    meta: metaOf(namespace, name, labels),
    evidence,
    hostNetwork: false,
    containers: [],
    phase: 'Unknown',
    podIPs: [],
    conditions: [],
    containerStatuses: [],
  }
}
