/** Marks and colours of text output. Colour never carries meaning alone: every coloured word has a mark beside it. */
import pc from 'picocolors'
import stringWidth from 'string-width'

export interface Style {
  readonly bold: (s: string) => string
  readonly dim: (s: string) => string
  readonly red: (s: string) => string
  readonly green: (s: string) => string
  readonly yellow: (s: string) => string
}

export function styleFor(colour: boolean): Style {
  const { bold, dim, red, green, yellow } = pc.createColors(colour)
  return { bold, dim, red, green, yellow }
}

/**
 * Breaks `text` at spaces into lines of at most `width` columns; `hang` is put before every line but the first. A word
 * that is longer than a line stays whole: an address or a path must be copyable.
 */
export function wrap(text: string, width: number, first: string, hang: string): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  let column = stringWidth(line)
  const hanging = stringWidth(hang)
  for (const word of text.split(/ +/)) {
    if (word === '') continue
    const columns = stringWidth(word)
    if (!empty && column + 1 + columns > width) {
      lines.push(line)
      line = hang
      column = hanging
      empty = true
    }
    line = empty ? line + word : `${line} ${word}`
    column += empty ? columns : columns + 1
    empty = false
  }
  lines.push(line.trimEnd())
  return lines
}
