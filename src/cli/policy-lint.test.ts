import { Command } from 'commander'
import { describe, expect, it, vi } from 'vitest'
import { LINT_CODES } from '../diagnose/policy-lint/codes.ts'
import { declarePolicy } from './policy.ts'

const BROKEN = 'src/cli/fixtures/policy-lint/broken'
const HEALTHY = 'src/cli/fixtures/policy-lint/healthy'

async function run(...args: string[]): Promise<{ out: string; code: number }> {
  let out = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const program = new Command().exitOverride()
  declarePolicy(program)
  try {
    await program.parseAsync(['node', 'netwhy', 'policy', 'lint', ...args])
    return { out, code: Number(process.exitCode) }
  } finally {
    write.mockRestore()
    process.exitCode = 0
  }
}

describe('output', () => {
  it.each([
    ['broken.txt', [BROKEN]],
    ['healthy.txt', [HEALTHY]],
    ['broken.md', [BROKEN, '-o', 'markdown']],
    ['broken.sarif', [BROKEN, '-o', 'sarif']],
  ])('%s', async (name, args) => {
    const { out } = await run(...args)
    await expect(out).toMatchFileSnapshot(`fixtures/policy-lint/${name}`)
    // Manifests are as people wrote them, nine columns in.
    const prose = name.endsWith('.txt') ? out.split('\n').filter((l) => !l.startsWith('         ')) : []
    for (const line of prose) expect([...line].length, line).toBeLessThanOrEqual(80)
  })

  it('JSON with places and verified corrections', async () => {
    const report = JSON.parse((await run(BROKEN, '-o', 'json')).out)
    expect(report).toMatchObject({ apiVersion: 'netwhy/v1', kind: 'PolicyLint', policies: 3, counts: { error: 0 } })
    const [f] = report.findings
    expect(f).toMatchObject({
      code: 'policy-uses-service-port',
      severity: 'warning',
      where: { object: 'NetworkPolicy shop/api' },
      remedy: { verified: true },
    })
    expect(f.evidence[0]).toMatchObject({ artefact: `${BROKEN}/shop.yaml`, line: 69 })
  })

  it('SARIF names a rule for each result and a line for each place', async () => {
    const { runs } = JSON.parse((await run(BROKEN, '-o', 'sarif')).out)
    const [{ tool, results }] = runs
    for (const r of results) {
      expect(tool.driver.rules[r.ruleIndex].id).toBe(r.ruleId)
      expect(r.locations[0].physicalLocation.region.startLine).toBeGreaterThan(0)
    }
  })
})

describe('exit code', () => {
  it.each<[string, number, string[]]>([
    ['warnings', 1, [BROKEN]],
    ['warnings, failing on errors only', 0, [BROKEN, '--fail-on', 'error']],
    ['nothing', 0, [HEALTHY, '--fail-on', 'info']],
  ])('%s', async (_, code, args) => {
    expect((await run(...args)).code).toBe(code)
  })

  it.each([
    [[BROKEN, '--fail-on', 'fatal'], /--fail-on fatal: must be one of error, warning, info/],
    [[BROKEN, '-o', 'xml'], /--output xml: must be one of/],
    [['no-such-folder'], /no-such-folder/],
    [[], /no manifests/],
  ])('2: %j', async (args, message) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 2, message: expect.stringMatching(message) })
  })
})

it('docs/lint-codes.md lists every code (vitest -u writes it)', async () => {
  const rows = Object.entries(LINT_CODES).map(([code, c]) => `| \`${code}\` | ${c.meaning} | ${c.remedy} |`)
  const text = `# Codes of \`netwhy policy lint\`

Written from \`src/diagnose/policy-lint/codes.ts\`. A code that [codes.md](codes.md) has too is the same mistake, seen there as the cause
of a failed connection.

| code | what is wrong | what to do |
|---|---|---|
${rows.join('\n')}
`
  await expect(text).toMatchFileSnapshot('../../docs/lint-codes.md')
})
