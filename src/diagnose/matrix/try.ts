/** The planned connections, tried on the model: each becomes a cell, and each cause of failure is told once. */
import { formatIp } from '../../base/ip.ts'
import type { Finding } from '../../model/finding.ts'
import type { MatrixCell, MatrixState } from '../../model/matrix.ts'
import type { ClusterState } from '../cluster/check.ts'
import { conclude, type Explained, explainAll, inquire, verified } from '../diagnose.ts'
import type { Branch, Inquiry, ProbeReport } from '../inquiry.ts'
import { ask } from '../question/ask.ts'
import type { Asked } from '../question/asked.ts'
import { QuestionError } from '../question/resolve.ts'
import { type Shares, sharesOf } from '../verdict.ts'
import type { MatrixQuestion } from './plan.ts'

export interface TriedCell {
  readonly question: MatrixQuestion
  readonly cell: MatrixCell
  readonly branches: readonly Branch[]
  /** Causes of what fails, by their key. */
  readonly causes: readonly string[]
}

export interface MatrixCause {
  readonly finding: Finding
  readonly victims: TriedCell[]
}

export interface MatrixTrial {
  readonly tried: readonly TriedCell[]
  readonly causes: ReadonlyMap<string, MatrixCause>
}

/** Remedies beyond this many are not tried out: somebody waits. */
const MOST_REMEDIES = 10
const DUST = 1e-9

/** Tries every question. `probes` holds what real packets said, by question. */
export function tryMatrix(
  state: ClusterState,
  questions: readonly MatrixQuestion[],
  probes: ReadonlyMap<MatrixQuestion, ProbeReport> = new Map(),
): MatrixTrial {
  const tried: TriedCell[] = []
  const causes = new Map<string, MatrixCause>()
  const answers = new Map<string, { branches: readonly Branch[]; cell: Verdict; found: Found[] }>()
  let remedies = 0
  for (const question of questions) {
    const asked = askedOf(state, question)
    if (asked === null) continue
    const report = probes.get(question)
    const key = `${question.from} ${question.to} ${question.protocol} ${report ? 'proven' : ''}`
    const known = answers.get(key) ?? answer(inquire(state.network, state.objects, asked, report), asked)
    answers.set(key, known)
    const one: TriedCell = {
      question,
      branches: known.branches,
      causes: known.found.map((f) => f.key),
      cell: cellOf(question, known.cell),
    }
    tried.push(one)
    for (const f of known.found) {
      const cause = causes.get(f.key)
      if (cause) cause.victims.push(one)
      else {
        const cure = f.explained?.diagnosis.edit !== undefined && remedies++ < MOST_REMEDIES ? f.explained : null
        const finding = cure ? verified(cure, state.network, state.objects, asked) : f.finding
        causes.set(f.key, { finding, victims: [one] })
      }
    }
  }
  return { tried, causes }
}

interface Found {
  readonly key: string
  readonly finding: Finding
  readonly explained?: Explained
}

interface Verdict {
  readonly state: MatrixState
  readonly probability: number | null
  readonly code?: string
  readonly reason?: string
  readonly proven?: boolean
}

function keyOf({ code, where, title }: Finding): string {
  return [code, where.node, where.netns, where.link, where.object, title].join('\0')
}

function answer(q: Inquiry, asked: Asked): { branches: readonly Branch[]; cell: Verdict; found: Found[] } {
  if (q.probes) return byPackets(q, asked)
  const explained = explainAll(q)
  const errors = explained.filter((e) => e.diagnosis.finding.severity === 'error')
  const certain = new Set(errors.map((e) => e.failure.branch))
  const shares = sharesOf(q.branches, certain)
  const found = explained.map((e) => ({ key: keyOf(e.diagnosis.finding), finding: e.diagnosis.finding, explained: e }))
  return {
    branches: q.branches,
    cell: verdictOf(
      q,
      shares,
      errors.map((e) => e.diagnosis.finding),
    ),
    found,
  }
}

function verdictOf(q: Inquiry, s: Shares, errors: readonly Finding[]): Verdict {
  const cause = errors.find((f) => !isDenial(f)) ?? errors[0]
  const seen = q.failures[0]?.step.text
  const why = cause ? { code: cause.code, reason: cause.title } : seen === undefined ? {} : { reason: seen }
  if (s.failed > DUST) {
    const state = cause && isDenial(cause) ? 'denied' : s.delivered > DUST ? 'partial' : 'fails'
    const open = s.undecided + s.outside > DUST
    return { state, probability: open ? null : s.delivered / (s.delivered + s.failed), ...why }
  }
  if (s.undecided > DUST || s.delivered + s.outside <= DUST)
    return { state: 'unknown', probability: null, reason: unknownOf(q) }
  if (s.outside > DUST) return { state: 'leaves', probability: null, reason: leavingOf(q) }
  return { state: 'works', probability: 1 }
}

/** Codes that mean a policy does what it says. */
export function isDenial(f: Finding): boolean {
  return f.code.startsWith('policy-') && f.code !== 'policy-enforcer-disagrees'
}

function unknownOf(q: Inquiry): string {
  for (const b of q.branches)
    for (const t of [b.trace.forward, b.trace.reply]) if (t?.unknowns[0] !== undefined) return t.unknowns[0]
  return 'nothing was collected that decides it'
}

function leavingOf(q: Inquiry): string {
  const t = q.branches.find((b) => b.trace.forward.disposition === 'exits-network')?.trace.forward
  const node = t?.hops.at(-1)?.node
  return t ? `leaves the cluster as ${formatIp(t.packet.src)}${node ? ` by ${node}` : ''}` : 'leaves the cluster'
}

/** Real packets decide over the model. */
function byPackets(q: Inquiry, asked: Asked): { branches: readonly Branch[]; cell: Verdict; found: Found[] } {
  const a = conclude(q, asked)
  const cause = a.findings.find((f) => f.severity === 'error')
  const state: MatrixState =
    a.verdict === 'reachable'
      ? 'works'
      : a.verdict === 'unknown'
        ? 'unknown'
        : cause && isDenial(cause)
          ? 'denied'
          : a.verdict === 'partial'
            ? 'partial'
            : 'fails'
  const reason = a.verdict === 'reachable' ? 'answered real packets' : (cause?.title ?? a.missing[0]?.artefact)
  return {
    branches: q.branches,
    found: a.findings.map((finding) => ({ key: keyOf(finding), finding })),
    cell: {
      state,
      probability: a.verdict === 'reachable' ? 1 : a.successProbability,
      proven: true,
      ...(cause && state !== 'works' ? { code: cause.code } : {}),
      ...(reason === undefined ? {} : { reason }),
    },
  }
}

function cellOf(q: MatrixQuestion, v: Verdict): MatrixCell {
  return {
    traffic: q.traffic,
    direction: q.direction,
    level: q.level,
    from: q.from,
    to: q.to,
    protocol: q.protocol,
    ...v,
  }
}

/** The question as packets; null when its ends cannot be resolved. */
export function askedOf({ network, objects }: ClusterState, q: MatrixQuestion): Asked | null {
  try {
    const asked = ask(network, objects, { from: q.from, to: q.to, protocol: q.protocol, namespace: 'default' })
    return asked.targets.length > 0 ? asked : null
  } catch (e) {
    if (e instanceof QuestionError) return null
    throw e
  }
}
