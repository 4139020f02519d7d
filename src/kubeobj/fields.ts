/** Reading fields of untrusted JSON: a value of the wrong type is as good as absent. */

export type Raw = Readonly<Record<string, unknown>>

const EMPTY: Raw = {}

export function isRaw(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function objectOf(value: unknown): Raw {
  return isRaw(value) ? value : EMPTY
}

export function objectsOf(value: unknown): Raw[] {
  return Array.isArray(value) ? value.filter(isRaw) : []
}

/** Text; YAML turns unquoted scalars into numbers and booleans, which are taken as the text they were. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(textOf).filter((x) => x !== undefined) : []
}

/** A whole number, also one in quotes. */
export function integerOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}

/** A port number 1–65535. */
export function portOf(value: unknown): number | undefined {
  const n = integerOf(value)
  return n !== undefined && n >= 1 && n <= 65535 ? n : undefined
}

export function recordOf(value: unknown): Record<string, string> {
  const out: [string, string][] = []
  for (const [k, v] of Object.entries(objectOf(value))) {
    const text = textOf(v)
    if (text !== undefined) out.push([k, text])
  }
  return Object.fromEntries(out)
}

/** `{ [key]: value }`, or nothing when the value is absent. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]?: V })
}
