/**
 * Lines (1-based) of the entries of the top-level list of a pretty printed JSON text, in order; null when the text is on
 * one line. Expects a text that JSON.parse has accepted.
 */
export function itemLines(text: string): number[] | null {
  if (!text.trimEnd().includes('\n')) return null
  const out: number[] = []
  let depth = 0
  let line = 1
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 10) line++
    else if (c === 34) {
      for (i++; i < text.length; i++) {
        const s = text.charCodeAt(i)
        if (s === 92) i++
        else if (s === 34) break
      }
    } else if (c === 123 || c === 91) {
      if (depth === 2) out.push(line)
      depth++
    } else if (c === 125 || c === 93) depth--
  }
  return out
}
