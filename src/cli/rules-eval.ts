/** `netwhy rules eval`. */
import { evaluateRuleset, type Outcome, type Query } from '../datapath/netfilter/evaluate.ts'
import { UsageError } from './errors.ts'
import { answerOf, answerText } from './rules-answer.ts'
import { hiddenTables, loadIpsets, loadRulesets, readText } from './rules-load.ts'
import { type EvalOptions, queryOf, queryOfLine } from './rules-query.ts'

/** Answers and prints. Exit code 0 when answered, 3 when the outcome of a single question is (partly) unknown. */
export async function runEval(options: EvalOptions): Promise<number> {
  const format = options.output ?? 'json'
  if (format !== 'json' && format !== 'text')
    throw new UsageError(`--output is not json or text: ${JSON.stringify(format)}`)
  const many = options.ruleset.length > 1
  // The question is checked before a large file is read.
  const single = options.queries === undefined ? queryOf(options) : null
  const rulesets = await loadRulesets(options.ruleset)
  const ipsets = await loadIpsets(options.ipset ?? [])

  const hidden = hiddenTables(rulesets)
  const ask = (query: Query): Outcome[] => {
    const outcomes = evaluateRuleset(rulesets, ipsets, query)
    return hidden === null ? outcomes : outcomes.map((o) => ({ ...o, verdict: 'unknown', unknowns: [hidden] }))
  }

  if (single) {
    const answer = answerOf(ask(single), many)
    process.stdout.write(format === 'text' ? answerText(answer) : `${JSON.stringify(answer, null, 2)}\n`)
    return answer.outcomes.some((o) => o.verdict === 'unknown') ? 3 : 0
  }

  const file = options.queries ?? '-'
  const lines = readText(file).split('\n')
  // All questions are read before the first answer, so that a bad line leaves nothing half-written.
  const queries = lines.flatMap((line, i) =>
    line.trim() === '' ? [] : [queryOfLine(line, `${file}:${i + 1}`, options)],
  )
  let out = ''
  for (const query of queries) {
    const answer = answerOf(ask(query), many)
    out += format === 'text' ? answerText(answer) : `${JSON.stringify(answer)}\n`
    if (out.length > 1 << 16) {
      process.stdout.write(out)
      out = ''
    }
  }
  process.stdout.write(out)
  return 0
}
