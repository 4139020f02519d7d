/** The matrix for a person: one grid a level, node by node, then what breaks it, most breaking first. */
import type { ReportFinding } from '../model/finding.ts'
import { DIRECTIONS, LEVELS, type Matrix, type MatrixPlace, type MatrixState, TRAFFICS } from '../model/matrix.ts'
import { findingLines, type TextOptions, whereText } from './answer-text.ts'
import { clean } from './clean.ts'
import { nodeLines } from './matrix-nodes.ts'
import { DIRECTION_TITLE, LEGEND, LEVEL_TITLE, placeText, TRAFFIC_TITLE } from './matrix-words.ts'
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
  const mark =
    of('fails', 'partial') > 0 ? s.red('✗') : of('unknown') > 0 || cells.length === 0 ? s.yellow('?') : s.green('✓')
  return `${mark} ${s.bold(`${cells.length} connections tried: ${told.join(', ') || 'there is nothing to try'}`)}`
}

/** Where it fails, a line a place: what fails there for example. */
function badLines(m: Matrix, s: Style, o: TextOptions): string[] {
  const states: readonly MatrixState[] = ['fails', 'partial', 'unknown', 'denied']
  const bad = m.places.filter((p) => states.includes(p.state) || p.counts.denied > 0)
  if (bad.length === 0) return []
  const lines = ['', s.bold('For example')]
  const order = (p: MatrixPlace) => (states.includes(p.state) ? states.indexOf(p.state) : states.length)
  const seen = new Set<string>()
  for (const p of [...bad].sort((x, y) => order(x) - order(y))) {
    const shown = states.includes(p.state)
      ? p.example
      : m.cells.find(
          (c) => c.level === p.level && c.traffic === p.traffic && c.direction === p.direction && c.state === 'denied',
        )
    const what = shown ? `${clean(shown.from ?? '')} → ${clean(shown.to ?? '')}` : TRAFFIC_TITLE[p.traffic]
    const why = [shown?.code, shown?.reason ?? p.reason].filter((t) => t !== undefined).map((t) => clean(t))
    const line = `${placeText(p).slice(0, 1)} ${what}: ${why.join(': ')}`
    if (seen.has(line)) continue
    seen.add(line)
    if (!o.wide && seen.size > 6) continue
    lines.push(...wrap(line, o.width ?? 80, '  ', '    '))
  }
  if (!o.wide && seen.size > 6) lines.push(`  … and ${seen.size - 6} more with -o wide`)
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
  lines.push(...badLines(m, s, o))
  const serious = m.findings.filter((f) => o.wide || f.severity !== 'info')
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
