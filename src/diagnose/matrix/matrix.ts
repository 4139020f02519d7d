/** The matrix: tried connections put to their places, places without any given their reason, causes ranked. */
import type { ReportFinding } from '../../model/finding.ts'
import {
  DIRECTIONS,
  LEVELS,
  type Matrix,
  type MatrixCell,
  type MatrixCounts,
  type MatrixDirection,
  type MatrixLevel,
  type MatrixPlace,
  type MatrixState,
  type MatrixTraffic,
  type NodePair,
  TRAFFICS,
} from '../../model/matrix.ts'
import type { ClusterState } from '../cluster/check.ts'
import { mergeFindings } from '../doctor/merge.ts'
import type { Traffic } from '../doctor/sample.ts'
import type { Cause, Tried } from '../doctor/tried.ts'
import type { MatrixPlan } from './plan.ts'
import { isDenial, type MatrixTrial, type TriedCell } from './try.ts'

/** What a place of the matrix is when anything in it is so: the most alarming first. */
const WORST: readonly MatrixState[] = ['fails', 'partial', 'unknown', 'works', 'leaves', 'denied']

/** The whole report. */
export function matrixOf(state: ClusterState, plan: MatrixPlan, trial: MatrixTrial): Matrix {
  const places: MatrixPlace[] = []
  const nothing: MatrixCell[] = []
  for (const level of LEVELS)
    for (const traffic of TRAFFICS)
      for (const direction of DIRECTIONS) {
        const tried = trial.tried.filter(
          ({ cell: c }) => c.level === level && c.traffic === traffic && c.direction === direction,
        )
        const place =
          tried.length > 0 ? placeOf(traffic, direction, level, tried) : emptyPlace(state, traffic, direction, level)
        places.push(place)
        if (tried.length === 0)
          nothing.push({
            traffic,
            direction,
            level,
            from: null,
            to: null,
            protocol: null,
            state: place.state,
            probability: null,
            ...(place.reason === undefined ? {} : { reason: place.reason }),
          })
      }
  return {
    places,
    nodePairs: nodePairs(trial.tried),
    cells: [...trial.tried.map((t) => t.cell), ...nothing],
    sampled: plan.sampled,
    findings: findingsOf(trial),
  }
}

function worst(states: readonly MatrixState[]): MatrixState {
  return WORST.find((s) => states.includes(s)) ?? 'not-applicable'
}

function placeOf(
  traffic: MatrixTraffic,
  direction: MatrixDirection,
  level: MatrixLevel,
  tried: readonly TriedCell[],
): MatrixPlace {
  const of = (s: MatrixState) => tried.filter((t) => t.cell.state === s).length
  const counts: MatrixCounts = {
    works: of('works'),
    fails: of('fails'),
    partial: of('partial'),
    denied: of('denied'),
    leaves: of('leaves'),
    unknown: of('unknown'),
  }
  const state = worst(tried.map((t) => t.cell.state))
  const example = tried.find((t) => t.cell.state === state)?.cell
  return {
    traffic,
    direction,
    level,
    state,
    tried: tried.length,
    counts,
    ...(example ? { example } : {}),
    ...(example?.code === undefined ? {} : { code: example.code }),
    ...(example?.reason === undefined ? {} : { reason: example.reason }),
  }
}

function emptyPlace(
  state: ClusterState,
  traffic: MatrixTraffic,
  direction: MatrixDirection,
  level: MatrixLevel,
): MatrixPlace {
  const known = missingEvidence(state, traffic, direction)
  return {
    traffic,
    direction,
    level,
    state: known === null ? 'not-applicable' : 'unknown',
    tried: 0,
    counts: { works: 0, fails: 0, partial: 0, denied: 0, leaves: 0, unknown: 0 },
    reason: known ?? whyNone(traffic, direction, level),
  }
}

/** What would have to be collected before the place can be said to be empty. */
function missingEvidence({ objects }: ClusterState, traffic: MatrixTraffic, direction: MatrixDirection): string | null {
  if (traffic === 'pod-service') {
    if (direction === 'pod-ip') return null
    if (direction === 'ingress-host') return null
    return objects.known.has('Service') ? null : 'Services were not collected from the API'
  }
  return objects.known.has('Pod') ? null : 'pods were not collected from the API'
}

function whyNone(traffic: MatrixTraffic, direction: MatrixDirection, level: MatrixLevel): string {
  if (traffic === 'container-container') {
    if (direction !== 'pod-ip') return 'containers of a pod meet on localhost'
    return level === 'container' ? 'no pod listens on an address localhost reaches' : 'a matter of one pod'
  }
  if (level === 'container') return 'containers share the network of their pod: as at the pod level'
  if (traffic === 'pod-service')
    switch (direction) {
      case 'pod-ip':
        return 'a Service is asked by its own addresses'
      case 'cluster-ip':
        return 'no sender, or no Service with a ClusterIP'
      case 'node-port':
        return 'no sender, or no Service has a NodePort'
      case 'load-balancer':
        return 'no sender, or no Service has a load balancer address'
      case 'ingress-host':
        return 'no sender, or no Ingress has published an address'
    }
  if (direction !== 'pod-ip') return traffic === 'pod-internet' ? 'the Internet is outside' : 'asked under pod–Service'
  return traffic === 'pod-internet' ? 'no sender' : 'no two such pods'
}

/** Pods of a node to pods of each node, from the pod level. */
function nodePairs(tried: readonly TriedCell[]): NodePair[] {
  const out = new Map<string, TriedCell[]>()
  for (const t of tried) {
    const { level, traffic, direction, fromNode, toNode } = t.question
    if (level !== 'pod' || direction !== 'pod-ip' || toNode === undefined || !traffic.startsWith('pod-pod')) continue
    const key = `${fromNode}\0${toNode}`
    out.set(key, [...(out.get(key) ?? []), t])
  }
  return [...out.values()]
    .map((list): NodePair => {
      const state = worst(list.map((t) => t.cell.state))
      const first = list[0]!.question
      const code = list.find((t) => t.cell.state === state)?.cell.code
      return { from: first.fromNode, to: first.toNode ?? '', state, ...(code === undefined ? {} : { code }) }
    })
    .sort((x, y) => byName(x.from, y.from) || byName(x.to, y.to))
}

/** node2 before node10. */
function byName(x: string, y: string): number {
  return x.localeCompare(y, 'en', { numeric: true })
}

/** Causes ranked as `doctor` ranks them: severity, then how many of the tried connections each breaks. Denials are told, not alarmed about. */
function findingsOf(trial: MatrixTrial): ReportFinding[] {
  const asTried = new Map<string, Tried>()
  const tried = (t: TriedCell): Tried => {
    const { from, to, protocol, traffic, direction } = t.question
    const key = `${from} ${to} ${protocol}`
    const known = asTried.get(key) ?? {
      question: { traffic: KIND[direction === 'node-port' ? 'node-port' : traffic], from, to, protocol },
      fate: FATES[t.cell.state],
      branches: t.branches,
    }
    asTried.set(key, known)
    return known
  }
  const causes = [...trial.causes.values()].map(
    ({ finding, victims }): Cause => ({
      finding: isDenial(finding) ? { ...finding, severity: 'info' } : finding,
      edit: false,
      victims: [...new Set(victims.map(tried))],
    }),
  )
  return mergeFindings([], causes, trial.tried.map(tried))
}

const KIND: Readonly<Record<MatrixTraffic | 'node-port', Traffic>> = {
  'container-container': 'pod-pod',
  'pod-pod-same-node': 'pod-pod',
  'pod-pod-other-node': 'pod-pod',
  'pod-service': 'pod-service',
  'node-port': 'node-port',
  'pod-internet': 'outside',
}

const FATES: Readonly<Record<MatrixState, Tried['fate']>> = {
  works: 'delivered',
  fails: 'unreachable',
  denied: 'unreachable',
  partial: 'partial',
  leaves: 'outside',
  unknown: 'unknown',
  'not-applicable': 'unknown',
}
