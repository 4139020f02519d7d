/** What the archive readers yield and refuse. Bytes in, entries out; nothing here knows files or processes. */

/** A regular file of an archive. `data` is a view into the archive's bytes where that is possible. */
export interface ArchiveEntry {
  readonly path: string
  readonly data: () => Uint8Array
  readonly size: number
}

/** Most a snapshot may hold, unpacked, in bytes; a larger one is refused rather than filling the memory. */
export const MAX_SNAPSHOT_BYTES = 2 * 1024 ** 3 - 1
/** Most one artefact may hold, in bytes. */
export const MAX_ARTEFACT_BYTES = 512 * 1024 ** 2
/** Most files a snapshot may hold. */
export const MAX_ENTRIES = 200_000

/** The bytes are no archive we read; the message says what is wrong and at which byte. */
export class SnapshotFormatError extends Error {
  readonly kind = 'snapshot-format'
}

/** `a/./b` → `a/b`; null for paths that are absolute, climb with `..`, or hold a NUL. */
export function safePath(path: string): string | null {
  if (path.startsWith('/') || path.includes('\0') || path.length > 4096) return null
  const parts = path.split('/').filter((p) => p !== '' && p !== '.')
  return parts.length === 0 || parts.includes('..') ? null : parts.join('/')
}
