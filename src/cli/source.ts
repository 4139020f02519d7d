/** Where evidence comes from: the options every command that needs a cluster shares. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { clean } from '../report/clean.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { FailureError, UsageError } from './errors.ts'
import { accessBy, type KubeOptions, requestTimeout, withKubeFlags } from './kube-flags.ts'
import { type Progress, progressOn } from './source-progress.ts'

export interface SourceOptions extends KubeOptions {
  readonly snapshot?: string
  readonly lab?: boolean
  readonly inventory?: string
}

/** Where the lab keeps its state, `inventory.yaml` among it. */
export function labFolder(): string {
  return process.env.NETWHY_LAB_DIR || '/run/netwhy-lab'
}

/**
 * Adds `--snapshot`, `--lab`, `--inventory` and kubectl's flags to a command.
 * @param asksApi whether a run without the first three reads from the API server; it does unless told otherwise
 */
export function withSource(command: Command, asksApi: (command: Command) => boolean = () => true): Command {
  command
    .option('--snapshot <path>', 'a snapshot: folder, .tar, .tar.gz or .zip')
    .option('--lab', 'the lab that is up on this machine')
    .option('--inventory <file>', 'the machines of this inventory file')
  return withKubeFlags(command, (c) => !namesEvidence(c.opts<SourceOptions>()) && asksApi(c))
}

/** Whether the options name evidence other than the API server of the kubeconfig. */
export function namesEvidence(options: SourceOptions): boolean {
  return options.snapshot !== undefined || options.lab === true || options.inventory !== undefined
}

const NO_EVIDENCE =
  'no evidence: give --snapshot PATH (a saved snapshot), --inventory FILE (machines to look at) or --lab (the lab on this machine), or a kubeconfig (--kubeconfig, KUBECONFIG or ~/.kube/config)'

/** The inventory file that the options name, or null for a snapshot. */
export function inventoryFile(options: SourceOptions): string | null {
  const given = [options.snapshot !== undefined, options.lab === true, options.inventory !== undefined]
  const count = given.filter(Boolean).length
  if (count === 0) throw new UsageError(NO_EVIDENCE)
  if (count > 1) throw new UsageError('--snapshot, --lab and --inventory exclude each other')
  if (options.snapshot !== undefined) return null
  if (options.inventory !== undefined) return options.inventory
  const file = join(labFolder(), 'inventory.yaml')
  if (!existsSync(file)) throw new UsageError('no lab is up on this machine: run netwhy lab up')
  return file
}

/**
 * The snapshot the options name: opened, or collected now. Nodes that could not be reached are in its manifest, and told
 * on stderr. Interrupting (SIGINT, SIGTERM) stops the collectors, which clean up, before the program ends.
 * @throws UsageError or an error with code 2 for bad options and files, FailureError when no node could be reached
 */
export async function loadEvidence(
  options: SourceOptions,
  progress: Progress = progressOn(process.stderr),
): Promise<Snapshot> {
  if (!namesEvidence(options)) return fromApi(options, progress)
  if (options.context !== undefined || options.kubeconfig !== undefined)
    throw new UsageError('--kubeconfig and --context ask the API server: leave --snapshot, --lab and --inventory away')
  const file = inventoryFile(options)
  if (file === null) {
    const { openSnapshot } = await import('../collect/open.ts')
    return openSnapshot(options.snapshot!)
  }
  const { readInventory } = await import('../collect/inventory.ts')
  const { collectInventory } = await import('../collect/collect-inventory.ts')
  const inventory = readInventory(file)
  return interruptible(progress, async (signal) => {
    progress.show(`collecting from ${inventory.nodes.length} nodes`)
    const snapshot = await collectInventory(inventory, { signal, progress: progress.show })
    const failed = snapshot.manifest.nodes.filter((n) => n.error !== undefined)
    const lines = failed.map((n) => `node ${n.name}: ${n.error}`)
    const nothing = !snapshot.manifest.artefacts.some((a) => a.command.startsWith('GET ') && a.exitCode === 0)
    if (failed.length > 0 && failed.length === inventory.nodes.length && nothing)
      throw new FailureError(lines.join('\n'))
    const lost = snapshot.manifest.artefacts.find((a) => a.exitCode !== 0)
    if (inventory.nodes.length === 0 && snapshot.paths().length === 0 && lost) throw new FailureError(lost.stderr)
    progress.clear()
    for (const line of lines) process.stderr.write(`netwhy: ${clean(line)}\n`)
    for (const a of snapshot.manifest.artefacts)
      if (a.exitCode !== 0 && a.path.startsWith('objects/'))
        process.stderr.write(`netwhy: not read: ${clean(`${a.path}: ${a.stderr}`, 400)}\n`)
    return snapshot
  })
}

/** What the API server alone tells; what it refused, and the rights that would help, go to stderr. */
async function fromApi(options: SourceOptions, progress: Progress): Promise<Snapshot> {
  const access = await accessBy(options)
  if (access === null) throw new UsageError(NO_EVIDENCE)
  const timeout = requestTimeout(options.requestTimeout)
  const { API_ONLY, snapshotFromApi } = await import('../collect/objects-from-api.ts')
  return interruptible(progress, async (signal) => {
    progress.show(`asking the API server (${clean(access.described)})`)
    const { snapshot, objects } = await snapshotFromApi(access, {
      signal,
      progress: progress.show,
      ...(timeout === undefined ? {} : { timeout }),
    })
    progress.clear()
    const tell = (line: string) => process.stderr.write(`netwhy: ${clean(line, 400)}\n`)
    for (const r of objects.refused) tell(`not read: ${r.kind || r.group}: ${r.reason}`)
    if (objects.rbac !== null) {
      tell('this would allow it, bound to your user, group or service account:')
      process.stderr.write(objects.rbac)
    }
    tell(API_ONLY)
    return snapshot
  })
}

/** Runs `work`, which SIGINT and SIGTERM abort, and wipes the progress line. @throws FailureError when interrupted */
async function interruptible<T>(progress: Progress, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    return await work(abort.signal)
  } catch (e) {
    if (abort.signal.aborted) throw new FailureError('interrupted')
    throw e
  } finally {
    progress.clear()
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
  }
}
