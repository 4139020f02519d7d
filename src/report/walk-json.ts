import type { Walk } from '../model/walk.ts'
import { evidenceJson, findingJson } from './answer-json.ts'
import { clean, LINE_LIMIT } from './clean.ts'

/** The object `netwhy walk -o json` prints. */
export function walkJson(w: Walk): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'Walk',
    question: w.question,
    verdict: w.verdict,
    steps: w.steps.map((s) => ({
      number: s.number,
      id: s.id,
      title: clean(s.title),
      state: s.state,
      text: clean(s.text, LINE_LIMIT * 10),
      evidence: s.evidence.map(evidenceJson),
      ...(s.finding === undefined ? {} : { finding: s.finding }),
    })),
    findings: w.findings.map(findingJson),
  }
}
