/** Steps into JSON of unknown shape. */

export type JsonObject = Readonly<Record<string, unknown>>

export function object(x: unknown): JsonObject | null {
  return typeof x === 'object' && x !== null && !Array.isArray(x) ? (x as JsonObject) : null
}

/** The own property `key`, or undefined. */
export function property(o: JsonObject | null, key: string): unknown {
  return o && Object.hasOwn(o, key) ? o[key] : undefined
}

export function string(o: JsonObject | null, key: string): string | null {
  const x = property(o, key)
  return typeof x === 'string' ? x : null
}

/** A whole number ≥ 0 that JavaScript holds exactly. */
export function number(o: JsonObject | null, key: string): number | null {
  const x = property(o, key)
  return Number.isSafeInteger(x) && (x as number) >= 0 ? (x as number) : null
}

/** The strings of a list, or of the single string nft writes for a list of one. */
export function strings(x: unknown): string[] {
  const list = Array.isArray(x) ? x : [x]
  return list.filter((s): s is string => typeof s === 'string')
}

/** The only property of an object that wraps one thing: `{ "match": … }`. */
export function wrapped(x: unknown): readonly [string, unknown] | null {
  const o = object(x)
  const keys = o ? Object.keys(o) : []
  return keys.length === 1 ? [keys[0]!, o![keys[0]!]] : null
}
