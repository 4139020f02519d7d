/** A packet walking through the rules of one hook, and the run of all its alternatives. */
import type { ConntrackEntry } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'
import type { Chain, Hook, RejectWith, Rule, Ruleset, Table } from '../../model/ruleset.ts'
import type { Connection, LinkView, Memory, Surroundings } from './types.ts'

/** Where a rule stands. */
export interface Place {
  readonly ruleset: Ruleset
  readonly table: Table
  readonly chain: Chain
}

/** Rules that matched, newest first: alternatives share their common past. */
export interface HitNode {
  readonly place: Place
  readonly rule: Rule
  readonly effect: string
  readonly uncertain: boolean
  readonly before: HitNode | null
}

/**
 * One alternative. Its fields are replaced, never changed in place, and a fork copies the object, so alternatives cannot
 * disturb each other.
 */
export interface Walk {
  packet: Packet
  connection: Connection | null
  untracked: boolean
  /** Conntrack zone given by a template before conntrack (xt_CT, nft `ct zone set`). */
  zone: number
  /** A template of such a rule hangs on the packet until conntrack has looked: rules take it for a new connection. */
  template: boolean
  memory: Memory
  masqueraded: boolean
  hits: HitNode | null
  /** Product of the probabilities of the random choices on the way here. */
  weight: number
  /** Assumptions about undecidable rules: `fork * 2 + side`, ascending. Empty: this alternative is certain to exist. */
  worlds: readonly number[]
  /** Index of the next rule to visit in the chain being run. */
  next: number
}

export type EndVerdict = 'accept' | 'drop' | 'reject' | 'queue' | 'unknown'

/** A finished alternative. */
export interface End {
  readonly walk: Walk
  readonly verdict: EndVerdict
  readonly rejectWith?: RejectWith
  readonly decided?: HitNode
  /** The base chain whose policy dropped the packet. */
  readonly policyOf?: Place
  readonly why?: string
}

/** What stays the same for all alternatives of one hook, and what they add up to. */
export interface Run {
  readonly around: Surroundings
  readonly hook: Hook
  readonly layer: 'ip' | 'bridge'
  readonly family: 4 | 6
  readonly in: LinkView | null
  readonly out: LinkView | null
  readonly physIn: LinkView | null
  readonly physOut: LinkView | null
  readonly uid: number | null
  readonly conntrack: readonly ConntrackEntry[]
  readonly ends: End[]
  /** Why each undecidable rule could not be decided, by fork number. */
  readonly reasons: string[]
  /** Set by a fork, so that the chain knows that merging may pay. */
  forked: boolean
  /** Rule visits left before we give up: hostile rulesets can ask for exponentially many. */
  budget: number
  /** What the last undecidable part said. */
  why: string
}

export const NO_MEMORY: Memory = {
  recent: new Map(),
  touched: new Set(),
  ecn: 0,
  drawn: { sport: false, dport: false },
}

/** Alternatives of one hook beyond which the answer is unknown. */
export const MAX_BRANCHES = 4096
export const MAX_VISITS = 4_000_000

export function fork(walk: Walk): Walk {
  return { ...walk }
}

/** Splits the run's count of worlds: the same walk assuming that an undecidable part goes one way. */
export function assume(walk: Walk, forkNumber: number, side: 0 | 1): Walk {
  return { ...walk, worlds: [...walk.worlds, forkNumber * 2 + side] }
}

export function hit(walk: Walk, place: Place, rule: Rule, effect: string): void {
  walk.hits = { place, rule, effect, uncertain: false, before: walk.hits }
}

export function touch(walk: Walk, what: string): void {
  if (walk.memory.touched.has(what)) return
  walk.memory = { ...walk.memory, touched: new Set([...walk.memory.touched, what]) }
}

/** Source port as rules read it: below 0 when it was not told, or drawn by the kernel and so one of many. */
export const sportOf = (walk: Walk): number => (walk.memory.drawn.sport ? -1 : walk.packet.sport)
export const dportOf = (walk: Walk): number => (walk.memory.drawn.dport ? -1 : walk.packet.dport)
