/** What became of one packet, and of the connection it opens: the datapath's answer. Shapes follow CONTRACT `why`. */
import type { ConntrackEntry } from './conntrack.ts'
import type { Evidence } from './evidence.ts'
import type { NetnsId } from './network.ts'
import type { Encap, Packet } from './packet.ts'
import type { Hook } from './ruleset.ts'

export type Disposition =
  | 'delivered'
  | 'denied'
  | 'rejected'
  | 'no-route'
  | 'neighbour-unreachable'
  | 'loop'
  | 'ttl-exceeded'
  | 'mtu-exceeded'
  | 'no-listener'
  | 'exits-network'
  | 'insufficient-info'

export type StepKind =
  | 'send'
  | 'receive'
  | 'bridge'
  | 'route'
  | 'netfilter'
  | 'conntrack'
  | 'ipvs'
  | 'neighbour'
  | 'encap'
  | 'decap'
  | 'wire'
  | 'filter'
  | 'tc'
  | 'socket'
  | 'deliver'
  | 'policy'

export interface Step {
  readonly kind: StepKind
  /** One line in the field's words, no trailing full stop. */
  readonly text: string
  readonly link?: string
  readonly hook?: Hook
  /** Table and chain of `rule`. */
  readonly table?: string
  readonly chain?: string
  /** Raw text of the rule, route, neighbour… that decided. */
  readonly rule?: string
  readonly object?: string
  /** After the step. */
  readonly packet: Packet
  readonly encap?: readonly Encap[]
  readonly verdict: 'accept' | 'drop' | 'reject' | 'continue' | 'unknown'
  readonly evidence: readonly Evidence[]
  /** Machine-readable reason of a drop, reject or unknown; see DropCause. */
  readonly cause?: DropCause
}

/**
 * Why a step ended the packet's way, as the datapath sees it. Diagnosis turns it into a finding code; the datapath itself
 * knows nothing of Kubernetes.
 */
export type DropCause =
  | 'rule-drop'
  | 'rule-reject'
  | 'chain-policy-drop'
  | 'no-route'
  | 'route-blackhole'
  | 'route-unreachable'
  | 'route-prohibit'
  | 'forwarding-off'
  | 'rp-filter'
  | 'martian-source'
  | 'martian-destination'
  | 'not-for-us'
  | 'link-down'
  | 'link-missing'
  | 'no-carrier'
  | 'peer-missing'
  | 'neighbour-failed'
  | 'neighbour-no-answer'
  | 'neighbour-wrong-mac'
  | 'proxy-arp-off'
  | 'wrong-destination-mac'
  | 'duplicate-address'
  | 'bridge-port-blocked'
  | 'hairpin-off'
  | 'bridge-isolated'
  | 'bridge-no-port'
  | 'macvlan-isolation'
  | 'fdb-missing'
  | 'tunnel-down'
  | 'vtep-unreachable'
  | 'tunnel-port-mismatch'
  | 'tunnel-vni-mismatch'
  | 'tunnel-source-wrong'
  | 'mtu-exceeded'
  | 'ttl-exceeded'
  | 'loop'
  | 'tcp-reset-no-listener'
  | 'udp-no-listener'
  | 'listens-other-address'
  | 'accept-queue-full'
  | 'not-translated-back'
  | 'conntrack-invalid'
  | 'address-dadfailed'
  | 'ipv6-disabled'
  | 'ipvs-no-destination'
  | 'ipvs-no-service'
  | 'tc-drop'
  | 'opaque-rule'
  | 'not-collected'
  | 'unsupported'

/** A stay in one netns. */
export interface Hop {
  readonly netns: NetnsId
  readonly node: string
  readonly steps: readonly Step[]
}

/** One possible outcome of one packet. Probabilities of all outcomes of a packet add up to 1. */
export interface PacketTrace {
  readonly probability: number
  readonly disposition: Disposition
  readonly hops: readonly Hop[]
  /** The packet where it ended. */
  readonly packet: Packet
  /** Where it ended. */
  readonly netns: NetnsId
  /** Conntrack entries this packet made or used, by netns. The reply is traced against them. */
  readonly connections: ReadonlyMap<NetnsId, readonly ConntrackEntry[]>
  /** For insufficient-info: what is missing or not understood. */
  readonly unknowns: readonly string[]
}

/** One load-balancing or ECMP choice: the request, and the reply it would get. */
export interface ConnectionTrace {
  readonly probability: number
  /** The forward disposition unless that is delivered and the reply fails. */
  readonly disposition: Disposition
  readonly forward: PacketTrace
  readonly reply: PacketTrace | null
}
