/** The question `evaluatePolicy` answers and the reasoning it gives back, as data: nothing has to be parsed from text. */
import type { Ip } from '../../base/ip.ts'
import type { Evidence, Issue } from '../../model/evidence.ts'
import type { Direction, Entity, PolicyPeer, Requirement } from './policy.ts'
import type { Action } from './stage.ts'

/** One end of a connection. An address of a pod, a node or a Service is recognised as that. */
export type PolicyEnd =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  /** The host network of a node: its processes and its hostNetwork pods. */
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'ip'; readonly ip: Ip }

export interface PolicyQuestion {
  readonly from: PolicyEnd
  /** The real destination, after any Service translation. */
  readonly to: PolicyEnd
  /** Any case: tcp, udp, sctp; others are outside what NetworkPolicy defines. */
  readonly protocol: string
  /** Destination port after translation; null: not given. */
  readonly port: number | null
  /** Address family, where both ends have both; otherwise ipBlocks that tell the families apart are undecided. */
  readonly family?: 4 | 6
}

export type Decision = 'allow' | 'deny' | 'unknown'
/** Three-valued logic: `unknown` when evidence is missing or nonsense. */
export type Tri = 'yes' | 'no' | 'unknown'

export interface PolicyResult {
  /** deny when a direction denies, else unknown when one is unknown, else allow. */
  readonly decision: Decision
  readonly egress: DirectionResult
  readonly ingress: DirectionResult
  /** Nonsense met in the policies of this snapshot. */
  readonly issues: readonly Issue[]
}

export interface PolicyRef {
  /** `NetworkPolicy`, `AdminNetworkPolicy`, … */
  readonly kind: string
  /** Empty for cluster-scoped policies. */
  readonly namespace: string
  readonly name: string
  readonly evidence: Evidence
}

export interface DirectionResult {
  readonly direction: Direction
  readonly decision: Decision
  /** Some policy isolates the pod for this direction, so that only what rules admit is allowed. */
  readonly isolated: boolean
  /** The policies that isolate it, by stage, namespace and name. */
  readonly policies: readonly PolicyRef[]
  readonly reason: Reason
  /** The stage that ended the walk, and how; null when none did (nothing speaks against it) or when it is not known. */
  readonly decidedBy: DecidedBy | null
  /** Every rule of every selecting policy, with what it made of the connection: for a deny, why none admits it. */
  readonly considered: readonly PolicyConsidered[]
  /** Where CNI plugins are known to differ on this answer, in words. */
  readonly dependsOnPlugin: readonly string[]
}

export interface DecidedBy {
  /** `Admin tier`, `NetworkPolicy`, `Baseline tier`, or a dialect's own. */
  readonly stage: string
  /** `isolation`: no rule matched, and a pod that policies of this stage isolate gets no more than rules allow. */
  readonly action: Exclude<Action, 'pass'> | 'isolation'
  /** The rule that matched; null for isolation. `name` as the policy gives it, `ingress[2]` where it gives none. */
  readonly rule: { readonly policy: PolicyRef; readonly index: number; readonly name: string } | null
  /** Of the policy in its stage, where the stage has priorities. */
  readonly priority: number | null
}

export type Reason =
  /** The end this direction is about is no pod with a network of its own. */
  | { readonly kind: 'not-a-subject'; readonly what: 'node' | 'host-network-pod' | 'address' }
  | { readonly kind: 'not-isolated' }
  /** `rule` is the index in the policy's ingress or egress list. */
  | { readonly kind: 'admitted'; readonly policy: PolicyRef; readonly rule: number }
  | { readonly kind: 'denied-by-rule'; readonly policy: PolicyRef; readonly rule: number }
  /** A pod cannot cut itself off from itself. */
  | { readonly kind: 'same-pod' }
  /** Traffic between a pod and the node it runs on is always allowed. */
  | { readonly kind: 'own-node'; readonly node: string }
  | { readonly kind: 'no-rule-matches' }
  | { readonly kind: 'unknown'; readonly why: readonly string[] }

export interface PolicyConsidered {
  readonly policy: PolicyRef
  readonly stage: string
  /** `unknown`: its selector is nonsense or asks for what is not in the evidence, it may or may not select the pod. */
  readonly selects: 'yes' | 'unknown'
  /** Empty: the policy allows nothing in this direction. */
  readonly rules: readonly RuleConsidered[]
}

/** A rule matches when a peer and a port match. */
export interface RuleConsidered {
  readonly index: number
  readonly name: string
  readonly action: Action
  readonly matches: Tri
  readonly peer: Tri
  readonly port: Tri
  /** One per peer of the rule, in order; empty when the rule has none (every peer matches). */
  readonly peers: readonly PeerConsidered[]
  /** One per port of the rule, in order; empty when the rule has none (every port matches). */
  readonly ports: readonly PortConsidered[]
  /** Holds only under a condition that cannot be judged, so that it is unknown where the rest matches. */
  readonly condition?: string
}

export interface PeerConsidered {
  readonly index: number
  readonly kind: PolicyPeer['kind']
  readonly matches: Tri
  /** For `pods`: the two halves, which must both match. A peer with only one half has `yes` for a pod in the other. */
  readonly namespace?: Tri
  readonly pod?: Tri
  /** Why it does not match; empty when it does. */
  readonly misses: readonly PeerMiss[]
}

export type PeerMiss =
  /** `actual` null: the label is absent. */
  | { readonly kind: 'pod-label'; readonly requirement: Requirement; readonly actual: string | null }
  | {
      readonly kind: 'namespace-label'
      readonly namespace: string
      readonly requirement: Requirement
      readonly actual: string | null
    }
  /** A podSelector alone looks in the policy's own namespace only. */
  | { readonly kind: 'other-namespace'; readonly wanted: string; readonly actual: string }
  /** Selectors find pods with a network of their own, nothing else. */
  | { readonly kind: 'not-a-pod'; readonly what: 'node' | 'host-network-pod' | 'address' }
  /**
   * `service`: the block holds an address of a Service in front of this pod, but policies see the translated address.
   */
  | {
      readonly kind: 'outside-block'
      readonly cidr: string
      readonly addresses: readonly string[]
      readonly service?: ServiceHint
    }
  | {
      readonly kind: 'node-label'
      readonly node: string
      readonly requirement: Requirement
      readonly actual: string | null
    }
  | { readonly kind: 'not-a-node'; readonly what: 'pod' | 'address' }
  | { readonly kind: 'not-entity'; readonly entity: Entity }
  /** The dialect's address blocks mean only what is outside the cluster. */
  | { readonly kind: 'not-outside'; readonly what: 'pod' | 'node' }
  /** The rule names this peer as an exception. */
  | { readonly kind: 'shut-out'; readonly what: string }
  | { readonly kind: 'excepted'; readonly cidr: string; readonly except: string; readonly address: string }
  | { readonly kind: 'unknown'; readonly why: string }

export interface PortConsidered {
  readonly index: number
  readonly matches: Tri
  readonly misses: readonly PortMiss[]
}

export type PortMiss =
  | { readonly kind: 'protocol'; readonly wanted: string; readonly actual: string }
  /** `service`: the rule names the port of a Service, which it maps to the pod's port `actual`. */
  | {
      readonly kind: 'number'
      readonly from: number
      readonly to: number
      readonly actual: number
      readonly service?: ServiceHint
    }
  /** The pod has no port of this name and protocol. */
  | { readonly kind: 'name-absent'; readonly name: string; readonly protocol: string }
  | {
      readonly kind: 'name-other-number'
      readonly name: string
      readonly numbers: readonly number[]
      readonly actual: number
    }
  /** Only pods give names to ports. */
  | { readonly kind: 'name-without-pod'; readonly name: string }
  | { readonly kind: 'unknown'; readonly why: string }

export interface ServiceHint {
  readonly namespace: string
  readonly name: string
  readonly port: number
  readonly targetPort: number
}
