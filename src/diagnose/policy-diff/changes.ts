/** What differs between two sets of objects and may change who connects; and each difference made on its own. */

import type { WorkloadName } from '../../intent/policy/matrix/ends.ts'
import type { KubeObjects, NamespaceObject, OtherObject, PodObject } from '../../kubeobj/objects.ts'
import type { PolicyChange } from '../../model/policy-diff.ts'

export interface Change extends PolicyChange {
  /** Empty: it may be about pods of every namespace. */
  readonly namespace: string
  /** Name of the end it is about; null: a policy or a namespace. */
  readonly workload: string | null
  readonly policy: boolean
  /** The objects with this change made (`forth`) or undone (`back`). */
  readonly forth: (objects: KubeObjects) => KubeObjects
  readonly back: (objects: KubeObjects) => KubeObjects
}

/** Kinds that decide who connects, in any group: policies, what orders them, and the sets they name. */
const DECIDES = /(NetworkPolicy|NetworkSet|CIDRGroup)$|^Tier$/

/** All differences, policies first, by name. `workloadOf` of each state. */
export function changesBetween(
  before: KubeObjects,
  after: KubeObjects,
  workloadOf: { readonly before: WorkloadName; readonly after: WorkloadName },
): Change[] {
  return [
    ...policyChanges(before, after),
    ...namespaceChanges(before, after),
    ...workloadChanges(podsByName(before, workloadOf.before), podsByName(after, workloadOf.after)),
  ]
}

/** Pods of each end: of a workload, or of one pod. */
export function podsByName(objects: KubeObjects, workloadOf: WorkloadName): Map<string, PodObject[]> {
  const out = new Map<string, PodObject[]>()
  for (const pod of objects.pods) {
    const name = workloadOf(pod) ?? `pod/${pod.meta.namespace || 'default'}/${pod.meta.name}`
    const list = out.get(name)
    if (list) list.push(pod)
    else out.set(name, [pod])
  }
  return out
}

function policyChanges(before: KubeObjects, after: KubeObjects): Change[] {
  const index = (objects: KubeObjects) =>
    new Map(objects.others.filter((o) => DECIDES.test(o.kind)).map((o) => [keyOf(o), o]))
  const replace = (with_: OtherObject | undefined, key: string) => (objects: KubeObjects) => ({
    ...objects,
    others: [...objects.others.filter((o) => keyOf(o) !== key), ...(with_ ? [with_] : [])],
  })
  return differences(index(before), index(after), (o) => stable([o.raw.spec, o.meta.labels])).map(
    ({ key, old, now, change }) => {
      const o = (now ?? old)!
      const { namespace, name } = o.meta
      return {
        change,
        object: `${o.kind} ${namespace === '' ? '' : `${namespace}/`}${name}`,
        ...placeOf(o),
        namespace,
        workload: null,
        policy: true,
        forth: replace(now, key),
        back: replace(old, key),
      }
    },
  )
}

const keyOf = (o: OtherObject) => `${o.kind} ${o.meta.namespace}/${o.meta.name} ${o.apiVersion.split('/')[0]}`

function placeOf({ evidence }: OtherObject): { place?: string } {
  const { artefact, line } = evidence
  return artefact === '' ? {} : { place: line === undefined ? artefact : `${artefact}:${line}` }
}

function namespaceChanges(before: KubeObjects, after: KubeObjects): Change[] {
  const index = (objects: KubeObjects) => new Map(objects.namespaces.map((n) => [n.meta.name, n]))
  const replace = (with_: NamespaceObject | undefined, name: string) => (objects: KubeObjects) => ({
    ...objects,
    namespaces: [...objects.namespaces.filter((n) => n.meta.name !== name), ...(with_ ? [with_] : [])],
  })
  return differences(index(before), index(after), (n) => stable(n.meta.labels)).map(({ key, old, now, change }) => ({
    change,
    object: `Namespace ${key}`,
    namespace: key,
    workload: null,
    policy: false,
    forth: replace(now, key),
    back: replace(old, key),
  }))
}

/** Only workloads that both states have: the others have no connections to compare. */
function workloadChanges(
  before: ReadonlyMap<string, readonly PodObject[]>,
  after: ReadonlyMap<string, readonly PodObject[]>,
): Change[] {
  const replace = (old: readonly PodObject[], now: readonly PodObject[]) => (objects: KubeObjects) => {
    const gone = new Set(old.map((p) => `${p.meta.namespace}/${p.meta.name}`))
    return {
      ...objects,
      pods: [...objects.pods.filter((p) => !gone.has(`${p.meta.namespace}/${p.meta.name}`)), ...now],
    }
  }
  return differences(before, after, podFace).flatMap(({ key, old, now }) =>
    !old || !now
      ? []
      : [
          {
            change: 'changed' as const,
            object: key,
            namespace: now[0]?.meta.namespace ?? '',
            workload: key,
            policy: false,
            forth: replace(old, now),
            back: replace(now, old),
          },
        ],
  )
}

/** Equal for pods that policies with selectors and names of ports cannot tell apart; roll-outs do not count. */
export function podFace(pods: readonly PodObject[]): string {
  const faces = pods.map((p) =>
    stable([
      unhashed(p.meta.labels),
      p.hostNetwork,
      p.containers.flatMap((c) => c.ports.map((x) => [x.name, x.containerPort, x.protocol])).sort(),
    ]),
  )
  return stable([...new Set(faces)].sort())
}

/** Labels that differ with every roll-out and that no policy should ask about. */
const ROLLED = new Set(['pod-template-hash', 'controller-revision-hash', 'pod-template-generation'])

function unhashed(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([k]) => !ROLLED.has(k)))
}

function differences<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>, face: (t: T) => string) {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort()
  return keys.flatMap((key) => {
    const old = before.get(key)
    const now = after.get(key)
    const change = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed'
    if (old !== undefined && now !== undefined && face(old) === face(now)) return []
    return [{ key, old, now, change: change as PolicyChange['change'] }]
  })
}

/** JSON with the keys of objects in order. */
function stable(value: unknown): string {
  return (
    JSON.stringify(value, (_, v: unknown) =>
      typeof v === 'object' && v !== null && !Array.isArray(v)
        ? Object.fromEntries(Object.entries(v).sort(([x], [y]) => (x < y ? -1 : 1)))
        : v,
    ) ?? ''
  )
}
