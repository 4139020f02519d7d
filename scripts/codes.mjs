// Writes docs/codes.md and a page per finding code in docs/codes/, from the table in src/diagnose/codes.ts and from what
// shows the code: the lab's faults, the catalogue cases of test/expect.tsv, golden answers and unit tests.
// usage: node scripts/codes.mjs [--check]     --check: writes nothing, exits 1 when a page is out of date
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Where each code is shown: `{ code: { lab: [], cases: [], golden: [], tests: [] } }`. */
export function exhibits(faults) {
  const out = {}
  const of = (code) => {
    out[code] ??= { lab: [], cases: [], golden: [], tests: [] }
    return out[code]
  }
  for (const f of faults) of(f.code).lab.push(f.name)
  for (const line of readFileSync(join(root, 'test/expect.tsv'), 'utf8').split('\n')) {
    const [id, from, to, protocol, codes] = line.split('\t')
    if (codes && !line.startsWith('#') && codes !== 'reachable')
      of(codes.split(',')[0]).cases.push({ id, from, to, protocol })
  }
  for (const file of readdirSync(join(root, 'test/golden')).sort()) {
    if (!file.endsWith('.txt')) continue
    const text = readFileSync(join(root, 'test/golden', file), 'utf8')
    const code = /^ {2}([a-z0-9]+(?:-[a-z0-9]+)+) ?(?:on|in|:)/m.exec(text)?.[1]
    if (code) of(code).golden.push({ file, text })
  }
  const tests = ['src/diagnose', 'test'].flatMap((dir) =>
    readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.test.ts'))
      .map((f) => `${dir}/${f}`),
  )
  for (const file of tests.sort())
    for (const code of new Set(readFileSync(join(root, file), 'utf8').match(/\b[a-z0-9]+(?:-[a-z0-9]+)+\b/g) ?? []))
      of(code).tests.push(file)
  return out
}

/** The text of a golden answer down to the packet's path. */
function head(text) {
  return text.split(/\n\n(?:Request|Reply|Branches|Probes|Not known)/)[0].trimEnd()
}

function page(code, c, shown = { lab: [], cases: [], golden: [], tests: [] }) {
  const parts = [
    `# \`${code}\`\n\n${c.meaning}\n\n| | |\n|---|---|\n| Area | ${c.area} |\n| Proof | ${c.proof} |\n| Remedy | ${c.remedy} |`,
  ]
  const golden = shown.golden[0]
  if (golden)
    parts.push(
      `## What it looks like\n\nFrom \`test/golden/${golden.file}\`:\n\n\`\`\`text\n${head(golden.text)}\n\`\`\``,
    )
  const fixtures = [
    ...shown.lab.map(
      (n) =>
        `- \`netwhy lab break ${n}\` gives it to the lab, \`netwhy lab heal\` takes it away: the same question is answered with and without.`,
    ),
    ...shown.cases.map(
      (x) =>
        `- Case ${x.id} of the fault catalogue on the real kernel: \`netwhy why '${x.from}' '${x.to}' --protocol ${x.protocol}\`, healthy before the injection (\`npm run score:faults\`).`,
    ),
    ...shown.tests.map((f) => `- With and without the fault: [${f}](../../${f})`),
  ]
  parts.push(`## Fixtures\n\n${fixtures.join('\n')}`)
  return `${parts.join('\n\n')}\n`
}

/** All pages: path below docs/ → text. */
export function codesPages(codes, reserved, shown) {
  const areas = [...new Set([...Object.values(codes).map((c) => c.area), ...Object.keys(reserved)])]
  const parts = areas.map((area) => {
    const mine = Object.entries(codes).filter(([, c]) => c.area === area)
    const rows = mine.map(([code, c]) => `| [\`${code}\`](codes/${code}.md) | ${c.meaning} |`)
    const later = (reserved[area] ?? []).map((c) => `\`${c}\``)
    return `## ${area}\n\n| code | meaning |\n|---|---|\n${rows.join('\n')}\n${later.length > 0 ? `\nNot reported yet: ${later.join(', ')}.\n` : ''}`
  })
  const open = Object.values(reserved).flat().length
  const index = `# Finding codes

One code, one cause that has one remedy. Codes are API: new ones come, none is renamed. netwhy reports ${Object.keys(codes).length} codes${
    open > 0
      ? `;
${open} more have a reserved meaning and are not reported yet`
      : ''
  }. Each has a page: what it means, what proves it, what cures it, and where
it is shown with and without the fault.

Made by \`node scripts/codes.mjs\` from \`src/diagnose/codes.ts\`; change it there.

${parts.join('\n')}`
  const pages = new Map([['codes.md', index]])
  for (const [code, c] of Object.entries(codes)) pages.set(`codes/${code}.md`, page(code, c, shown[code]))
  return pages
}

async function load(entry) {
  const { outputFiles } = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}

async function main() {
  const { CODES, RESERVED } = await load('src/diagnose/codes.ts')
  const { FAULTS } = await load('lab/faults/index.ts')
  const pages = codesPages(CODES, RESERVED, exhibits(FAULTS))
  const docs = join(root, 'docs')
  if (process.argv.includes('--check')) {
    const stale = [...pages].filter(([path, text]) => {
      try {
        return readFileSync(join(docs, path), 'utf8') !== text
      } catch {
        return true
      }
    })
    for (const [path] of stale) process.stderr.write(`docs/${path} is out of date: run \`node scripts/codes.mjs\`\n`)
    if (stale.length > 0) process.exitCode = 1
    return
  }
  rmSync(join(docs, 'codes'), { recursive: true, force: true })
  mkdirSync(join(docs, 'codes'), { recursive: true })
  for (const [path, text] of pages) writeFileSync(join(docs, path), text)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
