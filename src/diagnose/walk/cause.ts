import type { Finding } from '../../model/finding.ts'
import type { Failure, Inquiry } from '../inquiry.ts'
import { CHECKS } from '../registry.ts'

/** The cause the first check names for one failure, as `conclude` would; its remedy is not tried out. */
export function causeOf(failure: Failure, q: Inquiry): Finding | null {
  for (const check of CHECKS) {
    const found = check.explain(failure, q)
    if (found) return found.finding
  }
  return null
}
