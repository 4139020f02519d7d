/** Nodes as checks of state see them: the host netns, the pods that live there, and the links that join the two. */
import { type Ip, ipEquals, parseIp } from '../../../base/ip.ts'
import type { NodeObject, PodObject } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Link, Netns, NetworkNode } from '../../../model/network.ts'
import type { ClusterState, Concern } from '../../cluster/check.ts'
import { holdsAddress } from '../../view/owner.ts'

export interface Host {
  readonly node: string
  readonly netns: Netns
  readonly info: NetworkNode
  readonly object?: NodeObject
}

/** The nodes to judge whose host netns was collected: those in focus, all without one. */
export function hostsOf(state: ClusterState): Host[] {
  const { focus } = state
  return allHosts(state).filter((h) => focus === undefined || focus.has(h.node))
}

/** Every node whose host netns was collected: what a node in focus is compared with. */
export function allHosts(state: ClusterState): Host[] {
  return [...state.network.nodes.values()].flatMap((info) => {
    const netns = info.host === undefined ? undefined : state.network.netns.get(info.host)
    const object = state.objects.nodes.find((n) => n.meta.name === info.name)
    return netns ? [{ node: info.name, netns, info, ...(object ? { object } : {}) }] : []
  })
}

/** A pod with a netns of its own: by its object, its netns, or both. */
export interface LocalPod {
  readonly namespace: string
  readonly name: string
  readonly object?: PodObject
  readonly netns?: Netns
  readonly addresses: readonly Ip[]
}

/** By state, then node: every check asks, and a large cluster has many pods. */
const seen = new WeakMap<ClusterState, Map<string, readonly LocalPod[]>>()

/** Pods that run on the node and have a netns of their own. */
export function podsOn(state: ClusterState, host: Host): readonly LocalPod[] {
  const known = seen.get(state) ?? new Map<string, readonly LocalPod[]>()
  seen.set(state, known)
  const pods = known.get(host.node) ?? findPods(state, host)
  known.set(host.node, pods)
  return pods
}

function findPods(state: ClusterState, host: Host): LocalPod[] {
  const out = new Map<string, LocalPod>()
  for (const object of state.objects.pods) {
    if (object.nodeName !== host.node || !holdsAddress(object) || object.phase !== 'Running') continue
    const { namespace, name } = object.meta
    const addresses = object.podIPs.map(parseIp).filter((a) => a !== null)
    out.set(`${namespace}/${name}`, { namespace, name, object, addresses })
  }
  for (const id of host.info.pods) {
    const netns = state.network.netns.get(id)
    if (!netns?.pod) continue
    const { namespace, name } = netns.pod
    const known = out.get(`${namespace}/${name}`)
    if (!known && state.objects.known.has('Pod')) continue
    const own = netns.links.flatMap((l) => l.addresses.filter((a) => a.scope === 'global').map((a) => a.ip))
    out.set(`${namespace}/${name}`, {
      namespace,
      name,
      netns,
      ...(known?.object ? { object: known.object } : {}),
      addresses: known && known.addresses.length > 0 ? known.addresses : own,
    })
  }
  return [...out.values()]
}

/** The node's end of the pod's link: the peer of its veth, or the link its host route leads over. */
export function hostLinksOf(host: Host, pod: LocalPod): Link[] {
  const found = new Set<Link>()
  for (const link of pod.netns?.links ?? []) {
    const { peer } = link
    if (peer?.netns !== host.netns.id) continue
    const other = host.netns.links.find((l) => l.ifindex === peer.ifindex)
    if (other) found.add(other)
  }
  for (const route of host.netns.routes) {
    const full = route.dst.length === (route.family === 4 ? 32 : 128)
    if (!full || route.type !== 'unicast' || !pod.addresses.some((a) => ipEquals(a, route.dst.ip))) continue
    const link = host.netns.links.find((l) => l.name === route.nexthops[0]?.link)
    if (link?.kind === 'veth') found.add(link)
  }
  return [...found]
}

/** Veths of the host that lead into a pod, or somewhere that was not collected: not to another node or machine of the test world. */
export function podVeths(state: ClusterState, host: Host): Link[] {
  const pods = new Set(podsOn(state, host).flatMap((p) => hostLinksOf(host, p)))
  return host.netns.links.filter((l) => {
    if (pods.has(l)) return true
    if (l.kind !== 'veth' || l.addresses.some((a) => a.scope === 'global')) return false
    return l.peer === undefined && /^(veth|cali|lxc|gke|azv|eni|nic)/.test(l.name)
  })
}

/** Bridges that pods hang on, with their ports. */
export function podBridges(
  state: ClusterState,
  host: Host,
): { readonly bridge: Link; readonly ports: readonly Link[] }[] {
  const veths = podVeths(state, host)
  return host.netns.links.flatMap((bridge) => {
    const ports = veths.filter((v) => v.master === bridge.ifindex)
    return bridge.kind === 'bridge' && ports.length > 0 ? [{ bridge, ports }] : []
  })
}

/** The value of a sysctl, trimmed; undefined when the sysctls were not collected or the kernel has no such key. */
export function sysctl(netns: Netns, key: string): string | undefined {
  return netns.sysctls.get(key)?.value.trim()
}

/** As a number; undefined when it is not a whole one. */
export function sysctlNumber(netns: Netns, key: string): number | undefined {
  const text = sysctl(netns, key)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** Lines of sysctls as evidence, those that were collected. */
export function sysctlProof(netns: Netns, ...keys: readonly string[]): (Evidence | undefined)[] {
  return keys.map((k) => netns.sysctls.get(k)?.evidence)
}

/** A kernel counter as evidence: counters keep no line of their own. */
export function counterProof(netns: Netns, name: string): Evidence | undefined {
  const value = netns.counters.get(name)
  if (value === undefined) return undefined
  const own = netns.id.slice(netns.node.length + 1)
  const folder = netns.pod ? `pods/${netns.pod.namespace}_${netns.pod.name}` : own
  const file = name.startsWith('conntrack.')
    ? 'conntrack-stats.txt'
    : /^(arp|ndisc)\./.test(name)
      ? 'proc-net-stat.txt'
      : 'nstat.txt'
  return { artefact: `nodes/${netns.node}/${folder}/${file}`, text: `${name} ${value}` }
}

/** Lines of the node's kernel log that match, the last `most` of them. */
export function kernelLines(host: Host, pattern: RegExp, most = 3): Evidence[] {
  return (host.info.kernelLog ?? []).filter((e) => pattern.test(e.text)).slice(-most)
}

export function concernsNode(host: Host): readonly Concern[] {
  return [{ kind: 'node', node: host.node }]
}

export function concernsPod(pod: Pick<LocalPod, 'namespace' | 'name'>): readonly Concern[] {
  return [{ kind: 'pod', namespace: pod.namespace, name: pod.name }]
}
