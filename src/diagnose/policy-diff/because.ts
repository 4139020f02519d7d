/** Which change makes a difference: each is made on its own to the earlier state, and the question asked again. */
import { policyCluster } from '../../intent/policy/cluster.ts'
import { type Evaluator, evaluator } from '../../intent/policy/evaluate.ts'
import type { Decision, PolicyEnd, PolicyQuestion } from '../../intent/policy/result.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { PolicyCause } from '../../model/policy-diff.ts'
import type { Change } from './changes.ts'

/** One connection that differs. */
export interface Difference {
  readonly from: EndInQuestion
  readonly to: EndInQuestion
  readonly protocol: string
  readonly port: number | null
  /** What the earlier state decides, and the later. */
  readonly was: Decision
  readonly is: Decision
}

export interface EndInQuestion {
  readonly name: string
  /** Empty for the outside. */
  readonly namespace: string
  readonly before: PolicyEnd
  readonly after: PolicyEnd
}

/** Most questions asked; what comes later has no causes. */
const MOST_QUESTIONS = 20_000
/** Causes listed of one difference. */
const MOST_CAUSES = 8

export interface Blame {
  /** Empty where no change is known that explains it, or too many were asked for. */
  readonly because: (d: Difference) => readonly PolicyCause[]
  /** Changes that may concern either end, in the order of `changes`. */
  readonly near: (d: Pick<Difference, 'from' | 'to'>) => readonly Change[]
  /** Some difference was not looked into for want of time. */
  readonly gaveUp: () => boolean
}

/** Evaluators of changed states are built when first needed. */
export function blame(before: KubeObjects, after: KubeObjects, changes: readonly Change[]): Blame {
  const made = new Map<Change, Evaluator>()
  const undone = new Map<Change, Evaluator>()
  const lazy = (known: Map<Change, Evaluator>, change: Change, of: () => KubeObjects): Evaluator => {
    let one = known.get(change)
    if (!one) {
      one = evaluator(policyCluster(of()))
      known.set(change, one)
    }
    return one
  }
  let asked = 0
  const near: Blame['near'] = ({ from, to }) =>
    changes.filter((c) => {
      if (c.workload !== null) return c.workload === from.name || c.workload === to.name
      return c.namespace === '' || c.namespace === from.namespace || c.namespace === to.namespace
    })
  return {
    near,
    gaveUp: () => asked > MOST_QUESTIONS,
    because(d) {
      const { was, is } = d
      const candidates = near(d)
      asked += candidates.length
      if (asked > MOST_QUESTIONS) return []
      const question = (side: 'before' | 'after'): PolicyQuestion => ({
        from: d.from[side],
        to: d.to[side],
        protocol: d.protocol,
        port: d.port,
      })
      const then = question('before')
      const causes: PolicyCause[] = []
      for (const c of candidates) {
        const swapped = lazy(made, c, () => c.forth(before))
        const asks = c.workload === null ? then : mixed(d, c.workload)
        const found = swapped.decide(asks)
        if (found !== is) continue
        const result = swapped.explain(asks)
        const direction = result.egress.decision === is ? 'egress' : 'ingress'
        causes.push(causeOf(c, true, is === 'deny' ? direction : undefined))
      }
      if (causes.length === 0) {
        asked += candidates.length
        // No change does it alone: those without which the later state would still decide as the earlier one.
        for (const c of candidates) {
          const asks = c.workload === null ? question('after') : mixed(d, c.workload, 'after')
          if (lazy(undone, c, () => c.back(after)).decide(asks) === was) causes.push(causeOf(c, false))
        }
      }
      return causes.slice(0, MOST_CAUSES)
    },
  }
}

/** The ends as they are called where one workload is that of the other state. */
function mixed(d: Difference, workload: string, side: 'before' | 'after' = 'before'): PolicyQuestion {
  const other = side === 'before' ? 'after' : 'before'
  const end = (e: EndInQuestion) => e[e.name === workload ? other : side]
  return { from: end(d.from), to: end(d.to), protocol: d.protocol, port: d.port }
}

function causeOf(c: Change, alone: boolean, direction?: 'egress' | 'ingress'): PolicyCause {
  const { change, object, place } = c
  return { change, object, ...(place === undefined ? {} : { place }), alone, ...(direction ? { direction } : {}) }
}
