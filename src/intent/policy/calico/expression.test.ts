import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Expression, expressionHolds, formatExpression, parseExpression } from './expression.ts'

/** Rows of libcalico-go/lib/selector/parser/parser_test.go and of the grammar in its tokenizer. */
const HOLDS: readonly (readonly [text: string, labels: Record<string, string>, holds: boolean])[] = [
  ['', {}, true],
  ['  \t', {}, true],
  ['all()', {}, true],
  ['all( )', {}, true],
  ['global()', { a: 'b' }, true],
  ['has(a)', { a: '' }, true],
  ['has( a )', { a: '' }, true],
  ['has(a)', { b: '' }, false],
  ['!has(a)', { b: '' }, true],
  ['!!has(a)', { a: '' }, true],
  ["a == 'b'", { a: 'b' }, true],
  ['a=="b"', { a: 'b' }, true],
  ["a == 'b'", {}, false],
  // Calico differs from what people expect of SQL: != and not in hold where the label is absent.
  ["a != 'b'", {}, true],
  ["a != 'b'", { a: 'b' }, false],
  ["a not in {'b'}", {}, true],
  ["a notin {'b'}", { a: 'b' }, false],
  ['a in {\'b\', "c"}', { a: 'c' }, true],
  ["a in {'b',}", { a: 'b' }, true],
  ['a in {}', { a: 'b' }, false],
  ['a not in {}', { a: 'b' }, true],
  ["a contains 'x'", { a: 'fxo' }, true],
  ["a contains ''", { a: '' }, true],
  ["a contains 'x'", {}, false],
  ["!(a contains 'x')", {}, true],
  ["a starts with 'b'", { a: 'bc' }, true],
  ["a startswith 'b'", { a: 'cb' }, false],
  ["a ends with 'c'", { a: 'bc' }, true],
  ["a.b/c_d-e == 'f'", { 'a.b/c_d-e': 'f' }, true],
  // Keywords are names too, where a name is expected.
  ["in in {'x'} && all == 'y' && has == 'z'", { in: 'x', all: 'y', has: 'z' }, true],
  ["contains contains 'x'", { contains: 'x' }, true],
  // && binds tighter than ||, and ! tighter than both.
  ["a == 'x' || b == 'y' && c == 'z'", { a: 'x' }, true],
  ["(a == 'x' || b == 'y') && c == 'z'", { a: 'x' }, false],
  ["!a == 'x' || b == 'y'", { a: 'x', b: 'y' }, true],
  ["!(a == 'x' || b == 'y')", { a: 'x', b: 'y' }, false],
  ["a == '\"'", { a: '"' }, true],
]

const REFUSED = [
  'a',
  "'a' == b",
  'a == b',
  "a = 'b'",
  "a & b == 'c'",
  "a == 'b",
  "a == 'b' &&",
  "a == 'b' c == 'd'",
  "(a == 'b'",
  "a == 'b')",
  'has()',
  'has(a',
  'has (a)',
  'all',
  'all(x)',
  "a in 'b'",
  "a in {'b'",
  "a in {,'b'}",
  "a starts 'b'",
  "a not 'b'",
  '!',
  '()',
  // A selector written over several lines of YAML: only space and tab are blanks.
  "a == 'b'\n",
  "a == 'b' &&\n b == 'c'",
  'ä == "b"',
]

const holds = (text: string, labels: Record<string, string>) => {
  const parsed = parseExpression(text)
  if (!parsed.ok) throw new Error(parsed.why)
  return expressionHolds(parsed.expression, (key) => (Object.hasOwn(labels, key) ? labels[key] : undefined))
}

describe('Calico selector expressions', () => {
  it.each(HOLDS)('%s with %j: %s', (text, labels, expected) => expect(holds(text, labels)).toBe(expected))
  it.each(REFUSED)('refuses %j', (text) => expect(parseExpression(text)).toMatchObject({ ok: false }))
  it('says where and what is wrong', () =>
    expect(parseExpression("a == 'b' & c == 'd'")).toEqual({ ok: false, why: 'unexpected text', at: 9 }))

  const key = fc.stringMatching(/^[a-zA-Z0-9_./-]{1,8}$/)
  const value = fc.string({ maxLength: 6 }).filter((v) => !(v.includes('"') && v.includes("'")))
  const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Expression>({ kind: 'all' }, { kind: 'global' }),
      fc.record({ kind: fc.constant('has' as const), key }),
      fc.record({ kind: fc.constantFrom('==', '!=', 'contains', 'starts with', 'ends with' as const), key, value }),
      fc.record({ kind: fc.constantFrom('in', 'not in' as const), key, values: fc.array(value, { maxLength: 3 }) }),
      fc.record({ kind: fc.constant('not' as const), of: tie('expression') }),
      fc.record({
        kind: fc.constantFrom('and', 'or' as const),
        of: fc.array(tie('expression'), { minLength: 2, maxLength: 3 }),
      }),
    ),
  }))

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(expression, (e) => {
        const text = formatExpression(e)
        expect(parseExpression(text ?? '')).toEqual({ ok: true, expression: e })
      }),
      { numRuns: 300 },
    )
  })
  it('never throws, whatever the text', () => {
    const piece = fc.constantFrom(
      '(',
      ')',
      '!',
      '&&',
      '||',
      'a',
      '==',
      '!=',
      "'",
      '"',
      '{',
      '}',
      ',',
      'in',
      'not',
      'has(',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((p) => p.join(' ')),
        ),
        (text) => {
          expect(() => parseExpression(text)).not.toThrow()
        },
      ),
      { numRuns: 500 },
    )
  })
  it('bounds hostile text', () => {
    expect(parseExpression(`${'('.repeat(10_000)}a`)).toMatchObject({ ok: false, why: 'more than 60 parentheses deep' })
    expect(parseExpression(`${'!'.repeat(15_000)}has(a)`).ok).toBe(true)
    expect(parseExpression('a'.repeat(20_001))).toMatchObject({ ok: false })
    expect(parseExpression(`has(a)${' && has(a)'.repeat(1_900)}`).ok).toBe(true)
  })
})
