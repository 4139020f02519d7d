/** Finding the blocks of a ruleset text by their braces, without looking inside: what makes lazy parsing possible. */

/** Where a block's inside begins and ends, and the 1-based line it begins on. */
export interface Body {
  readonly from: number
  readonly to: number
  readonly line: number
}

/** One statement up to its line end or semicolon; `body` is the inside of its first brace block. */
export interface RawStatement {
  readonly from: number
  readonly to: number
  readonly line: number
  readonly body?: Body
  /** The statements of a table's block. */
  readonly inner?: readonly RawStatement[]
}

/** Offset after the brace that closes the block whose inside begins at `at` (or `to`, when none does), and its line. */
export function skipBlock(
  text: string,
  at: number,
  to: number,
  line: number,
): { at: number; line: number; closed: boolean } {
  let depth = 1
  let n = line
  for (let i = at; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c > 35) {
      if (c === 123) depth++
      else if (c === 125 && --depth === 0) return { at: i + 1, line: n, closed: true }
    } else if (c === 10) n++
    else if (c === 34) i = stringEnd(text, i, to)
    else if (c === 35) i = lineEnd(text, i, to) - 1
  }
  return { at: to, line: n, closed: false }
}

/** Offset of the closing quote, or of the last character of the line when it is missing. */
function stringEnd(text: string, at: number, to: number): number {
  for (let i = at + 1; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c === 34) return i
    if (c === 10) return i - 1
  }
  return to - 1
}

function lineEnd(text: string, at: number, to: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 || end > to ? to : end
}

/** Words that open a block which needs no line end after its closing brace. */
const BLOCK = /^(?:(?:add|create)\s+)?(?:(table)|chain|set|map|flowtable|counter|quota|limit|secmark|synproxy|ct)\s/

/**
 * Cuts a ruleset text into statements, tables into theirs too. Calls `damaged` with the line of a block that is never
 * closed, or of a closing brace that closes nothing.
 */
export function splitStatements(text: string, damaged: (line: number, what: string) => void): RawStatement[] {
  return split(text, 0, 1, false, damaged).statements
}

interface Split {
  readonly statements: RawStatement[]
  /** Offset after the closing brace, or of the end of the text. */
  readonly at: number
  readonly line: number
}

const UNCLOSED = 'a block that is not closed: the text is cut short or damaged'

function split(
  text: string,
  from: number,
  line: number,
  inTable: boolean,
  damaged: (line: number, what: string) => void,
): Split {
  const statements: RawStatement[] = []
  const to = text.length
  let start = -1
  let startLine = line
  let n = line
  let body: Body | undefined
  let inner: readonly RawStatement[] | undefined
  const finish = (end: number) => {
    if (start >= 0)
      statements.push({ from: start, to: end, line: startLine, ...(body && { body }), ...(inner && { inner }) })
    start = -1
    body = undefined
    inner = undefined
  }
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c === 123 && start >= 0) {
      const block = BLOCK.exec(text.slice(start, Math.min(i, start + 40)))
      const opened = n
      if (block?.[1] && !inTable) {
        const table = split(text, i + 1, n, true, damaged)
        body ??= { from: i + 1, to: table.at, line: n }
        inner = table.statements
        n = table.line
        i = table.at - 1
      } else {
        const end = skipBlock(text, i + 1, to, n)
        if (!end.closed) damaged(opened, UNCLOSED)
        body ??= { from: i + 1, to: end.closed ? end.at - 1 : end.at, line: opened }
        n = end.line
        i = end.at - 1
      }
      if (block) finish(i + 1)
    } else if (c === 125) {
      finish(i)
      if (inTable) return { statements, at: i + 1, line: n }
      damaged(n, 'a closing brace that closes nothing')
    } else if (c === 10) {
      if (text.charCodeAt(i - 1) !== 92) finish(i)
      n++
    } else if (c === 59) finish(i)
    else if (c === 35) i = lineEnd(text, i, to) - 1
    else if (c === 34) {
      if (start < 0) {
        start = i
        startLine = n
      }
      i = stringEnd(text, i, to)
    } else if (start < 0 && c !== 32 && c !== 9 && c !== 13) {
      start = i
      startLine = n
    }
  }
  finish(to)
  if (inTable) damaged(line, UNCLOSED)
  return { statements, at: to, line: n }
}
