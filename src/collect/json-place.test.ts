import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonErrorOffset } from './json-place.ts'

test.each([
  ['{"a":\n  oops}', 8],
  ['{"a": 1,}', 8],
  ['[1 2]', 3],
  ['{"a" 1}', 5],
  ['[1]]', 3],
  ['{]', 1],
  ['{1:2}', 1],
  ['["\\x"]', 1],
  ['[01]', 2],
  ['', 0],
  ['[1,', 3],
])('%j goes wrong at %i', (text, offset) => expect(jsonErrorOffset(text)).toBe(offset))

test('good JSON goes wrong nowhere, cut JSON at its end, and what follows it right behind', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, n) => {
      expect(jsonErrorOffset(json)).toBe(json.length)
      expect(jsonErrorOffset(`[${json},`)).toBe(json.length + 2)
      expect(jsonErrorOffset(`[${json}}`)).toBe(json.length + 1)
      expect(jsonErrorOffset(json.slice(0, n % (json.length + 1)))).toBeLessThanOrEqual(json.length)
    }),
  )
})
