/** A place in a run of tokens, and small steps from it. */
import type { Token } from './tokens.ts'

export interface Cursor {
  readonly source: string
  readonly tokens: readonly Token[]
  at: number
  /** Index after the last token of the statement or block being read. */
  end: number
  /** How deep expressions are nested here: a hostile text must not exhaust the stack. */
  depth: number
  /** Only constants can stand here: `tcp` is a protocol, not the beginning of `tcp dport`. */
  constants: boolean
}

export const MAX_DEPTH = 24

export function cursorOver(source: string, tokens: readonly Token[], at = 0, end = tokens.length): Cursor {
  return { source, tokens, at, end, depth: 0, constants: false }
}

export function peek(c: Cursor, ahead = 0): Token | undefined {
  return c.at + ahead < c.end ? c.tokens[c.at + ahead] : undefined
}

/** Text of the next token when it is a bare word, else null. */
export function nextWord(c: Cursor, ahead = 0): string | null {
  const t = peek(c, ahead)
  return t?.kind === 'word' ? t.text : null
}

/** Steps over the given bare word or sign; false when something else is there. */
export function take(c: Cursor, text: string): boolean {
  const t = peek(c)
  if (t === undefined || t.text !== text || t.kind === 'string') return false
  c.at++
  return true
}

/** Steps over a bare or quoted word and returns it. */
export function takeWord(c: Cursor): string | null {
  const t = peek(c)
  if (t === undefined || (t.kind !== 'word' && t.kind !== 'string')) return null
  c.at++
  return t.text
}

/** Steps over a whole number; null when none is there. */
export function takeNumber(c: Cursor): number | null {
  const w = nextWord(c)
  if (w === null || !/^(?:\d{1,16}|0x[0-9a-fA-F]{1,13})$/.test(w)) return null
  c.at++
  return Number(w)
}

/** The source between two token positions. */
export function sourceText(c: Cursor, from: number, to: number): string {
  if (from >= to) return ''
  return c.source.slice(c.tokens[from]!.from, c.tokens[to - 1]!.to)
}

/** Steps over a `{ … }` group that begins here; false when there is none or it does not end. */
export function takeBraces(c: Cursor): boolean {
  if (!take(c, '{')) return false
  for (let depth = 1; c.at < c.end; ) {
    const t = c.tokens[c.at++]!
    if (t.kind !== 'sign') continue
    if (t.text === '{') depth++
    else if (t.text === '}' && --depth === 0) return true
  }
  return false
}

/** Reads where only constants can stand. */
export function amongConstants<T>(c: Cursor, read: (c: Cursor) => T): T {
  const before = c.constants
  c.constants = true
  const found = read(c)
  c.constants = before
  return found
}
