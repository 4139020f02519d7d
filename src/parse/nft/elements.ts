/** Elements of sets and maps, and the verdicts they may hold. */
import type { Verdict } from '../../model/ruleset.ts'
import { amongConstants, type Cursor, nextWord, peek, take, takeBraces, takeNumber, takeWord } from './cursor.ts'
import { parseConcat } from './expressions.ts'
import type { Ast, ElementAst } from './syntax.ts'

/** Elements up to the closing brace, which is left in place; null when one cannot be read. */
export function parseElements(c: Cursor): ElementAst[] | null {
  const out: ElementAst[] = []
  while (peek(c) && peek(c)!.text !== '}') {
    const element = parseElement(c)
    if (!element) return null
    out.push(element)
    if (!take(c, ',') && peek(c)?.text !== '}') return null
  }
  return out
}

/** One element: key, options, and what a map holds under it. */
export function parseElement(c: Cursor): ElementAst | null {
  return amongConstants(c, element)
}

function element(c: Cursor): ElementAst | null {
  const line = peek(c)?.line ?? 0
  const all = nextWord(c) === '*'
  if (all) c.at++
  const key = all ? null : parseConcat(c)
  if (!all && !key) return null
  let comment = skipOptions(c)
  let data: Ast | undefined
  let verdict: Verdict | undefined
  if (take(c, ':')) {
    verdict = parseVerdict(c) ?? undefined
    if (!verdict) {
      data = parseConcat(c) ?? undefined
      if (!data) return null
    }
    comment = skipOptions(c) ?? comment
  }
  return {
    key,
    line,
    ...(data ? { data } : {}),
    ...(verdict ? { verdict } : {}),
    ...(comment === null ? {} : { comment }),
  }
}

/** Steps over what an element carries besides its key: times, counters, limits; returns its comment. */
function skipOptions(c: Cursor): string | null {
  let comment: string | null = null
  for (;;) {
    const w = nextWord(c)
    if (w === 'comment') {
      c.at++
      comment = takeWord(c)
    } else if (w === 'timeout' || w === 'expires') c.at += 2
    else if (w === 'last') {
      c.at++
      if (take(c, 'used')) takeWord(c)
    } else if (w === 'counter') {
      c.at++
      if (take(c, 'packets')) takeNumber(c)
      if (take(c, 'bytes')) takeNumber(c)
    } else if (w === 'limit' || w === 'quota' || w === 'ct') skipStateful(c)
    else return comment
    if (c.at > c.end) c.at = c.end
  }
}

/** A stateful statement inside an element ends at the next option, colon, comma or brace. */
function skipStateful(c: Cursor): void {
  do c.at++
  while (peek(c) && peek(c)!.kind !== 'sign' && nextWord(c) !== 'comment' && nextWord(c) !== 'timeout')
}

/** A verdict, or null with the cursor where it was. */
export function parseVerdict(c: Cursor): Verdict | null {
  const w = nextWord(c)
  switch (w) {
    case 'accept':
    case 'drop':
    case 'continue':
    case 'return':
      c.at++
      return { kind: w }
    case 'jump':
    case 'goto': {
      c.at++
      const chain = takeWord(c)
      if (chain !== null) return { kind: w, chain }
      // A chain made in place (`jump { … }`) has no name to go to.
      c.at--
      return null
    }
    case 'queue':
      c.at++
      skipQueueOptions(c)
      return { kind: 'queue' }
    default:
      return null
  }
}

function skipQueueOptions(c: Cursor): void {
  if (take(c, 'flags')) takeFlags(c)
  if (take(c, 'num') || take(c, 'to')) {
    if (!takeBraces(c)) takeWord(c)
    // The queue number may come from an expression or a map; its value has no bearing on the verdict.
    while (peek(c) && (takeBraces(c) || /^(?:mod|map|offset|random|inc|seed|symhash|jhash)$/.test(nextWord(c) ?? '')))
      if (peek(c)?.kind === 'word') c.at++
  }
  if (nextWord(c) === 'bypass' || nextWord(c) === 'fanout') takeFlags(c)
}

/** Words joined by commas. */
export function takeFlags(c: Cursor): string[] {
  const out: string[] = []
  do {
    const w = takeWord(c)
    if (w === null) break
    out.push(w)
  } while (take(c, ','))
  return out
}
