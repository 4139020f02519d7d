// Bundles the programs into dist/: one entry per program, split so that each command loads only what it needs.
// usage: node scripts/build.mjs [--quiet] [--if-stale]
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const stamp = join(root, 'dist', '.built')
const entries = {
  cli: 'src/cli/main.ts',
  'fuzz-kernel': 'lab/oracle/main.ts',
  bench: 'bench/main.ts',
  'lab-server': 'lab/server/main.ts',
}

/** Newest change, in ms since the epoch, of any file under `dir`. */
function newest(dir) {
  let t = 0
  for (const e of readdirSync(dir, { withFileTypes: true, recursive: true }))
    if (e.isFile()) t = Math.max(t, statSync(join(e.parentPath ?? e.path, e.name)).mtimeMs)
  return t
}

if (process.argv.includes('--if-stale') && existsSync(stamp)) {
  const built = statSync(stamp).mtimeMs
  const sources = ['src', 'lab', 'bench'].filter((d) => existsSync(join(root, d))).map((d) => newest(join(root, d)))
  if (Math.max(0, ...sources) <= built) process.exit(0)
}
if (!existsSync(join(root, 'node_modules/esbuild'))) {
  process.stderr.write('netwhy: dependencies are missing; run `npm ci` first\n')
  process.exit(4)
}
if (!process.argv.includes('--quiet')) process.stderr.write('netwhy: building\n')
// Built beside and moved into place, so that a program being started never sees half a folder.
const began = new Date()
const draft = `dist.${process.pid}`
const { build } = await import('esbuild')
try {
  await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(Object.entries(entries).filter(([, f]) => existsSync(join(root, f)))),
    outdir: draft,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    sourcemap: 'linked',
    loader: { '.sh': 'text', '.py': 'text' },
    logLevel: 'warning',
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  })
} catch {
  rmSync(join(root, draft), { recursive: true, force: true })
  process.stderr.write('netwhy: the build failed\n')
  process.exit(4)
}
writeFileSync(join(root, draft, '.built'), '')
utimesSync(join(root, draft, '.built'), began, began)
// Two builds may end together: the later one takes the place.
for (let tries = 0; ; tries++) {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  try {
    renameSync(join(root, draft), join(root, 'dist'))
    break
  } catch (e) {
    if (e.code !== 'ENOTEMPTY' || tries === 20) throw e
  }
}
