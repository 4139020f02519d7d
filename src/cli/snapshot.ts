import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { UsageError } from './errors.ts'
import { loadEvidence, type SourceOptions, withSource } from './source.ts'

interface SnapshotOptions extends SourceOptions {
  readonly output?: string
  readonly redact?: boolean
}

/** `netwhy-YYYYMMDD-HHMMSS.tar.gz`, local time. */
export function defaultName(now: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  return `netwhy-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}.tar.gz`
}

/** Pseudonyms of this run only: the key is thrown away. */
async function redacted(snapshot: Snapshot): Promise<Snapshot> {
  const { redactSnapshot } = await import('../snapshot/redact.ts')
  return redactSnapshot(snapshot, randomBytes(32).toString('hex'))
}

const EXAMPLES = `
Examples:
  # Save what the machines of an inventory are like now
  netwhy snapshot --inventory inventory.yaml -o monday.tar.gz

  # The same for other eyes: names and addresses replaced
  netwhy snapshot --snapshot monday.tar.gz --redact -o monday-redacted.tar.gz`

/** Declares `netwhy snapshot`. */
export function declareSnapshot(program: Command): void {
  const command = program
    .command('snapshot')
    .description('Save raw evidence of the cluster in one file, to look at it elsewhere or later')
    .option('-o, --output <path>', 'file (.tar.gz, .tgz, .tar) or new folder to write')
    .option('--redact', 'replace names and addresses, the same everywhere')
  command.addHelpText('after', EXAMPLES)
  withSource(command).action(async (options: SnapshotOptions) => {
    const output = options.output ?? defaultName(new Date())
    if (output === '') throw new UsageError('--output needs a path')
    const { formOf, writeSnapshot } = await import('../collect/write.ts')
    formOf(output)
    const snapshot = await loadEvidence(options)
    const kept = options.redact ? await redacted(snapshot) : snapshot
    await writeSnapshot(kept, output)
    const { describeSnapshot } = await import('./snapshot-summary.ts')
    process.stdout.write(describeSnapshot(kept.manifest, resolve(output)))
  })
}
