/**
 * The parts policies are made of, defaults filled in, selectors and blocks compiled: NetworkPolicy (networking.k8s.io/v1) and
 * the peers and ports of the other dialects.
 */
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
  /** Any of the blocks. Finds pods by their address too, unless the dialect says that only what is outside the cluster counts. */
  | { readonly kind: 'networks'; readonly cidrs: readonly Prefix[]; readonly outsideOnly?: true }
  /** Nodes by the labels of the Node object, and with them their host-network pods. */
  | { readonly kind: 'nodes'; readonly nodes: Selector }
  /** Cilium's words for kinds of ends. `host` is the subject's own node. */
  | { readonly kind: 'entity'; readonly entity: Entity }
  /** Addresses behind names: which they are is not known from objects, so it may be any end. */
  | { readonly kind: 'domains'; readonly names: readonly string[] }
  /** Every one of the peers must match. */
  | { readonly kind: 'allOf'; readonly peers: readonly PolicyPeer[] }
  | { readonly kind: 'not'; readonly peer: PolicyPeer }
  /** The API server would refuse it: what an enforcer would make of it is not known. */
  | { readonly kind: 'opaque'; readonly why: string }

export type Entity = 'all' | 'world' | 'cluster' | 'host' | 'remote-node'

export type PolicyPort =
  /** 0–65535: every port, also of protocols that have none (ICMP). `protocol` in upper case. */
  | { readonly kind: 'range'; readonly protocol: string; readonly from: number; readonly to: number }
  | { readonly kind: 'named'; readonly protocol: string; readonly name: string }
  /** A name alone: the protocol is that of the container port. */
  | { readonly kind: 'named-any'; readonly name: string }
  | { readonly kind: 'opaque'; readonly why: string }

/** A label selector: all requirements must hold; none selects everything. */
export type Selector = readonly Requirement[]

export interface Requirement {
  readonly key: string
  /** Beyond the API's four those of Calico's expressions: parts of the value, and any or none of `alternatives` (no key). */
  readonly operator:
    | 'In'
    | 'NotIn'
    | 'Exists'
    | 'DoesNotExist'
    | 'Contains'
    | 'StartsWith'
    | 'EndsWith'
    | 'AnyOf'
    | 'NoneOf'
    | 'opaque'
  /** Allowed (In) or forbidden (NotIn) values, the part looked for; for `opaque` the reason. */
  readonly values: readonly string[]
  readonly alternatives?: readonly Selector[]
}
