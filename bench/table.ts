/** The printed table: what was measured, what it should be, and how it compares with the public tool. */

export interface BenchRow {
  readonly what: string
  readonly measured: number
  readonly unit: 'ms' | 'MB'
  /** The measured figure should not be above it. */
  readonly target?: number
  /** The public tool's figure for the same work, and its name. */
  readonly tool?: { readonly name: string; readonly measured: number }
}

/** A row that could not be measured, and what it takes to measure it. */
export interface SkippedRow {
  readonly what: string
  readonly skipped: string
}

export type Row = BenchRow | SkippedRow

const figure = (value: number, unit: string) => `${value < 10 ? value.toFixed(2) : Math.round(value)} ${unit}`

function cells(row: Row): string[] {
  if ('skipped' in row) return [row.what, 'not measured', '', '', '', row.skipped]
  const { measured, unit, target, tool } = row
  const goal = target ?? tool?.measured
  return [
    row.what,
    figure(measured, unit),
    target === undefined ? (tool ? 'not slower' : '') : `≤ ${figure(target, unit)}`,
    goal === undefined ? '' : measured <= goal ? 'met' : 'MISSED',
    tool ? (measured / tool.measured).toFixed(2) : '',
    tool ? `${tool.name}: ${figure(tool.measured, unit)}` : '',
  ]
}

/** Left-aligned columns under a header. */
export function renderTable(rows: readonly Row[]): string {
  const head = ['what', 'measured', 'target', '', 'ratio', 'public tool']
  const lines = [head, ...rows.map(cells)]
  const widths = head.map((_, i) => Math.max(...lines.map((l) => l[i]!.length)))
  return lines
    .map((l) =>
      l
        .map((c, i) => c.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .map((l) => `${l}\n`)
    .join('')
}
