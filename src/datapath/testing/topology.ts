/**
 * A network in a few lines of text, for tests. One `netns ID` line opens a netns; under it, one fact per line:
 *
 *     netns n1/host
 *       eth0 wire 172.30.0.11/24            a NIC;  `veth ID:LINK`, `bridge`, `vxlan VNI PORT LOCAL`, `dummy`,
 *       veth1 veth p1/pod:eth0 master cni0  `macvlan LINK`, `ipip [LOCAL]` likewise; then addresses and attributes
 *       route 10.0.0.0/8 via 172.30.0.1 dev eth0
 *       rule 100 from 10.0.0.0/8 lookup 100
 *       neigh 10.244.2.0 flannel.1 @n2/host:flannel.1 PERMANENT
 *       fdb @n2/host:flannel.1 flannel.1 dst 172.30.0.12
 *       sysctl net.ipv4.ip_forward 1
 *       listen tcp 0.0.0.0:80
 *
 * The kernel's own routes (local, connected) come from the addresses. MAC addresses derive from netns and link names; `@ID:LINK`
 * stands for that link's.
 */
import type { Ip, Prefix } from '../../base/ip.ts'
import { formatIp, networkOf, parseIp, parsePrefix } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { Evidence } from '../../model/evidence.ts'
import type {
  FdbEntry,
  Link,
  LinkKind,
  Neighbour,
  Netns,
  NetnsArtefact,
  Network,
  NetworkNode,
  Nexthop,
  Route,
  RouteType,
  RoutingRule,
  Socket,
  Sysctl,
} from '../../model/network.ts'
import type { Ruleset } from '../../model/ruleset.ts'

const ARTEFACTS: readonly NetnsArtefact[] = [
  'links',
  'routes',
  'routing-rules',
  'neighbours',
  'fdb',
  'bridge-links',
  'iptables',
  'nft',
  'ipsets',
  'ipvs',
  'conntrack',
  'sysctls',
  'sockets',
  'tc',
]

type Draft = { -readonly [K in keyof Netns]: Netns[K] } & {
  links: Link[]
  routes: Route[]
  routingRules: RoutingRule[]
  neighbours: Neighbour[]
  fdb: FdbEntry[]
  sockets: Socket[]
  sysctls: Map<string, Sysctl>
  known: Set<NetnsArtefact>
}

/** The MAC the topology gives a link: stable, locally administered. */
export function macOf(netns: string, link: string): string {
  let h = 2166136261
  for (const c of `${netns}:${link}`) h = Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0
  const hex = h.toString(16).padStart(8, '0')
  return `02:01:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}`
}

const ip = (text: string): Ip => {
  const x = parseIp(text)
  if (!x) throw new Error(`topology: not an address: ${text}`)
  return x
}
const prefix = (text: string, family: 4 | 6 = 4): Prefix => {
  const x = text === 'default' ? parsePrefix(family === 4 ? '0.0.0.0/0' : '::/0') : parsePrefix(text)
  if (!x) throw new Error(`topology: not a prefix: ${text}`)
  return x
}
const mac = (text: string): string => {
  if (!text.startsWith('@')) return text
  const [id, link] = text.slice(1).split(':')
  return macOf(id ?? '', link ?? '')
}

/** Builds the network; `rulesets` gives some netns their netfilter rules, by id. */
export function topology(text: string, rulesets: Record<string, readonly Ruleset[]> = {}): Network {
  const drafts = new Map<string, Draft>()
  let current: Draft | null = null
  let number = 0
  for (const raw of text.split('\n')) {
    number++
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const words = line.split(/\s+/)
    if (words[0] === 'netns') {
      current = empty(words[1] ?? '', rulesets)
      drafts.set(current.id, current)
      continue
    }
    if (!current) throw new Error(`topology: line ${number} before any netns`)
    fact(current, words, { artefact: 'topology', line: number, text: line })
  }
  const netns = new Map<string, Netns>()
  for (const d of drafts.values()) netns.set(d.id, { ...d, links: d.links.map((l) => paired(drafts, d, l)) })
  const nodes = new Map<string, NetworkNode>()
  for (const n of netns.values()) {
    const node = nodes.get(n.node) ?? { name: n.node, pods: [] }
    nodes.set(
      n.node,
      n.kind === 'host'
        ? { ...node, host: n.id }
        : { ...node, pods: n.kind === 'pod' ? [...node.pods, n.id] : node.pods },
    )
  }
  return { nodes, netns, issues: [], missing: [] }
}

function empty(id: string, rulesets: Record<string, readonly Ruleset[]>): Draft {
  const [node, kind, namespace, name] = id.split('/')
  const evidence = (text: string): Evidence => ({ artefact: 'topology', text })
  const draft: Draft = {
    id,
    node: node ?? '',
    kind: kind === 'host' ? 'host' : kind === 'pod' ? 'pod' : 'other',
    ...(kind === 'pod' ? { pod: { namespace: namespace ?? 'default', name: name ?? id } } : {}),
    links: [],
    routes: [],
    routingRules: ([4, 6] as const).flatMap((family) =>
      [[0, 255] as const, [32766, 254] as const, ...(family === 4 ? [[32767, 253] as const] : [])].map(
        ([priority, table]) => ({
          family,
          priority,
          negate: false,
          action: { kind: 'table' as const, table },
          evidence: evidence(`${priority}: from all lookup ${table}`),
        }),
      ),
    ),
    neighbours: [],
    fdb: [],
    rulesets: rulesets[id] ?? [],
    ipsets: new Map(),
    ipvs: [],
    conntrack: [],
    sysctls: new Map(),
    sockets: [],
    qdiscs: [],
    counters: new Map(),
    known: new Set(ARTEFACTS),
  }
  fact(draft, ['lo', 'loopback', '127.0.0.1/8', '::1/128'], evidence('lo'))
  return draft
}

function fact(d: Draft, words: readonly string[], evidence: Evidence): void {
  const after = (name: string): string | undefined => {
    const i = words.indexOf(name)
    return i < 0 ? undefined : words[i + 1]
  }
  switch (words[0]) {
    case 'route':
      d.routes.push(route(words, evidence, after))
      return
    case 'rule':
      d.routingRules.push(routingRule(words, evidence, after))
      return
    case 'neigh':
      d.neighbours.push({
        ip: ip(words[1] ?? ''),
        link: words[2] ?? '',
        ...(words[3] && words[3] !== '-' ? { mac: mac(words[3]) } : {}),
        state: words[4] ?? 'REACHABLE',
        proxy: words[4] === 'proxy',
        evidence,
      })
      return
    case 'fdb': {
      const dst = after('dst')
      const master = after('master')
      d.fdb.push({
        mac: mac(words[1] ?? ''),
        link: words[2] ?? '',
        ...(dst ? { dst: ip(dst) } : {}),
        ...(master ? { master } : {}),
        flags: dst ? ['self', 'permanent'] : [],
        evidence,
      })
      return
    }
    case 'sysctl':
      d.sysctls.set(words[1] ?? '', { value: words[2] ?? '', evidence })
      return
    case 'unknown':
      for (const a of words.slice(1)) d.known.delete(a as NetnsArtefact)
      return
    case 'listen': {
      const at = (words[2] ?? '').lastIndexOf(':')
      const host = (words[2] ?? '').slice(0, at).replace(/^\[|\]$/g, '')
      const protocol = protocolNumber(words[1] ?? '') ?? 6
      const queue = after('queue')?.split('/')
      d.sockets.push({
        protocol,
        state: protocol === 17 ? 'UNCONN' : 'LISTEN',
        local: host === '*' ? ip('::') : ip(host),
        localPort: Number((words[2] ?? '').slice(at + 1)),
        remote: null,
        remotePort: 0,
        dualStack: host === '*',
        recvQueue: Number(queue?.[0] ?? 0),
        sendQueue: Number(queue?.[1] ?? 128),
        evidence,
      })
      return
    }
    default:
      addLink(d, words, evidence, after)
  }
}

function addLink(
  d: Draft,
  words: readonly string[],
  evidence: Evidence,
  after: (n: string) => string | undefined,
): void {
  const [name = '', form = ''] = words
  const kind = form === 'wire' ? 'ethernet' : (form as LinkKind)
  const prefixes = words.slice(2).flatMap((w) => (w.includes('/') && !w.includes(':eth') ? (parsePrefix(w) ?? []) : []))
  const master = after('master')
  const down = words.includes('down')
  const flags = new Set(['BROADCAST', 'MULTICAST', ...(down ? [] : ['UP', 'LOWER_UP'])])
  if (words.includes('nocarrier')) flags.add('NO-CARRIER').delete('LOWER_UP')
  if (form === 'loopback') flags.add('LOOPBACK')
  if (form === 'ipip') flags.add('NOARP')
  const vx = words.indexOf('vxlan')
  const addressFlags = ['tentative', 'dadfailed', 'deprecated', 'secondary'].filter((f) => words.includes(f))
  const link: Link = {
    ifindex: d.links.length + 1,
    name,
    kind,
    flags,
    operstate: down ? 'DOWN' : 'UP',
    mtu: Number(
      after('mtu') ?? (form === 'loopback' ? 65536 : form === 'vxlan' ? 1450 : form === 'ipip' ? 1480 : 1500),
    ),
    mac: form === 'loopback' || form === 'ipip' ? '' : (after('mac') ?? macOf(d.id, name)),
    ...(master ? { master: d.links.find((l) => l.name === master)?.ifindex ?? 0 } : {}),
    addresses: prefixes.map((p) => ({
      ip: p.ip,
      length: p.length,
      scope: name === 'lo' ? 'host' : formatIp(p.ip).startsWith('fe80') ? 'link' : 'global',
      flags: addressFlags,
      evidence,
    })),
    ...(vx === 1
      ? {
          vxlan: {
            vni: Number(words[2]),
            port: Number(words[3]),
            ...(parseIp(words[4] ?? '') ? { local: ip(words[4] ?? '') } : {}),
            learning: false,
            external: false,
          },
        }
      : {}),
    ...(form === 'ipip' ? { tunnel: parseIp(words[2] ?? '') ? { local: ip(words[2] ?? '') } : {} } : {}),
    ...(form === 'bridge' ? { bridge: { vlanFiltering: false, stp: false } } : {}),
    ...(form === 'macvlan' ? { macvlanMode: 'bridge', lower: Number.NaN } : {}),
    ...(master
      ? {
          bridgePort: {
            state: after('stp') ?? 'forwarding',
            hairpin: words.includes('hairpin'),
            isolated: words.includes('isolated'),
            learning: true,
            flood: !words.includes('noflood'),
          },
        }
      : {}),
    evidence,
  }
  d.links.push(link)
  if (!down)
    for (const a of link.addresses) kernelRoutes(d, link, { ip: a.ip, length: a.length }, addressFlags, evidence)
}

/** What `fib_add_ifaddr` and `addrconf` put into the local and main tables for an address. */
function kernelRoutes(d: Draft, link: Link, p: Prefix, flags: readonly string[], evidence: Evidence): void {
  const family = p.ip.family
  const full = family === 4 ? 32 : 128
  if (flags.includes('dadfailed') || flags.includes('tentative')) return
  const add = (type: RouteType, dst: Prefix, table: number, scope: string) =>
    d.routes.push({
      family,
      type,
      dst,
      table,
      nexthops: [{ link: link.name, weight: 1, onlink: false, dead: false }],
      metric: 0,
      ...(family === 4 ? { src: p.ip } : {}),
      scope,
      protocol: 'kernel',
      tos: 0,
      flags: [],
      evidence,
    })
  add('local', { ip: p.ip, length: full }, 255, 'host')
  if (link.name === 'lo') {
    if (family === 4) add('local', networkOf(p), 255, 'host')
    return
  }
  if (p.length < full) add('unicast', networkOf(p), 254, 'link')
}

function route(words: readonly string[], evidence: Evidence, after: (n: string) => string | undefined): Route {
  const types = ['blackhole', 'unreachable', 'prohibit', 'throw', 'local']
  const typed = types.includes(words[1] ?? '')
  const dstText = words[typed ? 2 : 1] ?? ''
  const via = after('via')
  const family: 4 | 6 = dstText.includes(':') || via?.includes(':') ? 6 : 4
  const nexthops: Nexthop[] = []
  const src = after('src')
  const mtu = after('mtu')
  words.forEach((w, i) => {
    if (w !== 'dev') return
    const gateway = words[i - 2] === 'via' ? words[i - 1] : undefined
    const weight = words[i + 2] === 'weight' ? Number(words[i + 3]) : 1
    nexthops.push({
      ...(gateway ? { gateway: ip(gateway) } : {}),
      link: words[i + 1] ?? '',
      weight,
      onlink: words.includes('onlink'),
      dead: false,
    })
  })
  return {
    family,
    type: typed ? (words[1] as RouteType) : 'unicast',
    dst: prefix(dstText, family),
    table: Number(after('table') ?? 254),
    nexthops,
    metric: Number(after('metric') ?? 0),
    ...(src ? { src: ip(src) } : {}),
    ...(mtu ? { mtu: Number(mtu) } : {}),
    scope: via ? 'global' : 'link',
    protocol: 'static',
    tos: 0,
    flags: words.includes('linkdown') ? ['linkdown'] : [],
    evidence,
  }
}

function routingRule(
  words: readonly string[],
  evidence: Evidence,
  after: (n: string) => string | undefined,
): RoutingRule {
  const from = after('from')
  const to = after('to')
  const iif = after('iif')
  const mark = after('fwmark')
  const suppress = after('suppress')
  return {
    family: from?.includes(':') || to?.includes(':') ? 6 : 4,
    priority: Number(words[1]),
    negate: words.includes('not'),
    ...(from && from !== 'all' ? { src: prefix(from) } : {}),
    ...(to ? { dst: prefix(to) } : {}),
    ...(iif ? { iif } : {}),
    ...(mark ? { mark: { value: Number(mark), mask: 0xffffffff } } : {}),
    ...(suppress ? { suppressPrefixLength: Number(suppress) } : {}),
    action: words.includes('lookup')
      ? { kind: 'table', table: Number(after('lookup')) }
      : { kind: (words[words.length - 1] ?? 'nop') as 'blackhole' },
    evidence,
  }
}

/** Resolves `veth ID:LINK` and `macvlan LINK` once every netns is there. */
function paired(drafts: ReadonlyMap<string, Draft>, d: Draft, link: Link): Link {
  const words = link.evidence.text.split(/\s+/)
  if (link.kind === 'veth') {
    const at = (words[2] ?? '').lastIndexOf(':')
    const other = drafts.get((words[2] ?? '').slice(0, at))
    const end = other?.links.find((l) => l.name === (words[2] ?? '').slice(at + 1))
    return other && end ? { ...link, peer: { netns: other.id, ifindex: end.ifindex } } : link
  }
  if (link.kind === 'macvlan') {
    const host = [...drafts.values()].find((x) => x.node === d.node && x.kind === 'host')
    const below = host?.links.find((l) => l.name === words[2])
    return below ? { ...link, lower: below.ifindex, linkNetnsid: 0 } : link
  }
  return link
}
