/** One list from what the state shows and what tried connections died of: a cause seen both ways is one finding. */
import type { Finding, ReportFinding, Severity } from '../../model/finding.ts'
import type { ClusterFinding } from '../cluster/check.ts'
import { touches } from '../cluster/touches.ts'
import { type Cause, examplesOf, type Tried } from './tried.ts'

/**
 * Causes that may be meant so: nobody may need the connection. A sampled connection that dies of one is told, not alarmed
 * about; the cluster checks know when such a thing looks like a mistake.
 */
const MAY_BE_MEANT = new Set([
  'service-no-endpoints',
  'policy-denies-ingress',
  'policy-denies-egress',
  'policy-denies-dns',
  'traffic-policy-no-local-endpoint',
  'service-headless-port',
])

const RANK: Record<Severity, number> = { error: 0, warning: 1, info: 2 }

/** Same cause at the same place, as far as both say where. */
function same(a: Finding, b: Finding): boolean {
  if (a.code !== b.code) return false
  const agree = (x: string | undefined, y: string | undefined) => x === undefined || y === undefined || x === y
  return agree(a.where.node, b.where.node) && agree(a.where.link, b.where.link) && agree(a.where.object, b.where.object)
}

/** Findings, most harmful first: severity, then how many sampled connections each breaks. */
export function mergeFindings(
  state: readonly ClusterFinding[],
  causes: readonly Cause[],
  tried: readonly Tried[],
): ReportFinding[] {
  const left = [...causes]
  const out: ReportFinding[] = []
  for (const { finding, concerns, hurts } of state) {
    const alike = left.filter((c) => same(finding, c.finding))
    for (const c of alike) left.splice(left.indexOf(c), 1)
    const victims = new Set(alike.flatMap((c) => c.victims))
    if (hurts) for (const t of tried) if (touches(concerns, t.branches)) victims.add(t)
    const cure = alike.find((c) => c.finding.remedy?.verified)?.finding.remedy
    out.push(withVictims(cure ? { ...finding, remedy: cure } : finding, [...victims]))
  }
  for (const { finding, victims } of left) {
    const severity = MAY_BE_MEANT.has(finding.code) ? 'info' : finding.severity
    out.push(withVictims({ ...finding, severity }, victims))
  }
  return out.sort(
    (x, y) => RANK[x.severity] - RANK[y.severity] || (y.breaks?.connections ?? 0) - (x.breaks?.connections ?? 0),
  )
}

function withVictims(finding: Finding, victims: readonly Tried[]): ReportFinding {
  if (victims.length === 0) return finding
  return { ...finding, breaks: { connections: victims.length, examples: examplesOf(victims) } }
}
