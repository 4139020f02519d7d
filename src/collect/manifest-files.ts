/** Files and folders of manifests that the user names, read within bounds. */
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { join, sep } from 'node:path'
import { MANIFEST_FILE } from '../snapshot/from-entries.ts'
import { INDEX_FILE } from '../snapshot/node-evidence.ts'
import { BadInputError, fileReason } from './errors.ts'

export interface TextFile {
  /** As the user would name it. */
  readonly path: string
  readonly text: string
}

export interface FoundFiles {
  readonly files: readonly TextFile[]
  /** What was passed over and may be missed, a sentence each. */
  readonly issues: readonly { readonly artefact: string; readonly message: string }[]
}

/** Bounds of one run: files, bytes of one, bytes of all, folders inside folders. */
const MAX_FILES = 20_000
const MAX_FILE_BYTES = 64 * 1024 ** 2
const MAX_TOTAL_BYTES = 512 * 1024 ** 2
const MAX_DEPTH = 40

/** What kubectl takes from a folder (cli-runtime resource/builder.go, FileExtensions). */
const EXTENSIONS = /\.(ya?ml|json)$/i

/**
 * A named file is read whatever it is called, `-` is standard input; of a folder the `.yaml`, `.yml` and `.json` files, sorted by
 * name, folders inside too. Hidden files and folders and links that lead out of the folder are passed over.
 * @throws BadInputError naming a path that cannot be read, or what is more than the bounds
 */
export function readManifestFiles(paths: readonly string[]): FoundFiles {
  const files: TextFile[] = []
  const issues: { artefact: string; message: string }[] = []
  const seen = new Set<string>()
  let total = 0
  for (const path of paths) {
    if (path === '-') {
      files.push({ path, text: readFileSync(0, 'utf8') })
      continue
    }
    const stats = statOf(path)
    if (stats.isDirectory()) walk(path, realpathSync(path), 0)
    else read(path, stats)
  }
  return { files, issues }

  function walk(folder: string, root: string, depth: number): void {
    if (depth > MAX_DEPTH) throw new BadInputError(`${folder}: more than ${MAX_DEPTH} folders inside each other`)
    for (const name of namesIn(folder)) {
      if (name.startsWith('.') || name === 'node_modules') continue
      const path = join(folder, name)
      let stats: Stats
      try {
        stats = lstatSync(path)
        if (stats.isSymbolicLink()) {
          if (!isInside(realpathSync(path), root)) {
            if (EXTENSIONS.test(name))
              issues.push({ artefact: path, message: 'a link that leads out of the folder: not followed' })
            continue
          }
          stats = statSync(path)
          // A folder in here is walked where it stands.
          if (stats.isDirectory()) continue
        }
      } catch (e) {
        issues.push({ artefact: path, message: `not read: ${fileReason(e)}` })
        continue
      }
      if (stats.isDirectory()) walk(path, root, depth + 1)
      else if (stats.isFile() && EXTENSIONS.test(name)) read(path, stats)
    }
  }

  function namesIn(folder: string): string[] {
    try {
      return readdirSync(folder).sort()
    } catch (e) {
      throw new BadInputError(`${folder}: ${fileReason(e)}`, { cause: e })
    }
  }

  /** The same file by two names is read once. */
  function read(path: string, stats: Stats): void {
    if (!stats.isFile() && !stats.isFIFO()) throw new BadInputError(`${path}: neither a file nor a folder`)
    const id = `${stats.dev}:${stats.ino}`
    if (stats.isFile() && seen.has(id)) return
    seen.add(id)
    if (files.length >= MAX_FILES) throw new BadInputError(`${path}: more than ${MAX_FILES} files`)
    total += stats.size
    if (stats.size > MAX_FILE_BYTES) throw new BadInputError(`${path}: larger than ${MAX_FILE_BYTES} bytes`)
    if (total > MAX_TOTAL_BYTES) throw new BadInputError(`${path}: more than ${MAX_TOTAL_BYTES} bytes of manifests`)
    try {
      files.push({ path, text: readFileSync(path, 'utf8') })
    } catch (e) {
      throw new BadInputError(`${path}: ${fileReason(e)}`, { cause: e })
    }
  }
}

function statOf(path: string): Stats {
  try {
    return statSync(path)
  } catch (e) {
    throw new BadInputError(`${path}: ${fileReason(e)}`, { cause: e })
  }
}

const isInside = (path: string, root: string) =>
  path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)

/**
 * True for what `openSnapshot` reads: an archive, or a folder with a snapshot's manifest or a node's index in it. A
 * `manifest.json` that is a Kubernetes object is none.
 */
export function looksLikeSnapshot(path: string): boolean {
  if (path === '-') return false
  const stats = statOf(path)
  if (stats.isDirectory()) {
    if (isSnapshotManifest(join(path, MANIFEST_FILE)) || existsSync(join(path, INDEX_FILE))) return true
    return readdirSync(path).some((name) => existsSync(join(path, name, INDEX_FILE)))
  }
  if (!stats.isFile()) return false
  const head = headOf(path)
  const begins = (...bytes: number[]) => bytes.every((b, i) => head[i] === b)
  return begins(0x1f, 0x8b) || begins(0x50, 0x4b, 3, 4) || head.toString('latin1', 257, 262) === 'ustar'
}

function isSnapshotManifest(file: string): boolean {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown; artefacts?: unknown } | null
    return typeof value?.version === 'string' && Array.isArray(value.artefacts)
  } catch {
    return false
  }
}

function headOf(path: string): Buffer {
  const head = Buffer.alloc(512)
  try {
    const file = openSync(path, 'r')
    try {
      readSync(file, head, 0, head.length, 0)
    } finally {
      closeSync(file)
    }
  } catch (e) {
    throw new BadInputError(`${path}: ${fileReason(e)}`, { cause: e })
  }
  return head
}
