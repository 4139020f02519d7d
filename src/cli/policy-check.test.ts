import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { declarePolicy } from './policy.ts'

const MANIFESTS = 'src/cli/fixtures/policy'
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netwhy-policy-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(...args: string[]): Promise<{ out: string; code: number }> {
  let out = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const program = new Command().exitOverride()
  declarePolicy(program)
  try {
    await program.parseAsync(['node', 'netwhy', 'policy', 'check', ...args])
    return { out, code: Number(process.exitCode) }
  } finally {
    write.mockRestore()
    process.exitCode = 0
  }
}

describe('text', () => {
  it.each<[string, number, string[]]>([
    ['service', 1, ['--from', 'shop/web-old', '--to', 'svc/shop/db']],
    ['closed', 1, ['--from', 'tools/client', '--to', 'shop/web', '--port', '8080']],
    ['allowed', 0, ['--from', '10.9.9.9', '--to', 'sts/shop/db', '--port', 'pg']],
    ['outside', 3, ['--from', 'external', '--to', 'sts/shop/db', '--port', '5432']],
    ['workload', 1, ['--from', 'deploy/shop/web', '--to', 'tools/client', '--port', '80']],
  ])('%s', async (name, code, args) => {
    const got = await run(MANIFESTS, ...args)
    await expect(got.out).toMatchFileSnapshot(`fixtures/policy-check/${name}.txt`)
    expect(got.code).toBe(code)
    expect(Math.max(...got.out.split('\n').map((l) => [...l].length))).toBeLessThanOrEqual(80)
  })

  it('markdown', async () => {
    const { out } = await run(MANIFESTS, '--from', 'shop/web-old', '--to', 'svc/shop/db', '-o', 'markdown')
    await expect(out).toMatchFileSnapshot('fixtures/policy-check/service.md')
  })
})

it('JSON as CONTRACT has it, with reasons', async () => {
  const { out } = await run(MANIFESTS, '--from', 'shop/web-old', '--to', 'svc/shop/db', '-o', 'json')
  expect(JSON.parse(out)).toMatchObject({
    apiVersion: 'netwhy/v1',
    kind: 'PolicyAnswer',
    question: { from: 'pod/shop/web-old', to: 'svc/shop/db', protocol: 'tcp', port: null },
    decision: 'deny',
    decides: { from: 'pod/shop/web-old', to: 'sts/shop/db', port: 5432 },
    egress: {
      decision: 'allow',
      isolated: true,
      policies: ['shop/web-out'],
      rule: { policy: 'shop/web-out', file: `${MANIFESTS}/policies.yaml`, line: 19 },
    },
    ingress: { decision: 'deny', isolated: true, policies: ['shop/db-in'], reason: { kind: 'no-rule-matches' } },
  })
})

describe('--queries', () => {
  const ask = async (lines: string[]) => {
    const file = join(folder, 'q.jsonl')
    writeFileSync(file, lines.join('\n'))
    return run(MANIFESTS, '--queries', file)
  }

  it('one answer a line, in order, equal to the single answers', async () => {
    const questions = [
      { from: 'shop/web-old', to: 'shop/db', port: 5432 },
      { from: 'tools/client', to: 'shop/web', protocol: 'tcp', port: '8080' },
      { from: '10.1.1.1', to: 'svc/shop/db:80' },
      { from: 'external', to: 'shop/db', port: 'pg' },
      { from: 'shop/web', to: 'shop/web', port: 8080 },
      { from: 'shop/web', to: 'external', protocol: 'UDP', port: 53 },
    ]
    const { out, code } = await ask(['', ...questions.map((q) => JSON.stringify(q))])
    expect(code).toBe(0)
    const answers = out
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l))
    expect(answers).toHaveLength(questions.length)
    for (const [i, q] of questions.entries()) {
      const options = Object.entries(q).flatMap(([k, v]) => [`--${k}`, String(v)])
      const single = JSON.parse((await run(MANIFESTS, ...options, '-o', 'json')).out)
      expect(answers[i].question).toEqual(single.question)
      for (const d of ['egress', 'ingress']) {
        const { decision, isolated, policies } = single[d]
        expect(answers[i][d]).toMatchObject({ decision, isolated, policies })
      }
      expect(answers[i].decision).toBe(single.decision)
    }
  })

  it.each<[string, string, RegExp]>([
    ['no JSON', 'x', /q\.jsonl:2: not JSON/],
    ['no question', '[]', /q\.jsonl:2: a question is a JSON object/],
    ['an end missing', '{"from":"shop/web"}', /q\.jsonl:2: "to" is missing/],
    ['nobody', '{"from":"shop/web","to":"shop/nobody"}', /q\.jsonl:2: pod\/shop\/nobody is not among the objects/],
    [
      'no such port',
      '{"from":"shop/web","to":"svc/shop/db:81"}',
      /q\.jsonl:2: svc\/shop\/db has no port 81: it has 80\/TCP/,
    ],
    ['port out of range', '{"from":"shop/web","to":"shop/db","port":70000}', /q\.jsonl:2: port 70000: not from 1/],
  ])('%s: nothing is answered, the line is named', async (_, line, message) => {
    await expect(ask(['{"from":"shop/web-old","to":"shop/db","port":1}', line])).rejects.toThrow(message)
  })
})
