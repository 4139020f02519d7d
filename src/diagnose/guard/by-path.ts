/** Which connections of an expectation are followed through the state of the nodes, and what that says of it. */
import { formatIp } from '../../base/ip.ts'
import type { PolicyEnd } from '../../intent/policy/result.ts'
import type { PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { GuardConnection } from '../../model/guard.ts'
import type { ClusterState } from '../cluster/check.ts'
import type { MatrixQuestion } from '../matrix/plan.ts'
import { type MatrixTrial, type TriedCell, tryMatrix } from '../matrix/try.ts'
import type { PolicyJudgement } from './by-policy.ts'
import type { Expectation } from './expectation.ts'
import type { Party } from './parties.ts'
import { servicePorts } from './wanted.ts'

/** One end as `why` takes it. */
interface Stop {
  readonly ref: string
  readonly node: string
  readonly party: Party
  readonly pod: PodObject | null
}

export interface FollowPlan {
  readonly questions: readonly MatrixQuestion[]
  /** Connections there were to choose from, ports counted one by one. */
  readonly possible: number
}

/** Stops of one end that are combined; pairs of them are then chosen evenly. */
const MOST_STOPS = 300

/**
 * At most `most` questions: first those whose parties the policies put against the promise, then evenly over parties and nodes, the
 * same ones on every run. `service` is followed by its own address.
 */
export function planFollowing(
  e: Expectation,
  ends: { readonly from: readonly Party[]; readonly to: readonly Party[]; readonly service: ServiceObject | undefined },
  judgement: PolicyJudgement,
  most: number,
): FollowPlan {
  const sources = stopsOf(ends.from, 'from')
  const targets = stopsOf(ends.to, 'to')
  const agreed = e.reaches ? 'reaches' : 'blocked'
  const first: MatrixQuestion[] = []
  const rest: MatrixQuestion[] = []
  const { service } = ends
  const seen = new Set<string>()
  let possible = 0
  const add = (from: Stop, to: string, toNode: string, protocol: string, party: Party | null) => {
    const key = `${from.ref} ${to} ${protocol}`
    if (seen.has(key)) return
    seen.add(key)
    possible++
    const outcomes = (party ? [party] : ends.to).map((t) => judgement.outcomeOf(from.party, t))
    const list = outcomes.every((o) => o === agreed) ? rest : first
    list.push(question(from, to, toNode, protocol))
  }
  if (service && targets.every((t) => t.pod !== null)) {
    const ports = servicePorts(service, e)
    const chosen = typeof ports === 'string' ? [] : ports
    const ref = `svc/${service.meta.namespace}/${service.meta.name}`
    // A headless Service's pods may be asked on ports it does not know.
    if (chosen.length > 0) {
      for (const s of sources) for (const p of chosen) add(s, `${ref}:${p.port}`, '', p.protocol.toLowerCase(), null)
      return { questions: chosenOf(first, rest, most), possible }
    }
  }
  for (const s of sources)
    for (const t of targets) {
      if (s.pod !== null && s.pod === t.pod) continue
      for (const { protocol, port } of triedPorts(t)) add(s, withPort(t, port), t.node, protocol.toLowerCase(), t.party)
    }
  return { questions: chosenOf(first, rest, most), possible }
}

/** A promise about every port is tried on those the pod declares. */
function triedPorts(t: Stop): { readonly protocol: string; readonly port: number }[] {
  return t.party.wanted.flatMap(({ protocol, port }) => {
    if (port !== null) return [{ protocol: protocol ?? 'TCP', port }]
    const declared = t.pod?.containers.flatMap((c) => c.ports) ?? []
    return declared
      .map((p) => ({ protocol: p.protocol.toUpperCase(), port: p.containerPort }))
      .filter((p) => protocol === null || p.protocol === protocol)
  })
}

const withPort = ({ ref }: Stop, port: number) =>
  /^[0-9.]+$/.test(ref) ? `${ref}:${port}` : ref.includes(':') ? `[${ref}]:${port}` : `${ref}:${port}`

/** Each party once on each node; where there is room, every pod. */
function stopsOf(parties: readonly Party[], role: 'from' | 'to'): Stop[] {
  const out: Stop[] = []
  const spare: Stop[] = []
  const widest = parties.reduce((n, p) => (p.addresses > n ? p.addresses : n), 0n)
  for (const party of parties) {
    if (party.pods.length === 0) {
      const ref =
        role === 'from' && party.addresses > 1n && party.addresses === widest ? 'external' : refOf(party.sample)
      out.push({ ref, node: '', party, pod: null })
    }
    const nodes = new Set<string>()
    for (const pod of party.pods) {
      const node = pod.nodeName ?? ''
      const stop = { ref: `pod/${pod.meta.namespace || 'default'}/${pod.meta.name}`, node, party, pod }
      if (nodes.has(node)) spare.push(stop)
      else out.push(stop)
      nodes.add(node)
    }
  }
  return [...out, ...spare].slice(0, MOST_STOPS)
}

function refOf(end: PolicyEnd): string {
  switch (end.kind) {
    case 'pod':
      return `pod/${end.namespace}/${end.name}`
    case 'node':
      return `node/${end.name}`
    case 'ip':
      return formatIp(end.ip)
  }
}

function question(from: Stop, to: string, toNode: string, protocol: string): MatrixQuestion {
  const place = { traffic: 'pod-pod-other-node', direction: 'pod-ip', level: 'pod' } as const
  return { ...place, from: from.ref, to, protocol, fromNode: from.node, ...(toNode === '' ? {} : { toNode }) }
}

function chosenOf(
  first: readonly MatrixQuestion[],
  rest: readonly MatrixQuestion[],
  most: number,
): readonly MatrixQuestion[] {
  const begun = evenly(first, most)
  return [...begun, ...evenly(rest, most - begun.length)]
}

/** `count` of them, spread over the whole list. */
function evenly<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list]
  return Array.from({ length: Math.max(0, count) }, (_, i) => list[Math.floor((i * list.length) / count)]!)
}

export interface Following {
  readonly followed: number
  readonly broken: readonly GuardConnection[]
  readonly unknown: readonly GuardConnection[]
  /** Codes of failures that keep a promise of no connection, and no policy. */
  readonly keptBy: readonly string[]
  /** Some left the cluster, and what becomes of them there is not in the evidence. */
  readonly left: boolean
}

/** Follows all questions of all plans together; equal ones once. */
export function follow(
  state: ClusterState,
  plans: readonly FollowPlan[],
): (plan: FollowPlan, reaches: boolean) => Following {
  const trial = tryMatrix(
    state,
    plans.flatMap((p) => p.questions),
  )
  const cells = new Map(trial.tried.map((t) => [t.question, t]))
  return (plan, reaches) => {
    const broken: GuardConnection[] = []
    const unknown: GuardConnection[] = []
    const keptBy = new Set<string>()
    let left = false
    for (const q of plan.questions) {
      const tried = cells.get(q)
      const state = tried?.cell.state ?? 'unknown'
      left ||= state === 'leaves'
      switch (state) {
        case 'works':
        case 'leaves':
          if (!reaches) broken.push(connectionOf(q, tried, trial, 'reaches'))
          break
        case 'partial':
          broken.push(connectionOf(q, reaches ? tried : undefined, trial, 'partly'))
          break
        case 'denied':
        case 'fails':
          if (reaches) broken.push(connectionOf(q, tried, trial, 'blocked'))
          else if (state === 'fails') keptBy.add(tried?.cell.code ?? 'nobody knows')
          break
        case 'unknown':
        case 'not-applicable':
          unknown.push(connectionOf(q, tried, trial, 'unknown'))
      }
    }
    return { followed: plan.questions.length, broken, unknown, keptBy: [...keptBy].sort(), left }
  }
}

function connectionOf(
  q: MatrixQuestion,
  tried: TriedCell | undefined,
  trial: MatrixTrial,
  outcome: GuardConnection['outcome'],
): GuardConnection {
  const { from, to, protocol } = q
  const found = outcome === 'reaches' ? [] : (tried?.causes ?? []).flatMap((k) => trial.causes.get(k)?.finding ?? [])
  const finding = found.find((f) => f.code === tried?.cell.code) ?? found[0]
  const proof = finding?.evidence[0]
  const leaves = tried?.cell.state === 'leaves' ? tried.cell.reason : undefined
  const why =
    outcome === 'reaches'
      ? (leaves ?? 'every packet of it arrives')
      : (finding?.title ??
        tried?.cell.reason ??
        (outcome === 'partly' ? 'some of its ways lead there' : 'it cannot be asked about on this evidence'))
  return {
    ...{ from, to, protocol, outcome, why },
    ...(finding ? { code: finding.code } : {}),
    ...(finding?.where.object === undefined ? {} : { rule: finding.where.object }),
    ...(proof ? { place: { file: proof.artefact, ...(proof.line === undefined ? {} : { line: proof.line }) } } : {}),
  }
}
