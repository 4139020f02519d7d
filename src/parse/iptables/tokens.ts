/** The words of a rule line. Quoted words are never options, whatever they start with. */
export interface Words {
  readonly texts: string[]
  readonly quoted: boolean[]
}

/**
 * Splits a rule line as iptables-restore does (iptables/xshared.c add_param_to_argv, 1.8.9): blanks separate, double quotes
 * group, a backslash inside quotes escapes the next character. An unterminated quote runs to the end of the line.
 */
export function tokenize(line: string): Words {
  const texts: string[] = []
  const quoted: boolean[] = []
  const n = line.length
  let i = 0
  while (i < n) {
    const c = line.charCodeAt(i)
    if (c === 32 || c === 9) {
      i++
      continue
    }
    if (c === 34) {
      const [text, end] = quotedWord(line, i + 1)
      texts.push(text)
      quoted.push(true)
      i = end
      continue
    }
    const start = i
    while (i < n) {
      const d = line.charCodeAt(i)
      if (d === 32 || d === 9 || d === 34) break
      i++
    }
    texts.push(line.slice(start, i))
    quoted.push(false)
  }
  return { texts, quoted }
}

/** The word from after the opening quote, and the index behind the closing one. */
function quotedWord(line: string, from: number): [string, number] {
  const plain = line.indexOf('"', from)
  const backslash = line.indexOf('\\', from)
  if (plain >= 0 && (backslash < 0 || backslash > plain)) return [line.slice(from, plain), plain + 1]
  let text = ''
  let i = from
  for (; i < line.length; i++) {
    const ch = line[i]!
    if (ch === '"') return [text, i + 1]
    if (ch === '\\' && i + 1 < line.length) text += line[++i]!
    else text += ch
  }
  return [text, i]
}
