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
  readonly commands?: readonly string[]
  readonly manifest?: string
  /** True only after the remedy was applied to the model and the question asked again. */
  readonly verified: boolean
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
}

export interface AnswerProbe {
  readonly kind: string
  readonly target: string
  readonly sent: number
  readonly answered: number
  /** errno name of the last failure. */
  readonly error?: string
  /** Median time to an answer. */
  readonly milliseconds?: number
  /** Length of the IP packets, where it mattered. */
  readonly bytes?: number
  readonly command: string
}
