/** Sets and maps in text: their declaration, and their elements on demand. */
import { addIssue, type ElementSource, type SetBuild } from './assembly.ts'
import { type Body, skipBlock } from './blocks.ts'
import { type Cursor, cursorOver, nextWord, peek, sourceText, take } from './cursor.ts'
import { expandVariables } from './definitions.ts'
import { parseElement } from './elements.ts'
import { parseConcat } from './expressions.ts'
import { typesOf } from './field-types.ts'
import type { NftSource } from './source.ts'
import type { SetTypes } from './syntax.ts'
import { type Token, tokenise } from './tokens.ts'

/** Reads what a set's block declares into `set`, and remembers where its elements are. */
export function readSetHeader(source: NftSource, set: SetBuild, what: 'set' | 'map', body: Body): void {
  const { text } = source
  const tokens: Token[] = []
  let at = body.from
  let line = body.line
  while (at < body.to) {
    const run = tokenise(text, at, body.to, line, 'elements')
    tokens.push(...run.tokens)
    if (run.at >= body.to) break
    const open = text.indexOf('{', run.at)
    if (open < 0 || open >= body.to) {
      addIssue(source.tables, run.line, `elements of ${set.name} not understood`)
      break
    }
    let elementsLine = run.line
    for (let i = run.at; i < open; i++) if (text.charCodeAt(i) === 10) elementsLine++
    const end = skipBlock(text, open + 1, body.to, elementsLine)
    const elements: Body = { from: open + 1, to: end.closed ? end.at - 1 : end.at, line: elementsLine }
    set.elements.push(() => readElements(source, elements))
    at = end.at
    line = end.line
    // What follows the block begins a new statement.
    tokens.push({ kind: 'end', text: '', from: at, to: at, line })
  }
  set.types = declaredTypes(source, what, tokens)
  set.dynamic = isDynamic(tokens)
  if (set.types.keyTypes.length === 0) addIssue(source.tables, body.line, `type of ${set.name} not understood`)
}

/** Sets that packets add to, or whose elements run out: nft's JSON of version 1.0.6 shows only the second. */
function isDynamic(tokens: readonly Token[]): boolean {
  const at = tokens.findIndex((t, i) => t.text === 'flags' && (i === 0 || tokens[i - 1]!.kind === 'end'))
  if (at < 0) return false
  for (let i = at + 1; i < tokens.length && tokens[i]!.kind !== 'end'; i++) {
    if (tokens[i]!.text === 'dynamic' || tokens[i]!.text === 'timeout') return true
  }
  return false
}

/** `type KEY : DATA` or `typeof KEY : DATA`. */
function declaredTypes(source: NftSource, what: 'set' | 'map', tokens: readonly Token[]): SetTypes {
  const at = tokens.findIndex(
    (t, i) =>
      t.kind === 'word' && (t.text === 'type' || t.text === 'typeof') && (i === 0 || tokens[i - 1]!.kind !== 'word'),
  )
  if (at < 0) return { kind: what, keyTypes: [], dataTypes: [] }
  let end = at
  while (end < tokens.length && tokens[end]!.kind !== 'end') end++
  const c = cursorOver(source.text, tokens, at + 1, end)
  const read = tokens[at]!.text === 'type' ? typeNames : typesOfExpression
  const keyTypes = read(c)
  if (!take(c, ':')) return { kind: what, keyTypes, dataTypes: [] }
  if (nextWord(c) === 'interval') c.at++
  if (nextWord(c) === 'verdict') return { kind: 'vmap', keyTypes, dataTypes: [] }
  return { kind: 'map', keyTypes, dataTypes: read(c) }
}

function typeNames(c: Cursor): string[] {
  const out: string[] = []
  do {
    const w = nextWord(c)
    if (w === null) return []
    out.push(w)
    c.at++
  } while (take(c, '.'))
  return out
}

function typesOfExpression(c: Cursor): readonly string[] {
  const expression = parseConcat(c)
  return expression ? typesOf(expression) : []
}

/** The elements between the braces of `body`. One that cannot be read is kept as text. */
export function readElements(source: NftSource, body: Body): ElementSource[] {
  // From the brace on, so that line ends are blanks.
  const { tokens } = tokenise(source.text, body.from - 1, body.to, body.line)
  const c = cursorOver(source.text, expandVariables(source, tokens), 1)
  const out: ElementSource[] = []
  while (peek(c)) {
    const start = c.at
    const element = parseElement(c)
    if (element && (take(c, ',') || !peek(c))) {
      out.push(element)
      continue
    }
    c.at = Math.max(start + 1, Math.min(c.at, c.end))
    while (peek(c) && peek(c)!.text !== ',') c.at++
    out.push({ line: c.tokens[start]!.line, unread: sourceText(c, start, c.at) })
    take(c, ',')
  }
  return out
}
