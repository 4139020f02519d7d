/** One question's answer as a numbered checklist: the parts that apply, in the order an expert asks them. */
import type { Answer, AnswerVerdict, Finding, Question } from '../../model/finding.ts'
import type { Walk, WalkStepId } from '../../model/walk.ts'
import type { Inquiry } from '../inquiry.ts'
import type { Asked } from '../question/asked.ts'
import { addressStep } from './address-step.ts'
import type { AskedWalk } from './ask-walk.ts'
import { dnsSteps } from './dns-steps.ts'
import { type Draft, notReached, numbered } from './draft.ts'
import { type Fate, fateOf } from './fate.ts'
import { podSteps } from './pod-steps.ts'
import { serviceAsked, serviceSteps } from './service-steps.ts'

/** The checklist of an answered question. `way`: what comes before the connection, of an Ingress. */
export function walkOf(q: Inquiry, asked: Asked, answer: Answer, way: Omit<AskedWalk, 'asked'>): Walk {
  const own = q.branches.filter((b) => b.stage !== 'dns').map((b) => fateOf(b, q))
  const lookups = q.branches.filter((b) => b.stage === 'dns').map((b) => fateOf(b, q))
  const steps: Draft[] = [...way.before]
  if (asked.nameservers.length > 0 || asked.unresolved !== undefined) steps.push(...dnsSteps(q, asked, lookups, answer))
  const target = asked.targets[0]
  const service = target ? serviceAsked(q, target) : null
  if (service) steps.push(...serviceSteps(q, service, own, answer))
  const onward = own.filter((f) => !f.hairpin)
  steps.push(addressStep(q, own, answer), ...podSteps(q, onward, lateReason(own, onward, steps)))
  return {
    question: way.question ?? answer.question,
    verdict: together(way.before, answer.verdict),
    steps: numbered(placed(steps, answer, q)),
    findings: bySeverity([...way.findings, ...answer.findings]),
  }
}

/** The checklist of what has nothing to send to. */
export function brokenWalk(way: AskedWalk, question: Question): Walk {
  const failed = way.before.some((s) => s.state === 'failed')
  return {
    question,
    verdict: failed ? 'unreachable' : 'unknown',
    steps: numbered(way.before),
    findings: bySeverity(way.findings),
  }
}

const RANK = { error: 0, warning: 1, info: 2 } as const

function bySeverity(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((x, y) => RANK[x.severity] - RANK[y.severity])
}

/** The whole works only when what comes before the connection does: without a known controller, nobody asks the backend. */
function together(before: readonly Draft[], verdict: AnswerVerdict): AnswerVerdict {
  if (before.some((s) => s.state === 'failed')) return 'unreachable'
  const open = before.some((s) => s.id === 'ingress.controller' && s.state !== 'ok')
  return open && verdict === 'reachable' ? 'unknown' : verdict
}

/** Why no packet is on its way to a pod at all. */
function lateReason(own: readonly Fate[], onward: readonly Fate[], steps: readonly Draft[]): string | null {
  if (own.length === 0) return 'not reached: no address is known to send to'
  if (onward.length === 0) return 'nothing to do: the client is its own backend, see step {service.hairpin}'
  const waiting = onward.every((f) => f.ending?.at === 'proxy')
  if (!waiting) return null
  return notReached(steps.find((s) => s.state === 'failed')?.id ?? 'service.proxy')
}

/** The steps that findings without a dying packet belong to: what spoils a connection that every hop lets pass. */
const STEP_OF_CODE: Readonly<Record<string, WalkStepId>> = {
  'path-mtu-too-small': 'pod.encap',
  'pmtu-blackhole': 'pod.encap',
  'underlay-drop': 'pod.received',
  'packet-loss': 'pod.received',
  'node-address-wrong': 'pod.received',
  'bandwidth-limited': 'pod.send',
  'accept-queue-overflow': 'pod.deliver',
  'conntrack-stale': 'service.proxy',
  'kube-proxy-rules-stale': 'service.proxy',
  'kube-proxy-rules-missing': 'service.proxy',
  'kube-proxy-not-running': 'service.proxy',
  'dns-upstream-unreachable': 'dns.corefile',
}

/** A bad verdict never stands above ticks alone: where no packet died, the first cause is put to the step it belongs to. */
function placed(steps: readonly Draft[], answer: Answer, q: Inquiry): readonly Draft[] {
  if (answer.verdict !== 'unreachable' && answer.verdict !== 'partial') return steps
  if (steps.some((s) => s.state === 'failed')) return steps
  const cause =
    answer.findings.find((f) => f.severity === 'error') ?? answer.findings.find((f) => f.severity !== 'info')
  const wanted = cause ? (STEP_OF_CODE[cause.code] ?? stepOfPlace(cause, q)) : undefined
  const at = steps.findIndex((s) => s.id === wanted)
  const step = steps[at]
  if (!step || !cause) return steps
  const failed: Draft = {
    ...step,
    state: 'failed',
    text: cause.title,
    evidence: cause.evidence.slice(0, 4),
    finding: cause.code,
  }
  return steps.with(at, failed)
}

function stepOfPlace(f: Finding, q: Inquiry): WalkStepId {
  if (f.where.direction === 'reply') return 'pod.return'
  const branch = q.branches.find((b) => b.stage !== 'dns')
  const [node, kind, ...pod] = branch?.source.netns?.split('/') ?? []
  const own = kind === 'pod' ? `pod/${pod.join('/')}` : undefined
  if (f.where.netns?.startsWith('pod/')) return f.where.netns === own ? 'pod.send' : 'pod.deliver'
  return f.where.node === node || f.where.node === undefined ? 'pod.route' : 'pod.routed'
}
