/** Evaluating expressions of rules (nft expressions; iptables matches translate into them). Linux 6.18, net/netfilter/nft_*.c. */
import { ipv4, ipv6 } from '../../base/ip.ts'
import type { Expr, NamedSet, SetElement, SetRef, Value } from '../../model/ruleset.ts'
import { jhash2, reciprocalScale, swap32 } from '../conntrack/jhash.ts'
import { readFib } from './fib.ts'
import { readField } from './field.ts'
import { BREAK, type Certain, type Got, isIp, isSpecial, mapGot, unknown } from './got.ts'
import { candidates, lookup } from './set-lookup.ts'
import type { Place, Run, Walk } from './walk.ts'

/** Choices wider than this are not enumerated. */
const MAX_CHOICE = 4096

export function evaluate(run: Run, walk: Walk, place: Place, expr: Expr): Got {
  switch (expr.kind) {
    case 'field':
      return readField(run, walk, expr.field)
    case 'literal':
      return expr.value
    case 'bitwise':
      return pair(run, walk, place, expr.left, expr.right, (x, y) => bitwise(expr.op, x, y))
    case 'concat':
      return concat(run, walk, place, expr.parts)
    case 'map':
      return mapGot(evaluate(run, walk, place, expr.key), (key) => {
        const found = find(walk, place, expr.map, key)
        if (found === null) return BREAK
        if (found === 'undecided') return unknown('it is not known what the map yields')
        return dataOf(found)
      })
    case 'numgen':
      return equalChoice(expr.modulus, expr.offset)
    case 'hash':
      return hash(run, walk, place, expr)
    case 'fib':
      return readFib(run, walk, expr.keys, expr.result)
    case 'opaque':
      return unknown(`not understood: ${expr.text}`)
  }
}

/**
 * The element of a set that a key hits, null when none does, `undecided` when that cannot be told: the set is missing from
 * the dump, part of the key is unknown, or a rule wrote to the set on behalf of this very packet.
 */
export function find(walk: Walk, place: Place, ref: SetRef, key: Certain): SetElement | null | 'undecided' {
  const set = resolve(place, ref)
  if (set === null) return 'undecided'
  if (ref.kind === 'named' && walk.memory.touched.has(setMemory(place, ref.name))) return 'undecided'
  if (!isSpecial(key)) return lookup(set, Array.isArray(key) ? (key as readonly Value[]) : [key as Value])
  switch (key.kind) {
    case 'break':
      return null
    case 'partial':
      return candidates(set, key.parts).length === 0 ? null : 'undecided'
    case 'unknown':
      return set.elements().length === 0 ? null : 'undecided'
    case 'span':
      return 'undecided'
  }
}

/** How a packet's memory names a set it was added to. */
export function setMemory(place: Place, name: string): string {
  return place.ruleset.backend === 'nft' ? `set ${place.table.family} ${place.table.name} ${name}` : `ipset ${name}`
}

export function resolve(place: Place, ref: SetRef): NamedSet | null {
  return ref.kind === 'anonymous' ? ref.set : (place.table.sets.get(ref.name) ?? null)
}

function dataOf(e: SetElement): Certain {
  const data = e.data
  if (!data || data.length === 0) return unknown('a map element without data')
  if (
    data.some(
      (d) =>
        d.from !== d.to &&
        !(
          isIp(d.from) &&
          isIp(d.to) &&
          d.from.d === d.to.d &&
          d.from.c === d.to.c &&
          d.from.b === d.to.b &&
          d.from.a === d.to.a
        ),
    )
  )
    return { kind: 'span', parts: data }
  return data.length === 1 ? data[0]!.from : data.map((d) => d.from)
}

function concat(run: Run, walk: Walk, place: Place, parts: readonly Expr[]): Got {
  let out: Got = []
  for (const part of parts) {
    const next = evaluate(run, walk, place, part)
    if (!isSpecial(next) && !isSpecial(out)) {
      out = [...(out as readonly Value[]), ...listOf(next)]
      continue
    }
    out = mapGot(out, (before) => mapGot(next, (more) => append(before, more)))
  }
  return out
}

const listOf = (got: Certain): readonly Value[] => (Array.isArray(got) ? (got as readonly Value[]) : [got as Value])

function append(before: Certain, more: Certain): Certain {
  if (isSpecial(before) && before.kind !== 'partial') return before
  if (isSpecial(more) && (more.kind === 'break' || more.kind === 'span')) return more
  const left = isSpecial(before) ? before.parts : listOf(before)
  if (isSpecial(more)) {
    const parts = more.kind === 'partial' ? more.parts : [null]
    return { kind: 'partial', parts: [...left, ...parts], why: more.why }
  }
  const parts = [...left, ...listOf(more)]
  return isSpecial(before) ? { kind: 'partial', parts, why: before.why } : (parts as readonly Value[])
}

/** Evaluates two operands and combines their values; no value or an unknown one decides for both. */
export function pair(
  run: Run,
  walk: Walk,
  place: Place,
  left: Expr,
  right: Expr,
  combine: (x: Value | readonly Value[], y: Value | readonly Value[]) => Certain,
): Got {
  const x = evaluate(run, walk, place, left)
  const y = right.kind === 'literal' ? right.value : evaluate(run, walk, place, right)
  if (!isSpecial(x) && !isSpecial(y)) return combine(x, y)
  return mapGot(x, (a) => {
    if (isSpecial(a)) return a
    return mapGot(y, (b) => (isSpecial(b) ? b : combine(a, b)))
  })
}

function bitwise(
  op: 'and' | 'or' | 'xor' | 'shl' | 'shr',
  x: Value | readonly Value[],
  y: Value | readonly Value[],
): Certain {
  if (typeof x === 'number' && typeof y === 'number') {
    switch (op) {
      case 'and':
        return (x & y) >>> 0
      case 'or':
        return (x | y) >>> 0
      case 'xor':
        return (x ^ y) >>> 0
      case 'shl':
        return y >= 32 ? 0 : (x << y) >>> 0
      case 'shr':
        return y >= 32 ? 0 : x >>> y
    }
  }
  if (isIp(x) && isIp(y) && x.family === y.family) {
    const f = op === 'and' ? and : op === 'or' ? or : op === 'xor' ? xor : null
    if (f === null) return unknown('shift of an address')
    return x.family === 4 ? ipv4(f(x.d, y.d)) : ipv6(f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d))
  }
  return unknown('bit operation on values of different kinds')
}

const and = (x: number, y: number) => (x & y) >>> 0
const or = (x: number, y: number) => (x | y) >>> 0
const xor = (x: number, y: number) => (x ^ y) >>> 0

/** One of `offset … offset + modulus - 1`, all alike. */
function equalChoice(modulus: number, offset: number): Got {
  if (modulus === 1) return offset
  if (modulus < 1 || modulus > MAX_CHOICE) return unknown(`a choice among ${modulus}`)
  const options = []
  for (let i = 0; i < modulus; i++) options.push({ probability: 1 / modulus, got: offset + i })
  return { kind: 'choice', options }
}

/** nft_jhash_eval: with a seed in the dump the choice is certain. Without one, and for symhash, any is as likely. */
function hash(run: Run, walk: Walk, place: Place, expr: Extract<Expr, { kind: 'hash' }>): Got {
  if (expr.of === 'symmetric' || expr.seed === null) return equalChoice(expr.modulus, expr.offset)
  const seed = expr.seed
  return mapGot(evaluate(run, walk, place, expr.of), (key) => {
    if (isSpecial(key)) return key.kind === 'break' ? BREAK : equalChoice(expr.modulus, expr.offset)
    const words = registers(listOf(key), expr.of as Expr)
    if (words === null) return equalChoice(expr.modulus, expr.offset)
    return expr.offset + reciprocalScale(jhash2(words, seed), expr.modulus)
  })
}

/** How fields lie in a register: ports in network order, marks in the order of the CPU, protocols in the first byte. */
const TWO_BYTES = new Set([
  'th.sport',
  'th.dport',
  'tcp.sport',
  'tcp.dport',
  'udp.sport',
  'udp.dport',
  'sctp.sport',
  'sctp.dport',
])
const WHOLE = new Set(['meta.mark', 'ct.mark'])
const ONE_BYTE = new Set(['meta.l4proto', 'ip.protocol', 'ip6.nexthdr'])

/** The words that values occupy in nft's registers, as a little-endian CPU reads them; null when the layout is not known. */
function registers(values: readonly Value[], of: Expr): number[] | null {
  const parts = of.kind === 'concat' ? of.parts : [of]
  // jhash over a single field takes its exact length in bytes; only whole words are the same as jhash2.
  if (parts.length !== values.length) return null
  const out: number[] = []
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    const part = parts[i]!
    if (isIp(value)) {
      if (value.family === 6) out.push(swap32(value.a), swap32(value.b), swap32(value.c))
      out.push(swap32(value.d))
    } else if (typeof value === 'number' && part.kind === 'field') {
      if (WHOLE.has(part.field) || (ONE_BYTE.has(part.field) && parts.length > 1)) out.push(value)
      else if (TWO_BYTES.has(part.field) && parts.length > 1) out.push(((value & 0xff) << 8) | (value >>> 8))
      else return null
    } else return null
  }
  return out
}
