/** `policy check --queries`: many questions of one set of objects, one compact answer a line. */
import { type PolicyCluster, policyCluster } from '../intent/policy/cluster.ts'
import type { Asked } from '../intent/policy/peer.ts'
import { planOf } from '../intent/policy/plan.ts'
import type { Direction } from '../intent/policy/policy.ts'
import { bothDirections, decideDirection, together } from '../intent/policy/question.ts'
import type { Decision } from '../intent/policy/result.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import { UsageError } from './errors.ts'
import { policyName, worst } from './policy-answer.ts'
import { type CheckQuestion, type Connection, connectionsOf, decisionOf } from './policy-question.ts'

export interface Query extends CheckQuestion {
  /** FILE:LINE, for messages. */
  readonly place: string
}

const KEYS = ['from', 'to', 'protocol', 'port'] as const

/**
 * The questions of a JSONL file; what a line leaves out is as the command's options say.
 * @throws UsageError naming FILE:LINE of the first line that is no question
 */
export function readQueries(text: string, file: string, base: Partial<CheckQuestion>): Query[] {
  const out: Query[] = []
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const place = `${file}:${i + 1}`
    let value: Record<string, unknown>
    try {
      value = JSON.parse(line) as Record<string, unknown>
    } catch {
      throw new UsageError(`${place}: not JSON`)
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UsageError(`${place}: a question is a JSON object`)
    const query: Record<string, string> = { place }
    for (const key of KEYS) {
      const given = value[key] ?? base[key]
      if (given === undefined || given === null) continue
      if (typeof given !== 'string' && typeof given !== 'number')
        throw new UsageError(`${place}: "${key}" must be text or a number`)
      query[key] = String(given)
    }
    if (query.from === undefined) throw new UsageError(`${place}: "from" is missing`)
    if (query.to === undefined) throw new UsageError(`${place}: "to" is missing`)
    out.push(query as unknown as Query)
  }
  return out
}

/**
 * Answers in order. All questions are resolved before the first answer, so that a bad one leaves nothing half-written.
 * @throws UsageError naming FILE:LINE of the first question about what is not there
 */
export function writeAnswers(
  objects: KubeObjects,
  queries: readonly Query[],
  namespace: string,
  write: (text: string) => void,
): void {
  const asked = queries.map((query) => {
    try {
      return connectionsOf(objects, query, namespace)
    } catch (e) {
      if (e instanceof UsageError) throw new UsageError(`${query.place}: ${e.message}`)
      throw e
    }
  })
  const cluster = policyCluster(objects)
  let out = ''
  for (const a of asked) {
    const port = a.port === null ? 'null' : /^\d+$/.test(a.port) ? a.port : JSON.stringify(a.port)
    const question = `{"from":${JSON.stringify(a.from.text)},"to":${JSON.stringify(a.to.text)},"protocol":${JSON.stringify(a.protocol.toLowerCase())},"port":${port}}`
    const judged = a.connections.map((c) => judge(cluster, c))
    const decision = decisionOf(
      a,
      judged.map((j) => j.decision),
    )
    const chosen = worst(judged)
    const directions = chosen ? `"egress":${chosen.egress},"ingress":${chosen.ingress}` : NOTHING
    const notes = a.notes.length === 0 ? '' : `,"notes":${JSON.stringify(a.notes)}`
    out += `{"apiVersion":"netwhy/v1","kind":"PolicyAnswer","question":${question},"decision":"${decision}",${directions}${notes}}\n`
    if (out.length > 1 << 16) {
      write(out)
      out = ''
    }
  }
  write(out)
}

interface Judged {
  readonly decision: Decision
  /** Each direction as JSON. */
  readonly egress: string
  readonly ingress: string
}

/** The quick way: no reasons, which cost many times the decision. */
function judge(cluster: PolicyCluster, { from, to, protocol, port }: Connection): Judged {
  const asked = bothDirections(cluster, { from: from.end, to: to.end, protocol, port })
  const egress = decideDirection(asked.egress)
  const ingress = decideDirection(asked.ingress)
  const brief = (decision: Decision, one: Asked) => `{"decision":"${decision}",${isolationOf(cluster, one)}}`
  return {
    decision: together(egress, ingress),
    egress: brief(egress, asked.egress),
    ingress: brief(ingress, asked.ingress),
  }
}

const isolation = new WeakMap<Asked['near'], Partial<Record<Direction, string>>>()

/** Which policies isolate the end does not depend on the other end. */
function isolationOf(cluster: PolicyCluster, { near, direction }: Asked): string {
  if (near.kind !== 'pod') return NOT_ISOLATED
  const known = isolation.get(near)
  const before = known?.[direction]
  if (before !== undefined) return before
  const policies = planOf(cluster, near, direction).flatMap(({ applied }) =>
    applied.flatMap((a) => (a.isolates && a.selects === 'yes' ? [policyName(a.policy)] : [])),
  )
  const text = `"isolated":${policies.length > 0},"policies":${JSON.stringify(policies)}`
  isolation.set(near, { ...known, [direction]: text })
  return text
}

const NOT_ISOLATED = '"isolated":false,"policies":[]'
const UNKNOWN = `{"decision":"unknown",${NOT_ISOLATED}}`
const NOTHING = `"egress":${UNKNOWN},"ingress":${UNKNOWN}`
