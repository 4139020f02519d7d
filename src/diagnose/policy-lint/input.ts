/** What the lint is given and how its checks see it: policies next to their text, pods next to their namespace. */

import { hasEnded } from '../../intent/policy/cluster.ts'
import { decodePolicy, isNetworkPolicy } from '../../intent/policy/decode.ts'
import { NAME_LABEL } from '../../intent/policy/end.ts'
import type { Direction, NetworkPolicy, PolicyPeer, PolicyRule } from '../../intent/policy/policy.ts'
import { type Labels, matchLabels } from '../../intent/policy/selector.ts'
import type { KubeObjects, OtherObject, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence, Issue } from '../../model/evidence.ts'

/** Keys and list positions from the top of an object: `['spec', 'egress', 0, 'ports']`. */
export type Path = readonly (string | number)[]

export interface LintInput {
  /** Pods, or one pod for each workload's template. */
  readonly objects: KubeObjects
  /** True: these are all objects of a cluster (a snapshot). False: a folder, which may be a part of what is applied. */
  readonly complete: boolean
  /** Line of a field in the artefact of `object`, or of the nearest field above it that is there. */
  readonly lineOf?: (object: OtherObject, path: Path) => number | undefined
  /** The YAML document the object was read from, alone; null when it was in a List or is no YAML. */
  readonly textOf?: (object: OtherObject) => string | null
  /** Objects that another of the same kind and name replaces. */
  readonly replaced?: readonly {
    readonly kind: string
    readonly name: string
    readonly by: Evidence
    readonly evidence: Evidence
  }[]
}

export interface LintPolicy {
  readonly policy: NetworkPolicy
  readonly object: OtherObject
  /** `namespace/name`. */
  readonly name: string
  /** What the API server would refuse. */
  readonly issues: readonly Issue[]
  /** Pods it is about, host-network and ended ones included. */
  readonly subjects: readonly PodObject[]
}

export interface LintWorld {
  readonly input: LintInput
  readonly objects: KubeObjects
  readonly policies: readonly LintPolicy[]
  readonly podsByNamespace: ReadonlyMap<string, readonly PodObject[]>
  readonly namespaceLabels: ReadonlyMap<string, Labels>
  /** Names of all namespaces that any object here is in. */
  readonly namespaceNames: ReadonlySet<string>
}

export const DIRECTIONS: readonly Direction[] = ['ingress', 'egress']

export const namespaceOf = (pod: PodObject): string => pod.meta.namespace || 'default'

/** A pod policies find: with a network of its own, and not ended. */
export const isSubject = (pod: PodObject): boolean => !pod.hostNetwork && !hasEnded(pod)

export function lintWorld(input: LintInput): LintWorld {
  const { objects } = input
  const podsByNamespace = new Map<string, PodObject[]>()
  for (const pod of objects.pods) {
    const there = podsByNamespace.get(namespaceOf(pod))
    if (there) there.push(pod)
    else podsByNamespace.set(namespaceOf(pod), [pod])
  }
  const namespaceLabels = new Map(
    objects.namespaces.map((n): [string, Labels] => [n.meta.name, { ...n.meta.labels, [NAME_LABEL]: n.meta.name }]),
  )
  const policies = objects.others.filter(isNetworkPolicy).map((object): LintPolicy => {
    const issues: Issue[] = []
    const policy = decodePolicy(object, issues)
    const subjects = (podsByNamespace.get(policy.namespace) ?? []).filter(
      (p) => matchLabels(policy.podSelector, p.meta.labels).matches === 'yes',
    )
    return { policy, object, name: `${policy.namespace}/${policy.name}`, issues, subjects }
  })
  const namespaceNames = new Set([
    ...namespaceLabels.keys(),
    ...podsByNamespace.keys(),
    ...objects.services.map((s) => s.meta.namespace || 'default'),
    ...policies.map((p) => p.policy.namespace),
  ])
  return { input, objects, policies, podsByNamespace, namespaceLabels, namespaceNames }
}

/** The labels of a namespace; without its object only its name is known. */
export function labelsOfNamespace(world: LintWorld, name: string): Labels {
  return world.namespaceLabels.get(name) ?? { [NAME_LABEL]: name }
}

/** Pods a peer's selectors find, host-network and ended ones included. `sure` false: a namespace's labels are not here. */
export function podsOfPeer(
  world: LintWorld,
  policy: NetworkPolicy,
  peer: Extract<PolicyPeer, { kind: 'pods' }>,
): { readonly pods: readonly PodObject[]; readonly sure: boolean } {
  let sure = true
  const out: PodObject[] = []
  for (const [namespace, pods] of world.podsByNamespace) {
    if (peer.namespaces === null ? namespace !== policy.namespace : !holds(peer.namespaces, namespace)) continue
    for (const pod of pods) if (!peer.pods || matchLabels(peer.pods, pod.meta.labels).matches === 'yes') out.push(pod)
  }
  return { pods: out, sure }

  function holds(selector: NetworkPolicy['podSelector'], namespace: string): boolean {
    const known = world.namespaceLabels.has(namespace)
    if (!known && selector.some((r) => r.key !== NAME_LABEL)) {
      sure = false
      return (
        matchLabels(
          selector.filter((r) => r.key === NAME_LABEL),
          labelsOfNamespace(world, namespace),
        ).matches === 'yes'
      )
    }
    return matchLabels(selector, labelsOfNamespace(world, namespace)).matches === 'yes'
  }
}

export interface RuleAt {
  readonly direction: Direction
  readonly index: number
  readonly rule: PolicyRule
  readonly path: Path
}

/** The rules of both directions with their places. */
export function rulesOf(policy: NetworkPolicy): RuleAt[] {
  return DIRECTIONS.flatMap((direction) =>
    (policy[direction] ?? []).map((rule, index) => ({ direction, index, rule, path: ['spec', direction, index] })),
  )
}

/** Path of a rule's peers. */
export const peersPath = (at: RuleAt, index: number): Path => [
  ...at.path,
  at.direction === 'ingress' ? 'from' : 'to',
  index,
]
