import type { Ip } from '../base/ip.ts'
import type { Evidence } from './evidence.ts'

/** One direction of a conntrack entry. For ICMP `sport` and `dport` hold the echo identifier. */
export interface Tuple {
  readonly src: Ip
  readonly dst: Ip
  readonly protocol: number
  readonly sport: number
  readonly dport: number
}

/** What a packet is to its connection (`ip_conntrack_info`): `new` also covers a first packet that has no entry yet. */
export type CtState = 'new' | 'established' | 'related' | 'invalid' | 'untracked'

/** A connection as the conntrack table of one netns holds it. NAT shows as reply not being the mirror of original. */
export interface ConntrackEntry {
  readonly original: Tuple
  readonly reply: Tuple
  /** TCP state as conntrack prints it (SYN_SENT, ESTABLISHED…); absent for other protocols. */
  readonly tcpState?: string
  readonly seenReply: boolean
  readonly assured: boolean
  readonly mark: number
  readonly zone: number
  /** Seconds to live. */
  readonly timeout?: number
  readonly evidence?: Evidence
}
