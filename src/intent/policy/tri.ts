/** Kleene's three-valued logic. */
import type { Tri } from './result.ts'

/** no if any is no, else unknown if any is unknown, else yes (also for none). */
export function all(values: readonly Tri[]): Tri {
  return values.includes('no') ? 'no' : values.includes('unknown') ? 'unknown' : 'yes'
}

/** yes if any is yes, else unknown if any is unknown, else no (also for none). */
export function any(values: readonly Tri[]): Tri {
  return values.includes('yes') ? 'yes' : values.includes('unknown') ? 'unknown' : 'no'
}

export function not(value: Tri): Tri {
  return value === 'yes' ? 'no' : value === 'no' ? 'yes' : 'unknown'
}
