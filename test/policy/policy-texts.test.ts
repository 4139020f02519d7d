/** The evaluation of policies against the second opinion, for some seconds; for longer: npm run fuzz:policy. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { disagreements, newTally } from './compare.ts'
import { clusters, questionsAbout } from './random-cluster.ts'

describe('random clusters', () => {
  it('every direction of every question is decided as the API texts say', { timeout: 60_000 }, () => {
    const tally = newTally()
    fc.assert(
      fc.property(
        clusters.chain((cluster) => questionsAbout(cluster).map((questions) => ({ cluster, questions }))),
        ({ cluster, questions }) => {
          const wrong = disagreements(cluster, questions, tally)
          if (wrong.length > 0) throw new Error(wrong.join('\n'))
        },
      ),
      { numRuns: 800, seed: Number(process.env.NETWHY_SEED ?? 4), endOnFailure: false },
    )
    expect(tally.answers).toBeGreaterThan(5000)
    expect(tally.unknown / tally.answers).toBeLessThan(0.15)
    expect(tally.cautious / tally.answers).toBeLessThan(0.02)
  })
})
