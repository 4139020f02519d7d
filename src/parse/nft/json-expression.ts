/** Expressions of `nft -j` (man libnftables-json, EXPRESSIONS; nftables src/json.c) into the common shape. */
import type { Verdict } from '../../model/ruleset.ts'
import { MAX_DEPTH } from './cursor.ts'
import { FIELD_EXPRESSIONS, OTHER_TRANSPORTS, rawPayloadField } from './fields.ts'
import { type JsonObject, number, object, property, string, strings, wrapped } from './json-value.ts'
import type { Ast, BinaryOp, ElementAst } from './syntax.ts'

const BINARY: Readonly<Record<string, BinaryOp>> = { '&': 'and', '|': 'or', '^': 'xor', '<<': 'shl', '>>': 'shr' }

/** The expression, or null when its shape is not known. */
export function jsonExpression(x: unknown, depth = 0): Ast | null {
  if (depth > MAX_DEPTH) return null
  if (typeof x === 'string')
    return x.startsWith('@') ? { kind: 'setName', name: x.slice(1) } : { kind: 'word', text: x }
  if (typeof x === 'number') return { kind: 'number', value: x }
  if (typeof x === 'boolean') return { kind: 'word', text: x ? 'exists' : 'missing' }
  const all = (list: unknown): Ast[] | null => {
    if (!Array.isArray(list)) return null
    const out: Ast[] = []
    for (const item of list) {
      const ast = jsonExpression(item, depth + 1)
      if (!ast) return null
      out.push(ast)
    }
    return out
  }
  if (Array.isArray(x)) {
    const items = all(x)
    return items && { kind: 'list', items }
  }
  const pair = wrapped(x)
  if (!pair) return null
  const [what, value] = pair
  const o = object(value)
  const op = Object.hasOwn(BINARY, what) ? BINARY[what]! : null
  if (op) {
    const items = all(value)
    if (!items || items.length < 2) return null
    return items.slice(1).reduce<Ast>((left, right) => ({ kind: 'binary', op, left, right }), items[0]!)
  }
  switch (what) {
    case 'range': {
      const ends = all(value)
      return ends?.length === 2 ? { kind: 'range', from: ends[0]!, to: ends[1]! } : null
    }
    case 'prefix': {
      const addr = jsonExpression(property(o, 'addr'), depth + 1)
      const length = number(o, 'len')
      return addr && length !== null ? { kind: 'prefix', addr, length } : null
    }
    case 'concat': {
      const parts = all(value)
      return parts && { kind: 'concat', parts }
    }
    case 'set': {
      const elements = jsonElements(Array.isArray(value) ? value : [value], depth + 1)
      return elements && { kind: 'set', elements }
    }
    case 'elem':
      return jsonExpression(property(o, 'val'), depth + 1)
    case 'map': {
      const key = jsonExpression(property(o, 'key'), depth + 1)
      const set = jsonExpression(property(o, 'data'), depth + 1)
      return key && set && { kind: 'map', key, set }
    }
    case 'numgen': {
      const mode = string(o, 'mode')
      const modulus = number(o, 'mod')
      if ((mode !== 'random' && mode !== 'inc') || !modulus) return null
      return { kind: 'numgen', mode, modulus, offset: number(o, 'offset') ?? 0 }
    }
    case 'jhash':
    case 'symhash': {
      const modulus = number(o, 'mod')
      const of = what === 'symhash' ? 'symmetric' : jsonExpression(property(o, 'expr'), depth + 1)
      return of && modulus
        ? { kind: 'hash', of, modulus, seed: number(o, 'seed'), offset: number(o, 'offset') ?? 0 }
        : null
    }
    case 'fib': {
      const result = string(o, 'result')
      return result === null
        ? null
        : { kind: 'fib', keys: strings(property(o, 'flags')), result: result === 'check' ? 'present' : result }
    }
    default:
      return o && jsonField(what, o)
  }
}

const known = (key: string): Ast | null => FIELD_EXPRESSIONS.get(key) ?? null
const unknown = (text: string, protocol?: number): Ast => ({
  kind: 'unknown',
  text,
  ...(protocol === undefined ? {} : { protocol }),
})

function jsonField(what: string, o: JsonObject): Ast | null {
  const key = string(o, 'key')
  switch (what) {
    case 'meta':
    case 'socket':
      return key === null ? null : (known(`${what}.${key}`) ?? unknown(`${what} ${key}`))
    case 'payload':
      return jsonPayload(o)
    case 'ct': {
      const dir = string(o, 'dir')
      const family = string(o, 'family')
      const named = `${family ? `${family} ` : ''}${key}`
      if (key === null) return null
      return known(dir === null ? `ct.${named}` : `ct.${dir}.${named}`) ?? unknown(`ct ${dir ? `${dir} ` : ''}${named}`)
    }
    case 'rt': {
      const family = string(o, 'family')
      const named = `${family ? `${family} ` : ''}${key}`
      return key === null ? null : (known(`rt.${named}`) ?? unknown(`rt ${named}`))
    }
    case 'tcp option':
    case 'ip option':
    case 'dccp option':
    case 'sctp chunk':
    case 'exthdr': {
      const l4 = what === 'exthdr' ? undefined : OTHER_TRANSPORTS.get(what.split(' ')[0]!)
      const name = string(o, 'name')
      const field = string(o, 'field')
      if (name === null) return unknown(`${what} ${JSON.stringify(o)}`, l4)
      if (what === 'exthdr') return unknown(field === null ? `exthdr ${name}` : `${name} ${field}`)
      return unknown(`${what} ${name}${field === null ? '' : ` ${field}`}`, l4)
    }
    case 'osf':
    case 'ipsec':
      return unknown(`${what} ${JSON.stringify(o)}`)
    default:
      return null
  }
}

function jsonPayload(o: JsonObject): Ast | null {
  const base = string(o, 'base')
  if (base !== null) {
    const offset = number(o, 'offset')
    const length = number(o, 'len')
    if (offset === null || length === null) return null
    const key = rawPayloadField(base, offset, length)
    return key ? known(key) : unknown(`@${base},${offset},${length}`)
  }
  const protocol = string(o, 'protocol')
  const field = string(o, 'field')
  if (protocol === null || field === null || property(o, 'tunnel') !== undefined) return null
  return known(`${protocol}.${field}`) ?? unknown(`${protocol} ${field}`, OTHER_TRANSPORTS.get(protocol))
}

/** The verdict, or null when it is something else. */
export function jsonVerdict(x: unknown): Verdict | null {
  const pair = wrapped(x)
  if (!pair) return null
  switch (pair[0]) {
    case 'accept':
    case 'drop':
    case 'continue':
    case 'return':
    case 'queue':
      return { kind: pair[0] }
    case 'jump':
    case 'goto': {
      const chain = string(object(pair[1]), 'target')
      return chain === null ? null : { kind: pair[0], chain }
    }
    default:
      return null
  }
}

/** Elements of a set in place; null when one is not understood. */
function jsonElements(list: readonly unknown[], depth: number): ElementAst[] | null {
  const out: ElementAst[] = []
  for (const x of list) {
    const element = jsonElement(x, 1, depth)
    if (!element) return null
    out.push(element)
  }
  return out
}

/** One element: a key, or a pair of key and data. */
export function jsonElement(x: unknown, line: number, depth = 0): ElementAst | null {
  if (!Array.isArray(x)) return jsonKey(x, line, depth)
  if (x.length !== 2) return null
  const key = jsonKey(x[0], line, depth)
  if (!key) return null
  const verdict = jsonVerdict(x[1])
  if (verdict) return { ...key, verdict }
  const data = jsonExpression(x[1], depth + 1)
  return data && { ...key, data }
}

function jsonKey(x: unknown, line: number, depth: number): ElementAst | null {
  const elem = wrapped(x)?.[0] === 'elem' ? object(wrapped(x)![1]) : null
  const val = elem ? property(elem, 'val') : x
  const comment = string(elem, 'comment')
  const rest = { line, ...(comment === null ? {} : { comment }) }
  if (val === '*') return { key: null, ...rest }
  const key = jsonExpression(val, depth + 1)
  return key && { key, ...rest }
}
