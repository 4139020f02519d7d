/** What one lab server listens on. Written by the lab as JSON, read by the server process. */
export interface Listen {
  /** `::` listens in both families. */
  readonly host: string
  readonly port: number
}

export interface ServerSpec {
  /** How the server names itself in its answers: `shop/web-1`. */
  readonly name: string
  /** HTTP; any other first bytes are echoed line by line. */
  readonly tcp: readonly Listen[]
  /** Echoes datagrams with the server's name in front. */
  readonly udp: readonly Listen[]
  /** DNS over UDP and TCP. */
  readonly dns: readonly Listen[]
  /** File of Kubernetes objects whose names the DNS server answers (read again when it changes); absent for an upstream server. */
  readonly objects?: string
  /** Where names outside the cluster are asked; absent: `names` is all there is. */
  readonly forward?: string
  /** Names an upstream server knows, with their addresses. */
  readonly names?: Readonly<Record<string, readonly string[]>>
}
