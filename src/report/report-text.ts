/** The Report for a person: the two verdict lines, then each finding with what it breaks, why, proof and what to do. */
import type { NetworkState, Report, ReportFinding } from '../model/finding.ts'
import { findingLines, type TextOptions, whereText } from './answer-text.ts'
import { clean } from './clean.ts'
import { type Style, styleFor, wrap } from './style.ts'

const MARKS: Record<NetworkState, string> = { ok: '✓', 'not-ready': '◐', failing: '✗', unknown: '?' }

const SETUP: Readonly<Record<string, string>> = {
  step1: 'Step 1: the control plane is up, no network plugin yet',
  'step2-ok': 'Step 2: control plane and network plugin are up',
  'case-a': 'Step 2 failed, Case A: containers cannot be created',
  'case-b': 'Step 2 failed, Case B: containers run, but their network does not work',
  other: 'none of the known set-up states',
  unknown: 'not known from this evidence',
}

function verdictLines(r: Report, s: Style, width: number): string[] {
  const paint: Record<NetworkState, (t: string) => string> = {
    ok: s.green,
    'not-ready': s.yellow,
    failing: s.red,
    unknown: s.yellow,
  }
  const line = (name: string, state: NetworkState, because: string) => {
    const text = wrap(
      `${name} => ${state.toUpperCase().replace('-', ' ')}: ${clean(because)}`,
      width,
      `${MARKS[state]} `,
      '  ',
    )
    return text.map((t, i) => (i === 0 ? paint[state](t) : t))
  }
  const setup = SETUP[r.verdicts.setupState] ?? r.verdicts.setupState
  return [
    ...line('Host network', r.verdicts.hostNetwork, r.because.hostNetwork),
    ...line('Container network', r.verdicts.containerNetwork, r.because.containerNetwork),
    ...wrap(`Set-up: ${setup}`, width, '  ', '    '),
  ]
}

function summary(r: Report): string {
  const count = (severity: string) => r.findings.filter((f) => f.severity === severity).length
  const parts = [
    [count('error'), 'error'],
    [count('warning'), 'warning'],
    [count('info'), 'remark'],
  ] as const
  const found = parts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}${n === 1 ? '' : 's'}`)
  const { connections, delivered, undecided } = r.tried
  const tried =
    connections === 0
      ? 'no connection could be tried'
      : `${delivered} of ${connections} connections tried on the model get through${undecided > 0 ? `, ${undecided} cannot be decided` : ''}`
  return `${found.length === 0 ? 'No findings' : found.join(', ')}; ${tried}`
}

const HEADS = { error: '✗', warning: '!', info: 'i' } as const

function headLines(f: ReportFinding, s: Style, width: number): string[] {
  const where = whereText(f)
  const lines = wrap(`${f.code}${where ? ` ${where}` : ''}: ${clean(f.title)}`, width, `${HEADS[f.severity]} `, '  ')
  return lines.map((l) => s.bold(l))
}

function breaksLines(f: ReportFinding, r: Report, width: number): string[] {
  if (!f.breaks) return []
  const { connections, examples } = f.breaks
  const more = connections > examples.length ? ', …' : ''
  return wrap(
    `${connections} of ${r.tried.connections} tried connections: ${examples.map((e) => clean(e)).join(', ')}${more}`,
    width,
    'Breaks ',
    '       ',
  )
}

/** The whole report, ending in a newline. Remarks come as single lines unless `wide`. */
export function reportText(r: Report, options: TextOptions): string {
  const s = styleFor(options.colour)
  const width = options.width ?? 80
  const lines = [...verdictLines(r, s, width), ...wrap(summary(r), width, '  ', '  ')]
  for (const f of r.findings.filter((x) => x.severity !== 'info' || options.wide))
    lines.push('', ...headLines(f, s, width), ...breaksLines(f, r, width), ...findingLines(f, s, width, options.wide))
  const remarks = options.wide ? [] : r.findings.filter((f) => f.severity === 'info')
  if (remarks.length > 0) {
    lines.push('', 'Remarks')
    for (const f of remarks.slice(0, 10)) {
      const where = whereText(f)
      lines.push(...wrap(`${f.code}${where ? ` ${where}` : ''}: ${clean(f.title)}`, width, '  i ', '    '))
    }
    if (remarks.length > 10) lines.push(`  … and ${remarks.length - 10} more with -o wide`)
  }
  if (r.missing.length > 0) {
    lines.push('', 'Not known')
    for (const m of r.missing.slice(0, options.wide ? 1000 : 8))
      lines.push(...wrap(`${clean(m.artefact)}: ${clean(m.consequence)}`, width, '  ', '    '))
    if (!options.wide && r.missing.length > 8) lines.push(`  … and ${r.missing.length - 8} more with -o wide`)
  }
  return `${lines.join('\n')}\n`
}
