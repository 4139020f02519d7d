/** What real packets showed (`--prove`): who answered, where packets were seen, which counters they moved. */
import type { Ip } from '../base/ip.ts'
import type { NetnsId } from './network.ts'

/** A refusal as it reached the one who asked: a TCP RST or an ICMP error. */
export interface AnswerSender {
  readonly kind: 'rst' | 'icmp'
  /** Source address of the refusal. A RST of a REJECT rule carries the destination's address, whoever sent it. */
  readonly from: Ip
  /** Time to live, or hop limit, on arrival. */
  readonly ttl: number
  /** Link-layer address of the last machine that sent it on; null where links have none. */
  readonly mac: string | null
  /** Link of the asking netns it arrived by; `lo` when its own kernel sent it. */
  readonly link: string
  /** ICMP type and code (RFC 792, RFC 4443). */
  readonly type?: number
  readonly code?: number
  /** Next-hop MTU of a "fragmentation needed" or "packet too big"; 0 when not told. */
  readonly mtu?: number
}

/** One packet of a probe seen at one link. */
export interface Sighting {
  readonly netns: NetnsId
  readonly link: string
  readonly way: 'in' | 'out'
  readonly direction: 'forward' | 'reply'
  /** Same for the same packet wherever it is seen, whatever was translated; and for the answer to it. */
  readonly id: string
}

/** What the watchers of the netns on the way saw. A netns in neither list was not watched. */
export interface Sightings {
  /** Watched from before the first packet to after the last, nothing missed. */
  readonly watched: readonly NetnsId[]
  readonly notWatched: readonly { readonly netns: NetnsId; readonly reason: string }[]
  readonly seen: readonly Sighting[]
}

/** A counter that stood higher after the probes than before. Others' packets move counters too. */
export interface CounterMove {
  readonly netns: NetnsId
  readonly kind: 'rule' | 'chain-policy' | 'link' | 'qdisc' | 'kernel'
  /** `filter`, for rules and chain policies. */
  readonly table?: string
  /** The rule as printed, without its counters; `eth0 tx dropped`; `TcpExtListenOverflows`. */
  readonly name: string
  readonly by: number
  readonly command: string
}

/** A neighbour that did not answer during the probes. */
export interface SilentNeighbour {
  readonly netns: NetnsId
  readonly ip: Ip
  readonly link: string
}
