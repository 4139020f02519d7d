/** docs/codes.md is up to date, and every code that source code can report is in the table it is made from. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FAULTS } from '../lab/faults/index.ts'
import { CODES, RESERVED } from '../src/diagnose/codes.ts'
import { codesPage } from './codes.mjs'

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

test('docs/codes.md is what scripts/codes.mjs writes', () => {
  expect(readFileSync('docs/codes.md', 'utf8')).toBe(codesPage(CODES, RESERVED))
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
