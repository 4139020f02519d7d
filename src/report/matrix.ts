/** `renderMatrix`: the traffic matrix in each format. */
import { stringify } from 'yaml'
import type { Matrix } from '../model/matrix.ts'
import { matrixCsv } from './matrix-csv.ts'
import { matrixJson } from './matrix-json.ts'
import { matrixMarkdown } from './matrix-markdown.ts'
import { matrixText } from './matrix-text.ts'

export const MATRIX_FORMATS = ['text', 'wide', 'json', 'yaml', 'csv', 'markdown'] as const
export type MatrixFormat = (typeof MATRIX_FORMATS)[number]

/** The matrix in `format`, ending in a newline. `colour` counts for text only; `width` is in columns. */
export function renderMatrix(
  matrix: Matrix,
  format: MatrixFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return matrixText(matrix, { ...options, wide: false })
    case 'wide':
      return matrixText(matrix, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(matrixJson(matrix), null, 2)}\n`
    case 'yaml':
      return stringify(matrixJson(matrix), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'csv':
      return matrixCsv(matrix)
    case 'markdown':
      return matrixMarkdown(matrix)
  }
}
