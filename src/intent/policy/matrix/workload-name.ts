/** The workload a pod belongs to, as a reference. */
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { WorkloadName } from './ends.ts'

/** Short forms that references take. */
const SHORT: Readonly<Record<string, string>> = {
  Deployment: 'deploy',
  StatefulSet: 'sts',
  DaemonSet: 'ds',
  ReplicaSet: 'rs',
  CronJob: 'cronjob',
}

interface Owner {
  readonly kind: string
  readonly name: string
}

/**
 * Names the controller of a pod: of a ReplicaSet its Deployment, of a Job its CronJob. Where the ReplicaSet is not among the
 * objects, its name less the pod's template hash is the Deployment's (kube-controller-manager, NewReplicaSet). Static pods, which
 * their node owns, stand for themselves.
 */
export function workloadNames(objects: KubeObjects): WorkloadName {
  const above = new Map<string, readonly Owner[]>()
  for (const o of objects.others)
    if (o.kind === 'ReplicaSet' || o.kind === 'Job')
      above.set(`${o.kind}/${o.meta.namespace}/${o.meta.name}`, o.meta.owners)
  return (pod) => {
    const { namespace, owners, labels } = pod.meta
    const owner = owners[0]
    if (!owner || owner.kind === 'Node') return null
    const found = above.get(`${owner.kind}/${namespace}/${owner.name}`)
    const top = found ? (found[0] ?? owner) : deploymentOf(owner, labels['pod-template-hash'])
    return `${SHORT[top.kind] ?? top.kind.toLowerCase()}/${namespace || 'default'}/${top.name}`
  }
}

function deploymentOf(owner: Owner, hash: string | undefined): Owner {
  if (owner.kind !== 'ReplicaSet' || hash === undefined || !owner.name.endsWith(`-${hash}`)) return owner
  return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) }
}
