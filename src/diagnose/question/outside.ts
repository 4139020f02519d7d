/**
 * A client outside asks for an address only the cluster routes (a pod's): which node its router sends the packet to is not in the
 * evidence. This puts a machine with the client's address on the cable, with a route by one node, and follows the connection from
 * there, both directions and to the end of the handshake. Asked once per node, it shows whether the choice matters.
 */
import { type Ip, ipEquals, networkOf, prefixContains } from '../../base/ip.ts'
import { traceConnection } from '../../datapath/trace.ts'
import {
  type Link,
  type LinkAddress,
  type Netns,
  type NetnsArtefact,
  type Network,
  type Route,
  unknownNetns,
} from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import type { ConnectionTrace } from '../../model/trace.ts'

/** Nodes tried as the way in. */
const MOST_NODES = 8
const EVIDENCE = { artefact: 'what-if', text: 'a machine outside' }
const KNOWN: readonly NetnsArtefact[] = [
  'links',
  'routes',
  'routing-rules',
  'neighbours',
  'fdb',
  'iptables',
  'iptables-legacy',
  'nft',
  'ipsets',
  'ipvs',
  'conntrack',
  'sysctls',
  'sockets',
  'tc',
]

/** The node's address on a subnet that holds `ip`. */
function gatewayOf(host: Netns, ip: Ip): LinkAddress | null {
  for (const l of host.links)
    for (const a of l.addresses)
      if (
        !ipEquals(a.ip, ip) &&
        a.ip.family === ip.family &&
        a.length < (ip.family === 4 ? 32 : 128) &&
        prefixContains({ ip: a.ip, length: a.length }, ip)
      )
        return a
  return null
}

function machine(ip: Ip, gateway: LinkAddress, dst: Ip, mac: string): Netns {
  const full = ip.family === 4 ? 32 : 128
  const base = { family: ip.family, metric: 0, protocol: 'kernel', tos: 0, flags: [], evidence: EVIDENCE }
  const via = (hop: Partial<Route['nexthops'][number]>) => [
    { link: 'eth0', weight: 1, onlink: false, dead: false, ...hop },
  ]
  const routes: Route[] = [
    { ...base, type: 'local', dst: { ip, length: full }, table: 255, nexthops: via({}), scope: 'host', src: ip },
    {
      ...base,
      type: 'unicast',
      dst: networkOf({ ip, length: gateway.length }),
      table: 254,
      nexthops: via({}),
      scope: 'link',
      src: ip,
    },
    {
      ...base,
      type: 'unicast',
      dst: { ip: dst, length: full },
      table: 254,
      nexthops: via({ gateway: gateway.ip }),
      scope: 'global',
    },
  ]
  const link: Link = {
    ifindex: 2,
    name: 'eth0',
    kind: 'ethernet',
    flags: new Set(['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP']),
    operstate: 'UP',
    mtu: 1500,
    mac,
    addresses: [{ ip, length: gateway.length, scope: 'global', flags: [], evidence: EVIDENCE }],
    evidence: EVIDENCE,
  }
  return {
    ...unknownNetns('outside/host', 'outside'),
    links: [link],
    routes,
    routingRules: [
      { family: ip.family, priority: 0, negate: false, action: { kind: 'table', table: 255 }, evidence: EVIDENCE },
      { family: ip.family, priority: 32766, negate: false, action: { kind: 'table', table: 254 }, evidence: EVIDENCE },
    ],
    known: new Set(KNOWN),
  }
}

/** The MAC of an address by any node's neighbour table. */
function macSeen(network: Network, ip: Ip): string | undefined {
  for (const netns of network.netns.values())
    for (const n of netns.neighbours) if (!n.proxy && n.mac !== undefined && ipEquals(n.ip, ip)) return n.mac
  return undefined
}

/**
 * Outcomes by each node as the way in, equally likely. Null when all of them work alike (then only the route outside decides, and
 * that is not known) or when the client is on no subnet of the nodes.
 */
export function byEachNode(network: Network, ip: Ip, packet: Packet): ConnectionTrace[] | null {
  const hosts = [...network.netns.values()].filter((n) => n.kind === 'host').slice(0, MOST_NODES)
  const ways = hosts.flatMap((host) => {
    const gateway = gatewayOf(host, ip)
    return gateway ? [gateway] : []
  })
  // Nodes that have its MAC already go on using it.
  const mac = macSeen(network, ip) ?? '02:6e:77:00:00:01'
  const outcomes = ways.flatMap((gateway) => {
    const with_ = {
      ...network,
      netns: new Map(network.netns).set('outside/host', machine(ip, gateway, packet.dst, mac)),
    }
    return traceConnection(with_, { from: 'outside/host', packet }).map((t) => ({
      ...t,
      probability: t.probability / ways.length,
    }))
  })
  const decided = outcomes.every((t) => t.disposition !== 'insufficient-info')
  return decided && outcomes.some((t) => t.disposition !== 'delivered') ? outcomes : null
}
