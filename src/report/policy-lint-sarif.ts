/** Lint findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change. */
import type { Evidence } from '../model/evidence.ts'
import type { Finding, Severity } from '../model/finding.ts'
import { clean, cleanBlock } from './clean.ts'

const LEVELS: Record<Severity, string> = { error: 'error', warning: 'warning', info: 'note' }
const LIMIT = 2000

/** One run with a rule for each code that occurs and a result for each finding. */
export function lintSarif(report: {
  readonly findings: readonly Finding[]
  readonly codes: Readonly<Record<string, { readonly meaning: string; readonly remedy: string }>>
}): Record<string, unknown> {
  const ids = [...new Set(report.findings.map((f) => f.code))].sort()
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'netwhy',
            rules: ids.map((id) => ({
              id,
              shortDescription: { text: report.codes[id]?.meaning ?? id },
              help: { text: report.codes[id]?.remedy ?? id },
            })),
          },
        },
        results: report.findings.map((f) => ({
          ruleId: f.code,
          ruleIndex: ids.indexOf(f.code),
          level: LEVELS[f.severity],
          message: { text: message(f) },
          locations: f.evidence.slice(0, 1).map(location),
          ...(f.evidence.length > 1 ? { relatedLocations: f.evidence.slice(1).map(location) } : {}),
        })),
      },
    ],
  }
}

function message(f: Finding): string {
  const parts = [`${clean(f.title, LIMIT)}.`, clean(f.text, LIMIT)]
  if (f.remedy) parts.push(`To do: ${clean(f.remedy.text, LIMIT)}`)
  if (f.remedy?.manifest) parts.push(cleanBlock(f.remedy.manifest))
  return parts.join('\n')
}

/** A relative URI; a backslash or a colon in a file name is no part of its structure. */
function location(e: Evidence): Record<string, unknown> {
  const uri = e.artefact.split('/').map(encodeURIComponent).join('/')
  return {
    physicalLocation: {
      artifactLocation: { uri },
      ...(e.line === undefined ? {} : { region: { startLine: e.line } }),
    },
    message: { text: clean(e.text, LIMIT) },
  }
}
