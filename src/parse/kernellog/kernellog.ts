/** Lines of the kernel log (`dmesg`), as evidence. Which of them matter is for the checks to say. */
import type { Evidence } from '../../model/evidence.ts'
import { evidenceOf, type Origin, readLines } from '../rows.ts'

/** At most the last this many lines are kept. */
const LIMIT = 5000

export function parseKernelLog(text: string, origin: Origin): Evidence[] {
  return readLines(text)
    .slice(-LIMIT)
    .map((l) => evidenceOf(origin, l))
}
