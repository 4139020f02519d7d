/**
 * The Answer for a person: the verdict in the first line, the culprit in the second, then why, proof and what to do;
 * the path comes last, for those who want to see it.
 */
import type { Answer, AnswerProbe, Finding } from '../model/finding.ts'
import type { ConnectionTrace } from '../model/trace.ts'
import { briefEvidence } from './brief.ts'
import { clean } from './clean.ts'
import { packetText, placeText } from './packet-text.ts'
import { branchLines, withoutCounters } from './path-text.ts'
import { remedyLines } from './remedy-text.ts'
import { type Style, styleFor, wrap } from './style.ts'

export interface TextOptions {
  readonly colour: boolean
  readonly wide: boolean
  /** Columns; 80 unless told. */
  readonly width?: number
}

export function percent(p: number): string {
  if (p > 0 && p < 0.001) return 'under 0.1 %'
  const text = (p * 100).toFixed(1)
  return `${text.endsWith('.0') ? text.slice(0, -2) : text} %`
}

function verdictLine(a: Answer, s: Style): string {
  const q = a.question
  const asked = `${clean(q.from)} → ${clean(q.to)}${q.port === null ? '' : ` port ${q.port}`} (${q.protocol})`
  switch (a.verdict) {
    case 'reachable':
      return `${s.green('✓')} ${s.bold(s.green('reachable'))}: ${asked}`
    case 'unreachable':
      return `${s.red('✗')} ${s.bold(s.red('unreachable'))}: ${asked}`
    case 'partial': {
      const p = a.successProbability
      const share = p === null || p > 0.9995 ? '' : `, ${percent(p)} of connections succeed`
      return `${s.yellow('◐')} ${s.bold(s.yellow('partial'))}: ${asked}${share}`
    }
    case 'unknown':
      return `${s.yellow('?')} ${s.bold(s.yellow('unknown'))}: ${asked}`
  }
}

/** `on node2`, `in pod shop/web-1`, `on node1, on the way back`. */
export function whereText(f: Finding): string {
  const parts: string[] = []
  if (f.where.netns?.startsWith('pod/')) parts.push(`in pod ${f.where.netns.slice(4)}`)
  else if (f.where.node) parts.push(`on ${f.where.node}`)
  if (f.where.direction === 'reply') parts.push('on the way back')
  return parts.join(', ')
}

/** Why, proof and what to do of one finding. */
export function findingLines(f: Finding, s: Style, width: number, wide: boolean): string[] {
  const lines = wrap(clean(f.text, 900), width, 'Why    ', '       ')
  const shown = f.evidence.slice(0, wide ? 20 : 3)
  for (const [i, e] of shown.entries()) {
    const at = `${clean(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}`
    lines.push(`${i === 0 ? 'Proof  ' : '       '}${s.dim(at)}`)
    lines.push(
      ...wrap(clean(wide ? e.text : briefEvidence(withoutCounters(e.text))), width, '         ', '           '),
    )
  }
  if (f.evidence.length > shown.length)
    lines.push(s.dim(`       ${f.evidence.length - shown.length} more with -o wide`))
  if (f.remedy) lines.push(...remedyLines(f.remedy, s, width))
  return lines
}

function branchLine(b: ConnectionTrace, width: number): string[] {
  const end = b.forward
  const fate =
    b.disposition === 'delivered'
      ? 'works'
      : b.forward.disposition === 'delivered'
        ? `reply: ${b.disposition}`
        : b.disposition
  const text = `${packetText(end.packet)} at ${placeText(end.netns)}: ${fate}`
  return wrap(text, width, `  ${percent(b.probability).padStart(7)}  `, ' '.repeat(11))
}

function probeLine(p: AnswerProbe): string {
  const time = p.milliseconds === undefined ? '' : ` (${p.milliseconds} ms)`
  const unseen = p.notSeen === undefined || p.answered === p.sent ? '' : `; ${p.notSeen}`
  return `${clean(p.target)}: ${clean(p.text)}${time}${clean(unseen)}`
}

const OUTCOME = {
  confirmed: 'packets confirm it',
  refuted: 'packets refute it',
  open: 'packets leave it open',
} as const

/** What the packets say of the prediction. */
export function proofLines(a: Answer, width: number): string[] {
  return a.proof ? wrap(`${OUTCOME[a.proof.outcome]}: ${clean(a.proof.text, 400)}`, width, '  ', '  ') : []
}

/** The branch to show in full: the likeliest of those that explain the verdict. */
function mainBranch(a: Answer): ConnectionTrace | undefined {
  const bad = a.branches.filter((b) => b.disposition !== 'delivered')
  return [...(bad.length > 0 ? bad : a.branches)].sort((x, y) => y.probability - x.probability)[0]
}

const SEVERITY = { error: '✗', warning: '!', info: 'i' } as const

/** The whole answer, ending in a newline. */
export function answerText(a: Answer, options: TextOptions): string {
  const s = styleFor(options.colour)
  const width = options.width ?? 80
  const lines = wrap(verdictLine(a, s), width + (options.colour ? 30 : 0), '', '  ')
  const [first, ...others] = a.findings
  if (first) {
    const head = `${first.code}${whereText(first) ? ` ${whereText(first)}` : ''}: ${clean(first.title)}`
    lines.push(...wrap(head, width, '  ', '  ').map((l) => s.bold(l)))
  }
  lines.push(...proofLines(a, width))
  if (first) {
    lines.push('', ...findingLines(first, s, width, options.wide))
  }
  if (others.length > 0) {
    lines.push('', 'Also seen')
    for (const f of others.slice(0, options.wide ? 100 : 8)) {
      const where = whereText(f)
      lines.push(
        ...wrap(`${f.code}${where ? ` ${where}` : ''}: ${clean(f.title)}`, width, `  ${SEVERITY[f.severity]} `, '    '),
      )
      if (options.wide) lines.push(...findingLines(f, s, width - 4, true).map((l) => `    ${l}`))
    }
  }
  if (a.probes && a.probes.length > 0) {
    lines.push('', 'Probes')
    for (const p of a.probes) lines.push(...wrap(probeLine(p), width, '  ', '    '))
  }
  if (a.branches.length > 1) {
    lines.push('', 'Branches')
    const sorted = [...a.branches].sort((x, y) => y.probability - x.probability)
    for (const b of sorted.slice(0, options.wide ? 1000 : 10)) lines.push(...branchLine(b, width))
    if (!options.wide && sorted.length > 10) lines.push(`  … and ${sorted.length - 10} more, all with -o wide`)
  }
  const shown = options.wide ? a.branches : [mainBranch(a)].filter((b) => b !== undefined)
  for (const b of shown) lines.push('', ...branchLines(b, { style: s, width, wide: options.wide }))
  if (a.missing.length > 0) {
    lines.push('', 'Not known')
    for (const m of a.missing.slice(0, options.wide ? 1000 : 8))
      lines.push(...wrap(`${clean(m.artefact)}: ${clean(m.consequence)}`, width, '  ', '    '))
    if (!options.wide && a.missing.length > 8) lines.push(`  … and ${a.missing.length - 8} more with -o wide`)
  }
  return `${lines.join('\n')}\n`
}
