// Scores `netwhy why` on the fault catalogue: builds the reference lab for each case, injects the fault, asks, compares.
// usage: npm run score:faults [-- --only F024,F025] [--no-prove] [--json FILE]     needs root; $NETWHY_SHARED names the folder of
// the shared material (default ../shared). Exit code 0 when at least $NEED (0.95) of the cases are right.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const shared = resolve(process.env.NETWHY_SHARED ?? join(root, '..', 'shared'))
const score = join(shared, 'faults', 'score.mjs')
if (!existsSync(score)) {
  process.stderr.write(`score-faults: no fault catalogue at ${score} (set NETWHY_SHARED)\n`)
  process.exit(2)
}
const built = spawnSync('node', [join(root, 'scripts', 'build.mjs')], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
})
if (built.status !== 0) process.exit(4)
const run = spawnSync('node', [score, '--expect', join(root, 'test', 'expect.tsv'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { NEED: '0.95', ...process.env, NETWHY: join(root, 'netwhy') },
})
process.exit(run.status ?? 4)
