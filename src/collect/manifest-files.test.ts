import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { looksLikeSnapshot, readManifestFiles } from './manifest-files.ts'

let folder = ''
const at = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netwhy-manifests-'))
  for (const name of ['m/sub/deep', 'm/.git', 'm/node_modules', 'outside', 'k8s', 'snap', 'node/n1'])
    mkdirSync(at(name), { recursive: true })
  for (const name of ['m/b.yaml', 'm/a.yml', 'm/sub/deep/c.JSON', 'm/README.md', 'm/.git/x.yaml', 'm/.hidden.yaml'])
    writeFileSync(at(name), name)
  writeFileSync(at('m/node_modules/x.yaml'), 'x')
  writeFileSync(at('outside/o.yaml'), 'o')
  symlinkSync(at('outside/o.yaml'), at('m/out.yaml'))
  symlinkSync(at('m'), at('m/loop'))
  symlinkSync(at('m/b.yaml'), at('m/inside.yaml'))
  symlinkSync('/nowhere', at('m/dangling.yaml'))
  writeFileSync(at('k8s/manifest.json'), '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}')
  writeFileSync(at('snap/manifest.json'), '{"version":"1","artefacts":[]}')
  writeFileSync(at('node/n1/index.tsv'), '')
  writeFileSync(at('a.tgz'), Buffer.from([0x1f, 0x8b, 8, 0]))
  writeFileSync(at('a.zip'), 'PK\u0003\u0004')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('reads a folder sorted, inside it only, each file once', () => {
  const { files, issues } = readManifestFiles([at('m')])
  expect(files.map((f) => f.path.slice(folder.length + 1))).toEqual(['m/a.yml', 'm/b.yaml', 'm/sub/deep/c.JSON'])
  expect(issues.map((i) => `${i.artefact.slice(folder.length + 1)}: ${i.message}`)).toEqual([
    'm/dangling.yaml: not read: no such file or folder',
    'm/out.yaml: a link that leads out of the folder: not followed',
  ])
})

it('reads what is named, whatever it is called', () => {
  expect(readManifestFiles([at('m/README.md'), at('m/out.yaml'), at('m/out.yaml')]).files.map((f) => f.text)).toEqual([
    'm/README.md',
    'o',
  ])
  expect(() => readManifestFiles([at('none')])).toThrow(/none: no such file or folder/)
})

it.each([
  ['snap', true],
  ['node', true],
  ['node/n1', true],
  ['a.tgz', true],
  ['a.zip', true],
  ['m', false],
  ['k8s', false],
  ['m/b.yaml', false],
])('%s is a snapshot: %j', (name, wanted) => {
  expect(looksLikeSnapshot(at(name))).toBe(wanted)
})
