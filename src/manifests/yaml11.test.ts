import { loadAll } from 'js-yaml'
import { expect, it } from 'vitest'
import { KUBECTL_SCHEMA } from './yaml11.ts'

// SOURCE: kubectl 1.32, `kubectl annotate --local -f - a=b -o json` of an object with `k: VALUE`; every row was read off it.
it.each<[string, unknown]>([
  ...['yes', 'Yes', 'on', 'y', 'Y', 'True'].map((t): [string, unknown] => [t, true]),
  ...['no', 'off', 'n', 'N', 'FALSE'].map((t): [string, unknown] => [t, false]),
  ...['~', 'null', 'Null', 'NULL', ''].map((t): [string, unknown] => [t, null]),
  ...['tRue', 'nULL', '_1', '1.2.3', '12e', '0b2', '0xg', '0o', '0x', '1e400', '+', '.', '=', '1,000'].map(
    (t): [string, unknown] => [t, t],
  ),
  ...['1:30', '190:20:30', '2026-11-20', '2001-12-14t21:59:43.10-05:00'].map((t): [string, unknown] => [t, t]),
  ...(
    [
      ['0644', 420],
      ['0o17', 15],
      ['0O17', 15],
      ['017', 15],
      ['-012', -10],
      ['-0o17', -15],
      ['08', 8],
      ['0_8', 8],
      ['1_000', 1000],
      ['1_', 1],
      ['0x1F', 31],
      ['0X1f', 31],
      ['+0x1f', 31],
      ['0b11', 3],
      ['-0b11', -3],
      ['+12', 12],
      ['00', 0],
      ['-0', 0],
      ['1e3', 1000],
      ['1E+3', 1000],
      ['1.5e3', 1500],
      ['.5', 0.5],
      ['-.5', -0.5],
      ['5.', 5],
      ['01.5', 1.5],
      ['1_0.5_0', 10.5],
    ] as const
  ).map(([t, v]): [string, unknown] => [t, v]),
  ['"yes"', 'yes'],
  ["'0644'", '0644'],
  ['!!str 123', '123'],
  ['!!int "12"', 12],
  ['!!bool yes', true],
  ['!foo bar', 'bar'],
  [
    '{n: 1, on: 1, 0644: 1, 1.5: 1, 2026-01-01: 1, 1e3: 1}',
    { false: 1, true: 1, 420: 1, 1.5: 1, '2026-01-01': 1, 1000: 1 },
  ],
])('%s is %j', (text, value) => {
  expect(loadAll(`k: ${text}\n`, { schema: KUBECTL_SCHEMA })).toEqual([{ k: value }])
})
