/**
 * `ipset save`: one `create NAME TYPE OPTIONS` line per set, `add NAME ELEMENT OPTIONS` lines below it. Names are printed
 * raw and may hold blanks. Source: man ipset and the output of ipset 7.17 on Linux 6.18 (`fixtures/`).
 */
import type { Parsed } from '../../model/evidence.ts'
import type { IpSet, IpSetEntry, IpSetPart } from '../../model/ruleset.ts'
import { issueList } from '../rows.ts'
import { parseElement, type SetShape } from './element.ts'
import { parseCreate } from './header.ts'
import { splitOptions } from './options.ts'

interface Added {
  readonly line: number
  readonly text: string
}

/**
 * The sets of an `ipset save`, by name. Entries are parsed when a set is first visited, so `issues` can grow. A line that
 * cannot be read is an issue; an element that cannot be read also stays in its set, with opaque parts.
 */
export function parseIpsetSave(text: string, artefact: string): Parsed<ReadonlyMap<string, IpSet>> {
  const found = issueList({ artefact })
  const sets = new Map<string, IpSet>()
  const added = new Map<string, Added[]>()
  /** Names with blanks, longest first: the only ones that need more than the word after `add`. */
  const spaced: string[] = []
  let line = 0
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf('\n', start)
    if (end < 0) end = text.length
    const row = text.slice(start, text.charCodeAt(end - 1) === 13 ? end - 1 : end)
    start = end + 1
    line++
    if (row === '' || row.charCodeAt(0) === 35) continue
    if (row.startsWith('create ')) create(row)
    else if (row.startsWith('add ')) add(row)
    else found.add(line, `not a line of ipset save: ${row.slice(0, 80)}`)
  }
  return { value: sets, issues: found.issues }

  function create(row: string): void {
    const header = parseCreate(row)
    if (!header) {
      found.add(line, `cannot read the set: ${row.slice(0, 80)}`)
      return
    }
    const { name, shape } = header
    if (sets.has(name)) {
      found.add(line, `set ${name} is created twice; the first one counts`)
      return
    }
    const rows: Added[] = []
    added.set(name, rows)
    if (name.includes(' ')) {
      spaced.push(name)
      spaced.sort((a, b) => b.length - a.length)
    }
    let entries: readonly IpSetEntry[] | null = null
    sets.set(name, {
      name,
      type: shape.type,
      family: shape.family,
      line,
      entries() {
        entries ??= rows.map((r) => parseAdd(r, name, shape, found.add))
        return entries
      },
    })
  }

  function add(row: string): void {
    const blank = row.indexOf(' ', 4)
    const name =
      spaced.find((s) => row.startsWith(s, 4) && row[4 + s.length] === ' ') ??
      row.slice(4, blank < 0 ? row.length : blank)
    const rows = added.get(name)
    if (!rows || row.length <= 5 + name.length) found.add(line, `element of no set: ${row.slice(0, 80)}`)
    else rows.push({ line, text: row })
  }
}

function parseAdd(
  row: Added,
  name: string,
  shape: SetShape,
  complain: (line: number, message: string) => void,
): IpSetEntry {
  const { element, options } = splitOptions(row.text.slice(5 + name.length), shape.dimensions[0] === 'set')
  const parts: readonly IpSetPart[] =
    options.unknown === null ? parseElement(element, shape, options) : [{ kind: 'opaque', why: options.unknown }]
  for (const part of parts)
    if (part.kind === 'opaque') complain(row.line, `element of set ${name} is not understood: ${part.why}`)
  return { parts, nomatch: options.nomatch, line: row.line, text: row.text }
}
