/** Every connection as a line, written in pieces of some 64 KB: a matrix may be larger than memory. */
import type { PolicyMatrixView } from '../model/policy-matrix.ts'

/** How a format writes a connection: `head(from)` before each `tail(to, ports)`. */
export interface LineForm {
  readonly head: (from: string) => string
  readonly tail: (to: string, ports: readonly string[]) => string
  /** Between two lines. */
  readonly between: string
}

const PIECE = 65_536
/** Most line ends kept for rows that come again. */
const KEPT = 4_000_000

interface Tails {
  readonly texts: readonly string[]
  /** Numbers of the ends, −1 for the outside. */
  readonly to: Int32Array
}

/**
 * All connections of which `portsOf` says something, by source and destination; addresses outside under the fewest names. Every
 * line but the first of all begins with `form.between`.
 */
export function* connectionLines(
  view: PolicyMatrixView,
  portsOf: (id: number) => readonly string[],
  form: LineForm,
): Generator<string> {
  const { ends } = view
  const outside = ends.flatMap((e, i) => (e.kind === 'outside' ? [i] : []))
  const fragments: Map<number, string>[] = ends.map(() => new Map())
  const names = new Map<string, readonly string[]>()
  const namesOf = (group: readonly number[]) => {
    const key = group.join()
    const known = names.get(key) ?? view.outsideNames(group)
    names.set(key, known)
    return known
  }
  const fragment = (to: number, id: number): string => {
    let text = fragments[to]!.get(id)
    if (text === undefined) {
      const ports = portsOf(id)
      text = ports.length === 0 ? '' : form.tail(ends[to]!.name, ports)
      fragments[to]!.set(id, text)
    }
    return text
  }

  const tailsOf = (source: number): Tails => {
    const row = view.row(source)
    const texts: string[] = []
    const to: number[] = []
    for (let i = 0; i < ends.length; i++) {
      if (ends[i]!.kind === 'outside' || !view.isTarget(i)) continue
      const text = fragment(i, row[i]!)
      if (text === '') continue
      texts.push(text)
      to.push(i)
    }
    for (const [id, group] of grouped(outside.filter(view.isTarget), row)) {
      const ports = portsOf(id)
      if (ports.length === 0) continue
      for (const name of namesOf(group)) {
        texts.push(form.tail(name, ports))
        to.push(-1)
      }
    }
    return { texts, to: Int32Array.from(to) }
  }
  const cache = new Map<string, Tails>()
  let cached = 0
  const tails = (source: number): Tails => {
    const key = view.rowKey(source)
    const known = cache.get(key)
    if (known) return known
    const made = tailsOf(source)
    cached += made.texts.length
    if (cached <= KEPT) cache.set(key, made)
    return made
  }

  let piece = ''
  let first = true
  const add = (text: string) => {
    piece += first || text === '' ? text : form.between + text
    if (text !== '') first = false
  }
  for (const source of view.sources) {
    if (ends[source]!.kind === 'outside') continue
    const { texts, to } = tails(source)
    const head = form.head(ends[source]!.name)
    add(lines(texts, view.selfCounts ? -1 : to.indexOf(source), head, form.between))
    if (piece.length >= PIECE) {
      yield piece
      piece = ''
    }
  }
  const strangers = view.sources.filter((s) => ends[s]!.kind === 'outside')
  const rows = strangers.map((s) => view.row(s))
  for (let i = 0; i < ends.length && rows.length > 0; i++) {
    if (ends[i]!.kind === 'outside' || !view.isTarget(i)) continue
    const at = new Map<number, number[]>()
    for (const [k, row] of rows.entries()) {
      const group = at.get(row[i]!)
      if (group) group.push(strangers[k]!)
      else at.set(row[i]!, [strangers[k]!])
    }
    for (const [id, group] of at) {
      const text = fragment(i, id)
      if (text !== '') for (const name of namesOf(group)) add(form.head(name) + text)
    }
    if (piece.length >= PIECE) {
      yield piece
      piece = ''
    }
  }
  if (piece !== '') yield piece
}

/** Ends by what their place in the row holds. */
function grouped(ends: readonly number[], row: Uint32Array): Map<number, number[]> {
  const out = new Map<number, number[]>()
  for (const i of ends) {
    const list = out.get(row[i]!)
    if (list) list.push(i)
    else out.set(row[i]!, [i])
  }
  return out
}

function lines(texts: readonly string[], without: number, head: string, between: string): string {
  const glue = between + head
  if (without < 0) return texts.length === 0 ? '' : head + texts.join(glue)
  const rest = [...texts.slice(0, without), ...texts.slice(without + 1)]
  return rest.length === 0 ? '' : head + rest.join(glue)
}
