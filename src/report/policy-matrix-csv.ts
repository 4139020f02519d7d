import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { clean } from './clean.ts'
import { connectionLines } from './policy-matrix-rows.ts'

/** One field (RFC 4180). A name that a spreadsheet would take for a formula gets an apostrophe before it. */
function field(value: string): string {
  const text = clean(value, 1000)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** A line for each connection, ports separated by semicolons; connections of which it is not known have `unknown` as state. */
export function* policyMatrixCsv(view: PolicyMatrixView): Generator<string> {
  yield 'from,to,ports,state\n'
  for (const [state, portsOf] of [
    ['allowed', view.allowed],
    ['unknown', view.unknown],
  ] as const) {
    let any = false
    const form = {
      head: (from: string) => `${field(from)},`,
      tail: (to: string, ports: readonly string[]) => `${field(to)},${field(ports.join(';'))},${state}`,
      between: '\n',
    }
    for (const piece of connectionLines(view, portsOf, form)) {
      any = true
      yield piece
    }
    if (any) yield '\n'
  }
}
