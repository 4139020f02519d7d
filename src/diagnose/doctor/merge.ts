/** One list from what the state shows and what tried connections died of: a cause seen both ways is one finding. */
import type { Evidence } from '../../model/evidence.ts'
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

/** One setting of a node is wrong, whichever pod notices. */
const ONCE_PER_NODE = new Set(['masquerade-missing'])

const RANK: Record<Severity, number> = { error: 0, warning: 1, info: 2 }

/** Same cause at the same place, as far as both say where; a finding about several nodes is at each of them. */
function covers(f: ClusterFinding, cause: Finding): boolean {
  const { code, where } = f.finding
  if (code !== cause.code) return false
  const agree = (x: string | undefined, y: string | undefined) => x === undefined || y === undefined || x === y
  const node = cause.where.node
  const here = agree(where.node, node) || f.concerns.some((c) => c.kind === 'node' && c.node === node)
  return (
    here && (f.concerns.length > 1 || agree(where.link, cause.where.link)) && agree(where.object, cause.where.object)
  )
}

/** Links are proof of many things; any other line that two causes of one code cite is the same thing broken. */
function shareProof(a: Finding, b: Finding): boolean {
  return a.evidence.some(
    (x) =>
      x.artefact.startsWith('nodes/') &&
      !x.artefact.endsWith('/ip-link.json') &&
      !x.artefact.endsWith('/sysctl.txt') &&
      b.evidence.some((y) => y.artefact === x.artefact && y.line === x.line && y.text === x.text),
  )
}

function oneCause(a: Finding, b: Finding): boolean {
  if (a.code !== b.code) return false
  if (MAY_BE_MEANT.has(a.code)) return a.where.object === b.where.object
  if (a.where.node !== b.where.node) return false
  return ONCE_PER_NODE.has(a.code) || (a.where.link === b.where.link && a.title === b.title) || shareProof(a, b)
}

/** Causes of tried connections, the same thing broken told once: by the one that breaks most. */
function grouped(causes: readonly Cause[]): Cause[] {
  const groups: Cause[][] = []
  for (const c of causes) {
    const known = groups.find((g) => oneCause(g[0]!.finding, c.finding))
    if (known) known.push(c)
    else groups.push([c])
  }
  return groups.map((group) => {
    const victims = [...new Set(group.flatMap((c) => c.victims))]
    const first = [...group].sort((x, y) => y.victims.length - x.victims.length)[0]!
    return { ...first, victims }
  })
}

/** Findings, most harmful first: severity, then how many sampled connections each breaks. */
export function mergeFindings(
  state: readonly ClusterFinding[],
  causes: readonly Cause[],
  tried: readonly Tried[],
): ReportFinding[] {
  const left = grouped(causes)
  const out: ReportFinding[] = []
  for (const f of state) {
    const { finding, concerns, hurts } = f
    const alike = left.filter((c) => covers(f, c.finding))
    for (const c of alike) left.splice(left.indexOf(c), 1)
    const victims = new Set(alike.flatMap((c) => c.victims))
    if (hurts) for (const t of tried) if (touches(concerns, t.branches)) victims.add(t)
    const cure = alike.find((c) => c.finding.remedy?.verified)?.finding.remedy
    const proven = { ...finding, evidence: allEvidence(alike, finding), ...(cure ? { remedy: cure } : {}) }
    out.push(withVictims(proven, [...victims]))
  }
  for (const { finding, victims } of left) {
    const meant = MAY_BE_MEANT.has(finding.code) || (finding.code === 'masquerade-missing' && everywhere(causes, tried))
    out.push(withVictims(meant ? { ...finding, severity: 'info' } : finding, victims))
  }
  return out.sort(
    (x, y) => RANK[x.severity] - RANK[y.severity] || (y.breaks?.connections ?? 0) - (x.breaks?.connections ?? 0),
  )
}

/** Evidence is a proof, not an archive: more lines than this say no more. */
const MOST_EVIDENCE = 12

/** What the dead packets proved, then what the state proves, each line once. */
function allEvidence(alike: readonly Cause[], finding: Finding): Evidence[] {
  const lines = [...alike.slice(0, 1).flatMap((c) => c.finding.evidence), ...finding.evidence]
  return [...new Map(lines.map((e) => [`${e.artefact}:${e.line ?? ''}:${e.text}`, e])).values()].slice(0, MOST_EVIDENCE)
}

/** No node masquerades: a network whose routers know pod addresses. One that does not while others do is a fault. */
function everywhere(causes: readonly Cause[], tried: readonly Tried[]): boolean {
  const bare = new Set(causes.flatMap((c) => (c.finding.code === 'masquerade-missing' ? c.victims : [])))
  return tried.every((t) => t.question.traffic !== 'outside' || bare.has(t))
}

function withVictims(finding: Finding, victims: readonly Tried[]): ReportFinding {
  if (victims.length === 0) return finding
  return { ...finding, breaks: { connections: victims.length, examples: examplesOf(victims) } }
}
