/** Two states of the policies compared: which connections the second allows that the first did not, and the other way round. */

/** One difference between the two states that may change who connects. */
export interface PolicyChange {
  readonly change: 'added' | 'removed' | 'changed'
  /** `NetworkPolicy shop/web`, `Namespace shop`, `deploy/shop/web`. */
  readonly object: string
  /** `file:line` in the state that has it; the newer one where both do. */
  readonly place?: string
}

/** A change that explains a difference. */
export interface PolicyCause extends PolicyChange {
  /** This change alone, made to the earlier state, makes the difference; otherwise only together with others. */
  readonly alone: boolean
  /** The direction that decides after the change: egress of the one end, ingress of the other. */
  readonly direction?: 'egress' | 'ingress'
}

export interface PolicyDifference {
  /** Workloads as references (`deploy/shop/web`), `pod/NS/NAME`, or a range of outside addresses. */
  readonly from: string
  readonly to: string
  /** `TCP 9090`, `UDP 1-52`, `all`. */
  readonly ports: readonly string[]
  /** Those of `ports` that somebody means to use: declared by the pods or targeted by a Service; empty for the outside. */
  readonly declared: readonly string[]
  /** `to` answers the cluster's DNS queries, and its DNS port is among `ports`. */
  readonly dns: boolean
  /** Of lost DNS: other ends that still answer `from`, so that only some queries are lost. */
  readonly dnsLeft?: readonly string[]
  readonly because: readonly PolicyCause[]
  /** Connections seen in the flows that this difference touches; absent without flows. */
  readonly flows?: number
  readonly flowsPerMinute?: number
}

/** An observed flow that the second state would refuse. */
export interface CutFlow {
  readonly from: string
  readonly to: string
  readonly port: string
  readonly flows: number
  readonly flowsPerMinute?: number
  /** It is not known whether it is cut. */
  readonly unsure: boolean
}

export interface PolicyDiff {
  /** What was compared, in words for the reader. */
  readonly before: string
  readonly after: string
  /** DNS first, then by observed flows, then by name. */
  readonly lost: readonly PolicyDifference[]
  readonly gained: readonly PolicyDifference[]
  /** Ports whose answer is not known in one of the states, and that may change. `why` in words, bounded. */
  readonly unknown: readonly (PolicyDifference & { readonly why: readonly string[] })[]
  /** How many there are of each, also those that are not listed. */
  readonly totals: { readonly lost: number; readonly gained: number; readonly unknown: number }
  /** Workloads that only one of the states has: no connection of theirs counts as lost or gained. */
  readonly appeared: readonly string[]
  readonly vanished: readonly string[]
  readonly changes: readonly PolicyChange[]
  /** Changed policies that are about no workload of either state: what they change elsewhere cannot be told. */
  readonly unjudged: readonly string[]
  /** Neither state has a workload to judge by. */
  readonly empty: boolean
  /** Null: no flows were given. */
  readonly flows: {
    readonly cut: readonly CutFlow[]
    /** Flow records that were matched to workloads of both states. */
    readonly matched: number
    readonly minutes: number | null
    /** What of the flows could not be used, and flows that the first state's policies already refuse. */
    readonly notes: readonly string[]
  } | null
  /** What limits the answer, a sentence each. */
  readonly notes: readonly string[]
}
