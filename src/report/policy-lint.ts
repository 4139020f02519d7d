/** `renderLint`: what `netwhy policy lint` prints, in each format. */
import type { Finding, Severity } from '../model/finding.ts'
import { findingJson } from './answer-json.ts'
import { findingMarkdown } from './answer-markdown.ts'
import { findingLines, whereText } from './answer-text.ts'
import { clean } from './clean.ts'
import { lintSarif } from './policy-lint-sarif.ts'
import { styleFor, wrap } from './style.ts'

export const LINT_FORMATS = ['text', 'wide', 'json', 'markdown', 'sarif'] as const
export type LintFormat = (typeof LINT_FORMATS)[number]

export interface LintReport {
  /** Policies of all kinds that were looked at, and pods or workloads beside them. */
  readonly policies: number
  readonly pods: number
  /** Worst first. */
  readonly findings: readonly Finding[]
  /** What each code means and what helps. */
  readonly codes: Readonly<Record<string, { readonly meaning: string; readonly remedy: string }>>
}

/** The report in `format`, ending in a newline. `width` is in columns; colour and width count for text only. */
export function renderLint(
  report: LintReport,
  format: LintFormat,
  options: { readonly colour: boolean; readonly width: number },
): string {
  switch (format) {
    case 'text':
      return text(report, options, false)
    case 'wide':
      return text(report, options, true)
    case 'json':
      return `${JSON.stringify(json(report), null, 2)}\n`
    case 'markdown':
      return markdown(report)
    case 'sarif':
      return `${JSON.stringify(lintSarif(report), null, 2)}\n`
  }
}

const WORDS: Record<Severity, string> = { error: 'error', warning: 'warning', info: 'remark' }
const HEADS: Record<Severity, string> = { error: '✗', warning: '!', info: 'i' }
const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info']

const count = (r: LintReport, severity: Severity) => r.findings.filter((f) => f.severity === severity).length

function summary(r: LintReport): string {
  const parts = SEVERITIES.flatMap((s) => {
    const n = count(r, s)
    return n === 0 ? [] : [`${n} ${WORDS[s]}${n === 1 ? '' : 's'}`]
  })
  const looked = `${r.policies} ${r.policies === 1 ? 'policy' : 'policies'} and ${r.pods} ${r.pods === 1 ? 'workload or pod' : 'workloads and pods'} looked at`
  return `${parts.length === 0 ? 'No findings' : parts.join(', ')}; ${looked}`
}

/** Most remarks printed as single lines. */
const REMARKS = 10

function text(r: LintReport, options: { readonly colour: boolean; readonly width: number }, wide: boolean): string {
  const s = styleFor(options.colour)
  const { width } = options
  const head = (f: Finding, mark: string, hang: string) =>
    wrap(`${f.code}${whereText(f) ? ` ${whereText(f)}` : ''}: ${clean(f.title)}`, width, mark, hang)
  const lines = [...wrap(summary(r), width, '', '')]
  for (const f of r.findings.filter((x) => wide || x.severity !== 'info'))
    lines.push('', ...head(f, `${HEADS[f.severity]} `, '  ').map((l) => s.bold(l)), ...findingLines(f, s, width, wide))
  const remarks = wide ? [] : r.findings.filter((f) => f.severity === 'info')
  if (remarks.length > 0) lines.push('', 'Remarks')
  for (const f of remarks.slice(0, REMARKS)) {
    lines.push(...head(f, '  i ', '    '))
    const [e] = f.evidence
    if (e) lines.push(`    ${s.dim(`${clean(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}`)}`)
  }
  if (remarks.length > REMARKS) lines.push(`  … and ${remarks.length - REMARKS} more with -o wide`)
  return `${lines.join('\n')}\n`
}

function json(r: LintReport): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'PolicyLint',
    policies: r.policies,
    pods: r.pods,
    counts: Object.fromEntries(SEVERITIES.map((s) => [s, count(r, s)])),
    findings: r.findings.map(findingJson),
  }
}

function markdown(r: LintReport): string {
  return `${['## netwhy policy lint', summary(r), ...r.findings.flatMap(findingMarkdown)].join('\n\n')}\n`
}
