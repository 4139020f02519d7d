/** The ends of an expectation as people write them. docs/guard.md. */
import { parsePrefix } from '../../base/ip.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { parseReference, referenceText } from '../question/reference.ts'
import type { EndSelector, LabelTerms } from './expectation.ts'
import { FieldError, fieldsOf, namesField, nearest, type Path } from './fields.ts'

const WORDS = ['everyone', 'anyone', 'external', 'internet', 'dns'] as const
const KEYS = ['namespace', 'namespaceLabels', 'labels', 'any', 'of', 'not']
/** Selectors inside selectors, and entries of one list. */
const MAX_DEPTH = 20
const MAX_LIST = 1000

export interface WrittenEnd {
  readonly selector: EndSelector
  /** Behind the reference; null: none. */
  readonly port: string | null
}

/** References are only read here, not looked up. */
const NOTHING: KubeObjects = {
  ...{ nodes: [], pods: [], services: [], endpointSlices: [], namespaces: [], events: [], others: [] },
  known: new Set(),
}

/** @throws FieldError for what is not understood */
export function readEnd(value: unknown, path: Path, depth = 0): WrittenEnd {
  if (depth > MAX_DEPTH) throw new FieldError(path, 'too many selectors inside selectors')
  if (typeof value === 'string') return readText(value, path)
  if (Array.isArray(value)) return { selector: readList(value, path, depth), port: null }
  return { selector: readObject(value, path, depth), port: null }
}

const inner = (value: unknown, path: Path, depth: number): EndSelector => {
  const { selector, port } = readEnd(value, path, depth + 1)
  if (port !== null) throw new FieldError(path, 'a port cannot stand here; give it as port of the expectation')
  if (selector.kind === 'dns') throw new FieldError(path, 'dns can only stand alone')
  return selector
}

function readList(value: readonly unknown[], path: Path, depth: number): EndSelector {
  if (value.length === 0) throw new FieldError(path, 'an empty list stands for nobody')
  if (value.length > MAX_LIST) throw new FieldError(path, `more than ${MAX_LIST} entries`)
  return { kind: 'union', of: value.map((v, i) => inner(v, [...path, i], depth)) }
}

function readText(written: string, path: Path): WrittenEnd {
  const text = written.trim()
  const [, word = '', wordPort] = /^([a-z]+)(?::([a-z0-9-]+))?$/i.exec(text) ?? []
  const known = WORDS.find((w) => w === word)
  if (known) return { selector: { kind: known }, port: wordPort ?? null }
  const cidr = /^\[?([0-9a-fA-F:.]+\/\d+)\]?(?::([a-z0-9-]+))?$/.exec(text)
  if (cidr) {
    const prefix = parsePrefix(cidr[1] ?? '')
    if (!prefix) throw new FieldError(path, `${text}: not an address block`)
    return { selector: { kind: 'cidr', prefix }, port: cidr[2] ?? null }
  }
  const near = word === '' ? '' : nearest(word, WORDS)
  if (near !== '') throw new FieldError(path, `${text}: not understood${near}`)
  const parsed = parseReference(text, '', NOTHING)
  if (typeof parsed === 'string')
    throw new FieldError(path, `${parsed}; or ${WORDS.join(', ')}, a CIDR or { namespace: NAME }`)
  const { reference, port } = parsed
  if (reference.kind === 'host')
    throw new FieldError(path, `${text}: policies know addresses, not DNS names; give one of its addresses`)
  if (reference.kind === 'external') return { selector: { kind: 'external' }, port }
  // As written but for the port: a bare name is looked up where the objects are.
  const bare = port === null ? text : text.slice(0, -port.length - 1)
  return { selector: { kind: 'reference', text: reference.kind === 'ip' ? referenceText(reference) : bare }, port }
}

function readObject(value: unknown, path: Path, depth: number): EndSelector {
  const fields = fieldsOf(value, path, 'a selector', KEYS)
  const parts: EndSelector[] = []
  const has = (key: string) => fields[key] !== undefined && fields[key] !== null
  if (has('namespace') || has('namespaceLabels') || has('labels'))
    parts.push({
      kind: 'pods',
      namespaces: has('namespace') ? namesField(fields.namespace, [...path, 'namespace'], 'namespace') : null,
      namespaceLabels: has('namespaceLabels')
        ? labelsField(fields.namespaceLabels, [...path, 'namespaceLabels'], 'namespaceLabels')
        : null,
      labels: has('labels') ? labelsField(fields.labels, [...path, 'labels'], 'labels') : null,
    })
  if (has('any')) {
    if (!Array.isArray(fields.any)) throw new FieldError([...path, 'any'], 'any must be a list')
    parts.push(readList(fields.any, [...path, 'any'], depth))
  }
  if (has('of')) parts.push(inner(fields.of, [...path, 'of'], depth))
  const not = has('not') ? inner(fields.not, [...path, 'not'], depth) : null
  if (parts.length === 0 && not === null)
    throw new FieldError(path, 'an empty selector; write everyone, or say who is meant')
  const of: EndSelector =
    parts.length === 0 ? { kind: 'anyone' } : parts.length === 1 ? parts[0]! : { kind: 'intersection', of: parts }
  return not === null ? of : { kind: 'without', of, not }
}

/** `{ app: web }`, `{ app: [web, api] }`, `{ app: "*" }` for any value. */
function labelsField(value: unknown, path: Path, what: string): LabelTerms {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FieldError(path, `${what} must be an object of labels`)
  const entries = Object.entries(value)
  if (entries.length === 0) throw new FieldError(path, `${what} is empty; leave it out`)
  return Object.fromEntries(
    entries.map(([key, v]: [string, unknown]) => [
      key,
      v === '*' ? null : namesField(v, [...path, key], `label ${key}`),
    ]),
  )
}

/** The end as one short line, for names and reports. */
export function endText(value: unknown): string {
  if (typeof value === 'string') return value.trim()
  if (Array.isArray(value)) return value.map(endText).join(' or ')
  if (typeof value !== 'object' || value === null) return String(value)
  const { namespace, namespaceLabels, labels, any, of, not } = value as Record<string, unknown>
  const terms = (x: unknown) =>
    Object.entries(x as object).map(([k, v]: [string, unknown]) => `${k}=${Array.isArray(v) ? v.join('|') : String(v)}`)
  const parts: string[] = []
  if (labels) parts.push(`pods with ${terms(labels).join(', ')}`)
  if (namespace) parts.push(`${labels ? 'in ' : ''}namespace ${endText(namespace)}`)
  if (namespaceLabels) parts.push(`namespaces with ${terms(namespaceLabels).join(', ')}`)
  if (any) parts.push(endText(any))
  if (of) parts.push(endText(of))
  const base = parts.length === 0 ? 'anyone' : parts.join(' ')
  return not ? `${base} but ${endText(not)}` : base
}
