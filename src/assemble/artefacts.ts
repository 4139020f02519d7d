/** Reading artefacts of a snapshot, and why one cannot be relied on. */
import { looksBinary, type Origin } from '../parse/rows.ts'
import type { ManifestArtefact, Snapshot } from '../snapshot/snapshot.ts'

export interface Artefact {
  readonly origin: Origin
  /** What there is of it; empty when there is nothing. */
  readonly text: string
  /** Null: read wholly. Otherwise why it was not. */
  readonly trouble: string | null
}

export interface Artefacts {
  /** Why the artefact was not read wholly as far as the manifest tells, without decoding it; null when nothing speaks against it. */
  trouble(path: string): string | null
  read(path: string): Artefact
  /** True when anything of it is in the snapshot or the manifest speaks of it. */
  mentioned(path: string): boolean
}

export function artefactsOf(snapshot: Snapshot): Artefacts {
  const entries = new Map(snapshot.manifest.artefacts.map((a) => [a.path, a]))
  const present = new Set(snapshot.paths())
  const trouble = (path: string): string | null => {
    const entry = entries.get(path)
    if (entry) {
      const failed = failure(entry)
      if (failed !== null) return failed
      return present.has(path) || entry.bytes === 0 ? null : 'the file is missing from the snapshot'
    }
    return present.has(path) ? null : 'not in the snapshot'
  }
  return {
    trouble,
    mentioned: (path) => entries.has(path) || present.has(path),
    read(path) {
      const source = entries.get(path)?.command
      const origin = source === undefined ? { artefact: path } : { artefact: path, source }
      const told = trouble(path)
      const text = present.has(path) ? (snapshot.text(path) ?? '') : ''
      if (looksBinary(text)) return { origin, text: '', trouble: told ?? 'not a text' }
      return { origin, text, trouble: told ?? (present.has(path) ? resized(entries.get(path), snapshot) : null) }
    },
  }
}

/** A file whose size is not what the manifest tells was cut, replaced or edited since; what it lacks proves nothing. */
function resized(entry: ManifestArtefact | undefined, snapshot: Snapshot): string | null {
  const size = entry && snapshot.bytes?.(entry.path)?.length
  if (entry === undefined || size === undefined || size === entry.bytes) return null
  return `the file has ${size} bytes, the manifest says ${entry.bytes}`
}

/** One line of what went wrong, in the tool's own words when it said something. */
function failure(entry: ManifestArtefact): string | null {
  const said = entry.stderr.trim().split('\n')[0]?.slice(0, 200) ?? ''
  if (entry.truncated) return `cut short at ${entry.bytes} bytes`
  if (entry.exitCode === 0) return null
  if (entry.exitCode === null) return said === '' ? 'took too long or was killed' : said
  if (said !== '') return said
  const tool = entry.command.split(' ')[0]
  return entry.exitCode === 127 ? `${tool}: command not found` : `${tool} ended with exit code ${entry.exitCode}`
}
