/** Strings, numbers and words of RFC 8259, and its punctuation. */
const TOKEN =
  /"(?:[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/y
const SPACE = /[ \t\n\r]*/y

/**
 * Offset of the first thing in `text` that no JSON text (RFC 8259) may hold there; its length when it merely ends too early.
 * `JSON.parse` names a position in some versions of V8 and for some errors only.
 */
export function jsonErrorOffset(text: string): number {
  const open: ('{' | '[')[] = []
  let expected: 'value' | 'first-value' | 'key' | 'first-key' | 'colon' | 'next' = 'value'
  for (let at = 0; ; ) {
    SPACE.lastIndex = at
    SPACE.test(text)
    at = SPACE.lastIndex
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)?.[0]
    if (token === undefined) return at
    const inside = open.at(-1)
    if (token === '}' || token === ']') {
      const first = token === '}' ? 'first-key' : 'first-value'
      if ((expected !== 'next' && expected !== first) || inside !== (token === '}' ? '{' : '[')) return at
      open.pop()
      expected = 'next'
    } else if (token === ',') {
      if (expected !== 'next' || inside === undefined) return at
      expected = inside === '{' ? 'key' : 'value'
    } else if (token === ':') {
      if (expected !== 'colon') return at
      expected = 'value'
    } else if (expected === 'key' || expected === 'first-key') {
      if (!token.startsWith('"')) return at
      expected = 'colon'
    } else if (expected === 'value' || expected === 'first-value') {
      if (token === '{' || token === '[') {
        open.push(token)
        expected = token === '{' ? 'first-key' : 'first-value'
      } else expected = 'next'
    } else return at
    at += token.length
  }
}
