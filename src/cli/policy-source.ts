/** Where the policy commands get their objects: manifests, snapshots, the lab or machines. */
import type { Command } from 'commander'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Places } from '../manifests/places.ts'
import type { Issue } from '../model/evidence.ts'
import { clean } from '../report/clean.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { FailureError, UsageError } from './errors.ts'
import { accessBy } from './kube-flags.ts'
import { loadEvidence, namesEvidence, type SourceOptions, withSource } from './source.ts'

export interface PolicyObjects {
  readonly objects: KubeObjects
  /** What was not read or looks wrong in the evidence. */
  readonly issues: readonly Issue[]
  /** Line and column of a key; knows nothing of objects that came from a snapshot. */
  readonly places: Places
}

export interface PolicySourceOptions extends SourceOptions {
  /** Namespace of references and of objects in files without one. */
  readonly namespace?: string
}

const NOWHERE: Places = { placeOf: () => null }

/** Adds `--snapshot`, `--lab`, `--inventory` and `-n` to a policy command; the PATHs are its arguments. */
export function withPolicySource(command: Command): Command {
  return withSource(command, (c) => c.args.length === 0).option(
    '-n, --namespace <name>',
    'namespace of references and of objects without one',
    'default',
  )
}

/**
 * The objects of PATHs (files and folders of manifests, or one snapshot), or of what the options name. Workloads without pods
 * stand for theirs.
 * @throws UsageError or an error with code 2 naming the path
 */
export async function loadPolicyObjects(
  paths: readonly string[],
  options: PolicySourceOptions,
): Promise<PolicyObjects> {
  if (paths.length === 0) {
    if (!namesEvidence(options) && (await accessBy(options)) === null)
      throw new UsageError(
        'no manifests: give PATH (files or folders of YAML or JSON, or a snapshot), --snapshot PATH, --inventory FILE, --lab or a kubeconfig',
      )
    return fromEvidence(options)
  }
  if (namesEvidence(options)) throw new UsageError('give either PATHs or one of --snapshot, --inventory and --lab')
  const { looksLikeSnapshot, readManifestFiles } = await import('../collect/manifest-files.ts')
  const snapshots = paths.filter(looksLikeSnapshot)
  if (snapshots.length > 0) {
    if (paths.length > 1) throw new UsageError(`${snapshots[0]} is a snapshot: give it alone`)
    return fromEvidence({ snapshot: snapshots[0]! })
  }
  const { loadManifests } = await import('../manifests/load.ts')
  const found = readManifestFiles(paths)
  const { namespace } = options
  const loaded = loadManifests(found.files, namespace === undefined ? {} : { namespace })
  return { ...loaded, issues: [...found.issues, ...loaded.issues] }
}

async function fromEvidence(options: SourceOptions): Promise<PolicyObjects> {
  const snapshot = await loadEvidence(options)
  refuseHalfPolicies(snapshot)
  const { assemble } = await import('../assemble/assemble.ts')
  const { withTemplates } = await import('../manifests/templates.ts')
  const { network, objects } = assemble(snapshot)
  const all = withTemplates(objects, { live: true })
  return { objects: all, issues: network.issues.filter((i) => i.artefact.startsWith('objects/')), places: NOWHERE }
}

/** Groups of policies and of what they select; kinds of the core group by path. */
const DECIDES =
  /^objects\/((pods|namespaces|nodes|networkpolicies\.networking\.k8s\.io)(-api)?\.json|.*(policy\.networking\.k8s\.io|projectcalico\.org|cilium\.io|antrea\.io).*|apis\.json)$/

/** A policy that was not read may forbid, or allow, anything. @throws FailureError */
function refuseHalfPolicies(snapshot: Snapshot): void {
  const { artefacts } = snapshot.manifest
  const lost = artefacts.filter((a) => a.command.startsWith('GET ') && a.exitCode !== 0 && DECIDES.test(a.path))
  if (lost.length === 0) return
  const names = lost.map((a) => a.path.slice('objects/'.length).replace(/\.json$/, ''))
  throw new FailureError(`policies cannot be judged without ${names.join(', ')}: ${lost[0]!.stderr}`)
}

/** Most issues printed; the rest is counted. */
const SHOWN = 20

/** Tells what was wrong with the evidence on stderr, a line each. */
export function warnOf(issues: readonly Issue[]): void {
  for (const i of issues.slice(0, SHOWN)) {
    const place = i.line === undefined ? i.artefact : `${i.artefact}:${i.line}`
    process.stderr.write(`netwhy: ${clean(`${place}: ${i.message}`)}\n`)
  }
  if (issues.length > SHOWN) process.stderr.write(`netwhy: and ${issues.length - SHOWN} more of these\n`)
}
