/**
 * Reads zip (PKWARE APPNOTE 6.3): the central directory, entries stored (method 0) or deflated (method 8).
 * No zip64, no encryption, no spanning: those are refused with a clear message. Sizes are those of the central directory,
 * and inflating stops when an entry turns out larger.
 */
import { type ArchiveEntry, MAX_ARTEFACT_BYTES, MAX_SNAPSHOT_BYTES, SnapshotFormatError, safePath } from './entries.ts'

/** Inflates raw deflate data (RFC 1951) to at most `limit` bytes; throws when it is damaged or larger. */
export type InflateRaw = (data: Uint8Array, limit: number) => Uint8Array

/** True for the signatures of a local file header or of an empty archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5) && bytes[3] === bytes[2]! + 1
}

/**
 * The files of a zip archive, inflated when their data is asked for.
 * @throws SnapshotFormatError when the archive is damaged, cut short, or of a kind not read here.
 */
export function readZip(bytes: Uint8Array, inflateRaw: InflateRaw): ArchiveEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = findEnd(view)
  const count = view.getUint16(end + 10, true)
  let at = view.getUint32(end + 16, true)
  if (count === 0xffff || at === 0xffffffff) throw new SnapshotFormatError('zip64 archives are not read')
  const entries: ArchiveEntry[] = []
  let total = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      throw new SnapshotFormatError(`damaged zip directory at byte ${at}`)
    const flags = view.getUint16(at + 8, true)
    const method = view.getUint16(at + 10, true)
    const packed = view.getUint32(at + 20, true)
    const size = view.getUint32(at + 24, true)
    const nameLength = view.getUint16(at + 28, true)
    const local = view.getUint32(at + 42, true)
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength))
    // Unix mode in the upper half of the external attributes; 0o120000 is a symbolic link.
    const symlink = ((view.getUint32(at + 38, true) >>> 16) & 0o170000) === 0o120000
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    const path = safePath(name)
    if (path === null || symlink || name.endsWith('/')) continue
    if (flags & 1) throw new SnapshotFormatError(`zip entry ${path} is encrypted`)
    if (method !== 0 && method !== 8) throw new SnapshotFormatError(`zip entry ${path} uses method ${method}`)
    total += size
    if (size > MAX_ARTEFACT_BYTES || total > MAX_SNAPSHOT_BYTES)
      throw new SnapshotFormatError(`zip entry ${path} makes the snapshot larger than its limit`)
    if (local + 30 > bytes.length || view.getUint32(local, true) !== 0x04034b50)
      throw new SnapshotFormatError(`damaged zip entry ${path} at byte ${local}`)
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
    if (start + packed > bytes.length) throw new SnapshotFormatError(`zip entry ${path} is cut short`)
    entries.push({
      path,
      size,
      data: () => unpack(bytes.subarray(start, start + packed), method, size, path, inflateRaw),
    })
  }
  return entries
}

function unpack(packed: Uint8Array, method: number, size: number, path: string, inflateRaw: InflateRaw): Uint8Array {
  if (method === 0) return packed
  let data: Uint8Array
  try {
    data = inflateRaw(packed, size)
  } catch (cause) {
    throw new SnapshotFormatError(`damaged zip entry ${path}`, { cause })
  }
  if (data.length !== size) throw new SnapshotFormatError(`zip entry ${path} has ${data.length} bytes, not ${size}`)
  return data
}

/** Offset of the end-of-central-directory record, which a comment of up to 65535 bytes may follow. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= 0 && at >= view.byteLength - 22 - 0xffff; at--)
    if (view.getUint32(at, true) === 0x06054b50) return at
  throw new SnapshotFormatError('zip archive is cut short: it has no directory')
}
