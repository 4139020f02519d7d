/** `policy check --queries`: many questions of one set of objects, one compact answer a line. */
import { parseIp, prefixContains } from '../base/ip.ts'
import { policyCluster } from '../intent/policy/cluster.ts'
import { evaluator } from '../intent/policy/evaluate.ts'
import type { PolicyResult } from '../intent/policy/result.ts'
import type { KubeObjects, PodObject } from '../kubeobj/objects.ts'
import { UsageError } from './errors.ts'
import { briefDirection, worst } from './policy-answer.ts'
import { blocksOf } from './policy-outside.ts'
import { ask, type CheckQuestion, type Connection, connectionsOf, decisionOf } from './policy-question.ts'

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

const SIDES = { from: 'the source', to: 'the destination' }

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
  const evaluate = evaluator(policyCluster(objects))
  const classOf = classes(objects)
  const known = new Map<string, Judged>()
  const judge = (c: Connection): Judged => {
    const [from, to] = [classOf(c.from.pod), classOf(c.to.pod)]
    // A pod and itself, and nodes, are more than their class.
    const key = from === null || to === null || c.from.pod === c.to.pod ? null : `${from} ${to} ${c.protocol} ${c.port}`
    const before = key === null ? undefined : known.get(key)
    if (before) return before
    const result = ask(evaluate, c)
    const judged = { result, tail: tailOf(result) }
    if (key !== null) known.set(key, judged)
    return judged
  }
  let out = ''
  for (const a of asked) {
    const port = a.port === null ? 'null' : /^\d+$/.test(a.port) ? a.port : JSON.stringify(a.port)
    const question = `{"from":${JSON.stringify(a.from.text)},"to":${JSON.stringify(a.to.text)},"protocol":${JSON.stringify(a.protocol.toLowerCase())},"port":${port}}`
    const judged = a.connections.map(judge)
    const decision = decisionOf(
      a,
      judged.map((j) => j.result.decision),
    )
    const chosen = judged.length < 2 ? judged[0] : judged.find((j) => j.result === worst(judged.map((x) => x.result)))
    const notes = a.notes.length === 0 ? '' : `,"notes":${JSON.stringify(a.notes)}`
    out += `{"apiVersion":"netwhy/v1","kind":"PolicyAnswer","question":${question},"decision":"${decision}"${chosen?.tail ?? NOTHING}${notes}}\n`
    if (out.length > 1 << 16) {
      write(out)
      out = ''
    }
  }
  write(out)
}

interface Judged {
  readonly result: PolicyResult
  /** The directions as JSON, from the comma before them. */
  readonly tail: string
}

const tailOf = ({ egress, ingress }: PolicyResult) =>
  `,"egress":${JSON.stringify(briefDirection(egress, SIDES))},"ingress":${JSON.stringify(briefDirection(ingress, SIDES))}`

const UNKNOWN = '{"decision":"unknown","isolated":false,"policies":[]}'
const NOTHING = `,"egress":${UNKNOWN},"ingress":${UNKNOWN}`

/** A number for each sort of pod that policies cannot tell apart; null for what is no pod with a network of its own. */
function classes(objects: KubeObjects): (pod: PodObject | undefined) => number | null {
  const blocks = blocksOf(objects)
  const byPod = new Map<PodObject, number | null>()
  const byKey = new Map<string, number>()
  return (pod) => {
    if (pod === undefined) return null
    const before = byPod.get(pod)
    if (before !== undefined) return before
    let number: number | null = null
    if (!pod.hostNetwork && pod.phase !== 'Succeeded' && pod.phase !== 'Failed') {
      const inBlocks = pod.podIPs.map((text) => {
        const ip = parseIp(text)
        return ip ? [ip.family, ...blocks.flatMap((b, i) => (prefixContains(b, ip) ? [i] : []))] : null
      })
      const ports = pod.containers.flatMap((c) => c.ports.map((p) => [p.name, p.protocol, p.containerPort]))
      const labels = Object.entries(pod.meta.labels).sort(([a], [b]) => (a < b ? -1 : 1))
      const key = JSON.stringify([pod.meta.namespace, labels, pod.serviceAccountName, ports, inBlocks])
      number = byKey.get(key) ?? byKey.size
      byKey.set(key, number)
    }
    byPod.set(pod, number)
    return number
  }
}
