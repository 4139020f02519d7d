/**
 * The network: everything the datapath may know, assembled from one snapshot. Immutable; a what-if makes a new one.
 * Each netns carries `known`: an artefact that was not collected is not an empty one.
 */
import type { Ip, Prefix } from '../base/ip.ts'
import type { ConntrackEntry } from './conntrack.ts'
import type { Evidence, Issue, Missing } from './evidence.ts'
import type { NodeFiles } from './node-files.ts'
import type { IpSet, Ruleset } from './ruleset.ts'

/** `node2/host`, `node2/pod/shop/web-1`, or `node2/netns/NAME` for a netns that belongs to no pod. */
export type NetnsId = string

export interface Network {
  readonly nodes: ReadonlyMap<string, NetworkNode>
  readonly netns: ReadonlyMap<NetnsId, Netns>
  readonly issues: readonly Issue[]
  readonly missing: readonly Missing[]
}

export interface NetworkNode {
  readonly name: string
  /** The host netns; absent when nothing was collected from this node. */
  readonly host?: NetnsId
  /** Pod netns of this node. */
  readonly pods: readonly NetnsId[]
  readonly kernelRelease?: string
  /** Lines of the kernel log that were kept. */
  readonly kernelLog?: Evidence[]
  /** Files and logs of the machine; absent when none was collected (a node that is a netns of a shared machine has none of its own). */
  readonly files?: NodeFiles
}

export type NetnsArtefact =
  | 'links'
  | 'routes'
  | 'routing-rules'
  | 'neighbours'
  | 'fdb'
  | 'bridge-links'
  | 'bridge-vlans'
  | 'iptables'
  | 'iptables-legacy'
  | 'nft'
  | 'ipsets'
  | 'ipvs'
  | 'conntrack'
  | 'sysctls'
  | 'sockets'
  | 'tc'
  | 'resolv-conf'
  | 'counters'

export interface Netns {
  readonly id: NetnsId
  readonly node: string
  readonly kind: 'host' | 'pod' | 'other'
  /** Present for a pod's netns. Host-network pods have none of their own. */
  readonly pod?: { readonly namespace: string; readonly name: string }
  readonly links: readonly Link[]
  readonly routes: readonly Route[]
  readonly routingRules: readonly RoutingRule[]
  readonly neighbours: readonly Neighbour[]
  readonly fdb: readonly FdbEntry[]
  /** Every ruleset at work in this netns, all back ends. An iptables-nft table is here once, from iptables-save. */
  readonly rulesets: readonly Ruleset[]
  readonly ipsets: ReadonlyMap<string, IpSet>
  readonly ipvs: readonly IpvsService[]
  readonly conntrack: readonly ConntrackEntry[]
  /** Keys as sysctl(8) prints them with `/` for dots inside link names: `net.ipv4.conf.flannel/1.forwarding`. */
  readonly sysctls: ReadonlyMap<string, Sysctl>
  readonly sockets: readonly Socket[]
  readonly qdiscs: readonly Qdisc[]
  readonly resolvConf?: ResolvConf
  /** Kernel counters by nstat name, e.g. `TcpExtListenOverflows`. */
  readonly counters: ReadonlyMap<string, number>
  /** Which artefacts were read, wholly; absent: not collected or refused, with the reason in `Network.missing`. */
  readonly known: ReadonlySet<NetnsArtefact>
}

/** A netns of which nothing is known: what a question about an uncollected one, or a machine outside, starts from. */
export function unknownNetns(id: NetnsId, node: string): Netns {
  return {
    id,
    node,
    kind: 'other',
    links: [],
    routes: [],
    routingRules: [],
    neighbours: [],
    fdb: [],
    rulesets: [],
    ipsets: new Map(),
    ipvs: [],
    conntrack: [],
    sysctls: new Map(),
    sockets: [],
    qdiscs: [],
    counters: new Map(),
    known: new Set(),
  }
}

export interface Sysctl {
  readonly value: string
  readonly evidence: Evidence
}

// ---- links -----------------------------------------------------------------------------------------------------

export type LinkKind =
  | 'loopback'
  | 'ethernet'
  | 'veth'
  | 'bridge'
  | 'vxlan'
  | 'ipip'
  | 'gre'
  | 'geneve'
  | 'wireguard'
  | 'macvlan'
  | 'ipvlan'
  | 'vlan'
  | 'bond'
  | 'dummy'
  | 'tun'
  | 'ifb'
  | 'vrf'
  | 'sit'
  | 'other'

export interface Link {
  readonly ifindex: number
  readonly name: string
  readonly kind: LinkKind
  /** The kernel's word for the kind (`info_kind`), for kinds we call `other`. */
  readonly kernelKind?: string
  /** Upper-case flags of `ip link`: UP, LOWER_UP, NO-CARRIER, NOARP, BROADCAST, POINTOPOINT, PROMISC… */
  readonly flags: ReadonlySet<string>
  readonly operstate: string
  /** Bytes. */
  readonly mtu: number
  /** Lower-case MAC address; empty for links without one. */
  readonly mac: string
  /** Ifindex of the bridge, bond or VRF above. */
  readonly master?: number
  /** veth: the other end, when it was found in this snapshot. */
  readonly peer?: { readonly netns: NetnsId; readonly ifindex: number }
  /** Ifindex of the lower device or veth peer (`link`/`link_index`), in the netns `linkNetnsid` when that is set. */
  readonly lower?: number
  readonly linkNetnsid?: number
  readonly addresses: readonly LinkAddress[]
  readonly vxlan?: VxlanInfo
  readonly tunnel?: TunnelInfo
  readonly bridge?: BridgeInfo
  readonly bridgePort?: BridgePortInfo
  readonly macvlanMode?: string
  readonly vlanId?: number
  /** vrf: its routing table. */
  readonly vrfTable?: number
  readonly txQueueDrops?: number
  readonly stats?: {
    readonly rxPackets: number
    readonly rxErrors: number
    readonly rxDropped: number
    readonly txPackets: number
    readonly txErrors: number
    readonly txDropped: number
  }
  readonly evidence: Evidence
}

export interface LinkAddress {
  readonly ip: Ip
  readonly length: number
  readonly scope: string
  /** tentative, dadfailed, deprecated, secondary… as `ip addr` names them. */
  readonly flags: readonly string[]
  /** Point-to-point peer address. */
  readonly peer?: Prefix
  readonly broadcast?: Ip
  readonly evidence: Evidence
}

export interface VxlanInfo {
  readonly vni: number
  readonly port: number
  readonly local?: Ip
  readonly remote?: Ip
  /** Name or ifindex of the underlay link (`dev`). */
  readonly link?: string
  readonly learning: boolean
  /** Collect metadata mode (`external`): the FDB is not used, we cannot follow it. */
  readonly external: boolean
}

export interface TunnelInfo {
  readonly local?: Ip
  readonly remote?: Ip
  readonly link?: string
  readonly ttl?: number
  /** Collect metadata mode: the remote comes with each packet, we cannot follow it. */
  readonly external?: boolean
  /** geneve. */
  readonly vni?: number
  readonly port?: number
}

export interface BridgeInfo {
  readonly vlanFiltering: boolean
  readonly stp: boolean
  readonly nfCallIptables?: boolean
  readonly nfCallIp6tables?: boolean
}

export interface BridgePortInfo {
  /** disabled, listening, learning, forwarding, blocking. */
  readonly state: string
  readonly hairpin: boolean
  readonly isolated: boolean
  readonly learning: boolean
  readonly flood: boolean
}

// ---- routing ---------------------------------------------------------------------------------------------------

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'multicast'
  | 'anycast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'nat'

export interface Route {
  readonly family: 4 | 6
  readonly type: RouteType
  /** `default` is a zero-length prefix. */
  readonly dst: Prefix
  /** main 254, local 255, default 253. */
  readonly table: number
  readonly nexthops: readonly Nexthop[]
  readonly metric: number
  /** Preferred source address. */
  readonly src?: Ip
  readonly scope: string
  readonly protocol: string
  readonly tos: number
  /** Path MTU set on the route, in bytes. */
  readonly mtu?: number
  /** IPv6 source-specific routing (`from`): the route serves only packets whose source is in it. */
  readonly from?: Prefix
  /** Part of the route that is not modelled and changes what it does (encap…): where it wins, the way is not known. */
  readonly opaque?: string
  /** dead, linkdown, offload… */
  readonly flags: readonly string[]
  readonly evidence: Evidence
}

export interface Nexthop {
  readonly gateway?: Ip
  readonly link?: string
  /** Share among its siblings; 1 when alone. */
  readonly weight: number
  readonly onlink: boolean
  readonly dead: boolean
}

export interface RoutingRule {
  readonly family: 4 | 6
  readonly priority: number
  readonly negate: boolean
  readonly src?: Prefix
  readonly dst?: Prefix
  readonly iif?: string
  readonly oif?: string
  readonly mark?: { readonly value: number; readonly mask: number }
  readonly protocol?: number
  readonly sport?: readonly [number, number]
  readonly dport?: readonly [number, number]
  readonly tos?: number
  readonly uidRange?: readonly [number, number]
  readonly action:
    | { readonly kind: 'table'; readonly table: number }
    | { readonly kind: 'goto'; readonly priority: number }
    | { readonly kind: 'nop' | 'blackhole' | 'unreachable' | 'prohibit' }
  readonly suppressPrefixLength?: number
  readonly suppressIfgroup?: number
  /** A condition or action that is not modelled (l3mdev, tun_id…): the rule may or may not apply. */
  readonly opaque?: string
  readonly evidence: Evidence
}

export interface Neighbour {
  readonly ip: Ip
  readonly link: string
  /** Absent in states without an address (INCOMPLETE, FAILED). */
  readonly mac?: string
  /** REACHABLE, STALE, DELAY, PROBE, FAILED, INCOMPLETE, PERMANENT, NOARP. */
  readonly state: string
  readonly proxy: boolean
  readonly evidence: Evidence
}

export interface FdbEntry {
  readonly mac: string
  readonly link: string
  /** Remote VTEP of a VXLAN entry. */
  readonly dst?: Ip
  readonly port?: number
  readonly vni?: number
  readonly viaLink?: string
  readonly vlan?: number
  readonly master?: string
  /** permanent, static, extern_learn, offload, self, master… */
  readonly flags: readonly string[]
  readonly evidence: Evidence
}

// ---- sockets, IPVS, qdiscs, DNS --------------------------------------------------------------------------------

export interface Socket {
  /** IANA protocol number. */
  readonly protocol: number
  /** LISTEN, UNCONN, ESTAB… as ss prints it. */
  readonly state: string
  readonly local: Ip
  readonly localPort: number
  readonly remote: Ip | null
  readonly remotePort: number
  /** A dual-stack `*` listener: IPv6 wildcard that also takes IPv4. */
  readonly dualStack: boolean
  /** Bound with SO_BINDTODEVICE. */
  readonly link?: string
  /** LISTEN: connections waiting for accept. Otherwise bytes. */
  readonly recvQueue: number
  /** LISTEN: the backlog. */
  readonly sendQueue: number
  readonly process?: string
  /** A raw socket: sees copies of packets of its protocol, is no listener. */
  readonly raw?: boolean
  readonly evidence: Evidence
}

export interface IpvsService {
  readonly protocol: number
  readonly address?: Ip
  readonly port: number
  readonly mark?: number
  readonly scheduler: string
  readonly persistent?: number
  readonly destinations: readonly IpvsDestination[]
  readonly evidence: Evidence
}

export interface IpvsDestination {
  readonly address: Ip
  readonly port: number
  readonly forwarding: 'masq' | 'route' | 'tunnel'
  readonly weight: number
  readonly activeConnections?: number
  readonly inactiveConnections?: number
  readonly evidence: Evidence
}

export interface Qdisc {
  readonly link: string
  readonly kind: string
  readonly parent: string
  readonly handle: string
  /** Bytes per second, of a shaping qdisc. */
  readonly rate?: number
  readonly burst?: number
  readonly dropped?: number
  readonly overlimits?: number
  /** netem: share of packets it loses, 0–1. */
  readonly loss?: number
  /** Filters below it that may drop, mirror or redirect. */
  readonly filters: readonly string[]
  readonly evidence: Evidence
}

export interface ResolvConf {
  readonly nameservers: readonly Ip[]
  readonly search: readonly string[]
  readonly options: ReadonlyMap<string, string>
  readonly evidence: Evidence
}
