/** `policyDiff`: two states of the policies of a cluster, and what the second cuts and opens. docs/policy.md. */

import { evaluatePolicy } from '../../intent/policy/evaluate.ts'
import type { PortSet } from '../../intent/policy/matrix/port-sets.ts'
import { workloadNames } from '../../intent/policy/matrix/workload-name.ts'
import type { PolicyEnd } from '../../intent/policy/result.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { ObservedFlows } from '../../model/observed-flow.ts'
import type { PolicyDiff, PolicyDifference } from '../../model/policy-diff.ts'
import { appliedPolicies } from './applied.ts'
import { type Blame, blame, type Difference, type EndInQuestion } from './because.ts'
import { changesBetween } from './changes.ts'
import { type Comparison, compareSides, type Delta, type JointEnd } from './compare.ts'
import { declaredPorts } from './declared-ports.ts'
import { dnsPorts, withAssumedDns } from './dns-target.ts'
import { portWords } from './joint-ports.ts'
import { REPLICA, type Side, sidesOf } from './side.ts'
import { weighFlows } from './weigh-flows.ts'

export interface DiffOptions {
  /** Words for the two states. */
  readonly before: string
  readonly after: string
  readonly flows?: ObservedFlows
  /** Completes references in flows. */
  readonly namespace?: string
}

/** A difference before regions outside are joined and flows weighed. */
export interface RawDifference {
  readonly from: JointEnd
  readonly to: JointEnd
  readonly set: PortSet
  readonly told: Omit<PolicyDifference, 'from' | 'to' | 'flows' | 'flowsPerMinute'> & {
    readonly why: readonly string[]
  }
}

/** Most differences listed of each kind. */
const MOST_LISTED = 20_000

/** Compares two sets of objects. Where neither has DNS pods the usual ones are assumed in both. */
export function policyDiff(before: KubeObjects, after: KubeObjects, options: DiffOptions): PolicyDiff {
  const notes: string[] = []
  const [old, now] = [withAssumedDns(before), withAssumedDns(after)]
  if (old && now)
    notes.push('no DNS pods among the objects: the usual ones (kube-system, k8s-app=kube-dns, port 53) are assumed')
  const sides = old && now ? sidesOf(old, now) : sidesOf(before, after)
  const states = { before: sides.before.full, after: sides.after.full }
  const changes = changesBetween(states.before, states.after, {
    before: workloadNames(states.before),
    after: workloadNames(states.after),
  })
  const comparison = compareSides(sides.before, sides.after)
  const causes = blame(states.before, states.after, changes)
  const all = differences(comparison, sides, causes, states, notes)
  const found = { ...all, lost: withDnsLeft(all.lost, comparison, sides, states) }
  const flows = options.flows ? weighFlows(options.flows, sides, comparison, options.namespace ?? 'default') : null
  const weigh = (list: readonly RawDifference[]) =>
    join(list, comparison).map((d) => ({ ...d, ...(flows ? flows.of(d.ends) : {}) }))
  const lost = weigh(found.lost).sort(mostImportantFirst).map(bare)
  const gained = weigh(found.gained).sort(mostImportantFirst).map(bare)
  const unknown = weigh(found.unknown)
    .sort(mostImportantFirst)
    .map(({ ends: _, why, ...d }) => ({ ...d, why }))
  if (causes.gaveUp()) notes.push('too many differences to name the cause of each')
  for (const [word, list] of [
    ['lost', lost],
    ['gained', gained],
    ['unknown', unknown],
  ] as const)
    if (list.length > MOST_LISTED)
      notes.push(`${list.length - MOST_LISTED} ${word} connections are counted and not listed`)
  const judged = new Set([...appliedPolicies(sides.before), ...appliedPolicies(sides.after)])
  const unjudged = changes.filter((c) => c.policy && /Policy$/.test(c.object.split(' ')[0]!) && !judged.has(c.object))
  const assumed = old && now ? 1 : 0
  const only = (x: Side, y: Side) => [...x.ends.keys()].filter((name) => !y.ends.has(name)).sort()
  return {
    before: options.before,
    after: options.after,
    lost: lost.slice(0, MOST_LISTED),
    gained: gained.slice(0, MOST_LISTED),
    unknown: unknown.slice(0, MOST_LISTED),
    totals: { lost: lost.length, gained: gained.length, unknown: unknown.length },
    appeared: only(sides.after, sides.before),
    vanished: only(sides.before, sides.after),
    changes: changes.map(({ change, object, place }) => ({
      change,
      object,
      ...(place === undefined ? {} : { place }),
    })),
    unjudged: unjudged.map((c) => c.object),
    empty: sides.before.ends.size <= assumed && sides.after.ends.size <= assumed,
    flows: flows ? flows.told : null,
    notes,
  }
}

/** Losing one of several DNS servers loses the queries that go there, losing all of them every name. */
function withDnsLeft(
  lost: readonly RawDifference[],
  comparison: Comparison,
  sides: { readonly after: Side },
  states: { readonly after: KubeObjects },
): RawDifference[] {
  const ports = dnsPorts(states.after)
  const servers = comparison.ends.flatMap((end) => {
    const pod = end.kind === 'pods' ? sides.after.podsOf.get(end.name)?.[0] : undefined
    const udp =
      pod && [...(ports.get(`${pod.meta.namespace}/${pod.meta.name}`) ?? [])].find((p) => p.startsWith('UDP '))
    return udp === undefined ? [] : [{ end, port: Number(udp.slice(4)) }]
  })
  return lost.map((d) => {
    if (!d.told.dns) return d
    const left = servers.filter(({ end, port }) => {
      if (end === d.to || end === d.from) return false
      return comparison.sets.has(comparison.allowed(d.from, end).after.sure, 'UDP', port)
    })
    if (left.length === 0) return d
    return { ...d, told: { ...d.told, dnsLeft: left.map(({ end }) => (end.kind === 'pods' ? end.name : '')) } }
  })
}

type Weighed = PolicyDifference & { readonly why: readonly string[]; readonly ends: readonly RawDifference[] }

function bare({ ends: _, why: __, ...d }: Weighed): PolicyDifference {
  return d
}

function mostImportantFirst(x: PolicyDifference, y: PolicyDifference): number {
  return (
    Number(y.dns) - Number(x.dns) ||
    (y.flows ?? 0) - (x.flows ?? 0) ||
    Number(y.declared.length > 0) - Number(x.declared.length > 0) ||
    (x.from < y.from ? -1 : x.from > y.from ? 1 : x.to < y.to ? -1 : 1)
  )
}

interface Found {
  readonly lost: RawDifference[]
  readonly gained: RawDifference[]
  readonly unknown: RawDifference[]
}

function differences(
  comparison: Comparison,
  sides: { readonly before: Side; readonly after: Side },
  causes: Blame,
  states: { readonly before: KubeObjects; readonly after: KubeObjects },
  notes: string[],
): Found {
  const { sets } = comparison
  const dns = new Map([...dnsPorts(states.before), ...dnsPorts(states.after)])
  const declared = declaredPorts(states.after)
  const found: Found = { lost: [], gained: [], unknown: [] }
  const questions = endsInQuestion(sides, comparison)
  const memo = new Map<string, Pick<RawDifference['told'], 'because' | 'why'>>()
  let explained = 0

  const tell = (from: JointEnd, to: JointEnd, set: PortSet, what: 'lost' | 'gained' | 'unknown'): RawDifference => {
    const pods = to.kind === 'pods' ? (sides.after.podsOf.get(to.name) ?? []) : []
    const meant = declared(pods).filter((p) => sets.has(set, p.protocol, p.port))
    const dnsOf = pods[0] ? dns.get(`${pods[0].meta.namespace}/${pods[0].meta.name}`) : undefined
    const ports = portWords(sets, set)
    const asked = meant[0] ?? firstPort(comparison, set)
    const key = `${classKey(from)} ${classKey(to)} ${what} ${set} ${asked.protocol} ${asked.port}`
    let reasons = memo.get(key)
    if (!reasons) {
      const d: Difference = {
        from: questions(from),
        to: questions(to, from),
        ...asked,
        was: what === 'lost' ? 'allow' : what === 'gained' ? 'deny' : 'unknown',
        is: what === 'lost' ? 'deny' : what === 'gained' ? 'allow' : 'unknown',
      }
      reasons =
        what === 'unknown' ? { because: [], why: whyUnknown(d, states) } : { because: causes.because(d), why: [] }
      memo.set(key, reasons)
    }
    const isDns = dnsOf !== undefined && [...dnsOf].some((p) => hasPort(comparison, set, p))
    return {
      from,
      to,
      set,
      told: { ports, declared: meant.map((p) => `${p.protocol} ${p.port}`), dns: isDns, ...reasons },
    }
  }

  for (const { from, to, delta } of comparison.pairs()) {
    if (delta.lost !== sets.none) found.lost.push(tell(from, to, delta.lost, 'lost'))
    if (delta.gained !== sets.none) found.gained.push(tell(from, to, delta.gained, 'gained'))
    const open = openPorts(delta, from, to)
    if (open !== sets.none) found.unknown.push(tell(from, to, open, 'unknown'))
  }
  if (explained > MOST_EXPLAINED) notes.push('too many unknown connections to look into each')
  return found

  /** What is unknown in both states matters only where a policy of one end changed. */
  function openPorts(delta: Delta, from: JointEnd, to: JointEnd): PortSet {
    if (delta.unknown === sets.none) return delta.unsure
    const ends = { from: questions(from), to: questions(to, from) }
    const near = new Set(causes.near(ends).map((c) => c.object))
    if (near.size === 0 || ++explained > MOST_EXPLAINED) return delta.unsure
    const asked = firstPort(comparison, delta.unknown)
    const consulted = (['before', 'after'] as const).flatMap((side) => {
      const r = evaluatePolicy(states[side], { from: ends.from[side], to: ends.to[side], ...asked })
      return [...r.egress.considered, ...r.ingress.considered].map((c) => c.policy)
    })
    const touched = consulted.some((p) => near.has(`${p.kind} ${p.namespace === '' ? '' : `${p.namespace}/`}${p.name}`))
    return touched ? sets.union(delta.unsure, delta.unknown) : delta.unsure
  }
}

const MOST_EXPLAINED = 2_000

const classKey = (e: JointEnd) =>
  e.kind === 'outside'
    ? `o${e.region}`
    : `${e.before.class}/${e.after.class}/${e.before.namespace}/${e.before.host ? e.name : ''}`

function hasPort(c: Comparison, set: PortSet, text: string): boolean {
  const [protocol = '', port = ''] = text.split(' ')
  return c.sets.has(set, protocol, Number(port))
}

/** A port that stands for the set; of protocols without ports none. */
function firstPort(c: Comparison, set: PortSet): { readonly protocol: string; readonly port: number | null } {
  const r = c.sets.ranges(set)[0]
  if (!r) return { protocol: 'TCP', port: null }
  return { protocol: r.protocol, port: ['TCP', 'UDP', 'SCTP'].includes(r.protocol) ? r.from : null }
}

function whyUnknown(d: Difference, states: { readonly before: KubeObjects; readonly after: KubeObjects }): string[] {
  const why = (['after', 'before'] as const).flatMap((side) => {
    const r = evaluatePolicy(states[side], { from: d.from[side], to: d.to[side], protocol: d.protocol, port: d.port })
    return [r.egress.reason, r.ingress.reason].flatMap((reason) => (reason.kind === 'unknown' ? reason.why : []))
  })
  return [...new Set(why)].slice(0, 5)
}

/** A pod, or an address, that stands for the end in each state. A second replica where both ends are one. */
function endsInQuestion(sides: { readonly before: Side; readonly after: Side }, comparison: Comparison) {
  return (end: JointEnd, other?: JointEnd): EndInQuestion => {
    if (end.kind === 'outside') {
      const ip = { kind: 'ip' as const, ip: comparison.outside.regions[end.region]!.sample }
      return { name: '', namespace: '', before: ip, after: ip }
    }
    const of = (side: Side): PolicyEnd => {
      const { namespace, name } = side.podsOf.get(end.name)![0]!.meta
      return { kind: 'pod', namespace: namespace || 'default', name: end === other ? `${name}${REPLICA}` : name }
    }
    return { name: end.name, namespace: end.before.namespace, before: of(sides.before), after: of(sides.after) }
  }
}

/** Differences alike but for the addresses outside are one, and named as ranges. */
function join(list: readonly RawDifference[], comparison: Comparison): Weighed[] {
  const groups = new Map<string, RawDifference[]>()
  const text = (e: JointEnd) => (e.kind === 'pods' ? e.name : '*')
  for (const d of list) {
    const { ports, because } = d.told
    const key = JSON.stringify([text(d.from), text(d.to), ports, because])
    const group = groups.get(key)
    if (group) group.push(d)
    else groups.set(key, [d])
  }
  return [...groups.values()].map((ends) => {
    const name = (side: 'from' | 'to') => {
      const end = ends[0]![side]
      if (end.kind === 'pods') return end.name
      return comparison.outside.nameOf(
        new Set(ends.flatMap((d) => (d[side].kind === 'outside' ? [d[side].region] : []))),
      )
    }
    return { from: name('from'), to: name('to'), ...ends[0]!.told, ends }
  })
}
