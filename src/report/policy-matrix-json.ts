/** `netwhy policy matrix -o json`: one connection a line, so that it can be read as it comes. */
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { connectionLines } from './policy-matrix-rows.ts'

/**
 * `{ apiVersion, kind: "PolicyMatrix", connections: [ { from, to, ports } ] }` in pieces. `unknown` lists connections of which it
 * is not known, and is absent where there are none; `exposure` those of pods that are not there yet, where it was asked for.
 */
export function* policyMatrixJson(view: PolicyMatrixView, exposure: PolicyMatrixView | null): Generator<string> {
  yield '{"apiVersion":"netwhy/v1","kind":"PolicyMatrix","connections":['
  let unsure = false
  const form = {
    head: (from: string) => `{"from":${JSON.stringify(from)},`,
    tail: (to: string, ports: readonly string[]) => `"to":${JSON.stringify(to)},"ports":${JSON.stringify(ports)}}`,
    between: ',\n',
  }
  const noticing = (of: PolicyMatrixView) => (id: number) => {
    if (!unsure && of.unknown(id).length > 0) unsure = true
    return of.allowed(id)
  }
  yield '\n'
  yield* connectionLines(view, noticing(view), form)
  yield '\n]'
  if (unsure) {
    yield ',"unknown":[\n'
    yield* connectionLines(view, view.unknown, form)
    yield '\n]'
  }
  if (exposure) {
    yield ',"exposure":[\n'
    yield* connectionLines(exposure, exposure.allowed, form)
    yield '\n]'
  }
  if (view.notes.length > 0) yield `,"notes":${JSON.stringify(view.notes)}`
  yield '}\n'
}
