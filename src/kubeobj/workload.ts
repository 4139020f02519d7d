/** Controllers of pods, from the objects that are kept raw: Deployment, DaemonSet, StatefulSet, ReplicaSet, Job. */
import { integerOf, objectOf, optional, recordOf } from './fields.ts'
import type { KubeObjects, OtherObject, PodObject } from './objects.ts'

const KINDS = ['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'Job'] as const
export type WorkloadKind = (typeof KINDS)[number]

export interface Workload {
  readonly kind: WorkloadKind
  readonly object: OtherObject
  /** Pods asked for; DaemonSets: nodes that should run one. */
  readonly desired: number
  /** Pods that exist, are ready, and are available, as the controller counts them. */
  readonly current: number
  readonly ready: number
  readonly available: number
  /** Labels of its pods. */
  readonly podLabels: Readonly<Record<string, string>>
  /** maxSurge and maxUnavailable as written (`25%`), of rolling updates. */
  readonly maxSurge?: string
  readonly maxUnavailable?: string
  readonly minReadySeconds?: number
}

/** Null: of another kind, or of another group with the same name. */
export function decodeWorkload(object: OtherObject): Workload | null {
  const kind = KINDS.find((k) => k === object.kind)
  const group = object.apiVersion.split('/')[0]
  if (kind === undefined || !(group === 'apps' || group === 'batch' || group === 'extensions')) return null
  const spec = objectOf(object.raw.spec)
  const status = objectOf(object.raw.status)
  const rolling = objectOf(objectOf(spec.strategy ?? spec.updateStrategy).rollingUpdate)
  const number = (...values: unknown[]) => values.map(integerOf).find((n) => n !== undefined) ?? 0
  const text = (value: unknown) => recordOf({ value }).value
  const daemons = kind === 'DaemonSet'
  return {
    kind,
    object,
    // The API server sets replicas to 1 where it is absent (pkg/apis/apps/v1/defaults.go).
    desired: daemons ? number(status.desiredNumberScheduled) : number(spec.replicas ?? spec.parallelism ?? 1),
    current: daemons ? number(status.currentNumberScheduled) : number(status.replicas, status.active),
    ready: daemons ? number(status.numberReady) : number(status.readyReplicas, status.ready),
    available: daemons ? number(status.numberAvailable) : number(status.availableReplicas),
    podLabels: recordOf(objectOf(objectOf(spec.template).metadata).labels),
    ...optional('maxSurge', text(rolling.maxSurge)),
    ...optional('maxUnavailable', text(rolling.maxUnavailable)),
    ...optional('minReadySeconds', integerOf(spec.minReadySeconds)),
  }
}

/** All controllers of a snapshot. */
export function workloadsOf(objects: KubeObjects): Workload[] {
  return objects.others.flatMap((o) => decodeWorkload(o) ?? [])
}

/** The controller of the pod; of a ReplicaSet's pod the Deployment above it, when it is in the snapshot. */
export function workloadOfPod(objects: KubeObjects, pod: PodObject): Workload | undefined {
  const all = workloadsOf(objects)
  const above = (owners: PodObject['meta']['owners']): Workload | undefined => {
    const owner = owners[0]
    return owner && all.find((w) => isIt(w, owner, pod.meta.namespace))
  }
  const own = above(pod.meta.owners)
  return own && (above(own.object.meta.owners) ?? own)
}

function isIt(w: Workload, owner: { readonly kind: string; readonly name: string }, namespace: string): boolean {
  return w.kind === owner.kind && w.object.meta.name === owner.name && w.object.meta.namespace === namespace
}
