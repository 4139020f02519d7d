/**
 * npm run fuzz:policy -- [--minutes N | --cases N] [--seed N] [--stop-after N]
 *
 * The evaluation of policies against the second opinion on random clusters. Each disagreement is shrunk and printed as a fixture;
 * ends with 1 when there was one.
 */
import fc from 'fast-check'
import { disagreements, newTally } from './compare.ts'
import { cases } from './random-cluster.ts'

function option(name: string, otherwise: number): number {
  const i = process.argv.indexOf(name)
  const n = i < 0 ? otherwise : Number(process.argv[i + 1])
  if (Number.isFinite(n) && n >= 0) return n
  process.stderr.write(`fuzz:policy: ${name} wants a number\n`)
  process.exit(2)
}

const timed = process.argv.includes('--minutes')
const until = timed ? Date.now() + option('--minutes', 1) * 60_000 : Number.POSITIVE_INFINITY
const most = option('--cases', timed ? Number.MAX_SAFE_INTEGER : 2000)
const limit = option('--stop-after', 5)
const first = option('--seed', Date.now() % 1_000_000)
const tally = newTally()
let clusters = 0
let wrong = 0
/** Clusters per seed. */
const BATCH = 200
for (let seed = first; clusters < most && Date.now() < until && wrong < limit; seed++) {
  const counted = newTally()
  const shrinking = newTally()
  let failed = false
  const found = fc.check(
    fc.property(cases, ({ cluster, questions }) => {
      const said = disagreements(cluster, questions, failed ? shrinking : counted)
      failed ||= said.length > 0
      return said.length === 0
    }),
    { numRuns: BATCH, seed },
  )
  clusters += found.numRuns
  for (const k of ['answers', 'denied', 'unknown', 'cautious'] as const) tally[k] += counted[k]
  const [smallest] = found.counterexample ?? []
  if (!smallest) continue
  wrong++
  const why = disagreements(smallest.cluster, smallest.questions, shrinking)
  process.stdout.write(`--- seed ${seed}\n${why.join('\n')}\n${JSON.stringify(smallest)}\n`)
}
process.stdout.write(`${JSON.stringify({ seed: first, clusters, ...tally, disagree: wrong })}\n`)
process.exitCode = wrong === 0 ? 0 : 1
