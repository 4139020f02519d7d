/** Who may connect to whom by policy, as outputs see it: computed row by row, never kept whole. */

export interface PolicyMatrixEnd {
  /** `deploy/shop/web`, `pod/shop/x`, `ns/shop`, a CIDR or range, `external`. */
  readonly name: string
  readonly kind: 'pods' | 'outside'
  /** Empty for the outside. */
  readonly namespace: string
  /** Pods it stands for. */
  readonly size: number
}

export interface PolicyMatrixView {
  readonly ends: readonly PolicyMatrixEnd[]
  /** Numbers of the ends that are asked about as source, ascending; the outside comes last. */
  readonly sources: readonly number[]
  /** By number of the end: asked about as destination. */
  readonly isTarget: (end: number) => boolean
  /**
   * By number of the end: the number of what may connect to it. Its own place holds what two pods of it may; from outside to
   * outside nothing is meant.
   */
  readonly row: (source: number) => Uint32Array
  /** Sources with equal keys have equal rows. */
  readonly rowKey: (source: number) => string
  /** Ports that are allowed: `TCP 80`, `TCP 8000-8080`, `all`; none where nothing is. */
  readonly allowed: (id: number) => readonly string[]
  /** Ports of which it is not known. */
  readonly unknown: (id: number) => readonly string[]
  /** The fewest names for the addresses of several outside ends together. */
  readonly outsideNames: (ends: readonly number[]) => readonly string[]
  /** Whether what an end's own place holds is a connection like any other: a namespace to itself. */
  readonly selfCounts: boolean
  /** What the reader should know, a sentence each. */
  readonly notes: readonly string[]
}
