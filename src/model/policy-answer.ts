/** What `netwhy policy check` answers. It may grow; docs/policy.md describes it. */

export type PolicyDecision = 'allow' | 'deny' | 'unknown'

export interface PolicyAnswer {
  readonly question: {
    readonly from: string
    readonly to: string
    readonly protocol: string
    /** As asked; null when none was given. */
    readonly port: number | string | null
  }
  readonly decision: PolicyDecision
  /** The connection that decides, as policies see it, after translation; null when the question stands for none. */
  readonly decides: Pick<PolicyConnection, 'from' | 'to' | 'port'> | null
  /** Of that connection: the first denied one, else the first unknown one, else the first. */
  readonly egress: PolicyDirection
  readonly ingress: PolicyDirection
  /** All there are when the question stands for several: endpoints of a Service, pods of a workload, ranges of addresses outside. */
  readonly connections?: readonly PolicyConnection[]
  /** Translation, and what else must be known to read the answer. */
  readonly notes: readonly string[]
}

export interface PolicyConnection {
  readonly from: string
  readonly to: string
  readonly port: number | null
  readonly decision: PolicyDecision
  /** How many connections this one stands for, because policies cannot tell them apart. */
  readonly alike: number
}

export interface PolicyDirection {
  readonly decision: PolicyDecision
  /** Some policy selects the pod for this direction. */
  readonly isolated: boolean
  /** Those that do, `NS/NAME` or `NAME`. */
  readonly policies: readonly string[]
  readonly reason: { readonly kind: string; readonly text: string }
  /** The rule that decided, when one did. */
  readonly rule?: PolicyPlace & { readonly policy: string; readonly kind: string; readonly rule: string }
  readonly considered: readonly PolicyJudged[]
  readonly dependsOnPlugin: readonly string[]
}

/** Of a policy the first line of its document, of a rule its own line. */
export interface PolicyPlace {
  readonly file?: string
  readonly line?: number
}

export interface PolicyJudged extends PolicyPlace {
  readonly kind: string
  readonly policy: string
  readonly stage: string
  readonly selects: 'yes' | 'unknown'
  readonly rules: readonly RuleJudged[]
}

export interface RuleJudged extends PolicyPlace {
  readonly rule: string
  readonly action: 'allow' | 'deny' | 'pass'
  readonly matches: 'yes' | 'no' | 'unknown'
  /** Why it does not match, or may not: a sentence for each peer and port. */
  readonly why: readonly string[]
  /** It misses one label or one port only: probably meant to match. */
  readonly near?: true
}
