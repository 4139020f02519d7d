import type { Evidence, Missing } from './evidence.ts'
import type { ConnectionTrace } from './trace.ts'

export type Severity = 'error' | 'warning' | 'info'

/** A diagnosis with its proof and its cure. `code` is API: see docs/codes.md. */
export interface Finding {
  readonly code: string
  readonly severity: Severity
  readonly title: string
  readonly text: string
  readonly where: {
    readonly node?: string
    readonly netns?: string
    readonly link?: string
    readonly object?: string
    readonly direction?: 'forward' | 'reply'
  }
  readonly evidence: readonly Evidence[]
  readonly remedy?: Remedy
}

export interface Remedy {
  readonly text: string
  /** Whole shell lines for root, run one after the other at `on`. */
  readonly commands?: readonly string[]
  readonly on?: RemedyPlace
  readonly manifest?: string
  /** True only after the remedy was applied to the model and the question asked again. */
  readonly verified: boolean
  /** Connections that work now and would not after the remedy; at most three. Absent when it was not tried or breaks none. */
  readonly breaks?: readonly string[]
}

/** Where commands are run: in the host netns of a node, in a pod's netns on that node, or wherever kubectl works. */
export interface RemedyPlace {
  readonly node?: string
  /** `namespace/name`. */
  readonly pod?: string
  readonly kubectl?: true
}

export type AnswerVerdict = 'reachable' | 'unreachable' | 'partial' | 'unknown'

export interface Question {
  readonly from: string
  readonly to: string
  readonly protocol: string
  readonly port: number | null
}

/** The answer to `why`, as the CONTRACT prints it; `branches` still in the datapath's own shape. */
export interface Answer {
  readonly question: Question
  readonly verdict: AnswerVerdict
  /** Null when unknown. */
  readonly successProbability: number | null
  readonly rootCause: string | null
  readonly branches: readonly ConnectionTrace[]
  /** Most likely cause first. */
  readonly findings: readonly Finding[]
  readonly missing: readonly Missing[]
  /** With `--prove`: the packets that were sent and what came back. */
  readonly probes?: readonly AnswerProbe[]
  /** With `--prove`: what the packets say of the prediction. */
  readonly proof?: Proof
}

/** `refuted`: the packets did otherwise, and the verdict is theirs. `open`: they neither show it nor speak against it. */
export interface Proof {
  readonly outcome: 'confirmed' | 'refuted' | 'open'
  readonly text: string
}

export interface AnswerProbe {
  readonly kind: string
  readonly target: string
  readonly address: string
  readonly sent: number
  readonly answered: number
  /** errno name of the last failure. */
  readonly error?: string
  /** Median time to an answer. */
  readonly milliseconds?: number
  /** Length of the IP packets, where it mattered. */
  readonly bytes?: number
  /** Source address of the refusal, when one was seen on the wire. */
  readonly refusedBy?: string
  /** Why refusals could not be seen. */
  readonly notSeen?: string
  /** The outcome in words. */
  readonly text: string
  readonly command: string
}

/** `ok`: seen to work. `not-ready`: not set up yet. `failing`: seen or known not to work. `unknown`: the evidence does not say. */
export type NetworkState = 'ok' | 'not-ready' | 'failing' | 'unknown'

/** What a finding of a report breaks, among the connections that were tried on the model. */
export interface BlastRadius {
  readonly connections: number
  /** At most three: `pod/shop/web-1 → svc/shop/api:8080`. */
  readonly examples: readonly string[]
}

export interface ReportFinding extends Finding {
  readonly breaks?: BlastRadius
}

/** What `doctor` prints. */
export interface Report {
  readonly verdicts: {
    readonly hostNetwork: NetworkState
    readonly containerNetwork: NetworkState
    /** step1, step2-ok, case-a, case-b, other or unknown. */
    readonly setupState: string
  }
  /** Why the verdicts are what they are, a sentence each. */
  readonly because: { readonly hostNetwork: string; readonly containerNetwork: string; readonly setupState: string }
  /** Connections tried on the model. `undecided`: the evidence was not enough. */
  readonly tried: { readonly connections: number; readonly delivered: number; readonly undecided: number }
  /** Most harmful first. */
  readonly findings: readonly ReportFinding[]
  readonly missing: readonly Missing[]
}
