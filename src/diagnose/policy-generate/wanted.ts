/** Connections that the policies must let through: what was seen, or what Services offer and the present policies allow. */
import { formatIp, type Ip } from '../../base/ip.ts'
import { policyCluster } from '../../intent/policy/cluster.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { ObservedFlows } from '../../model/observed-flow.ts'
import { targets } from '../policy-diff/dns-target.ts'
import { type FlowPlace, flowCount, placeFlows, podsBehind } from '../policy-diff/flow-ends.ts'
import type { Side } from '../policy-diff/side.ts'

export type WantedEnd =
  /** `name` of an end of the matrix. */
  | { readonly kind: 'pods'; readonly name: string }
  | { readonly kind: 'outside'; readonly ip: Ip }
  /** Everybody outside. */
  | { readonly kind: 'anywhere' }

export interface Wanted {
  readonly from: WantedEnd
  readonly to: WantedEnd
  readonly protocol: string
  /** Destination port, as the pod sees it. */
  readonly port: number
  readonly asked: Asked
}

/** Why a connection is wanted. */
export type Asked =
  | { readonly kind: 'seen'; readonly flows: number; readonly perMinute?: number }
  /** `svc/shop/api`, or a reason in words. */
  | { readonly kind: 'said'; readonly text: string }

export const said = (text: string): Asked => ({ kind: 'said', text })

/** All reasons in short: `214 flows/min`, `svc/shop/api, svc/shop/web and 3 more`. */
export function askedText(asked: readonly Asked[]): string {
  const texts = [...new Set(asked.flatMap((a) => (a.kind === 'said' ? [a.text] : [])))]
  const seen = asked.flatMap((a) => (a.kind === 'seen' ? [a] : []))
  const flows = seen.reduce((sum, a) => sum + a.flows, 0)
  const rate = seen.reduce((sum, a) => sum + (a.perMinute ?? 0), 0)
  const round = (n: number) => (n >= 10 ? Math.round(n) : Math.round(n * 100) / 100)
  if (rate > 0) texts.unshift(`${round(rate)} flows/min`)
  else if (seen.length > 0) texts.unshift(flows === 1 ? '1 flow' : `${round(flows)} flows`)
  return texts.length > 3 ? `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more` : texts.join(', ')
}

export interface WantedList {
  readonly wanted: readonly Wanted[]
  readonly notes: readonly string[]
}

export const wantedEndName = (e: WantedEnd): string =>
  e.kind === 'pods' ? e.name : e.kind === 'outside' ? formatIp(e.ip) : 'anywhere outside'

/** What was seen to work. Flows that were refused are told and not asked for. */
export function wantedByFlows(observed: ObservedFlows, side: Side, namespace: string): WantedList {
  const placed = placeFlows(observed, side.objects, side.nameOf, namespace)
  const wanted: Wanted[] = []
  let refused = 0
  let portless = 0
  for (const f of placed.flows) {
    if (f.outcome === 'dropped') refused += f.count
    else if (f.port === null) portless += f.count
    else {
      const rate = f.perMinute === undefined ? {} : { perMinute: f.perMinute }
      const asked = { kind: 'seen' as const, flows: f.count, ...rate }
      wanted.push({ from: endOf(f.from), to: endOf(f.to), protocol: f.protocol, port: f.port, asked })
    }
  }
  return {
    wanted,
    notes: [
      ...placed.notes.map((n) => `${n}: left out`),
      ...observed.leftOut.map((n) => `${n}: left out`),
      ...(refused > 0 ? [`${flowCount(refused)} refused when seen: not allowed here either`] : []),
      ...(portless > 0
        ? [`${flowCount(portless)} of protocols without ports: NetworkPolicy has no rules for them`]
        : []),
    ],
  }
}

const endOf = (p: FlowPlace): WantedEnd => (p.kind === 'pods' ? { kind: 'pods', name: p.name } : p)

/** What the present policies surely allow, to pods behind Services and on their ports. */
export function wantedByMatrix(side: Side, inside: (namespace: string) => boolean): WantedList {
  const { objects, matrix } = side
  const notes: string[] = []
  const offers = offersOf(objects, side)
  const wanted: Wanted[] = []
  for (const from of matrix.ends) {
    if (from.kind === 'outside' || from.host || !side.ends.has(from.name)) continue
    const row = matrix.row(from)
    for (const offer of offers) {
      const to = side.ends.get(offer.name)!
      if (!inside(to.namespace) && !inside(from.namespace)) continue
      const cell = from.name === offer.name ? side.replicas.get(offer.name) : to
      if (!cell || !matrix.sets.has(matrix.pair(row[cell.id]!).allowed, offer.protocol, offer.port)) continue
      const { protocol, port, asked } = offer
      wanted.push({
        from: { kind: 'pods', name: from.name },
        to: { kind: 'pods', name: to.name },
        protocol,
        port,
        asked,
      })
    }
  }
  const open = new Map<Offer, number>()
  for (const o of side.outside) {
    const row = matrix.row(o)
    for (const offer of offers) {
      const to = side.ends.get(offer.name)!
      if (!offer.outside || !inside(to.namespace)) continue
      const allowed = matrix.sets.has(matrix.pair(row[to.id]!).allowed, offer.protocol, offer.port)
      open.set(offer, (open.get(offer) ?? 0) + (allowed ? 1 : 0))
    }
  }
  for (const [{ name, protocol, port, asked }, regions] of open) {
    if (regions === side.outside.length)
      wanted.push({ from: { kind: 'anywhere' }, to: { kind: 'pods', name }, protocol, port, asked })
    else if (regions > 0)
      notes.push(`${askedText([asked])} is open to some addresses outside only: write that rule by hand`)
  }
  notes.push('connections to the outside are behind no Service: none is allowed here; give --flows for those')
  return { wanted, notes }
}

interface Offer {
  readonly name: string
  readonly protocol: string
  readonly port: number
  readonly asked: Asked
  /** Clients outside the cluster come through it. */
  readonly outside: boolean
}

function offersOf(objects: KubeObjects, side: Side): Offer[] {
  const cluster = policyCluster(objects)
  const out = new Map<string, Offer>()
  for (const service of objects.services) {
    const asked = said(`svc/${service.meta.namespace}/${service.meta.name}`)
    const outside = service.type === 'NodePort' || service.type === 'LoadBalancer' || service.externalIPs.length > 0
    for (const pod of podsBehind(cluster, objects, service)) {
      const name = side.nameOf(pod)
      if (pod.hostNetwork || !side.ends.has(name)) continue
      for (const p of service.ports)
        for (const t of targets(p.targetPort, pod, p.protocol)) {
          const [protocol = '', port = ''] = t.split(' ')
          const key = `${name} ${t}`
          const known = out.get(key)
          out.set(key, {
            name,
            protocol,
            port: Number(port),
            asked: known?.asked ?? asked,
            outside: outside || known?.outside === true,
          })
        }
    }
  }
  return [...out].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, o]) => o)
}
