/** On which lines of a file the items of a List begin: `kubectl get -o yaml` puts hundreds of objects into one document. */
import { EVENT_ID } from 'js-yaml'
import { type Event, find, offsetOfNode } from './events.ts'
import type { Chunk } from './split.ts'

/** Lines of the items of a YAML List or sequence, from its parser events. */
export function itemLines(events: readonly Event[], chunk: Chunk): number[] {
  const root = events[1]
  const at = root?.type === EVENT_ID.SEQUENCE ? 1 : (find(chunk.text, events, 1, ['items'])?.node ?? -1)
  if (at === -1 || events[at]?.type !== EVENT_ID.SEQUENCE) return []
  const offsets: number[] = []
  let depth = 0
  for (let i = at + 1; i < events.length; i++) {
    const event = events[i]!
    if (event.type === EVENT_ID.POP) {
      if (depth === 0) break
      depth--
      continue
    }
    if (depth === 0) offsets.push(offsetOfNode(event))
    if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING) depth++
  }
  return linesAt(chunk.text, offsets).map((line) => line + chunk.line - 1)
}

/** The same of JSON text that JSON.parse has taken: the elements of the array, or of the last `items` of the object. */
export function jsonItemLines(text: string): number[] {
  let offsets: number[] = []
  const inArray = text.trimStart().startsWith('[')
  // The depth of the items' own brackets: `[ {` is 1, `{ "items": [ {` is 2.
  const level = inArray ? 1 : 2
  let depth = 0
  let collecting = inArray
  let key = ''
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 34) {
      const start = i + 1
      for (i++; text.charCodeAt(i) !== 34; i++) if (text.charCodeAt(i) === 92) i++
      if (depth === 1 && !inArray) key = text.slice(start, i)
    } else if (c === 123 || c === 91) {
      if (collecting && depth === level) offsets.push(i)
      if (!inArray && depth === 1 && c === 91 && key === 'items') {
        collecting = true
        offsets = []
      }
      depth++
    } else if (c === 125 || c === 93) {
      depth--
      if (!inArray && depth === 1) collecting = false
    }
  }
  return linesAt(text, offsets)
}

/** 1-based lines of ascending offsets. */
function linesAt(text: string, offsets: readonly number[]): number[] {
  let line = 1
  let at = text.indexOf('\n')
  return offsets.map((offset) => {
    while (at !== -1 && at < offset) {
      line++
      at = text.indexOf('\n', at + 1)
    }
    return line
  })
}
