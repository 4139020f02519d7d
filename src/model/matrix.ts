/** `netwhy matrix`: which kinds of traffic work, from real pods and nodes of the evidence. */
import type { ReportFinding } from './finding.ts'

export const TRAFFICS = [
  'container-container',
  'pod-pod-same-node',
  'pod-pod-other-node',
  'pod-service',
  'pod-internet',
] as const
export type MatrixTraffic = (typeof TRAFFICS)[number]

/** What is addressed. The direct one is localhost between containers and an outside address for the Internet. */
export const DIRECTIONS = ['pod-ip', 'cluster-ip', 'node-port', 'load-balancer', 'ingress-host'] as const
export type MatrixDirection = (typeof DIRECTIONS)[number]

/** Who sends: any pod of a namespace, a node itself, a pod, a container to its neighbours in the pod. */
export const LEVELS = ['namespace', 'node', 'pod', 'container'] as const
export type MatrixLevel = (typeof LEVELS)[number]

export type MatrixState =
  | 'works'
  | 'fails'
  | 'partial'
  /** A NetworkPolicy says no. */
  | 'denied'
  /** Leaves the cluster as it should; what the outside does is not in the evidence. */
  | 'leaves'
  | 'unknown'
  | 'not-applicable'

/** One connection that was tried, or (from and to null) a place of the matrix where there is none to try. */
export interface MatrixCell {
  readonly traffic: MatrixTraffic
  readonly direction: MatrixDirection
  readonly level: MatrixLevel
  readonly from: string | null
  readonly to: string | null
  readonly protocol: string | null
  readonly state: MatrixState
  /** Share of connections that succeed; null when unknown, and for what leaves the cluster. */
  readonly probability: number | null
  readonly code?: string
  readonly reason?: string
  /** True when real packets decided it. */
  readonly proven?: boolean
}

export type MatrixCounts = Readonly<Record<Exclude<MatrixState, 'not-applicable'>, number>>

/** The cells of one traffic, direction and level together. */
export interface MatrixPlace {
  readonly traffic: MatrixTraffic
  readonly direction: MatrixDirection
  readonly level: MatrixLevel
  /** The worst that must not be so; `denied` and `leaves` only where all are. */
  readonly state: MatrixState
  readonly tried: number
  readonly counts: MatrixCounts
  /** The cell that shows the state best. */
  readonly example?: MatrixCell
  readonly code?: string
  readonly reason?: string
}

/** Pods of one node to pods of another (or the same). */
export interface NodePair {
  readonly from: string
  readonly to: string
  readonly state: MatrixState
  readonly code?: string
}

export interface Matrix {
  readonly places: readonly MatrixPlace[]
  readonly nodePairs: readonly NodePair[]
  readonly cells: readonly MatrixCell[]
  /** What was left out of the sample, a sentence each. */
  readonly sampled: readonly string[]
  readonly findings: readonly ReportFinding[]
}
