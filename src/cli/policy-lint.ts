/** `netwhy policy lint`. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { OtherObject } from '../kubeobj/objects.ts'
import type { Issue } from '../model/evidence.ts'
import { UsageError } from './errors.ts'
import { loadPolicyObjects, type PolicySourceOptions, warnOf, withPolicySource } from './policy-source.ts'

interface LintOptions extends PolicySourceOptions {
  readonly output?: string
  readonly failOn?: string
}

const EXAMPLES = `
Examples:
  # What is written wrongly in these policies?
  netwhy policy lint manifests/

  # In CI: comments beside the lines, failing on errors only
  netwhy policy lint manifests/ -o sarif --fail-on error > lint.sarif

  # Of a whole cluster, remarks and their proof too
  netwhy policy lint --snapshot snap.tar.gz -o wide

A corrected manifest is printed where it is certain; "verified" says that it
was evaluated and changes no connection of a sample but those meant.

Exit code: 0 nothing as bad as --fail-on, 1 something, 2 usage.`

/** Declares `netwhy policy lint`. */
export function declarePolicyLint(policy: Command): void {
  const command = policy
    .command('lint [path...]')
    .summary('Say what is written wrongly in policies, and how to correct it')
    .description(
      'Look for policies that do something else than was meant: no DNS, the port of the Service, selectors that match nothing, rules that are ignored or change nothing.',
    )
    .option('-o, --output <format>', 'text, wide, json, markdown or sarif')
    .option('--fail-on <severity>', 'error, warning or info: exit with 1 when there is one as bad', 'warning')
    .addHelpText('after', EXAMPLES)
  withPolicySource(command).action(async (paths: string[], options: LintOptions) => {
    process.exitCode = await lint(paths, options)
  })
}

const SEVERITIES = ['error', 'warning', 'info'] as const

async function lint(paths: readonly string[], options: LintOptions): Promise<number> {
  const { LINT_FORMATS, renderLint } = await import('../report/policy-lint.ts')
  const format = LINT_FORMATS.find((f) => f === (options.output ?? 'text'))
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${LINT_FORMATS.join(', ')}`)
  const failOn = SEVERITIES.indexOf((options.failOn ?? 'warning') as 'error')
  if (failOn < 0) throw new UsageError(`--fail-on ${options.failOn}: must be one of ${SEVERITIES.join(', ')}`)
  const { objects, issues, places } = await loadPolicyObjects(paths, options)
  const { lintPolicies, policyCount } = await import('../diagnose/policy-lint/lint.ts')
  const { LINT_CODES } = await import('../diagnose/policy-lint/codes.ts')
  const { splitDocuments } = await import('../manifests/split.ts')
  const replaced = issues.flatMap(replacedOf)
  warnOf(issues.filter((i) => replacedOf(i).length === 0))
  const chunks = new Map<string, ReturnType<typeof splitDocuments>>()
  const input = {
    objects,
    // A snapshot's objects come from no manifest; it holds all of a cluster.
    complete: !objects.others.some((o) => places.placeOf(refOf(o), []) !== null),
    lineOf: (o: OtherObject, path: readonly (string | number)[]) => places.placeOf(refOf(o), path)?.line,
    textOf: (o: OtherObject) => documentText(o, chunks, splitDocuments),
    replaced,
  }
  const findings = lintPolicies(input)
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  const report = { policies: policyCount(input), pods: objects.pods.length, findings, codes: LINT_CODES }
  process.stdout.write(renderLint(report, format, { colour, width: Math.min(process.stdout.columns ?? 80, 100) }))
  return findings.some((f) => SEVERITIES.indexOf(f.severity) <= failOn) ? 1 : 0
}

const refOf = ({ apiVersion, kind, meta }: OtherObject) => ({
  apiVersion,
  kind,
  namespace: meta.namespace,
  name: meta.name,
})

/** The loader's word about an object that is there twice. */
function replacedOf(issue: Issue) {
  const said = /^(\S+) (\S+) is also at (.+):(\d+); this later one counts$/.exec(issue.message)
  if (!said || !/Policy$/.test(said[1] ?? '')) return []
  const [, kind = '', name = '', file = '', line = ''] = said
  const text = `${kind} ${name}`
  return [
    {
      kind,
      name,
      evidence: { artefact: file, line: Number(line), text },
      by: { artefact: issue.artefact, ...(issue.line === undefined ? {} : { line: issue.line }), text },
    },
  ]
}

/** The YAML document an object was read from; null in a List, in JSON, and where the file cannot be read again (standard input). */
function documentText<Chunk extends { readonly text: string; readonly line: number }>(
  o: OtherObject,
  chunks: Map<string, readonly Chunk[]>,
  split: (text: string) => readonly Chunk[],
): string | null {
  const { artefact, line } = o.evidence
  if (line === undefined || artefact === '-') return null
  let known = chunks.get(artefact)
  if (!known) {
    known = textOf(artefact, split)
    chunks.set(artefact, known)
  }
  const chunk = known.findLast((c) => c.line <= line)
  const own = chunk && /^kind:/m.test(chunk.text) && !/^kind:.*List/m.test(chunk.text) && !/^\s*[{[]/.test(chunk.text)
  return own ? chunk.text : null
}

function textOf<Chunk>(artefact: string, split: (text: string) => readonly Chunk[]): readonly Chunk[] {
  try {
    return split(readFileSync(artefact, 'utf8'))
  } catch {
    return []
  }
}
