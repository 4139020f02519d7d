/** What evaluating an expression can give: a value, no value, one of several by chance, or nothing we can know. */
import { compareIp, type Ip, ipEquals } from '../../base/ip.ts'
import type { Value } from '../../model/ruleset.ts'

export interface Break {
  readonly kind: 'break'
}
export interface Unknown {
  readonly kind: 'unknown'
  readonly why: string
}
/** Concatenation some of whose parts are not known (null). */
export interface Partial {
  readonly kind: 'partial'
  readonly parts: readonly (Value | null)[]
  readonly why: string
}
/** Any value of a range, as a NAT map may store one. One per component. */
export interface Span {
  readonly kind: 'span'
  readonly parts: readonly { readonly from: Value; readonly to: Value }[]
}
export interface Choice {
  readonly kind: 'choice'
  readonly options: readonly { readonly probability: number; readonly got: Certain }[]
}
export type Certain = Value | readonly Value[] | Break | Unknown | Partial | Span
export type Got = Certain | Choice

/** The expression has no value for this packet: the rule ends here without a match (NFT_BREAK). */
export const BREAK: Break = { kind: 'break' }

export function unknown(why: string): Unknown {
  return { kind: 'unknown', why }
}

type Special = Break | Unknown | Partial | Span | Choice

export function isSpecial(got: Got): got is Special {
  return typeof got === 'object' && 'kind' in got
}

export function isIp(value: unknown): value is Ip {
  return typeof value === 'object' && value !== null && 'family' in value
}

/** Applies `f` to every alternative and flattens. */
export function mapGot(got: Got, f: (certain: Certain) => Got): Got {
  if (!isSpecial(got) || got.kind !== 'choice') return f(got as Certain)
  const options: { probability: number; got: Certain }[] = []
  for (const option of got.options) {
    const next = f(option.got)
    if (isSpecial(next) && next.kind === 'choice')
      for (const inner of next.options)
        options.push({ probability: option.probability * inner.probability, got: inner.got })
    else options.push({ probability: option.probability, got: next as Certain })
  }
  return { kind: 'choice', options }
}

/** Equal values of one type. A string that ends in `*` on the right stands for every string with that prefix (nft ifname). */
export function valueEquals(x: Value, y: Value): boolean {
  if (typeof x === 'number' || typeof y === 'number') return x === y
  if (typeof x === 'string') {
    if (typeof y !== 'string') return false
    return x === y || (y.endsWith('*') && x.startsWith(y.slice(0, -1)))
  }
  return typeof y !== 'string' && ipEquals(x, y)
}

/** Order of two values of one type, or null when they cannot be compared. */
export function compareValues(x: Value, y: Value): number | null {
  if (typeof x === 'number' && typeof y === 'number') return x - y
  if (typeof x === 'string' && typeof y === 'string') return x < y ? -1 : x > y ? 1 : 0
  if (isIp(x) && isIp(y)) return x.family === y.family ? compareIp(x, y) : null
  return null
}

/** A text that is the same for equal values and no others. */
export function valueKey(value: Value): string {
  if (typeof value === 'number') return `${value}`
  if (typeof value === 'string') return `"${value}`
  return value.family === 4 ? `i${value.d}` : `j${value.a}:${value.b}:${value.c}:${value.d}`
}

export function gotKey(got: Certain): string {
  if (Array.isArray(got)) return (got as readonly Value[]).map(valueKey).join('|')
  if (!isSpecial(got)) return valueKey(got as Value)
  if (got.kind === 'span') return got.parts.map((p) => `${valueKey(p.from)}-${valueKey(p.to)}`).join('|')
  return got.kind === 'break' ? '!' : `?${got.kind}`
}
