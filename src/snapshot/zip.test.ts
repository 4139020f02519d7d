import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { isZip, readZip } from './zip-read.ts'

interface File {
  readonly name: string
  readonly text: string
  readonly method?: number
  readonly flags?: number
  readonly mode?: number
  /** Size to claim, when it is not the true one. */
  readonly claim?: number
}

/** A zip archive as APPNOTE 6.3 lays it out. */
function zip(files: readonly File[]): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const f of files) {
    const raw = Buffer.from(f.text)
    const method = f.method ?? 8
    const data = method === 8 ? deflateRawSync(raw) : raw
    const name = Buffer.from(f.name)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt16LE(f.flags ?? 0, 8)
    central.writeUInt16LE(method, 10)
    central.writeUInt32LE(data.length, 20)
    central.writeUInt32LE(f.claim ?? raw.length, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt32LE(((f.mode ?? 0o100644) << 16) >>> 0, 38)
    central.writeUInt32LE(offset, 42)
    locals.push(local, name, data)
    directory.push(central, name)
    offset += 30 + name.length + data.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end, Buffer.from('a comment')])
}

const inflate = (data: Uint8Array, limit: number) => inflateRawSync(data, { maxOutputLength: Math.max(1, limit) })
const read = (bytes: Buffer) => readZip(bytes, inflate).map((e) => [e.path, new TextDecoder().decode(e.data())])

test('stored and deflated files are read; folders, links and climbing paths are not', () => {
  const bytes = zip([
    { name: 'a/b.txt', text: 'hello '.repeat(100) },
    { name: 'c', text: 'stored', method: 0 },
    { name: 'empty', text: '' },
    { name: 'folder/', text: '', method: 0 },
    { name: 'link', text: '/etc/passwd', mode: 0o120777 },
    { name: '../up', text: 'x' },
  ])
  expect(isZip(bytes)).toBe(true)
  expect(read(bytes)).toEqual([
    ['a/b.txt', 'hello '.repeat(100)],
    ['c', 'stored'],
    ['empty', ''],
  ])
})

describe('refused', () => {
  const bomb = zip([{ name: 'bomb', text: '0'.repeat(1e6), claim: 10 }])
  test.each([
    ['an entry larger than it says', bomb, 'damaged zip entry bomb'],
    ['an entry smaller than it says', zip([{ name: 'x', text: 'abc', claim: 10 }]), 'has 3 bytes, not 10'],
    ['an entry over the limit', zip([{ name: 'x', text: 'abc', claim: 0x7fffffff }]), 'larger than its limit'],
    ['encryption', zip([{ name: 'x', text: 'abc', flags: 1 }]), 'encrypted'],
    ['another method', zip([{ name: 'x', text: 'abc', method: 12 }]), 'method 12'],
    ['no directory', zip([{ name: 'x', text: 'abc' }]).subarray(0, 40), 'no directory'],
  ])('%s', (_, bytes, message) => expect(() => read(bytes)).toThrow(message))
})
