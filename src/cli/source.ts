/** Where evidence comes from: the options every command that needs a cluster shares. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { clean } from '../report/clean.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { FailureError, UsageError } from './errors.ts'
import { type Progress, progressOn } from './source-progress.ts'

export interface SourceOptions {
  readonly snapshot?: string
  readonly lab?: boolean
  readonly inventory?: string
}

/** Where the lab keeps its state, `inventory.yaml` among it. */
export function labFolder(): string {
  return process.env.NETWHY_LAB_DIR || '/run/netwhy-lab'
}

/** Adds `--snapshot`, `--lab` and `--inventory` to a command. */
export function withSource(command: Command): Command {
  return command
    .option('--snapshot <path>', 'a snapshot: folder, .tar, .tar.gz or .zip')
    .option('--lab', 'the lab that is up on this machine')
    .option('--inventory <file>', 'the machines of this inventory file')
}

/** The inventory file that the options name, or null for a snapshot. */
export function inventoryFile(options: SourceOptions): string | null {
  const given = [options.snapshot !== undefined, options.lab === true, options.inventory !== undefined]
  const count = given.filter(Boolean).length
  if (count === 0)
    throw new UsageError(
      'no evidence: give --snapshot PATH (a saved snapshot), --inventory FILE (machines to look at) or --lab (the lab on this machine)',
    )
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
  const file = inventoryFile(options)
  if (file === null) {
    const { openSnapshot } = await import('../collect/open.ts')
    return openSnapshot(options.snapshot!)
  }
  const { readInventory } = await import('../collect/inventory.ts')
  const { collectInventory } = await import('../collect/collect-inventory.ts')
  const inventory = readInventory(file)
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  progress.show(`collecting from ${inventory.nodes.length} nodes`)
  try {
    const snapshot = await collectInventory(inventory, { signal: abort.signal, progress: progress.show })
    const failed = snapshot.manifest.nodes.filter((n) => n.error !== undefined)
    const lines = failed.map((n) => `node ${n.name}: ${n.error}`)
    if (failed.length > 0 && failed.length === inventory.nodes.length) throw new FailureError(lines.join('\n'))
    progress.clear()
    for (const line of lines) process.stderr.write(`netwhy: ${clean(line)}\n`)
    return snapshot
  } catch (e) {
    if (abort.signal.aborted) throw new FailureError('interrupted')
    throw e
  } finally {
    progress.clear()
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
  }
}
