import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { DENY_EGRESS, policy, SHOP } from '../diagnose/policy-diff/world.test-data.ts'
import { declarePolicy } from './policy.ts'

let folder = ''
const at = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netwhy-policy-diff-'))
  mkdirSync(at('base'))
  mkdirSync(at('isolated'))
  writeFileSync(at('base/shop.yaml'), SHOP)
  writeFileSync(at('isolated/shop.yaml'), SHOP + DENY_EGRESS)
  writeFileSync(at('deny.yaml'), DENY_EGRESS)
  const odd = policy(
    'shop',
    'odd',
    '{ podSelector: { matchExpressions: [ { key: app, operator: Near, values: [web] } ] } }',
  )
  writeFileSync(at('odd.yaml'), odd)
  writeFileSync(at('nothing.yaml'), '# nothing\n')
  writeFileSync(
    at('flows.jsonl'),
    '{"from":"deploy/shop/web","to":"10.96.0.10","protocol":"udp","port":53,"rate":214}\n',
  )
  writeFileSync(at('bad.jsonl'), 'prose\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

async function run(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const out: string[] = []
  const err: string[] = []
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => out.push(String(chunk)) > 0),
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => err.push(String(chunk)) > 0),
  ]
  process.exitCode = undefined
  try {
    const program = new Command('netwhy').exitOverride().configureOutput({ writeErr: () => {} })
    declarePolicy(program)
    await program.parseAsync(['node', 'netwhy', 'policy', ...args])
    return { out: out.join(''), err: err.join(''), code: Number(process.exitCode ?? 0) }
  } finally {
    for (const s of spies) s.mockRestore()
    process.exitCode = undefined
  }
}

const FORTH = ['base', 'isolated'] as const
const BACK = ['isolated', 'base'] as const
const SAME = ['base', 'base'] as const

describe('policy diff', () => {
  test.each<[readonly [string, string], string[], number]>([
    [SAME, [], 0],
    [FORTH, [], 1],
    [BACK, [], 0],
    [BACK, ['--fail-on', 'gained'], 1],
    [FORTH, ['--fail-on', 'gained'], 0],
    [FORTH, ['--fail-on', 'any'], 1],
    [FORTH, ['--fail-on', 'none'], 0],
  ])('exit code of %s %s is %i', async ([before, after], options, code) => {
    expect((await run('diff', at(before), at(after), ...options)).code).toBe(code)
  })
  test('equal sets say so', async () => {
    expect((await run('diff', at('base'), at('base'))).out).toMatch(/^✓ no connection changes\n/)
  })
  test('the documented JSON', async () => {
    const { out } = await run('diff', at('base'), at('isolated'), '-o', 'json', '--flows', at('flows.jsonl'))
    const json = JSON.parse(out)
    expect(json).toMatchObject({ apiVersion: 'netwhy/v1', kind: 'PolicyDiff', gained: [], unknown: [] })
    expect(json.lost[0]).toEqual({
      from: 'deploy/shop/web',
      to: 'deploy/kube-system/coredns',
      ports: ['TCP', 'UDP', 'SCTP'],
      declared: ['TCP 5353', 'UDP 5353'],
      dns: true,
      flows: 1,
      flowsPerMinute: 214,
      because: [
        {
          change: 'added',
          object: 'NetworkPolicy shop/no-egress',
          place: expect.stringMatching(/isolated\/shop\.yaml:\d+$/),
          alone: true,
          direction: 'egress',
        },
      ],
    })
  })
  test('text fits 80 columns and tells DNS first', async () => {
    const { out } = await run('diff', at('base'), at('isolated'), '--flows', at('flows.jsonl'))
    const lines = out.split('\n')
    expect(lines.filter((l) => l.length > 80 && !l.includes(folder))).toEqual([])
    expect(lines.slice(3, 5).join()).toContain('DNS')
    expect(out.replace(/\s+/g, ' ')).toContain(
      'would cut 214 flows/min of deploy/shop/web → deploy/kube-system/coredns',
    )
  })
  test('markdown escapes what comes from files', async () => {
    const name = 'a|b<img src=x>@team'
    writeFileSync(at('evil.yaml'), SHOP + policy('shop', `"${name}"`, '{ podSelector: {} }'))
    const { out } = await run('diff', at('base'), at('evil.yaml'), '-o', 'markdown')
    expect(out).toContain('a\\|b\\<img src=x\\>&#64;team')
    expect(out).not.toMatch(/[^\\]<img/)
    expect(out).toContain('<details>')
  })
  test.each([
    [['diff', 'base', 'missing']],
    [['diff', 'base', 'base', '-o', 'xml']],
    [['diff', 'base', 'base', '--fail-on', 'maybe']],
    [['diff', 'base', 'base', '--flows', 'bad.jsonl']],
    [['diff', 'base', 'base', '--flows', 'missing.jsonl']],
  ])('%j is refused', async (args) => {
    const files = args.map((a) => (/^(base|missing|bad)/.test(a) ? at(a) : a))
    await expect(run(...files)).rejects.toThrow()
  })
})

describe('policy what-if', () => {
  test.each<[string[], number]>([
    [['deny.yaml', '--on', 'base'], 1],
    [['deny.yaml', '--on', 'isolated'], 0],
    [['odd.yaml', '--on', 'base'], 3],
    [['odd.yaml', '--on', 'base', '--fail-on', 'none'], 0],
    [['--on', 'isolated', '--delete', 'netpol', 'shop/no-egress'], 0],
    [['--on', 'isolated', '--delete', 'netpol/shop/no-egress', '--fail-on', 'gained'], 1],
    [['--on', 'isolated', '-n', 'shop', '--delete', 'NetworkPolicy', 'no-egress', '--fail-on', 'any'], 1],
    [['deny.yaml', '--on', 'base', '--on', 'odd.yaml'], 1],
    [['deny.yaml', '--on', 'odd.yaml'], 3],
  ])('%j gives %i', async (args, code) => {
    const files = args.map((a) => (/^(base|isolated|deny|odd)/.test(a) ? at(a) : a))
    expect((await run('what-if', ...files)).code).toBe(code)
  })
  test('a deleted workload vanishes', async () => {
    const { out } = await run('what-if', '--on', at('base'), '--delete', 'deploy', 'shop/api', '-o', 'json')
    expect(JSON.parse(out)).toMatchObject({
      lost: [],
      gained: [],
      workloads: { appeared: [], vanished: ['deploy/shop/api'] },
    })
  })
  test.each([
    [['--on', 'base'], /nothing would change/],
    [['deny.yaml'], /on what/],
    [['nothing.yaml', '--on', 'base'], /no object/],
    [['--on', 'base', '--delete', 'netpol', 'shop/nope'], /there is no NetworkPolicy shop\/nope/],
    [['--on', 'base', '--delete', 'netpol', 'shop/x', 'deny.yaml'], /MANIFESTs come before --delete/],
  ])('%j is refused', async (args, message) => {
    const files = args.map((a) => (/^(base|deny|nothing)/.test(a) && a !== 'deny.yaml' ? at(a) : a))
    await expect(
      run('what-if', ...files.map((a) => (a === 'deny.yaml' && !args.includes('--delete') ? at(a) : a))),
    ).rejects.toThrow(message)
  })
})

describe('policy generate', () => {
  test('YAML on stdout, the test of it on stderr', async () => {
    const { out, err, code } = await run('generate', at('base'), '--flows', at('flows.jsonl'))
    expect(code).toBe(0)
    expect(out).toContain('name: web-allow')
    expect(err).toContain('1 policies; 3 of 3 connections')
    writeFileSync(at('generated.yaml'), out)
    expect(
      (await run('what-if', at('generated.yaml'), '--on', at('base'), '--flows', at('flows.jsonl'), '-o', 'json')).out,
    ).toContain('"cut": []')
  })
  test('JSON', async () => {
    const { out } = await run('generate', at('base'), '--from-matrix', '-o', 'json')
    expect(JSON.parse(out)).toMatchObject({ kind: 'PolicyGeneration', verified: { refused: [], beyond: [] } })
  })
  test.each([
    [[]],
    [['--from-matrix', '--flows', 'x']],
    [['--from-matrix', '-o', 'text']],
    [['--from-matrix', '-n', 'nowhere']],
  ])('%j is refused', async (args) => {
    await expect(run('generate', at('base'), ...args)).rejects.toThrow()
  })
})
