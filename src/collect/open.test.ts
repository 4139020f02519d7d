import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { snapshotOf } from '../snapshot/memory.ts'
import { type Manifest, SNAPSHOT_VERSION } from '../snapshot/snapshot.ts'
import { writeTar } from '../snapshot/tar-write.ts'
import { openSnapshot } from './open.ts'
import { formOf, writeSnapshot } from './write.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-open-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const bytesOf = (text: string) => new TextEncoder().encode(text)
const MANIFEST: Manifest = {
  version: SNAPSHOT_VERSION,
  time: '2026-01-02T03:04:05Z',
  tool: 'netwhy 0.1.0',
  nodes: [{ name: 'n1', via: 'local' }],
  pods: [],
  artefacts: [
    { path: 'nodes/n1/host/ss.txt', command: 'ss', exitCode: 0, seconds: 0.1, stderr: '', bytes: 3, truncated: false },
  ],
}
const FILES = new Map([
  ['nodes/n1/host/ss.txt', () => new Uint8Array([0x61, 0xff, 0x0a])],
  ['objects/o.json', () => bytesOf('{}')],
])
const SNAPSHOT = snapshotOf(MANIFEST, FILES)
const tar = (files: Record<string, string>) =>
  Buffer.concat([...writeTar(Object.entries(files).map(([path, text]) => ({ path, data: bytesOf(text), mtime: 0 })))])

describe('written and opened again', () => {
  test.each(['s.tar.gz', 's.tgz', 's.tar', 'folder'])(
    'as %s: same manifest, same bytes, readable by the owner alone',
    async (name) => {
      const path = join(dir, name)
      await writeSnapshot(SNAPSHOT, path)
      const s = await openSnapshot(path)
      expect(s.manifest).toEqual(MANIFEST)
      expect(s.paths()).toEqual([...FILES.keys()])
      expect(s.paths('objects/')).toEqual(['objects/o.json'])
      for (const [p, source] of FILES) expect([...s.bytes!(p)!]).toEqual([...source()])
      expect(s.text('nodes/n1/host/ss.txt')).toBe('a\ufffd\n')
      expect(s.text('nodes/n1/host/none.txt')).toBeNull()
      expect(statSync(path).mode & 0o077).toBe(0)
      expect(readdirSync(dir)).toEqual([name])
    },
  )

  test('the same snapshot gives the same bytes, and replaces what was there', async () => {
    const path = join(dir, 'a.tar.gz')
    writeFileSync(path, 'old')
    await writeSnapshot(SNAPSHOT, path)
    const first = readFileSync(path)
    await writeSnapshot(await openSnapshot(path), path)
    expect(readFileSync(path).equals(first)).toBe(true)
  })

  test('a failure leaves neither a half nor a temporary file', async () => {
    const broken = snapshotOf(
      MANIFEST,
      new Map([
        [
          'a',
          () => {
            throw new Error('cannot read it')
          },
        ],
      ]),
    )
    await expect(writeSnapshot(broken, join(dir, 'x.tar.gz'))).rejects.toThrow('x.tar.gz: cannot read it')
    await expect(writeSnapshot(broken, join(dir, 'x'))).rejects.toMatchObject({ code: 4 })
    expect(readdirSync(dir)).toEqual([])
  })

  test('paths that cannot be written are known before anything is collected', () => {
    writeFileSync(join(dir, 'file'), '')
    mkdirSync(join(dir, 'd.tar.gz'))
    mkdirSync(join(dir, 'full/x'), { recursive: true })
    for (const name of ['x.zip', 'file', 'none/x.tar.gz', 'file/x', 'd.tar.gz', 'full'])
      expect(() => formOf(join(dir, name)), name).toThrow(join(dir, name))
  })
})

describe('what collect.sh wrote on its own', () => {
  const index =
    '# netwhy-collect 1: path\nhost/ip-link.json\t0\t0.25\tip link\nhost/nft-ruleset.txt\t124\t15.00\tnft list\nhost/big.txt\t153\t1.00\tbig\n'
  const files = {
    'n1/index.tsv': index,
    'n1/host/ip-link.json': '[]',
    'n1/host/big.txt': 'xxxx',
    'n1/host/nft-ruleset.txt.stderr': 'slow\n',
    'n1/node/pods.tsv': 'pods/a_b\tpid\t77\ta\tb\tu-1\t4026\nnetns/pod-u-2\tpid\t78\t-\t-\tu-2\t4027\n',
    'n1/pods/a_b/netns.txt': 'inode 4026\n',
  }
  const check = async (path: string) => {
    const s = await openSnapshot(path)
    expect(s.manifest).toMatchObject({
      version: SNAPSHOT_VERSION,
      nodes: [{ name: 'n1', via: 'collect.sh' }],
      pods: [{ namespace: 'a', name: 'b', node: 'n1', folder: 'nodes/n1/pods/a_b' }],
      artefacts: [
        { path: 'nodes/n1/host/big.txt', exitCode: null, truncated: true, bytes: 4 },
        {
          path: 'nodes/n1/host/ip-link.json',
          exitCode: 0,
          seconds: 0.25,
          command: 'ip link',
          bytes: 2,
          truncated: false,
        },
        { path: 'nodes/n1/host/nft-ruleset.txt', exitCode: null, stderr: 'slow\n', bytes: 0 },
      ],
    })
    expect(s.text('nodes/n1/host/ip-link.json')).toBe('[]')
    expect(s.paths().some((p) => p.endsWith('.stderr') || p.endsWith('index.tsv'))).toBe(false)
  }
  test('opens as a snapshot of one node: tar, gzipped, unpacked', async () => {
    writeFileSync(join(dir, 'n.tar'), tar(files))
    writeFileSync(join(dir, 'n.gz'), gzipSync(tar(files)))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(dir, 'out', path, '..'), { recursive: true })
      writeFileSync(join(dir, 'out', path), text)
    }
    for (const p of ['n.tar', 'n.gz', 'out', 'out/n1']) await check(join(dir, p))
  })
})

describe('not a snapshot: one sentence with the file and the place', () => {
  const good = JSON.stringify(MANIFEST)
  test.each<[string, Buffer, string]>([
    ['text', Buffer.from('hello\n'.repeat(200)), 'neither tar, gzipped tar nor zip'],
    ['an empty file', Buffer.alloc(0), 'is empty'],
    ['another archive', tar({ 'cluster-dump/nodes.json': '{}' }), 'neither manifest.json nor NODE/index.tsv'],
    ['a cut archive', tar({ 'manifest.json': good }).subarray(0, 700), 'cut short'],
    ['cut gzip', gzipSync(tar({ 'manifest.json': good })).subarray(0, 60), 'gzip data is cut short'],
    [
      'damaged gzip',
      Buffer.concat([gzipSync(tar({ 'manifest.json': good })).subarray(0, 10), Buffer.alloc(40, 7)]),
      'damaged gzip data',
    ],
    ['a damaged manifest', tar({ 'manifest.json': good.slice(0, 30) }), 'manifest.json: '],
    ['a manifest without a field', tar({ 'manifest.json': good.replace('"pods":[],', '') }), 'manifest.json: pods: '],
    [
      'a newer version',
      tar({ 'manifest.json': good.replace('/v1', '/v2') }),
      'netwhy/snapshot/v2; this netwhy reads netwhy/snapshot/v1',
    ],
    ['another manifest', tar({ 'manifest.json': '{"name":"app"}' }), 'has no version: not a netwhy snapshot'],
  ])('%s', async (_, bytes, message) => {
    const path = join(dir, 'x')
    writeFileSync(path, bytes)
    await expect(openSnapshot(path)).rejects.toThrow(`${path}: `)
    await expect(openSnapshot(path)).rejects.toThrow(message)
    await expect(openSnapshot(path)).rejects.toMatchObject({ code: 2 })
  })

  test('what is not there', () =>
    expect(openSnapshot(join(dir, 'none'))).rejects.toThrow(`${dir}/none: no such file or folder`))

  test('links inside a folder are not followed; the folder itself may be one', async () => {
    await writeSnapshot(SNAPSHOT, join(dir, 'real'))
    symlinkSync('/etc/passwd', join(dir, 'real/objects/passwd'))
    symlinkSync('/etc', join(dir, 'real/etc'))
    symlinkSync(join(dir, 'real'), join(dir, 'link'))
    expect((await openSnapshot(join(dir, 'link'))).paths()).toEqual([...FILES.keys()])
  })
})
