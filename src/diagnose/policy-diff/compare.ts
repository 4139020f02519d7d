/** Every pair of ends that both states have, compared: which ports the later one no longer allows, newly allows, or is unsure of. */
import type { MatrixEnd } from '../../intent/policy/matrix/ends.ts'
import type { PortSet, PortSets } from '../../intent/policy/matrix/port-sets.ts'
import { type JointOutside, jointOutside } from './joint-outside.ts'
import { type JointPorts, jointPorts } from './joint-ports.ts'
import type { Side } from './side.ts'

/** An end of both states. */
export type JointEnd =
  | { readonly kind: 'pods'; readonly name: string; readonly before: MatrixEnd; readonly after: MatrixEnd }
  | { readonly kind: 'outside'; readonly region: number; readonly before: MatrixEnd; readonly after: MatrixEnd }

/** Sets of `Comparison.sets`. */
export interface Delta {
  readonly lost: PortSet
  readonly gained: PortSet
  /** Not known in one of the states at least, and not surely the same. */
  readonly unsure: PortSet
  /** Not known in either state. */
  readonly unknown: PortSet
}

export interface PairDelta {
  readonly from: JointEnd
  readonly to: JointEnd
  readonly delta: Delta
}

export interface Comparison {
  readonly sets: PortSets
  readonly outside: JointOutside
  readonly ends: readonly JointEnd[]
  /** Pairs that differ, or where something is not known in both; the same object for equal deltas. */
  readonly pairs: () => Generator<PairDelta>
  /** What the states allow between two ends, for sure and perhaps. */
  readonly allowed: (from: JointEnd, to: JointEnd) => { readonly before: Ports; readonly after: Ports }
}

interface Ports {
  readonly sure: PortSet
  readonly maybe: PortSet
}

export function compareSides(before: Side, after: Side): Comparison {
  const ports = jointPorts(before.matrix.sets, after.matrix.sets)
  const outside = jointOutside(before.matrix.space, after.matrix.space)
  const ends: JointEnd[] = []
  for (const [name, end] of before.ends) {
    const now = after.ends.get(name)
    if (now) ends.push({ kind: 'pods', name, before: end, after: now })
  }
  // Rows of one class come from one computation when they are asked for one after the other.
  ends.sort((x, y) => x.before.class - y.before.class || x.after.class - y.after.class)
  for (const [region, r] of outside.regions.entries())
    ends.push({ kind: 'outside', region, before: before.outside[r.before]!, after: after.outside[r.after]! })

  const deltaOf = deltas(before, after, ports)
  const rowOf = lastRow(before, after)
  const pairAt = (from: JointEnd, to: JointEnd): [number, number] => {
    const [old, now] = rowOf(from)
    if (from !== to || from.kind === 'outside') return [old[to.before.id]!, now[to.after.id]!]
    const x = before.replicas.get(from.name)
    const y = after.replicas.get(from.name)
    return x && y ? [old[x.id]!, now[y.id]!] : [0, 0]
  }
  return {
    sets: ports.sets,
    outside,
    ends,
    *pairs() {
      for (const from of ends)
        for (const to of ends) {
          const [x, y] = pairAt(from, to)
          const delta = deltaOf(x, y)
          if (delta) yield { from, to, delta }
        }
    },
    allowed(from, to) {
      const [x, y] = pairAt(from, to)
      const { union } = ports.sets
      const of = (side: Side, id: number, translate: (s: PortSet) => PortSet): Ports => {
        const pair = side.matrix.pair(id)
        const sure = translate(pair.allowed)
        return { sure, maybe: union(sure, translate(pair.unknown)) }
      }
      return { before: of(before, x, ports.fromBefore), after: of(after, y, ports.fromAfter) }
    },
  }
}

function lastRow(before: Side, after: Side): (from: JointEnd) => readonly [Uint32Array, Uint32Array] {
  let last: { readonly from: JointEnd; readonly rows: readonly [Uint32Array, Uint32Array] } | null = null
  return (from) => {
    if (last?.from !== from) last = { from, rows: [before.matrix.row(from.before), after.matrix.row(from.after)] }
    return last.rows
  }
}

/** Each combination of two pairs' numbers is compared once; null where nothing differs and all is known. */
function deltas(before: Side, after: Side, ports: JointPorts): (x: number, y: number) => Delta | null {
  const { union, intersect, subtract, none } = ports.sets
  const memo = new Map<number, Delta | null>()
  const compute = (x: number, y: number): Delta | null => {
    const old = before.matrix.pair(x)
    const now = after.matrix.pair(y)
    const a = ports.fromBefore(old.allowed)
    const b = ports.fromAfter(now.allowed)
    const maybeA = ports.fromBefore(old.unknown)
    const maybeB = ports.fromAfter(now.unknown)
    const lost = subtract(a, union(b, maybeB))
    const gained = subtract(b, union(a, maybeA))
    const unknown = intersect(intersect(maybeA, maybeB), ports.defined)
    const unsure = subtract(intersect(union(maybeA, maybeB), ports.defined), unknown)
    return lost === none && gained === none && unsure === none && unknown === none
      ? null
      : { lost, gained, unsure, unknown }
  }
  return (x, y) => {
    const key = x * 2 ** 26 + y
    let delta = memo.get(key)
    if (delta === undefined) {
      delta = compute(x, y)
      memo.set(key, delta)
    }
    return delta
  }
}
