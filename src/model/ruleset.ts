/**
 * Netfilter rules in neutral form. iptables and nftables are dialects of it: parsers translate both into these parts,
 * and the datapath never learns which one it was.
 *
 * What is common has a form of its own (address, port, link, mark, ctState…), because it is what indexes are built on;
 * everything else is a comparison of expressions. What a parser could not read stays in its place as an `opaque` part.
 */
import type { Ip } from '../base/ip.ts'
import type { CtState } from './conntrack.ts'
import type { Issue } from './evidence.ts'

export type TableFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev'
export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress'
export type Backend = 'iptables-legacy' | 'iptables-nft' | 'nft'
export type ChainType = 'filter' | 'nat' | 'route'

/** All tables that one tool printed in one netns. */
export interface Ruleset {
  readonly backend: Backend
  /** Artefact path (or file name) the lines of its rules refer to. */
  readonly artefact: string
  readonly tables: readonly Table[]
  /** Trouble met so far. Rules are parsed when first visited, so this list can grow. */
  readonly issues: Issue[]
}

export interface Table {
  readonly family: TableFamily
  readonly name: string
  readonly chains: ReadonlyMap<string, Chain>
  /** Names of the base chains among them, where the parser noted them: a Service cluster has forty thousand chains and a dozen of these. */
  readonly bases?: readonly string[]
  /** nft sets, maps and verdict maps by name. An iptables table has none: its sets are the netns's ipsets. */
  readonly sets: ReadonlyMap<string, NamedSet>
  /** nft `flags dormant`: the table is registered at no hook. */
  readonly dormant?: boolean
}

export interface Chain {
  readonly name: string
  /** Present on base chains only. */
  readonly base?: BaseChain
  /** Line of the chain's declaration. */
  readonly line: number
  /** Parsed on first call, then the same array. */
  rules(): readonly Rule[]
}

export interface BaseChain {
  readonly hook: Hook
  readonly type: ChainType
  /** Order at the hook, lower first (raw −300, conntrack −200, mangle −150, dstnat −100, filter 0, security 50, srcnat 100). */
  readonly priority: number
  /** Chain policy: what falls off the end gets. */
  readonly policy: 'accept' | 'drop'
  /** netdev family, and ingress of inet: the devices it is attached to. */
  readonly devices?: readonly string[]
  /** Packet and byte counters of the chain policy. */
  readonly counters?: Counters
}

export interface Counters {
  readonly packets: number
  readonly bytes: number
}

/** One rule: its parts are evaluated left to right; a part that does not match ends the rule. */
export interface Rule {
  readonly line: number
  /** The raw line, without indentation. */
  readonly text: string
  readonly parts: readonly RulePart[]
  readonly counters?: Counters
  readonly comment?: string
  /** nft handle, where it was listed. */
  readonly handle?: number
}

export type RulePart = Match | Statement

// ---- values ----------------------------------------------------------------------------------------------------

/** Numbers are unsigned and at most 2^53; addresses are Ip; names of links, helpers and the like are strings. */
export type Value = number | Ip | string

/**
 * One component of a set element's key: a single value or an inclusive range (a prefix is a range). Ranges of strings
 * go by code unit: the link names `"cali*"` are the range from `cali` to `cali\uffff`.
 */
export interface Interval {
  readonly from: Value
  readonly to: Value
}

/**
 * What can be read from a packet or its surroundings. The vocabulary is nft's, one word for both dialects:
 * `meta.*` (man nft, META EXPRESSIONS), `ct.*` (CONNTRACK EXPRESSIONS), headers by protocol and field name.
 * Fields outside this list are `opaque` expressions.
 */
export type Field =
  | 'meta.iif'
  | 'meta.oif'
  | 'meta.iifname'
  | 'meta.oifname'
  | 'meta.iifgroup'
  | 'meta.oifgroup'
  | 'meta.iiftype'
  | 'meta.oiftype'
  | 'meta.iifkind'
  | 'meta.oifkind'
  | 'meta.ibrname'
  | 'meta.obrname'
  | 'meta.sdif'
  | 'meta.sdifname'
  | 'meta.mark'
  | 'meta.priority'
  | 'meta.l4proto'
  | 'meta.nfproto'
  | 'meta.protocol'
  | 'meta.length'
  | 'meta.pkttype'
  | 'meta.cpu'
  | 'meta.random'
  | 'meta.skuid'
  | 'meta.skgid'
  | 'meta.cgroup'
  | 'meta.rtclassid'
  | 'meta.time'
  | 'meta.day'
  | 'meta.hour'
  | 'meta.ipsec'
  | 'ip.saddr'
  | 'ip.daddr'
  | 'ip.protocol'
  | 'ip.ttl'
  | 'ip.dscp'
  | 'ip.ecn'
  | 'ip.tos'
  | 'ip.length'
  | 'ip.version'
  | 'ip.hdrlength'
  | 'ip.id'
  | 'ip.frag-off'
  | 'ip6.saddr'
  | 'ip6.daddr'
  | 'ip6.nexthdr'
  | 'ip6.hoplimit'
  | 'ip6.dscp'
  | 'ip6.ecn'
  | 'ip6.length'
  | 'ip6.version'
  | 'ip6.flowlabel'
  | 'th.sport'
  | 'th.dport'
  | 'tcp.sport'
  | 'tcp.dport'
  | 'tcp.flags'
  | 'tcp.sequence'
  | 'tcp.ackseq'
  | 'tcp.window'
  | 'tcp.doff'
  | 'udp.sport'
  | 'udp.dport'
  | 'udp.length'
  | 'sctp.sport'
  | 'sctp.dport'
  | 'dccp.sport'
  | 'dccp.dport'
  | 'icmp.type'
  | 'icmp.code'
  | 'icmp.id'
  | 'icmpv6.type'
  | 'icmpv6.code'
  | 'icmpv6.id'
  | 'ether.saddr'
  | 'ether.daddr'
  | 'ether.type'
  | 'vlan.id'
  | 'ct.state'
  | 'ct.status'
  | 'ct.mark'
  | 'ct.direction'
  | 'ct.zone'
  | 'ct.expiration'
  | 'ct.helper'
  | 'ct.label'
  | 'ct.id'
  | 'ct.bytes'
  | 'ct.packets'
  | 'ct.avgpkt'
  | 'ct.l3proto'
  | 'ct.protocol'
  | 'ct.original.saddr'
  | 'ct.original.daddr'
  | 'ct.original.proto-src'
  | 'ct.original.proto-dst'
  | 'ct.reply.saddr'
  | 'ct.reply.daddr'
  | 'ct.reply.proto-src'
  | 'ct.reply.proto-dst'
  | 'rt.nexthop'
  | 'rt.mtu'
  | 'rt.classid'
  | 'rt.ipsec'
  | 'socket.transparent'
  | 'socket.mark'
  | 'socket.wildcard'

/** Bits of `ct.state` (man nft): invalid 1, established 2, related 4, new 8, untracked 64. */
export const CT_STATE_BITS: Record<CtState, number> = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 }

export type Expr =
  | { readonly kind: 'field'; readonly field: Field }
  | { readonly kind: 'literal'; readonly value: Value }
  | {
      readonly kind: 'bitwise'
      readonly op: 'and' | 'or' | 'xor' | 'shl' | 'shr'
      readonly left: Expr
      readonly right: Expr
    }
  | { readonly kind: 'concat'; readonly parts: readonly Expr[] }
  /** Data map: the value stored under the key. A key that is absent ends the rule. */
  | { readonly kind: 'map'; readonly key: Expr; readonly map: SetRef }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly modulus: number; readonly offset: number }
  | {
      readonly kind: 'hash'
      readonly of: Expr | 'symmetric'
      readonly modulus: number
      readonly seed: number | null
      readonly offset: number
    }
  /** FIB lookup (man nft, FIB EXPRESSIONS). `type` yields an address type name, `oif` an ifindex (0: none), `oifname`, `present` 0/1. */
  | {
      readonly kind: 'fib'
      readonly keys: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif')[]
      readonly result: 'type' | 'oif' | 'oifname' | 'present'
    }
  | { readonly kind: 'opaque'; readonly text: string }

/** A set in place (`{ 80, 443 }`) or by name. */
export type SetRef =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'anonymous'; readonly set: NamedSet }

// ---- matches ---------------------------------------------------------------------------------------------------

/** Address types as rtnetlink names them in lower case: local, unicast, broadcast, multicast, anycast, blackhole… */
export type AddressType =
  | 'unspec'
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'

/** A match never matches a packet of the other address family, negated or not, when it names an address. */
export type Match =
  | {
      readonly kind: 'address'
      readonly side: 'src' | 'dst'
      readonly addr: Ip
      readonly mask: Ip
      readonly negate: boolean
    }
  | {
      readonly kind: 'addressRange'
      readonly side: 'src' | 'dst'
      readonly from: Ip
      readonly to: Ip
      readonly negate: boolean
    }
  | { readonly kind: 'protocol'; readonly protocol: number; readonly negate: boolean }
  /** Needs a transport header of `protocols` (null: any with ports); otherwise it does not match, negated or not. */
  | {
      readonly kind: 'port'
      readonly side: 'src' | 'dst' | 'either'
      readonly ranges: readonly (readonly [number, number])[]
      readonly protocols: readonly number[] | null
      readonly negate: boolean
    }
  /** By name; `wildcard` when any name with this prefix matches (iptables `cali+`, nft `"cali*"`). */
  | {
      readonly kind: 'link'
      readonly side: 'in' | 'out'
      readonly name: string
      readonly wildcard: boolean
      readonly negate: boolean
    }
  /** Bridge port below the in or out link (xt_physdev). `name` null: whether there is one (`--physdev-is-in`, `-is-out`). */
  | {
      readonly kind: 'physdev'
      readonly side: 'in' | 'out' | 'bridged'
      readonly name: string | null
      readonly wildcard: boolean
      readonly negate: boolean
    }
  /** `snat` and `dnat` are xt_conntrack's virtual states: the connection's source or destination is translated. */
  | { readonly kind: 'ctState'; readonly states: readonly (CtState | 'snat' | 'dnat')[]; readonly negate: boolean }
  | {
      readonly kind: 'ctStatus'
      readonly statuses: readonly (
        | 'none'
        | 'expected'
        | 'seen-reply'
        | 'assured'
        | 'confirmed'
        | 'snat'
        | 'dnat'
        | 'dying'
      )[]
      readonly negate: boolean
    }
  | {
      readonly kind: 'mark'
      readonly of: 'packet' | 'connection'
      readonly value: number
      readonly mask: number
      readonly negate: boolean
    }
  /** FIB type of an address (xt_addrtype, nft `fib saddr type`); `limit` restricts the lookup to the in or out link. */
  | {
      readonly kind: 'addressType'
      readonly side: 'src' | 'dst'
      readonly types: readonly AddressType[]
      readonly limit: 'in' | 'out' | null
      readonly negate: boolean
    }
  | { readonly kind: 'tcpFlags'; readonly mask: number; readonly comp: number; readonly negate: boolean }
  | {
      readonly kind: 'icmpType'
      readonly family: 4 | 6
      readonly type: number
      readonly codes: readonly [number, number]
      readonly negate: boolean
    }
  /** True for a share of packets, decided anew for each (`statistic --mode random`). */
  | { readonly kind: 'random'; readonly probability: number; readonly negate: boolean }
  /** xt_statistic nth: true for every `every`-th packet, starting at `packet`. */
  | { readonly kind: 'nth'; readonly every: number; readonly packet: number; readonly negate: boolean }
  /** xt_set: `dirs` says for each dimension whether it is the packet's source or destination side. */
  | {
      readonly kind: 'ipset'
      readonly name: string
      readonly dirs: readonly ('src' | 'dst')[]
      readonly negate: boolean
      readonly text?: string
    }
  | {
      readonly kind: 'recent'
      readonly mode: 'rcheck' | 'update' | 'set' | 'remove'
      readonly name: string
      readonly side: 'src' | 'dst'
      readonly seconds: number | null
      readonly hitcount: number | null
      readonly negate: boolean
    }
  /** Reverse path test of xt_rpfilter; the nft spelling is a `fib` comparison. */
  | {
      readonly kind: 'rpfilter'
      readonly loose: boolean
      readonly validmark: boolean
      readonly acceptLocal: boolean
      readonly invert: boolean
    }
  /** A rate: whether it matches depends on packets we did not see (limit, hashlimit, connlimit, quota…). */
  | { readonly kind: 'rate'; readonly text: string }
  | {
      readonly kind: 'compare'
      readonly op: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'
      readonly left: Expr
      readonly right: Expr
    }
  | { readonly kind: 'in'; readonly left: Expr; readonly set: SetRef; readonly negate: boolean }
  /** `ct state` and the like with flag lists: true when any of `bits` is set in the field. */
  | { readonly kind: 'anyBit'; readonly left: Expr; readonly bits: number; readonly negate: boolean }
  /** Understood to be always true or false (e.g. `-m comment`, or nft `meta nfproto ipv6` in an ip table). */
  | { readonly kind: 'always'; readonly matches: boolean }
  /** Not understood: may match or not. */
  | { readonly kind: 'opaque'; readonly what: 'match'; readonly text: string }

// ---- statements ------------------------------------------------------------------------------------------------

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'return' }
  | { readonly kind: 'queue' }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }

/** What a reject sends back: a TCP reset or an ICMP unreachable (its nft or iptables name kept in `with`). */
export type RejectWith =
  | 'tcp-reset'
  | 'port-unreachable'
  | 'host-unreachable'
  | 'net-unreachable'
  | 'proto-unreachable'
  | 'admin-prohibited'
  | 'host-prohibited'
  | 'net-prohibited'
  | 'no-route'
  | 'addr-unreachable'
  | 'policy-fail'
  | 'reject-route'

export type Statement =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** Verdict map: the verdict stored under the key; an absent key ends the rule (`nft_lookup_eval`: NFT_BREAK). */
  | { readonly kind: 'vmap'; readonly key: Expr; readonly map: SetRef }
  | { readonly kind: 'reject'; readonly with: RejectWith }
  /** Destination or source translation. Null: that part is left as it is. Ranges branch (address) or are free (port). */
  | {
      readonly kind: 'nat'
      readonly type: 'snat' | 'dnat'
      readonly address: NatAddress | null
      readonly port: NatPort | null
      readonly random: boolean
      readonly persistent: boolean
    }
  | { readonly kind: 'masquerade'; readonly port: NatPort | null; readonly random: boolean }
  | { readonly kind: 'redirect'; readonly port: NatPort | null; readonly random: boolean }
  /** xt_NETMAP and nft `snat prefix to`: the network part of the address is replaced. */
  | { readonly kind: 'netmap'; readonly type: 'snat' | 'dnat'; readonly addr: Ip; readonly mask: Ip }
  /** new = (old & ~mask) ^ value, as xt_MARK's set-xmark. */
  | { readonly kind: 'setMark'; readonly of: 'packet' | 'connection'; readonly value: number; readonly mask: number }
  /** Copies one mark to the other: to = (to & ~toMask) ^ (from & fromMask), as xt_CONNMARK save and restore. */
  | {
      readonly kind: 'copyMark'
      readonly to: 'packet' | 'connection'
      readonly fromMask: number
      readonly toMask: number
    }
  /** nft `meta mark set …`, `ip ttl set …`, `ct mark set …`: the general form. */
  | { readonly kind: 'set'; readonly field: Field; readonly value: Expr }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'ctZone'; readonly zone: number }
  | { readonly kind: 'ttl'; readonly op: 'set' | 'inc' | 'dec'; readonly value: number }
  | { readonly kind: 'dscp'; readonly value: number }
  /** Clamps or sets the TCP maximum segment size; null clamps to the path MTU. */
  | { readonly kind: 'mss'; readonly size: number | null }
  | {
      readonly kind: 'tproxy'
      readonly address: Ip | null
      readonly port: number | null
      readonly markValue: number
      readonly markMask: number
    }
  /** nft `add/update/delete @set { … }`, xt_SET. */
  | {
      readonly kind: 'setUpdate'
      readonly op: 'add' | 'update' | 'delete'
      readonly set: string
      readonly text: string
    }
  /** Has no bearing on the packet's fate: counter, log, nflog, trace, TEE/dup of a copy, audit, comment, no target. */
  | { readonly kind: 'note'; readonly what: string }
  /** Not understood: may end the packet's way through the hook, change it, or do nothing. */
  | { readonly kind: 'opaque'; readonly what: 'statement'; readonly text: string }

export type NatAddress =
  | { readonly kind: 'range'; readonly from: Ip; readonly to: Ip }
  | { readonly kind: 'expr'; readonly expr: Expr }
/** With `expr` from a map of `addr . port`, address and port come from one lookup: both hold the same `concat`-valued expression. */
export type NatPort =
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  | { readonly kind: 'expr'; readonly expr: Expr }

// ---- sets ------------------------------------------------------------------------------------------------------

/** An nft set, map or verdict map. */
export interface NamedSet {
  readonly name: string
  readonly kind: 'set' | 'map' | 'vmap'
  /** nft datatype of each key component (ipv4_addr, inet_proto, inet_service, ifname, mark…); empty when not declared. */
  readonly keyTypes: readonly string[]
  /** Dynamic sets change under traffic: what is listed is what was there at collection. */
  readonly dynamic: boolean
  readonly line: number
  /** Parsed on first call, then the same array. */
  elements(): readonly SetElement[]
}

export interface SetElement {
  /** One interval per key component; the catch-all element (`*`) has an empty key. */
  readonly key: readonly Interval[]
  /** Data of a map: one value per component (a single-element range otherwise). */
  readonly data?: readonly Interval[]
  readonly verdict?: Verdict
  readonly comment?: string
  /** Set when key or data were not understood (then `key` holds the words as they stand): it may be any element. */
  readonly opaque?: string
  readonly line: number
}

/** An ipset (`ipset save`). */
export interface IpSet {
  readonly name: string
  /** hash:ip, hash:net, hash:ip,port, bitmap:port, list:set… */
  readonly type: string
  readonly family: 4 | 6
  readonly line: number
  entries(): readonly IpSetEntry[]
}

export interface IpSetEntry {
  /** One component per dimension of the type, in its order. */
  readonly parts: readonly IpSetPart[]
  /** `nomatch` entries are exceptions carved out of wider ones. */
  readonly nomatch: boolean
  readonly line: number
  readonly text: string
}

export type IpSetPart =
  | { readonly kind: 'net'; readonly from: Ip; readonly to: Ip }
  | { readonly kind: 'port'; readonly protocol: number | null; readonly from: number; readonly to: number }
  | { readonly kind: 'mac'; readonly mac: string }
  /** `physdev:NAME` is the bridge port below the link. */
  | { readonly kind: 'link'; readonly name: string }
  | { readonly kind: 'mark'; readonly value: number }
  | { readonly kind: 'set'; readonly name: string }
  /** Not understood: whether it covers a packet cannot be decided. As the only part it stands for the whole entry. */
  | { readonly kind: 'opaque'; readonly why: string }
