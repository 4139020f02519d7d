import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isTar, readTar } from './tar-read.ts'
import { type TarFile, writeTar } from './tar-write.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const archive = (files: TarFile[]) => Buffer.concat([...writeTar(files)])
const read = (bytes: Uint8Array) => readTar(bytes).map((e) => [e.path, new TextDecoder().decode(e.data())])

const segment = fc.stringMatching(/^[a-zA-Z0-9_.é-]{1,40}$/).filter((s) => s !== '.' && s !== '..')
const path = fc.array(segment, { minLength: 1, maxLength: 12 }).map((p) => p.join('/'))

describe('what is written is read', () => {
  test('any paths and contents', () => {
    const file = fc.record({ path, data: fc.uint8Array({ maxLength: 1500 }), mtime: fc.nat(4e9) })
    fc.assert(
      fc.property(fc.uniqueArray(file, { selector: (f) => f.path, maxLength: 8 }), (files) => {
        const entries = readTar(archive(files))
        expect(entries.map((e) => [e.path, [...e.data()]])).toEqual(files.map((f) => [f.path, [...f.data]]))
      }),
      { numRuns: 200 },
    )
  })

  test('paths of every length around the limits of ustar', () => {
    for (const n of [1, 99, 100, 101, 155, 156, 255, 256, 300]) {
      for (const p of ['x'.repeat(n), `${'d'.repeat(Math.max(1, n - 50))}/${'f'.repeat(50)}`]) {
        const long = { path: p, data: bytesOf('1'), mtime: 0 }
        expect(read(archive([long, { path: 'next', data: bytesOf('2'), mtime: 0 }]))).toEqual([
          [p, '1'],
          ['next', '2'],
        ])
      }
    }
  })
})

describe('against tar(1)', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'netwhy-tar-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))
  const long = `${'folder-with-a-long-name/'.repeat(9)}file-with-a-long-name.txt`

  test.each(['gnu', 'ustar', 'pax'])('archives of format %s are read, links are not', (format) => {
    mkdirSync(join(dir, 'in', dirname(long)), { recursive: true })
    writeFileSync(join(dir, 'in', long), 'far')
    writeFileSync(join(dir, 'in', 'near'), 'n'.repeat(1024))
    symlinkSync('/etc/passwd', join(dir, 'in', 'link'))
    const out = execFileSync('tar', ['-C', dir, `--format=${format}`, '-cf', '-', 'in'], { maxBuffer: 1e8 })
    expect(new Map(read(out) as [string, string][])).toEqual(
      new Map([
        [`in/${long}`, 'far'],
        ['in/near', 'n'.repeat(1024)],
      ]),
    )
  })

  test('tar(1) reads what we write', () => {
    const file = join(dir, 'x.tar')
    writeFileSync(
      file,
      archive([
        { path: long, data: bytesOf('far'), mtime: 1e9 },
        { path: 'a/é', data: bytesOf('é'), mtime: 0 },
      ]),
    )
    expect(execFileSync('tar', ['-xOf', file]).toString()).toBe('faré')
    expect(execFileSync('tar', ['--quoting-style=literal', '-tf', file]).toString()).toBe(`${long}\na/é\n`)
  })
})

describe('what is no good archive is refused with its place', () => {
  const good = archive([
    { path: 'a', data: bytesOf('x'.repeat(600)), mtime: 0 },
    { path: 'b', data: bytesOf('y'), mtime: 0 },
  ])

  test.each([
    ['cut inside a file', good.subarray(0, 700), 'cut short: the entry at byte 0 needs 412 more'],
    ['cut between files', good.subarray(0, 1536), 'no end mark'],
    ['cut inside a header', good.subarray(0, 1600), 'ends inside a header at byte 1536'],
    [
      'a flipped byte',
      Buffer.concat([good.subarray(0, 1536), Buffer.from('z'), good.subarray(1537)]),
      'damaged tar header at byte 1536',
    ],
  ])('%s', (_, bytes, message) => expect(() => readTar(bytes)).toThrow(message))

  test('damage anywhere is an error or other content, never a crash or an unsafe path', () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(good)
        bytes[at] = value
        try {
          for (const e of readTar(bytes)) expect(e.data().length).toBe(e.size)
        } catch (e) {
          expect((e as { kind?: string }).kind).toBe('snapshot-format')
        }
      }),
      { numRuns: 500 },
    )
  })

  test.each(['/etc/passwd', '../up', 'a/../../up', '..'])('the path %s is not yielded', (p) => {
    expect(
      read(
        archive([
          { path: p, data: bytesOf('x'), mtime: 0 },
          { path: './ok', data: bytesOf('y'), mtime: 0 },
        ]),
      ),
    ).toEqual([['ok', 'y']])
  })

  test('isTar tells tar from text', () => {
    expect(isTar(good)).toBe(true)
    expect(isTar(bytesOf('hello'.repeat(200)))).toBe(false)
  })
})
