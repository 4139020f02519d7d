/** One text of manifests, YAML or JSON, to plain values: a broken document costs only itself. */
import { constructFromEvents, parseEvents, YAMLException } from 'js-yaml'
import { readBlocks } from './block.ts'
import { refuseBomb } from './expand.ts'
import { itemLines, jsonItemLines } from './item-lines.ts'
import { type Chunk, splitDocuments } from './split.ts'
import { KUBECTL_SCHEMA } from './yaml11.ts'

export interface ManifestDocument {
  readonly value: unknown
  /** 1-based line of its first content. */
  readonly line: number
  readonly chunk: Chunk
  /** Of a List or an array: the line of each of its items. */
  readonly itemLines?: readonly number[]
}

export interface Trouble {
  readonly line: number
  readonly message: string
  /** The document was not read; otherwise it was, and this is only told. */
  readonly lost: boolean
  /** It looks like a template that was never rendered. */
  readonly template?: true
}

export interface ReadManifests {
  readonly documents: readonly ManifestDocument[]
  readonly troubles: readonly Trouble[]
}

/** Most documents of one file, and most nesting in one: above them it is no manifest. */
export const MAX_DOCUMENTS = 50_000
const MAX_DEPTH = 400
const MAX_ALIASES = 10_000

/** Reads every document of a file. Never throws; a byte order mark and CRLF are no trouble. */
export function readManifests(text: string): ReadManifests {
  const clean = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  const whole = jsonOf(clean)
  if (whole) return { documents: [whole], troubles: [] }
  const documents: ManifestDocument[] = []
  const troubles: Trouble[] = []
  for (const chunk of splitDocuments(clean)) {
    if (documents.length >= MAX_DOCUMENTS) {
      troubles.push({ line: chunk.firstLine, message: `more than ${MAX_DOCUMENTS} documents in a file`, lost: true })
      break
    }
    const json = jsonOf(chunk.text)
    if (json) documents.push({ ...json, line: chunk.firstLine, chunk })
    else readYaml(chunk, documents, troubles)
  }
  return { documents, troubles }
}

/** JSON.parse is many times faster than a YAML parser; what it does not take may still be YAML in flow style. */
function jsonOf(text: string): ManifestDocument | null {
  const start = /^\s*[[{]/.exec(text)
  if (!start || text.startsWith('{{', start[0].length - 1)) return null
  try {
    const value: unknown = JSON.parse(text)
    const line = start[0].split('\n').length
    const lines = isList(value) ? jsonItemLines(text) : null
    const chunk = { text, offset: 0, line: 1, firstLine: line }
    return { value, line, chunk, ...(lines ? { itemLines: lines } : {}) }
  } catch {
    return null
  }
}

/** An array, or an object whose `items` is one. */
export function isList(value: unknown): boolean {
  return Array.isArray(value) || Array.isArray((value as { items?: unknown } | null)?.items)
}

function readYaml(chunk: Chunk, documents: ManifestDocument[], troubles: Trouble[]): void {
  const source = chunk.text
  const { firstLine: line } = chunk
  const quick = readBlocks(source)
  if (quick !== undefined && !isList(quick)) {
    documents.push({ value: quick, line, chunk })
    return
  }
  const read = (json: boolean) => {
    const events = parseEvents(source, { maxDepth: MAX_DEPTH })
    const values = constructFromEvents(events, { source, schema: KUBECTL_SCHEMA, maxAliases: MAX_ALIASES, json })
    const value: unknown = values[0]
    const bomb = source.includes('*') ? refuseBomb(value) : null
    if (bomb !== null) {
      troubles.push({ line, message: bomb, lost: true })
      return
    }
    documents.push({ value, line, chunk, ...(isList(value) ? { itemLines: itemLines(events, chunk) } : {}) })
    if (values.length > 1)
      troubles.push({ line, message: 'kubectl reads nothing after “...” up to the next “---”', lost: false })
  }
  try {
    read(false)
  } catch (e) {
    const first = troubleOf(e, chunk)
    if (!/duplicated mapping key/.test(first.message)) {
      troubles.push(first)
      return
    }
    // Of a key that stands twice kubectl takes the later.
    try {
      read(true)
      troubles.push({ ...first, message: 'a key stands twice; the later one counts', lost: false })
    } catch (again) {
      troubles.push(troubleOf(again, chunk))
    }
  }
}

function troubleOf(e: unknown, chunk: Chunk): Trouble {
  const place = e instanceof YAMLException ? e.mark : undefined
  const line = place ? chunk.line + place.line : chunk.firstLine
  if (/\{\{/.test(chunk.text)) return { line, message: 'a template; render it first', lost: true, template: true }
  const reason = e instanceof YAMLException ? e.reason : 'too deeply nested'
  const what = /^\s*[[{]/.test(chunk.text) ? 'neither JSON nor YAML' : 'not YAML'
  return { line, message: `${what}: ${reason.slice(0, 200)}`, lost: true }
}
