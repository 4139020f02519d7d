/** Which connections a matrix is made of: enough that every place of it has real ones, bounded however large the cluster. */
import { formatIp, parseIp } from '../../base/ip.ts'
import { ingressesOf } from '../../kubeobj/ingress.ts'
import type { OtherObject, ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import { LEVELS, type MatrixDirection, type MatrixLevel, type MatrixTraffic } from '../../model/matrix.ts'
import type { ClusterState } from '../cluster/check.ts'
import { hostNetns } from '../view/owner.ts'
import { backendsOf } from '../view/service-view.ts'
import { endpoint, nodeEnds, openPort, type PodEnd, podEnds } from './ends.ts'

export interface MatrixOptions {
  /** Only pods of this namespace send. */
  readonly namespace?: string
  /** Only these send: pods (`pod/NS/NAME`) and nodes (`node/NAME`). */
  readonly from?: ReadonlySet<string>
  /** What stands for the Internet, `ADDRESS:PORT`; null: a well-known address of the sender's family. */
  readonly outside: string | null
}

export interface MatrixQuestion {
  readonly traffic: MatrixTraffic
  readonly direction: MatrixDirection
  readonly level: MatrixLevel
  readonly from: string
  readonly to: string
  readonly protocol: string
  readonly fromNode: string
  /** Undefined: decided by load balancing, or outside. */
  readonly toNode?: string
}

export interface MatrixPlan {
  readonly questions: readonly MatrixQuestion[]
  readonly sampled: readonly string[]
}

/** Up to this many nodes every pair of them is tried; of more, each node sends to its own, the next and one far away. */
const ALL_PAIRS = 12
/** Most connections per traffic, direction and level. */
const MOST = 150
const MOST_NODES = 500
const MOST_NAMESPACES = 12

interface Sender {
  readonly ref: string
  readonly node: string
  readonly families: ReadonlySet<4 | 6>
  readonly pod?: PodEnd
}

interface Goal {
  readonly direction: MatrixDirection
  readonly protocol: string
  /** The address for a sender on `node`, with the node it belongs to when that matters. */
  readonly at: (node: string) => string | null
}

function toPod(p: PodEnd): { readonly to: string; readonly protocol: string } {
  const port = openPort(p.netns, false)
  return port === null ? { to: p.ref, protocol: 'icmp' } : { to: `${p.ref}:${port}`, protocol: 'tcp' }
}

/** The plan for `state`. */
export function planMatrix(state: ClusterState, options: MatrixOptions): MatrixPlan {
  const all = podEnds(state)
  const nodes = nodeEnds(state)
  const senders = sendersOf(state, all, nodes, options)
  const goals = goalsOf(state)
  const sampled: string[] = []
  const out: MatrixQuestion[] = []
  for (const level of LEVELS) {
    const from = senders[level]
    if (from.length === 0) continue
    const own: MatrixQuestion[] = []
    if (level === 'container') own.push(...localhost(from))
    else {
      own.push(...toPods(level, from, all, nodes))
      own.push(...toGoals(level, from, goals))
      for (const s of from) {
        const to = outsideFor(s, options.outside)
        if (to !== null) own.push(question('pod-internet', 'pod-ip', level, s, { to, protocol: 'tcp' }))
      }
    }
    for (const [key, list] of grouped(own)) {
      const kept = spread(list, MOST)
      if (kept.length < list.length) sampled.push(`${key}: ${kept.length} of ${list.length} connections were tried`)
      out.push(...kept)
    }
  }
  const podNodes = new Set(all.map((p) => p.node)).size
  if (podNodes > ALL_PAIRS)
    sampled.push(`each of ${podNodes} nodes sends to its own pods, to the next node and to one far away, not to all`)
  const unseen = all.filter((p) => !p.netns).length
  if (unseen > 0) sampled.push(`${unseen} of ${all.length} pods were not collected: what they send is not known`)
  return { questions: out, sampled }
}

/** Anycast resolvers that answer on 443 from anywhere. */
const INTERNET = { 4: '1.1.1.1:443', 6: '[2606:4700:4700::1111]:443' } as const

/** An address outside of a family the sender has; null when the one that was asked for is of another. */
function outsideFor(s: Sender, wanted: string | null): string | null {
  if (wanted !== null) return s.families.has(wanted.startsWith('[') ? 6 : 4) ? wanted : null
  return s.families.has(4) ? INTERNET[4] : s.families.has(6) ? INTERNET[6] : null
}

function familiesOf(addresses: readonly string[]): Set<4 | 6> {
  return new Set(addresses.flatMap((a) => parseIp(a)?.family ?? []))
}

function sendersOf(
  state: ClusterState,
  all: readonly PodEnd[],
  nodes: readonly string[],
  o: MatrixOptions,
): Record<MatrixLevel, Sender[]> {
  const wanted = (ref: string) => !o.from || o.from.has(ref)
  const pods = all.filter((p) => (o.namespace === undefined || p.namespace === o.namespace) && wanted(p.ref))
  const asSender = (p: PodEnd): Sender => ({ ref: p.ref, node: p.node, pod: p, families: familiesOf(p.pod.podIPs) })
  const firstBy = (key: (p: PodEnd) => string) =>
    [...new Map([...pods].reverse().map((p) => [key(p), p])).values()].reverse()
  const hosts = o.namespace !== undefined && !o.from ? [] : nodes.filter((n) => wanted(`node/${n}`))
  return {
    namespace: firstBy((p) => p.namespace)
      .slice(0, MOST_NAMESPACES)
      .map(asSender),
    node: hosts
      .slice(0, MOST_NODES)
      .map((n) => ({ ref: `node/${n}`, node: n, families: familiesOf(addressesOf(state, n)) })),
    pod: o.from
      ? pods.slice(0, MOST).map(asSender)
      : firstBy((p) => p.node)
          .slice(0, MOST_NODES)
          .map(asSender),
    container: pods.map(asSender),
  }
}

/** Addresses of a node, by its object or else by its links. */
function addressesOf({ network, objects }: ClusterState, node: string): string[] {
  const object = objects.nodes.find((n) => n.meta.name === node)
  const named = object?.addresses.filter((a) => a.type === 'InternalIP').map((a) => a.address) ?? []
  if (named.length > 0) return named
  const links = hostNetns(network, node)?.links ?? []
  return links.flatMap((l) => l.addresses.filter((a) => a.scope === 'global').map((a) => formatIp(a.ip)))
}

function question(
  traffic: MatrixTraffic,
  direction: MatrixDirection,
  level: MatrixLevel,
  sender: Sender,
  goal: { readonly to: string; readonly protocol: string; readonly toNode?: string },
): MatrixQuestion {
  return { traffic, direction, level, from: sender.ref, fromNode: sender.node, ...goal }
}

/** Containers of a pod share its network: the question is whether they find each other on localhost. */
function localhost(from: readonly Sender[]): MatrixQuestion[] {
  return from.flatMap((s) => {
    const port = openPort(s.pod?.netns, true)
    if (port === null) return []
    return [
      question('container-container', 'pod-ip', 'container', s, {
        to: `127.0.0.1:${port}`,
        protocol: 'tcp',
        toNode: s.node,
      }),
    ]
  })
}

function toPods(
  level: MatrixLevel,
  from: readonly Sender[],
  all: readonly PodEnd[],
  hosts: readonly string[],
): MatrixQuestion[] {
  const byNode = new Map<string, PodEnd[]>()
  for (const p of all) byNode.set(p.node, [...(byNode.get(p.node) ?? []), p])
  const nodes = [...byNode.keys()].sort()
  const every = [...new Set([...nodes, ...hosts])].sort()
  const out: MatrixQuestion[] = []
  for (const s of from) {
    const targets = level === 'namespace' ? oneOfEachNamespace(all, s) : targetsBy(nodes, every, byNode, s)
    for (const p of targets) {
      const traffic = p.node === s.node ? 'pod-pod-same-node' : 'pod-pod-other-node'
      out.push(question(traffic, 'pod-ip', level, s, { ...toPod(p), toNode: p.node }))
    }
  }
  return out
}

/** A pod of the sender's own node, and of every other one, or of the next and a far one where there are many. */
function targetsBy(
  nodes: readonly string[],
  every: readonly string[],
  byNode: ReadonlyMap<string, readonly PodEnd[]>,
  s: Sender,
): PodEnd[] {
  const pick = (node: string | undefined) => byNode.get(node ?? '')?.find((p) => p.ref !== s.ref)
  if (nodes.length <= ALL_PAIRS) return nodes.map(pick).filter((p) => p !== undefined)
  const at = Math.max(0, every.indexOf(s.node))
  const others = nodes.filter((n) => n !== s.node)
  const far = [others[at % others.length], others[(at + Math.floor(others.length / 2)) % others.length]]
  return [pick(s.node), ...far.map(pick)].filter((p) => p !== undefined)
}

/** One pod of each namespace, elsewhere than the sender's node where there is a choice. */
function oneOfEachNamespace(all: readonly PodEnd[], s: Sender): PodEnd[] {
  const out = new Map<string, PodEnd>()
  for (const p of all) {
    if (p.ref === s.ref) continue
    const known = out.get(p.namespace)
    if (!known || (known.node === s.node && p.node !== s.node)) out.set(p.namespace, p)
  }
  const near = all.find((p) => p.ref !== s.ref && p.node === s.node)
  return [...new Set([...[...out.values()].slice(0, MOST_NAMESPACES), ...(near ? [near] : [])])]
}

/** Every Service port as each kind of address, in turn by the senders so that all take part. */
function toGoals(level: MatrixLevel, from: readonly Sender[], goals: readonly Goal[]): MatrixQuestion[] {
  const each = Math.max(1, Math.min(from.length, Math.floor((3 * MOST) / Math.max(1, goals.length)), 3))
  return goals.flatMap((goal, i) =>
    Array.from({ length: each }, (_, k) => from[(i + k) % from.length]!).flatMap((s) => {
      const to = goal.at(s.node)
      return to === null ? [] : [question('pod-service', goal.direction, level, s, { to, protocol: goal.protocol })]
    }),
  )
}

function goalsOf(state: ClusterState): Goal[] {
  const { objects } = state
  const services = objects.services.filter((s) => s.type !== 'ExternalName')
  const byPort = services.flatMap((s) => s.ports.map((p) => ({ s, p, protocol: p.protocol.toLowerCase() })))
  const clusterIp = byPort
    .filter(({ s }) => s.clusterIPs.length > 0 && s.clusterIPs[0] !== 'None')
    .map(({ s, p, protocol }): Goal => {
      const to = `svc/${s.meta.namespace}/${s.meta.name}:${p.port}`
      return { direction: 'cluster-ip', protocol, at: () => to }
    })
  const nodePort = byPort
    .filter(({ p }) => p.nodePort !== undefined)
    .map(
      ({ s, p, protocol }): Goal => ({ direction: 'node-port', protocol, at: (node) => nodePortAt(state, s, p, node) }),
    )
  const balancer = byPort.flatMap(({ s, p, protocol }) =>
    s.loadBalancerIngress
      .flatMap((i) => i.ip ?? [])
      .slice(0, 1)
      .map((ip): Goal => ({ direction: 'load-balancer', protocol, at: () => endpoint(ip, p.port) })),
  )
  return [...clusterIp, ...nodePort, ...balancer, ...ingressGoals(state)]
}

/** The port on another node than the sender's, where there is one that serves it. */
function nodePortAt({ objects }: ClusterState, s: ServiceObject, p: ServicePort, from: string): string | null {
  const serving = objects.nodes.filter(
    (n) =>
      s.externalTrafficPolicy !== 'Local' ||
      backendsOf(objects, s, p).some((b) => b.ready && b.nodeName === n.meta.name),
  )
  const node = serving.find((n) => n.meta.name !== from) ?? serving[0]
  const address = node?.addresses.find((a) => a.type === 'InternalIP')?.address
  return address === undefined || p.nodePort === undefined ? null : endpoint(address, p.nodePort)
}

function ingressGoals({ objects }: ClusterState): Goal[] {
  const known = new Set(ingressesOf(objects).map((i) => i.evidence))
  const addresses = objects.others
    .filter((o) => o.kind === 'Ingress' && known.has(o.evidence))
    .flatMap((o) => publishedBy(o).slice(0, 1))
  return [...new Set(addresses)].map((ip) => ({
    direction: 'ingress-host',
    protocol: 'tcp',
    at: () => endpoint(ip, 80),
  }))
}

/** IP addresses in status.loadBalancer.ingress of an Ingress. */
export function publishedBy(o: OtherObject): string[] {
  const inside = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  const list = inside(inside(inside(o.raw, 'status'), 'loadBalancer'), 'ingress')
  if (!Array.isArray(list)) return []
  return list.slice(0, 20).flatMap((i: unknown) => {
    const ip = inside(i, 'ip')
    return typeof ip === 'string' && ip !== '' ? [ip] : []
  })
}

function grouped(list: readonly MatrixQuestion[]): Map<string, MatrixQuestion[]> {
  const out = new Map<string, MatrixQuestion[]>()
  const seen = new Set<string>()
  for (const q of list) {
    const id = `${q.from} ${q.to} ${q.protocol}`
    if (seen.has(id)) continue
    seen.add(id)
    const key = `${q.traffic} by ${q.direction} from the ${q.level} level`
    out.set(key, [...(out.get(key) ?? []), q])
  }
  return out
}

/** At most `most` of the list, evenly from all of it. */
function spread<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list]
  return Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!)
}
