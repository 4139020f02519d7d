/** An expectation judged by what the policies say, for all of its connections at once. */
import type { Evaluator } from '../../intent/policy/evaluate.ts'
import type { PolicyMatrix } from '../../intent/policy/matrix/index.ts'
import type { PortSet } from '../../intent/policy/matrix/port-sets.ts'
import type { PolicyEnd } from '../../intent/policy/result.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import { type Party, sizeOf } from './parties.ts'
import type { WantedPort } from './wanted.ts'

export type Outcome = 'reaches' | 'blocked' | 'unknown'

/** Two parties and a port of theirs that speaks against the expectation. */
export interface Contrary {
  readonly from: Party
  readonly to: Party
  /** The end of each that is named. */
  readonly fromEnd: PolicyEnd
  readonly toEnd: PolicyEnd
  readonly fromPod: PodObject | null
  readonly toPod: PodObject | null
  readonly protocol: string
  readonly port: number
  readonly outcome: Outcome
}

export interface PolicyJudgement {
  readonly connections: number
  readonly broken: number
  readonly unknown: number
  /** The first of them, one for each two parties. */
  readonly examples: { readonly broken: readonly Contrary[]; readonly unknown: readonly Contrary[] }
  readonly outcomeOf: (from: Party, to: Party) => Outcome
}

type Worst = 0 | 1 | 2
const FINE = 0
const UNKNOWN = 1
const BROKEN = 2

/** The matrix does not say what strangers do to each other. */
const bothOutside = (from: Party, to: Party) => from.matrixEnd?.kind === 'outside' && to.matrixEnd?.kind === 'outside'

/** Most examples kept of each kind. */
const MOST_EXAMPLES = 5
/** Numbers of matrix rows kept: 64 MB. */
const MOST_KEPT = 2 ** 24

export interface PolicyJudge {
  readonly judge: (from: readonly Party[], to: readonly Party[], reaches: boolean) => PolicyJudgement
}

/** Rows of the matrix are computed when asked for and kept. */
export function policyJudge(matrix: PolicyMatrix, evaluator: Evaluator): PolicyJudge {
  const { sets } = matrix
  const rows = new Map<number, Uint32Array>()
  const byContent = new Map<number, Uint32Array[]>()
  /** The first row that is equal. Hosts' columns are never read here. */
  const interned = (row: Uint32Array): Uint32Array => {
    let hash = 0
    for (let i = 0; i < row.length; i++) hash = (Math.imul(hash, 31) + row[i]!) | 0
    const like = byContent.get(hash) ?? []
    byContent.set(hash, like)
    const known = like.find((r) => r.every((v, i) => v === row[i]))
    if (known) return known
    like.push(row)
    return row
  }
  const rowOf = (from: Party): Uint32Array | null => {
    const end = from.matrixEnd
    if (end === null) return null
    let row = rows.get(end.class)
    if (!row) {
      if (byContent.size * matrix.ends.length > MOST_KEPT) {
        rows.clear()
        byContent.clear()
      }
      row = interned(matrix.row(end))
      rows.set(end.class, row)
    }
    return row
  }
  const everyPort = ['TCP', 'UDP', 'SCTP'].reduce((set, p) => sets.union(set, sets.ofRange(p, 1, 65_535)), sets.none)
  const wantedSets = new Map<string, PortSet>()
  const setOf = ({ protocol, port }: WantedPort): PortSet => {
    const key = `${protocol} ${port}`
    let set = wantedSets.get(key)
    if (set === undefined) {
      set =
        port !== null
          ? sets.ofRange(protocol ?? 'TCP', port, port)
          : protocol === null
            ? everyPort
            : sets.ofRange(protocol, 1, 65_535)
      wantedSets.set(key, set)
    }
    return set
  }

  /** What becomes of the wanted ports: sets that reach, are blocked, and are not known. */
  const met = (row: Uint32Array | null, from: Party, to: Party, want: WantedPort) => {
    const set = setOf(want)
    if (row !== null && to.matrixEnd !== null && !bothOutside(from, to)) {
      const { allowed, unknown } = matrix.pair(row[to.matrixEnd.id]!)
      const reaches = sets.intersect(set, allowed)
      const open = sets.intersect(set, unknown)
      return { reaches, open, blocked: sets.subtract(sets.subtract(set, reaches), open) }
    }
    const decision = evaluator.decide({
      from: from.sample,
      to: to.sample,
      protocol: want.protocol ?? 'TCP',
      port: want.port,
    })
    const none = sets.none
    return {
      reaches: decision === 'allow' ? set : none,
      open: decision === 'unknown' ? set : none,
      blocked: decision === 'deny' ? set : none,
    }
  }

  /** What a pair of the matrix makes of wanted ports: few pairs and few lists of ports, asked again and again. */
  const codes = new Map<string, (Worst | undefined)[]>()
  const codesOf = (wanted: readonly WantedPort[], promised: boolean): (Worst | undefined)[] => {
    const key = `${promised} ${wanted.map((w) => `${w.protocol} ${w.port}`).join()}`
    const known = codes.get(key) ?? []
    codes.set(key, known)
    return known
  }
  const worstOf = (row: Uint32Array | null, from: Party, to: Party, promised: boolean): Worst => {
    let worst: Worst = FINE
    for (const want of to.wanted) {
      const { reaches, open, blocked } = met(row, from, to, want)
      if ((promised ? blocked : reaches) !== sets.none) return BROKEN
      if (open !== sets.none) worst = UNKNOWN
    }
    return worst
  }
  /** As `worstOf`; `known` are the codes of the wanted ports. */
  const coded = (
    row: Uint32Array | null,
    from: Party,
    to: Party,
    promised: boolean,
    known: (Worst | undefined)[],
  ): Worst => {
    if (row === null || to.matrixEnd === null || bothOutside(from, to)) return worstOf(row, from, to, promised)
    const pair = row[to.matrixEnd.id]!
    known[pair] ??= worstOf(row, from, to, promised)
    return known[pair]
  }

  return {
    judge(sources, targets, promised) {
      const lists = new Map<readonly WantedPort[], (Worst | undefined)[]>()
      const known = targets.map(({ wanted }) => {
        const list = lists.get(wanted) ?? codesOf(wanted, promised)
        lists.set(wanted, list)
        return list
      })
      const sizes = Int32Array.from(targets, sizeOf)
      const ids = Int32Array.from(targets, (t) => t.matrixEnd?.id ?? -1)
      const classes = Int32Array.from(targets, (t) => t.matrixEnd?.class ?? -1)
      let connections = 0
      let broken = 0
      let unknown = 0
      const examples: { readonly broken: Contrary[]; readonly unknown: Contrary[] } = { broken: [], unknown: [] }
      const note = (list: Contrary[], from: Party, to: Party, want: WantedPort, set: PortSet, outcome: Outcome) => {
        const range = sets.ranges(set)[0]
        const fromPod = from.pods.find((p) => to.pods.length !== 1 || p !== to.pods[0]) ?? null
        const toPod = to.pods.find((p) => p !== fromPod) ?? null
        list.push({
          ...{ from, to, outcome, fromPod, toPod },
          fromEnd: fromPod ? podEnd(fromPod) : from.sample,
          toEnd: toPod ? podEnd(toPod) : to.sample,
          protocol: range?.protocol ?? want.protocol ?? 'TCP',
          port: want.port ?? range?.from ?? 1,
        })
      }
      const tally = (from: Party, i: number, count: number, worst: Worst) => {
        if (count === 0) return
        connections += count
        if (worst === FINE) return
        if (worst === BROKEN) broken += count
        else unknown += count
        const list = worst === BROKEN ? examples.broken : examples.unknown
        if (list.length < MOST_EXAMPLES) show(list, from, targets[i]!, worst)
      }
      const show = (list: Contrary[], from: Party, to: Party, worst: Worst) => {
        for (const want of to.wanted) {
          const { reaches, open, blocked } = met(rowOf(from), from, to, want)
          const set = worst === UNKNOWN ? open : promised ? blocked : reaches
          if (set === sets.none) continue
          note(list, from, to, want, set, worst === UNKNOWN ? 'unknown' : promised ? 'blocked' : 'reaches')
          return
        }
      }
      const one = (from: Party, i: number) => {
        const to = targets[i]!
        tally(from, i, sizeOf(from) * sizeOf(to) - overlap(from, to), coded(rowOf(from), from, to, promised, known[i]!))
      }
      // Sources with the same row meet the same: they are counted together, and each one's meeting with itself taken off.
      const alike = new Map<Uint32Array, Party[]>()
      for (const from of sources) {
        const row = from.pods.length > 0 ? rowOf(from) : null
        if (row === null) for (let i = 0; i < targets.length; i++) one(from, i)
        else {
          const group = alike.get(row)
          if (group) group.push(from)
          else alike.set(row, [from])
        }
      }
      for (const [row, group] of alike) {
        const size = group.reduce((n, p) => n + p.pods.length, 0)
        const first = group[0]!
        // By class: the source that meets itself there.
        const ofClass: (Party | undefined)[] = []
        for (const p of group) if (p.matrixEnd) ofClass[p.matrixEnd.class] = p
        for (let i = 0; i < targets.length; i++) {
          const own = classes[i]! >= 0 ? ofClass[classes[i]!] : undefined
          const quick = ids[i]! >= 0 ? known[i]![row[ids[i]!]!] : undefined
          if (quick === FINE && own === undefined) {
            connections += size * sizes[i]!
            continue
          }
          const to = targets[i]!
          if (to.matrixEnd === null) {
            for (const from of group) one(from, i)
            continue
          }
          const same = own ? overlap(own, to) : 0
          const meets = own && sizeOf(own) * sizes[i]! === same ? (group.find((p) => p !== own) ?? own) : (own ?? first)
          tally(meets, i, size * sizes[i]! - same, quick ?? coded(row, first, to, promised, known[i]!))
        }
      }
      const outcomeOf = (from: Party, to: Party): Outcome => {
        const worst = worstOf(rowOf(from), from, to, promised)
        if (worst === UNKNOWN) return 'unknown'
        return (worst === FINE) === promised ? 'reaches' : 'blocked'
      }
      return { connections, broken, unknown, examples, outcomeOf }
    },
  }
}

const podEnd = (p: PodObject): PolicyEnd => ({
  kind: 'pod',
  namespace: p.meta.namespace || 'default',
  name: p.meta.name,
})

/** Pods in both: a pod always reaches itself. */
function overlap(from: Party, to: Party): number {
  if (from.pods === to.pods) return from.pods.length
  const own = new Set(from.pods)
  return to.pods.reduce((n, p) => n + Number(own.has(p)), 0)
}
