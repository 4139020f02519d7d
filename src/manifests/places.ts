/** Where in the files an object and its keys stand, found when asked: a document is parsed again for its positions only. */
import { parseEvents } from 'js-yaml'
import { find, offsetOfNode } from './events.ts'
import type { Chunk } from './split.ts'

export interface ObjectRef {
  /** Left out: of any group. */
  readonly apiVersion?: string
  readonly kind: string
  /** Empty for cluster-scoped objects. */
  readonly namespace: string
  readonly name: string
}

export interface Place {
  readonly file: string
  /** Both 1-based. */
  readonly line: number
  readonly column: number
}

/** Keys and indexes from the object's root: `['spec', 'ingress', 0, 'from']`. */
export type PathInObject = readonly (string | number)[]

export interface Places {
  /**
   * The key at `path` in the object, or the nearest one above it that is written; the object's first line when none is.
   * Null for an object that came from no file.
   */
  placeOf(object: ObjectRef, path: PathInObject): Place | null
}

/** Where an object came from. */
export interface Origin {
  readonly file: string
  readonly chunk: Chunk
  readonly line: number
  /** Of the object in its document: empty, or `['items', 3]` in a List. */
  readonly path: PathInObject
}

/** `NetworkPolicy shop/web`, `Node node1`. */
export const objectKey = (o: ObjectRef) => `${o.kind} ${o.namespace === '' ? '' : `${o.namespace}/`}${o.name}`

export const groupOf = (apiVersion: string | undefined) =>
  apiVersion?.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

/** `origins`: by kind, namespace and name, the objects of each group. */
export function placesOf(
  origins: ReadonlyMap<string, readonly { readonly group: string; readonly origin: Origin }[]>,
): Places {
  let last: { readonly chunk: Chunk; readonly events: ReturnType<typeof parseEvents> } | null = null
  const eventsOf = (chunk: Chunk) => {
    if (last?.chunk !== chunk) last = { chunk, events: parse(chunk.text) }
    return last.events
  }
  return {
    placeOf(object, path) {
      const known = origins.get(objectKey(object)) ?? []
      const origin = (
        object.apiVersion === undefined ? known[0] : known.find((k) => k.group === groupOf(object.apiVersion))
      )?.origin
      if (!origin) return null
      const { file, chunk } = origin
      const events = eventsOf(chunk)
      const found = find(chunk.text, events, 1, [...origin.path, ...path])
      const event = found && found.depth > origin.path.length ? events[found.key] : undefined
      const offset = event ? offsetOfNode(event) : -1
      if (offset < 0) return { file, line: origin.line, column: 1 }
      const before = chunk.text.slice(0, offset)
      const lineStart = before.lastIndexOf('\n') + 1
      const line = chunk.line + before.split('\n').length - 1
      return { file, line, column: offset - lineStart + 1 - Number(/^["']/.test(chunk.text.slice(offset - 1, offset))) }
    },
  }
}

/** The parser has taken this text once; JSON that is no YAML has no positions. */
function parse(text: string): ReturnType<typeof parseEvents> {
  try {
    return parseEvents(text, { maxDepth: 400 })
  } catch {
    return []
  }
}
