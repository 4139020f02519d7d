/** A report on expectations in every format. */

import { stringify } from 'yaml'
import type { GuardReport, GuardResult, GuardState } from '../model/guard.ts'
import { clean } from './clean.ts'
import { guardJunit } from './guard-junit.ts'
import { guardMarkdown } from './guard-markdown.ts'
import { guardSarif } from './guard-sarif.ts'
import { resultLines, summaryLine } from './guard-text.ts'
import { styleFor } from './style.ts'

export const GUARD_FORMATS = ['text', 'wide', 'json', 'yaml', 'junit', 'sarif', 'markdown'] as const
export type GuardFormat = (typeof GUARD_FORMATS)[number]

export interface GuardStyle {
  readonly colour: boolean
  readonly width: number
}

/** The report in `format`, ending in a newline. `width` is in columns; colour and width count for text only. */
export function renderGuard(report: GuardReport, format: GuardFormat, style: GuardStyle): string {
  switch (format) {
    case 'text':
      return text(report, style, false)
    case 'wide':
      return text(report, style, true)
    case 'json':
      return `${JSON.stringify(guardJson(report), null, 2)}\n`
    case 'yaml':
      return stringify(guardJson(report), { version: '1.1' })
    case 'junit':
      return guardJunit(report)
    case 'sarif':
      return `${JSON.stringify(guardSarif(report), null, 2)}\n`
    case 'markdown':
      return guardMarkdown(report)
  }
}

/** Broken first, then what is not known, then what holds. */
const ORDER: readonly GuardState[] = ['broken', 'unknown', 'holds']

function text(report: GuardReport, { colour, width }: GuardStyle, wide: boolean): string {
  const s = styleFor(colour)
  const blocks = ORDER.flatMap((state) => report.results.filter((r) => r.state === state)).map((r) =>
    resultLines(r, s, width, wide),
  )
  const lines = blocks.flatMap((b, i) => (i > 0 && (b.length > 1 || blocks[i - 1]!.length > 1) ? ['', ...b] : b))
  return `${[...lines, '', ...summaryLine(report, width)].join('\n')}\n`
}

/** The machine-readable form; docs/guard.md describes it. */
export function guardJson(report: GuardReport): Record<string, unknown> {
  const count = (state: GuardState) => report.results.filter((r) => r.state === state).length
  return {
    apiVersion: 'netwhy/v1',
    kind: 'GuardReport',
    file: report.file,
    judgedBy: report.judgedBy,
    counts: { holds: count('holds'), broken: count('broken'), unknown: count('unknown') },
    results: report.results,
  }
}

/** What changed between two runs, a block for each expectation whose state is another; empty when none is. */
export function renderChanges(
  before: readonly GuardResult[],
  after: readonly GuardResult[],
  style: GuardStyle,
): string {
  const s = styleFor(style.colour)
  const was = new Map(before.map((r) => [r.name, r.state]))
  const lines: string[] = []
  for (const r of after) {
    const earlier = was.get(r.name)
    was.delete(r.name)
    if (earlier === r.state) continue
    const now = r.state === 'unknown' ? 'is unknown' : r.state === 'broken' ? 'is broken' : 'holds'
    const head = earlier === undefined ? `new, ${now}` : `now ${now} (was ${earlier})`
    lines.push(...resultLines(r, s, style.width, false, head))
  }
  for (const name of was.keys()) lines.push(`- ${clean(name)}: no longer declared`)
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}
