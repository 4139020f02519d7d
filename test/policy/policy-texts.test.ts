/** The evaluation of policies against the second opinion, for some seconds; for longer: npm run fuzz:policy. */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluatePolicy } from '../../src/intent/policy/index.ts'
import { disagreements, newTally, objectsOf, questionOf } from './compare.ts'
import type { Cluster, Question } from './manifests.ts'
import { cases } from './random-cluster.ts'

describe('random clusters', () => {
  it('every direction of every question is decided as the API texts say', { timeout: 60_000 }, () => {
    const tally = newTally()
    fc.assert(
      fc.property(cases, ({ cluster, questions }) => {
        const wrong = disagreements(cluster, questions, tally)
        if (wrong.length > 0) throw new Error(wrong.join('\n'))
      }),
      { numRuns: 1000, seed: Number(process.env.NETWHY_SEED ?? 4) },
    )
    expect(tally.answers).toBeGreaterThan(8000)
    // It must be worth asking: many are denied, few are left open, and hardly any of these needlessly.
    expect(tally.denied / tally.answers).toBeGreaterThan(0.05)
    expect(tally.unknown / tally.answers).toBeLessThan(0.02)
    expect(tally.cautious / tally.answers).toBeLessThan(0.001)
  })
})

interface Fixture {
  readonly cluster: Cluster
  readonly questions: readonly Question[]
  readonly decisions: readonly string[]
}

const FIXTURES = new URL('fixtures/', import.meta.url)

describe('what disagreed once', () => {
  it.each(readdirSync(FIXTURES))('%s', (name) => {
    const { cluster, questions, decisions } = JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as Fixture
    const objects = objectsOf(cluster)
    expect(questions.map((q) => evaluatePolicy(objects, questionOf(q)).decision)).toEqual(decisions)
    expect(disagreements(cluster, questions, newTally())).toEqual([])
  })
})
