/** Words, signs and line ends of nft's language, as src/scanner.l of nftables cuts them. */

export interface Token {
  /** `note` is a trailing comment that says something: a handle, or an xtables expression nft could not print. */
  readonly kind: 'word' | 'string' | 'sign' | 'end' | 'note'
  /** Without quotes for a string. */
  readonly text: string
  /** Offsets in the source; the quotes are within. */
  readonly from: number
  readonly to: number
  readonly line: number
}

const SPACE = 1
const SIGN = 2
const OTHER = 4
/** Character classes of the first 128 code points; anything above is part of a word. */
const CLASS = new Uint8Array(128)
for (const c of ' \t\r\v\f\0') CLASS[c.charCodeAt(0)] = SPACE
for (const c of '{}(),&|^') CLASS[c.charCodeAt(0)] = SIGN
for (const c of '\n;"#!=<>:\\') CLASS[c.charCodeAt(0)] = OTHER

const isWordChar = (c: number) => c > 127 || CLASS[c] === 0

/**
 * Cuts `source[from, to)` into tokens; `line` is the 1-based line of `from`. Line ends and semicolons inside braces are
 * blanks, elsewhere they are `end` tokens. With `stop`, cutting ends before the first word of that text which begins a
 * statement; the returned `at` and `line` say where that was.
 */
export function tokenise(
  source: string,
  from: number,
  to: number,
  line: number,
  stop?: string,
): { tokens: Token[]; at: number; line: number } {
  const tokens: Token[] = []
  let depth = 0
  let i = from
  let n = line
  const push = (kind: Token['kind'], text: string, start: number, end: number) => {
    tokens.push({ kind, text, from: start, to: end, line: n })
  }
  while (i < to) {
    const c = source.charCodeAt(i)
    const kind = c > 127 ? 0 : CLASS[c]!
    if (kind === SPACE) {
      i++
      continue
    }
    const start = i
    if (kind === SIGN) {
      i++
      if (c === 123) depth++
      else if (c === 125 && depth > 0) depth--
      push('sign', source[start]!, start, i)
      continue
    }
    if (kind === 0 || (c === 58 && source.charCodeAt(i + 1) === 58)) {
      i = wordEnd(source, i, to)
      const text = source.slice(start, i)
      if (stop === text && depth === 0 && startsStatement(tokens)) return { tokens, at: start, line: n }
      push('word', text, start, i)
      continue
    }
    if (c === 10 || c === 59) {
      i++
      if (depth === 0) push('end', '', start, i)
      if (c === 10) n++
    } else if (c === 34) {
      let end = source.indexOf('"', i + 1)
      const eol = source.indexOf('\n', i + 1)
      // nft's strings know no escapes; one that runs past its line is damage, and ends there.
      if (end < 0 || end >= to || (eol >= 0 && eol < end)) end = eol >= 0 && eol < to ? eol : to
      push('string', source.slice(i + 1, end), start, Math.min(end + 1, to))
      i = source.charCodeAt(end) === 34 ? end + 1 : end
    } else if (c === 35) {
      let end = source.indexOf('\n', i)
      if (end < 0 || end > to) end = to
      const text = source.slice(i, end).trimEnd()
      if (/^# (?:handle \d+$|xt_\w+|(?:match|target) \w+(?: # handle \d+)?$)/.test(text)) push('note', text, start, end)
      i = end
    } else if (c === 92) {
      // A line continued by a backslash.
      i++
      if (source.charCodeAt(i) === 13) i++
      if (source.charCodeAt(i) === 10) {
        i++
        n++
      }
    } else {
      const two = source.slice(i, i + 2)
      const sign = ['==', '!=', '<=', '>=', '<<', '>>'].includes(two) ? two : source[i]!
      i += sign.length
      push('sign', sign, start, i)
    }
  }
  return { tokens, at: to, line: n }
}

function startsStatement(tokens: readonly Token[]): boolean {
  return tokens.length === 0 || tokens[tokens.length - 1]!.kind === 'end'
}

/** A raw payload (`@th,0,16`) holds commas; a colon belongs to the word unless it ends it (`80: accept`). */
function wordEnd(source: string, at: number, to: number): number {
  if (source.charCodeAt(at) === 64) {
    const raw = /^@(?:ll|nh|th|ih),\d+,\d+/.exec(source.slice(at, at + 32))
    if (raw) return at + raw[0].length
  }
  let i = at
  while (i < to) {
    const c = source.charCodeAt(i)
    if (c === 58) {
      const next = i + 1 < to ? source.charCodeAt(i + 1) : 32
      const alone = next !== 58 && !isWordChar(next)
      if (alone && !(i > at && source.charCodeAt(i - 1) === 58)) break
    } else if (!isWordChar(c)) break
    i++
  }
  return i > at ? i : at + 1
}
