/** One node: what Services and EndpointSlices ask of it, next to what its rules and IPVS do. */
import { type Ip, parseIp, parsePrefix } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import { runHook } from '../../datapath/netfilter/index.ts'
import type { Surroundings } from '../../datapath/netfilter/types.ts'
import {
  type ExpectedServicePort,
  expectedServices,
  type Frontend,
  type ServiceEndpoint,
} from '../../intent/service/index.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Netns, Network } from '../../model/network.ts'
import { aroundRules, type Frontage, firstPassage, type Lead, leadOf, type Target } from './lead.ts'
import { type NodeSenders, type ServiceSender, sendersOf } from './sender.ts'

export interface Difference {
  readonly service: ExpectedServicePort
  readonly frontend: Frontend
  readonly front: Frontage
  readonly sender: ServiceSender
  readonly lead: Lead
  /** What the node should send to here. */
  readonly wanted: readonly ServiceEndpoint[]
  /** Those of `wanted` it never sends to. */
  readonly lacks: readonly ServiceEndpoint[]
  /** Where it sends although no EndpointSlice of the Service holds the address, in whatever state. */
  readonly strays: readonly Target[]
  /** Where it sends although the endpoint is not ready, and others are. */
  readonly lagging: readonly Target[]
}

export interface FamilyCount {
  /** Cluster addresses with endpoints, as far as it could be decided where they lead. */
  readonly asked: number
  /** Those of them that lead to any endpoint. */
  readonly answered: number
}

export interface NodeComparison {
  readonly host: Netns
  readonly families: Record<4 | 6, FamilyCount>
  /** Some frontend is answered by IPVS. */
  readonly ipvs: boolean
  readonly differences: readonly Difference[]
}

/**
 * Frontends of a family that are asked about from the node's own processes too. What a Service leads to stands once for both
 * ways in; only whether the node's own packets get there can differ, and a few tell that.
 */
const FROM_THE_NODE = 16

interface Place {
  readonly host: Netns
  readonly around: Surroundings
  readonly senders: Record<4 | 6, NodeSenders>
}

/** Null when what the node does with Services was not collected. `only`: of these Services, where not all are wanted. */
export function compareNode(
  network: Network,
  objects: KubeObjects,
  node: string,
  only: (service: ExpectedServicePort) => boolean = () => true,
): NodeComparison | null {
  const id = network.nodes.get(node)?.host
  const host = id === undefined ? undefined : network.netns.get(id)
  if (!host || !isTold(host)) return null
  const place: Place = {
    host,
    around: aroundRules(host),
    senders: { 4: sendersOf(network, objects, host, 4), 6: sendersOf(network, objects, host, 6) },
  }
  const services = expectedServices(objects, node)
  const claims = claimsOf(services)
  const differences: Difference[] = []
  const nodePorts: Record<4 | 6, { answered: number; unanswered: Difference[] }> = {
    4: { answered: 0, unanswered: [] },
    6: { answered: 0, unanswered: [] },
  }
  const families = { 4: { asked: 0, answered: 0 }, 6: { asked: 0, answered: 0 } }
  let ipvs = false
  for (const service of services) {
    if (!only(service)) continue
    const senders = place.senders[service.family]
    let clean = true
    for (const frontend of service.frontends) {
      const ip = frontend.address === null ? senders.address : parseIp(frontend.address)
      const protocol = protocolNumber(service.protocol)
      if (!ip || protocol === null || (claims.get(claimKey(service, frontend)) ?? 0) > 1) continue
      const front: Frontage = { ip, protocol, port: frontend.port }
      const fromNode = frontend.kind === 'clusterIP' && families[service.family].asked < FROM_THE_NODE
      const found = judge(place, service, frontend, front, fromNode)
      if (found === null) continue
      const wanted = found.wanted.length > 0
      if (frontend.kind === 'clusterIP' && wanted) {
        families[service.family].asked++
        if (found.leads) families[service.family].answered++
      }
      if (found.ipvs) ipvs = true
      if (frontend.kind === 'nodePort') {
        if (found.leads) nodePorts[service.family].answered++
        else if (found.difference && clean) nodePorts[service.family].unanswered.push(found.difference)
        if (!found.leads) continue
      }
      if (found.difference) {
        clean = false
        differences.push(found.difference)
      }
    }
  }
  // A kube-proxy told to serve node ports on other addresses (`--nodeport-addresses`) answers none here.
  for (const family of [4, 6] as const)
    if (nodePorts[family].answered > 0) differences.push(...nodePorts[family].unanswered)
  return { host, families, ipvs, differences }
}

/** Whether every place was read that could hold Service rules. */
function isTold(host: Netns): boolean {
  const { known } = host
  if (!known.has('iptables') || !known.has('nft') || !known.has('routes') || !known.has('links')) return false
  const usesIpvs = host.links.some((l) => l.name === 'kube-ipvs0') || host.ipvs.length > 0
  return !usesIpvs || known.has('ipvs')
}

const claimKey = (s: ExpectedServicePort, f: Frontend) => `${f.address ?? `node ${s.family}`} ${s.protocol} ${f.port}`

/** How many Services claim each frontend: of two, which one the node serves is not settled. */
function claimsOf(services: readonly ExpectedServicePort[]): ReadonlyMap<string, number> {
  const out = new Map<string, number>()
  for (const s of services) for (const f of s.frontends) out.set(claimKey(s, f), (out.get(claimKey(s, f)) ?? 0) + 1)
  return out
}

interface Judged {
  readonly wanted: readonly ServiceEndpoint[]
  readonly leads: boolean
  readonly ipvs: boolean
  readonly difference: Difference | null
}

/** Null when nobody can be asked, or what happens cannot be decided. */
function judge(
  place: Place,
  service: ExpectedServicePort,
  frontend: Frontend,
  front: Frontage,
  fromNode: boolean,
): Judged | null {
  const choices = acceptable(service, frontend)
  let first: Judged | null = null
  for (const sender of sendersFor(place.senders[service.family], service, frontend, fromNode)) {
    const lead = leadOf(place.around, place.host, front, sender)
    if (lead.unknown > 0 || lead.untracked > 0) return null
    const texts = new Set(lead.targets.map((t) => t.text))
    const missing: (readonly ServiceEndpoint[])[] = choices.map((c) => c.filter((e) => !texts.has(e.text)))
    const wanted = choices[missing.indexOf(fewest(missing))] ?? []
    const judged: Judged = {
      wanted,
      leads: lead.targets.length > 0,
      ipvs: lead.server !== undefined,
      difference: differenceOf(service, frontend, front, sender, lead, wanted),
    }
    if (judged.difference?.lacks.length && isTopologyMatter(place, judged.difference)) return null
    first ??= judged
    if (judged.difference) return judged
  }
  return first
}

const fewest = <T>(lists: readonly (readonly T[])[]) =>
  lists.reduce((x, y) => (y.length < x.length ? y : x), lists[0] ?? [])

function differenceOf(
  service: ExpectedServicePort,
  frontend: Frontend,
  front: Frontage,
  sender: ServiceSender,
  lead: Lead,
  wanted: readonly ServiceEndpoint[],
): Difference | null {
  const { targets } = lead
  const texts = new Set(targets.map((t) => t.text))
  const known = new Map(service.all.map((e) => [e.text, e]))
  // The fallback to terminating ones is made for the local set on its own, so both sets count.
  const usable = new Set([...pool(service.all), ...service.reachable].map((e) => e.text))
  const strays = targets.filter((t) => !known.has(t.text))
  const lagging = targets.filter((t) => known.has(t.text) && !usable.has(t.text))
  const some = targets.some((t) => usable.has(t.text))
  // Hints are read differently by different versions (and by a kube-proxy that knows the node by another name or zone): any
  // choice among the ready ones may be meant.
  const hinted = some && service.all.some((e) => e.hintZones.length > 0 || e.hintNodes.length > 0)
  const lacks = hinted ? [] : wanted.filter((e) => !texts.has(e.text))
  if (strays.length + lagging.length + lacks.length === 0) return null
  return { service, frontend, front, sender, lead, wanted, lacks, strays, lagging }
}

/** The endpoints traffic may go to: the ready ones, or failing that those that serve while terminating. */
function pool(all: readonly ServiceEndpoint[]): readonly ServiceEndpoint[] {
  const ready = all.filter((e) => e.ready)
  return ready.length > 0 ? ready : all.filter((e) => e.serving && e.terminating)
}

/**
 * The endpoint sets kube-proxy may have given this frontend. With policy Local it depends on whether it takes the sender for
 * one of the cluster's, which its configuration (cluster CIDR) decides, and in IPVS mode on there being a local endpoint.
 */
function acceptable(s: ExpectedServicePort, f: Frontend): (readonly ServiceEndpoint[])[] {
  if (f.policy === 'cluster') return [s.cluster]
  return f.kind === 'clusterIP' ? [s.local] : [s.local, s.cluster]
}

function sendersFor(senders: NodeSenders, s: ExpectedServicePort, f: Frontend, fromNode: boolean): ServiceSender[] {
  if (f.kind !== 'clusterIP') return [insideRanges(senders.outside, s, f)].filter((x) => x !== null)
  return [senders.pod ?? senders.outside, fromNode ? senders.node : null].filter((x) => x !== null)
}

/** Load balancer addresses answer only the source ranges they are given. */
function insideRanges(sender: ServiceSender | null, s: ExpectedServicePort, f: Frontend): ServiceSender | null {
  const range = f.kind === 'loadBalancerIP' ? s.sourceRanges[0] : undefined
  if (!sender || range === undefined) return sender
  const src: Ip | undefined = parsePrefix(range)?.ip
  return src ? { ...sender, src } : sender
}

/**
 * With policy Local a kube-proxy that takes no endpoint for its own drops on purpose (without any endpoint it rejects): then it follows the objects, and the
 * node's name is the matter (`service-topology-mismatch`).
 */
function isTopologyMatter(place: Place, d: Difference): boolean {
  if (d.frontend.policy !== 'local' || d.lead.targets.length > 0) return false
  if (d.lead.server) return true
  const { around } = place
  const first = runHook(
    around,
    d.sender.kind === 'node' ? 'output' : 'prerouting',
    'ip',
    firstPassage(d.front, d.sender),
  )
  if (d.sender.kind === 'node') return first.some((o) => o.verdict === 'drop')
  const local = around.addressType(d.front.ip, null) === 'local'
  const out = local ? null : (place.senders[d.service.family].node?.out ?? null)
  return first.some(
    (o) =>
      o.verdict === 'drop' ||
      (o.verdict === 'accept' &&
        runHook(around, local ? 'input' : 'forward', 'ip', { ...o.passage, out }).some((x) => x.verdict === 'drop')),
  )
}
