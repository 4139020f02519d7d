/** `netwhy guard`: do the connections that were promised still work, and the forbidden ones still not? */
import type { Command } from 'commander'
import type { ExpectationFile } from '../diagnose/guard/expectation.ts'
import type { GuardReport } from '../model/guard.ts'
import { clean } from '../report/clean.ts'
import { FailureError, UsageError } from './errors.ts'
import { type PolicySourceOptions, warnOf, withPolicySource } from './policy-source.ts'

interface GuardOptions extends PolicySourceOptions {
  readonly policyOnly?: boolean
  readonly most: string
  readonly watch?: string | boolean
  readonly failOn: string
  readonly output: string
}

const EXAMPLES = `
FILE holds what is promised:
  apiVersion: netwhy/v1
  kind: Expectations
  expect:
    - { from: shop/web, to: svc/shop/api:8080 }
    - { from: everyone, to: dns }
    - from: { not: { namespace: shop } }
      to: shop/db
      port: 5432
      reaches: false
      because: PCI scope

Ends: references as in netwhy why (NS/NAME is a pod, a workload or a Service),
  a CIDR, everyone (all pods), external (all outside), internet, anyone (both),
  dns, lists, { namespace: N }, { labels: { app: web } }, { not: END }

Examples:
  # In CI: do these manifests keep what was promised?
  netwhy guard expectations.yaml manifests/ -o junit > guard.xml

  # In a running cluster: follow the connections through the nodes
  netwhy guard expectations.yaml --inventory inv.yaml

  # Keep looking while policies are edited
  netwhy guard expectations.yaml manifests/ --watch

  # Begin with what the policies allow now
  netwhy guard init manifests/ > expectations.yaml

Exit code: 0 all hold, 1 one is broken, 2 usage, 3 one is unknown,
4 netwhy or the API failed.`

/** Declares `netwhy guard`. */
export function declareGuard(parent: Command): void {
  const command = parent
    .command('guard')
    .argument('<file>', 'the expectations (- for standard input)')
    .argument('[path...]', 'manifests (files or folders), or a snapshot')
    .summary('Check declared connectivity, once or continuously')
    .description(
      'Check a file of expectations (who must reach whom, and who must not) against manifests, or on the real path of a snapshot or a running cluster.',
    )
    .option('--policy-only', 'of a snapshot or a cluster too: only by the policies, all connections')
    .option('--most <number>', 'connections followed for one expectation', '24')
    .option('--watch [seconds]', 'check again when files change; a running cluster every so often (30)')
    .option('--fail-on <severity>', 'error or warning: broken expectations that give exit code 1', 'warning')
    .option('-o, --output <format>', 'text, wide, json, yaml, junit, sarif or markdown', 'text')
    .addHelpText('after', EXAMPLES)
  withPolicySource(command).action(async (file: string, paths: string[], options: GuardOptions) => {
    process.exitCode = await guardCommand(file, paths, options)
  })
}

interface Settings {
  readonly most: number
  /** Seconds; null: once. */
  readonly watch: number | null
  readonly failOnWarning: boolean
}

function settingsOf(options: GuardOptions): Settings {
  const whole = (name: string, text: string, max: number) => {
    if (!/^\d{1,7}$/.test(text) || Number(text) < 1 || Number(text) > max)
      throw new UsageError(`${name} ${text}: must be a number from 1 to ${max}`)
    return Number(text)
  }
  if (options.failOn !== 'error' && options.failOn !== 'warning')
    throw new UsageError(`--fail-on ${options.failOn}: must be error or warning`)
  const live = options.lab === true || options.inventory !== undefined
  const watch =
    options.watch === undefined ? null : typeof options.watch === 'string' ? options.watch : live ? '30' : '2'
  return {
    most: whole('--most', options.most, 2000),
    watch: watch === null ? null : whole('--watch', watch, 86_400),
    failOnWarning: options.failOn === 'warning',
  }
}

async function guardCommand(file: string, paths: readonly string[], options: GuardOptions): Promise<number> {
  if (file === 'init') {
    const { guardInit } = await import('./guard-init.ts')
    return guardInit(paths, options)
  }
  const { GUARD_FORMATS, renderGuard } = await import('../report/guard.ts')
  const format = GUARD_FORMATS.find((f) => f === options.output)
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${GUARD_FORMATS.join(', ')}`)
  const settings = settingsOf(options)
  if (file === '-' && paths.includes('-')) throw new UsageError('only one of FILE and PATH can be standard input')
  if (settings.watch !== null) {
    if (format !== 'text' && format !== 'wide' && format !== 'json')
      throw new UsageError(`--watch prints text or json, not ${format}`)
    return watching(file, paths, options, settings, format === 'json')
  }
  const report = await check(file, paths, options, settings, true)
  process.stdout.write(renderGuard(report, format, terminal()))
  return exitCode(report, settings)
}

function terminal() {
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  return { colour, width: Math.min(process.stdout.columns ?? 80, 100) }
}

/** Broken comes before unknown. */
function exitCode({ results }: GuardReport, { failOnWarning }: Settings): number {
  if (results.some((r) => r.state === 'broken' && (failOnWarning || r.severity === 'error'))) return 1
  return results.some((r) => r.state === 'unknown') ? 3 : 0
}

/** One look: the file is read first, so that its mistakes are told before anything is collected. */
async function check(
  file: string,
  paths: readonly string[],
  options: GuardOptions,
  { most }: Settings,
  warn: boolean,
): Promise<GuardReport> {
  const { explainWith, loadExpectations, loadGuarded, lookUpIn } = await import('./guard-load.ts')
  const declared: ExpectationFile = await loadExpectations(file)
  const { objects, network, places, issues } = await loadGuarded(paths, options)
  // A folder may hold the expectations beside the manifests.
  if (warn) warnOf(issues.filter((i) => i.artefact !== file && !/group netwhy\b/.test(i.message)))
  const { guard } = await import('../diagnose/guard/guard.ts')
  const followed = options.policyOnly === true ? null : network
  const results = guard({
    objects,
    network: followed,
    file,
    expectations: declared.expectations,
    lookUp: lookUpIn(objects, declared.namespace ?? options.namespace ?? 'default'),
    explain: explainWith(places),
    most,
  })
  return { file, judgedBy: followed === null ? 'policies' : 'paths', results }
}

async function watching(
  file: string,
  paths: readonly string[],
  options: GuardOptions,
  settings: Settings,
  json: boolean,
): Promise<number> {
  if (file === '-' || paths.includes('-')) throw new UsageError('--watch needs files, not standard input')
  const { everySeconds, lookAgain, onFileChange } = await import('./guard-watch.ts')
  const { guardJson, renderChanges, renderGuard } = await import('../report/guard.ts')
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  const seconds = settings.watch ?? 2
  const live = options.lab === true || options.inventory !== undefined
  const files = [file, ...paths, ...(options.snapshot === undefined ? [] : [options.snapshot])]
  const next = live ? everySeconds(seconds, abort.signal) : onFileChange(files, seconds, abort.signal)
  let first = true
  const look = async (): Promise<GuardReport | null> => {
    try {
      const report = await check(file, paths, options, settings, first)
      first = false
      return report
    } catch (e) {
      // At the start bad input ends it; later a file is half edited, or a node is away.
      if (abort.signal.aborted) return null
      const { code } = e as { code?: unknown }
      if (first || (code !== 2 && code !== 4)) throw e
      process.stderr.write(`netwhy: ${clean((e as Error).message, 1000)}\n`)
      return null
    }
  }
  const tell = (now: GuardReport, before: GuardReport | null) => {
    if (json) {
      if (before === null || renderChanges(before.results, now.results, terminal()) !== '')
        process.stdout.write(`${JSON.stringify(guardJson(now))}\n`)
    } else if (before === null) process.stdout.write(renderGuard(now, 'text', terminal()))
    else {
      const changes = renderChanges(before.results, now.results, terminal())
      if (changes !== '') process.stdout.write(`\n${new Date().toISOString()}\n${changes}`)
    }
  }
  try {
    const last = await lookAgain(look, next, tell)
    if (last === null) throw new FailureError('interrupted')
    return exitCode(last, settings)
  } finally {
    abort.abort()
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
  }
}
