/** A matrix as outputs want it. */
import type { PolicyMatrixView } from '../../../model/policy-matrix.ts'
import { nameRegions } from './address-space.ts'
import type { MatrixEnd } from './ends.ts'
import { PAIR_NONE, type Pair, type PolicyMatrix } from './matrix.ts'
import { OTHER, type PortSet, portNames } from './port-sets.ts'

export interface ViewOptions {
  /** Null: every end. */
  readonly sources: ReadonlySet<number> | null
  readonly targets: ReadonlySet<number> | null
  readonly notes: readonly string[]
}

/** The matrix with names for its numbers. */
export function viewOf(m: PolicyMatrix, { sources, targets, notes }: ViewOptions): PolicyMatrixView {
  const all = m.ends.map((e) => e.id)
  return {
    ends: m.ends,
    sources: all.filter((i) => sources === null || sources.has(i)),
    isTarget: (i) => targets === null || targets.has(i),
    row: (i) => m.row(m.ends[i]!),
    rowKey: (i) => m.rowKey(m.ends[i]!),
    ...namesOf(m, m.pair),
    outsideNames: outsideNames(m),
    selfCounts: false,
    notes,
  }
}

function namesOf(m: PolicyMatrix, pair: (id: number) => Pair) {
  const memo = new Map<PortSet, readonly string[]>()
  const names = (set: PortSet) => {
    const known = memo.get(set) ?? portNames(m.sets, set)
    memo.set(set, known)
    return known
  }
  // Of protocols that no rule names NetworkPolicy says nothing: that is so of every pair, and no news.
  const rest = m.sets.ofRange(OTHER, 0, 65535)
  return {
    allowed: (id: number) => names(pair(id).allowed),
    unknown: (id: number) => names(m.sets.subtract(pair(id).unknown, rest)),
  }
}

function outsideNames(m: PolicyMatrix) {
  const regions = new Map(m.ends.filter((e) => e.kind === 'outside').map((e, region) => [e.id, region]))
  return (ends: readonly number[]) => {
    const wanted = new Set(ends.map((e) => regions.get(e)))
    return nameRegions(m.space, (r) => wanted.has(r))
  }
}

/**
 * The matrix by namespace: what some pod of the one may do to some pod of the other. The outside stays as it is; `sources` and
 * `targets` are ends of the matrix and choose the pods.
 */
export function namespaceView(m: PolicyMatrix, { sources, targets, notes }: ViewOptions): PolicyMatrixView {
  const pods = m.ends.filter((e) => e.kind === 'pods')
  const strangers = m.ends.filter((e) => e.kind === 'outside')
  const names = [...new Set(pods.map((e) => e.namespace))].sort()
  const group = new Map(names.map((n, i) => [n, i]))
  const groupOf = (e: MatrixEnd): number =>
    e.kind === 'pods' ? group.get(e.namespace)! : names.length + e.id - pods.length
  const members: MatrixEnd[][] = [...names.map(() => []), ...strangers.map((e) => [e])]
  for (const e of pods) members[groupOf(e)]!.push(e)
  const wanted = (list: readonly MatrixEnd[], set: ReadonlySet<number> | null) =>
    list.filter((e) => set === null || set.has(e.id))
  const pairs: Pair[] = []
  const ids = new Map<string, number>()
  const intern = (pair: Pair): number => {
    const key = `${pair.allowed} ${pair.unknown}`
    const id = ids.get(key) ?? pairs.push(pair) - 1
    ids.set(key, id)
    return id
  }
  intern(m.pair(PAIR_NONE))
  const { union, subtract } = m.sets
  const row = (i: number): Uint32Array => {
    const allowed = new Uint32Array(members.length)
    const maybe = new Uint32Array(members.length)
    for (const from of wanted(members[i]!, sources)) {
      const line = m.row(from)
      for (const to of m.ends) {
        if (targets !== null && !targets.has(to.id)) continue
        if (to.id === from.id && from.size < 2) continue
        const g = groupOf(to)
        const pair = m.pair(line[to.id]!)
        allowed[g] = union(allowed[g]!, pair.allowed)
        maybe[g] = union(maybe[g]!, pair.unknown)
      }
    }
    return allowed.map((set, g) => intern({ allowed: set, unknown: subtract(maybe[g]!, set) }))
  }
  return {
    ends: [
      ...names.map((name, i) => ({
        name: `ns/${name}`,
        kind: 'pods' as const,
        namespace: name,
        size: members[i]!.reduce((n, e) => n + e.size, 0),
      })),
      ...strangers.map(({ name, kind, namespace, size }) => ({ name, kind, namespace, size })),
    ],
    sources: members.flatMap((list, i) => (wanted(list, sources).length > 0 ? [i] : [])),
    isTarget: (i) => wanted(members[i]!, targets).length > 0,
    row,
    rowKey: (i) => `${i}`,
    ...namesOf(m, (id) => pairs[id]!),
    outsideNames: (ends) => outsideNames(m)(ends.map((i) => members[i]![0]!.id)),
    selfCounts: true,
    notes,
  }
}
