/** The Report as the CONTRACT prints it: a plain object in stable order. */
import type { Report } from '../model/finding.ts'
import { findingJson } from './answer-json.ts'
import { clean, LINE_LIMIT } from './clean.ts'

const LIMIT = LINE_LIMIT * 10

/** The object `netwhy doctor -o json` prints. */
export function reportJson(r: Report): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'Report',
    verdicts: r.verdicts,
    because: r.because,
    tried: r.tried,
    findings: r.findings.map((f) => ({ ...findingJson(f), ...(f.breaks ? { breaks: f.breaks } : {}) })),
    missing: r.missing.map((m) => ({ artefact: clean(m.artefact, LIMIT), consequence: clean(m.consequence, LIMIT) })),
  }
}
