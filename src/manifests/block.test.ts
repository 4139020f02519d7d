import fc from 'fast-check'
import { loadAll } from 'js-yaml'
import { expect, it } from 'vitest'
import { readBlocks } from './block.ts'
import { KUBECTL_SCHEMA } from './yaml11.ts'

/** What the parser makes of it; a text it refuses, or takes for other than one document, is none. */
function parsed(text: string): { readonly value: unknown } | null {
  try {
    const all = loadAll(text, { schema: KUBECTL_SCHEMA })
    return all.length === 1 ? { value: all[0] } : null
  } catch {
    return null
  }
}

it('reads what manifests are mostly made of', () => {
  const text = `# top
kind: Pod
metadata:
  name: web
  labels: {}
  annotations:
    example.com/x: "yes: # no"
spec:
  on-call: yes
  containers:
  - name: c
    ports:
    - containerPort: 0644
    - name: http

    args: [a, yes, 1]
  -   image: x:1.2
      env:
      -
        name: e
  tolerations:
  - - a
    - b
  empty:
`
  expect(readBlocks(text)).toEqual(parsed(text)!.value)
})

it.each([
  'a: |\n  b: c\n',
  'a: b: c\n',
  'a: b # c\n',
  'a: b\n  c\n',
  'a: &x b\nc: *x\n',
  'a: {b: c}\n',
  'on: a\n',
  'a: 1\na: 2\n',
  '1: a\n',
  '"a": b\n',
  'a: "\\n"\n',
  "a: 'it''s'\n",
  'a: é\n',
  '<<: a\n',
  '--- a\n',
  'a\n',
  'a: @b\n',
  'a:\n\tb: c\n',
  'a: -\n',
  'a: - b\n',
  '__proto__: {}\n',
])('leaves %j to the parser', (text) => {
  expect(readBlocks(text)).toBe(undefined)
})

it('what it reads, the parser reads the same: any lines at all', () => {
  const rarely = <T>(often: readonly T[], seldom: readonly T[]) =>
    fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...often) }, { weight: 1, arbitrary: fc.constantFrom(...seldom) })
  const word = rarely(
    [
      'a',
      'b',
      'yes',
      'n',
      '0644',
      '1e3',
      '1:30',
      '-1',
      '.5',
      '"x"',
      "'x y'",
      '{}',
      '[]',
      '[a, 1]',
      'x y',
      'a:b',
      'http://x',
    ],
    [
      ...[
        '- c',
        '-',
        '?',
        '~',
        'null',
        'a#b',
        'x # y',
        'a: b',
        'a:',
        '|',
        '>-',
        '&a',
        '*a',
        '!t x',
        '%x',
        '@x',
        '{a: b}',
        '"x',
      ],
      ...[
        '...',
        '---',
        '--',
        'x,',
        'é',
        'x"y',
        "x'",
        'a-',
        'a -',
        '-a',
        '.',
        '+',
        '[a,]',
        '[ a ]',
        '[a b]',
        '""',
        "''",
        '[]x',
      ],
    ],
  )
  const key = rarely(
    ['a', 'b', 'c', 'd', 'x/y', 'a.b-c', 'k'],
    ['on', 'y', '1', '"q"', '<<', '?', '-', '_', 'N', 'null'],
  )
  const line = fc
    .tuple(
      rarely([0, 0, 2, 2, 4], [1, 3, 6]),
      rarely(['', '', '', '- '], ['-   ', '- - ', '-']),
      fc.option(key, { freq: 6 }),
      fc.option(word, { freq: 2 }),
      rarely([''], [' ', ' # z', '\t']),
    )
    .map(([indent, dash, k, w, end]) => {
      const text = `${k === null ? '' : `${k}:`}${k !== null && w !== null ? ' ' : ''}${w ?? ''}`
      return `${' '.repeat(indent)}${dash}${text}${end}`
    })
  let read = 0
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 7 }), (lines) => {
      const text = `${lines.join('\n')}\n`
      const quick = readBlocks(text)
      if (quick === undefined) return
      read++
      expect({ text, value: quick }).toEqual({ text, value: parsed(text)?.value })
    }),
    { numRuns: 20_000 },
  )
  expect(read).toBeGreaterThan(1000)
})

it('reads every nesting that is written plainly', () => {
  const leaf = fc.constantFrom<unknown>('a', 'x y', 1, 8080, true, null, 'http://x:1')
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3, minLength: 1 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'key-c', 'x/d'), tie('tree'), { maxKeys: 3, minKeys: 1 }),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('k', 'l', 'm'), tree, { minKeys: 1 }), fc.boolean(), (value, flush) => {
      expect(readBlocks(written(value, 0, flush))).toEqual(value)
    }),
    { numRuns: 1000 },
  )
})

/** Block style, the items of sequences below their key or two further in. */
function written(value: unknown, indent: number, flush: boolean): string {
  const pad = ' '.repeat(indent)
  if (Array.isArray(value))
    return value
      .map((v) => `${pad}- ${isBlock(v) ? written(v, indent + 2, flush).slice(indent + 2) : `${v}\n`}`)
      .join('')
  return Object.entries(value as object)
    .map(
      ([k, v]) =>
        `${pad}${k}:${isBlock(v) ? `\n${written(v, indent + (flush && Array.isArray(v) ? 0 : 2), flush)}` : ` ${v}\n`}`,
    )
    .join('')
}
const isBlock = (v: unknown) => typeof v === 'object' && v !== null
