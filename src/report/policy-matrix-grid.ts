/** The matrix as a table to look at: outside ends that nothing tells apart are one, ends nobody asked about are left out. */
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { clean } from './clean.ts'

export interface GridCell {
  /** Empty: nothing is allowed. */
  readonly ports: readonly string[]
  /** Some port may or may not be. */
  readonly unsure: boolean
}

export interface Grid {
  /** Printable names. */
  readonly names: readonly string[]
  readonly sources: readonly number[]
  readonly targets: readonly number[]
  readonly namespaces: readonly string[]
  readonly outside: readonly boolean[]
  /** Names of several ends together: addresses outside under the fewest. */
  readonly namesOf: (list: readonly number[]) => readonly string[]
  /** Null where nothing is meant: an end to itself, outside to outside. */
  readonly row: (source: number) => readonly (GridCell | null)[]
}

/** Longest name, in UTF-16 units. */
const NAME = 120

/** Costs one look at every place that has to do with the outside. */
export function gridOf(view: PolicyMatrixView): Grid {
  const { ends } = view
  const members: number[][] = []
  const strangers = new Map<string, number[]>()
  const rows = view.sources.map((s) => view.row(s))
  const inside = view.sources.flatMap((s, k) => (ends[s]!.kind === 'pods' ? [rows[k]!] : []))
  for (const [i, end] of ends.entries()) {
    const k = view.sources.indexOf(i)
    if (k < 0 && !view.isTarget(i)) continue
    if (end.kind === 'pods') {
      members.push([i])
      continue
    }
    const asTarget = view.isTarget(i) ? inside.map((row) => row[i]).join() : '-'
    const asSource = k < 0 ? '-' : ends.map((e, j) => (e.kind === 'pods' && view.isTarget(j) ? rows[k]![j] : '')).join()
    const key = `${asTarget} ${asSource}`
    const known = strangers.get(key)
    if (known) known.push(i)
    else {
      const group = [i]
      strangers.set(key, group)
      members.push(group)
    }
  }
  const first = members.map((group) => group[0]!)
  const isSource = new Set(view.sources)
  const names = members.map((group) => {
    const end = ends[group[0]!]!
    return clean(end.kind === 'pods' ? end.name : view.outsideNames(group).join(', '), NAME)
  })
  const isOutside = (n: number) => ends[first[n]!]!.kind === 'outside'
  return {
    names,
    namesOf(list) {
      const outside = list.filter(isOutside).flatMap((n) => members[n]!)
      const inside = list.filter((n) => !isOutside(n)).map((n) => names[n]!)
      return outside.length === 0 ? inside : [...inside, ...view.outsideNames(outside).map((n) => clean(n, NAME))]
    },
    namespaces: first.map((i) => ends[i]!.namespace),
    outside: first.map((i) => ends[i]!.kind === 'outside'),
    sources: members.flatMap((_, n) => (isSource.has(first[n]!) ? [n] : [])),
    targets: members.flatMap((_, n) => (view.isTarget(first[n]!) ? [n] : [])),
    row(source) {
      const from = first[source]!
      const row = rows[view.sources.indexOf(from)]!
      return members.map((_, n): GridCell | null => {
        const to = first[n]!
        if (!view.isTarget(to) || (n === source && !view.selfCounts)) return null
        if (ends[from]!.kind === 'outside' && ends[to]!.kind === 'outside') return null
        return { ports: view.allowed(row[to]!), unsure: view.unknown(row[to]!).length > 0 }
      })
    },
  }
}

/** The ports of a cell in words: `every port`, `TCP 80, UDP 53`. */
export function portsText(ports: readonly string[]): string {
  return ports[0] === 'all' ? 'every port' : ports.join(', ')
}
