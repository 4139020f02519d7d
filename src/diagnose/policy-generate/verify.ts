/** Generated policies put to the test: every wanted connection is allowed, and what else would be. */
import { policyCluster } from '../../intent/policy/cluster.ts'
import { evaluator } from '../../intent/policy/evaluate.ts'
import { nameRegions } from '../../intent/policy/matrix/address-space.ts'
import { policyTexts } from '../../intent/policy/policy-text.ts'
import type { DirectionResult, PolicyEnd } from '../../intent/policy/result.ts'
import type { KubeObjects, OtherObject } from '../../kubeobj/objects.ts'
import { portWords } from '../policy-diff/joint-ports.ts'
import { REPLICA, type Side, stateOf } from '../policy-diff/side.ts'
import type { Generation } from './generate.ts'
import { type WantedEnd, wantedEndName } from './wanted.ts'

export interface Verification {
  /** Wanted connections, and how many of them are allowed. */
  readonly wanted: number
  readonly allowed: number
  readonly refused: readonly { readonly connection: string; readonly why: string }[]
  /** Connections of covered workloads that nobody asked for and that are allowed all the same. */
  readonly beyond: readonly { readonly from: string; readonly to: string; readonly ports: readonly string[] }[]
  /** Policies of the covered namespaces that were left out of the test: where they stay they allow what they allow. */
  readonly setAside: readonly string[]
}

/** `written`: the policies as read back from their YAML. Policies of other kinds stay in force; NetworkPolicies of the same namespaces do not. */
export function verifyPolicies(objects: KubeObjects, written: readonly OtherObject[], g: Generation): Verification {
  const namespaces = new Set(g.policies.map((p) => p.namespace))
  const mine = new Set(g.policies.map((p) => `${p.namespace}/${p.name}`))
  const isOld = (o: OtherObject) =>
    o.kind === 'NetworkPolicy' && o.apiVersion.startsWith('networking.k8s.io/') && namespaces.has(o.meta.namespace)
  const setAside = objects.others
    .filter((o) => isOld(o) && !mine.has(`${o.meta.namespace}/${o.meta.name}`))
    .map((o) => `${o.meta.namespace}/${o.meta.name}`)
  const after = { ...objects, others: [...objects.others.filter((o) => !isOld(o)), ...written] }
  const side = stateOf(after)
  const { decide, explain } = evaluator(policyCluster(side.full))
  const refused: { connection: string; why: string }[] = []
  let allowed = 0
  for (const w of g.wanted) {
    const from = endOf(g.side, w.from, null)
    const to = endOf(g.side, w.to, w.from)
    if (!from || !to) continue
    const question = { from, to, protocol: w.protocol, port: w.port }
    if (decide(question) === 'allow') {
      allowed++
      continue
    }
    const { egress, ingress } = explain(question)
    const why = [egress, ingress].filter((d) => d.decision !== 'allow').map(reason)
    const connection = `${wantedEndName(w.from)} → ${wantedEndName(w.to)} ${w.protocol} ${w.port}`
    refused.push({ connection, why: why.join('; ') })
  }
  return { wanted: g.wanted.length, allowed, refused, beyond: beyondWanted(side, g), setAside: setAside.sort() }
}

function reason(d: DirectionResult): string {
  if (d.reason.kind === 'unknown') return `${d.direction} is not known: ${d.reason.why.slice(0, 2).join(', ')}`
  const who = d.decidedBy?.rule ? [d.decidedBy.rule.policy] : d.policies
  return `${d.direction} is refused by ${policyTexts(who)}`
}

function endOf(side: Side, e: WantedEnd, other: WantedEnd | null): PolicyEnd | null {
  switch (e.kind) {
    case 'outside':
      return { kind: 'ip', ip: e.ip }
    case 'anywhere':
      return { kind: 'ip', ip: side.matrix.space.sampleOf[0]! }
    case 'pods': {
      const pod = side.podsOf.get(e.name)?.[0]
      if (!pod) return null
      const again = other?.kind === 'pods' && other.name === e.name && side.replicas.has(e.name)
      return {
        kind: 'pod',
        namespace: pod.meta.namespace || 'default',
        name: again ? `${pod.meta.name}${REPLICA}` : pod.meta.name,
      }
    }
  }
}

/** Row by row: what a covered end may send, and what may be sent to one. */
function beyondWanted(side: Side, g: Generation): Verification['beyond'] {
  const { matrix } = side
  const { sets, space } = matrix
  const asked = new Map<string, number>()
  const anywhere = new Map<string, number>()
  const sizes = regionSizes(side, g)
  // A block that holds more addresses than were seen allows all of them, and only the seen ones were asked for.
  const regionName = (r: number) => (sizes[r] === 0n ? `outside ${r}` : '')
  const nameOf = (e: WantedEnd) =>
    e.kind === 'pods' ? e.name : e.kind === 'outside' ? regionName(space.regionOf(e.ip)) : ''
  for (const w of g.wanted) {
    const port = sets.ofRange(w.protocol, w.port, w.port)
    if ([w.from, w.to].some((e) => e.kind !== 'anywhere' && nameOf(e) === '')) continue
    const target = w.from.kind === 'anywhere' ? anywhere : asked
    const key = w.from.kind === 'anywhere' ? nameOf(w.to) : `${nameOf(w.from)} ${nameOf(w.to)}`
    target.set(key, sets.union(target.get(key) ?? sets.none, port))
  }
  const out: { from: string; to: string; ports: readonly string[] }[] = []
  for (const from of matrix.ends) {
    if (from.host || (from.kind === 'pods' && !side.ends.has(from.name))) continue
    const row = matrix.row(from)
    const fromName = from.kind === 'outside' ? regionName(from.id - side.outside[0]!.id) : from.name
    const regions = new Map<number, Set<number>>()
    for (const to of matrix.ends) {
      if (to.host || (to.kind === 'pods' && !side.ends.has(to.name))) continue
      if (!g.covered.has(from.name) && !g.covered.has(to.name)) continue
      const cell = from === to ? side.replicas.get(from.name) : to
      if (!cell) continue
      const toName = to.kind === 'outside' ? regionName(to.id - side.outside[0]!.id) : to.name
      const wanted = sets.union(
        asked.get(`${fromName} ${toName}`) ?? sets.none,
        from.kind === 'outside' ? (anywhere.get(toName) ?? sets.none) : sets.none,
      )
      const more = sets.subtract(matrix.pair(row[cell.id]!).allowed, wanted)
      if (more === sets.none) continue
      if (to.kind === 'outside') regions.set(more, (regions.get(more) ?? new Set()).add(to.id - side.outside[0]!.id))
      else
        out.push({
          from: from.kind === 'outside' ? rangeOf(side, new Set([from.id - side.outside[0]!.id])) : from.name,
          to: to.name,
          ports: portWords(sets, more),
        })
    }
    for (const [more, ids] of regions)
      out.push({ from: from.name, to: rangeOf(side, ids), ports: portWords(sets, more) })
  }
  return out.filter((b) => b.from !== '' && b.to !== '')
}

/** Addresses of each region that nobody asked for. */
function regionSizes(side: Side, g: Generation): bigint[] {
  const { space } = side.matrix
  const sizes = new Array<bigint>(space.regions).fill(0n)
  for (const r of space.ranges) sizes[r.region] = sizes[r.region]! + (r.to - r.from + 1n)
  const seen = new Set<string>()
  for (const w of g.wanted)
    for (const e of [w.from, w.to]) {
      if (e.kind !== 'outside' || seen.has(wantedEndName(e))) continue
      seen.add(wantedEndName(e))
      const region = space.regionOf(e.ip)
      sizes[region] = sizes[region]! - 1n
    }
  return sizes
}

function rangeOf(side: Side, regions: ReadonlySet<number>): string {
  return nameRegions(side.matrix.space, (r) => regions.has(r)).join(', ')
}
