import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { collectInventory } from './collect-inventory.ts'
import type { Inventory } from './inventory.ts'
import { readObjects } from './objects.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'netwhy-inv-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A stand-in for collect.sh: `$2` is the node's name, as in `--node NAME`. */
const STAND_IN = `
cd ${'$'}{TMPDIR:-/tmp} && d=$(mktemp -d) && trap 'rm -rf "$d"' EXIT && trap 'exit 1' TERM && cd "$d" || exit 1
case $2 in
  slow) sleep 1000 & wait ;;
  silent) exit 0 ;;
  chatty) echo 'Welcome to this machine'; exit 0 ;;
  broken) echo 'no folder to write to' >&2; exit 1 ;;
esac
mkdir -p "$2/node" "$2/netns/pod-u-9"
printf '# netwhy-collect 1\\nnetns/pod-u-9/ss.txt\\t0\\t0.01\\tss\\n' >"$2/index.tsv"
printf 'netns/pod-u-9\\tpid\\t1\\t-\\t-\\tu-9\\t4\\n' >"$2/node/pods.tsv"
echo "$*" >"$2/node/arguments"; echo socket >"$2/netns/pod-u-9/ss.txt"
tar -cf - "$2"
`
const node = (name: string): Inventory['nodes'][number] => ({ name, via: { kind: 'local' } })
const collect = (inventory: Partial<Inventory>, options: object = {}) =>
  collectInventory({ nodes: [], pods: [], objects: [], ...inventory }, { collector: STAND_IN, ...options })

test('what fails is told per node, the rest is kept', async () => {
  const pods: Inventory['pods'] = [
    { namespace: 'shop', name: 'a', node: 'n1', via: { kind: 'netns', name: 'x' } },
    { namespace: 'shop', name: 'b', node: 'broken', via: { kind: 'pid', pid: 5 } },
  ]
  const nodes = ['n1', 'broken', 'silent', 'chatty'].map(node)
  const s = await collect({ nodes, pods })
  expect(s.manifest.nodes).toEqual([
    { name: 'n1', via: 'local' },
    { name: 'broken', via: 'local', error: 'local: no folder to write to' },
    { name: 'silent', via: 'local', error: 'local: sent nothing, exit code 0' },
    { name: 'chatty', via: 'local', error: expect.stringContaining('sent something that is no tar archive') },
  ])
  expect(s.text('nodes/n1/node/arguments')).toBe('--node n1 --scope machine --timeout 60 --pod shop/a=netns:x\n')
  expect(s.manifest.pods).toEqual([
    { namespace: 'shop', name: 'b', node: 'broken', folder: null, error: 'nothing was collected from broken' },
  ])
})

test('a pod found by UID gets the name its object has', async () => {
  const file = join(dir, 'pods.json')
  writeFileSync(
    file,
    JSON.stringify({
      kind: 'List',
      items: [{ kind: 'Pod', metadata: { uid: 'u-9', name: 'web', namespace: 'shop' } }],
    }),
  )
  const s = await collect({ nodes: [node('n1')], objects: [file] })
  expect(s.manifest.pods).toEqual([{ namespace: 'shop', name: 'web', node: 'n1', folder: 'nodes/n1/pods/shop_web' }])
  expect(s.text('nodes/n1/pods/shop_web/ss.txt')).toBe('socket\n')
  expect(s.manifest.artefacts.map((a) => a.path)).toEqual(['objects/pods.json', 'nodes/n1/pods/shop_web/ss.txt'])
  const unnamed = await collect({ nodes: [node('n1')] })
  expect(unnamed.text('nodes/n1/netns/pod-u-9/ss.txt')).toBe('socket\n')
})

test('over ssh the arguments arrive as they were, and the program on its standard input', async () => {
  // Stands in for ssh: hands the last argument to a shell, as sshd does.
  const ssh = '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.args"\nfor last; do :; done\nexec sh -c "$last"\n'
  writeFileSync(join(dir, 'ssh'), ssh, { mode: 0o755 })
  const path = process.env.PATH
  process.env.PATH = `${dir}:${path}`
  try {
    const via = { kind: 'ssh', target: 'root@n1', port: 22 } as const
    const s = await collect({
      nodes: [{ name: 'n1', via }],
      pods: [{ namespace: 'a', name: 'b', node: 'n1', via: { kind: 'pid', pid: 7 } }],
    })
    expect(s.text('nodes/n1/node/arguments')).toBe('--node n1 --scope machine --timeout 60 --pod a/b=pid:7\n')
    expect(readFileSync(join(dir, 'ssh.args'), 'utf8')).toContain('BatchMode=yes\n')
  } finally {
    process.env.PATH = path
  }
})

test('stopping ends the wait at once', async () => {
  const abort = new AbortController()
  const began = performance.now()
  const waiting = collect(
    { nodes: [node('slow'), node('n1')] },
    { signal: abort.signal, progress: (m: string) => m.includes('n1') && abort.abort() },
  )
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  expect(performance.now() - began).toBeLessThan(5000)
})

describe('files of objects', () => {
  const read = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    return readObjects([join(dir, name)])[0]!
  }
  test('are kept as they came, named after their file', () => {
    const text = '# mine\nkind: Pod\nmetadata: { name: a }\n---\n---\nkind: Service\n'
    expect(read('a b.yml', text)).toMatchObject({
      path: 'objects/a_b.yaml',
      text,
      documents: [{ kind: 'Pod' }, { kind: 'Service' }],
    })
    expect(read('x.json', '{"kind":"Pod"}')).toMatchObject({ path: 'objects/x.json', text: '{"kind":"Pod"}' })
    expect(readObjects([join(dir, 'x.json'), join(dir, 'x.json')]).map((o) => o.path)).toEqual([
      'objects/x.json',
      'objects/x-2.json',
    ])
  })

  test('Secrets are left out, wherever they stand', () => {
    const secret = { kind: 'Secret', data: { password: 'aHVudGVyMg==' } }
    const list = JSON.stringify({ kind: 'List', items: [secret, { kind: 'Pod', metadata: { name: 'a' } }] })
    for (const [name, text] of [
      ['a.json', list],
      ['b.json', JSON.stringify(secret)],
      ['c.yaml', 'kind: Secret\ndata: { password: aHVudGVyMg== }\n---\nkind: Pod\n'],
      ['d.yaml', '"kind": "Secret"\ndata: { password: aHVudGVyMg== }\n'],
      ['e.json', JSON.stringify({ kind: 'SecretList', items: [secret] })],
    ] as const) {
      const o = read(name, text)
      expect(o.text, name).not.toContain('aHVudGVyMg')
      expect(JSON.stringify(o.documents), name).not.toContain('aHVudGVyMg')
    }
    expect(read('a.json', list).text).toContain('"Pod"')
  })

  test.each([
    ['x.json', '{"kind":\n  oops}', 'x.json:2:3: not JSON'],
    ['x.json', '{"kind": "Pod"', 'x.json:1:15: ends too early'],
    ['x.yaml', 'kind: Pod\n  bad: [', 'x.yaml:1:7: '],
    ['x.yaml', 'just words', 'x.yaml:1:1: not a Kubernetes object'],
  ])('%s with %j: %s', (name, text, message) => expect(() => read(name, text)).toThrow(`${dir}/${message}`))
})

test('without nodes the snapshot holds the objects', async () => {
  const file = join(dir, 'o.json')
  writeFileSync(file, '{"kind":"List","items":[]}')
  const snapshot = await collectInventory({ nodes: [], pods: [], objects: [file] })
  expect(snapshot.manifest.nodes).toEqual([])
  expect(snapshot.paths('objects/')).toEqual(['objects/o.json'])
})
