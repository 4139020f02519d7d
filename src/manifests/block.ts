/**
 * The quick way through the YAML most manifests are written in: block mappings and sequences of plain and quoted words, five
 * times as fast as a whole parser. Whatever it is not sure about it does not read, and the parser does; what it reads equals what
 * the parser reads (property test).
 */
import { plainValue } from './yaml11.ts'

/** Printable ASCII and line feeds only: no tabs, no CR, no other alphabet. */
const ELSE = /[^\n\x20-\x7e]/
/** A key that is text in every YAML and no merge. */
const KEY = /^([A-Za-z_][A-Za-z0-9_./-]*):(?: +(.*))?$/
/** A plain scalar with none of the characters that mean something somewhere. */
const PLAIN = /^[A-Za-z0-9./_+-][A-Za-z0-9 ./_=@+,();$^~*&%!?<>|{}[\]'"\\`:#-]*$/
const QUOTED = /^(?:"([^"\\]*)"|'([^']*)')$/
/** `[a, b]` of plain words. */
const WORDS = /^\[ *([A-Za-z0-9./_-]+(?: *, *[A-Za-z0-9./_-]+)*) *\]$/

/** Thrown away and caught here: this text is for the parser. */
const NOT_SURE = Symbol('not sure')

/** The value of a document, or undefined when it is for the parser. */
export function readBlocks(text: string): unknown {
  if (ELSE.test(text)) return undefined
  const lines: Line[] = []
  for (const raw of text.split('\n')) {
    let indent = 0
    while (raw.charCodeAt(indent) === 32) indent++
    if (indent === raw.length || raw.charCodeAt(indent) === 35) continue
    let end = raw.length
    while (raw.charCodeAt(end - 1) === 32) end--
    lines.push({ indent, text: raw.slice(indent, end) })
  }
  if (lines.length === 0 || lines[0]!.indent !== 0) return undefined
  try {
    const reader: Reader = { lines, at: 0 }
    const value = node(reader, 0)
    // A line that goes on with the scalar above it fits no block, and is left.
    return reader.at === lines.length ? value : undefined
  } catch (e) {
    if (e === NOT_SURE) return undefined
    throw e
  }
}

interface Line {
  indent: number
  text: string
}

interface Reader {
  readonly lines: Line[]
  at: number
}

const isItem = (text: string) => text.charCodeAt(0) === 45 && (text.length === 1 || text.charCodeAt(1) === 32)

function node(r: Reader, depth: number): unknown {
  if (depth > 100) throw NOT_SURE
  const line = r.lines[r.at]!
  return isItem(line.text) ? sequence(r, line.indent, depth) : mapping(r, line.indent, depth)
}

function sequence(r: Reader, indent: number, depth: number): unknown[] {
  const out: unknown[] = []
  for (let line = r.lines[r.at]; line && line.indent === indent && isItem(line.text); line = r.lines[r.at]) {
    let inner = 1
    while (line.text.charCodeAt(inner) === 32) inner++
    const rest = line.text.slice(inner)
    if (rest === '') {
      r.at++
      out.push(below(r, indent, depth))
    } else if (isItem(rest) || KEY.test(rest)) {
      // What stands behind the dash is a block of its own, as far in as it begins.
      r.lines[r.at] = { indent: indent + inner, text: rest }
      out.push(node(r, depth + 1))
    } else {
      r.at++
      out.push(scalar(rest))
    }
  }
  return out
}

function mapping(r: Reader, indent: number, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (let line = r.lines[r.at]; line && line.indent === indent; line = r.lines[r.at]) {
    const m = KEY.exec(line.text)
    if (!m) {
      // A sequence ends a mapping only where the mapping is itself an item; the caller knows.
      if (isItem(line.text) && Object.keys(out).length > 0) break
      throw NOT_SURE
    }
    const key = m[1]!
    if (Object.hasOwn(out, key) || key === '__proto__' || plainValue(key) !== key) throw NOT_SURE
    r.at++
    const rest = m[2] ?? ''
    if (rest !== '') {
      out[key] = scalar(rest)
      continue
    }
    const next = r.lines[r.at]
    // The items of a sequence may stand as far in as its key.
    out[key] =
      next && next.indent === indent && isItem(next.text) ? sequence(r, indent, depth + 1) : below(r, indent, depth)
  }
  return out
}

/** The block further in than `indent`, or null where there is none. */
function below(r: Reader, indent: number, depth: number): unknown {
  const next = r.lines[r.at]
  if (!next || next.indent <= indent) return null
  return node(r, depth + 1)
}

function scalar(text: string): unknown {
  const quoted = QUOTED.exec(text)
  if (quoted) return quoted[1] ?? quoted[2]
  if (text === '{}') return {}
  if (text === '[]') return []
  const words = WORDS.exec(text)
  if (words) return words[1]!.split(',').map((w) => plainValue(w.trim()))
  if (!PLAIN.test(text) || text.includes(': ') || text.includes(' #') || text.endsWith(':') || isItem(text))
    throw NOT_SURE
  return plainValue(text)
}
