/** Workloads stand for their pods: manifests hold Deployments, and policies are about pods. */
import type { RawObject } from '../kubeobj/decode.ts'
import { objectOf, recordOf } from '../kubeobj/fields.ts'
import type { KubeObjects, OtherObject, PodObject } from '../kubeobj/objects.ts'
import { decodePod } from '../kubeobj/pod.ts'

/** Kinds with a pod template, and whose template it is that counts when one owns the other. */
const KINDS: Readonly<Record<string, RegExp>> = {
  Deployment: /^(apps|extensions)\//,
  ReplicaSet: /^(apps|extensions)\//,
  StatefulSet: /^apps\//,
  DaemonSet: /^(apps|extensions)\//,
  Job: /^batch\//,
  CronJob: /^batch\//,
  ReplicationController: /^v1$/,
}

export interface TemplateOptions {
  /** The pods are known as they are: a workload that wants none, or a Job that has none left, has no pods to speak for. */
  readonly live?: boolean
}

/**
 * The objects with one pod for each workload that has none: its name, labels and ports are the template's, its owner is the
 * workload, addresses it has none. A pod of that name that is there already keeps it; the other gets the kind behind its name.
 */
export function withTemplates(objects: KubeObjects, options: TemplateOptions = {}): KubeObjects {
  const workloads = objects.others.filter((o) => KINDS[o.kind]?.test(o.apiVersion))
  if (workloads.length === 0) return objects
  const there = new Set(workloads.map((w) => `${w.kind} ${w.meta.namespace}/${w.meta.name}`))
  const served = ownersOf(objects.pods, workloads)
  const taken = new Set(objects.pods.map((p) => `${p.meta.namespace}/${p.meta.name}`))
  const added: PodObject[] = []
  for (const workload of workloads) {
    const { meta, kind } = workload
    const id = `${kind} ${meta.namespace}/${meta.name}`
    if (served.has(id) || meta.owners.some((o) => there.has(`${o.kind} ${meta.namespace}/${o.name}`))) continue
    if (options.live === true && (kind === 'Job' || kind === 'CronJob' || wantsNone(workload))) continue
    let name = meta.name
    while (taken.has(`${meta.namespace}/${name}`)) name += `-${kind.toLowerCase()}`
    taken.add(`${meta.namespace}/${name}`)
    added.push(podOf(workload, name))
  }
  return added.length === 0 ? objects : { ...objects, pods: [...objects.pods, ...added] }
}

const wantsNone = (w: OtherObject) => objectOf(w.raw.spec).replicas === 0

/** Workloads that own a pod, directly, through a ReplicaSet or Job, or through one that is not in the files but carries the name. */
function ownersOf(pods: readonly PodObject[], workloads: readonly OtherObject[]): ReadonlySet<string> {
  const above = new Map(workloads.map((w) => [`${w.kind} ${w.meta.namespace}/${w.meta.name}`, w.meta.owners]))
  const served = new Set<string>()
  for (const pod of pods) {
    const { namespace } = pod.meta
    for (const owner of pod.meta.owners) {
      const id = `${owner.kind} ${namespace}/${owner.name}`
      if (served.has(id)) continue
      served.add(id)
      const over = above.get(id)
      if (over) for (const o of over) served.add(`${o.kind} ${namespace}/${o.name}`)
      else {
        const stem = owner.name.replace(/-[a-z0-9]+$/, '')
        if (owner.kind === 'ReplicaSet') served.add(`Deployment ${namespace}/${stem}`)
        if (owner.kind === 'Job') served.add(`CronJob ${namespace}/${stem}`)
      }
    }
  }
  return served
}

function podOf(workload: OtherObject, name: string): PodObject {
  const { meta, evidence, kind } = workload
  const outer = objectOf(workload.raw.spec)
  const template = objectOf(kind === 'CronJob' ? objectOf(objectOf(outer.jobTemplate).spec).template : outer.template)
  const metadata = objectOf(template.metadata)
  const raw: RawObject = {
    meta: {
      name,
      namespace: meta.namespace,
      uid: '',
      labels: recordOf(metadata.labels),
      annotations: recordOf(metadata.annotations),
      owners: [{ kind, name: meta.name }],
    },
    evidence,
    spec: objectOf(template.spec),
    status: {},
    raw: template,
  }
  return decodePod(raw)
}
