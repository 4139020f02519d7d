import type { Command } from 'commander'
import type { Verification } from '../diagnose/policy-generate/verify.ts'
import { FailureError, UsageError } from './errors.ts'
import { readFlows } from './policy-flows.ts'
import { loadPolicyObjects, warnOf } from './policy-source.ts'
import { type SourceOptions, withSource } from './source.ts'

interface GenerateOptions extends SourceOptions {
  readonly namespace?: string
  readonly flows?: string
  readonly fromMatrix?: boolean
  readonly output: string
}

const EXAMPLES = `
The policies are read back and tried: stderr tells whether each flow is
allowed, and what is allowed beyond the flows. Both directions are isolated;
DNS stays allowed. kube-system gets policies only when -n names it.

Examples:
  # From what was seen
  hubble observe --last 100000 -o json |
    netwhy policy generate --snapshot snap.tar.gz --flows - > policies.yaml

  # One namespace, from what is allowed now and Services offer
  netwhy policy generate manifests/ -n shop --from-matrix

Exit code: 0 every flow is allowed, 1 some is not (another policy refuses
it), 2 usage, 4 netwhy failed.`

const FORMATS = ['yaml', 'json'] as const

/** Declares `netwhy policy generate`. */
export function declarePolicyGenerate(policy: Command): void {
  const command = policy
    .command('generate [path...]')
    .summary('Write least privilege policies from observed flows, or from what is allowed now')
    .description(
      'Write a NetworkPolicy for each workload that allows what was seen (or what Services offer and the present policies allow), DNS, and nothing else.',
    )
    .option('-n, --namespace <name>', 'only this namespace; every one with traffic otherwise')
    .option(
      '--flows <file>',
      "observed flows: hubble observe -o json, or lines of {from,to,protocol,port,count|rate}; '-' is stdin",
    )
    .option('--from-matrix', 'from what the present policies allow to pods behind Services')
    .option('-o, --output <format>', 'yaml or json', 'yaml')
    .addHelpText('after', EXAMPLES)
  withSource(command).action(async (paths: string[], options: GenerateOptions) => {
    process.exitCode = await generate(paths, options)
  })
}

async function generate(paths: readonly string[], options: GenerateOptions): Promise<number> {
  const format = FORMATS.find((f) => f === options.output)
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${FORMATS.join(', ')}`)
  if ((options.flows === undefined) === (options.fromMatrix !== true))
    throw new UsageError('from what? Give either --flows FILE or --from-matrix')
  const { objects, issues } = await loadPolicyObjects(paths, options)
  warnOf(issues)
  const flows = options.flows === undefined ? null : await readFlows(options.flows)
  const { generatePolicies } = await import('../diagnose/policy-generate/generate.ts')
  const { policyObject, writePolicies } = await import('../diagnose/policy-generate/write.ts')
  const { verifyPolicies } = await import('../diagnose/policy-generate/verify.ts')
  const { loadManifests } = await import('../manifests/load.ts')
  const generation = generatePolicies(objects, { flows, namespace: options.namespace ?? null })
  if (generation.policies.length === 0) {
    for (const note of generation.notes) await tell(`note: ${note}`)
    throw new UsageError('no connection of a workload to write a policy for')
  }
  const yaml = writePolicies(generation.policies)
  const back = loadManifests([{ path: 'generated policies', text: yaml }])
  if (back.issues.length > 0 || back.objects.others.length !== generation.policies.length)
    throw new FailureError(`the generated policies do not read back: ${back.issues[0]?.message ?? 'some are missing'}`)
  const verified = verifyPolicies(objects, back.objects.others, generation)
  if (format === 'yaml') process.stdout.write(yaml)
  else {
    const { policyGenerationJson } = await import('../report/policy-generation-json.ts')
    const policies = generation.policies.map(policyObject)
    const json = policyGenerationJson({ policies, verified, notes: generation.notes })
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  }
  await summarise(verified, generation.policies.length, generation.notes)
  return verified.refused.length > 0 ? 1 : 0
}

/** Most lines of each list on stderr; JSON has them all. */
const SHOWN = 20

async function summarise(v: Verification, policies: number, notes: readonly string[]): Promise<void> {
  const all = v.refused.length === 0
  await tell(
    `${policies} policies; ${v.allowed} of ${v.wanted} connections that are wanted are allowed${all ? '' : ', these are not:'}`,
  )
  for (const r of v.refused.slice(0, SHOWN)) await tell(`  ${r.connection}: ${r.why}`)
  if (v.refused.length > SHOWN) await tell(`  and ${v.refused.length - SHOWN} more`)
  await tell(
    v.beyond.length === 0
      ? 'nothing else is allowed to or from these workloads'
      : `${v.beyond.length} connections beyond that are allowed:`,
  )
  for (const b of v.beyond.slice(0, SHOWN)) await tell(`  ${b.from} → ${b.to}: ${b.ports.slice(0, 5).join(', ')}`)
  if (v.beyond.length > SHOWN) await tell(`  and ${v.beyond.length - SHOWN} more (-o json)`)
  for (const note of notes) await tell(`note: ${note}`)
  if (v.setAside.length > 0)
    await tell(
      `note: NetworkPolicies that are there add to these until they are deleted: ${v.setAside.slice(0, SHOWN).join(', ')}`,
    )
}

async function tell(text: string): Promise<void> {
  const { clean } = await import('../report/clean.ts')
  process.stderr.write(`${clean(text, 500)}\n`)
}
