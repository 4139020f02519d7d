/** Which connections `doctor` tries: enough that every node, pod, Service port and name server is on some path; bounded. */
import { formatIp, ipEquals } from '../../base/ip.ts'
import { TCP } from '../../base/protocol.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Netns } from '../../model/network.ts'
import type { ClusterState } from '../cluster/check.ts'
import { hostNetns, netnsOfPod } from '../view/owner.ts'
import { backendsOf } from '../view/service-view.ts'

/** What a connection exercises; the verdict lines are made from these. */
export type Traffic =
  | 'node-node'
  | 'node-pod'
  | 'pod-pod'
  | 'pod-service'
  | 'node-service'
  | 'node-port'
  /** A pod to the Service it is an endpoint of. */
  | 'hairpin'
  | 'dns'
  | 'outside'

export interface SampleQuestion {
  readonly traffic: Traffic
  readonly from: string
  readonly to: string
  readonly protocol: string
}

/** Most connections tried per kind of traffic. */
const MOST = 600
/** An address outside that nobody has (TEST-NET-1, RFC 5737): stands for the Internet. */
const OUTSIDE = '192.0.2.1'

interface SamplePod {
  readonly ref: string
  readonly node: string
  readonly pod: PodObject
  readonly netns: Netns
  readonly ip: string
}

function samplePods({ network, objects }: ClusterState): SamplePod[] {
  return objects.pods.flatMap((pod) => {
    const ip = pod.podIPs[0]
    if (pod.hostNetwork || pod.phase !== 'Running' || pod.meta.deletionTimestamp !== undefined) return []
    if (pod.nodeName === undefined || ip === undefined) return []
    const netns = netnsOfPod(network, pod.meta.namespace, pod.meta.name)
    return netns ? [{ ref: `pod/${pod.meta.namespace}/${pod.meta.name}`, node: pod.nodeName, pod, netns, ip }] : []
  })
}

/** A port somebody in the pod listens on for connections from elsewhere; null: an echo must do. */
function openPort(netns: Netns): number | null {
  if (!netns.known.has('sockets')) return null
  const open = netns.sockets.find(
    (s) =>
      s.protocol === TCP && s.state === 'LISTEN' && !/^(127\.|::1$)/.test(formatIp(s.local)) && s.link === undefined,
  )
  return open?.localPort ?? null
}

function toPod(traffic: Traffic, from: string, p: SamplePod): SampleQuestion {
  const port = openPort(p.netns)
  return port === null
    ? { traffic, from, to: p.ref, protocol: 'icmp' }
    : { traffic, from, to: `${p.ref}:${port}`, protocol: 'tcp' }
}

/** To the pod's addresses, each family once: the first by its name, the other by itself. */
function toBothFamilies(traffic: Traffic, from: SamplePod, p: SamplePod): SampleQuestion[] {
  const first = toPod(traffic, from.ref, p)
  const second = p.pod.podIPs.find((ip) => ip.includes(':') !== p.ip.includes(':'))
  const sends = from.pod.podIPs.some((ip) => ip.includes(':') === second?.includes(':'))
  if (second === undefined || !sends) return [first]
  const port = /:(\d+)$/.exec(first.to)?.[1]
  const address = port !== undefined && second.includes(':') ? `[${second}]` : second
  return [first, { ...first, to: port === undefined ? address : `${address}:${port}` }]
}

/** The connections to try. Each kind is cut at a bound; senders rotate, so that every node sends. */
export function sampleQuestions(state: ClusterState): SampleQuestion[] {
  const { network, objects } = state
  const pods = samplePods(state)
  const byNode = new Map<string, SamplePod[]>()
  for (const p of pods) byNode.set(p.node, [...(byNode.get(p.node) ?? []), p])
  const podNodes = [...byNode.keys()]
  const hosts = objects.nodes.map((n) => n.meta.name).filter((name) => hostNetns(network, name))
  const turn = <T>(list: readonly T[], i: number): T | undefined => list[i % Math.max(1, list.length)]

  const nodeNode: SampleQuestion[] = []
  for (const a of hosts)
    for (const b of hosts)
      if (a !== b) nodeNode.push({ traffic: 'node-node', from: `node/${a}`, to: `node/${b}`, protocol: 'icmp' })

  const nodePod = pods.filter((p) => hosts.includes(p.node)).map((p) => toPod('node-pod', `node/${p.node}`, p))

  const podPod: SampleQuestion[] = []
  for (const a of podNodes) {
    for (const b of podNodes) {
      const from = byNode.get(a)?.[0]
      const to = byNode.get(b)?.find((p) => p !== from)
      if (from && to) podPod.push(...toBothFamilies('pod-pod', from, to))
    }
  }
  pods.forEach((p, i) => {
    const others = podNodes.filter((n) => n !== p.node)
    const from = turn(byNode.get(turn(others, i) ?? '') ?? [], i)
    if (from) podPod.push(...toBothFamilies('pod-pod', from, p))
  })

  const podService: SampleQuestion[] = []
  const nodeService: SampleQuestion[] = []
  const nodePort: SampleQuestion[] = []
  const hairpin: SampleQuestion[] = []
  objects.services.forEach((s, i) => {
    for (const p of s.ports) {
      if (s.type === 'ExternalName' || s.clusterIPs.length === 0 || s.clusterIPs[0] === 'None') continue
      const to = `svc/${s.meta.namespace}/${s.meta.name}:${p.port}`
      const protocol = p.protocol.toLowerCase()
      for (const node of new Set([turn(podNodes, i), turn(podNodes, i + 1)])) {
        const from = node === undefined ? undefined : turn(byNode.get(node) ?? [], i)
        if (from) podService.push({ traffic: 'pod-service', from: from.ref, to, protocol })
      }
      const own = pods.find((x) => backendsOf(objects, s, p).some((b) => b.ready && b.address === x.ip))
      if (own) hairpin.push({ traffic: 'hairpin', from: own.ref, to, protocol })
      const host = turn(hosts, i)
      if (host) nodeService.push({ traffic: 'node-service', from: `node/${host}`, to, protocol })
      // A node without an endpoint of its own must not answer under …TrafficPolicy Local: not a fault.
      const served = hosts.filter(
        (h) =>
          s.externalTrafficPolicy !== 'Local' || backendsOf(objects, s, p).some((b) => b.ready && b.nodeName === h),
      )
      for (const h of served) {
        const address = objects.nodes.find((n) => n.meta.name === h)?.addresses.find((a) => a.type === 'InternalIP')
        if (p.nodePort === undefined || !address) continue
        const v6 = address.address.includes(':')
        const target = v6 ? `[${address.address}]:${p.nodePort}` : `${address.address}:${p.nodePort}`
        nodePort.push({ traffic: 'node-port', from: 'external', to: target, protocol })
      }
    }
  })

  const dns: SampleQuestion[] = []
  for (const p of pods) {
    const server = p.netns.resolvConf?.nameservers[0]
    if (!server) continue
    const at = server.family === 6 ? `[${formatIp(server)}]:53` : `${formatIp(server)}:53`
    const service = objects.services.find((s) => s.clusterIPs.some((c) => c === formatIp(server)))
    // A name server on the pod's own loopback (node-local caches, sidecars) is the pod's own affair.
    if (!service && p.netns.links.some((l) => l.addresses.some((x) => ipEquals(x.ip, server)))) continue
    dns.push({ traffic: 'dns', from: p.ref, to: at, protocol: 'udp' })
  }

  const outside: SampleQuestion[] = podNodes.flatMap((n) => {
    const host = hostNetns(network, n)
    const from = byNode.get(n)?.[0]
    const leaves = host?.routes.some((r) => r.family === 4 && r.dst.length === 0 && r.type === 'unicast')
    return from && leaves && from.ip.includes('.')
      ? [{ traffic: 'outside' as const, from: from.ref, to: `${OUTSIDE}:443`, protocol: 'tcp' }]
      : []
  })

  return [nodeNode, nodePod, podPod, podService, nodeService, nodePort, hairpin, dns, outside].flatMap((list) =>
    spread(unique(list), MOST),
  )
}

function unique(list: readonly SampleQuestion[]): SampleQuestion[] {
  return [...new Map(list.map((q) => [`${q.from} ${q.to} ${q.protocol}`, q])).values()]
}

/** At most `most` of the list, evenly from all of it. */
function spread<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list]
  return Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]!)
}

/** For people: `pod/shop/web-1 → svc/shop/api:8080`. */
export function questionText(q: SampleQuestion): string {
  return `${q.from} → ${q.to}${q.protocol === 'tcp' ? '' : ` (${q.protocol})`}`
}
