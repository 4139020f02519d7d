/**
 * Calico's selector expressions: reading, writing and judging them. Source: projectcalico/calico libcalico-go/lib/selector,
 * tokenizer/tokenizer.go and parser/{parser,ast}.go (v3.30). Operators bind as `!`, `&&`, `||`; blanks are space and tab, no others.
 */

export type Expression =
  | { readonly kind: 'all' }
  | { readonly kind: 'global' }
  | { readonly kind: 'has'; readonly key: string }
  | { readonly kind: Comparison; readonly key: string; readonly value: string }
  | { readonly kind: 'in' | 'not in'; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Expression[] }

export type Comparison = '==' | '!=' | 'contains' | 'starts with' | 'ends with'

export type Parsed =
  | { readonly ok: true; readonly expression: Expression }
  /** What is wrong and where, counted in characters from 0. */
  | { readonly ok: false; readonly why: string; readonly at: number }

/** Longer or deeper expressions than anybody writes are refused: the text is not ours. */
const LONGEST = 20_000
const DEEPEST = 60

/** Reads an expression; the empty one is `all()`. Never throws. */
export function parseExpression(text: string): Parsed {
  if (text.length > LONGEST) return { ok: false, why: `it is longer than ${LONGEST} characters`, at: LONGEST }
  const reader: Reader = { text, at: 0 }
  skipBlanks(reader)
  if (reader.at === text.length) return { ok: true, expression: { kind: 'all' } }
  const expression = readOr(reader, 0)
  if (typeof expression === 'string') return { ok: false, why: expression, at: reader.at }
  skipBlanks(reader)
  if (reader.at < text.length) return { ok: false, why: 'unexpected text', at: reader.at }
  return { ok: true, expression }
}

interface Reader {
  readonly text: string
  at: number
}

/** An expression, or why there is none. */
type Read = Expression | string

const KEY = /[a-zA-Z0-9_./-]+/y

function skipBlanks(r: Reader): void {
  while (r.text[r.at] === ' ' || r.text[r.at] === '\t') r.at++
}

/** Takes a word of punctuation or an operator, if it comes next. */
function take(r: Reader, word: string): boolean {
  skipBlanks(r)
  if (!r.text.startsWith(word, r.at)) return false
  r.at += word.length
  return true
}

function readOr(r: Reader, depth: number): Read {
  return readList(r, depth, '||', 'or', readAnd)
}

function readAnd(r: Reader, depth: number): Read {
  return readList(r, depth, '&&', 'and', readOperation)
}

function readList(
  r: Reader,
  depth: number,
  operator: string,
  kind: 'and' | 'or',
  next: (r: Reader, depth: number) => Read,
): Read {
  const of: Expression[] = []
  do {
    const one = next(r, depth)
    if (typeof one === 'string') return one
    of.push(one)
  } while (take(r, operator))
  return of.length === 1 ? of[0]! : { kind, of }
}

function readOperation(r: Reader, depth: number): Read {
  let negated = false
  while (take(r, '!')) negated = !negated
  const inner = readPlain(r, depth)
  return typeof inner === 'string' || !negated ? inner : { kind: 'not', of: inner }
}

function readPlain(r: Reader, depth: number): Read {
  skipBlanks(r)
  if (take(r, '(')) {
    if (depth >= DEEPEST) return `more than ${DEEPEST} parentheses deep`
    const inner = readOr(r, depth + 1)
    if (typeof inner === 'string') return inner
    return take(r, ')') ? inner : 'expected )'
  }
  if (take(r, 'has(')) {
    const key = readKey(r)
    if (key === null) return 'expected a label name in has()'
    return take(r, ')') ? { kind: 'has', key } : 'expected ) after has('
  }
  if (take(r, 'all(')) return take(r, ')') ? { kind: 'all' } : 'expected ) after all('
  if (take(r, 'global(')) return take(r, ')') ? { kind: 'global' } : 'expected ) after global('
  const key = readKey(r)
  return key === null ? 'expected a label name, has(), all() or (' : readComparison(r, key)
}

function readKey(r: Reader): string | null {
  skipBlanks(r)
  KEY.lastIndex = r.at
  const key = KEY.exec(r.text)?.[0]
  if (key === undefined) return null
  r.at += key.length
  return key
}

function readComparison(r: Reader, key: string): Read {
  for (const kind of ['==', '!=', 'contains'] as const)
    if (take(r, kind)) return readValue(r, (value) => ({ kind, key, value }))
  for (const word of ['starts', 'ends'] as const)
    if (take(r, word))
      return take(r, 'with')
        ? readValue(r, (value) => ({ kind: `${word} with`, key, value }))
        : `expected with after ${word}`
  if (take(r, 'not')) return take(r, 'in') ? readSet(r, 'not in', key) : 'expected in after not'
  return take(r, 'in') ? readSet(r, 'in', key) : 'expected an operator after the label name'
}

function readValue(r: Reader, make: (value: string) => Expression): Read {
  const value = readString(r)
  return value === null ? 'expected a string in quotes' : make(value)
}

/** In quotes of either kind; there is no way to write a quote inside quotes of its own kind. */
function readString(r: Reader): string | null {
  skipBlanks(r)
  const quote = r.text[r.at]
  if (quote !== '"' && quote !== "'") return null
  const end = r.text.indexOf(quote, r.at + 1)
  if (end < 0) return null
  const value = r.text.slice(r.at + 1, end)
  r.at = end + 1
  return value
}

/** A comma may follow the last value, and a set may be empty. */
function readSet(r: Reader, kind: 'in' | 'not in', key: string): Read {
  if (!take(r, '{')) return 'expected {'
  const values: string[] = []
  for (;;) {
    const value = readString(r)
    if (value === null) break
    values.push(value)
    if (!take(r, ',')) break
  }
  return take(r, '}') ? { kind, key, values } : 'expected a string in quotes or }'
}

/** The expression as text that reads back as the same; null where a value has both kinds of quotes. */
export function formatExpression(e: Expression): string | null {
  switch (e.kind) {
    case 'all':
      return 'all()'
    case 'global':
      return 'global()'
    case 'has':
      return `has(${e.key})`
    case '==':
    case '!=':
    case 'contains':
    case 'starts with':
    case 'ends with': {
      const value = quoted(e.value)
      return value && `${e.key} ${e.kind} ${value}`
    }
    case 'in':
    case 'not in': {
      const values = e.values.map(quoted)
      return values.includes(null) ? null : `${e.key} ${e.kind} {${values.join(', ')}}`
    }
    case 'not': {
      const inner = formatExpression(e.of)
      return inner && `!(${inner})`
    }
    case 'and':
    case 'or': {
      const parts = e.of.map(formatExpression)
      return parts.includes(null) ? null : parts.map((p) => `(${p})`).join(e.kind === 'and' ? ' && ' : ' || ')
    }
  }
}

function quoted(value: string): string | null {
  if (!value.includes('"')) return `"${value}"`
  return value.includes("'") ? null : `'${value}'`
}

/** Whether labels satisfy the expression (parser/ast.go): `!=` and `not in` hold where the label is absent. */
export function expressionHolds(
  e: Expression,
  label: (key: string) => string | undefined,
  /** What `all()` and `global()` mean: both everything in a selector, with and without a namespace in a namespaceSelector. */
  words: { readonly all: boolean; readonly global: boolean } = { all: true, global: true },
): boolean {
  switch (e.kind) {
    case 'all':
      return words.all
    case 'global':
      return words.global
    case 'has':
      return label(e.key) !== undefined
    case '==':
      return label(e.key) === e.value
    case '!=':
      return label(e.key) !== e.value
    case 'contains':
      return label(e.key)?.includes(e.value) ?? false
    case 'starts with':
      return label(e.key)?.startsWith(e.value) ?? false
    case 'ends with':
      return label(e.key)?.endsWith(e.value) ?? false
    case 'in':
    case 'not in': {
      const value = label(e.key)
      return (value !== undefined && e.values.includes(value)) === (e.kind === 'in')
    }
    case 'not':
      return !expressionHolds(e.of, label, words)
    case 'and':
      return e.of.every((x) => expressionHolds(x, label, words))
    case 'or':
      return e.of.some((x) => expressionHolds(x, label, words))
  }
}
