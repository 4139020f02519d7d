/** The smallest set of stable labels that finds a workload's pods and no others of its namespace. */
import { hasEnded } from '../../intent/policy/cluster.ts'
import type { PodObject } from '../../kubeobj/objects.ts'

export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>
  /** Labels that pods of others have and these have not. */
  readonly absent: readonly string[]
}

/** Pods that one selector finds: of one workload, or of several that no stable label tells apart. */
export interface Group {
  readonly namespace: string
  /** Names of its ends, in order. */
  readonly names: readonly string[]
  readonly pods: readonly PodObject[]
  /** Null: the pods carry no stable label. */
  readonly selector: LabelSelector | null
}

/** Labels that come and go with a roll-out, a replica, a release or a run. */
const UNSTABLE =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|controller-uid|job-name|version|chart|heritage|release-revision|statefulset\.kubernetes\.io\/pod-name|apps\.kubernetes\.io\/pod-index|batch\.kubernetes\.io\/.*|app\.kubernetes\.io\/(version|managed-by)|helm\.sh\/.*|topology\.kubernetes\.io\/.*|.*\/(revision|rev|checksum|hash)|.*-hash)$/

/** What people name workloads with, the most telling first. */
const PREFERRED = [
  ...['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component', 'app', 'k8s-app', 'name'],
  ...['component', 'tier', 'role', 'app.kubernetes.io/part-of'],
]

/** Keys looked at; more labels than that on one pod are no names. */
const MOST_KEYS = 12

/** The group of every end, by its name. Host-network pods and those that have ended have none. */
export function groupsOf(podsOf: ReadonlyMap<string, readonly PodObject[]>): ReadonlyMap<string, Group> {
  const byNamespace = new Map<string, Map<string, PodObject[]>>()
  for (const [name, all] of podsOf) {
    const pods = all.filter((p) => !p.hostNetwork && !hasEnded(p))
    if (pods.length === 0) continue
    const namespace = pods[0]!.meta.namespace || 'default'
    const known = byNamespace.get(namespace)
    if (known) known.set(name, pods)
    else byNamespace.set(namespace, new Map([[name, pods]]))
  }
  const out = new Map<string, Group>()
  for (const [namespace, ends] of byNamespace) {
    // Ends with equal stable labels cannot be told apart.
    const alike = new Map<string, string[]>()
    for (const [name, pods] of ends) {
      const labels = stableLabels(pods)
      const key = JSON.stringify(Object.entries(labels).sort())
      alike.set(key, [...(alike.get(key) ?? []), name])
    }
    const groups = [...alike.values()].map((names) => ({
      names: names.sort(),
      pods: names.flatMap((n) => ends.get(n)!),
    }))
    for (const { names, pods } of groups) {
      const others = groups.filter((g) => g.names !== names).map((g) => g.pods)
      const group = { namespace, names, pods, selector: selectorOf(pods, others) }
      for (const name of names) out.set(name, group)
    }
  }
  return out
}

/** Labels all the pods share with equal values. */
function stableLabels(pods: readonly PodObject[]): Readonly<Record<string, string>> {
  const first = pods[0]!.meta.labels
  const shared = Object.entries(first).filter(
    ([k, v]) => !UNSTABLE.test(k) && pods.every((p) => Object.hasOwn(p.meta.labels, k) && p.meta.labels[k] === v),
  )
  return Object.fromEntries(shared)
}

function selectorOf(pods: readonly PodObject[], others: readonly (readonly PodObject[])[]): LabelSelector | null {
  const labels = stableLabels(pods)
  const keys = Object.keys(labels).sort(inOrder).slice(0, MOST_KEYS)
  if (keys.length === 0) return null
  const hits = (chosen: readonly string[], p: PodObject) =>
    chosen.every((k) => Object.hasOwn(p.meta.labels, k) && p.meta.labels[k] === labels[k])
  const pick = (chosen: readonly string[]) => Object.fromEntries(chosen.map((k) => [k, labels[k]!]))
  for (const size of [1, 2, 3])
    for (const chosen of combinations(keys, size))
      if (!others.some((o) => o.some((p) => hits(chosen, p)))) return { matchLabels: pick(chosen), absent: [] }
  // Others carry all of these labels and more: the first that some of them have and these have not shuts them out.
  const absent = new Set<string>()
  for (const o of others) {
    const hit = o.filter((p) => hits(keys, p) && ![...absent].some((k) => Object.hasOwn(p.meta.labels, k)))
    if (hit.length === 0) continue
    const foreign = Object.keys(stableLabels(hit))
      .sort(inOrder)
      .find((k) => pods.every((p) => !Object.hasOwn(p.meta.labels, k)))
    if (foreign !== undefined) absent.add(foreign)
  }
  return { matchLabels: pick(keys), absent: [...absent].sort() }
}

function inOrder(x: string, y: string): number {
  const rank = (k: string) => (PREFERRED.includes(k) ? PREFERRED.indexOf(k) : PREFERRED.length)
  return rank(x) - rank(y) || (x < y ? -1 : 1)
}

function* combinations(keys: readonly string[], size: number, from = 0): Generator<readonly string[]> {
  if (size === 0) yield []
  else
    for (let i = from; i <= keys.length - size; i++)
      for (const rest of combinations(keys, size - 1, i + 1)) yield [keys[i]!, ...rest]
}
