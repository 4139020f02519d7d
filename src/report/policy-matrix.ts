/** `renderPolicyMatrix`: the matrix of policies in each format. */
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { policyMatrixCsv } from './policy-matrix-csv.ts'
import { policyMatrixJson } from './policy-matrix-json.ts'

export const POLICY_MATRIX_FORMATS = ['text', 'wide', 'json', 'csv', 'dot', 'mermaid', 'svg', 'markdown'] as const
export type PolicyMatrixFormat = (typeof POLICY_MATRIX_FORMATS)[number]

export interface PolicyMatrixStyle {
  readonly colour: boolean
  /** In columns; of text. */
  readonly width: number
}

/** The matrix in pieces that together end in a newline. `exposure`: the same of pods that are not there yet. */
export function renderPolicyMatrix(
  view: PolicyMatrixView,
  exposure: PolicyMatrixView | null,
  format: PolicyMatrixFormat,
  _style: PolicyMatrixStyle,
): Iterable<string> {
  switch (format) {
    case 'json':
      return policyMatrixJson(view, exposure)
    case 'csv':
      return policyMatrixCsv(view)
    default:
      return []
  }
}
