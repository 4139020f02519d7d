/**
 * Bringing alternatives together again.
 *
 * A fork by lot keeps its share of the probability. A fork by ignorance makes two worlds, of which one is real: alternatives
 * that are equal in both are one, because it does not matter which world it is. What differs to the end is unknown.
 */
import type { Connection } from './types.ts'
import { type End, type EndVerdict, type HitNode, MAX_BRANCHES, NO_MEMORY, type Walk } from './walk.ts'

/** Alternatives of one fate beyond which different rule histories are no longer told apart. */
const MAX_HISTORIES = 256
const CLOSE = 1e-9

/** A text equal for alternatives that nothing later can tell apart. */
export function contentKey(w: Walk): string {
  const p = w.packet
  const m = w.memory
  const memory =
    m === NO_MEMORY ? '' : `${[...m.recent]}/${[...m.touched].sort()}/${m.ecn}/${m.drawn.sport}/${m.drawn.dport}`
  return `${p.src.a},${p.src.b},${p.src.c},${p.src.d},${p.sport}>${p.dst.a},${p.dst.b},${p.dst.c},${p.dst.d},${p.dport} ${p.protocol} ${p.mark} ${p.ttl} ${p.dscp} ${p.icmp?.id} ${w.untracked} ${w.zone} ${w.template} ${w.masqueraded} ${connectionKey(w.connection)} ${memory}`
}

function connectionKey(c: Connection | null): string {
  if (c === null) return '-'
  const { original: o, reply: r } = c.entry
  return `${c.direction}${c.state}${c.fresh}${c.settled.src}${c.settled.dst} ${c.entry.mark} ${c.entry.zone} ${o.src.a},${o.src.b},${o.src.c},${o.src.d},${o.sport},${o.dst.a},${o.dst.b},${o.dst.c},${o.dst.d},${o.dport} ${r.src.a},${r.src.b},${r.src.c},${r.src.d},${r.sport},${r.dst.a},${r.dst.b},${r.dst.c},${r.dst.d},${r.dport}`
}

interface Item<T> {
  readonly value: T
  readonly walk: Walk
}

/** Merges walks that stand at the same rule. */
export function mergeWalks(walks: readonly Walk[]): Walk[] {
  if (walks.length < 2) return [...walks]
  return mergeItems(
    walks.map((walk) => ({ value: null, walk })),
    (item) => contentKey(item.walk),
  ).map((item) => item.walk)
}

/** Merges finished alternatives. What becomes of the fields of a dropped packet is nobody's business. */
export function mergeEnds(ends: readonly End[]): End[] {
  if (ends.length < 2) return [...ends]
  return mergeItems(
    ends.map((end) => ({ value: end, walk: end.walk })),
    (item) => fateKey(item.value, item.walk),
  ).map((item) => ({ ...item.value, walk: item.walk }))
}

function fateKey(end: End, walk: Walk): string {
  return isFinal(end.verdict) ? `${end.verdict} ${end.rejectWith ?? ''}` : `${end.verdict} ${contentKey(walk)}`
}

const isFinal = (v: EndVerdict) => v === 'drop' || v === 'reject' || v === 'unknown'

function mergeItems<T>(items: readonly Item<T>[], keyOf: (item: Item<T>) => string): Item<T>[] {
  const groups = new Map<string, Item<T>[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  const out: Item<T>[] = []
  for (const group of groups.values()) out.push(...mergeGroup(group, items.length > MAX_HISTORIES))
  return out
}

/** All of one content: adds equal histories of one world, then joins worlds pair by pair until nothing changes. */
function mergeGroup<T>(group: readonly Item<T>[], forget: boolean): Item<T>[] {
  if (group.length === 1) return [...group]
  let items = addUp(group, forget)
  if (!items.some((i) => i.walk.worlds.length)) return items
  items = joinWorlds(items)
  if (!items.some((i) => i.walk.worlds.length)) return items
  // Histories may differ between the worlds though the fate is the same: what happened is then uncertain, the fate is not.
  return joinWorlds(addUp(items, true))
}

function addUp<T>(group: readonly Item<T>[], forget: boolean): Item<T>[] {
  const out: Item<T>[] = []
  for (const item of group) {
    const i = out.findIndex(
      (o) => sameWorlds(o.walk.worlds, item.walk.worlds) && (forget || sameHits(o.walk.hits, item.walk.hits)),
    )
    if (i < 0) {
      out.push(item)
      continue
    }
    const old = out[i]!
    const hits = sameHits(old.walk.hits, item.walk.hits) ? old.walk.hits : doubtful(old.walk.hits, item.walk.hits)
    out[i] = { value: old.value, walk: { ...old.walk, weight: old.walk.weight + item.walk.weight, hits } }
  }
  return out
}

function joinWorlds<T>(items: readonly Item<T>[]): Item<T>[] {
  const out = [...items]
  for (let changed = true; changed; ) {
    changed = false
    for (let i = 0; i < out.length && !changed; i++) {
      for (let j = i + 1; j < out.length && !changed; j++) {
        const x = out[i]!.walk
        const y = out[j]!.walk
        const worlds = joined(x.worlds, y.worlds)
        if (worlds === null || Math.abs(x.weight - y.weight) > CLOSE) continue
        const hits = sameHits(x.hits, y.hits) ? x.hits : doubtful(x.hits, y.hits)
        out[i] = { value: out[i]!.value, walk: { ...x, worlds, hits } }
        out.splice(j, 1)
        changed = true
      }
    }
  }
  return out
}

/** The common assumptions when two differ in the side of exactly one fork, else null. */
function joined(x: readonly number[], y: readonly number[]): readonly number[] | null {
  if (x.length !== y.length) return null
  let at = -1
  for (let i = 0; i < x.length; i++) {
    if (x[i] === y[i]) continue
    if (at >= 0 || x[i]! >> 1 !== y[i]! >> 1) return null
    at = i
  }
  return at < 0 ? null : x.filter((_, i) => i !== at)
}

function sameWorlds(x: readonly number[], y: readonly number[]): boolean {
  return x.length === y.length && x.every((n, i) => n === y[i])
}

function sameHits(x: HitNode | null, y: HitNode | null): boolean {
  while (x !== y) {
    if (x === null || y === null || x.rule !== y.rule || x.effect !== y.effect || x.uncertain !== y.uncertain)
      return false
    x = x.before
    y = y.before
  }
  return true
}

/** Both histories in one: rules that only one of them holds are uncertain. */
function doubtful(x: HitNode | null, y: HitNode | null): HitNode | null {
  const xs = listHits(x)
  const ys = listHits(y)
  const [more, fewer] = xs.length >= ys.length ? [xs, ys] : [ys, xs]
  const certain = new Set(fewer.filter((h) => !h.uncertain).map((h) => h.rule))
  const shared = new Set(more.map((h) => h.rule))
  let out: HitNode | null = null
  let at = 0
  // Hits of the shorter history alone stand where they happened between the common ones.
  const catchUp = () => {
    for (; at < fewer.length && !shared.has(fewer[at]!.rule); at++)
      out = { ...fewer[at]!, uncertain: true, before: out }
  }
  for (const h of more) {
    catchUp()
    if (fewer[at]?.rule === h.rule) at++
    out = { ...h, uncertain: h.uncertain || !certain.has(h.rule), before: out }
  }
  catchUp()
  return out
}

/** Hits in the order they happened. */
export function listHits(last: HitNode | null): HitNode[] {
  const out: HitNode[] = []
  for (let h = last; h !== null; h = h.before) out.push(h)
  return out.reverse()
}

/** Where too many alternatives stand, all of them are given up. */
export function tooMany(count: number): boolean {
  return count > MAX_BRANCHES
}
