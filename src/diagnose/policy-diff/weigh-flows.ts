/** How much of the observed traffic the second state would refuse. */

import { formatIp } from '../../base/ip.ts'
import { hasEnded } from '../../intent/policy/cluster.ts'
import type { PortSet } from '../../intent/policy/matrix/port-sets.ts'
import type { ObservedFlows } from '../../model/observed-flow.ts'
import type { CutFlow, PolicyDiff } from '../../model/policy-diff.ts'
import type { Comparison, JointEnd } from './compare.ts'
import type { RawDifference } from './diff.ts'
import { type FlowPlace, flowCount, placeFlows, placeName, type WorkloadFlow } from './flow-ends.ts'
import type { Side } from './side.ts'

export interface WeighedFlows {
  readonly told: NonNullable<PolicyDiff['flows']>
  /** Flows that differences of one group touch. */
  readonly of: (group: readonly RawDifference[]) => { readonly flows: number; readonly flowsPerMinute?: number }
}

/** Flows are placed among the workloads of the first state: there they were seen. */
export function weighFlows(
  observed: ObservedFlows,
  sides: { readonly before: Side; readonly after: Side },
  comparison: Comparison,
  namespace: string,
): WeighedFlows {
  const { before } = sides
  const placed = placeFlows(observed, before.objects, before.nameOf, namespace)
  const named = new Map(comparison.ends.flatMap((e) => (e.kind === 'pods' ? [[e.name, e] as const] : [])))
  const regions = new Map(comparison.ends.flatMap((e) => (e.kind === 'outside' ? [[e.region, e] as const] : [])))
  const endOf = (p: FlowPlace): JointEnd | undefined =>
    p.kind === 'pods' ? named.get(p.name) : regions.get(comparison.outside.regionOf(p.ip))
  const { sets } = comparison
  const has = (set: PortSet, f: WorkloadFlow) => f.port !== null && sets.has(set, f.protocol, f.port)
  const byPair = new Map<JointEnd, Map<JointEnd, WorkloadFlow[]>>()
  const cut: CutFlow[] = []
  let matched = 0
  let gone = 0
  let refused = 0
  let denied = 0
  for (const flow of [...placed.flows].sort((x, y) => (placeName(x.from) < placeName(y.from) ? -1 : 1))) {
    const from = endOf(flow.from)
    const to = endOf(flow.to)
    if (!from || !to) {
      gone += flow.count
      continue
    }
    if (flow.outcome === 'dropped') {
      refused += flow.count
      continue
    }
    if (from === to && flow.from.kind === 'pods' && alone(before, flow.from.name)) continue
    matched += flow.count
    const known = byPair.get(from) ?? new Map<JointEnd, WorkloadFlow[]>()
    byPair.set(from, known)
    known.set(to, [...(known.get(to) ?? []), flow])
    const states = comparison.allowed(from, to)
    if (!has(states.before.maybe, flow)) denied += flow.count
    else if (!has(states.after.sure, flow) && has(states.before.sure, flow))
      cut.push(cutFlow(flow, has(states.after.maybe, flow)))
  }
  const notes = [
    ...placed.notes,
    ...observed.leftOut.map((t) => `${t}: left out`),
    ...(gone > 0 ? [`${flowCount(gone)} of workloads that only one of the two states has`] : []),
    ...(refused > 0 ? [`${flowCount(refused)} refused when seen: nothing is left to cut`] : []),
    ...(denied > 0
      ? [`${flowCount(denied)} seen though the first state's policies refuse them: is it what was enforced then?`]
      : []),
  ]
  return {
    told: { cut: cut.sort(mostFirst), matched: Math.round(matched), minutes: observed.minutes, notes },
    of(group) {
      let flows = 0
      let rate: number | undefined
      for (const d of group)
        for (const f of byPair.get(d.from)?.get(d.to) ?? []) {
          if (!has(d.set, f)) continue
          flows += f.count
          if (f.perMinute !== undefined) rate = (rate ?? 0) + f.perMinute
        }
      return { flows: rounded(flows), ...(rate === undefined ? {} : { flowsPerMinute: rounded(rate) }) }
    },
  }
}

/** Flows of one pod to itself never leave it. */
function alone(side: Side, name: string): boolean {
  return (side.podsOf.get(name) ?? []).filter((p) => !hasEnded(p)).length === 1 && name.startsWith('pod/')
}

const rounded = (n: number) => (n >= 10 ? Math.round(n) : Math.round(n * 100) / 100)

function cutFlow(f: WorkloadFlow, unsure: boolean): CutFlow {
  const name = (p: FlowPlace) => (p.kind === 'pods' ? p.name : formatIp(p.ip))
  return {
    from: name(f.from),
    to: name(f.to),
    port: f.port === null ? f.protocol : `${f.protocol} ${f.port}`,
    flows: rounded(f.count),
    ...(f.perMinute === undefined ? {} : { flowsPerMinute: rounded(f.perMinute) }),
    unsure,
  }
}

function mostFirst(x: CutFlow, y: CutFlow): number {
  return (
    (y.flowsPerMinute ?? 0) - (x.flowsPerMinute ?? 0) || y.flows - x.flows || (x.from + x.to < y.from + y.to ? -1 : 1)
  )
}
