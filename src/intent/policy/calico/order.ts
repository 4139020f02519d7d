/** In which order Calico asks the policies of a tier (felix/calc/policy_sorter.go PolKVLess). */
import type { StagePolicy } from '../stage.ts'
import type { Placed } from './policies.ts'

/**
 * By order, ties by name, as priorities. What a policy's name is there depends on the version: `NAMESPACE/TIER.NAME` until 3.30,
 * `NAME/NAMESPACE/KIND` since. Two that versions put differently and that may be about the same pod get the same priority, so
 * that both orders are tried.
 */
export function prioritised(placed: readonly Placed[]): readonly StagePolicy[] {
  const out: StagePolicy[] = []
  let next = 1
  const orders = [...groupedBy(placed, (p) => p.order)].sort(([x], [y]) => compare(x, y))
  for (const [, group] of orders) {
    const sorted = [...group].sort((x, y) => compare(oldKey(x), oldKey(y)))
    const tied = tiesOf(sorted)
    const shared = new Map<number, number>()
    sorted.forEach((p, i) => {
      const root = tied.get(i)
      if (root !== undefined && !shared.has(root)) shared.set(root, next++)
      for (const policy of p.policies)
        out.push({ ...policy, priority: root === undefined ? next++ : (shared.get(root) ?? 0) })
    })
  }
  return out
}

/** By place: the first place of those it is tied with. Places that are absent have a defined order. */
function tiesOf(sorted: readonly Placed[]): ReadonlyMap<number, number> {
  const places = sorted.map((p, i) => ({ p, i, key: newKey(p) }))
  const global = places.filter(({ p }) => p.namespace === '')
  const parent = new Map<number, number>()
  const rootOf = (i: number): number => {
    let at = i
    for (let up = parent.get(at); up !== undefined && up !== at; up = parent.get(at)) at = up
    return at
  }
  const unite = (i: number, j: number) => {
    const [x, y] = [rootOf(i), rootOf(j)]
    parent.set(Math.max(x, y), Math.min(x, y))
    parent.set(Math.min(x, y), Math.min(x, y))
  }
  const byNamespace = groupedBy(places, ({ p }) => p.namespace)
  if (!byNamespace.has('')) byNamespace.set('', [])
  for (const [namespace, own] of byNamespace) {
    const together = namespace === '' ? global : [...global, ...own].sort((x, y) => x.i - y.i)
    together.forEach((x, at) => {
      const from = together.slice(0, at).findIndex((y) => undecided(y, x, namespace))
      for (let k = from + 1; from >= 0 && k <= at; k++) unite(together[from]!.i, together[k]!.i)
    })
  }
  return new Map([...parent.keys()].map((i) => [i, rootOf(i)]))
}

interface Place {
  readonly p: Placed
  readonly key: string
}

/** Of two that the old names put in this order: the new names do not, or it cannot be told. */
function undecided(x: Place, y: Place, namespace: string): boolean {
  // Kubernetes' policies among themselves only allow; two global ones are compared once, not in every namespace.
  if (x.p.fromKubernetes && y.p.fromKubernetes) return false
  if (namespace !== '' && x.p.namespace === '' && y.p.namespace === '') return false
  // What a policy of Kubernetes is called there differs as well.
  return x.p.fromKubernetes || y.p.fromKubernetes || compare(x.key, y.key) >= 0
}

const oldKey = (p: Placed): string => `${p.namespace === '' ? '' : `${p.namespace}/`}${p.storedName}`
const newKey = (p: Placed): string => `${p.name}/${p.namespace}/${p.kind}`

export function compare<T extends number | string>(x: T, y: T): number {
  return x < y ? -1 : x > y ? 1 : 0
}

/** Items by what `key` gives, in order of appearance. */
export function groupedBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const out = new Map<K, T[]>()
  for (const item of items) {
    const k = key(item)
    const list = out.get(k)
    if (list) list.push(item)
    else out.set(k, [item])
  }
  return out
}
