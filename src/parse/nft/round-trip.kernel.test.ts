/** Real nft loads rulesets into a netns of its own and prints them in every spelling; all must mean the same. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { randomRuleset } from './generate.fixture.ts'
import { parseNftJson, parseNftText } from './index.ts'
import { meaning, opaqueParts } from './meaning.fixture.ts'

const fixtures = new URL('./fixtures/', import.meta.url)
const SPELLINGS = ['', '-a', '-n', '-s', '-j'] as const

/**
 * What `nft OPTION list ruleset` prints for each spelling after loading `input` and then those of `rules` that nft accepts,
 * in a network namespace that ends with it.
 */
function listings(input: string, rules: readonly string[]): Record<(typeof SPELLINGS)[number], string> {
  const script = `ip link set lo up
    printf '%s' "$1" | nft -f - || exit 1
    while IFS= read -r rule; do printf '%s\\n' "$rule" | nft -f - 2>/dev/null; done
    for o in '' -a -n -s -j; do nft $o list ruleset || exit 1; printf '\\001'; done`
  const out = execFileSync('unshare', ['-n', 'sh', '-c', script, 'sh', input], {
    input: rules.map((rule) => `${rule}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  const parts = out.split('\u0001')
  return Object.fromEntries(SPELLINGS.map((s, i) => [s, parts[i]!])) as Record<(typeof SPELLINGS)[number], string>
}

function expectOneMeaning(input: string, rules: readonly string[] = []): void {
  const printed = listings(input, rules)
  const text = parseNftText(printed[''], 'nft')
  expect(text.tables.length).toBeGreaterThan(0)
  expect(opaqueParts(text)).toEqual([])
  const wanted = meaning(text)
  for (const spelling of ['-a', '-n', '-s'] as const)
    expect(withoutCounters(meaning(parseNftText(printed[spelling], 'nft'))), `nft ${spelling}`).toEqual(
      withoutCounters(wanted),
    )
  const json = parseNftJson(printed['-j'], 'nft')
  expect(opaqueParts(json)).toEqual([])
  expect(withoutDevices(meaning(json))).toEqual(withoutDevices(wanted))
  expect(opaqueParts(parseNftText(`${input}\n${rules.join('\n')}\n`, 'input'))).toEqual([])
  const loaded = text.tables.reduce((n, t) => n + [...t.chains.values()].reduce((m, c) => m + c.rules().length, 0), 0)
  expect(loaded).toBeGreaterThan(rules.length / 2)
}

const without =
  (key: string) =>
  (x: unknown): unknown => {
    if (Array.isArray(x)) return x.map(without(key))
    if (typeof x !== 'object' || x === null) return x
    return Object.fromEntries(
      Object.entries(x)
        .filter(([k]) => k !== key)
        .map(([k, v]) => [k, without(key)(v)]),
    )
  }
/** `nft -s` leaves counters out; version 1.0.6 leaves the devices of ingress chains out of its JSON. */
const withoutCounters = without('counters')
const withoutDevices = without('devices')

describe('rulesets written by hand', () => {
  const files = readdirSync(fixtures).filter((f) => f.endsWith('.nft'))
  it.each(files)('%s means the same in every spelling', (file) => {
    expectOneMeaning(readFileSync(new URL(file, fixtures), 'utf8'))
  })
})

describe('generated rulesets', () => {
  it.each(Array.from({ length: 25 }, (_, seed) => seed))('seed %i means the same in every spelling', (seed) => {
    const { table, rules } = randomRuleset(seed)
    expectOneMeaning(table, rules)
  })
})
