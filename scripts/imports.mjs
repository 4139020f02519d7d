// Checks the one-way staircase of docs/architecture.md: which folder may import which.
// Each row: folder, the folders it may import, and the reason in one sentence.
// usage: node scripts/imports.mjs [--mermaid]
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const PURE = 'pure'
const IO = 'io'
/** @type {Record<string, { may: string[], kind: string, why: string }>} */
export const LAYERS = {
  'src/base': { may: [], kind: PURE, why: 'addresses and ports, no domain word' },
  'src/model': { may: ['src/base'], kind: PURE, why: 'the nouns every layer speaks' },
  'src/snapshot': { may: ['src/base'], kind: PURE, why: 'the file format: bytes in, artefacts out' },
  'src/parse': { may: ['src/base', 'src/model'], kind: PURE, why: 'a dialect in, neutral nouns out' },
  'src/kubeobj': { may: ['src/base', 'src/model'], kind: PURE, why: 'the fields of Kubernetes objects that we use' },
  'src/manifests': {
    may: ['src/base', 'src/model', 'src/kubeobj'],
    kind: PURE,
    why: 'texts people keep (YAML, JSON, Lists, Helm leftovers) to objects with places, as kubectl reads them',
  },
  'src/assemble': {
    may: ['src/base', 'src/model', 'src/snapshot', 'src/parse', 'src/kubeobj', 'src/manifests'],
    kind: PURE,
    why: 'artefacts to one Network',
  },
  'src/intent': { may: ['src/base', 'src/model', 'src/kubeobj'], kind: PURE, why: 'should: never sees the datapath' },
  'src/datapath': { may: ['src/base', 'src/model'], kind: PURE, why: 'would: never sees a parser or a dialect' },
  'src/flows': { may: ['src/base', 'src/model'], kind: PURE, why: 'did: records of others to observed connections' },
  'src/diagnose': {
    may: ['src/base', 'src/model', 'src/kubeobj', 'src/intent', 'src/datapath'],
    kind: PURE,
    why: 'compares should and would, names causes',
  },
  'src/report': { may: ['src/base', 'src/model'], kind: PURE, why: 'answers to text, JSON, markdown, HTML' },
  'src/host': { may: ['src/base'], kind: IO, why: 'the only place that spawns programs or enters a netns' },
  'src/kubeapi': {
    may: ['src/base', 'src/host'],
    kind: IO,
    why: 'the only place that talks to the API server; credential plugins are programs, which only host starts',
  },
  'src/collect': {
    may: ['src/base', 'src/model', 'src/snapshot', 'src/host', 'src/kubeapi'],
    kind: IO,
    why: 'what to gather, from where',
  },
  'src/cli': { may: ['*'], kind: IO, why: 'composes everything' },
  lab: { may: ['*'], kind: IO, why: 'the test world may use all; only the lab command imports it' },
  bench: { may: ['*'], kind: IO, why: 'measures everything' },
  test: { may: ['*'], kind: IO, why: 'cross-layer tests' },
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const layerOf = (path) => Object.keys(LAYERS).find((l) => path === l || path.startsWith(`${l}/`))

function check() {
  const wrong = []
  for (const top of ['src', 'lab', 'bench', 'test']) {
    let files = []
    try {
      files = readdirSync(join(root, top), { recursive: true, withFileTypes: true })
    } catch {
      continue
    }
    for (const e of files) {
      if (!e.isFile() || !/\.tsx?$/.test(e.name)) continue
      const file = relative(root, join(e.parentPath ?? e.path, e.name))
      const from = layerOf(file)
      if (!from) {
        wrong.push(`${file}: in no layer of scripts/imports.mjs`)
        continue
      }
      const text = readFileSync(join(root, file), 'utf8')
      const isTest = /\.test(-data)?\.ts$/.test(file)
      for (const m of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
        const target = m[1]
        if (!target.startsWith('.')) {
          if (LAYERS[from].kind === PURE && target.startsWith('node:') && !isTest)
            wrong.push(`${file}: ${from} is pure and imports ${target}`)
          continue
        }
        const to = layerOf(normalize(join(dirname(file), target)))
        if (!to || to === from || isTest) continue
        const may = LAYERS[from].may
        if (to === 'lab' && from.startsWith('src/') && !file.startsWith('src/cli/lab'))
          wrong.push(`${file}: only src/cli/lab* may import lab`)
        if (!may.includes('*') && !may.includes(to)) wrong.push(`${file}: ${from} may not import ${to}`)
      }
    }
  }
  return wrong
}

if (process.argv.includes('--mermaid')) {
  const lines = ['graph TD']
  for (const [l, { may }] of Object.entries(LAYERS))
    for (const m of may)
      if (m !== '*') lines.push(`  ${l.replace('/', '_')}["${l}"] --> ${m.replace('/', '_')}["${m}"]`)
  process.stdout.write(`${lines.join('\n')}\n`)
} else {
  const wrong = check()
  for (const w of wrong) process.stderr.write(`${w}\n`)
  if (wrong.length) process.exit(1)
  process.stdout.write('imports: the staircase holds\n')
}
