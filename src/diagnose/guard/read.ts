/** A file of expectations to expectations. Strict: the first thing that is not understood is the answer, with its line. */
import { isMap, isScalar, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml'
import { endText, readEnd } from './end-syntax.ts'
import type { Expectation, ExpectationFile, ExpectedPort } from './expectation.ts'
import { booleanField, FieldError, fieldsOf, nearest, type Path, textField, wordField } from './fields.ts'

/** What is wrong with the file. */
export interface Unreadable {
  /** 1-based. */
  readonly line: number
  readonly message: string
}

export const API_VERSION = 'netwhy/v1'
export const KIND = 'Expectations'
const MAX_CHARS = 4 * 1024 ** 2
const MAX_EXPECTATIONS = 20_000

const KEYS = [
  ...['name', 'from', 'to', 'reaches', 'port', 'ports', 'protocol'],
  ...['because', 'owner', 'severity', 'allowEmpty'],
]
const PROTOCOLS = ['tcp', 'udp', 'sctp']

/** Reads all documents of a file; never throws. */
export function readExpectations(text: string): ExpectationFile | Unreadable {
  if (text.length > MAX_CHARS) return { line: 1, message: 'more than 4 MB of expectations' }
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, merge: true })
  const expectations: Expectation[] = []
  const names = new Map<string, number>()
  let namespace: string | null = null
  if (!Array.isArray(documents)) return { line: 1, message: 'the file is empty' }
  for (const document of documents) {
    const broken = document.errors[0]
    if (broken) {
      const message = broken.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? 'no YAML'
      return { line: lines.linePos(broken.pos[0]).line, message }
    }
    if (document.contents === null) continue
    const lineAt = (path: Path) => lines.linePos(offsetOf(document.contents, path)).line
    try {
      const read = readDocument(document.toJS({ maxAliasCount: 100 }))
      namespace = read.namespace ?? namespace
      read.expectations.forEach((e, i) => {
        const line = lineAt(['expect', i])
        const earlier = names.get(e.name)
        if (earlier !== undefined)
          throw new FieldError(['expect', i], `another expectation is named ${e.name}, at line ${earlier}`)
        names.set(e.name, line)
        expectations.push({ ...e, line })
      })
    } catch (e) {
      if (e instanceof FieldError) return { line: lineAt(e.path), message: e.message }
      if (e instanceof ReferenceError) return { line: 1, message: 'too many aliases' }
      throw e
    }
  }
  if (expectations.length === 0) return { line: 1, message: 'it holds no expectation' }
  return { namespace, expectations }
}

function readDocument(value: unknown): { namespace: string | null; expectations: Omit<Expectation, 'line'>[] } {
  const top = fieldsOf(value, [], 'the file', ['apiVersion', 'kind', 'metadata', 'expect'])
  if (top.apiVersion !== API_VERSION)
    throw new FieldError(['apiVersion'], `apiVersion must be ${API_VERSION}, this is ${String(top.apiVersion)}`)
  if (top.kind !== KIND) throw new FieldError(['kind'], `kind must be ${KIND}, this is ${String(top.kind)}`)
  const metadata =
    top.metadata === undefined ? {} : fieldsOf(top.metadata, ['metadata'], 'metadata', ['name', 'namespace'])
  textField(metadata, 'name', ['metadata'])
  const namespace = textField(metadata, 'namespace', ['metadata'])
  if (!Array.isArray(top.expect)) throw new FieldError(['expect'], 'expect must be a list of expectations')
  if (top.expect.length > MAX_EXPECTATIONS)
    throw new FieldError(['expect'], `more than ${MAX_EXPECTATIONS} expectations`)
  return { namespace, expectations: top.expect.map((e: unknown, i) => readExpectation(e, ['expect', i])) }
}

function readExpectation(value: unknown, path: Path): Omit<Expectation, 'line'> {
  const fields = fieldsOf(value, path, 'an expectation', KEYS)
  for (const key of ['from', 'to'])
    if (fields[key] === undefined || fields[key] === null) throw new FieldError(path, `the expectation has no ${key}`)
  const from = readEnd(fields.from, [...path, 'from'])
  const to = readEnd(fields.to, [...path, 'to'])
  if (from.port !== null) throw new FieldError([...path, 'from'], 'the port belongs to the other end')
  if (from.selector.kind === 'dns') throw new FieldError([...path, 'from'], 'dns is an end that is reached')
  const reaches = booleanField(fields, 'reaches', path, true)
  const protocol = protocolField(fields, path)
  const ports = portsOf(fields, to.port, protocol, path)
  const named = to.selector.kind === 'reference' || to.selector.kind === 'dns'
  if (reaches && ports.length === 0 && !named)
    throw new FieldError([...path, 'to'], 'on which port? give port, or write it behind the reference')
  const fromText = endText(fields.from)
  const toText = endText(fields.to)
  const on = ports.length === 0 || to.port !== null ? '' : ` on ${ports.map((p) => p.port).join(', ')}`
  return {
    name: textField(fields, 'name', path) ?? `${fromText} ${reaches ? 'reaches' : 'must not reach'} ${toText}${on}`,
    ...{ from: from.selector, to: to.selector, fromText, toText, ports, protocol, reaches },
    severity: wordField(fields, 'severity', path, ['error', 'warning'], 'error'),
    because: textField(fields, 'because', path),
    owner: textField(fields, 'owner', path),
    allowEmpty: booleanField(fields, 'allowEmpty', path, false),
  }
}

function protocolField(fields: Record<string, unknown>, path: Path): string | null {
  const text = textField(fields, 'protocol', path)
  if (text === null) return null
  if (!PROTOCOLS.includes(text.toLowerCase()))
    throw new FieldError([...path, 'protocol'], `protocol must be tcp, udp or sctp${nearest(text, PROTOCOLS)}`)
  return text.toUpperCase()
}

function portsOf(
  fields: Record<string, unknown>,
  behind: string | null,
  protocol: string | null,
  path: Path,
): ExpectedPort[] {
  const given = fields.port !== undefined && fields.port !== null ? 'port' : 'ports'
  const value = fields[given]
  if (given === 'port' && fields.ports !== undefined && fields.ports !== null)
    throw new FieldError([...path, 'ports'], 'give either port or ports')
  if (value === undefined || value === null) return behind === null ? [] : [portOf(behind, protocol, [...path, 'to'])]
  if (behind !== null) throw new FieldError([...path, given], `the port stands already behind to (${behind})`)
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw new FieldError([...path, given], `${given} is an empty list`)
  return list.map((v, i) => portOf(v, protocol, Array.isArray(value) ? [...path, given, i] : [...path, given]))
}

/** `8080`, `http`, `53/udp`. */
function portOf(value: unknown, protocol: string | null, path: Path): ExpectedPort {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  const m = /^(\d{1,5}|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(?:\/(tcp|udp|sctp))?$/i.exec(text)
  const port = m?.[1] ?? ''
  if (!m || (/^\d+$/.test(port) && (Number(port) < 1 || Number(port) > 65535)))
    throw new FieldError(path, `port ${text || JSON.stringify(value)}: must be 1 to 65535, a name, or PORT/udp`)
  return { port, protocol: m[3]?.toUpperCase() ?? protocol }
}

/** Where the thing at `path` begins: the key of a map, the entry of a list; the nearest above it when it is not there. */
function offsetOf(root: Node | null, path: Path): number {
  let node: unknown = root
  let offset = startOf(root)
  for (const step of path) {
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((p) => isScalar(p.key) && p.key.value === step)
      if (!pair) return offset
      offset = startOf(pair.key)
      node = pair.value
    } else {
      const items = (node as { items?: readonly unknown[] } | null)?.items
      const item = typeof step === 'number' ? items?.[step] : undefined
      if (item === undefined) return offset
      offset = startOf(item)
      node = item
    }
  }
  return offset
}

const startOf = (node: unknown): number => (node as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0
