/** `renderPolicyMatrix`: the matrix of policies in each format. */
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { policyMatrixCsv } from './policy-matrix-csv.ts'
import { policyMatrixDot, policyMatrixMermaid } from './policy-matrix-graph.ts'
import { policyMatrixJson } from './policy-matrix-json.ts'
import { policyMatrixMarkdown } from './policy-matrix-markdown.ts'
import { policyMatrixSvg } from './policy-matrix-svg.ts'
import { policyMatrixText } from './policy-matrix-text.ts'

export const POLICY_MATRIX_FORMATS = ['text', 'wide', 'json', 'csv', 'dot', 'mermaid', 'svg', 'markdown'] as const
export type PolicyMatrixFormat = (typeof POLICY_MATRIX_FORMATS)[number]

/** Most ends that are drawn or printed as a table; the others stream. */
export const MOST_DRAWN = 500

/** What there is to show. */
export interface PolicyMatrixShown {
  readonly view: PolicyMatrixView
  /** Pods that are not there yet; null: not asked for. */
  readonly exposure: PolicyMatrixView | null
  /** The same by namespace, for when a screen is too small; null: it is that already. */
  readonly grouped: PolicyMatrixView | null
}

/** The matrix in pieces that together end in a newline. `width` is in columns, of text. */
export function renderPolicyMatrix(
  { view, exposure, grouped }: PolicyMatrixShown,
  format: PolicyMatrixFormat,
  style: { readonly colour: boolean; readonly width: number },
): Iterable<string> {
  switch (format) {
    case 'text':
      return [policyMatrixText(view, exposure, { ...style, wide: false, grouped })]
    case 'wide':
      return [policyMatrixText(view, exposure, { ...style, wide: true, grouped })]
    case 'json':
      return policyMatrixJson(view, exposure)
    case 'csv':
      return policyMatrixCsv(view)
    case 'dot':
      return policyMatrixDot(view)
    case 'mermaid':
      return policyMatrixMermaid(view)
    case 'svg':
      return policyMatrixSvg(view)
    case 'markdown':
      return policyMatrixMarkdown(view)
  }
}
