/** Walking js-yaml's parser events, which know where in the text every key and value stands. */
import { EVENT_ID, getScalarValue, type parseEvents } from 'js-yaml'

export type Event = ReturnType<typeof parseEvents>[number]

/** Offset of a node in the text; -1 for one that is not written (an empty value). */
export function offsetOfNode(event: Event): number {
  switch (event.type) {
    case EVENT_ID.SCALAR:
      return event.valueStart
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      return event.start
    case EVENT_ID.ALIAS:
      return event.anchorStart - 1
    default:
      return -1
  }
}

/** Index of the event after the node that begins at `index`. */
function after(events: readonly Event[], index: number): number {
  let depth = 0
  for (let i = index; i < events.length; i++) {
    const { type } = events[i]!
    if (type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING || type === EVENT_ID.DOCUMENT) depth++
    else if (type === EVENT_ID.POP) depth--
    if (depth === 0) return i + 1
  }
  return events.length
}

export interface Found {
  /** Event of the key, or of the item itself in a sequence. */
  readonly key: number
  readonly node: number
  /** How many segments of the path there were. */
  readonly depth: number
}

/** The deepest place on the way to `path` below the node at `index`; null when not even its first segment is there. */
export function find(
  source: string,
  events: readonly Event[],
  index: number,
  path: readonly (string | number)[],
): Found | null {
  let found: Found | null = null
  let node = index
  for (const [i, segment] of path.entries()) {
    const next = typeof segment === 'number' ? item(events, node, segment) : value(source, events, node, segment)
    if (!next) return found
    found = { ...next, depth: i + 1 }
    node = next.node
  }
  return found
}

type Place = Omit<Found, 'depth'>

function item(events: readonly Event[], sequence: number, wanted: number): Place | null {
  if (events[sequence]?.type !== EVENT_ID.SEQUENCE) return null
  let at = sequence + 1
  for (let i = 0; i < wanted && events[at]?.type !== EVENT_ID.POP; i++) at = after(events, at)
  return at >= events.length || events[at]?.type === EVENT_ID.POP ? null : { key: at, node: at }
}

/** Of a key that stands twice, the later. */
function value(source: string, events: readonly Event[], mapping: number, wanted: string): Place | null {
  if (events[mapping]?.type !== EVENT_ID.MAPPING) return null
  let found: Place | null = null
  for (let key = mapping + 1; key < events.length && events[key]?.type !== EVENT_ID.POP; ) {
    const event = events[key]!
    const node = after(events, key)
    if (event.type === EVENT_ID.SCALAR && getScalarValue(source, event) === wanted) found = { key, node }
    key = after(events, node)
  }
  return found
}
