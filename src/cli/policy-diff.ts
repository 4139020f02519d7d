import { type Command, Option } from 'commander'
import type { ObservedFlows } from '../model/observed-flow.ts'
import type { PolicyDiff } from '../model/policy-diff.ts'
import { UsageError } from './errors.ts'
import { readFlows } from './policy-flows.ts'
import { loadPolicyObjects, warnOf } from './policy-source.ts'

export interface DiffOutputOptions {
  readonly output: string
  readonly flows?: string
  readonly failOn: FailOn
  readonly namespace: string
}

const FAIL_ON = ['lost', 'gained', 'any', 'none'] as const
type FailOn = (typeof FAIL_ON)[number]

const EXAMPLES = `
Workloads that only one side has are listed; their connections are neither
lost nor gained. Every difference names the change that makes it.

Examples:
  # What does this branch cut?
  netwhy policy diff main/manifests branch/manifests

  # For a pull request; fails only when a connection is opened
  netwhy policy diff old new -o markdown --fail-on gained

  # Two snapshots, weighed by what was seen in between
  netwhy policy diff monday.tar.gz today.tar.gz --flows flows.jsonl

Exit code: 0 nothing lost, 1 something lost (see --fail-on), 2 usage,
3 nothing is surely lost but something is not known, 4 netwhy failed.`

/** Options that `diff` and `what-if` share. */
export function withDiffOutput(command: Command): Command {
  return command
    .option(
      '--flows <file>',
      "observed flows: hubble observe -o json, or lines of {from,to,protocol,port,count|rate}; '-' is stdin",
    )
    .addOption(new Option('--fail-on <what>', 'what gives exit code 1').choices(FAIL_ON).default('lost'))
    .option('-o, --output <format>', 'text, wide, json, yaml or markdown', 'text')
}

/** Declares `netwhy policy diff`. */
export function declarePolicyDiff(policy: Command): void {
  const command = policy
    .command('diff <before> <after>')
    .summary('Compare two sets of policies: connections lost and gained, and which change does it')
    .description(
      'Compare two folders or files of manifests, or two snapshots: which workloads lose or gain which ports, and which policy change does it.',
    )
    .option('-n, --namespace <name>', 'namespace of objects and references without one', 'default')
    .addHelpText('after', EXAMPLES)
  withDiffOutput(command).action(async (before: string, after: string, options: DiffOutputOptions) => {
    process.exitCode = await diff(before, after, options)
  })
}

async function diff(before: string, after: string, options: DiffOutputOptions): Promise<number> {
  const format = await formatOf(options.output)
  const old = await loadPolicyObjects([before], { namespace: options.namespace })
  const now = await loadPolicyObjects([after], { namespace: options.namespace })
  warnOf([...old.issues, ...now.issues])
  const flows = options.flows === undefined ? undefined : await readFlows(options.flows)
  const { policyDiff } = await import('../diagnose/policy-diff/diff.ts')
  const words = { before, after, namespace: options.namespace }
  return printDiff(policyDiff(old.objects, now.objects, { ...words, ...given(flows) }), format, options.failOn)
}

export const given = (flows: ObservedFlows | undefined) => (flows === undefined ? {} : { flows })

/** The output format. @throws UsageError for a name that is none */
export async function formatOf(name: string) {
  const { POLICY_DIFF_FORMATS } = await import('../report/policy-diff.ts')
  const format = POLICY_DIFF_FORMATS.find((f) => f === name)
  if (!format) throw new UsageError(`--output ${name}: must be one of ${POLICY_DIFF_FORMATS.join(', ')}`)
  return format
}

/** Prints a comparison and returns the exit code. */
export async function printDiff(
  result: PolicyDiff,
  format: Awaited<ReturnType<typeof formatOf>>,
  failOn: FailOn,
): Promise<number> {
  const { renderPolicyDiff } = await import('../report/policy-diff.ts')
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  const width = Math.min(process.stdout.columns ?? 80, 100)
  process.stdout.write(renderPolicyDiff(result, format, { colour, width }))
  return exitCode(result, failOn)
}

function exitCode({ totals, empty, unjudged }: PolicyDiff, failOn: FailOn): number {
  const { lost, gained } = totals
  const unknown = totals.unknown + (empty ? unjudged.length : 0)
  const failed = { lost: lost > 0, gained: gained > 0, any: lost + gained > 0, none: false }[failOn]
  return failed ? 1 : unknown > 0 && failOn !== 'none' ? 3 : 0
}
