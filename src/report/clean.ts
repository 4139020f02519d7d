/**
 * Text from a cluster is hostile: a rule comment may hold escape sequences, a log line a megabyte. What is printed is
 * made one line, printable and bounded here; control characters become `\xNN` so that the reader sees they were there.
 */

/** Longest piece of evidence printed in text and markdown, in UTF-16 units. JSON keeps ten times as much. */
export const LINE_LIMIT = 300

// C0, DEL, C1, bidirectional overrides and isolates (Unicode UAX 9), zero-width and line separators, byte order mark.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

/** One printable line of at most `limit` units; a cut is marked with `…`. */
export function clean(text: string, limit = LINE_LIMIT): string {
  const cut = text.length > limit * 2 ? text.slice(0, limit * 2) : text
  const safe = cut.replace(UNPRINTABLE, (c) => {
    if (c === '\t' || c === '\n') return ' '
    const code = c.codePointAt(0) ?? 0
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
  return safe.length > limit || text.length > cut.length ? `${safe.slice(0, limit - 1)}…` : safe
}

/** As `clean`, keeping line breaks: for manifests. At most 200 lines. */
export function cleanBlock(text: string): string {
  return text
    .split('\n')
    .slice(0, 200)
    .map((l) => clean(l))
    .join('\n')
}
