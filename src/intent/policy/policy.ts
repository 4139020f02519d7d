/** A NetworkPolicy (networking.k8s.io/v1) as it is evaluated: defaults filled in, selectors and blocks compiled. */
import type { Prefix } from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'

export type Direction = 'ingress' | 'egress'

export interface NetworkPolicy {
  readonly namespace: string
  readonly name: string
  readonly podSelector: Selector
  /** The rules of each direction the policy isolates; a direction that is not in its policyTypes is absent. */
  readonly ingress?: readonly PolicyRule[]
  readonly egress?: readonly PolicyRule[]
  readonly evidence: Evidence
}

export interface PolicyRule {
  /** Null: every peer (`from`/`to` left out or empty). */
  readonly peers: readonly PolicyPeer[] | null
  /** Null: every protocol and port. */
  readonly ports: readonly PolicyPort[] | null
}

export type PolicyPeer =
  /** `namespaces` null: the policy's own namespace. `pods` null: every pod there. */
  | { readonly kind: 'pods'; readonly namespaces: Selector | null; readonly pods: Selector | null }
  | { readonly kind: 'ipBlock'; readonly cidr: Prefix; readonly except: readonly Prefix[] }
  /** The API server would refuse it: what an enforcer would make of it is not known. */
  | { readonly kind: 'opaque'; readonly why: string }

export type PolicyPort =
  | { readonly kind: 'range'; readonly protocol: string; readonly from: number; readonly to: number }
  | { readonly kind: 'named'; readonly protocol: string; readonly name: string }
  | { readonly kind: 'opaque'; readonly why: string }

/** A label selector: all requirements must hold; none selects everything. */
export type Selector = readonly Requirement[]

export interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'opaque'
  /** Allowed (In) or forbidden (NotIn) values; for `opaque` the reason. */
  readonly values: readonly string[]
}
