/** Manifests laid over objects, as `kubectl apply` and `kubectl delete` would: what the cluster would be after. */

import type { WorkloadName } from '../../intent/policy/matrix/ends.ts'
import type { KubeObjects, OtherObject, PodObject } from '../../kubeobj/objects.ts'
import { podFace, podsByName } from './changes.ts'

export interface Deletion {
  readonly kind: string
  /** Null: of any namespace, for kinds that have none. */
  readonly namespace: string | null
  readonly name: string
}

export interface Overlay {
  readonly objects: KubeObjects
  /** Deletions that found nothing. */
  readonly missed: readonly Deletion[]
}

interface Named {
  readonly meta: { readonly namespace: string; readonly name: string }
}

/**
 * `applied` replaces what has the same kind, group, namespace and name, and is added otherwise; the pods of a replaced workload
 * are those of its new template. Deleting a workload deletes its pods, a namespace all that is in it. `workloadOf` is that of `base`.
 */
export function overlay(
  base: KubeObjects,
  applied: KubeObjects,
  deletions: readonly Deletion[],
  workloadOf: WorkloadName,
): Overlay {
  const live = podsByName(base, workloadOf)
  const rolled = new Set<string>()
  const fresh = applied.pods.filter((pod) => {
    const name = workloadName(pod, applied)
    if (name === null) return true
    const running = live.get(name)
    // A template that makes the pods that run already changes none of them.
    if (running && podFace(running) === podFace([pod])) return false
    rolled.add(name)
    return true
  })
  const kept = { ...base, pods: base.pods.filter((p) => !rolled.has(workloadOf(p) ?? '')) }
  const laid: KubeObjects = {
    nodes: replaced(kept.nodes, applied.nodes, nameOf),
    pods: replaced(kept.pods, fresh, nameOf),
    services: replaced(kept.services, applied.services, nameOf),
    endpointSlices: replaced(kept.endpointSlices, applied.endpointSlices, nameOf),
    namespaces: replaced(kept.namespaces, applied.namespaces, nameOf),
    events: kept.events,
    others: replaced(kept.others, applied.others, otherName),
    known: kept.known,
  }
  return deletions.reduce<Overlay>(
    ({ objects, missed }, d) => {
      const after = without(objects, d, workloadOf)
      return { objects: after.objects, missed: after.found ? missed : [...missed, d] }
    },
    { objects: laid, missed: [] },
  )

  /** Of a pod that stands for a workload of the manifests. */
  function workloadName(pod: PodObject, of: KubeObjects): string | null {
    const owner = pod.meta.owners[0]
    const there = owner && of.others.some((o) => o.kind === owner.kind && o.meta.name === owner.name)
    return there ? workloadOf(pod) : null
  }
}

const nameOf = (o: Named) => `${o.meta.namespace}/${o.meta.name}`
const otherName = (o: OtherObject) => `${o.kind} ${o.apiVersion.split('/')[0]} ${nameOf(o)}`

function replaced<T>(base: readonly T[], applied: readonly T[], key: (t: T) => string): T[] {
  const now = new Set(applied.map(key))
  return [...base.filter((t) => !now.has(key(t))), ...applied]
}

function without(
  objects: KubeObjects,
  d: Deletion,
  workloadOf: WorkloadName,
): { objects: KubeObjects; found: boolean } {
  const kind = d.kind.toLowerCase()
  let found = false
  const isIt = (o: Named, its: string) => {
    const hit =
      its.toLowerCase() === kind &&
      o.meta.name === d.name &&
      (o.meta.namespace === '' || d.namespace === null || o.meta.namespace === d.namespace)
    found ||= hit
    return hit
  }
  const inside = (o: Named) => kind === 'namespace' && o.meta.namespace === d.name
  const owned = new Set(
    objects.others.filter((o) => isIt(o, o.kind)).map((o) => `${o.kind} ${o.meta.namespace}/${o.meta.name}`),
  )
  const of = (p: KubeObjects['pods'][number]) =>
    [...owned].some((o) => referenceIs(workloadOf(p), o)) ||
    p.meta.owners.some((x) => owned.has(`${x.kind} ${p.meta.namespace}/${x.name}`))
  const keep = <T extends Named>(list: readonly T[], its: string) => list.filter((o) => !isIt(o, its) && !inside(o))
  return {
    objects: {
      nodes: keep(objects.nodes, 'Node'),
      pods: keep(objects.pods, 'Pod').filter((p) => !of(p)),
      services: keep(objects.services, 'Service'),
      endpointSlices: keep(objects.endpointSlices, 'EndpointSlice'),
      namespaces: keep(objects.namespaces, 'Namespace'),
      events: objects.events,
      others: objects.others.filter((o) => !isIt(o, o.kind) && !inside(o)),
      known: objects.known,
    },
    found,
  }
}

/** `deploy/shop/web` is `Deployment shop/web`. */
function referenceIs(reference: string | null, object: string): boolean {
  if (reference === null) return false
  const [kind = '', path = ''] = object.split(' ')
  const short = reference.slice(0, reference.indexOf('/'))
  return reference === `${short}/${path}` && (SHORT[short] ?? short).toLowerCase() === kind.toLowerCase()
}

const SHORT: Readonly<Record<string, string>> = {
  deploy: 'Deployment',
  sts: 'StatefulSet',
  ds: 'DaemonSet',
  rs: 'ReplicaSet',
  cj: 'CronJob',
}
