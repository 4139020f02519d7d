import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { declareGuard } from './guard.ts'
import { everySeconds, lookAgain, onFileChange } from './guard-watch.ts'

const FILE = 'src/cli/fixtures/guard/expectations.yaml'
const MANIFESTS = 'src/cli/fixtures/policy'
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netwhy-guard-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(...args: string[]): Promise<{ out: string; code: number }> {
  let out = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const program = new Command().exitOverride()
  declareGuard(program)
  try {
    await program.parseAsync(['node', 'netwhy', 'guard', ...args])
    return { out, code: Number(process.exitCode) }
  } finally {
    write.mockRestore()
    process.exitCode = 0
  }
}

function file(expectations: string): string {
  const path = join(folder, 'e.yaml')
  writeFileSync(path, `apiVersion: netwhy/v1\nkind: Expectations\nexpect:\n${expectations}`)
  return path
}

describe('formats', () => {
  it.each(['text', 'wide', 'json', 'yaml', 'junit', 'sarif', 'markdown'])('%s', async (format) => {
    const { out, code } = await run(FILE, MANIFESTS, '-o', format)
    await expect(out).toMatchFileSnapshot(`fixtures/guard/report.${format}`)
    expect(code).toBe(1)
  })

  it('SARIF has what 2.1.0 requires', async () => {
    const sarif = JSON.parse((await run(FILE, MANIFESTS, '-o', 'sarif')).out)
    expect(sarif.version).toBe('2.1.0')
    const [{ tool, results }] = sarif.runs
    expect(tool.driver.name).toBe('netwhy')
    for (const r of results) {
      expect(tool.driver.rules[r.ruleIndex].id).toBe(r.ruleId)
      expect(r.message.text).not.toBe('')
      for (const l of [...r.locations, ...(r.relatedLocations ?? [])]) {
        expect(l.physicalLocation.artifactLocation.uri).toMatch(/^[\w./%~-]+$/)
        expect(l.physicalLocation.region?.startLine ?? 1).toBeGreaterThan(0)
      }
    }
    const db = results.find((r: { message: { text: string } }) => r.message.text.startsWith('db is for shop'))
    expect(db.locations[0].physicalLocation.region.startLine).toBe(7)
    expect(db.relatedLocations[0].physicalLocation.artifactLocation.uri).toBe(`${MANIFESTS}/policies.yaml`)
  })

  it('JUnit is well-formed, whatever names are', async () => {
    const { out } = await run(FILE, MANIFESTS, '-o', 'junit')
    const open: string[] = []
    const rest = out.replace(
      /<(\/?)([a-z-]+)((?: [a-z]+="[^"<&]*(?:&#\d+;[^"<&]*)*")*)(\/?)>/g,
      (_, end, tag, __, empty) => {
        if (end) expect(open.pop()).toBe(tag)
        else if (!empty) open.push(tag)
        return ''
      },
    )
    expect(open).toEqual([])
    expect(rest.replace('<?xml version="1.0" encoding="UTF-8"?>', '').replace(/&#\d+;/g, '')).not.toMatch(/[<>&]/)
    expect(out).not.toContain('\u202e')
  })
})

describe('exit code', () => {
  it.each<[string, number, string, string[]]>([
    ['all hold', 0, '  - { from: shop/web, to: tools/client, port: 80, reaches: false }\n', []],
    ['one broken', 1, '  - { from: tools/client, to: shop/web, port: 80 }\n', []],
    ['a broken warning', 1, '  - { from: tools/client, to: shop/web, port: 80, severity: warning }\n', []],
    [
      'a warning let pass',
      0,
      '  - { from: tools/client, to: shop/web, port: 80, severity: warning }\n',
      ['--fail-on', 'error'],
    ],
    ['one unknown', 3, '  - { from: shop/web, to: svc/shop/db }\n', []],
    ['nobody', 1, '  - { from: shop/wbe, to: shop/db, port: 1 }\n', []],
    ['nobody, permitted', 0, '  - { from: shop/wbe, to: shop/db, port: 1, allowEmpty: true }\n', []],
  ])('%s', async (_, code, text, args) => {
    expect((await run(file(text), MANIFESTS, ...args)).code).toBe(code)
  })
})

describe('one clear line', () => {
  it.each<[string, RegExp]>([
    ['  - { from: a/b, too: c/d:1 }\n', /e\.yaml:4: unknown key too in an expectation; did you mean to\?$/],
    ['  - from: a/b\n    to: c/d:1\n    severity: fatal\n', /e\.yaml:6: severity must be error or warning$/],
    ['  - { from: everyon, to: c/d:1 }\n', /e\.yaml:4: everyon: not understood; did you mean everyone\?$/],
    ['  - { from: a/b/c/d, to: c/d:1 }\n', /e\.yaml:4: a\/b\/c\/d: not understood/],
    [
      '  - { from: a/b, to: { namespaces: x }, port: 1 }\n',
      /e\.yaml:4: unknown key namespaces in a selector; did you mean namespace\?$/,
    ],
    ['  - { from: a/b, to: everyone }\n', /e\.yaml:4: on which port\?/],
    ['  - { from: a/b:1, to: c/d:1 }\n', /e\.yaml:4: the port belongs to the other end$/],
    ['  - { from: a/b, to: c/d, port: 70000 }\n', /e\.yaml:4: port 70000: must be 1 to 65535/],
    [
      '  - { from: a/b, to: { labels: { app: 1 } }, port: 1 }\n',
      /e\.yaml:4: label app must be text; put it in quotes$/,
    ],
    ['  - { from: a/b }\n', /e\.yaml:4: the expectation has no to$/],
    [
      '  - { from: a/b, to: c/d:1 }\n  - { from: a/b, to: c/d:1 }\n',
      /e\.yaml:5: another expectation is named .* at line 4$/,
    ],
    ['  - { from: a/b, to: "c/d:1\n', /e\.yaml:\d+: /],
    ['  - { from: { not: { any: [] } }, to: c/d:1 }\n', /e\.yaml:4: an empty list stands for nobody$/],
  ])('%j', async (text, message) => {
    await expect(run(file(text), MANIFESTS)).rejects.toMatchObject({ code: 2, message: expect.stringMatching(message) })
  })

  it.each([
    ['--most', '0'],
    ['--watch', 'x'],
    ['-o', 'html'],
    ['--fail-on', 'info'],
  ])('%s %s', async (...args) => {
    await expect(run(FILE, MANIFESTS, ...args)).rejects.toMatchObject({ code: 2 })
  })
})

it('init proposes what holds', async () => {
  const { out } = await run('init', MANIFESTS)
  await expect(out).toMatchFileSnapshot('fixtures/guard/init.yaml')
})

describe('watch', () => {
  it('tells the first look whole, then each one beside the one before, until it is stopped', async () => {
    const looks: (string | null)[] = ['holds', 'holds', null, 'broken']
    const told: (string | null)[][] = []
    const nexts = [true, true, true, false]
    const last = await lookAgain<string>(
      () => Promise.resolve(looks.shift() ?? null),
      () => Promise.resolve(nexts.shift() ?? false),
      (now, before) => told.push([now, before]),
    )
    expect(told).toEqual([
      ['holds', null],
      ['holds', 'holds'],
      ['broken', 'holds'],
    ])
    expect(last).toBe('broken')
  })

  /** Time passes when told. */
  function clock() {
    const waiting = new Map<() => void, number>()
    return {
      waiting,
      after(milliseconds: number, call: () => void) {
        waiting.set(call, milliseconds)
        return () => void waiting.delete(call)
      },
      pass() {
        const calls = [...waiting.keys()]
        waiting.clear()
        for (const call of calls) call()
      },
    }
  }

  it('every so many seconds', async () => {
    const abort = new AbortController()
    const time = clock()
    const next = everySeconds(30, abort.signal, time)
    const first = next()
    expect([...time.waiting.values()]).toEqual([30_000])
    time.pass()
    expect(await first).toBe(true)
    const second = next()
    abort.abort()
    expect(await second).toBe(false)
    expect(time.waiting.size).toBe(0)
  })

  it('when a file changes, and only then', async () => {
    const path = file('  - { from: a/b, to: c/d:1 }\n')
    const abort = new AbortController()
    const time = clock()
    const next = onFileChange([path], 2, abort.signal, time)
    let woken = 0
    const first = next().then((again) => {
      woken++
      return again
    })
    time.pass()
    await Promise.resolve()
    expect(woken).toBe(0)
    writeFileSync(path, 'changed')
    time.pass()
    expect(await first).toBe(true)
    const second = next()
    abort.abort()
    expect(await second).toBe(false)
  })

  it('hears of a change from the kernel', async () => {
    const path = file('  - { from: a/b, to: c/d:1 }\n')
    const abort = new AbortController()
    const next = onFileChange([folder], 3600, abort.signal)()
    writeFileSync(path, 'changed')
    expect(await next).toBe(true)
    abort.abort()
  })
})
