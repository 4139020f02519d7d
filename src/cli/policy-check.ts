import type { Command } from 'commander'
import { UsageError } from './errors.ts'
import { loadPolicyObjects, type PolicySourceOptions, warnOf, withPolicySource } from './policy-source.ts'

interface CheckOptions extends PolicySourceOptions {
  readonly from?: string
  readonly to?: string
  readonly protocol?: string
  readonly port?: string
  readonly queries?: string
  readonly output?: string
}

const EXAMPLES = `
REF: pod/NS/NAME, deploy|sts|ds|rs|job|cronjob/NS/NAME, NS/NAME (pod or
workload), svc/NS/NAME[:PORT], node/NAME, an IP address, external.

Examples:
  # May web reach api? Which rule says so?
  netwhy policy check manifests/ --from shop/web --to shop/api --port 8080

  # Through a Service: policies act on the pods behind it
  netwhy policy check manifests/ --from shop/web --to svc/shop/api:80

  # From outside, in a saved snapshot, as JSON
  netwhy policy check snap.tar.gz --from external --to shop/db-0 --port 5432 -o json

  # Many questions in one run, one {"from","to","protocol","port"} a line
  netwhy policy check manifests/ --queries questions.jsonl

Exit code: 0 allow, 1 deny, 2 usage, 3 unknown; with --queries 0 when all
are answered.`

/** Declares `netwhy policy check`. */
export function declarePolicyCheck(policy: Command): void {
  const command = policy
    .command('check [path...]')
    .summary('Say whether policies let one end reach the other, and which rule does')
    .description(
      'Decide one connection by the policies in files and folders of manifests, or of a cluster: which policies isolate which end, which rule admits it, or why none does.',
    )
    .option('--from <ref>', 'who connects')
    .option('--to <ref>', 'to whom')
    .option('--protocol <name>', "tcp, udp or sctp; the Service port's own otherwise, or tcp")
    .option('--port <port>', 'destination port, number or name')
    .option('--queries <file>', 'answer one question per line of a JSONL file, one answer per line')
    .option('-o, --output <format>', 'text, json, yaml or markdown')
    .addHelpText('after', EXAMPLES)
  withPolicySource(command).action(async (paths: string[], options: CheckOptions) => {
    process.exitCode = await check(paths, options)
  })
}

const EXIT_CODES = { allow: 0, deny: 1, unknown: 3 } as const

async function check(paths: readonly string[], options: CheckOptions): Promise<number> {
  const { POLICY_FORMATS, renderPolicyAnswer } = await import('../report/policy-check.ts')
  const format = POLICY_FORMATS.find((f) => f === (options.output ?? 'text'))
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${POLICY_FORMATS.join(', ')}`)
  if (options.queries !== undefined) return runQueries(paths, options, options.queries)
  if (options.from === undefined) throw new UsageError('--from is missing: who connects?')
  if (options.to === undefined) throw new UsageError('--to is missing: to whom?')
  const { objects, issues, places } = await loadPolicyObjects(paths, options)
  warnOf(issues)
  const { evaluator } = await import('../intent/policy/evaluate.ts')
  const { policyCluster } = await import('../intent/policy/cluster.ts')
  const { answerOf, connectionsOf } = await import('./policy-question.ts')
  const question = {
    from: options.from,
    to: options.to,
    ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    ...(options.port === undefined ? {} : { port: options.port }),
  }
  const asked = connectionsOf(objects, question, options.namespace ?? 'default')
  const answer = answerOf(asked, evaluator(policyCluster(objects)), places, question)
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  process.stdout.write(
    renderPolicyAnswer(answer, format, { colour, width: Math.min(process.stdout.columns ?? 80, 100) }),
  )
  return EXIT_CODES[answer.decision]
}

async function runQueries(paths: readonly string[], options: CheckOptions, file: string): Promise<number> {
  if (options.output !== undefined && options.output !== 'json')
    throw new UsageError('--queries answers in JSON, one object a line')
  const { readText } = await import('./rules-load.ts')
  const { readQueries, writeAnswers } = await import('./policy-queries.ts')
  const queries = readQueries(readText(file), file, options)
  const { objects, issues } = await loadPolicyObjects(paths, options)
  warnOf(issues)
  writeAnswers(objects, queries, options.namespace ?? 'default', (text) => process.stdout.write(text))
  return 0
}
