import type { Command } from 'commander'
import type { MatrixQuestion } from '../diagnose/matrix/plan.ts'
import { provingInventory } from './connection.ts'
import { UsageError } from './errors.ts'
import { formatOf, terminal } from './output.ts'
import { loadEvidence, type SourceOptions, withSource } from './source.ts'

interface MatrixCommandOptions extends SourceOptions {
  readonly namespace?: string
  readonly from?: readonly string[]
  readonly outside?: string
  readonly output: string
  readonly prove?: boolean
}

const EXAMPLES = `
Traffics: container to container, pod to pod on the same and on another node,
pod to Service, pod to Internet. Directions: pod IP, ClusterIP, NodePort,
LoadBalancer, Ingress. Senders: a pod of each namespace, nodes, pods,
containers.

Examples:
  # What works in this cluster?
  netwhy matrix --inventory inv.yaml

  # From the pods of one namespace, for a spreadsheet
  netwhy matrix --namespace shop -o csv --snapshot snap.tar.gz

  # From one pod, with real packets
  netwhy matrix --from pod/shop/web-1 --lab --prove --outside 203.0.113.10:80

Exit code: 0 no error, 1 errors found, 2 usage, 3 evidence insufficient,
4 netwhy or the API failed.`

/** Declares `netwhy matrix`. */
export function declareMatrix(program: Command): void {
  const command = program
    .command('matrix')
    .summary('Show which kinds of traffic work, from real pods and nodes')
    .description(
      'Try five kinds of traffic in five directions at four levels, between real pods and nodes of the cluster, on the model; name what breaks them, most breaking first.',
    )
    .option('-n, --namespace <name>', 'only pods of this namespace send')
    .option('--from <ref...>', 'only these send: pod/NS/NAME, node/NAME')
    .option('--outside <address:port>', 'what stands for the Internet (1.1.1.1:443)')
    .option('-o, --output <format>', 'text, wide, json, yaml, csv or markdown', 'text')
    .option('--prove', 'also send packets: to the outside, and for one connection of each kind')
    .addHelpText('after', EXAMPLES)
  withSource(command).action(async (options: MatrixCommandOptions) => {
    process.exitCode = await matrix(options)
  })
}

/** Connections that are proven with packets, at most, and how many of them at a time. */
const MOST_PROVEN = 40
const AT_ONCE = 4

async function matrix(options: MatrixCommandOptions): Promise<number> {
  const { MATRIX_FORMATS, renderMatrix } = await import('../report/matrix.ts')
  const format = formatOf(MATRIX_FORMATS, options.output)
  if (options.outside !== undefined && !/^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):\d{1,5}$/.test(options.outside))
    throw new UsageError(`--outside ${options.outside}: must be ADDRESS:PORT`)
  const inventory = provingInventory(options)
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { planMatrix } = await import('../diagnose/matrix/plan.ts')
  const { sendersNamed } = await import('../diagnose/matrix/senders.ts')
  const { tryMatrix } = await import('../diagnose/matrix/try.ts')
  const { matrixOf } = await import('../diagnose/matrix/matrix.ts')
  const state = assemble(snapshot)
  const plan = planMatrix(state, {
    outside: options.outside ?? null,
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.from === undefined ? {} : { from: sendersNamed(state, options.from, options.namespace ?? 'default') }),
  })
  let trial = tryMatrix(state, plan.questions)
  if (inventory !== null) {
    const questions = worthProving(trial.tried.map((t) => ({ question: t.question, state: t.cell.state })))
    trial = tryMatrix(state, plan.questions, await proveAll(state, questions, inventory))
  }
  const result = matrixOf(state, plan, trial)
  process.stdout.write(renderMatrix(result, format, terminal()))
  const unexplained = result.cells.some((c) => (c.state === 'fails' || c.state === 'partial') && c.code === undefined)
  if (unexplained || result.findings.some((f) => f.severity === 'error')) return 1
  const undecided = result.cells.some((c) => c.state === 'unknown') || result.cells.every((c) => c.from === null)
  return undecided ? 3 : 0
}

/** What leaves the cluster, what is not known, and one connection of each traffic, direction and level. */
function worthProving(
  tried: readonly { readonly question: MatrixQuestion; readonly state: string }[],
): readonly MatrixQuestion[] {
  const firsts = new Map(
    [...tried].reverse().map((t) => [`${t.question.traffic} ${t.question.direction} ${t.question.level}`, t]),
  )
  const open = tried.filter((t) => t.state === 'leaves' || t.state === 'unknown')
  return [...new Set([...firsts.values(), ...open].map((t) => t.question))].slice(0, MOST_PROVEN)
}

async function proveAll(
  state: Parameters<typeof import('../diagnose/matrix/try.ts').tryMatrix>[0],
  questions: readonly MatrixQuestion[],
  file: string,
) {
  const { readInventory } = await import('../collect/inventory.ts')
  const { inquire } = await import('../diagnose/diagnose.ts')
  const { askedOf } = await import('../diagnose/matrix/try.ts')
  const { prove } = await import('./prove.ts')
  const inventory = readInventory(file)
  const reports = new Map<MatrixQuestion, NonNullable<Awaited<ReturnType<typeof prove>>>>()
  const waiting = [...questions]
  const worker = async () => {
    for (let q = waiting.shift(); q; q = waiting.shift()) {
      const asked = askedOf(state, q)
      if (!asked) continue
      const report = await prove(inquire(state.network, state.objects, asked), asked, inventory)
      if (report) reports.set(q, report)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return reports
}
