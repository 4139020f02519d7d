/** What `netwhy guard` judges: the file of expectations, and the objects and nodes it is checked against. */
import { readFileSync, statSync } from 'node:fs'
import type { LookUp, Referred } from '../diagnose/guard/ends.ts'
import type { ExpectationFile } from '../diagnose/guard/expectation.ts'
import type { Explain } from '../diagnose/guard/guard.ts'
import { evaluator } from '../intent/policy/evaluate.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Places } from '../manifests/places.ts'
import type { Issue } from '../model/evidence.ts'
import type { Network } from '../model/network.ts'
import { UsageError } from './errors.ts'
import { directionOf } from './policy-answer.ts'
import { endsOf } from './policy-ends.ts'
import { loadPolicyObjects, type PolicySourceOptions } from './policy-source.ts'
import { loadEvidence, type SourceOptions } from './source.ts'

/** Bytes of a file of expectations. */
const MAX_BYTES = 4 * 1024 ** 2

/**
 * Reads FILE (`-`: standard input).
 * @throws UsageError with file, line and what is wrong
 */
export async function loadExpectations(file: string): Promise<ExpectationFile> {
  const { readExpectations } = await import('../diagnose/guard/read.ts')
  const read = readExpectations(textOf(file))
  if ('message' in read) throw new UsageError(`${file}:${read.line}: ${read.message}`)
  return read
}

function textOf(file: string): string {
  try {
    if (file !== '-' && statSync(file).size > MAX_BYTES) throw new UsageError(`${file}: larger than 4 MB`)
    return readFileSync(file === '-' ? 0 : file, 'utf8').replace(/^\ufeff/, '')
  } catch (e) {
    if (e instanceof UsageError) throw e
    const reasons: Record<string, string> = {
      ENOENT: 'no such file',
      EISDIR: 'is a folder, not a file of expectations',
    }
    const { code = '' } = e as NodeJS.ErrnoException
    throw new UsageError(`${file}: ${reasons[code] ?? `cannot be read (${code})`}`)
  }
}

export interface GuardEvidence {
  readonly objects: KubeObjects
  /** Null: manifests, or an inventory of objects alone. */
  readonly network: Network | null
  readonly places: Places
  readonly issues: readonly Issue[]
}

/**
 * Manifests, or a snapshot, the lab or machines, of which the nodes come too.
 * @throws UsageError, or an error with code 2 or 4
 */
export async function loadGuarded(paths: readonly string[], options: PolicySourceOptions): Promise<GuardEvidence> {
  const { looksLikeSnapshot } = await import('../collect/manifest-files.ts')
  const given = options.snapshot !== undefined || options.lab === true || options.inventory !== undefined
  if (!given && !(paths.length === 1 && looksLikeSnapshot(paths[0]!)))
    return { ...(await loadPolicyObjects(paths, options)), network: null }
  if (given && paths.length > 0) throw new UsageError('give either PATHs or one of --snapshot, --inventory and --lab')
  return fromNodes(given ? options : { snapshot: paths[0]! })
}

async function fromNodes(options: SourceOptions): Promise<GuardEvidence> {
  const snapshot = await loadEvidence(options)
  const { assemble } = await import('../assemble/assemble.ts')
  const { withTemplates } = await import('../manifests/templates.ts')
  const { network, objects } = assemble(snapshot)
  return {
    objects: withTemplates(objects, { live: true }),
    network: network.netns.size > 0 ? network : null,
    places: { placeOf: () => null },
    issues: network.issues.filter((i) => i.artefact.startsWith('objects/')),
  }
}

/** References by the objects; `NS/NAME` that is no pod and no workload is a Service. */
export function lookUpIn(objects: KubeObjects, namespace: string): LookUp {
  return (text) => {
    try {
      return referred(objects, text, namespace)
    } catch (e) {
      if (!(e instanceof UsageError)) throw e
      try {
        if (/^[a-z0-9.-]+(\/[a-z0-9.-]+)?$/.test(text))
          return referred(objects, `svc/${serviceName(text, namespace)}`, namespace)
      } catch (again) {
        if (!(again instanceof UsageError)) throw again
      }
      return { pods: [], special: [], problem: e.message }
    }
  }
}

const serviceName = (text: string, namespace: string) => (text.includes('/') ? text : `${namespace}/${text}`)

function referred(objects: KubeObjects, text: string, namespace: string): Referred {
  const { ends, service, notes } = endsOf(objects, text, namespace)
  const pods = ends.flatMap((e) => e.pod ?? [])
  const special = ends.filter((e) => !e.pod || e.pod.hostNetwork).map(({ end, text: shown }) => ({ end, text: shown }))
  const running = pods.filter((p) => p.phase !== 'Succeeded' && p.phase !== 'Failed')
  const problem =
    ends.length === 0
      ? (notes[0] ?? `${text} stands for nothing`)
      : running.length === 0 && special.length === 0
        ? `${text} has only pods that have ended`
        : undefined
  return { pods, special, ...(service ? { service } : {}), ...(problem === undefined ? {} : { problem }) }
}

/** The side that decides: the one that denies or is unknown; of an allowed one the ingress, which guards what is reached. */
export function explainWith(places: Places): Explain {
  return (cluster, question, names) => {
    const result = evaluator(cluster).explain(question)
    const sides = [result.egress, result.ingress]
    const chosen =
      sides.find((s) => s.decision === result.decision && result.decision !== 'allow') ??
      (result.ingress.decidedBy || !result.egress.decidedBy ? result.ingress : result.egress)
    const d = directionOf(chosen, names, places)
    const isolating = d.rule
      ? undefined
      : d.considered.find((c) => c.selects === 'yes' && d.policies.includes(c.policy))
    const place = d.rule ?? isolating
    const rule = d.rule
      ? `${d.rule.kind} ${d.rule.policy} ${d.rule.rule}`
      : d.decision === 'deny' && isolating
        ? `${isolating.kind} ${isolating.policy}`
        : undefined
    const why = `${d.reason.text}${d.decision === 'allow' ? '' : ` (${chosen.direction})`}`
    return {
      why,
      ...(rule === undefined ? {} : { rule }),
      ...(place?.file
        ? { place: { file: place.file, ...(place.line === undefined ? {} : { line: place.line }) } }
        : {}),
    }
  }
}
