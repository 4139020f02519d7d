/**
 * npm run fuzz:kernel -- [--minutes N | --cases N] [--seed N] [--backend A,B] [--stop-after N] [--coverage] [--json FILE]
 *
 * Compares netwhy with the kernel on random rulesets until the time or the cases are used up. Ends with 0 when there was no
 * disagreement, 1 when there was; each is shrunk and printed as it is found.
 */
import { writeFileSync } from 'node:fs'
import { isolateSelf, openArena } from './arena.ts'
import { renderRuleset } from './case.ts'
import { Coverage } from './coverage.ts'
import { generateCase } from './generate.ts'
import { disagrees, runCase } from './rulesets.ts'
import { shrink } from './shrink.ts'

function option(name: string, otherwise: number): number {
  const i = process.argv.indexOf(name)
  if (i < 0) return otherwise
  const n = Number(process.argv[i + 1])
  if (!Number.isFinite(n) || n < 0) {
    process.stderr.write(`fuzz:kernel: ${name} wants a number\n`)
    process.exit(2)
  }
  return n
}

async function main(): Promise<number> {
  if (process.argv.includes('--paths') || process.argv.includes('--policies')) {
    const { labOptions, runPaths } = await import('./paths/main.ts')
    const { runPolicies } = await import('./policy/main.ts')
    const lab = labOptions((name) =>
      process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined,
    )
    if (typeof lab === 'string') {
      process.stderr.write(`fuzz:kernel: ${lab}\n`)
      return 2
    }
    const timed = process.argv.includes('--minutes')
    const wrong = await (process.argv.includes('--policies') ? runPolicies : runPaths)({
      until: timed ? Date.now() + option('--minutes', 1) * 60_000 : Number.POSITIVE_INFINITY,
      rounds: option('--rounds', timed ? Number.POSITIVE_INFINITY : 20),
      seed: option('--seed', Date.now() % 1_000_000),
      stopAfter: option('--stop-after', 5),
      lab,
    })
    return wrong === 0 ? 0 : 1
  }
  const until = process.argv.includes('--minutes')
    ? Date.now() + option('--minutes', 1) * 60_000
    : Number.POSITIVE_INFINITY
  const cases = option('--cases', process.argv.includes('--minutes') ? Number.POSITIVE_INFINITY : 200)
  const first = option('--seed', Date.now() % 1_000_000)
  const limit = option('--stop-after', 5)
  const asked = process.argv.indexOf('--backend')
  const backendsAsked = asked > 0 ? (process.argv[asked + 1] ?? '').split(',') : null
  const arena = openArena()
  const tally = {
    seed: first,
    cases: 0,
    refused: 0,
    probes: 0,
    agree: 0,
    unknown: 0,
    skipped: 0,
    disagree: 0,
    hits: 0,
    fates: {} as Record<string, number>,
  }
  const backends: Record<string, number> = {}
  const coverage = new Coverage()
  for (let seed = first; tally.cases + tally.refused < cases && Date.now() < until && tally.disagree < limit; seed++) {
    const c = generateCase(seed)
    if (backendsAsked && !c.rulesets.every((r) => backendsAsked.includes(r.backend))) continue
    const results = await runCase(arena, c, coverage)
    if (results === null) {
      tally.refused++
      continue
    }
    tally.cases++
    const key = c.rulesets.map((r) => r.backend).join('+')
    backends[key] = (backends[key] ?? 0) + 1
    for (const r of results) {
      tally.probes++
      tally[r.judgement.kind]++
      tally.hits += r.hits
      tally.fates[r.fate] = (tally.fates[r.fate] ?? 0) + 1
    }
    const wrong = results.find((r) => r.judgement.kind === 'disagree')
    if (wrong) {
      const small = await shrink({ ...c, probes: [wrong.probe] }, (x) => disagrees(arena, x))
      const again = (await runCase(arena, small))?.find((r) => r.judgement.kind === 'disagree') ?? wrong
      process.stdout.write(`\n--- seed ${seed}: ${again.judgement.kind === 'disagree' ? again.judgement.why : ''}\n`)
      process.stdout.write(`probe ${JSON.stringify(again.probe)}\n${small.ipsets.map((l) => `${l}\n`).join('')}`)
      for (const r of small.rulesets) process.stdout.write(`# ${r.backend} IPv${r.family}\n${renderRuleset(r)}`)
    }
    if (process.stderr.isTTY && tally.cases % 50 === 0)
      process.stderr.write(`\r${tally.cases} cases, ${tally.disagree} disagreements`)
  }
  arena.close()
  if (process.argv.includes('--coverage')) process.stdout.write(`${coverage.lines().join('\n')}\n`)
  const summary = { ...tally, backends }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  const file = process.argv.indexOf('--json')
  if (file > 0) writeFileSync(process.argv[file + 1]!, `${JSON.stringify(summary)}\n`)
  return tally.disagree === 0 ? 0 : 1
}

isolateSelf()
process.exitCode = await main()
