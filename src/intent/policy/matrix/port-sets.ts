/**
 * Sets of (protocol, port), each kept once and named by a number, so that sets are equal when their numbers are and every
 * union, intersection and difference is computed once. Ports are 1–65535; a protocol without ports counts as a whole.
 */

/** The number of a set in its `PortSets`. */
export type PortSet = number

export interface PortRange {
  /** Upper case; `OTHER` stands for every protocol that no rule names. */
  readonly protocol: string
  readonly from: number
  readonly to: number
}

export const OTHER = 'OTHER'
const PORTS = 65_535
/** Each protocol has a stretch of one number line; the gap between two keeps their ranges apart. */
const STRETCH = 65_536
const MEMO = 2 ** 26

export interface PortSets {
  readonly none: PortSet
  readonly all: PortSet
  /** Every protocol told apart; `OTHER` is the last. */
  readonly protocols: readonly string[]
  readonly ofRange: (protocol: string, from: number, to: number) => PortSet
  readonly union: (x: PortSet, y: PortSet) => PortSet
  readonly intersect: (x: PortSet, y: PortSet) => PortSet
  readonly subtract: (x: PortSet, y: PortSet) => PortSet
  readonly has: (set: PortSet, protocol: string, port: number) => boolean
  readonly ranges: (set: PortSet) => readonly PortRange[]
}

/** Lines of ascending, disjoint, non-adjacent [from, to] pairs, flattened. */
type Line = readonly number[]

/** Sweeps over both lines and keeps the stretches where `keep` holds. */
function combine(x: Line, y: Line, keep: (inX: boolean, inY: boolean) => boolean): number[] {
  const out: number[] = []
  let i = 0
  let j = 0
  let inX = false
  let inY = false
  let on = false
  // Edges are the starts and the places after the ends.
  const edge = (line: Line, k: number) => (k < line.length ? line[k]! + (k & 1) : Number.POSITIVE_INFINITY)
  while (i < x.length || j < y.length) {
    const at = Math.min(edge(x, i), edge(y, j))
    if (edge(x, i) === at) {
      inX = !inX
      i++
    }
    if (edge(y, j) === at) {
      inY = !inY
      j++
    }
    const now = keep(inX, inY)
    if (now === on) continue
    out.push(on ? at - 1 : at)
    on = now
  }
  return out
}

/** Sets over TCP, UDP, SCTP, the `named` protocols (upper case) and the rest. */
export function portSets(named: Iterable<string> = []): PortSets {
  const protocols = [...new Set(['TCP', 'UDP', 'SCTP', ...named])].filter((p) => p !== OTHER)
  protocols.push(OTHER)
  const place = new Map(protocols.map((p, i) => [p, i]))
  const lines: Line[] = []
  const ids = new Map<string, PortSet>()
  const intern = (line: Line): PortSet => {
    const key = line.join(',')
    const known = ids.get(key)
    if (known !== undefined) return known
    lines.push(line)
    ids.set(key, lines.length - 1)
    return lines.length - 1
  }
  const none = intern([])
  const all = intern(protocols.flatMap((_, i) => [i * STRETCH + 1, i * STRETCH + PORTS]))
  const memoised = (keep: (inX: boolean, inY: boolean) => boolean) => {
    const memo = new Map<number, PortSet>()
    return (x: PortSet, y: PortSet): PortSet => {
      const key = x * MEMO + y
      let set = memo.get(key)
      if (set === undefined) {
        set = intern(combine(lines[x]!, lines[y]!, keep))
        memo.set(key, set)
      }
      return set
    }
  }
  const union = memoised((a, b) => a || b)
  const intersect = memoised((a, b) => a && b)
  const subtract = memoised((a, b) => a && !b)
  return {
    none,
    all,
    protocols,
    ofRange(protocol, from, to) {
      const base = (place.get(protocol) ?? protocols.length - 1) * STRETCH
      const low = Math.max(1, from)
      return low > to ? none : intern([base + low, base + Math.min(PORTS, to)])
    },
    union: (x, y) => (x === y || y === none ? x : x === none ? y : union(x, y)),
    intersect: (x, y) => (x === y || y === all ? x : x === all ? y : x === none || y === none ? none : intersect(x, y)),
    subtract: (x, y) => (x === none || y === none ? x : x === y || y === all ? none : subtract(x, y)),
    has(set, protocol, port) {
      const at = (place.get(protocol) ?? protocols.length - 1) * STRETCH + port
      const line = lines[set]!
      for (let k = 0; k < line.length; k += 2) if (line[k]! <= at && at <= line[k + 1]!) return true
      return false
    },
    ranges(set) {
      const out: PortRange[] = []
      const line = lines[set]!
      for (let k = 0; k < line.length; k += 2) {
        const p = Math.floor(line[k]! / STRETCH)
        out.push({ protocol: protocols[p]!, from: line[k]! - p * STRETCH, to: line[k + 1]! - p * STRETCH })
      }
      return out
    },
  }
}

const PORTED = new Set(['TCP', 'UDP', 'SCTP'])

/** As the outputs print a set: `all`; `TCP 80`, `TCP 8000-8080`, `ICMP`, `other` (protocols that no rule names). */
export function portNames(sets: PortSets, set: PortSet): readonly string[] {
  if (set === sets.all) return ['all']
  return sets.ranges(set).map(({ protocol, from, to }) => {
    if (protocol === OTHER) return 'other'
    if (!PORTED.has(protocol) && from === 1 && to === PORTS) return protocol
    return from === to ? `${protocol} ${from}` : `${protocol} ${from}-${to}`
  })
}
