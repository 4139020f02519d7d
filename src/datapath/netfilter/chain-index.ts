/**
 * Which rules of a long chain a packet can match at all. A Service cluster has chains of ten thousand rules that differ in
 * one exact address or port; visiting them in turn is what makes the kernel slow, and us too.
 */
import type { Ip } from '../../base/ip.ts'
import type { Match, Rule } from '../../model/ruleset.ts'
import { dportOf, type Run, type Walk } from './walk.ts'

/** Ascending. Most keys have one rule, which then needs no array. */
type Positions = number | number[]

export interface ChainIndex {
  readonly dst: ReadonlyMap<string | number, Positions>
  readonly src: ReadonlyMap<string | number, Positions>
  readonly in: ReadonlyMap<string, Positions>
  readonly out: ReadonlyMap<string, Positions>
  readonly dport: ReadonlyMap<number, Positions>
  /** Rules keyed by link or port, all of them, for packets whose link or port is not known. */
  readonly allIn: number[]
  readonly allOut: number[]
  readonly allDport: number[]
  readonly rest: number[]
}

/** Shorter chains are walked. */
const WORTH_IT = 16

const indexes = new WeakMap<readonly Rule[], ChainIndex>()

export function chainIndex(rules: readonly Rule[]): ChainIndex | null {
  if (rules.length <= WORTH_IT) return null
  const known = indexes.get(rules)
  if (known) return known
  const index = build(rules)
  indexes.set(rules, index)
  return index
}

const ipKey = (ip: Ip) => (ip.family === 4 ? ip.d : `${ip.a}:${ip.b}:${ip.c}:${ip.d}`)

function build(rules: readonly Rule[]): ChainIndex {
  const dst = new Map<string | number, Positions>()
  const src = new Map<string | number, Positions>()
  const inLinks = new Map<string, Positions>()
  const outLinks = new Map<string, Positions>()
  const dport = new Map<number, Positions>()
  const allIn: number[] = []
  const allOut: number[] = []
  const allDport: number[] = []
  const rest: number[] = []
  const keys: Keys = { dst: undefined, src: undefined, in: undefined, out: undefined, dport: undefined }
  for (let i = 0; i < rules.length; i++) {
    // Nearly all rules of the chains this is for begin with their destination; the index is built once, by cold code.
    const head = rules[i]!.parts[0]
    if (head?.kind === 'address' && head.side === 'dst' && !head.negate && isFull(head)) {
      add(dst, ipKey(head.addr), i)
      continue
    }
    findKeys(rules[i]!, keys)
    if (keys.dst) add(dst, ipKey(keys.dst), i)
    else if (keys.src) add(src, ipKey(keys.src), i)
    else if (keys.in !== undefined) {
      add(inLinks, keys.in, i)
      allIn.push(i)
    } else if (keys.out !== undefined) {
      add(outLinks, keys.out, i)
      allOut.push(i)
    } else if (keys.dport !== undefined) {
      add(dport, keys.dport, i)
      allDport.push(i)
    } else rest.push(i)
  }
  return { dst, src, in: inLinks, out: outLinks, dport, allIn, allOut, allDport, rest }
}

function add<K>(map: Map<K, Positions>, key: K, i: number): void {
  const old = map.get(key)
  if (old === undefined) map.set(key, i)
  else if (typeof old === 'number') map.set(key, [old, i])
  else old.push(i)
}

interface Keys {
  dst: Ip | undefined
  src: Ip | undefined
  in: string | undefined
  out: string | undefined
  dport: number | undefined
}

/** Exact conditions among the matches before the first part that does something. */
function findKeys(rule: Rule, keys: Keys): void {
  keys.dst = undefined
  keys.src = undefined
  keys.in = undefined
  keys.out = undefined
  keys.dport = undefined
  for (const part of rule.parts) {
    switch (part.kind) {
      case 'address':
        if (!part.negate && isFull(part)) {
          if (part.side === 'dst') {
            // The strongest key: what else the rule asks need not be read.
            keys.dst = part.addr
            return
          }
          keys.src ??= part.addr
        }
        break
      case 'port':
        if (
          part.side === 'dst' &&
          !part.negate &&
          part.ranges.length === 1 &&
          part.ranges[0]![0] === part.ranges[0]![1]
        )
          keys.dport ??= part.ranges[0]![0]
        break
      case 'link':
        if (!part.negate && !part.wildcard) {
          if (part.side === 'in') keys.in ??= part.name
          else keys.out ??= part.name
        }
        break
      // These remember something or act: what follows them must not decide whether they are visited.
      case 'recent':
      case 'nth':
      case 'verdict':
      case 'vmap':
      case 'reject':
      case 'nat':
      case 'masquerade':
      case 'redirect':
      case 'netmap':
      case 'setMark':
      case 'copyMark':
      case 'set':
      case 'notrack':
      case 'ctZone':
      case 'ttl':
      case 'dscp':
      case 'mss':
      case 'tproxy':
      case 'setUpdate':
        return
      case 'opaque':
        if (part.what === 'statement') return
        break
      default:
        break
    }
  }
}

function isFull(part: Extract<Match, { kind: 'address' }>): boolean {
  const { mask } = part
  if (mask.d !== 0xffffffff) return false
  return part.addr.family === 4 || (mask.c === 0xffffffff && mask.b === 0xffffffff && mask.a === 0xffffffff)
}

/** Position of the first rule at or after `from` that the packet may match; `end` when there is none. */
export function nextCandidate(index: ChainIndex, run: Run, walk: Walk, from: number, end: number): number {
  const p = walk.packet
  const dport = dportOf(walk)
  let best = atLeast(index.rest, from, end)
  if (index.dst.size) best = Math.min(best, atLeast(index.dst.get(ipKey(p.dst)), from, best))
  if (index.src.size) best = Math.min(best, atLeast(index.src.get(ipKey(p.src)), from, best))
  if (index.allIn.length)
    best = Math.min(best, atLeast(run.in?.unknown ? index.allIn : index.in.get(run.in?.name ?? ''), from, best))
  if (index.allOut.length)
    best = Math.min(best, atLeast(run.out?.unknown ? index.allOut : index.out.get(run.out?.name ?? ''), from, best))
  if (index.allDport.length)
    best = Math.min(best, atLeast(dport < 0 ? index.allDport : index.dport.get(dport), from, best))
  return best
}

function atLeast(list: Positions | undefined, from: number, otherwise: number): number {
  if (list === undefined) return otherwise
  if (typeof list === 'number') return list >= from && list < otherwise ? list : otherwise
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]! < from) low = middle + 1
    else high = middle
  }
  return low < list.length ? list[low]! : otherwise
}
