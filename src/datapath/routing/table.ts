import type { Ip } from '../../base/ip.ts'
import { maskOf } from '../../base/ip.ts'
import type { Netns, Route } from '../../model/network.ts'
import { ipKey } from '../facts.ts'

export const LOCAL = 255
export const MAIN = 254
export const DEFAULT = 253

/** Routes of one table and family by prefix length and network, longest first; routes of one prefix in kernel order. */
export interface Fib {
  readonly lengths: readonly number[]
  readonly byLength: ReadonlyMap<number, ReadonlyMap<string, readonly Route[]>>
}

const masked = (ip: Ip, length: number): string => {
  const m = maskOf(ip.family, length)
  return ip.family === 4
    ? `${(ip.d & m.d) >>> 0}`
    : ipKey({
        family: 6,
        a: (ip.a & m.a) >>> 0,
        b: (ip.b & m.b) >>> 0,
        c: (ip.c & m.c) >>> 0,
        d: (ip.d & m.d) >>> 0,
      })
}

/**
 * Order of routes with one prefix, as `fib_find_alias` keeps them (net/ipv4/fib_trie.c): higher table first in a merged
 * trie, then higher TOS, then lower metric; IPv6 knows only the metric (net/ipv6/ip6_fib.c).
 */
const kernelOrder = (x: Route, y: Route): number => y.table - x.table || y.tos - x.tos || x.metric - y.metric

function build(routes: readonly Route[]): Fib {
  const byLength = new Map<number, Map<string, Route[]>>()
  for (const r of routes) {
    const nets = byLength.get(r.dst.length) ?? new Map<string, Route[]>()
    byLength.set(r.dst.length, nets)
    const key = masked(r.dst.ip, r.dst.length)
    const list = nets.get(key)
    if (list) list.push(r)
    else nets.set(key, [r])
  }
  for (const nets of byLength.values()) for (const list of nets.values()) if (list.length > 1) list.sort(kernelOrder)
  return { lengths: [...byLength.keys()].sort((x, y) => y - x), byLength }
}

const fibs = new WeakMap<Netns, Map<string, Fib>>()

/** The routes of these tables of one family as one trie. */
export function fibOf(netns: Netns, family: 4 | 6, tables: readonly number[]): Fib {
  const own = fibs.get(netns) ?? new Map<string, Fib>()
  fibs.set(netns, own)
  const key = `${family} ${tables.join(' ')}`
  const known = own.get(key)
  if (known) return known
  const fib = build(netns.routes.filter((r) => r.family === family && tables.includes(r.table)))
  own.set(key, fib)
  return fib
}

/** Routes whose prefix holds `dst`, longest prefix first, in kernel order within a prefix. */
export function* candidates(fib: Fib, dst: Ip): Generator<Route> {
  for (const length of fib.lengths) {
    const routes = fib.byLength.get(length)?.get(masked(dst, length))
    if (routes) yield* routes
  }
}
