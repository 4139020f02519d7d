/** One of the two states that are compared: its matrix by workload, and for every workload of several replicas a second one of them. */
import { hasEnded, policyCluster } from '../../intent/policy/cluster.ts'
import type { MatrixEnd, WorkloadName } from '../../intent/policy/matrix/ends.ts'
import { type PolicyMatrix, policyMatrix } from '../../intent/policy/matrix/matrix.ts'
import { workloadNames } from '../../intent/policy/matrix/workload-name.ts'
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'

export interface Side {
  readonly objects: KubeObjects
  /** `objects` and the second replicas. */
  readonly full: KubeObjects
  readonly matrix: PolicyMatrix
  /** Pods' ends by name, without the second replicas. */
  readonly ends: ReadonlyMap<string, MatrixEnd>
  /** Ends of addresses outside, by region. */
  readonly outside: readonly MatrixEnd[]
  /** By name of a workload: the end that stands for another replica of it. */
  readonly replicas: ReadonlyMap<string, MatrixEnd>
  readonly podsOf: ReadonlyMap<string, readonly PodObject[]>
  /** The end's name of a pod, as in `ends`. */
  readonly nameOf: (pod: PodObject) => string
}

/** At the end of a second replica's name: no name of the API server's can have it. */
export const REPLICA = '\u0000replica'

/** Both states with equal names: a workload whose pods policies tell apart in one of them is listed pod by pod in both. */
export function sidesOf(before: KubeObjects, after: KubeObjects): { readonly before: Side; readonly after: Side } {
  const none: ReadonlySet<string> = new Set()
  const first = { before: sideOf(before, none), after: sideOf(after, none) }
  const split = new Set([...first.before.matrix.split, ...first.after.matrix.split])
  if (split.size === 0) return first
  return { before: sideOf(before, split), after: sideOf(after, split) }
}

/** One state on its own. */
export function stateOf(objects: KubeObjects): Side {
  const first = sideOf(objects, new Set())
  return first.matrix.split.length === 0 ? first : sideOf(objects, new Set(first.matrix.split))
}

/** `split`: workloads listed pod by pod. */
function sideOf(objects: KubeObjects, split: ReadonlySet<string>): Side {
  const named = workloadNames(objects)
  const workloadOf: WorkloadName = (pod) => {
    if (pod.meta.name.endsWith(REPLICA)) return `${named(pod)}${REPLICA}`
    const name = named(pod)
    return name !== null && split.has(name) ? null : name
  }
  const podsOf = new Map<string, PodObject[]>()
  const nameOf = (pod: PodObject) => workloadOf(pod) ?? `pod/${pod.meta.namespace || 'default'}/${pod.meta.name}`
  for (const pod of objects.pods) {
    if (hasEnded(pod)) continue
    const name = nameOf(pod)
    const list = podsOf.get(name)
    if (list) list.push(pod)
    else podsOf.set(name, [pod])
  }
  const seconds = [...podsOf].flatMap(([name, pods]) => second(name, pods) ?? [])
  const full = { ...objects, pods: [...objects.pods, ...seconds] }
  const matrix = policyMatrix(policyCluster(full), { by: 'workload', workloadOf })
  const ends = new Map<string, MatrixEnd>()
  const replicas = new Map<string, MatrixEnd>()
  const outside: MatrixEnd[] = []
  for (const end of matrix.ends) {
    if (end.kind === 'outside') outside.push(end)
    else if (end.name.endsWith(REPLICA)) replicas.set(end.name.slice(0, -REPLICA.length), end)
    else ends.set(end.name, end)
  }
  return { objects, full, matrix, ends, outside, replicas, podsOf, nameOf }
}

/** Replicas talk to each other too (databases, caches), and a matrix of workloads has no place for that. */
function second(name: string, pods: readonly PodObject[]): PodObject | null {
  const pod = pods[0]!
  if (name.startsWith('pod/') || pod.hostNetwork) return null
  return { ...pod, meta: { ...pod.meta, name: `${pod.meta.name}${REPLICA}` } }
}
