import type { Command } from 'commander'
import { UsageError } from './errors.ts'
import { formatOf, terminal } from './output.ts'
import { loadEvidence, type SourceOptions, withSource } from './source.ts'

interface DoctorOptions extends SourceOptions {
  readonly node?: string
  readonly namespace?: string
  readonly output: string
}

const EXAMPLES = `
Examples:
  # The whole cluster from a saved snapshot
  netwhy doctor --snapshot snap.tar.gz

  # One node of a live set of machines, as JSON
  netwhy doctor --inventory inv.yaml --node node2 -o json

Exit code: 0 no error found, 1 errors, 2 usage, 3 not enough evidence,
4 netwhy or the API failed.`

/** Declares `netwhy doctor`. */
export function declareDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .summary('Look the whole cluster over and say what is wrong')
    .description(
      'Judge the set-up state, the host network and the container network; look for every known cause in the state of nodes, pods and objects; try connections on the model and say what each finding breaks.',
    )
    .option('--node <name>', 'only this node and its pods')
    .option('-n, --namespace <name>', 'only this namespace')
    .option('-o, --output <format>', 'text, wide, json, yaml, markdown or html', 'text')
    .addHelpText('after', EXAMPLES)
  withSource(command).action(async (options: DoctorOptions) => {
    process.exitCode = await doctor(options)
  })
}

async function doctor(options: DoctorOptions): Promise<number> {
  const { REPORT_FORMATS, renderReport, reportExitCode } = await import('../report/report.ts')
  const format = formatOf(REPORT_FORMATS, options.output)
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { examine } = await import('../diagnose/doctor/doctor.ts')
  const { network, objects } = assemble(snapshot)
  const { node, namespace } = options
  if (node !== undefined && !network.nodes.has(node) && !objects.nodes.some((n) => n.meta.name === node))
    throw new UsageError(`--node ${node}: no such node in the evidence`)
  if (namespace !== undefined && !objects.namespaces.some((n) => n.meta.name === namespace))
    if (!objects.pods.some((p) => p.meta.namespace === namespace))
      throw new UsageError(`--namespace ${namespace}: no such namespace in the evidence`)
  const report = examine(
    { network, objects },
    { ...(node === undefined ? {} : { node }), ...(namespace === undefined ? {} : { namespace }) },
  )
  process.stdout.write(renderReport(report, format, terminal()))
  return reportExitCode(report)
}
