/** What was seen on the wire, as far as questions about policies need it: who opened a connection to whom. */

export type FlowEnd =
  /** A pod by name; `workload` is the last owner the observer knew (`Deployment`, `web`), `ip` the address it had. */
  | {
      readonly kind: 'pod'
      readonly namespace: string
      readonly name: string
      readonly workload?: { readonly kind: string; readonly name: string }
      readonly ip?: string
    }
  /** An address nobody gave a pod's name. */
  | { readonly kind: 'ip'; readonly ip: string }
  /** Traffic of a node itself: its kubelet, its host-network pods. */
  | { readonly kind: 'host'; readonly name: string }
  /** As the user wrote it in a file: a reference. */
  | { readonly kind: 'reference'; readonly text: string }

/** Connections of one kind. `forwarded`: it worked. `dropped`: the network refused it. */
export interface ObservedFlow {
  readonly from: FlowEnd
  /** The end that listens, before or after translation of a Service's address. */
  readonly to: FlowEnd
  /** Upper case. */
  readonly protocol: string
  /** Destination port; null where the protocol has none. */
  readonly port: number | null
  readonly outcome: 'forwarded' | 'dropped'
  /** Connections (different source ports) that were seen. */
  readonly count: number
  /** Connections a minute; absent where the file does not say over what time it was collected. */
  readonly perMinute?: number
}

/** A file of flows, read. Flows stand in a stable order. */
export interface ObservedFlows {
  readonly flows: readonly ObservedFlow[]
  /** Minutes from the first to the last record; null: no times, or one moment only. */
  readonly minutes: number | null
  /** What was left out and why, a sentence each, with how often. */
  readonly leftOut: readonly string[]
}
