/** Relations into matches: the specialised forms where the meaning is the same, comparisons otherwise. */
import type { AddressType, Expr, Interval, Match, Value } from '../../model/ruleset.ts'
import { type RuleContext, requireTransport } from './context.ts'
import { typesOf } from './field-types.ts'
import { lowerExpression, lowerSet } from './lower-expression.ts'
import { intervalMatch, maskMatch, setMatch } from './lower-field.ts'
import { renderExpression } from './render.ts'
import type { Ast, Relation } from './syntax.ts'
import { bits, constant, isBitmask } from './values.ts'

const OPS = { '<': 'lt', '<=': 'le', '>': 'gt', '>=': 'ge' } as const

/** Appends the match for `left op right`, and the checks it implies, to the rule's parts. */
export function lowerMatch(ctx: RuleContext, op: Relation, left: Ast, right: Ast): void {
  const match = understood(ctx, op, left, right)
  if (match) {
    ctx.parts.push(match)
    return
  }
  const sign = op === 'implicit' ? '' : `${op} `
  const text = `${renderExpression(left)} ${sign}${renderExpression(right)}`
  ctx.parts.push({ kind: 'opaque', what: 'match', text })
}

function understood(ctx: RuleContext, op: Relation, left: Ast, right: Ast): Match | null {
  const negate = op === '!=' || op === '!'
  if (left.kind === 'unknown') {
    if (left.protocol !== undefined) requireTransport(ctx, left.protocol)
    return null
  }
  if (left.kind === 'fib') return fibMatch(ctx, left, op, right)
  if (left.kind === 'numgen' && left.mode === 'random') {
    const share = randomShare(left.modulus, left.offset, op, right)
    if (share !== null) return share
  }
  if (left.kind === 'binary' && left.op === 'and' && (op === 'implicit' || op === '==' || op === '!=')) {
    const masked = maskMatch(ctx, left, right, negate)
    if (masked) return masked
  }
  if (left.kind === 'binary' && op === '<') {
    const random = metaRandom(left, right)
    if (random) return random
  }

  const isSet = right.kind === 'set' || right.kind === 'setName'
  if (isSet && op !== 'implicit' && op !== '==' && op !== '!=') return null
  if (left.kind === 'field' && right.kind === 'set') {
    const special = setMatch(ctx, left.key, right, negate)
    if (special) return special
  }
  if (isSet) {
    const key = lowerExpression(ctx, left)
    const set = key && lowerSet(ctx, right, 'set', key.types, [])
    if (!set) return null
    afterSet(ctx, left, right, negate)
    return { kind: 'in', left: key.expr, set, negate }
  }

  const types = typesOf(left)
  const type = types[0]!
  if (types.length > 1) {
    // A concatenation compared with one value: a set of one element.
    const key = lowerExpression(ctx, left)
    const one: Ast = { kind: 'set', elements: [{ key: right, line: ctx.line }] }
    const set = key && !(op in OPS) ? lowerSet(ctx, one, 'set', key.types, []) : null
    return set && { kind: 'in', left: key!.expr, set, negate }
  }
  if (isBitmask(type) && (op === 'implicit' || op === '!')) return anyOf(ctx, left, type, right, op === '!')
  const value = constant(right, type)
  if (!value) return null
  const ordered = left.kind === 'field' && type === 'inet_service' ? portRange(op, value) : null
  if (ordered) {
    const special = intervalMatch(ctx, (left as { key: string }).key, ordered, false, '==')
    if (special) return special
  }
  if (left.kind === 'field' && !(op in OPS)) {
    const special = intervalMatch(ctx, left.key, value, negate, op)
    if (special) return special
  }
  const l = lowerExpression(ctx, left)
  return l && compare(ctx, l.expr, op, value, type)
}

/** The ports that satisfy `PORT < N` and the like; null for other relations, and when there are none. */
function portRange(op: Relation, v: Interval): Interval | null {
  if (v.from !== v.to || typeof v.from !== 'number') return null
  const n = v.from
  const range: Interval | null =
    op === '<'
      ? { from: 0, to: n - 1 }
      : op === '<='
        ? { from: 0, to: n }
        : op === '>'
          ? { from: n + 1, to: 65535 }
          : op === '>='
            ? { from: n, to: 65535 }
            : null
  return range && range.from <= range.to ? range : null
}

/** `EXPR < VALUE` and the like; equality with a range is membership of it. */
function compare(ctx: RuleContext, left: Expr, op: Relation, value: Interval, type: string): Match | null {
  const negate = op === '!='
  if (op === '!') return null
  if (op === '<' || op === '<=' || op === '>' || op === '>=')
    return value.from === value.to
      ? { kind: 'compare', op: OPS[op], left, right: { kind: 'literal', value: value.from } }
      : null
  if (same(value))
    return { kind: 'compare', op: negate ? 'ne' : 'eq', left, right: { kind: 'literal', value: value.from } }
  const elements = [{ key: [value], line: ctx.line }]
  const set = {
    name: '',
    kind: 'set' as const,
    keyTypes: [type],
    dynamic: false,
    line: ctx.line,
    elements: () => elements,
  }
  return { kind: 'in', left, set: { kind: 'anonymous', set }, negate }
}

function same(v: Interval): boolean {
  if (typeof v.from !== 'object' || typeof v.to !== 'object') return v.from === v.to
  const { from, to } = v
  return from.d === to.d && from.c === to.c && from.b === to.b && from.a === to.a && from.family === to.family
}

/** `ct state established,related`: any of the bits; with `!` none of them. */
function anyOf(ctx: RuleContext, left: Ast, type: string, right: Ast, negate: boolean): Match | null {
  const mask = bits(right, type)
  if (mask === null) return null
  const special = left.kind === 'field' ? intervalMatch(ctx, left.key, { from: mask, to: mask }, negate, 'any') : null
  if (special) return special
  const l = lowerExpression(ctx, left)
  return l && { kind: 'anyBit', left: l.expr, bits: mask, negate }
}

/** A lookup in a set of protocols tells later expressions which headers may follow. */
function afterSet(ctx: RuleContext, left: Ast, right: Ast, negate: boolean): void {
  if (left.kind !== 'field' || negate || right.kind !== 'set') return
  if (!['meta.l4proto', 'ip.protocol', 'ip6.nexthdr'].includes(left.key)) return
  const protocols: number[] = []
  for (const e of right.elements) {
    const v = e.key && constant(e.key, 'inet_proto')
    if (!v || v.from !== v.to || typeof v.from !== 'number') return
    protocols.push(v.from)
  }
  ctx.protocols = protocols
}

type Fib = Extract<Ast, { kind: 'fib' }>

/**
 * `fib ADDRESS [. iif|oif] type …` is xt_addrtype's question (net/ipv4/netfilter/nft_fib_ipv4.c, nft_fib4_eval_type);
 * `oif missing` asks whether there is a route at all.
 */
function fibMatch(ctx: RuleContext, fib: Fib, op: Relation, right: Ast): Match | null {
  if (op !== 'implicit' && op !== '==' && op !== '!=') return null
  const negate = op === '!='
  const address = fib.keys.filter((k) => k === 'saddr' || k === 'daddr')
  const rest = fib.keys.filter((k) => k !== 'saddr' && k !== 'daddr')
  if (
    fib.result === 'type' &&
    address.length === 1 &&
    (rest.length === 0 || (rest.length === 1 && rest[0] !== 'mark'))
  ) {
    const items = right.kind === 'set' ? right.elements.map((e) => e.key) : [right]
    const types: AddressType[] = []
    for (const item of items) {
      const v = item && constant(item, 'fib_addrtype')
      if (!v || v.from !== v.to) return null
      types.push(v.from as AddressType)
    }
    const limit = rest[0] === 'iif' ? 'in' : rest[0] === 'oif' ? 'out' : null
    return { kind: 'addressType', side: address[0] === 'saddr' ? 'src' : 'dst', types, limit, negate }
  }
  const asked: Ast = fib.result === 'oif' && isPresence(right) ? { ...fib, result: 'present' } : fib
  const key = lowerExpression(ctx, asked)
  if (!key) return null
  if (right.kind === 'set' || right.kind === 'setName') {
    const set = lowerSet(ctx, right, 'set', key.types, [])
    return set && { kind: 'in', left: key.expr, set, negate }
  }
  const value = constant(right, key.types[0]!)
  return value && compare(ctx, key.expr, op, value, key.types[0]!)
}

/**
 * `oif missing` and `oif exists`, which `nft -n` prints as 0 and 1. No route is index 0 as well, and an index of 1 would
 * have been printed as the name of the loopback link.
 */
function isPresence(right: Ast): boolean {
  if (right.kind === 'number') return right.value <= 1
  return right.kind === 'word' && ['exists', 'missing', '0', '1'].includes(right.text)
}

/** The share of numbers `offset … offset + modulus - 1` that satisfy the relation (nft_numgen draws anew each time). */
function randomShare(modulus: number, offset: number, op: Relation, right: Ast): Match | null {
  const items = right.kind === 'set' ? right.elements.map((e) => e.key) : [right]
  let hits = 0
  for (const item of items) {
    const v: Interval | null = item && constant(item, 'integer')
    if (!v || typeof v.from !== 'number' || typeof v.to !== 'number') return null
    hits += count(offset, offset + modulus - 1, op, v.from, v.to)
  }
  if (op === '!' || (right.kind === 'set' && op in OPS)) return null
  const probability = (op === '!=' ? modulus - hits : hits) / modulus
  if (probability <= 0 || probability >= 1) return { kind: 'always', matches: probability > 0 }
  return { kind: 'random', probability, negate: false }
}

function count(first: number, last: number, op: Relation, from: number, to: number): number {
  const between = (a: number, b: number) => Math.max(0, Math.min(last, b) - Math.max(first, a) + 1)
  switch (op) {
    case '<':
      return between(first, from - 1)
    case '<=':
      return between(first, from)
    case '>':
      return between(from + 1, last)
    case '>=':
      return between(from, last)
    default:
      return between(from, to)
  }
}

/** `meta random & 0x7fffffff < N`: how libxtables writes `statistic --probability`. */
function metaRandom(left: Extract<Ast, { kind: 'binary' }>, right: Ast): Match | null {
  if (left.op !== 'and' || left.left.kind !== 'field' || left.left.key !== 'meta.random') return null
  const mask = plain(left.right)
  const limit = plain(right)
  if (mask === null || limit === null || mask + 1 > 2 ** 32 || !Number.isInteger(Math.log2(mask + 1))) return null
  const probability = limit / (mask + 1)
  return probability >= 1 ? { kind: 'always', matches: true } : { kind: 'random', probability, negate: false }
}

function plain(ast: Ast): number | null {
  const v = constant(ast, 'integer')
  const value: Value | undefined = v?.from
  return v && v.from === v.to && typeof value === 'number' ? value : null
}
