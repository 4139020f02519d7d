/** Pods of one workload are alike: one speaks for all. */
import type { PodObject } from '../../kubeobj/objects.ts'
import { namespaceOf } from './input.ts'

export interface WorkloadPods {
  /** `Deployment shop/web`, `Pod shop/tool`. */
  readonly name: string
  readonly pod: PodObject
}

/** One entry for each workload and set of labels, in the order they come. */
export function workloads(pods: readonly PodObject[]): WorkloadPods[] {
  const seen = new Map<string, WorkloadPods>()
  for (const pod of pods) {
    const owner = pod.meta.owners[0]
    const revision = pod.meta.labels['pod-template-hash']
    // A ReplicaSet of a Deployment is named after it and the hash of its template.
    const stem =
      revision !== undefined && owner?.name.endsWith(`-${revision}`) ? owner.name.slice(0, -revision.length - 1) : null
    const kind = owner === undefined ? 'Pod' : stem === null ? owner.kind : 'Deployment'
    const name = `${kind} ${namespaceOf(pod)}/${stem ?? owner?.name ?? pod.meta.name}`
    const labels = Object.entries(pod.meta.labels).filter(([k]) => !OF_ONE_POD.has(k))
    const key = `${name} ${JSON.stringify(labels.sort())}`
    if (!seen.has(key)) seen.set(key, { name, pod })
  }
  return [...seen.values()]
}

/** Labels that controllers give each pod of its own. */
const OF_ONE_POD = new Set([
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'pod-template-hash',
  'controller-revision-hash',
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
  'job-name',
])
