/** The checklist for a person: verdict, culprit, then a line a step with what was seen below it, and last what to do. */
import type { Finding } from '../model/finding.ts'
import type { Walk, WalkState, WalkStep } from '../model/walk.ts'
import { findingLines, type TextOptions, whereText } from './answer-text.ts'
import { briefEvidence } from './brief.ts'
import { clean } from './clean.ts'
import { withoutCounters } from './path-text.ts'
import { type Style, styleFor, wrap } from './style.ts'

export const STEP_MARK: Readonly<Record<WalkState, string>> = { ok: '✓', failed: '✗', unknown: '?', skipped: '–' }

const VERDICT_MARK = { reachable: '✓', unreachable: '✗', partial: '◐', unknown: '?' } as const

function paint(state: WalkState, s: Style): string {
  const mark = STEP_MARK[state]
  switch (state) {
    case 'ok':
      return s.green(mark)
    case 'failed':
      return s.red(mark)
    case 'unknown':
      return s.yellow(mark)
    case 'skipped':
      return s.dim(mark)
  }
}

function stepLines(step: WalkStep, before: WalkStep | undefined, s: Style, o: TextOptions): string[] {
  const width = o.width ?? 80
  const title = clean(step.title)
  const bold = step.state === 'failed' ? s.bold : step.state === 'skipped' ? s.dim : (t: string) => t
  const lines = [`${String(step.number).padStart(3)} ${paint(step.state, s)} ${bold(title)}`]
  if (step.state === 'skipped' && before?.state === 'skipped' && before.text === step.text) return lines
  const code = step.finding === undefined ? '' : `${step.finding}: `
  const text = wrap(clean(`${code}${step.text}`, 900), width, '      ', '      ')
  lines.push(...(step.state === 'skipped' ? text.map(s.dim) : text))
  const shown = step.evidence.slice(0, o.wide ? 20 : step.state === 'failed' ? 2 : 1)
  for (const e of shown) {
    const at = `${clean(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}`
    lines.push(s.dim(`      ${at}`))
    if (o.wide || step.state === 'failed') {
      const said = clean(o.wide ? e.text : briefEvidence(withoutCounters(e.text)))
      lines.push(...wrap(said, width, '        ', '          ').map(s.dim))
    }
  }
  return lines
}

function headline(f: Finding): string {
  const where = whereText(f)
  return `${f.code}${where ? ` ${where}` : ''}: ${clean(f.title)}`
}

/** The whole checklist, ending in a newline. */
export function walkText(w: Walk, o: TextOptions): string {
  const s = styleFor(o.colour)
  const width = o.width ?? 80
  const q = w.question
  const asked = `${clean(q.from)} → ${clean(q.to)}${q.port === null ? '' : ` port ${q.port}`} (${q.protocol})`
  const lines = wrap(`${VERDICT_MARK[w.verdict]} ${w.verdict}: ${asked}`, width, '', '  ').map((l) => s.bold(l))
  const [first, ...others] = w.findings
  if (first) lines.push(...wrap(headline(first), width, '  ', '  ').map((l) => s.bold(l)))
  lines.push('')
  for (const [i, step] of w.steps.entries()) lines.push(...stepLines(step, w.steps[i - 1], s, o))
  if (first) lines.push('', ...findingLines(first, s, width, o.wide))
  if (others.length > 0) {
    lines.push('', 'Also seen')
    for (const f of others.slice(0, o.wide ? 100 : 8)) lines.push(...wrap(headline(f), width, '  ', '    '))
  }
  return `${lines.join('\n')}\n`
}
