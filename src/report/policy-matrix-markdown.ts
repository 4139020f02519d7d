import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { clean } from './clean.ts'
import { gridOf, portsText } from './policy-matrix-grid.ts'

/** Most lines of a table: GitHub draws no more. */
const MOST = 1000

/** A table of source, destination and ports, for a pull request or a wiki. */
export function* policyMatrixMarkdown(view: PolicyMatrixView): Generator<string> {
  const grid = gridOf(view)
  yield '| from | to | ports |\n|---|---|---|\n'
  let told = 0
  let left = 0
  for (const source of grid.sources)
    for (const [target, cell] of grid.row(source).entries()) {
      if (!cell || (cell.ports.length === 0 && !cell.unsure)) continue
      if (told === MOST) {
        left++
        continue
      }
      told++
      const words = [
        ...(cell.ports.length > 0 ? [portsText(cell.ports)] : []),
        ...(cell.unsure ? ['not known on some ports'] : []),
      ]
      yield `| ${plain(grid.names[source]!)} | ${plain(grid.names[target]!)} | ${plain(words.join('; '))} |\n`
    }
  if (left > 0) yield `\n… and ${left} more connections; \`-o csv\` has them all.\n`
  for (const note of view.notes) yield `\n${plain(note)}\n`
}

/** Cluster text as text: no markup, no links, no new cells. */
const plain = (text: string) => clean(text).replace(/[\\`*_{}[\]<>()#+!|~&@]/g, '\\$&')
