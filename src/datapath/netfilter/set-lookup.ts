/** Looking a key up in an nft set, map or verdict map. */
import type { NamedSet, SetElement, Value } from '../../model/ruleset.ts'
import { compareValues, valueEquals, valueKey } from './got.ts'

interface SetIndex {
  /** Elements whose every key component is one value. */
  readonly exact: ReadonlyMap<string, SetElement>
  /** One-component intervals by their start; nft keeps them disjoint. */
  readonly sorted: readonly SetElement[]
  /** Concatenations with intervals, and keys with wildcards: tried in turn. */
  readonly rest: readonly SetElement[]
  readonly catchAll: SetElement | null
  /** Some element was not understood: a key that no other element holds may be its. */
  readonly opaque: boolean
}

const indexes = new WeakMap<NamedSet, SetIndex>()

const isPlain = (e: SetElement) =>
  e.key.every(
    (k) => (k.from === k.to && !isWildcard(k.from)) || (typeof k.from === 'object' && valueEquals(k.from, k.to)),
  )
const isWildcard = (v: Value) => typeof v === 'string' && v.endsWith('*')

function indexOf(set: NamedSet): SetIndex {
  const known = indexes.get(set)
  if (known) return known
  const exact = new Map<string, SetElement>()
  const sorted: SetElement[] = []
  const rest: SetElement[] = []
  let catchAll: SetElement | null = null
  let opaque = false
  for (const e of set.elements()) {
    if (e.opaque !== undefined) opaque = true
    else if (e.key.length === 0) catchAll = e
    else if (isPlain(e)) {
      const key = keyOf(e.key.map((k) => k.from))
      if (!exact.has(key)) exact.set(key, e)
    } else if (e.key.length === 1 && !isWildcard(e.key[0]!.from)) sorted.push(e)
    else rest.push(e)
  }
  sorted.sort((x, y) => compareValues(x.key[0]!.from, y.key[0]!.from) ?? familyOrder(x, y))
  const index = { exact, sorted, rest, catchAll, opaque }
  indexes.set(set, index)
  return index
}

function familyOrder(x: SetElement, y: SetElement): number {
  return valueKey(x.key[0]!.from) < valueKey(y.key[0]!.from) ? -1 : 1
}

function keyOf(parts: readonly Value[]): string {
  return parts.length === 1 ? valueKey(parts[0]!) : parts.map(valueKey).join('|')
}

function covers(e: SetElement, parts: readonly (Value | null)[]): boolean {
  if (e.key.length !== parts.length) return false
  return e.key.every((interval, i) => {
    const part = parts[i]
    if (part === null || part === undefined) return true
    if (valueEquals(part, interval.from)) return true
    const low = compareValues(part, interval.from)
    const high = compareValues(part, interval.to)
    return low !== null && high !== null && low >= 0 && high <= 0
  })
}

/** The element that holds the key; the catch-all element when no other does; null when there is none (`nft_lookup_eval`). `undecided` when an element that was not understood may hold it. */
export function lookup(set: NamedSet, parts: readonly Value[]): SetElement | null | 'undecided' {
  const index = indexOf(set)
  const found = index.exact.get(keyOf(parts))
  if (found) return found
  if (parts.length === 1 && index.sorted.length > 0) {
    const e = before(index.sorted, parts[0]!)
    if (e && covers(e, parts)) return e
  }
  for (const e of index.rest) if (covers(e, parts)) return e
  return index.opaque ? 'undecided' : index.catchAll
}

/** The last element that starts at or before `value`. */
function before(sorted: readonly SetElement[], value: Value): SetElement | null {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    const order = compareValues(sorted[middle]!.key[0]!.from, value)
    if (order !== null && order <= 0) low = middle + 1
    else if (order === null && valueKey(sorted[middle]!.key[0]!.from) < valueKey(value)) low = middle + 1
    else high = middle
  }
  return low > 0 ? sorted[low - 1]! : null
}

/** Elements that a key with unknown components (null) might hit. */
export function candidates(set: NamedSet, parts: readonly (Value | null)[]): readonly SetElement[] {
  return set.elements().filter((e) => e.opaque !== undefined || e.key.length === 0 || covers(e, parts))
}
