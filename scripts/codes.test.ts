/** docs/codes.md and the page of each code are up to date, and every code that source code can report is in the table it is made from. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FAULTS } from '../lab/faults/index.ts'
import { CODES, RESERVED } from '../src/diagnose/codes.ts'
import { codesPages, exhibits } from './codes.mjs'

const reserved = Object.values(RESERVED).flat()

/** String literals of the sources that report findings, tests and the table itself left out. */
function literals(): Set<string> {
  const files = ['src/diagnose', 'src/collect', 'src/report'].flatMap((dir) =>
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.startsWith('testing/') && f !== 'codes.ts')
      .map((f) => join(dir, f)),
  )
  return new Set(files.flatMap((f) => readFileSync(f, 'utf8').match(/'[a-z0-9]+(?:-[a-z0-9]+)*'/g) ?? []))
}

const shown = exhibits(FAULTS)

test('the pages of docs are what scripts/codes.mjs writes', () => {
  const stale = [...codesPages(CODES, RESERVED, shown)].filter(
    ([path, text]) => readFileSync(join('docs', path), 'utf8') !== text,
  )
  expect(stale.map(([path]) => path)).toEqual([])
  const files = readdirSync('docs/codes').map((f) => f.replace(/\.md$/, ''))
  expect(files.filter((f) => !(f in CODES))).toEqual([])
})

test('every code is shown with and without its fault', () => {
  const bare = Object.keys(CODES).filter((code) => {
    const e = shown[code]
    return !e || e.lab.length + e.cases.length + e.golden.length + e.tests.length === 0
  })
  expect(bare).toEqual([])
})

test('what is reported is in the table, and what is in the table is reported', () => {
  const said = literals()
  expect(Object.keys(CODES).filter((c) => !said.has(`'${c}'`))).toEqual([])
  expect(reserved.filter((c) => said.has(`'${c}'`))).toEqual([])
  const all = [...Object.keys(CODES), ...reserved]
  expect(new Set(all).size).toBe(all.length)
  // Findings made without `diagnosis`, whose type already asks for a code of the table.
  const sources = readdirSync('src/diagnose', { recursive: true, encoding: 'utf8' }).filter(
    (f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.startsWith('testing/'),
  )
  const direct = sources.flatMap((f) => [
    ...readFileSync(join('src/diagnose', f), 'utf8').matchAll(/\bcode: (?:code\()?'([a-z0-9-]+)'/g),
  ])
  expect(direct.length).toBeGreaterThan(4)
  expect(direct.map((m) => m[1]!).filter((c) => !(c in CODES))).toEqual([])
})

test('the lab breaks only what has a code that is reported', () => {
  expect(FAULTS.map((f) => f.code).filter((c) => !(c in CODES))).toEqual([])
})
