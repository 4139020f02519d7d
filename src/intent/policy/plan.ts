/** Which policies of each stage are about a pod: found once per pod, asked for every question. */
import type { PolicyCluster } from './cluster.ts'
import type { End } from './end.ts'
import { matchNamespace } from './peer.ts'
import type { Direction } from './policy.ts'
import type { Tri } from './result.ts'
import { selectorHolds } from './selector.ts'
import type { Stage, StagePolicy, StageRule } from './stage.ts'
import { stagesOf } from './stages.ts'

/** A policy of a stage that selects the pod, or may. */
export interface Applied {
  readonly policy: StagePolicy
  readonly selects: 'yes' | 'unknown'
  readonly rules: readonly StageRule[]
  /** The pod gets no more than rules allow, as far as this policy is about it. */
  readonly isolates: boolean
}

/** A stage with what it holds for one pod and direction; `applied` in the order of the stage. */
export interface PlannedStage {
  readonly stage: Stage
  readonly applied: readonly Applied[]
}

type PodEnd = Extract<End, { kind: 'pod' }>

interface IndexedStage {
  readonly stage: Stage
  /** By place in the stage: policies of one namespace, and those that choose namespaces themselves (key null). */
  readonly byNamespace: ReadonlyMap<string | null, readonly (readonly [place: number, policy: StagePolicy])[]>
}

const indexes = new WeakMap<PolicyCluster, readonly IndexedStage[]>()

const plans = new WeakMap<PodEnd, Partial<Record<Direction, readonly PlannedStage[]>>>()

/** The stages that have a policy about the pod in this direction, in order. */
export function planOf(cluster: PolicyCluster, subject: PodEnd, direction: Direction): readonly PlannedStage[] {
  const made = plans.get(subject) ?? {}
  const known = made[direction]
  if (known) return known
  const now = plan(cluster, subject, direction)
  plans.set(subject, { ...made, [direction]: now })
  return now
}

/**
 * The plan for a connection between a pod and its own node, over which some stages have no say. Where such a stage is about the
 * pod it would have had the last word (ClusterNetworkPolicy: "NetworkPolicy always makes a final decision for selected pods"), so
 * what comes after it has none either.
 */
export function planToOwnNode(plan: readonly PlannedStage[], direction: Direction): readonly PlannedStage[] {
  const spares = ({ stage }: PlannedStage) => stage.sparesOwnNode?.includes(direction) === true
  const first = plan.findIndex(spares)
  const final = plan[first]?.applied.some((a) => a.isolates && a.selects === 'yes') === true
  return final ? plan.slice(0, first) : plan.filter((p) => !spares(p))
}

function plan(cluster: PolicyCluster, subject: PodEnd, direction: Direction): readonly PlannedStage[] {
  const out: PlannedStage[] = []
  for (const { stage, byNamespace } of indexOf(cluster)) {
    const own = byNamespace.get(subject.namespace)
    const anywhere = byNamespace.get(null)
    const near = own && anywhere ? [...own, ...anywhere].sort((x, y) => x[0] - y[0]) : (own ?? anywhere ?? [])
    const applied: Applied[] = []
    for (const [, policy] of near) {
      const rules = policy.rules[direction]
      const selects = rules ? selectsPod(policy, subject) : 'no'
      if (!rules || selects === 'no') continue
      const isolates = stage.unmatched === 'deny' && policy.isolates?.[direction] !== false
      applied.push({ policy, selects, rules, isolates })
    }
    if (applied.length > 0) out.push({ stage, applied })
  }
  return out
}

function indexOf(cluster: PolicyCluster): readonly IndexedStage[] {
  const known = indexes.get(cluster)
  if (known) return known
  const made = stagesOf(cluster).stages.map((stage): IndexedStage => {
    const byNamespace = new Map<string | null, [number, StagePolicy][]>()
    stage.policies.forEach((policy, place) => {
      const key = policy.subject.namespaces === null ? policy.namespace : null
      const list = byNamespace.get(key)
      if (list) list.push([place, policy])
      else byNamespace.set(key, [[place, policy]])
    })
    return { stage, byNamespace }
  })
  indexes.set(cluster, made)
  return made
}

/** Whether a policy is about a pod. */
export function selectsPod(policy: StagePolicy, pod: PodEnd): Tri {
  const { namespaces, pods, opaque } = policy.subject
  const there: Tri =
    namespaces === null ? (policy.namespace === pod.namespace ? 'yes' : 'no') : matchNamespace(namespaces, pod, null)
  if (there === 'no') return 'no'
  const labels = selectorHolds(pods, pod.labels)
  if (labels === 'no') return 'no'
  return there === 'unknown' || labels === 'unknown' || opaque !== undefined ? 'unknown' : 'yes'
}
