/** `netwhy walk`: one connection as an expert's numbered checklist. */
import type { Evidence } from './evidence.ts'
import type { AnswerVerdict, Finding, Question } from './finding.ts'

export type WalkState = 'ok' | 'failed' | 'unknown' | 'skipped'

/** What is asked at a step. The prefix is the part of the checklist; `pod.*` are the eight steps from pod to pod. */
export type WalkStepId =
  | 'ingress.exists'
  | 'ingress.class'
  | 'ingress.controller'
  | 'ingress.address'
  | 'ingress.backend'
  | 'dns.resolv-conf'
  | 'dns.search'
  | 'dns.service'
  | 'dns.endpoints'
  | 'dns.path'
  | 'dns.corefile'
  | 'dns.name'
  | 'service.exists'
  | 'service.frontend'
  | 'service.port'
  | 'service.selector'
  | 'service.ready'
  | 'service.endpoints'
  | 'service.target-port'
  | 'service.proxy'
  | 'service.hairpin'
  | 'pod.address'
  | 'pod.send'
  | 'pod.route'
  | 'pod.encap'
  | 'pod.received'
  | 'pod.routed'
  | 'pod.deliver'
  | 'pod.return'

export interface WalkStep {
  /** From 1, in the order they are printed. */
  readonly number: number
  readonly id: WalkStepId
  readonly title: string
  /** `skipped`: does not apply, or the packet never got so far; `text` says which. */
  readonly state: WalkState
  readonly text: string
  readonly evidence: readonly Evidence[]
  /** Code of the finding that explains the failure here. */
  readonly finding?: string
}

export interface Walk {
  readonly question: Question
  readonly verdict: AnswerVerdict
  readonly steps: readonly WalkStep[]
  /** As in the answer of `why`: most likely cause first. */
  readonly findings: readonly Finding[]
}
