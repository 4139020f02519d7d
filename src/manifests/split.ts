/**
 * A file's documents, cut where kubectl cuts them: at lines that begin with `---` (apimachinery util/yaml, YAMLReader.Read, 1.33),
 * also where YAML itself would go on. An indented `---` inside a block scalar is text.
 */

export interface Chunk {
  readonly text: string
  /** Of the chunk in the file, UTF-16 units. */
  readonly offset: number
  /** 1-based line of the file on which the chunk begins. */
  readonly line: number
  /** 1-based line of the file on which its first content stands: neither blank nor comment. */
  readonly firstLine: number
}

/** What stands after `---` when it is not a comment, which kubectl refuses and YAML takes for the document's first line. */
const AFTER_MARK = /^---[ \t]+(?!#)\S/

/** Documents with content, in order; those of blank lines, comments and directives only are left out. */
export function splitDocuments(text: string): Chunk[] {
  const out: Chunk[] = []
  let start = 0
  let line = 1
  let counted = 0
  const lineAt = (offset: number): number => {
    for (let i = text.indexOf('\n', counted); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line++
    counted = offset
    return line
  }
  const push = (end: number) => {
    const first = firstContent(text, start, end)
    if (first === -1) return
    const begins = lineAt(start)
    out.push({ text: text.slice(start, end), offset: start, line: begins, firstLine: lineAt(first) })
  }
  for (let mark = nextMark(text, 0); mark !== -1; ) {
    push(mark)
    const eol = text.indexOf('\n', mark)
    const end = eol === -1 ? text.length : eol
    // Content on the line of the mark is the document's, mark and all.
    start = AFTER_MARK.test(text.slice(mark, end)) ? mark : end
    mark = nextMark(text, end)
  }
  push(text.length)
  return out
}

/** Offset of the next line that begins with `---` and then ends or has a blank. */
function nextMark(text: string, from: number): number {
  let at = from === 0 && text.startsWith('---') ? 0 : text.indexOf('\n---', from)
  while (at !== -1) {
    const mark = text.charCodeAt(at) === 10 ? at + 1 : at
    const after = text[mark + 3]
    if (after === undefined || after === '\n' || after === '\r' || after === ' ' || after === '\t') return mark
    at = text.indexOf('\n---', mark)
  }
  return -1
}

/** Offset of the first line with content, -1 when there is none. */
function firstContent(text: string, start: number, end: number): number {
  for (let at = start; at < end; ) {
    const next = text.indexOf('\n', at)
    const stop = next === -1 || next > end ? end : next
    let i = at
    while (i < stop && (text[i] === ' ' || text[i] === '\t' || text[i] === '\r' || text[i] === '\ufeff')) i++
    const c = text[i]
    if (i < stop && c !== '#' && !(c === '%' && i === at) && !text.startsWith('...', i)) return at
    at = stop + 1
  }
  return -1
}
