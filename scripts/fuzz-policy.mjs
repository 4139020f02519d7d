// Bundles and runs test/policy/fuzz.ts, which is no part of the package. usage: node scripts/fuzz-policy.mjs [options of fuzz.ts]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = mkdtempSync(join(tmpdir(), 'netwhy-fuzz-'))
try {
  await build({
    absWorkingDir: root,
    entryPoints: ['test/policy/fuzz.ts'],
    outfile: join(folder, 'fuzz.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  })
  const run = spawnSync(process.execPath, [join(folder, 'fuzz.mjs'), ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exitCode = run.status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
