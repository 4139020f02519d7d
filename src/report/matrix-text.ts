/** The matrix for a person: one grid a level, node by node, then what breaks it, most breaking first. */
import type { ReportFinding } from '../model/finding.ts'
import { DIRECTIONS, LEVELS, type Matrix, type MatrixCell, type MatrixState, TRAFFICS } from '../model/matrix.ts'
import { findingLines, type TextOptions, whereText } from './answer-text.ts'
import { clean } from './clean.ts'
import { nodeLines } from './matrix-nodes.ts'
import { DIRECTION_TITLE, LEGEND, LEVEL_TITLE, placeText, STATE_MARK, TRAFFIC_TITLE } from './matrix-words.ts'
import { type Style, styleFor, wrap } from './style.ts'

const LABEL = 26
const COLUMN = 10
/** Findings told in full; the others in a line unless `wide`. */
const FULL = 3

function paint(state: MatrixState, s: Style): (t: string) => string {
  switch (state) {
    case 'works':
      return s.green
    case 'fails':
      return s.red
    case 'partial':
    case 'unknown':
      return s.yellow
    case 'denied':
    case 'leaves':
      return (t) => t
    case 'not-applicable':
      return s.dim
  }
}

function gridLines(m: Matrix, s: Style): string[] {
  const lines = [`${' '.repeat(LABEL)}${DIRECTIONS.map((d) => DIRECTION_TITLE[d].padEnd(COLUMN)).join('')}`.trimEnd()]
  for (const level of [...LEVELS].reverse()) {
    const rows = TRAFFICS.flatMap((traffic) => {
      const places = m.places.filter((p) => p.level === level && p.traffic === traffic)
      if (places.every((p) => p.state === 'not-applicable')) return []
      const cells = places.map((p) => paint(p.state, s)(placeText(p).padEnd(COLUMN)))
      return [`  ${TRAFFIC_TITLE[traffic].padEnd(LABEL - 2)}${cells.join('')}`.trimEnd()]
    })
    if (rows.length > 0) lines.push(s.bold(`From a ${LEVEL_TITLE[level]}`), ...rows)
  }
  return lines
}

function headline(m: Matrix, s: Style): string {
  const cells = m.cells.filter((c) => c.from !== null)
  const of = (...states: readonly MatrixState[]) => cells.filter((c) => states.includes(c.state)).length
  const parts = [
    [of('works'), 'work'],
    [of('fails', 'partial'), 'fail'],
    [of('denied'), 'denied by policy'],
    [of('leaves'), 'leave the cluster'],
    [of('unknown'), 'not known'],
  ] as const
  const told = parts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}`)
  const mark = m.findings.some((f) => f.severity === 'error')
    ? s.red('✗')
    : of('fails', 'partial') > 0
      ? s.yellow('!')
      : of('unknown') > 0 || cells.length === 0
        ? s.yellow('?')
        : s.green('✓')
  return `${mark} ${s.bold(`${cells.length} connections tried: ${told.join(', ') || 'there is nothing to try'}`)}`
}

/** What is told in full below needs no line here: the rest of what does not work, one example of each reason. */
function badLines(m: Matrix, told: ReadonlySet<string>, s: Style, o: TextOptions): string[] {
  const states: readonly MatrixState[] = ['fails', 'partial', 'unknown', 'denied']
  const bad = m.cells.filter((c) => states.includes(c.state) && !(c.code !== undefined && told.has(c.code)))
  const reasons = new Map<string, MatrixCell[]>()
  for (const c of bad) {
    const key = `${c.state} ${c.code ?? c.reason ?? ''}`
    reasons.set(key, [...(reasons.get(key) ?? []), c])
  }
  if (reasons.size === 0) return []
  const groups = [...reasons.values()].sort(
    (x, y) => states.indexOf(x[0]!.state) - states.indexOf(y[0]!.state) || y.length - x.length,
  )
  const most = o.wide ? 100 : 6
  const lines = ['', s.bold('For example')]
  for (const group of groups.slice(0, most)) {
    const c = group[0]!
    const ends = c.from === null || c.to === null ? TRAFFIC_TITLE[c.traffic] : `${clean(c.from)} → ${clean(c.to)}`
    const why = [c.code, c.reason].filter((t) => t !== undefined).map((t) => clean(t))
    const more = group.length > 1 ? ` (and ${group.length - 1} more)` : ''
    lines.push(...wrap(`${STATE_MARK[c.state]} ${ends}: ${why.join(': ')}${more}`, o.width ?? 80, '  ', '    '))
  }
  if (groups.length > most) lines.push(`  … and ${groups.length - most} more reasons with -o wide`)
  return lines
}

function findingBlock(f: ReportFinding, m: Matrix, s: Style, o: TextOptions): string[] {
  const width = o.width ?? 80
  const mark = { error: '✗', warning: '!', info: 'i' }[f.severity]
  const where = whereText(f)
  const lines = wrap(`${f.code}${where ? ` ${where}` : ''}: ${clean(f.title)}`, width, `${mark} `, '  ').map(s.bold)
  if (f.breaks) {
    const total = new Set(m.cells.filter((c) => c.from !== null).map((c) => `${c.from} ${c.to} ${c.protocol}`)).size
    const more = f.breaks.connections > f.breaks.examples.length ? ', …' : ''
    const examples = f.breaks.examples.map((e) => clean(e)).join(', ')
    lines.push(
      ...wrap(`${f.breaks.connections} of ${total} connections: ${examples}${more}`, width, 'Breaks ', '       '),
    )
  }
  lines.push(...findingLines(f, s, width, o.wide))
  return lines
}

/** The whole matrix, ending in a newline. */
export function matrixText(m: Matrix, o: TextOptions): string {
  const s = styleFor(o.colour)
  const width = o.width ?? 80
  const lines = [headline(m, s), '', ...gridLines(m, s), '', ...LEGEND.map(s.dim)]
  const nodes = nodeLines(m.nodePairs, width)
  if (nodes.length > 0) lines.push('', ...nodes)
  const serious = m.findings.filter((f) => o.wide || f.severity !== 'info')
  lines.push(...badLines(m, new Set(serious.map((f) => f.code)), s, o))
  for (const f of serious.slice(0, o.wide ? 100 : FULL)) lines.push('', ...findingBlock(f, m, s, o))
  const others = [...serious.slice(o.wide ? 100 : FULL), ...m.findings.filter((f) => !serious.includes(f))]
  if (others.length > 0) {
    lines.push('', 'Also seen (in full with -o wide)')
    for (const f of others.slice(0, 10))
      lines.push(...wrap(`${f.code}: ${clean(f.title)}`, width, `  ${f.severity === 'info' ? 'i' : '!'} `, '    '))
    if (others.length > 10) lines.push(`  … and ${others.length - 10} more`)
  }
  lines.push('', ...noteLines(m, width).map(s.dim))
  if (o.wide) lines.push('', ...reasonLines(m, width).map(s.dim))
  return `${lines.join('\n').trimEnd()}\n`
}

function noteLines(m: Matrix, width: number): string[] {
  const notes = ['A ClusterIP does not answer ping; that is normal and not tried.']
  const leaving = m.cells.find((c) => c.state === 'leaves')
  if (leaving?.reason) notes.push(`→ ${clean(leaving.reason)}; whether the outside answers only --prove can say.`)
  return [...notes, ...m.sampled.map((t) => clean(t))].flatMap((t) => wrap(t, width, '', '  '))
}

/** Why places are empty. */
function reasonLines(m: Matrix, width: number): string[] {
  const reasons = new Map<string, string[]>()
  for (const p of m.places) {
    if (p.state !== 'not-applicable' || p.reason === undefined) continue
    const name = `${LEVEL_TITLE[p.level]} ${TRAFFIC_TITLE[p.traffic]}, ${DIRECTION_TITLE[p.direction]}`
    reasons.set(p.reason, [...(reasons.get(p.reason) ?? []), name])
  }
  return [...reasons].flatMap(([reason, names]) => wrap(`– ${clean(reason)}: ${names.length} places`, width, '', '  '))
}
