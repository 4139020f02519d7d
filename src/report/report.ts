/** `renderReport`: the door for reports. */
import { stringify } from 'yaml'
import type { Report } from '../model/finding.ts'
import { reportHtml } from './report-html.ts'
import { reportJson } from './report-json.ts'
import { reportMarkdown } from './report-markdown.ts'
import { reportText } from './report-text.ts'

export const REPORT_FORMATS = ['text', 'wide', 'json', 'yaml', 'markdown', 'html'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

/** The report in `format`, ending in a newline. `colour` counts for text only; `width` is in columns. */
export function renderReport(
  report: Report,
  format: ReportFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return reportText(report, { ...options, wide: false })
    case 'wide':
      return reportText(report, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(reportJson(report), null, 2)}\n`
    case 'yaml':
      return stringify(reportJson(report), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'html':
      return reportHtml(report)
    case 'markdown':
      return reportMarkdown(report)
  }
}

/** 1 with an error; 3 when nothing is wrong as far as seen but the container network could not be judged; else 0. */
export function reportExitCode(report: Report): 0 | 1 | 3 {
  if (report.findings.some((f) => f.severity === 'error')) return 1
  const { hostNetwork, containerNetwork } = report.verdicts
  return hostNetwork === 'unknown' || containerNetwork === 'unknown' ? 3 : 0
}
