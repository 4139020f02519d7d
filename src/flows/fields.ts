/** Reading fields of flow records: Hubble writes proto3 JSON with snake_case names, other exporters camelCase. */

export type Fields = Readonly<Record<string, unknown>>

const NONE: Fields = {}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : NONE
}

/** The value under a snake_case name, or under its camelCase spelling. */
export function field(of: Fields, name: string): unknown {
  if (Object.hasOwn(of, name)) return of[name]
  const camel = name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase())
  return Object.hasOwn(of, camel) ? of[camel] : undefined
}

/** Text of at most 300 units: names of a cluster are never longer (RFC 1123 subdomain: 253). */
export function text(value: unknown): string {
  return typeof value === 'string' && value.length <= 300 ? value : ''
}

/** A whole number ≥ 0, also in quotes (proto3 JSON writes 64-bit numbers so); null otherwise. */
export function whole(value: unknown): number | null {
  const n = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof n === 'number' && Number.isSafeInteger(n) && n >= 0 ? n : null
}

/** A destination port, 1–65535; null otherwise. */
export function port(value: unknown): number | null {
  const n = whole(value)
  return n !== null && n >= 1 && n <= 65_535 ? n : null
}
