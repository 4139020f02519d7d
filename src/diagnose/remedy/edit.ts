/** What-if: a Network with one thing changed. Pure; the given network is never touched. */
import { formatIp, type Ip, ipEquals, maskOf, networkOf, type Prefix } from '../../base/ip.ts'
import type { FdbEntry, Link, Neighbour, Netns, NetnsId, Network, Route, RoutingRule } from '../../model/network.ts'
import type { Chain, Match, Rule, Ruleset, Statement, Table } from '../../model/ruleset.ts'

export function withNetns(network: Network, id: NetnsId, change: (netns: Netns) => Netns): Network {
  const old = network.netns.get(id)
  if (!old) return network
  return { ...network, netns: new Map(network.netns).set(id, change(old)) }
}

/** `sysctl -w KEY=VALUE` for each pair. */
export function withSysctls(network: Network, id: NetnsId, values: Readonly<Record<string, string>>): Network {
  return withNetns(network, id, (netns) => {
    const sysctls = new Map(netns.sysctls)
    for (const [key, value] of Object.entries(values))
      sysctls.set(key, {
        value,
        evidence: sysctls.get(key)?.evidence ?? { artefact: 'what-if', text: `${key} = ${value}` },
      })
    return { ...netns, sysctls }
  })
}

export function withRoute(network: Network, id: NetnsId, route: Route): Network {
  return withNetns(network, id, (netns) => ({ ...netns, routes: [...netns.routes, route] }))
}

export function withoutRoute(network: Network, id: NetnsId, gone: (route: Route) => boolean): Network {
  return withNetns(network, id, (netns) => ({ ...netns, routes: netns.routes.filter((r) => !gone(r)) }))
}

export function withoutRoutingRule(network: Network, id: NetnsId, gone: (rule: RoutingRule) => boolean): Network {
  return withNetns(network, id, (netns) => ({ ...netns, routingRules: netns.routingRules.filter((r) => !gone(r)) }))
}

export function withLink(network: Network, id: NetnsId, name: string, change: (link: Link) => Link): Network {
  return withNetns(network, id, (netns) => ({
    ...netns,
    links: netns.links.map((l) => (l.name === name ? change(l) : l)),
  }))
}

/** `ip link set NAME up`; the peer of a veth gets its carrier back. */
export function withLinkUp(network: Network, id: NetnsId, name: string): Network {
  const raise = (l: Link): Link => ({
    ...l,
    flags: new Set([...[...l.flags].filter((f) => f !== 'NO-CARRIER'), 'UP', 'LOWER_UP']),
    operstate: l.kind === 'veth' || l.kind === 'ethernet' ? 'UP' : 'UNKNOWN',
    ...(l.bridgePort ? { bridgePort: { ...l.bridgePort, state: 'forwarding' } } : {}),
  })
  const link = network.netns.get(id)?.links.find((l) => l.name === name)
  const up = withLink(network, id, name, raise)
  const peer = link?.peer
  if (!peer) return up
  const peerLink = network.netns.get(peer.netns)?.links.find((l) => l.ifindex === peer.ifindex)
  return peerLink?.flags.has('UP') ? withLink(up, peer.netns, peerLink.name, raise) : up
}

export function withNeighbour(network: Network, id: NetnsId, link: string, ip: Ip, mac: string): Network {
  return withNetns(network, id, (netns) => {
    const mine = (n: Neighbour) => n.link === link && ipEquals(n.ip, ip) && !n.proxy
    const old = netns.neighbours.find(mine)
    const entry: Neighbour = {
      ip,
      link,
      mac,
      state: 'PERMANENT',
      proxy: false,
      evidence: old?.evidence ?? { artefact: 'what-if', text: mac },
    }
    return { ...netns, neighbours: [...netns.neighbours.filter((n) => !mine(n)), entry] }
  })
}

export function withoutNeighbour(network: Network, id: NetnsId, link: string, ip: Ip): Network {
  return withNetns(network, id, (netns) => ({
    ...netns,
    neighbours: netns.neighbours.filter((n) => n.link !== link || !ipEquals(n.ip, ip)),
  }))
}

/** `bridge fdb replace MAC dev LINK dst IP self permanent`. */
export function withFdb(network: Network, id: NetnsId, link: string, mac: string, dst: Ip): Network {
  return withNetns(network, id, (netns) => {
    const mine = (e: FdbEntry) => e.link === link && e.mac === mac
    const entry: FdbEntry = {
      mac,
      link,
      dst,
      flags: ['permanent', 'self'],
      evidence: netns.fdb.find(mine)?.evidence ?? { artefact: 'what-if', text: mac },
    }
    return { ...netns, fdb: [...netns.fdb.filter((e) => !mine(e)), entry] }
  })
}

const changeChain = (table: Table, name: string, change: (chain: Chain) => Chain): Table => {
  const old = table.chains.get(name)
  return old ? { ...table, chains: new Map(table.chains).set(name, change(old)) } : table
}

function withChain(
  network: Network,
  id: NetnsId,
  where: { readonly artefact?: string; readonly table: string; readonly chain: string },
  change: (chain: Chain) => Chain,
): Network {
  const ruleset = (r: Ruleset): Ruleset =>
    where.artefact !== undefined && r.artefact !== where.artefact
      ? r
      : { ...r, tables: r.tables.map((t) => (t.name === where.table ? changeChain(t, where.chain, change) : t)) }
  return withNetns(network, id, (netns) => ({ ...netns, rulesets: netns.rulesets.map(ruleset) }))
}

/** The ruleset without the rule on that line of its artefact. */
export function withoutRule(
  network: Network,
  id: NetnsId,
  where: { readonly artefact?: string; readonly table: string; readonly chain: string; readonly line: number },
): Network {
  return withChain(network, id, where, (chain) => {
    const rules = chain.rules().filter((r) => r.line !== where.line)
    return { ...chain, rules: () => rules }
  })
}

/** `iptables -P CHAIN ACCEPT`. */
export function withChainPolicy(
  network: Network,
  id: NetnsId,
  where: { readonly artefact?: string; readonly table: string; readonly chain: string },
  policy: 'accept' | 'drop',
): Network {
  return withChain(network, id, where, (chain) => (chain.base ? { ...chain, base: { ...chain.base, policy } } : chain))
}

/** The chain with rules after its last one: `iptables -A CHAIN …` for each. */
export function withRulesAppended(
  network: Network,
  id: NetnsId,
  where: { readonly artefact?: string; readonly table: string; readonly chain: string },
  added: readonly Rule[],
): Network {
  return withChain(network, id, where, (chain) => {
    const rules = [...chain.rules(), ...added]
    return { ...chain, rules: () => rules }
  })
}

/** A rule of a remedy, as the dialect would write it. */
export function proposedRule(text: string, matches: readonly Match[], statement: Statement): Rule {
  return { line: 0, text, parts: [...matches, statement] }
}

/** `-s PREFIX`, `-d PREFIX`. */
export function addressMatch(side: 'src' | 'dst', prefix: Prefix): Match {
  return {
    kind: 'address',
    side,
    addr: networkOf(prefix).ip,
    mask: maskOf(prefix.ip.family, prefix.length),
    negate: false,
  }
}

/** `ip link set NAME address MAC`: the kernel forgets every neighbour of the link, permanent ones too (neigh_changeaddr, Linux 6.18). */
export function withMac(network: Network, id: NetnsId, name: string, mac: string): Network {
  const changed = withLink(network, id, name, (l) => ({ ...l, mac }))
  return withNetns(changed, id, (netns) => ({ ...netns, neighbours: netns.neighbours.filter((n) => n.link !== name) }))
}

/** `ip link del NAME`: the link with its addresses, routes and neighbours; a veth's other end goes too. */
export function withoutLink(network: Network, id: NetnsId, name: string): Network {
  const link = network.netns.get(id)?.links.find((l) => l.name === name)
  if (!link) return network
  const own = new Set(link.addresses.map((a) => formatIp(a.ip)))
  const gone = withNetns(network, id, (netns) => ({
    ...netns,
    links: netns.links
      .filter((l) => l !== link)
      .map(({ master, ...l }) => (master === undefined || master === link.ifindex ? l : { ...l, master })),
    routes: netns.routes.filter(
      (r) =>
        !r.nexthops.some((n) => n.link === name) &&
        !(r.type === 'local' && r.dst.length === (r.family === 4 ? 32 : 128) && own.has(formatIp(r.dst.ip))),
    ),
    neighbours: netns.neighbours.filter((n) => n.link !== name),
    fdb: netns.fdb.filter((e) => e.link !== name),
  }))
  const peer = link.kind === 'veth' ? link.peer : undefined
  const other = peer && gone.netns.get(peer.netns)?.links.find((l) => l.ifindex === peer.ifindex)
  return peer && other ? withoutLink(gone, peer.netns, other.name) : gone
}
