/** Reading one field of a packet, its connection or its surroundings (nft_meta, nft_payload, nft_ct; Linux 6.18). */
import { type Ip, isMulticast } from '../../base/ip.ts'
import { hasPorts, ICMP, ICMPV6, SCTP, TCP, UDP } from '../../base/protocol.ts'
import type { CtState } from '../../model/conntrack.ts'
import { CT_STATE_BITS, type Field } from '../../model/ruleset.ts'
import { isDstNat, isSrcNat } from '../conntrack/entry.ts'
import { invert } from '../conntrack/tuple.ts'
import { BREAK, type Certain, unknown } from './got.ts'
import type { LinkView } from './types.ts'
import { dportOf, type Run, sportOf, type Walk } from './walk.ts'

/** Numbers below zero in a packet stand for "not told". */
const told = (n: number, what: string): Certain => (n < 0 ? unknown(`${what} of the packet is not known`) : n)

export function readField(run: Run, walk: Walk, field: Field): Certain {
  const p = walk.packet
  const v4 = run.family === 4
  if (walk.memory.touched.size && walk.memory.touched.has(field)) return unknown(`${field} was rewritten by a rule`)
  switch (field) {
    case 'ip.saddr':
      return v4 ? p.src : BREAK
    case 'ip.daddr':
      return v4 ? p.dst : BREAK
    case 'ip6.saddr':
      return v4 ? BREAK : p.src
    case 'ip6.daddr':
      return v4 ? BREAK : p.dst
    case 'meta.l4proto':
      return p.protocol
    case 'ip.protocol':
      return v4 ? p.protocol : BREAK
    case 'ip6.nexthdr':
      return v4 ? BREAK : p.protocol
    case 'th.sport':
      return transport(walk, 0)
    case 'th.dport':
      return transport(walk, 2)
    case 'tcp.sport':
      return p.protocol === TCP ? told(sportOf(walk), 'source port') : BREAK
    case 'tcp.dport':
      return p.protocol === TCP ? told(dportOf(walk), 'destination port') : BREAK
    case 'udp.sport':
      return p.protocol === UDP ? told(sportOf(walk), 'source port') : BREAK
    case 'udp.dport':
      return p.protocol === UDP ? told(dportOf(walk), 'destination port') : BREAK
    case 'sctp.sport':
      return p.protocol === SCTP ? told(sportOf(walk), 'source port') : BREAK
    case 'sctp.dport':
      return p.protocol === SCTP ? told(dportOf(walk), 'destination port') : BREAK
    case 'dccp.sport':
      return p.protocol === 33 ? told(sportOf(walk), 'source port') : BREAK
    case 'dccp.dport':
      return p.protocol === 33 ? told(dportOf(walk), 'destination port') : BREAK
    case 'tcp.flags':
      return p.protocol === TCP ? p.tcpFlags : BREAK
    case 'meta.mark':
      return p.mark
    case 'meta.nfproto':
      return v4 ? 2 : 10
    case 'meta.protocol':
    case 'ether.type':
      return v4 ? 0x0800 : 0x86dd
    case 'meta.length':
      return told(p.length, 'length')
    case 'ip.length':
      return v4 ? told(p.length, 'length') : BREAK
    case 'ip6.length':
      return v4 ? BREAK : p.length < 0 ? told(-1, 'length') : p.length - 40
    case 'udp.length':
      return p.protocol !== UDP ? BREAK : p.length < 0 ? told(-1, 'length') : p.length - (v4 ? 20 : 40)
    case 'ip.ttl':
      return v4 ? told(p.ttl, 'TTL') : BREAK
    case 'ip6.hoplimit':
      return v4 ? BREAK : told(p.ttl, 'hop limit')
    case 'ip.dscp':
      return v4 ? p.dscp : BREAK
    case 'ip6.dscp':
      return v4 ? BREAK : p.dscp
    // ECN and the rest of the header as an ordinary sender leaves them: not-ECT, no options, no fragment.
    case 'ip.ecn':
      return v4 ? walk.memory.ecn : BREAK
    case 'ip6.ecn':
      return v4 ? BREAK : walk.memory.ecn
    case 'ip.tos':
      return v4 ? (p.dscp << 2) | walk.memory.ecn : BREAK
    case 'ip.version':
      return v4 ? 4 : BREAK
    case 'ip6.version':
      return v4 ? BREAK : 6
    case 'ip.hdrlength':
      return v4 ? 5 : BREAK
    case 'ip.frag-off':
      return v4 ? (p.dontFragment ? 0x4000 : 0) : BREAK
    case 'icmp.type':
      return p.protocol === ICMP ? (p.icmp?.type ?? unknown('ICMP type is not known')) : BREAK
    case 'icmp.code':
      return p.protocol === ICMP ? (p.icmp?.code ?? unknown('ICMP code is not known')) : BREAK
    case 'icmp.id':
      return p.protocol === ICMP ? (p.icmp?.id ?? unknown('ICMP identifier is not known')) : BREAK
    case 'icmpv6.type':
      return p.protocol === ICMPV6 ? (p.icmp?.type ?? unknown('ICMPv6 type is not known')) : BREAK
    case 'icmpv6.code':
      return p.protocol === ICMPV6 ? (p.icmp?.code ?? unknown('ICMPv6 code is not known')) : BREAK
    case 'icmpv6.id':
      return p.protocol === ICMPV6 ? (p.icmp?.id ?? unknown('ICMPv6 identifier is not known')) : BREAK
    case 'meta.iifname':
      return linkName(run.in, 'in')
    case 'meta.oifname':
      return linkName(run.out, 'out')
    case 'meta.iif':
    case 'meta.sdif':
      return run.in === null
        ? 0
        : run.in.unknown || run.in.ifindex < 1
          ? unknown('the in link is not known')
          : run.in.ifindex
    case 'meta.oif':
      return run.out === null
        ? 0
        : run.out.unknown || run.out.ifindex < 1
          ? unknown('the out link is not known')
          : run.out.ifindex
    case 'meta.sdifname':
      return linkName(run.in, 'in')
    case 'meta.iifkind':
      return linkKind(run.in, 'in')
    case 'meta.oifkind':
      return linkKind(run.out, 'out')
    case 'meta.iiftype':
      return linkType(run.in, 'in')
    case 'meta.oiftype':
      return linkType(run.out, 'out')
    case 'meta.pkttype':
      return packetType(run, p.dst)
    case 'meta.skuid':
      return owner(run)
    case 'meta.skgid':
    case 'meta.cgroup':
      return hasSocket(run)
        ? unknown(`the ${field === 'meta.skgid' ? 'group' : 'cgroup'} of the sender is not known`)
        : BREAK
    case 'ct.state':
      return CT_STATE_BITS[stateOf(walk)]
    case 'meta.iifgroup':
    case 'meta.oifgroup':
    case 'meta.ibrname':
    case 'meta.obrname':
    case 'meta.priority':
    case 'meta.cpu':
    case 'meta.random':
    case 'meta.rtclassid':
    case 'meta.time':
    case 'meta.day':
    case 'meta.hour':
    case 'meta.ipsec':
    case 'ip.id':
    case 'ip6.flowlabel':
    case 'tcp.sequence':
    case 'tcp.ackseq':
    case 'tcp.window':
    case 'tcp.doff':
    case 'ether.saddr':
    case 'ether.daddr':
    case 'vlan.id':
    case 'rt.nexthop':
    case 'rt.mtu':
    case 'rt.classid':
    case 'rt.ipsec':
    case 'socket.transparent':
    case 'socket.mark':
    case 'socket.wildcard':
      return unknown(`${field} is not known`)
    default:
      return connectionField(run, walk, field)
  }
}

/** Without a connection a packet is untracked, the bearer of a template (which counts as new), or invalid (`nf_ct_get`). */
export function stateOf(walk: Walk): CtState {
  if (walk.connection) return walk.connection.state
  return walk.untracked ? 'untracked' : walk.template ? 'new' : 'invalid'
}

function connectionField(run: Run, walk: Walk, field: Field): Certain {
  const c = walk.connection
  // A template's tuples are all zero: xt_conntrack compares with that, nft's `ct original ip` refuses it (nft_ct_get_eval).
  if (c === null) return walk.template ? unknown(`${field} of a packet that bears only a conntrack template`) : BREAK
  const { entry } = c
  switch (field) {
    case 'ct.mark':
      return entry.mark
    case 'ct.direction':
      return c.direction === 'original' ? 0 : 1
    case 'ct.zone':
      return entry.zone
    case 'ct.l3proto':
      return run.family === 4 ? 2 : 10
    case 'ct.protocol':
      return entry.original.protocol
    case 'ct.status':
      return statusBits(walk)
    case 'ct.original.saddr':
      return entry.original.src
    case 'ct.original.daddr':
      return entry.original.dst
    case 'ct.original.proto-src':
      return entry.original.sport
    case 'ct.original.proto-dst':
      return entry.original.dport
    case 'ct.reply.saddr':
      return entry.reply.src
    case 'ct.reply.daddr':
      return entry.reply.dst
    case 'ct.reply.proto-src':
      return entry.reply.sport
    case 'ct.reply.proto-dst':
      return entry.reply.dport
    // A first packet has no helper and no labels.
    case 'ct.helper':
      return c.fresh ? BREAK : unknown('the helper of the connection is not known')
    case 'ct.label':
      return c.fresh ? 0 : unknown('the labels of the connection are not known')
    default:
      return unknown(`${field} is not known`)
  }
}

/** `enum ip_conntrack_status` bits that can be told from the entry. */
export function statusBits(walk: Walk): number {
  const c = walk.connection
  if (c === null) return 0
  const { entry } = c
  return (
    (c.state === 'related' ? 1 : 0) |
    (entry.seenReply ? 2 : 0) |
    (entry.assured ? 4 : 0) |
    (c.fresh ? 0 : 8) |
    (isSrcNat(entry) ? 16 : 0) |
    (isDstNat(entry) ? 32 : 0) |
    (c.settled.src ? 128 : 0) |
    (c.settled.dst ? 256 : 0)
  )
}

/** The tuple original packets of the connection have after what NAT has decided so far. */
export function translatedTuple(walk: Walk) {
  return walk.connection ? invert(walk.connection.entry.reply) : null
}

/** Two bytes of the transport header at `offset` (0 or 2), whatever the protocol. */
function transport(walk: Walk, offset: 0 | 2): Certain {
  const p = walk.packet
  if (hasPorts(p.protocol))
    return offset === 0 ? told(sportOf(walk), 'source port') : told(dportOf(walk), 'destination port')
  if (offset === 0 && p.icmp) return p.icmp.type * 256 + p.icmp.code
  return unknown('the packet has no ports')
}

/** nft_meta_store_ifname: no link reads as the empty name. */
function linkName(link: LinkView | null, side: string): Certain {
  if (link === null) return ''
  return link.unknown ? unknown(`the ${side} link is not known`) : link.name
}

function linkKind(link: LinkView | null, side: string): Certain {
  if (link === null) return BREAK
  return link.kind === undefined ? unknown(`the kind of the ${side} link is not known`) : link.kind
}

/** ARPHRD_LOOPBACK or ARPHRD_ETHER (include/uapi/linux/if_arp.h); other link types are not told apart here. */
function linkType(link: LinkView | null, side: string): Certain {
  if (link === null) return BREAK
  if (link.kind === 'loopback' || link.name === 'lo') return 772
  return link.kind === 'veth' || link.kind === 'bridge' || link.kind === 'ethernet'
    ? 1
    : unknown(`the type of the ${side} link is not known`)
}

/** PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2, as the link address of the packet would say. */
function packetType(run: Run, dst: Ip): Certain {
  if (run.layer === 'bridge') return unknown('meta.pkttype is not known on a bridge')
  if (run.hook === 'output' || run.hook === 'postrouting') return run.in === null ? 0 : unicastType(dst)
  return unicastType(dst)
}

function unicastType(dst: Ip): number {
  if (isMulticast(dst)) return 2
  return dst.family === 4 && dst.d === 0xffffffff ? 1 : 0
}

/** Only packets from a socket of this machine have an owner; on others nft ends the rule and xt_owner compares nothing. */
export function hasSocket(run: Run): boolean {
  return run.in === null && (run.hook === 'output' || run.hook === 'postrouting')
}

function owner(run: Run): Certain {
  if (!hasSocket(run)) return BREAK
  return run.uid ?? unknown('the user of the sending socket is not known')
}
