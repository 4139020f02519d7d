/**
 * Reads tar: ustar with prefix (POSIX.1-1988), pax extended headers (POSIX.1-2001: path, size), GNU long names (type `L`).
 * Only regular files are yielded; links, devices and directories are skipped, so that no entry can point outside.
 */
import { type ArchiveEntry, MAX_ENTRIES, SnapshotFormatError, safePath } from './entries.ts'

const BLOCK = 512
const utf8 = new TextDecoder()

/** True when the bytes begin with a valid tar header block. */
export function isTar(bytes: Uint8Array): boolean {
  return bytes.length >= BLOCK && checksumHolds(bytes, 0)
}

/**
 * The regular files of a tar archive, in order; a later one of the same path replaces the earlier.
 * @throws SnapshotFormatError with the byte offset when a header is damaged or the archive ends inside an entry.
 */
export function readTar(bytes: Uint8Array): ArchiveEntry[] {
  const entries = new Map<string, ArchiveEntry>()
  let at = 0
  let longName: string | undefined
  let pax: ReadonlyMap<string, string> = new Map()
  let globalPax: ReadonlyMap<string, string> = new Map()
  while (at < bytes.length) {
    if (at + BLOCK > bytes.length) throw new SnapshotFormatError(`tar archive ends inside a header at byte ${at}`)
    if (isZero(bytes, at)) return [...entries.values()]
    if (!checksumHolds(bytes, at)) throw new SnapshotFormatError(`damaged tar header at byte ${at}`)
    const type = String.fromCharCode(bytes[at + 156]!)
    const paxSize = type === 'x' || type === 'g' || type === 'L' || type === 'K' ? undefined : pax.get('size')
    const size = paxSize !== undefined && /^\d{1,15}$/.test(paxSize) ? Number(paxSize) : number(bytes, at + 124, 12, at)
    const start = at + BLOCK
    const end = start + size
    if (end > bytes.length)
      throw new SnapshotFormatError(
        `tar archive is cut short: the entry at byte ${at} needs ${end - bytes.length} more`,
      )
    at = start + Math.ceil(size / BLOCK) * BLOCK
    if (type === 'L') longName = text(bytes, start, size)
    else if (type === 'x') pax = paxRecords(bytes, start, end)
    else if (type === 'g') globalPax = paxRecords(bytes, start, end)
    else if (type !== 'K') {
      const name = pax.get('path') ?? longName ?? globalPax.get('path') ?? ustarName(bytes, start - BLOCK)
      const path = type === '0' || type === '\0' || type === '7' ? safePath(name) : null
      if (path !== null && !name.endsWith('/')) {
        entries.set(path, { path, size, data: () => bytes.subarray(start, end) })
        if (entries.size > MAX_ENTRIES)
          throw new SnapshotFormatError(`tar archive holds more than ${MAX_ENTRIES} files`)
      }
      longName = undefined
      pax = new Map()
    }
  }
  throw new SnapshotFormatError('tar archive is cut short: it has no end mark')
}

function ustarName(bytes: Uint8Array, at: number): string {
  const name = text(bytes, at, 100)
  // GNU tar ("ustar  \0") keeps times where POSIX keeps the prefix.
  const posix = text(bytes, at + 257, 6) === 'ustar' && bytes[at + 263] === 48
  const prefix = posix ? text(bytes, at + 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Octal text, or base 256 when the first bit is set (GNU, sizes of 8 GiB and more). */
function number(bytes: Uint8Array, at: number, length: number, header: number): number {
  if (bytes[at]! & 0x80) {
    let n = bytes[at]! & 0x7f
    for (let i = 1; i < length; i++) n = n * 256 + bytes[at + i]!
    if (!Number.isSafeInteger(n)) throw new SnapshotFormatError(`damaged tar header at byte ${header}`)
    return n
  }
  const digits = text(bytes, at, length).trim()
  if (!/^[0-7]*$/.test(digits)) throw new SnapshotFormatError(`damaged tar header at byte ${header}`)
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function checksumHolds(bytes: Uint8Array, at: number): boolean {
  let sum = 8 * 32
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += bytes[at + i]!
  const digits = text(bytes, at + 148, 8).trim()
  return /^[0-7]+$/.test(digits) && Number.parseInt(digits, 8) === sum
}

function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < BLOCK; i++) if (bytes[at + i] !== 0) return false
  return true
}

function text(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length)
  const nul = field.indexOf(0)
  return utf8.decode(nul < 0 ? field : field.subarray(0, nul))
}

/** Records `LENGTH KEY=VALUE\n`; damaged ones end the list. */
function paxRecords(bytes: Uint8Array, start: number, end: number): Map<string, string> {
  const records = new Map<string, string>()
  let at = start
  while (at < end) {
    const space = bytes.indexOf(32, at)
    const length = space < 0 || space >= end ? Number.NaN : Number(utf8.decode(bytes.subarray(at, space)))
    if (!Number.isInteger(length) || length < 5 || at + length > end) break
    const record = utf8.decode(bytes.subarray(space + 1, at + length - 1))
    const equals = record.indexOf('=')
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}
