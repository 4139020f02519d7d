/** `netwhy policy matrix`: who may reach whom, on which ports. */
import { once } from 'node:events'
import type { Command } from 'commander'
import type { PolicyMatrix } from '../intent/policy/matrix/index.ts'
import type { KubeObjects, PodObject } from '../kubeobj/objects.ts'
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { UsageError } from './errors.ts'
import { loadPolicyObjects, type PolicySourceOptions, warnOf, withPolicySource } from './policy-source.ts'

interface MatrixCommandOptions extends PolicySourceOptions {
  readonly from?: string
  readonly to?: string
  readonly by: string
  readonly exposure?: boolean
  readonly output: string
}

const EXAMPLES = `
Examples:
  # Which workload may reach which, on one screen
  netwhy policy matrix manifests/

  # Everything that may reach the database, with ports
  netwhy policy matrix manifests/ --to sts/shop/db -o wide

  # Namespace by namespace, as a picture
  netwhy policy matrix snap.tar.gz --by namespace -o svg > matrix.svg

  # All pods of a cluster, for another program
  netwhy policy matrix --snapshot snap.tar.gz --by pod -o json

Exit code: 0 told, 2 usage, 4 netwhy itself or the API failed.`

const BY = ['workload', 'pod', 'namespace'] as const

/** Declares `netwhy policy matrix`. */
export function declarePolicyMatrix(policy: Command): void {
  const command = policy
    .command('matrix [path...]')
    .summary('Say who may reach whom, on which ports')
    .description(
      'All connections that the policies allow: between workloads, pods or namespaces, and to and from the outside.',
    )
    .option('--from <ref>', 'only connections from this end')
    .option('--to <ref>', 'only connections to this end')
    .option('--by <kind>', 'workload (replicas alike), pod or namespace', 'workload')
    .option('--exposure', 'also what pods that are not there yet could reach, and who could reach them')
    .option('-o, --output <format>', 'text, wide, json, csv, dot, mermaid, svg or markdown', 'text')
    .addHelpText('after', EXAMPLES)
  withPolicySource(command).action(async (paths: string[], options: MatrixCommandOptions) => {
    const narrow = command.getOptionValueSource('namespace') === 'cli' ? (options.namespace ?? null) : null
    process.exitCode = await matrix(paths, options, narrow)
  })
}

async function matrix(paths: readonly string[], options: MatrixCommandOptions, narrow: string | null): Promise<number> {
  const { MOST_DRAWN, POLICY_MATRIX_FORMATS, renderPolicyMatrix } = await import('../report/policy-matrix.ts')
  const format = POLICY_MATRIX_FORMATS.find((f) => f === options.output)
  if (!format) throw new UsageError(`--output ${options.output}: must be one of ${POLICY_MATRIX_FORMATS.join(', ')}`)
  const by = BY.find((b) => b === options.by)
  if (!by) throw new UsageError(`--by ${options.by}: must be one of ${BY.join(', ')}`)
  const { objects, issues } = await loadPolicyObjects(paths, options)
  warnOf(issues)
  const { policyCluster } = await import('../intent/policy/cluster.ts')
  const { exposureView, namespaceView, policyMatrix, viewOf, workloadNames } = await import(
    '../intent/policy/matrix/index.ts'
  )
  const m = policyMatrix(policyCluster(objects), { by, workloadOf: workloadNames(objects) })
  const namespace = options.namespace ?? 'default'
  const ends = {
    sources: await chosen(m, objects, options.from, namespace),
    targets: await chosen(m, objects, options.to, namespace),
  }
  const chosenEnds = { ...ends, notes: notesOf(m) }
  const narrowed = (view: PolicyMatrixView) => (narrow === null ? view : within(view, narrow))
  const view = narrowed((by === 'namespace' ? namespaceView : viewOf)(m, chosenEnds))
  const rows = view.sources.length
  if ((format === 'svg' || format === 'dot' || format === 'mermaid') && rows > MOST_DRAWN)
    throw new UsageError(
      `--output ${format}: ${rows} ends are too many for a picture; use --by namespace, --from, --to or -n`,
    )
  const grouped =
    by === 'namespace' || format !== 'text' ? null : narrowed(namespaceView(m, { ...chosenEnds, notes: [] }))
  if (options.exposure && format !== 'text' && format !== 'wide' && format !== 'json')
    throw new UsageError(`--exposure: told as text, wide or json, not as ${format}`)
  const exposure = options.exposure ? exposureView(objects, workloadNames(objects)) : null
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
  const width = Math.min(process.stdout.columns ?? 80, 100)
  await write(renderPolicyMatrix({ view, exposure, grouped }, format, { colour, width }))
  return 0
}

/** Ends that a reference stands for; null: all. */
async function chosen(
  m: PolicyMatrix,
  objects: KubeObjects,
  text: string | undefined,
  namespace: string,
): Promise<ReadonlySet<number> | null> {
  if (text === undefined) return null
  const { endsOf } = await import('./policy-ends.ts')
  const { policyCluster } = await import('../intent/policy/cluster.ts')
  const { formatIp } = await import('../base/ip.ts')
  const { ends, outside, notes } = endsOf(objects, text, namespace)
  if (ends.length === 0) throw new UsageError(notes[0] ?? `${text}: nothing to ask about`)
  if (outside) return new Set(m.ends.filter((e) => e.kind === 'outside').map((e) => e.id))
  const found = new Set<number>()
  const pods = new Set<PodObject>()
  for (const { end, pod } of ends) {
    if (pod) pods.add(pod)
    else if (end.kind === 'ip') {
      const holder = policyCluster(objects).podByIp.get(formatIp(end.ip))
      if (holder) pods.add(holder)
      else found.add(m.outsideEndOf(end.ip))
    } else throw new UsageError(`${text}: the matrix has pods and addresses, not nodes`)
  }
  for (const pod of pods) {
    const id = m.endOf(pod)
    if (id !== null) found.add(id)
  }
  return found
}

function notesOf(m: PolicyMatrix): string[] {
  return m.split.map((name) => `policies tell the pods of ${name} apart: they are listed one by one`)
}

/** Connections with an end in the namespace. */
function within(view: PolicyMatrixView, namespace: string): PolicyMatrixView {
  if (!view.ends.some((e) => e.namespace === namespace))
    throw new UsageError(`--namespace ${namespace}: no pod is in it`)
  const inside = view.ends.map((e) => e.namespace === namespace)
  const nothing = 0
  return {
    ...view,
    rowKey: (i) => `${inside[i]} ${view.rowKey(i)}`,
    row: (i) => {
      const row = view.row(i)
      return inside[i] ? row : row.map((id, j) => (inside[j] ? id : nothing))
    },
  }
}

/** Writes pieces as fast as they are read. */
async function write(pieces: Iterable<string>): Promise<void> {
  for (const piece of pieces) if (!process.stdout.write(piece)) await once(process.stdout, 'drain')
}
