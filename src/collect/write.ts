/** Writes a snapshot to disk, wholly or not at all. */
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { MANIFEST_FILE } from '../snapshot/from-entries.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type TarFile, writeTar } from '../snapshot/tar-write.ts'
import { BadInputError, CollectError, fileReason } from './errors.ts'

type Form = 'tar.gz' | 'tar' | 'folder'

/**
 * How a snapshot would be written to `path`: `.tar.gz` or `.tgz`, `.tar`, else a folder, which must be new or empty.
 * @throws BadInputError for a path that cannot be used; worth asking before collecting
 */
export function formOf(path: string): Form {
  if (/\.zip$/i.test(path))
    throw new BadInputError(`${path}: zip is read but not written: use .tar.gz, .tar or a folder`)
  const parent = dirname(path)
  if (!isFolder(parent)) throw new BadInputError(`${path}: ${parent} is not a folder`)
  if (/\.(tar\.gz|tgz|tar)$/i.test(path)) {
    if (isFolder(path)) throw new BadInputError(`${path}: is a folder`)
    return /\.tar$/i.test(path) ? 'tar' : 'tar.gz'
  }
  if (existsSync(path) && (!isFolder(path) || readdirSync(path).length > 0))
    throw new BadInputError(`${path}: exists and is not an empty folder`)
  return 'folder'
}

/**
 * Writes the snapshot to `path` in the form its name asks for. The same snapshot gives the same bytes. It appears under its
 * name only when complete, readable by its owner alone, for it holds what nodes know.
 * @throws BadInputError for a path that cannot be used, CollectError when writing fails
 */
export async function writeSnapshot(snapshot: Snapshot, path: string): Promise<void> {
  const form = formOf(path)
  let temporary: string
  try {
    temporary = mkdtempSync(join(dirname(path), `.${basename(path)}.`))
  } catch (e) {
    throw new BadInputError(`${path}: cannot write there: ${fileReason(e)}`, { cause: e })
  }
  try {
    const whole = join(temporary, 'snapshot')
    if (form !== 'folder') {
      const tar = Readable.from(writeTar(filesOf(snapshot)), { objectMode: true })
      const file = createWriteStream(whole, { mode: 0o600 })
      await (form === 'tar.gz' ? pipeline(tar, createGzip(), file) : pipeline(tar, file))
    } else {
      for (const f of filesOf(snapshot)) {
        mkdirSync(join(whole, dirname(f.path)), { recursive: true, mode: 0o700 })
        writeFileSync(join(whole, f.path), f.data, { mode: 0o600 })
      }
    }
    renameSync(whole, path)
  } catch (e) {
    throw new CollectError(`${path}: ${fileReason(e)}`, { cause: e })
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** The manifest first, then artefacts in order of path. */
function* filesOf(snapshot: Snapshot): Generator<TarFile> {
  const mtime = Date.parse(snapshot.manifest.time) / 1000 || 0
  const encoder = new TextEncoder()
  yield { path: MANIFEST_FILE, data: encoder.encode(`${JSON.stringify(snapshot.manifest, null, 1)}\n`), mtime }
  for (const path of snapshot.paths()) {
    const data = snapshot.bytes?.(path) ?? encoder.encode(snapshot.text(path) ?? '')
    yield { path, data, mtime }
  }
}
