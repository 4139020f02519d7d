/** Opens a snapshot from disk: folder, tar, gzipped tar or zip, told apart by content. */
import { lstatSync, readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync, inflateRawSync } from 'node:zlib'
import {
  type ArchiveEntry,
  MAX_ARTEFACT_BYTES,
  MAX_ENTRIES,
  MAX_SNAPSHOT_BYTES,
  SnapshotFormatError,
} from '../snapshot/entries.ts'
import { snapshotFromEntries } from '../snapshot/from-entries.ts'
import { INDEX_FILE } from '../snapshot/node-evidence.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { isTar, readTar } from '../snapshot/tar-read.ts'
import { isZip, readZip } from '../snapshot/zip-read.ts'
import { BadInputError, fileReason } from './errors.ts'

/**
 * The snapshot at `path`. A folder is read on demand; an archive is unpacked (gzip) in memory and its files viewed in place.
 * @throws BadInputError one sentence naming the file, and the place where it is damaged
 */
export async function openSnapshot(path: string): Promise<Snapshot> {
  try {
    const stats = statOf(path)
    const entries = stats.isDirectory() ? folderEntries(path) : archiveEntries(path, stats)
    return snapshotFromEntries(entries, stats.mtime.toISOString())
  } catch (e) {
    if (e instanceof SnapshotFormatError) throw new BadInputError(`${path}: ${e.message}`, { cause: e })
    throw e
  }
}

/** The path the user names may be a symbolic link; nothing inside a snapshot may. */
function statOf(path: string): Stats {
  try {
    return statSync(path)
  } catch (e) {
    throw new BadInputError(`${path}: ${fileReason(e)}`, { cause: e })
  }
}

function archiveEntries(path: string, stats: Stats): ArchiveEntry[] {
  if (!stats.isFile()) throw new SnapshotFormatError('neither a file nor a folder')
  if (stats.size > MAX_SNAPSHOT_BYTES) throw new SnapshotFormatError(`larger than ${MAX_SNAPSHOT_BYTES} bytes`)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (e) {
    throw new BadInputError(`${path}: ${fileReason(e)}`, { cause: e })
  }
  if (bytes.length === 0) throw new SnapshotFormatError('is empty')
  if (isZip(bytes))
    return readZip(bytes, (data, limit) => inflateRawSync(data, { maxOutputLength: Math.max(1, limit) }))
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzip(bytes)
  if (isTar(bytes)) return readTar(bytes)
  throw new SnapshotFormatError('not a netwhy snapshot: neither tar, gzipped tar nor zip')
}

/** A gzip file may unpack to this many bytes whatever its size, and to this many times its size. */
const MIN_UNPACKED_LIMIT = 256 * 1024 ** 2
const MOST_SHRUNK = 200

function gunzip(bytes: Buffer): Buffer {
  // Text of a cluster shrinks 20 times or so; zeros shrink a thousand times.
  const limit = Math.min(MAX_SNAPSHOT_BYTES, Math.max(MIN_UNPACKED_LIMIT, bytes.length * MOST_SHRUNK))
  try {
    return gunzipSync(bytes, { maxOutputLength: limit })
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new SnapshotFormatError(`unpacks to more than ${limit} bytes`)
    if (code === 'Z_BUF_ERROR') throw new SnapshotFormatError('gzip data is cut short')
    throw new SnapshotFormatError(`damaged gzip data: ${(e as Error).message}`)
  }
}

/** Regular files below the folder; symbolic links are not followed. */
function folderEntries(root: string): ArchiveEntry[] {
  const entries: ArchiveEntry[] = []
  const walk = (folder: string, prefix: string) => {
    for (const e of readdirSync(folder, { withFileTypes: true })) {
      const path = prefix + e.name
      if (e.isDirectory()) walk(join(folder, e.name), `${path}/`)
      else if (e.isFile()) entries.push(fileEntry(join(folder, e.name), path))
      if (entries.length > MAX_ENTRIES) throw new SnapshotFormatError(`holds more than ${MAX_ENTRIES} files`)
    }
  }
  try {
    walk(root, '')
  } catch (e) {
    if (e instanceof SnapshotFormatError) throw e
    throw new BadInputError(`${root}: ${fileReason(e)}`, { cause: e })
  }
  // The unpacked folder of one node, named itself.
  const node = basename(root)
  return entries.some((e) => e.path === INDEX_FILE)
    ? entries.map((e) => ({ ...e, path: `${node}/${e.path}` }))
    : entries
}

function fileEntry(file: string, path: string): ArchiveEntry {
  return {
    path,
    get size() {
      return lstatSync(file).size
    },
    data: () => {
      if (lstatSync(file).size > MAX_ARTEFACT_BYTES)
        throw new BadInputError(`${file}: larger than ${MAX_ARTEFACT_BYTES} bytes`)
      try {
        return readFileSync(file)
      } catch (e) {
        throw new BadInputError(`${file}: ${fileReason(e)}`, { cause: e })
      }
    },
  }
}
