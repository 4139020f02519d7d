/** Writes tar: ustar, and a pax header where a path needs one. Same input, same bytes. */

const BLOCK = 512
const encoder = new TextEncoder()

/** A file to write: path with `/`, content, and the modification time in seconds since the epoch. */
export interface TarFile {
  readonly path: string
  readonly data: Uint8Array
  readonly mtime: number
}

/** The archive in pieces (headers, contents, padding), in the order given; mode 0644, owner 0. */
export function* writeTar(files: Iterable<TarFile>): Generator<Uint8Array> {
  for (const f of files) {
    const name = splitName(f.path)
    if (name === null) {
      const record = paxRecord('path', f.path)
      yield header('pax-header', '', record.length, f.mtime, 'x')
      yield* padded(record)
    }
    yield header(name?.name ?? 'long-name', name?.prefix ?? '', f.data.length, f.mtime, '0')
    yield* padded(f.data)
  }
  yield new Uint8Array(2 * BLOCK)
}

function* padded(data: Uint8Array): Generator<Uint8Array> {
  if (data.length > 0) yield data
  const rest = data.length % BLOCK
  if (rest > 0) yield new Uint8Array(BLOCK - rest)
}

/** Name of at most 100 bytes and prefix of at most 155, split at a `/`; null when the path does not fit or is not ASCII. */
function splitName(path: string): { name: string; prefix: string } | null {
  if (!/^[\x20-\x7e]*$/.test(path)) return null
  if (path.length <= 100) return { name: path, prefix: '' }
  for (let i = path.indexOf('/'); i > 0 && i <= 155; i = path.indexOf('/', i + 1))
    if (path.length - i - 1 <= 100) return { name: path.slice(i + 1), prefix: path.slice(0, i) }
  return null
}

/** `LENGTH key=value\n`, where LENGTH counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const body = ` ${key}=${value}\n`
  const bytes = encoder.encode(body).length
  let length = bytes + String(bytes).length
  if (String(length).length !== String(bytes).length) length = bytes + String(length).length
  return encoder.encode(`${length}${body}`)
}

function header(name: string, prefix: string, size: number, mtime: number, type: string): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const put = (text: string, at: number) => block.set(encoder.encode(text), at)
  const octal = (n: number, width: number) => n.toString(8).padStart(width, '0')
  put(name, 0)
  put('0000644\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  put(`${octal(size, 11)}\0`, 124)
  put(`${octal(Math.max(0, Math.floor(mtime)), 11)}\0`, 136)
  put('        ', 148)
  put(type, 156)
  put('ustar\x0000', 257)
  put(prefix, 345)
  let sum = 0
  for (const b of block) sum += b
  put(`${octal(sum, 6)}\0 `, 148)
  return block
}
