/** Strict reading of plain values: the first thing that is not as it must be ends it, with its place. */

export type Path = readonly (string | number)[]

/** Where in the document, and what is wrong with it. */
export class FieldError extends Error {
  readonly path: Path

  constructor(path: Path, message: string) {
    super(message)
    this.path = path
  }
}

/** The word that is nearest in letters, as a hint; empty when none is near. */
export function nearest(word: string, among: readonly string[]): string {
  const best = among
    .map((known) => ({ known, steps: distance(word.toLowerCase(), known.toLowerCase()) }))
    .sort((x, y) => x.steps - y.steps)[0]
  return best && best.steps <= Math.max(1, Math.floor(best.known.length / 3)) ? `; did you mean ${best.known}?` : ''
}

/** Levenshtein's, of words cut at 40 letters. */
function distance(x: string, y: string): number {
  const [a, b] = [x.slice(0, 40), y.slice(0, 40)]
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])))
    row = next
  }
  return row[b.length]!
}

/** An object with no other keys than `known`. */
export function fieldsOf(value: unknown, path: Path, what: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FieldError(path, `${what} must be an object with keys`)
  for (const key of Object.keys(value))
    if (!known.includes(key))
      throw new FieldError(
        [...path, key],
        `unknown key ${key} in ${what}${nearest(key, known) || `; it may have ${known.join(', ')}`}`,
      )
  return value as Record<string, unknown>
}

/** A text of one line, not empty; null when left out. */
export function textField(fields: Record<string, unknown>, key: string, path: Path): string | null {
  const value = fields[key]
  if (value === undefined || value === null) return null
  if (typeof value !== 'string' || value.trim() === '')
    throw new FieldError([...path, key], `${key} must be text${typeof value === 'string' ? '' : '; put it in quotes'}`)
  if (value.length > 500) throw new FieldError([...path, key], `${key} is longer than 500 characters`)
  return value.trim()
}

export function booleanField(fields: Record<string, unknown>, key: string, path: Path, otherwise: boolean): boolean {
  const value = fields[key] ?? otherwise
  if (typeof value !== 'boolean') throw new FieldError([...path, key], `${key} must be true or false`)
  return value
}

/** One of `words`, or `otherwise` when left out. */
export function wordField<Word extends string>(
  fields: Record<string, unknown>,
  key: string,
  path: Path,
  words: readonly Word[],
  otherwise: Word,
): Word {
  const value = fields[key] ?? otherwise
  const found = words.find((w) => w === value)
  if (found === undefined) throw new FieldError([...path, key], `${key} must be ${words.join(' or ')}`)
  return found
}

/** One text or a list of them, at least one. */
export function namesField(value: unknown, path: Path, what: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw new FieldError(path, `${what} is an empty list`)
  return list.map((v, i) => {
    if (typeof v === 'string' && v !== '') return v
    throw new FieldError(
      Array.isArray(value) ? [...path, i] : path,
      `${what} must be text${typeof v === 'number' || typeof v === 'boolean' ? '; put it in quotes' : ''}`,
    )
  })
}
