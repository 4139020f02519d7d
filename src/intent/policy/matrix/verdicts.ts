/** What the policies of one subject and direction say of every face: subjects with the same policies share the answer. */
import type { PolicyCluster } from '../cluster.ts'
import type { End } from '../end.ts'
import { type Applied, planOf, planToOwnNode } from '../plan.ts'
import type { Direction } from '../policy.ts'
import type { StageRule } from '../stage.ts'
import { hasBit } from './bits.ts'
import type { FaceBook, Subject } from './faces.ts'
import type { Finder, Found, Nearness } from './found.ts'
import type { Mentions } from './mentions.ts'
import { type Outcome, outcomeWalk, type Peered } from './outcomes.ts'
import type { PortSets } from './port-sets.ts'

/** Outcomes, each kept once and named by a number. */
export interface OutcomeTable {
  readonly of: (outcome: Outcome) => number
  readonly get: (id: number) => Outcome
  readonly size: () => number
}

export function outcomeTable(): OutcomeTable {
  const list: Outcome[] = []
  const ids = new Map<number, number>()
  return {
    of({ allow, deny }) {
      const key = allow * 2 ** 26 + deny
      let id = ids.get(key)
      if (id === undefined) {
        id = list.push({ allow, deny }) - 1
        ids.set(key, id)
      }
      return id
    },
    get: (id) => list[id]!,
    size: () => list.length,
  }
}

/** By number of the face: the number of the outcome. Null: no policy is about the subject in this direction. */
export type VerdictRow = Uint16Array | Uint32Array | null

export interface Verdicts {
  /** `here`: of far ends that are the subject's own node, or share its network. */
  readonly row: (subject: number, direction: Direction, here: boolean) => VerdictRow
}

interface Deps {
  readonly cluster: PolicyCluster
  readonly book: FaceBook
  readonly mentions: Mentions
  readonly sets: PortSets
  readonly outcomes: OutcomeTable
  readonly find: Finder
}

/** Rows are computed when asked for and kept. */
export function verdictsOf({ cluster, book, mentions, sets, outcomes, find }: Deps): Verdicts {
  const portNames = new Map<End, string>()
  for (const f of book.faces) portNames.set(f.end, f.portNames)
  for (const s of book.subjects) portNames.set(s.end, s.portNames)
  const walker = outcomeWalk(sets, (end) => portNames.get(end) ?? '')
  const numbers = new Map<unknown, number>()
  const numberOf = (thing: unknown): number => {
    const known = numbers.get(thing)
    if (known !== undefined) return known
    numbers.set(thing, numbers.size)
    return numbers.size - 1
  }
  const founds: Readonly<Record<Nearness, Map<StageRule, Found>>> = {
    here: new Map(),
    elsewhere: new Map(),
    unknown: new Map(),
  }
  const foundBy = (a: Applied, rule: StageRule, near: Nearness): Found => {
    const known = founds[near].get(rule)
    if (known) return known
    const found = find.peers(rule.peers, a.policy.namespace, near)
    founds[near].set(rule, found)
    return found
  }

  type Plan = ReturnType<typeof planOf>
  const compute = (subject: Subject, direction: Direction, plan: Plan, near: Nearness): VerdictRow => {
    const peered: { readonly rule: StageRule; readonly found: Found }[] = []
    let names = false
    for (const { applied } of plan)
      for (const a of applied)
        for (const rule of a.rules) {
          names ||= rule.ports?.some((p) => p.kind === 'named' || p.kind === 'named-any') ?? false
          if (rule.peers !== null) peered.push({ rule, found: foundBy(a, rule, near) })
        }
    const size = book.faces.length
    // Faces that the same rules find, with the same names where it matters, have the same outcome: a path in a trie each.
    const trie = new Map<number, number>()
    let nodes = 1
    const step = (node: number, edge: number): number => {
      const key = node * 2 ** 22 + edge
      let next = trie.get(key)
      if (next === undefined) {
        next = nodes++
        trie.set(key, next)
      }
      return next
    }
    const path = new Int32Array(size)
    if (names && direction === 'egress')
      for (const f of book.faces) path[f.id] = step(0, numberOf(`${f.end.kind} ${f.portNames}`))
    for (const [k, { found }] of peered.entries()) {
      const { sure, maybe } = found
      for (let w = 0; w < maybe.length; w++) {
        let word = maybe[w]!
        while (word !== 0) {
          const bit = 31 - Math.clz32(word & -word)
          word &= word - 1
          const id = w * 32 + bit
          path[id] = step(path[id]!, 2 * k + ((sure[w]! >>> bit) & 1))
        }
      }
    }
    const ofPath = new Int32Array(nodes).fill(-1)
    const row = new Uint32Array(size)
    const place = new Map(peered.map(({ rule }, k) => [rule, k]))
    const state = new Uint8Array(peered.length)
    const peeredOf = (_: Applied, rule: StageRule): Peered =>
      rule.peers === null ? 2 : (state[place.get(rule)!]! as Peered)
    for (let id = 0; id < size; id++) {
      const p = path[id]!
      if (ofPath[p]! < 0) {
        for (const [k, { found }] of peered.entries())
          state[k] = hasBit(found.sure, id) ? 2 : hasBit(found.maybe, id) ? 1 : 0
        const destination = direction === 'egress' ? book.faces[id]!.end : subject.end
        ofPath[p] = outcomes.of(walker.walk(plan, destination, peeredOf))
      }
      row[id] = ofPath[p]!
    }
    return outcomes.size() < 65_536 ? Uint16Array.from(row) : row
  }

  const rows = new Map<string, VerdictRow>()
  return {
    row(id, direction, here) {
      const subject = book.subjects[id]!
      const whole = planOf(cluster, subject.end, direction)
      const plan = here ? planToOwnNode(whole, direction) : whole
      if (plan.length === 0) return null
      const near = !mentions.ownNode ? 'elsewhere' : here ? 'here' : subject.end.node === null ? 'unknown' : 'elsewhere'
      const parts: (string | number)[] = [direction, near]
      let names = false
      for (const { applied } of plan)
        for (const a of applied) {
          parts.push(numberOf(a.policy), a.selects)
          names ||= a.rules.some((r) => r.ports?.some((p) => p.kind === 'named' || p.kind === 'named-any') ?? false)
        }
      if (names && direction === 'ingress') parts.push(subject.portNames)
      const key = parts.join(' ')
      let row = rows.get(key)
      if (row === undefined) {
        row = compute(subject, direction, plan, near)
        rows.set(key, row)
      }
      return row
    },
  }
}
