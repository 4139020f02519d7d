/** One netns of the model over the artefacts of its folder. Every piece is parsed when first looked at. */
import type { Issue, Missing } from '../model/evidence.ts'
import type { BridgePortInfo, Link, Netns, NetnsArtefact, RoutingRule } from '../model/network.ts'
import { parseConntrack, parseConntrackStats } from '../parse/conntrack/conntrack.ts'
import { parseNeighbourStats } from '../parse/counters/neighbour-stats.ts'
import { parseCounters } from '../parse/counters/nstat.ts'
import { parseBridgeLinks, parseBridgeVlans, parseFdb } from '../parse/iproute2/bridge.ts'
import { parseLinks } from '../parse/iproute2/links.ts'
import { parseNeighbours } from '../parse/iproute2/neighbours.ts'
import { parseRoutes } from '../parse/iproute2/routes.ts'
import { parseRoutingRules } from '../parse/iproute2/rules.ts'
import { parseIpsetSave } from '../parse/ipset/index.ts'
import { withConnectionCounts } from '../parse/ipvs/connections.ts'
import { parseIpvs } from '../parse/ipvs/ipvsadm.ts'
import { parseResolvConf } from '../parse/resolvconf/resolvconf.ts'
import type { Listing, Origin } from '../parse/rows.ts'
import { parseSockets } from '../parse/sockets/ss.ts'
import { parseSysctls } from '../parse/sysctl/sysctl.ts'
import { parseQdiscs } from '../parse/tc/qdiscs.ts'
import type { Artefact, Artefacts } from './artefacts.ts'
import { lazy, lazySet } from './lazy.ts'
import { NEEDS } from './needs.ts'
import type { Place } from './places.ts'
import { readRulesets } from './rulesets.ts'
import { endKey, type Identity, type Pairing, readIdentity } from './veths.ts'

export interface Surroundings {
  readonly artefacts: Artefacts
  /** Output of `iptables -V` on the node; empty when not collected. */
  readonly iptablesVersion: string
  /** Peers of all veths of this node. */
  readonly peers: () => Pairing['peers']
  readonly issues: Issue[]
  readonly missing: Missing[]
}

/** A netns, and its links before they know their peers. */
export interface NetnsDraft {
  readonly netns: Netns
  readonly ownLinks: () => readonly Link[]
  readonly identity: () => Identity | null
}

/** A listing with whether its artefact was read wholly. */
interface Piece<T> {
  readonly value: T
  readonly whole: boolean
}

export function netnsOf(place: Place, around: Surroundings): NetnsDraft {
  const { artefacts, issues, missing } = around
  const file = (name: string) => artefacts.read(`${place.folder}/${name}`)

  /** Notes what a parser said; a listing that came wholly but reads badly is told as missing, once. */
  const judge = <T>(artefact: Artefact, listing: Listing<T>): Piece<readonly T[]> => {
    issues.push(...listing.issues)
    if (artefact.trouble === null && !listing.complete) {
      const need = NEEDS.find((n) => n.files.some((f) => artefact.origin.artefact.endsWith(`/${f}`)))
      missing.push({
        artefact: artefact.origin.artefact,
        consequence: `${need?.what ?? 'the artefact'} of ${place.label} on ${place.node} could not be read: ${listing.issues[0]?.message ?? 'not understood'}${need ? `; ${need.consequence}` : ''}`,
      })
    }
    return { value: listing.value, whole: artefact.trouble === null && listing.complete }
  }
  const piece = <T>(name: string, parse: (text: string, origin: Origin) => Listing<T>): Piece<readonly T[]> => {
    const artefact = file(name)
    return judge(artefact, parse(artefact.text, artefact.origin))
  }

  const links = lazy((): Piece<readonly Link[]> => {
    const link = file('ip-link.json')
    const addr = file('ip-addr.json')
    // Without `ip link` its half in `ip addr` still names the links.
    const listing = parseLinks(link.trouble === null ? link : addr, addr)
    const read = judge(addr, listing)
    return { value: read.value, whole: read.whole && link.trouble === null }
  })
  const v6off = () => links().whole && !links().value.some((l) => l.addresses.some((a) => a.ip.family === 6))
  const noFamily = (a: Artefact) => a.trouble !== null && (v6off() || /family not supported/i.test(a.trouble))
  const bothFamilies = <T>(
    names: readonly [string, string],
    parse: (text: string, origin: Origin, family: 4 | 6) => Listing<T>,
  ): Piece<readonly T[]> => {
    const four = piece(names[0], (text, origin) => parse(text, origin, 4))
    const six = piece(names[1], (text, origin) => parse(text, origin, 6))
    return {
      value: [...four.value, ...six.value],
      whole: four.whole && (six.whole || noFamily(file(names[1]))),
    }
  }

  const routes = lazy(() => bothFamilies(['ip-route.json', 'ip6-route.json'], parseRoutes))
  const rules = lazy((): Piece<readonly RoutingRule[]> => {
    const read = bothFamilies(['ip-rule.json', 'ip6-rule.json'], parseRoutingRules)
    // An l3mdev rule applies to flows over a VRF only (net/core/fib_rules.c fib_rule_match): without one it does nothing.
    const noVrf = links().whole && !links().value.some((l) => l.kind === 'vrf')
    return {
      ...read,
      value: noVrf ? read.value.map((r) => (r.opaque === 'l3mdev' ? { ...r, opaque: undefined } : r)) : read.value,
    }
  })
  const neighbours = lazy(() => {
    const own = piece('ip-neigh.json', parseNeighbours)
    const proxies = piece('ip-neigh-proxy.json', parseNeighbours)
    return { value: [...own.value, ...proxies.value.map((n) => ({ ...n, proxy: true }))], whole: own.whole }
  })
  const switches = () => !links().whole || links().value.some((l) => l.kind === 'bridge' || l.kind === 'vxlan')
  const fdb = lazy(() => {
    const read = piece('bridge-fdb.json', parseFdb)
    return { ...read, whole: read.whole || !switches() }
  })
  const ports = lazy(() => piece('bridge-link.json', parseBridgeLinks))
  const vlans = lazy(() => piece('bridge-vlan.json', parseBridgeVlans))
  const rulesets = lazy(() => {
    const read = readRulesets(place.folder, artefacts, around.iptablesVersion, v6off)
    for (const r of read.rulesets) issues.push(...r.issues)
    for (const artefact of read.cut)
      missing.push({
        artefact,
        consequence: `rules of ${place.label} on ${place.node} end too early; some may be unknown`,
      })
    return read
  })
  const ipsets = lazy(() => {
    const saved = file('ipset-save.txt')
    const read = parseIpsetSave(saved.text, saved.origin.artefact)
    issues.push(...read.issues)
    return { value: read.value, whole: saved.trouble === null }
  })
  const ipvs = lazy(() => {
    const saved = piece('ipvsadm.txt', parseIpvs)
    if (!saved.whole && artefacts.trouble(`${place.folder}/proc-ip_vs.txt`) === null)
      return piece('proc-ip_vs.txt', parseIpvs)
    const listed = file('ipvsadm-connections.txt')
    return listed.trouble === null ? { ...saved, value: withConnectionCounts(saved.value, listed.text) } : saved
  })
  const conntrack = lazy(() => piece('conntrack.txt', parseConntrack))
  const sysctls = lazy(() => {
    const read = piece('sysctl.txt', parseSysctls)
    return { value: new Map(read.value), whole: read.whole }
  })
  const sockets = lazy(() => piece('ss.txt', parseSockets))
  const qdiscs = lazy(() => {
    const filter = file('tc-filter.txt')
    const read = piece('tc-qdisc.json', (text, origin) => parseQdiscs(text, origin, filter))
    return { value: read.value, whole: read.whole && filter.trouble === null }
  })
  const resolvConf = lazy(() => {
    const read = file('resolv.conf')
    if (read.trouble !== null) return { value: undefined, whole: false }
    const parsed = parseResolvConf(read.text, read.origin)
    issues.push(...parsed.issues)
    return { value: parsed.value, whole: true }
  })
  const counters = lazy(() => {
    const nstat = piece('nstat.txt', parseCounters)
    const read = nstat.whole ? nstat : piece('proc-net-counters.txt', parseCounters)
    const stats = file('conntrack-stats.txt')
    const conntrackStats = parseConntrackStats(stats.text, stats.origin)
    const tables = file('proc-net-stat.txt')
    const neighbourStats = parseNeighbourStats(tables.text, tables.origin)
    return {
      value: new Map([...read.value, ...conntrackStats.value, ...neighbourStats.value]),
      whole: read.whole,
    }
  })
  const paired = lazy(() => links().value.map((l) => withPeer(l, place, around.peers())))
  const finished = lazy(() => withBridgePorts(paired(), () => new Map(ports().value)))

  const whole: Readonly<Record<NetnsArtefact, () => boolean>> = {
    links: () => links().whole,
    routes: () => routes().whole,
    'routing-rules': () => rules().whole,
    neighbours: () => neighbours().whole,
    fdb: () => fdb().whole,
    'bridge-links': () =>
      ports().whole || finished().every((l) => !isPort(l, finished()) || l.bridgePort !== undefined),
    // Where no bridge filters VLANs, membership decides nothing.
    'bridge-vlans': () =>
      vlans().whole || (links().whole && !links().value.some((l) => l.bridge?.vlanFiltering === true)),
    iptables: () => rulesets().iptables,
    'iptables-legacy': () => rulesets().legacy,
    nft: () => rulesets().nft,
    ipsets: () => ipsets().whole,
    ipvs: () => ipvs().whole,
    conntrack: () => conntrack().whole,
    sysctls: () => sysctls().whole,
    sockets: () => sockets().whole,
    tc: () => qdiscs().whole,
    'resolv-conf': () => resolvConf().whole,
    counters: () => counters().whole,
  }
  const netns: Netns = {
    id: place.id,
    node: place.node,
    kind: place.kind,
    ...(place.pod ? { pod: place.pod } : {}),
    get links() {
      return finished()
    },
    get routes() {
      return routes().value
    },
    get routingRules() {
      return rules().value
    },
    get neighbours() {
      return neighbours().value
    },
    get fdb() {
      return fdb().value
    },
    get rulesets() {
      return rulesets().rulesets
    },
    get ipsets() {
      return ipsets().value
    },
    get ipvs() {
      return ipvs().value
    },
    get conntrack() {
      return conntrack().value
    },
    get sysctls() {
      return sysctls().value
    },
    get sockets() {
      return sockets().value
    },
    get qdiscs() {
      return qdiscs().value
    },
    get resolvConf() {
      return resolvConf().value
    },
    get counters() {
      return counters().value
    },
    known: lazySet(Object.keys(whole) as NetnsArtefact[], (artefact) => whole[artefact]()),
  }
  return {
    netns,
    ownLinks: () => links().value,
    identity: lazy(() => readIdentity(file('netns.txt').text)),
  }
}

function withPeer(link: Link, place: Place, peers: Pairing['peers']): Link {
  const peer = peers.get(endKey(place.id, link.ifindex))
  return peer ? { ...link, peer } : link
}

function isPort(link: Link, links: readonly Link[]): boolean {
  return link.master !== undefined && links.some((l) => l.ifindex === link.master && l.kind === 'bridge')
}

/** `ip -d link` of old kernels leaves out what `bridge -d link` tells about a port. */
function withBridgePorts(links: readonly Link[], ports: () => ReadonlyMap<string, BridgePortInfo>): readonly Link[] {
  return links.map((l) => {
    if (l.bridgePort !== undefined || !isPort(l, links)) return l
    const bridgePort = ports().get(l.name)
    return bridgePort ? { ...l, bridgePort } : l
  })
}
