/** Names of the question to senders and addresses, by the objects and the collected state. */
import { formatIp, type Ip, ipEquals, parseIp } from '../../base/ip.ts'
import { protocolName } from '../../base/protocol.ts'
import type { KubeObjects, Meta, NodeObject, PodObject, ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import type { NetnsId, Network } from '../../model/network.ts'
import type { Source, Target } from '../inquiry.ts'
import { holders, hostNetns, netnsOfPod } from '../view/owner.ts'
import { backendsOf, dnsServices, usableBackends } from '../view/service-view.ts'
import type { Reference } from './reference.ts'

/** The question names something that is not there, or not enough of it; the message is for the user. */
export class QuestionError extends Error {
  readonly code = 2
}

export interface Resolved {
  readonly targets: readonly Target[]
  readonly nameservers: readonly Target[]
  readonly port: number | null
  /** A name outside the cluster: its addresses are not in the evidence. */
  readonly unresolved?: string
}

function findPod(objects: KubeObjects, namespace: string, name: string): PodObject | undefined {
  return objects.pods.find((p) => p.meta.namespace === namespace && p.meta.name === name)
}

/** Pods of a workload: owned by it, or by a ReplicaSet or Job of its that carries its name as a prefix. */
function podsOfWorkload(objects: KubeObjects, kind: string, namespace: string, name: string): PodObject[] {
  return objects.pods.filter(
    (p) =>
      p.meta.namespace === namespace &&
      p.meta.owners.some(
        (o) =>
          (o.kind === kind && o.name === name) ||
          (kind === 'Deployment' && o.kind === 'ReplicaSet' && o.name.replace(/-[a-z0-9]+$/, '') === name) ||
          (kind === 'CronJob' && o.kind === 'Job' && o.name.replace(/-\d+$/, '') === name),
      ),
  )
}

function podNetns(network: Network, pod: PodObject): NetnsId | null {
  const node = pod.nodeName
  if (pod.hostNetwork) return node === undefined ? null : (hostNetns(network, node)?.id ?? `${node}/host`)
  const own = netnsOfPod(network, pod.meta.namespace, pod.meta.name)
  if (own) return own.id
  return node === undefined ? null : `${node}/pod/${pod.meta.namespace}/${pod.meta.name}`
}

function podSource(network: Network, pod: PodObject): Source {
  const label = `pod/${pod.meta.namespace}/${pod.meta.name}`
  const netns = podNetns(network, pod)
  if (netns === null) throw new QuestionError(`${label} is not scheduled to a node yet (phase ${pod.phase})`)
  return { label, netns, ip: null, pod }
}

/** An address that stands for the outside: the default gateway of the nodes, when no collected machine has it. */
export function outsideAddress(network: Network, family: 4 | 6): Ip | null {
  for (const netns of network.netns.values()) {
    if (netns.kind !== 'host') continue
    for (const r of netns.routes) {
      const gateway = r.dst.length === 0 && r.family === family ? r.nexthops[0]?.gateway : undefined
      if (gateway && holders(network, gateway).length === 0) return gateway
    }
  }
  return null
}

/** The node link with a host route to an address nobody collected: a pod of a routed CNI that we cannot look into. */
function hostRouteTo(
  network: Network,
  ip: Ip,
): { readonly netns: NetnsId; readonly node: string; readonly link: string } | null {
  for (const netns of network.netns.values()) {
    if (netns.kind !== 'host') continue
    for (const r of netns.routes) {
      const hop = r.nexthops[0]
      if (r.dst.length !== (ip.family === 4 ? 32 : 128) || r.type !== 'unicast' || !ipEquals(r.dst.ip, ip)) continue
      if (hop?.link !== undefined && !hop.gateway) return { netns: netns.id, node: netns.node, link: hop.link }
    }
  }
  return null
}

/** Senders of a question. Several for a workload. */
export function resolveSources(network: Network, objects: KubeObjects, ref: Reference): Source[] {
  switch (ref.kind) {
    case 'pod': {
      const pod = findPod(objects, ref.namespace, ref.name)
      if (pod) return [podSource(network, pod)]
      const netns = netnsOfPod(network, ref.namespace, ref.name)
      if (netns) return [{ label: `pod/${ref.namespace}/${ref.name}`, netns: netns.id, ip: null }]
      throw new QuestionError(
        notFound(
          'pod',
          ref.namespace,
          ref.name,
          objects.pods.map((p) => p.meta),
        ),
      )
    }
    case 'workload': {
      const pods = podsOfWorkload(objects, ref.workload, ref.namespace, ref.name)
      if (pods.length === 0) throw new QuestionError(`${ref.workload} ${ref.namespace}/${ref.name} has no pods`)
      return pods.map((p) => podSource(network, p))
    }
    case 'node': {
      const node = objects.nodes.find((n) => n.meta.name === ref.name)
      const host = hostNetns(network, ref.name)
      if (!node && !host)
        throw new QuestionError(
          notFound(
            'node',
            '',
            ref.name,
            objects.nodes.map((n) => n.meta),
          ),
        )
      return [{ label: `node/${ref.name}`, netns: host?.id ?? `${ref.name}/host`, ip: null, ...(node ? { node } : {}) }]
    }
    case 'ip': {
      const held = holders(network, ref.ip).find((h) => h.link.kind !== 'loopback' || h.netns.kind === 'host')
      if (held) return [{ label: formatIp(ref.ip), netns: held.netns.id, ip: ref.ip }]
      const pod = objects.pods.find((p) => !p.hostNetwork && p.podIPs.includes(formatIp(ref.ip)))
      if (pod) return [podSource(network, pod)]
      const behind = hostRouteTo(network, ref.ip)
      if (behind)
        return [{ label: formatIp(ref.ip), netns: `${behind.node}/netns/behind-${behind.link}`, ip: ref.ip, behind }]
      return [{ label: formatIp(ref.ip), netns: null, ip: ref.ip }]
    }
    case 'external': {
      const sources = ([4, 6] as const).flatMap((family) => {
        const ip = outsideAddress(network, family)
        return ip ? [{ label: 'external', netns: null, ip }] : []
      })
      if (sources.length === 0)
        throw new QuestionError('external: no gateway outside is known; give an address outside instead (ip:ADDRESS)')
      return sources
    }
    case 'service':
      throw new QuestionError('a Service cannot open connections; give a pod, a node, an address or external as FROM')
    case 'host':
      throw new QuestionError('a DNS name cannot open connections; give a pod, a node, an address or external as FROM')
  }
}

/** Names as written in references: `NS/NAME`, or `NAME` for what has no namespace. */
function notFound(kind: string, namespace: string, name: string, all: readonly Meta[]): string {
  const written = (m: Meta) => (namespace === '' ? m.name : `${m.namespace}/${m.name}`)
  const near = all
    .map((m) => ({ text: written(m), far: distance(m.name, name) + (m.namespace === namespace ? 0 : 1) }))
    .filter((n) => n.far <= Math.max(2, name.length / 2))
    .sort((x, y) => x.far - y.far || (x.text < y.text ? -1 : 1))
    .slice(0, 3)
    .map((n) => n.text)
  const where = namespace === '' ? '' : ` in namespace ${namespace}`
  return `no ${kind} ${name}${where}${near.length > 0 ? ` (did you mean ${near.join(', ')}?)` : ''}`
}

/** Edits from one word to the other: letters inserted, left out or changed (Levenshtein); 0 for a word that begins the other. */
function distance(x: string, y: string): number {
  if (x !== y && (x.startsWith(`${y}-`) || y.startsWith(`${x}-`))) return 0
  let row = Array.from({ length: y.length + 1 }, (_, i) => i)
  for (let i = 1; i <= x.length; i++) {
    const next = [i]
    for (let j = 1; j <= y.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (x[i - 1] === y[j - 1] ? 0 : 1)),
      )
    row = next
  }
  return row[y.length] ?? 0
}

function portNumber(text: string | null): number | null {
  return text !== null && /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65536 ? Number(text) : null
}

interface Ask {
  readonly network: Network
  readonly objects: KubeObjects
  readonly protocol: number
  /** Port as the user wrote it, number or name; null when not given. */
  readonly port: string | null
  /** Addresses are taken of the families senders have; 4 first. */
  readonly family: 4 | 6 | null
}

function ofFamily(ask: Ask, addresses: readonly string[]): Ip[] {
  const ips = addresses.map(parseIp).filter((ip) => ip !== null)
  const wanted = ask.family === null ? ips : ips.filter((ip) => ip.family === ask.family)
  return (wanted.length > 0 ? wanted : ips).slice(0, 1)
}

function needPort(ask: Ask, declared: readonly number[], what: string): number | null {
  if (ask.protocol === 1 || ask.protocol === 58) return null
  const port = portNumber(ask.port)
  if (port !== null) return port
  if (ask.port !== null && /^\d+$/.test(ask.port))
    throw new QuestionError(`${what}: port ${ask.port} must be a number from 1 to 65535`)
  if (ask.port !== null) throw new QuestionError(`${what} has no port named ${ask.port}`)
  const only = [...new Set(declared)]
  if (only.length === 1) return only[0] ?? null
  throw new QuestionError(
    `${what}: which port? Give --port N${only.length > 0 ? ` (declared: ${only.slice(0, 8).join(', ')})` : ''}`,
  )
}

function podTargets(ask: Ask, pods: readonly PodObject[], what: string): Target[] {
  return pods.flatMap((pod) => {
    const ports = pod.containers.flatMap((c) => c.ports)
    const fitting = ports.filter((p) => p.protocol.toLowerCase() === protocolName(ask.protocol))
    const named = ask.port === null ? undefined : fitting.find((p) => p.name === ask.port)
    const port = named
      ? named.containerPort
      : needPort(
          ask,
          fitting.map((p) => p.containerPort),
          what,
        )
    return ofFamily(ask, pod.podIPs).map((ip) => ({ label: what, ip, port, share: 1 / pods.length, pod }))
  })
}

function servicePort(
  ask: Ask,
  service: ServiceObject,
  what: string,
): { readonly number: number | null; readonly port?: ServicePort } {
  const fitting = service.ports.filter((p) => p.protocol.toLowerCase() === protocolName(ask.protocol))
  const number = portNumber(ask.port)
  if (ask.port !== null && number === null && !/^\d+$/.test(ask.port)) {
    const named = service.ports.find((p) => p.name === ask.port)
    if (!named)
      throw new QuestionError(
        `${what} has no port named ${ask.port} (it has ${service.ports.map((p) => p.name || p.port).join(', ')})`,
      )
    return { number: named.port, port: named }
  }
  if (ask.protocol === 1 || ask.protocol === 58) return { number: null }
  const wanted = needPort(
    ask,
    fitting.map((p) => p.port),
    what,
  )
  const port = fitting.find((p) => p.port === wanted)
  return { number: wanted, ...(port ? { port } : {}) }
}

function serviceTargets(ask: Ask, service: ServiceObject, what: string): Target[] {
  const { number, port } = servicePort(ask, service, what)
  const label = what
  const addresses = service.clusterIPs.filter((a) => a !== '' && a !== 'None')
  if (addresses.length > 0)
    return ofFamily(ask, addresses).map((ip) => ({ label, ip, port: number, share: 1, service }))
  // Headless: DNS gives the addresses of the endpoints, and nothing translates the port.
  const any = port ?? service.ports[0]
  const backends = any ? usableBackends(backendsOf(ask.objects, service, any)) : []
  if (backends.length === 0)
    throw new QuestionError(`${what} is headless and has no endpoints: its name resolves to nothing`)
  return backends.map((b) => ({
    label,
    ip: b.ip,
    port: number,
    share: 1 / backends.length,
    service,
    ...(b.pod ? { pod: b.pod } : {}),
  }))
}

function findService(objects: KubeObjects, namespace: string, name: string): ServiceObject | undefined {
  return objects.services.find((s) => s.meta.namespace === namespace && s.meta.name === name)
}

/** The Service a DNS name of the cluster means, tried with the search list of the sender's namespace (ndots aside). */
function serviceOfName(objects: KubeObjects, name: string, namespace: string): ServiceObject | null {
  const labels = name.replace(/\.$/, '').split('.')
  const [first = '', second] = labels
  const rest = labels.slice(2).join('.')
  if (labels.length === 1) return findService(objects, namespace, first) ?? null
  if (labels.length === 2 && second !== undefined) return findService(objects, second, first) ?? null
  if (second !== undefined && /^svc(\..*)?$/.test(rest)) return findService(objects, second, first) ?? null
  return null
}

function nodeTargets(ask: Ask, node: NodeObject | undefined, name: string, what: string): Target[] {
  const addresses = node?.addresses.filter((a) => a.type === 'InternalIP').map((a) => a.address) ?? []
  const own =
    hostNetns(ask.network, name)?.links.flatMap((l) =>
      l.addresses.filter((a) => a.scope === 'global').map((a) => formatIp(a.ip)),
    ) ?? []
  const port = needPort(ask, [], what)
  return ofFamily(ask, addresses.length > 0 ? addresses : own).map((ip) => ({
    label: what,
    ip,
    port,
    share: 1,
    ...(node ? { node } : {}),
  }))
}

/** Nameservers a source asks: its resolv.conf, else the cluster DNS. */
function nameserversOf(ask: Ask, source: Source | undefined): Target[] {
  const own = source?.netns ? ask.network.netns.get(source.netns)?.resolvConf?.nameservers : undefined
  const cluster = dnsServices(ask.objects).flatMap((s) => s.clusterIPs.map(parseIp).filter((ip) => ip !== null))
  const all = own && own.length > 0 ? own : source?.pod && source.pod.dnsPolicy !== 'Default' ? cluster : []
  const first = all[0]
  return first ? [{ label: `nameserver ${formatIp(first)}`, ip: first, port: 53, share: 1 }] : []
}

/** Destinations of a question. */
export function resolveTargets(ask: Ask, ref: Reference, text: string, source: Source | undefined): Resolved {
  const one = (targets: readonly Target[]): Resolved => {
    if (targets.length === 0)
      throw new QuestionError(`${text} has no address${ask.family ? ` of IPv${ask.family}` : ''}`)
    return { targets, nameservers: [], port: targets[0]?.port ?? null }
  }
  switch (ref.kind) {
    case 'pod': {
      const pod = findPod(ask.objects, ref.namespace, ref.name)
      if (!pod)
        throw new QuestionError(
          notFound(
            'pod',
            ref.namespace,
            ref.name,
            ask.objects.pods.map((p) => p.meta),
          ),
        )
      return one(podTargets(ask, [pod], text))
    }
    case 'workload': {
      const pods = podsOfWorkload(ask.objects, ref.workload, ref.namespace, ref.name)
      if (pods.length === 0) throw new QuestionError(`${ref.workload} ${ref.namespace}/${ref.name} has no pods`)
      return one(podTargets(ask, pods, text))
    }
    case 'service': {
      const service = findService(ask.objects, ref.namespace, ref.name)
      if (!service)
        throw new QuestionError(
          notFound(
            'service',
            ref.namespace,
            ref.name,
            ask.objects.services.map((s) => s.meta),
          ),
        )
      if (service.externalName) return resolveName(ask, service.externalName, text, source)
      return one(serviceTargets(ask, service, text))
    }
    case 'node': {
      const node = ask.objects.nodes.find((n) => n.meta.name === ref.name)
      if (!node && !hostNetns(ask.network, ref.name))
        throw new QuestionError(
          notFound(
            'node',
            '',
            ref.name,
            ask.objects.nodes.map((n) => n.meta),
          ),
        )
      return one(nodeTargets(ask, node, ref.name, text))
    }
    case 'ip': {
      const node = ask.objects.nodes.find((n) => n.addresses.some((a) => sameText(a.address, ref.ip)))
      return one([{ label: text, ip: ref.ip, port: needPort(ask, [], text), share: 1, ...(node ? { node } : {}) }])
    }
    case 'host':
      return resolveName(ask, ref.host, text, source)
    case 'external': {
      // Any address of the Internet takes the same way out.
      const ip = parseIp(ask.family === 6 ? '2606:4700:4700::1111' : '1.1.1.1')
      return one(ip ? [{ label: text, ip, port: needPort(ask, [443], text), share: 1 }] : [])
    }
  }
}

function sameText(text: string, ip: Ip): boolean {
  const parsed = parseIp(text)
  return parsed !== null && ipEquals(parsed, ip)
}

function resolveName(ask: Ask, name: string, text: string, source: Source | undefined): Resolved {
  const nameservers = nameserversOf(ask, source)
  const service = serviceOfName(ask.objects, name, source?.pod?.meta.namespace ?? 'default')
  if (!service) return { targets: [], nameservers, port: portNumber(ask.port), unresolved: name }
  const targets = serviceTargets(ask, service, text)
  return { targets, nameservers, port: targets[0]?.port ?? null }
}
