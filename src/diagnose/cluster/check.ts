/** A check of the whole cluster's state, without a question: what `doctor` runs, and `why` where its findings touch the path. */
import type { Ip } from '../../base/ip.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Netns, NetnsId, Network } from '../../model/network.ts'
import type { StateFinding } from '../inquiry.ts'

/** Everything that was collected. Any of it may be empty: `objects.known` and `Netns.known` say what was asked for at all. */
export interface ClusterState {
  readonly network: Network
  readonly objects: KubeObjects
  /** Names of the nodes asked about; absent: all. Others need no judgement, but may be looked at for comparison. */
  readonly focus?: ReadonlySet<string>
}

/** The netns to judge: of the nodes in focus. Reading one costs parsing its artefacts, so `why` does not judge them all. */
export function netnsInFocus({ network, focus }: ClusterState): Netns[] {
  return [...network.netns.values()].filter((n) => focus === undefined || focus.has(n.node))
}

/** The host netns to judge: of the nodes in focus that were collected. */
export function hostsInFocus(state: ClusterState): Netns[] {
  return netnsInFocus(state).filter((n) => n.kind === 'host')
}

/** What a finding is about: connections that touch it may suffer from it. */
export type Concern =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  /** Connections whose source `netns` translates to `source`, towards one destination, both as the answers see them. */
  | {
      readonly kind: 'translated'
      readonly netns: NetnsId
      /** IANA number. */
      readonly protocol: number
      readonly source: Ip
      readonly destination: Ip
      readonly port: number
    }
  /** Every lookup of a name by the pods of the cluster. */
  | { readonly kind: 'dns' }
  /** Nothing a packet between two ends touches: an Ingress, a webhook, a pending pod. `doctor` only. */
  | { readonly kind: 'object' }

export interface ClusterFinding extends StateFinding {
  readonly concerns: readonly Concern[]
}

export interface ClusterCheck {
  readonly name: string
  readonly find: (state: ClusterState) => readonly ClusterFinding[]
}
