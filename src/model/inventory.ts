/**
 * What a cluster's network is made of and who made it, without judgement: the answer to `netwhy inventory`. Every fact says
 * whether it is present, known to be absent, different between nodes, or unknown and why.
 */
import type { Evidence, Missing } from './evidence.ts'

export type FactState = 'present' | 'absent' | 'mixed' | 'unknown'

/** A design decision of the cluster, as read from its state. */
export interface Decision {
  /** Stable name: `overlay`, `proxy-mode`… */
  readonly id: string
  /** The decision in words, for people. */
  readonly title: string
  readonly state: FactState
  /** One line; null when unknown. */
  readonly value: string | null
  /** Software that made or keeps it; null when nobody or unknown. */
  readonly owner: string | null
  /** Why it is unknown, in whole or on the nodes that are not in `groups`. */
  readonly why?: string
  /** Nodes with equal values, largest group first. Empty for what is not a fact of nodes. */
  readonly groups: readonly NodeGroup[]
  readonly evidence: readonly Evidence[]
}

export interface NodeGroup {
  readonly value: string
  readonly owner: string | null
  readonly nodes: readonly string[]
}

/** One of the layers that work on packets at the same time. */
export interface Layer {
  readonly id: string
  readonly title: string
  readonly owner: string | null
  readonly state: FactState
  /** What it does here, in one line. */
  readonly text: string
  readonly evidence: readonly Evidence[]
}

export type PathPlace = 'process' | 'pod-hooks' | 'pod-link' | 'host-link' | 'host-hooks' | 'tunnel' | 'nic'

/** A place on the generic way of a packet out of a pod, and what may rewrite it there. */
export interface PathPoint {
  readonly place: PathPlace
  readonly title: string
  readonly text: string
  /** Null: not known, for the reason in `text`. */
  readonly rewrites: readonly Rewrite[] | null
}

export interface Rewrite {
  readonly kind: 'dnat' | 'snat' | 'redirect' | 'tproxy' | 'mss' | 'header' | 'encap' | 'ebpf' | 'ipvs'
  /** What becomes of the packet, in words. */
  readonly text: string
  readonly owner: string
  /** Hooks where it happens, in the order packets meet them. */
  readonly hooks: readonly string[]
  /** Nodes (or nodes of the pods) where it was seen. */
  readonly nodes: readonly string[]
  /** Pods whose own netns does it. */
  readonly pods: readonly string[]
  readonly evidence: readonly Evidence[]
}

/** An interface of a netns. */
export interface InterfaceFact {
  readonly node: string
  /** `host`, `pod/shop/web-1`, `netns/NAME`. */
  readonly netns: string
  readonly name: string
  readonly ifindex: number
  readonly type: string
  readonly up: boolean
  /** Bytes. */
  readonly mtu: number
  readonly addresses: readonly string[]
  /** Bridge, bond or VRF above. */
  readonly master?: string
  readonly peer?: { readonly netns: string; readonly link: string }
  readonly hairpin?: boolean
  /** What is particular to the type: `vni 1 port 8472`. */
  readonly detail?: string
  readonly evidence: Evidence
}

/** How a pod hangs on its node. */
export interface PodAttachment {
  readonly pod: string
  readonly node: string
  readonly netns: string | null
  readonly link?: string
  readonly hostLink?: string
  /** Bridge the host end is a port of; absent: the host routes to it. */
  readonly bridge?: string
  readonly hairpin?: boolean
  /** Bytes. */
  readonly mtu?: number
  readonly addresses: readonly string[]
  readonly containerIds: readonly string[]
  /** Why the map has a hole. */
  readonly why?: string
}

/** Chains and rules of one owner in one netns. */
export interface OwnerCount {
  readonly node: string
  readonly netns: string
  readonly owner: string
  readonly backends: readonly string[]
  readonly tables: readonly string[]
  readonly chains: number
  readonly rules: number
}

/** A chain nobody known to netwhy makes. */
export interface UnknownChain {
  readonly node: string
  readonly netns: string
  readonly backend: string
  readonly family: string
  readonly table: string
  readonly chain: string
  readonly rules: number
  readonly evidence: Evidence
}

export interface Inventory {
  readonly nodes: readonly { readonly name: string; readonly collected: boolean; readonly versions: string }[]
  readonly counts: { readonly pods: number | null; readonly services: number | null; readonly policies: number | null }
  readonly decisions: readonly Decision[]
  readonly layers: readonly Layer[]
  readonly path: readonly PathPoint[]
  readonly interfaces: readonly InterfaceFact[]
  readonly attachments: readonly PodAttachment[]
  readonly owners: readonly OwnerCount[]
  readonly unknownChains: readonly UnknownChain[]
  readonly missing: readonly Missing[]
}
