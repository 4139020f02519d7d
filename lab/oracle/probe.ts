/** What the oracle sends and what it sees. */

export interface Probe {
  /** c: forwarded or input from the client side; s: from the server side; r: locally generated on the router. */
  readonly from: 'c' | 's' | 'r'
  readonly src: string
  readonly dst: string
  readonly protocol: number
  readonly sport: number
  readonly dport: number
  /** TCP flag bits. */
  readonly flags: number
  readonly icmpType: number
  readonly icmpCode: number
  /** ICMP echo identifier. */
  readonly id: number
  readonly ttl: number
  readonly dscp: number
  /** Bytes after the transport header. */
  readonly payload: number
  /** SO_MARK of a locally generated packet. */
  readonly mark: number
}

export interface Seen {
  readonly src: string
  readonly dst: string
  readonly protocol: number
  readonly sport: number
  readonly dport: number
  readonly ttl: number
  readonly dscp: number
  readonly flags?: number
  readonly icmpType?: number
  readonly icmpCode?: number
  readonly id?: number
  readonly aboutPort?: number
}

/** Every copy that came out: towards the client, towards the server, delivered to the router itself. */
export interface Observation {
  readonly c: readonly Seen[]
  readonly s: readonly Seen[]
  readonly local: readonly Seen[]
  /** errno of a local send: EPERM when output dropped it. */
  readonly errno: number | null
}
