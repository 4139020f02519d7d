/** The matrix for a person: a grid where it fits, a list of who reaches whom where it does not. */
import stringWidth from 'string-width'
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { clean } from './clean.ts'
import { type Grid, type GridCell, gridOf, portsText } from './policy-matrix-grid.ts'
import type { Style } from './style.ts'
import { styleFor, wrap } from './style.ts'

export interface MatrixTextOptions {
  readonly colour: boolean
  /** In columns. */
  readonly width: number
  /** Everything, in lines. */
  readonly wide: boolean
  /** By namespace, for when the grid of all ends does not fit. */
  readonly grouped: PolicyMatrixView | null
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const HEAD = 'row reaches column'
/** Narrowest column of names. */
const NAMES = 24
/** Lines of a list that is cut. */
const SHORT = 40
/** Destinations named on a line that is cut. */
const NAMED = 5

/** The whole text, ending in a newline. */
export function policyMatrixText(
  view: PolicyMatrixView,
  exposure: PolicyMatrixView | null,
  o: MatrixTextOptions,
): string {
  const s = styleFor(o.colour)
  const lines = [...mainLines(view, s, o)]
  if (exposure) {
    lines.push('', s.bold('Pods that are not there yet'))
    lines.push(...listLines(gridOf(exposure), s, o, o.wide ? Number.POSITIVE_INFINITY : SHORT))
  }
  for (const note of view.notes) lines.push('', ...wrap(clean(note), o.width, '', '  ').map(s.dim))
  return `${lines.join('\n')}\n`
}

function mainLines(view: PolicyMatrixView, s: Style, o: MatrixTextOptions): string[] {
  if (view.ends.every((e) => e.kind === 'outside')) return ['There are no pods to ask about.']
  const grid = gridOf(view)
  if (o.wide) return listLines(grid, s, o, Number.POSITIVE_INFINITY)
  if (fits(grid, o.width)) return gridLines(grid, s, o)
  const grouped = o.grouped && gridOf(o.grouped)
  const more = s.dim('All connections: -o wide. Fewer: --from, --to or -n.')
  if (grouped && fits(grouped, o.width))
    return [
      s.bold('By namespace: what some pod of the one may reach in the other'),
      ...gridLines(grouped, s, o),
      '',
      more,
    ]
  return [...listLines(grid, s, o, SHORT), '', more]
}

function fits(grid: Grid, width: number): boolean {
  return grid.targets.length <= LETTERS.length && grid.targets.length * 2 + NAMES <= width
}

/** Rows reach columns. */
function gridLines(grid: Grid, s: Style, o: MatrixTextOptions): string[] {
  const column = new Map(grid.targets.map((n, i) => [n, LETTERS[i]!]))
  const longest = Math.max(...grid.names.map((n) => stringWidth(n)))
  const room = Math.min(Math.max(longest + 2, HEAD.length), o.width - grid.targets.length * 2 - 1)
  const marks = new Map<string, string>()
  const markOf = (cell: GridCell | null): string => {
    if (!cell) return ' '
    if (cell.ports.length === 0) return cell.unsure ? s.yellow('?') : s.dim('·')
    if (cell.ports[0] === 'all') return s.green('●')
    const text = portsText(cell.ports)
    const known = marks.get(text)
    if (known !== undefined) return known
    const letter = marks.size < 26 ? LETTERS[marks.size]!.toLowerCase() : '+'
    marks.set(text, letter)
    return letter
  }
  const label = (n: number) => {
    const name = `${column.get(n) ?? ' '} ${grid.names[n]!}`
    const cut = stringWidth(name) > room ? `${name.slice(0, room - 1)}…` : name
    return cut + ' '.repeat(Math.max(0, room - stringWidth(cut)))
  }
  const seen = { all: false, none: false, unsure: false }
  const rows = grid.sources.map((source) => {
    const cells = grid.row(source)
    for (const cell of cells) {
      if (!cell) continue
      seen.all ||= cell.ports[0] === 'all'
      seen.none ||= cell.ports.length === 0 && !cell.unsure
      seen.unsure ||= cell.ports.length === 0 && cell.unsure
    }
    return `${label(source)} ${grid.targets.map((t) => markOf(cells[t]!)).join(' ')}`.trimEnd()
  })
  const head = `${HEAD.padEnd(room)} ${grid.targets.map((t) => column.get(t)).join(' ')}`
  const only = grid.targets.filter((t) => !grid.sources.includes(t))
  const legend = [
    ...(seen.all ? ['● every port'] : []),
    ...(seen.none ? ['· nothing'] : []),
    ...(seen.unsure ? ['? not known'] : []),
  ]
  return [
    s.bold(head),
    ...rows,
    ...only.map((t) => s.dim(label(t).trimEnd())),
    '',
    ...(legend.length > 0 ? [legend.join('   ')] : []),
    ...[...marks].filter(([, m]) => m !== '+').flatMap(([text, mark]) => wrap(text, o.width, `${mark} `, '  ')),
    ...([...marks].some(([, m]) => m === '+') ? ['+ other ports: -o wide tells them'] : []),
  ]
}

/** Who reaches whom, by source and ports. */
function listLines(grid: Grid, s: Style, o: MatrixTextOptions, most: number): string[] {
  const lines: string[] = []
  let left = 0
  for (const source of grid.sources) {
    const byPorts = new Map<string, number[]>()
    const unsure: number[] = []
    for (const [n, cell] of grid.row(source).entries()) {
      if (!cell) continue
      if (cell.unsure) unsure.push(n)
      if (cell.ports.length === 0) continue
      const text = portsText(cell.ports)
      const list = byPorts.get(text)
      if (list) list.push(n)
      else byPorts.set(text, [n])
    }
    if (byPorts.size === 0 && unsure.length === 0) continue
    if (lines.length >= most) {
      left++
      continue
    }
    lines.push(s.bold(grid.names[source]!))
    for (const [text, ends] of byPorts)
      lines.push(...wrap(`${text} → ${listed(grid.namesOf(ends), most)}`, o.width, '  ', '      '))
    if (unsure.length > 0)
      lines.push(...wrap(`not known on some ports → ${listed(grid.namesOf(unsure), most)}`, o.width, '  ? ', '      '))
  }
  if (lines.length === 0) return ['Nothing reaches anything.']
  return left > 0 ? [...lines, `… and ${left} more sources with -o wide`] : lines
}

function listed(names: readonly string[], most: number): string {
  if (most === Number.POSITIVE_INFINITY || names.length <= NAMED) return names.join(', ')
  return `${names.slice(0, NAMED).join(', ')} and ${names.length - NAMED} more`
}
