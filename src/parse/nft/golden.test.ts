import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { meaning } from './meaning.fixture.ts'
import { parseNftText } from './text.ts'

/** `FAMILY: RULE` lines; the lines under each say what it means, one part a line. */
const file = new URL('./golden/rules.txt', import.meta.url)

describe('the meaning of single rules', () => {
  it('is as in golden/rules.txt', async () => {
    const rules = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /^(?:ip|ip6|inet|bridge|netdev): /.test(line))
    expect(rules.length).toBeGreaterThan(150)
    const shown = rules.map((line) => {
      const [, family, rule] = /^(\w+): (.*)$/.exec(line)!
      const ruleset = parseNftText(`table ${family} t {\n\tchain c {\n\t\t${rule}\n\t}\n}\n`, 'x')
      const found = ruleset.tables[0]!.chains.get('c')!.rules()
      expect(found.length, line).toBe(1)
      return [line, ...found[0]!.parts.map((p) => `    ${JSON.stringify(meaning(p))}`)].join('\n')
    })
    await expect(`${shown.join('\n')}\n`).toMatchFileSnapshot('./golden/rules.txt')
  })
})
