/** The form in which policies of every dialect are evaluated: stages in order, each with its policies. docs/design/policy.md. */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Evidence, Issue } from '../../model/evidence.ts'
import type { Direction, PolicyPeer, PolicyPort, Selector } from './policy.ts'

export type Action = 'allow' | 'deny' | 'pass'

/** Who a policy is about. Host-network pods are never subjects. */
export interface Subject {
  /** Null: the policy's own namespace. */
  readonly namespaces: Selector | null
  readonly pods: Selector
  /** A part that is not understood or not in the evidence: the policy may or may not be about a pod the selectors find. */
  readonly opaque?: string
}

export interface StageRule {
  readonly action: Action
  /** As the policy names or numbers it: `ingress[2]`, `ingress "allow-dns"`. */
  readonly name: string
  /** Null: every peer. A dialect's other peers (nodes, networks, entities…) are kinds of PolicyPeer. */
  readonly peers: readonly PolicyPeer[] | null
  /** Null: every protocol and port. */
  readonly ports: readonly PolicyPort[] | null
  /** The rule holds only under a condition nobody can judge from objects (L7, FQDN…): where the rest matches, it is unknown. */
  readonly condition?: string
}

export interface StagePolicy {
  /** `NetworkPolicy`, `AdminNetworkPolicy`, … */
  readonly kind: string
  /** Empty for cluster-scoped policies. */
  readonly namespace: string
  readonly name: string
  readonly subject: Subject
  /** The rules of each direction the policy speaks of; absent: it says nothing there. */
  readonly rules: Readonly<Partial<Record<Direction, readonly StageRule[]>>>
  /** Additive stages: false when the policy adds rules without isolating its subjects (Cilium enableDefaultDeny: false). */
  readonly isolates?: Readonly<Partial<Record<Direction, boolean>>>
  /** First-match stages: lower first. Equal ones are in no defined order unless the dialect defines one. */
  readonly priority?: number
  readonly evidence: Evidence
}

export interface Stage {
  readonly name: string
  /** `first-match`: the first matching rule, by priority and place. `additive`: deny if any deny matches, else allow if any allow does. */
  readonly mode: 'first-match' | 'additive'
  /** In order of evaluation; for additive stages the order means nothing. */
  readonly policies: readonly StagePolicy[]
  /** What becomes of a pod that a policy of this stage selects (and isolates), and that no rule matches. */
  readonly unmatched: 'continue' | 'deny'
  /** Equal priorities have no defined order: try each, and where they differ say unknown. No priority is equal to every one. */
  readonly tiesUndefined: boolean
  /** Upper case: of other protocols the dialect does not say what becomes of them where nothing matches. Absent: it says so of all. */
  readonly protocols?: readonly string[]
  /** Directions in which the stage never stands between a pod and the node it runs on. */
  readonly sparesOwnNode?: readonly Direction[]
}

/** The three stages of Kubernetes' own kinds; a stage may be without policies. */
export interface KubernetesStages {
  readonly admin: Stage
  readonly networkPolicies: Stage
  readonly baseline: Stage
}

export interface CompiledStages {
  /** In order of evaluation. */
  readonly stages: readonly Stage[]
  readonly issues: readonly Issue[]
}

/**
 * How a plugin with policy kinds of its own (Calico, Cilium) evaluates them together with Kubernetes' kinds: all stages, those
 * of `kubernetes` placed, merged or replaced. Asked only where `objects` has policies of these kinds.
 */
export type CompileDialect = (objects: KubeObjects, kubernetes: KubernetesStages) => CompiledStages
