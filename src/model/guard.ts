/** What `netwhy guard` answers: every declared expectation with what became of it. docs/guard.md describes it. */

export type GuardState = 'holds' | 'broken' | 'unknown'
export type GuardSeverity = 'error' | 'warning'

export interface GuardPlace {
  readonly file: string
  /** 1-based. */
  readonly line?: number
}

/** One connection that speaks against an expectation, or leaves it open. */
export interface GuardConnection {
  readonly from: string
  /** With the port it was asked on, where one was. */
  readonly to: string
  /** Lower case. */
  readonly protocol: string
  /** `allowed`, `denied`: by the policies. `reaches`, `partly`, `blocked`: on the path that was followed. */
  readonly outcome: 'allowed' | 'denied' | 'reaches' | 'partly' | 'blocked' | 'unknown'
  /** Why, in words. */
  readonly why: string
  /** Code of the finding, where the path was followed and fails. */
  readonly code?: string
  /** `NetworkPolicy shop/db ingress[0]`. */
  readonly rule?: string
  /** Of the rule or policy that decides, else of the evidence. */
  readonly place?: GuardPlace
}

export interface GuardResult {
  readonly name: string
  readonly place: Required<GuardPlace>
  /** As they were written. */
  readonly from: string
  readonly to: string
  /** What it was asked on: `8080/tcp`; empty: every port. */
  readonly ports: readonly string[]
  /** What is promised. */
  readonly reaches: boolean
  readonly severity: GuardSeverity
  readonly because: string | null
  readonly owner: string | null
  readonly state: GuardState
  /** One sentence. */
  readonly reason: string
  /** Connections the expectation stands for, by policies, and how many of them were followed on the real path. */
  readonly connections: number
  readonly followed: number | null
  /** How many speak against it, and the first of them. When it is unknown: those that leave it open. */
  readonly against: number
  readonly examples: readonly GuardConnection[]
  readonly notes: readonly string[]
}

export interface GuardReport {
  readonly file: string
  /** `policies`: what the policies say. `paths`: what the state of the nodes does to packets, on a sample. */
  readonly judgedBy: 'policies' | 'paths'
  readonly results: readonly GuardResult[]
}
