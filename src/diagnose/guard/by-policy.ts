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
  const rowOf = (from: Party): Uint32Array | null => {
    const end = from.matrixEnd
    if (end === null) return null
    let row = rows.get(end.class)
    if (!row) {
      if (rows.size * matrix.ends.length > MOST_KEPT) rows.clear()
      row = matrix.row(end)
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
    if (
      row !== null &&
      to.matrixEnd !== null &&
      !(from.matrixEnd?.kind === 'outside' && to.matrixEnd.kind === 'outside')
    ) {
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

  return {
    judge(sources, targets, promised) {
      let connections = 0
      let broken = 0
      let unknown = 0
      const examples: { readonly broken: Contrary[]; readonly unknown: Contrary[] } = { broken: [], unknown: [] }
      const note = (list: Contrary[], from: Party, to: Party, want: WantedPort, set: PortSet, outcome: Outcome) => {
        if (list.length >= MOST_EXAMPLES) return
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
      for (const from of sources) {
        const row = rowOf(from)
        const own = from.pods.length === 0 ? null : new Set(from.pods)
        for (const to of targets) {
          const same = own === null ? 0 : overlap(own, to.pods)
          const count = sizeOf(from) * sizeOf(to) - same
          if (count === 0) continue
          connections += count
          let worst: 'fine' | 'unknown' | 'broken' = 'fine'
          for (const want of to.wanted) {
            const { reaches, open, blocked } = met(row, from, to, want)
            const against = promised ? blocked : reaches
            if (against !== sets.none) {
              worst = 'broken'
              note(examples.broken, from, to, want, against, promised ? 'blocked' : 'reaches')
              break
            }
            if (open === sets.none) continue
            if (worst === 'fine') note(examples.unknown, from, to, want, open, 'unknown')
            worst = 'unknown'
          }
          if (worst === 'broken') broken += count
          if (worst === 'unknown') unknown += count
        }
      }
      const outcomeOf = (from: Party, to: Party): Outcome => {
        const row = rowOf(from)
        let out: Outcome = promised ? 'reaches' : 'blocked'
        for (const want of to.wanted) {
          const { reaches, open, blocked } = met(row, from, to, want)
          if ((promised ? blocked : reaches) !== sets.none) return promised ? 'blocked' : 'reaches'
          if (open !== sets.none) out = 'unknown'
        }
        return out
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
function overlap(own: ReadonlySet<PodObject>, others: readonly PodObject[]): number {
  let n = 0
  for (const p of others) if (own.has(p)) n++
  return n
}
