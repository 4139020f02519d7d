/** One question of `policy check` to its answer: every connection the references stand for is decided. */
import type { Evaluator } from '../intent/policy/evaluate.ts'
import type { PolicyResult } from '../intent/policy/result.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Places } from '../manifests/places.ts'
import type { PolicyAnswer, PolicyConnection, PolicyDecision } from '../model/policy-answer.ts'
import { UsageError } from './errors.ts'
import { directionOf, worst } from './policy-answer.ts'
import { type Ends, endsOf, type NamedEnd, portIn, servicePort } from './policy-ends.ts'

export interface CheckQuestion {
  readonly from: string
  readonly to: string
  /** Lower or upper case; left out: the Service port's own, or TCP. */
  readonly protocol?: string
  /** Number or name. */
  readonly port?: string
}

/** One connection between two ends, as policies see it: after any translation. */
export interface Connection {
  readonly from: NamedEnd
  readonly to: NamedEnd
  readonly protocol: string
  readonly port: number | null
}

export interface Asked {
  readonly from: Ends
  readonly to: Ends
  readonly protocol: string
  /** As asked, number or name. */
  readonly port: string | null
  readonly connections: readonly Connection[]
  readonly notes: readonly string[]
}

/** Most connections of one question; a namespace of ten thousand pods asked about pod by pod is no answer. */
const MAX_CONNECTIONS = 10_000

const PROTOCOL = /^[a-z0-9-]{1,20}$/i

/**
 * The connections a question stands for.
 * @throws UsageError for what is no reference, port or protocol, or is not among the objects
 */
export function connectionsOf(objects: KubeObjects, question: CheckQuestion, namespace: string): Asked {
  const { protocol: given } = question
  if (given !== undefined && !PROTOCOL.test(given)) throw new UsageError(`protocol ${given}: not understood`)
  const to = endsOf(objects, question.to, namespace)
  const from = endsOf(objects, question.from, namespace)
  if (from.service) throw new UsageError(`${from.text}: a Service sends nothing; name a pod or a workload`)
  if (from.port !== null) throw new UsageError(`${question.from}: the port belongs to the other end`)
  const port = question.port ?? to.port
  if (port !== null && !/^(\d{1,5}|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/i.test(port))
    throw new UsageError(`port ${port}: neither a number nor a name`)
  if (port !== null && /^\d+$/.test(port) && (Number(port) < 1 || Number(port) > 65535))
    throw new UsageError(`port ${port}: not from 1 to 65535`)
  const wanted = given?.toUpperCase() ?? null
  const notes = [...from.notes, ...to.notes]
  const translated = to.service ? translation(to, port, wanted) : null
  if (translated) notes.push(...translated.notes)
  const protocol = translated?.protocol ?? wanted ?? 'TCP'
  const asked = translated ? translated.port : port
  if (from.ends.length * to.ends.length > MAX_CONNECTIONS)
    throw new UsageError(`${from.text} to ${to.text}: more than ${MAX_CONNECTIONS} connections; ask about fewer pods`)
  const connections: Connection[] = []
  for (const target of to.ends) {
    const number = asked === null ? null : portIn(target.pod, asked, protocol)
    if (asked !== null && number === null) {
      if (!to.service && to.ends.length === 1)
        throw new UsageError(`${target.text} has no ${protocol} port named ${asked}`)
      notes.push(`${target.text} has no ${protocol} port named ${asked}`)
      continue
    }
    for (const source of from.ends) connections.push({ from: source, to: target, protocol, port: number })
  }
  return { from, to, protocol, port, connections, notes }
}

interface Translation {
  readonly protocol: string
  readonly port: string | null
  readonly notes: readonly string[]
}

/** What the Service's port becomes behind it. A headless Service translates nothing. */
function translation(to: Ends, port: string | null, protocol: string | null): Translation {
  const service = to.service!
  const { clusterIPs, ports } = service
  if (clusterIPs[0] === 'None' && port !== null && /^\d+$/.test(port))
    return { protocol: protocol ?? 'TCP', port, notes: [`${to.text} is headless: the port is the pod's own`] }
  const found = servicePort(service, port, protocol)
  if (!found) {
    const has = ports.map((p) => `${p.port}/${p.protocol}${p.name === '' ? '' : ` (${p.name})`}`).join(', ') || 'none'
    if (port === null) throw new UsageError(`${to.text} has several ports: ${has}; name one with --port`)
    throw new UsageError(`${to.text} has no ${protocol ?? ''} port ${port}: it has ${has}`.replace('  ', ' '))
  }
  const target = String(found.targetPort)
  const note = `policies act on the pods behind ${to.text}: its port ${found.port} is ${/^\d+$/.test(target) ? `port ${target}` : `the port named ${target}`} there`
  return { protocol: found.protocol, port: target, notes: [note] }
}

/** The answer with every reason. */
export function answerOf(asked: Asked, evaluator: Evaluator, places: Places, question: CheckQuestion): PolicyAnswer {
  const port = asked.port === null ? null : /^\d+$/.test(asked.port) ? Number(asked.port) : asked.port
  const head = { from: asked.from.text, to: asked.to.text, protocol: asked.protocol.toLowerCase(), port }
  if (asked.connections.length === 0) {
    const text = asked.notes.join('; ') || `${question.to} stands for nothing`
    const nothing = { decision: 'unknown' as const, isolated: false, policies: [], considered: [], dependsOnPlugin: [] }
    const direction = { ...nothing, reason: { kind: 'unknown', text } }
    return {
      question: head,
      decision: 'unknown',
      decides: null,
      egress: direction,
      ingress: direction,
      notes: asked.notes,
    }
  }
  const results = asked.connections.map((c) => ({ c, result: ask(evaluator, c) }))
  const chosen = worst(results.map((r) => r.result))!
  const { c } = results.find((r) => r.result === chosen)!
  const decisions = results.map((r) => r.result.decision)
  const decision = decisionOf(asked, decisions)
  // Where every range outside fares the same, “external” is one end.
  const alike = decisions.every((d) => d === decision)
  const named = (ends: Ends, end: NamedEnd) => (ends.outside && alike ? ends.text : end.text)
  const sides = { from: named(asked.from, c.from), to: named(asked.to, c.to) }
  const ends = (e: Ends) => (e.outside && alike ? 1 : e.ends.length)
  const many = ends(asked.from) * ends(asked.to) > 1 ? { connections: grouped(results) } : {}
  const mixed =
    decision === 'unknown' && chosen.decision === 'deny' ? ['the answer depends on the address outside'] : []
  return {
    question: head,
    decision,
    decides: { ...sides, port: c.port },
    egress: directionOf(chosen.egress, sides, places),
    ingress: directionOf(chosen.ingress, sides, places),
    ...many,
    notes: [...asked.notes, ...mixed],
  }
}

function ask(evaluator: Evaluator, c: Connection): PolicyResult {
  return evaluator.explain({ from: c.from.end, to: c.to.end, protocol: c.protocol, port: c.port })
}

/** Of several connections the denied one decides, but of addresses outside it is not said which is meant. */
export function decisionOf(asked: Pick<Asked, 'from' | 'to'>, decisions: readonly PolicyDecision[]): PolicyDecision {
  if (decisions.length === 0) return 'unknown'
  const first = decisions[0]!
  if (decisions.every((d) => d === first)) return first
  if (asked.from.outside || asked.to.outside) return 'unknown'
  return decisions.includes('deny') ? 'deny' : 'unknown'
}

/** Connections that policies cannot tell apart are shown once. */
function grouped(results: readonly { readonly c: Connection; readonly result: PolicyResult }[]): PolicyConnection[] {
  const out = new Map<string, PolicyConnection>()
  for (const { c, result } of results) {
    const policies = [result.egress, result.ingress].map((d) => [
      d.decision,
      d.decidedBy?.rule,
      d.policies.map((p) => p.name),
    ])
    const apart = [c.from, c.to].map((e) => e.pod?.meta.labels ?? e.text)
    const key = JSON.stringify([policies, apart, c.port])
    const known = out.get(key)
    out.set(key, {
      ...(known ?? { from: c.from.text, to: c.to.text, port: c.port, decision: result.decision }),
      alike: (known?.alike ?? 0) + 1,
    })
  }
  return [...out.values()]
}
