/** Files of Kubernetes objects → artefacts below `objects/`, as they came, but never a Secret. */
import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { LineCounter, parseAllDocuments } from 'yaml'
import { MAX_ARTEFACT_BYTES } from '../snapshot/entries.ts'
import { BadInputError, fileReason } from './errors.ts'
import { jsonErrorOffset } from './json-place.ts'

export interface ObjectsFile {
  /** `objects/NAME.json` or `objects/NAME.yaml`. */
  readonly path: string
  readonly text: string
  /** The documents in it, decoded. */
  readonly documents: readonly unknown[]
}

/**
 * Reads the files in order; equal base names get a number. An empty file holds no objects.
 * @throws BadInputError naming file, and line and column where the syntax is wrong
 */
export function readObjects(files: readonly string[]): ObjectsFile[] {
  const taken = new Set<string>()
  return files.map((file) => {
    let text: string
    try {
      if (statSync(file).size > MAX_ARTEFACT_BYTES)
        throw new BadInputError(`${file}: larger than ${MAX_ARTEFACT_BYTES} bytes`)
      text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
    } catch (e) {
      if (e instanceof BadInputError) throw e
      throw new BadInputError(`${file}: ${fileReason(e)}`, { cause: e })
    }
    const json = /^\s*[[{]/.test(text)
    const documents = json ? [parseJson(text, file)] : parseYaml(text, file)
    const stem =
      basename(file)
        .replace(/\.(json|ya?ml)$/i, '')
        .replace(/[^A-Za-z0-9._-]/g, '_') || 'objects'
    let path = `objects/${stem}.${json ? 'json' : 'yaml'}`
    for (let n = 2; taken.has(path); n++) path = `objects/${stem}-${n}.${json ? 'json' : 'yaml'}`
    taken.add(path)
    if (!/kind["']?\s*:\s*["']?Secret/.test(text)) return { path, text, documents }
    const kept = documents.map(withoutSecrets).filter((d) => d !== null)
    const written = kept.map((d) => `${JSON.stringify(d, null, 1)}\n`)
    const empty = json ? '{"kind":"List","apiVersion":"v1","items":[]}\n' : ''
    return { path, text: written.join('---\n') || empty, documents: kept }
  })
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (e) {
    const offset = jsonErrorOffset(text)
    const before = text.slice(0, offset).split('\n')
    const what = offset >= text.trimEnd().length ? 'ends too early' : 'not JSON'
    throw new BadInputError(`${file}:${before.length}:${before.at(-1)!.length + 1}: ${what}`, { cause: e })
  }
}

function parseYaml(text: string, file: string): unknown[] {
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false })
  const values: unknown[] = []
  for (const d of Array.isArray(documents) ? documents : []) {
    const error = d.errors[0]
    if (error) {
      const { line, col } = lineCounter.linePos(error.pos[0])
      throw new BadInputError(`${file}:${line}:${col}: ${error.message}`)
    }
    let value: unknown
    try {
      value = d.toJS({ maxAliasCount: 100 })
    } catch (e) {
      throw new BadInputError(`${file}: ${(e as Error).message}`, { cause: e })
    }
    if (value === null || value === undefined) continue
    if (typeof value !== 'object') {
      const { line, col } = lineCounter.linePos(d.range[0])
      throw new BadInputError(`${file}:${line}:${col}: not a Kubernetes object`)
    }
    values.push(value)
  }
  return values
}

/** The document without Secrets, inside lists too; null when nothing is left. */
function withoutSecrets(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(withoutSecrets).filter((d) => d !== null)
  if (typeof document !== 'object' || document === null) return document
  const kind = (document as { kind?: unknown }).kind
  if (kind === 'Secret' || kind === 'SecretList') return null
  const items = (document as { items?: unknown }).items
  return Array.isArray(items) ? { ...document, items: withoutSecrets(items) } : document
}

/** Names of pods by UID, and by the hash that static pods have for one in their cgroup. */
export function podNames(files: readonly ObjectsFile[]): Map<string, { namespace: string; name: string }> {
  const names = new Map<string, { namespace: string; name: string }>()
  const visit = (value: unknown) => {
    const o = value as {
      kind?: unknown
      items?: unknown
      metadata?: { uid?: unknown; name?: unknown; namespace?: unknown; annotations?: Record<string, unknown> | null }
    } | null
    if (Array.isArray(value)) value.forEach(visit)
    else if (Array.isArray(o?.items)) o.items.forEach(visit)
    else if (o?.metadata && typeof o.metadata.name === 'string' && (o.kind === 'Pod' || o.kind === undefined)) {
      const pod = { namespace: String(o.metadata.namespace ?? 'default'), name: o.metadata.name }
      for (const id of [o.metadata.uid, o.metadata.annotations?.['kubernetes.io/config.hash']])
        if (typeof id === 'string') names.set(id, pod)
    }
  }
  for (const f of files) f.documents.forEach(visit)
  return names
}
