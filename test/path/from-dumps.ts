/** A Network from the dumps of kernel-world.py, by the project's own parsers. */
import type { Link, Netns, NetnsId, Network, Sysctl } from '../../src/model/network.ts'
import { parseBridgeLinks, parseFdb } from '../../src/parse/iproute2/bridge.ts'
import { parseLinks } from '../../src/parse/iproute2/links.ts'
import { parseNeighbours } from '../../src/parse/iproute2/neighbours.ts'
import { parseRoutes } from '../../src/parse/iproute2/routes.ts'
import { parseRoutingRules } from '../../src/parse/iproute2/rules.ts'
import { parseIptablesSave } from '../../src/parse/iptables/index.ts'
import { parseSockets } from '../../src/parse/sockets/ss.ts'

export type Dump = Readonly<Record<string, string>>
/** netns and link of both ends. */
export type Pair = readonly [string, string, string, string]

export function networkOf(dumps: Readonly<Record<string, Dump>>, pairs: readonly Pair[]): Network {
  const drafts = new Map(Object.entries(dumps).map(([name, dump]) => [name, netnsOf(name, dump)]))
  const indexOf = (netns: string, link: string) => drafts.get(netns)?.links.find((l) => l.name === link)?.ifindex
  const netns = new Map<NetnsId, Netns>()
  for (const [name, n] of drafts) {
    const links = n.links.map((l): Link => {
      const pair = pairs.find((p) => (p[0] === name && p[1] === l.name) || (p[2] === name && p[3] === l.name))
      if (!pair) return l
      const [other, end] = pair[0] === name && pair[1] === l.name ? [pair[2], pair[3]] : [pair[0], pair[1]]
      const ifindex = indexOf(other, end)
      return ifindex === undefined ? l : { ...l, peer: { netns: other, ifindex } }
    })
    netns.set(name, { ...n, links })
  }
  const nodes = new Map([...netns.values()].map((n) => [n.node, { name: n.node, host: n.id, pods: [] }]))
  return { nodes, netns, issues: [], missing: [] }
}

function netnsOf(name: string, dump: Dump): Netns {
  const of = (file: string) => ({ text: dump[file] ?? '', origin: { artefact: `${name}/${file}` } })
  const text = (file: string) => dump[file] ?? ''
  const origin = (file: string) => ({ artefact: `${name}/${file}` })
  const ports = new Map(parseBridgeLinks(text('bridge-link'), origin('bridge-link')).value)
  const links = parseLinks(of('link'), of('addr')).value.map((l) => {
    const port = ports.get(l.name)
    return port && l.master !== undefined ? { ...l, bridgePort: port } : l
  })
  const proxies = parseNeighbours(text('neigh-proxy'), origin('neigh-proxy')).value.map((n) => ({ ...n, proxy: true }))
  return {
    id: name,
    node: name,
    kind: 'host',
    links,
    routes: [
      ...parseRoutes(text('route4'), origin('route4'), 4).value,
      ...parseRoutes(text('route6'), origin('route6'), 6).value,
    ],
    routingRules: [
      ...parseRoutingRules(text('rule4'), origin('rule4'), 4).value,
      ...parseRoutingRules(text('rule6'), origin('rule6'), 6).value,
    ],
    neighbours: [...parseNeighbours(text('neigh'), origin('neigh')).value, ...proxies],
    fdb: parseFdb(text('fdb'), origin('fdb')).value,
    rulesets: [
      parseIptablesSave(text('iptables'), { artefact: `${name}/iptables`, family: 'ip', backend: 'iptables-nft' }),
      parseIptablesSave(text('ip6tables'), { artefact: `${name}/ip6tables`, family: 'ip6', backend: 'iptables-nft' }),
    ],
    ipsets: new Map(),
    ipvs: [],
    conntrack: [],
    sysctls: sysctlsOf(name, text('sysctl')),
    sockets: parseSockets(text('ss'), origin('ss')).value,
    qdiscs: [],
    counters: new Map(),
    known: new Set([
      'links',
      'routes',
      'routing-rules',
      'neighbours',
      'fdb',
      'bridge-links',
      'iptables',
      'nft',
      'sysctls',
      'sockets',
    ]),
  }
}

/** `/proc/sys/net/ipv4/conf/br0/rp_filter:1` lines. */
function sysctlsOf(name: string, text: string): Map<string, Sysctl> {
  const map = new Map<string, Sysctl>()
  text.split('\n').forEach((line, i) => {
    const at = line.lastIndexOf(':')
    if (at < 0) return
    const key = line
      .slice('/proc/sys/'.length, at)
      .split('/')
      .map((part) => part.replaceAll('.', '/'))
      .join('.')
    map.set(key, { value: line.slice(at + 1), evidence: { artefact: `${name}/sysctl`, line: i + 1, text: line } })
  })
  return map
}
