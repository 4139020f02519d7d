/** What nft can read from a packet or its surroundings: spelling, datatype, and what must hold before it can be read. */
import type { Field } from '../../model/ruleset.ts'
import type { Ast } from './syntax.ts'

export interface FieldInfo {
  readonly field: Field
  /** nft datatype (`nft describe`); `integer` when it has none of its own. */
  readonly type: string
  /** Network protocol whose header is read: outside tables of that family it must be checked first. */
  readonly l3?: 4 | 6
  /** Transport protocol whose header is read. */
  readonly l4?: number
}

const info = (field: Field, type: string, need?: { l3?: 4 | 6; l4?: number }): FieldInfo => ({ field, type, ...need })

const TRANSPORTS = { tcp: 6, udp: 17, sctp: 132, dccp: 33 } as const

function table(): Map<string, FieldInfo> {
  const out = new Map<string, FieldInfo>()
  const meta: [string, string][] = [
    ['iif', 'iface_index'],
    ['oif', 'iface_index'],
    ['iifname', 'ifname'],
    ['oifname', 'ifname'],
    ['iifgroup', 'devgroup'],
    ['oifgroup', 'devgroup'],
    ['iiftype', 'iface_type'],
    ['oiftype', 'iface_type'],
    ['iifkind', 'ifkind'],
    ['oifkind', 'ifkind'],
    ['ibrname', 'ifname'],
    ['obrname', 'ifname'],
    ['sdif', 'iface_index'],
    ['sdifname', 'ifname'],
    ['mark', 'mark'],
    ['priority', 'classid'],
    ['l4proto', 'inet_proto'],
    ['nfproto', 'nf_proto'],
    ['protocol', 'ether_type'],
    ['length', 'integer'],
    ['pkttype', 'pkt_type'],
    ['cpu', 'integer'],
    ['random', 'integer'],
    ['skuid', 'uid'],
    ['skgid', 'gid'],
    ['cgroup', 'cgroupsv1'],
    ['rtclassid', 'realm'],
    ['time', 'clock'],
    ['day', 'day'],
    ['hour', 'clock'],
    ['ipsec', 'boolean'],
  ]
  for (const [key, type] of meta) out.set(`meta.${key}`, info(`meta.${key}` as Field, type))
  out.set('meta.ibriport', info('meta.ibrname', 'ifname'))
  out.set('meta.obriport', info('meta.obrname', 'ifname'))
  out.set('meta.secpath', info('meta.ipsec', 'boolean'))

  const ip = { l3: 4 } as const
  const ip6 = { l3: 6 } as const
  out.set('ip.saddr', info('ip.saddr', 'ipv4_addr', ip))
  out.set('ip.daddr', info('ip.daddr', 'ipv4_addr', ip))
  out.set('ip.protocol', info('ip.protocol', 'inet_proto', ip))
  out.set('ip.dscp', info('ip.dscp', 'dscp', ip))
  out.set('ip.ecn', info('ip.ecn', 'ecn', ip))
  for (const key of ['ttl', 'length', 'version', 'hdrlength', 'id', 'frag-off'] as const)
    out.set(`ip.${key}`, info(`ip.${key}`, 'integer', ip))
  out.set('ip6.saddr', info('ip6.saddr', 'ipv6_addr', ip6))
  out.set('ip6.daddr', info('ip6.daddr', 'ipv6_addr', ip6))
  out.set('ip6.nexthdr', info('ip6.nexthdr', 'inet_proto', ip6))
  out.set('ip6.dscp', info('ip6.dscp', 'dscp', ip6))
  out.set('ip6.ecn', info('ip6.ecn', 'ecn', ip6))
  for (const key of ['hoplimit', 'length', 'version', 'flowlabel'] as const)
    out.set(`ip6.${key}`, info(`ip6.${key}`, 'integer', ip6))

  out.set('th.sport', info('th.sport', 'inet_service'))
  out.set('th.dport', info('th.dport', 'inet_service'))
  for (const [name, l4] of Object.entries(TRANSPORTS)) {
    for (const side of ['sport', 'dport'])
      out.set(`${name}.${side}`, info(`${name}.${side}` as Field, 'inet_service', { l4 }))
  }
  out.set('tcp.flags', info('tcp.flags', 'tcp_flag', { l4: 6 }))
  for (const key of ['sequence', 'ackseq', 'window', 'doff'] as const)
    out.set(`tcp.${key}`, info(`tcp.${key}`, 'integer', { l4: 6 }))
  out.set('udp.length', info('udp.length', 'integer', { l4: 17 }))
  out.set('icmp.type', info('icmp.type', 'icmp_type', { l3: 4, l4: 1 }))
  out.set('icmp.code', info('icmp.code', 'icmp_code', { l3: 4, l4: 1 }))
  out.set('icmp.id', info('icmp.id', 'integer', { l3: 4, l4: 1 }))
  out.set('icmpv6.type', info('icmpv6.type', 'icmpv6_type', { l3: 6, l4: 58 }))
  out.set('icmpv6.code', info('icmpv6.code', 'icmpv6_code', { l3: 6, l4: 58 }))
  out.set('icmpv6.id', info('icmpv6.id', 'integer', { l3: 6, l4: 58 }))

  out.set('ether.saddr', info('ether.saddr', 'ether_addr'))
  out.set('ether.daddr', info('ether.daddr', 'ether_addr'))
  out.set('ether.type', info('ether.type', 'ether_type'))
  out.set('vlan.id', info('vlan.id', 'integer'))

  const ct: [string, string][] = [
    ['state', 'ct_state'],
    ['status', 'ct_status'],
    ['mark', 'mark'],
    ['direction', 'ct_dir'],
    ['zone', 'integer'],
    ['expiration', 'time'],
    ['helper', 'string'],
    ['label', 'ct_label'],
    ['id', 'integer'],
    ['bytes', 'integer'],
    ['packets', 'integer'],
    ['avgpkt', 'integer'],
    ['l3proto', 'nf_proto'],
    ['protocol', 'inet_proto'],
  ]
  for (const [key, type] of ct) out.set(`ct.${key}`, info(`ct.${key}` as Field, type))
  for (const dir of ['original', 'reply'] as const) {
    // The protocol of a connection is the same in both directions.
    out.set(`ct.${dir}.l3proto`, info('ct.l3proto', 'nf_proto'))
    out.set(`ct.${dir}.protocol`, info('ct.protocol', 'inet_proto'))
    for (const key of ['proto-src', 'proto-dst'] as const)
      out.set(`ct.${dir}.${key}`, info(`ct.${dir}.${key}`, 'inet_service'))
    for (const key of ['saddr', 'daddr'] as const) {
      out.set(`ct.${dir}.${key}`, info(`ct.${dir}.${key}`, 'ip_addr'))
      out.set(`ct.${dir}.ip ${key}`, info(`ct.${dir}.${key}`, 'ipv4_addr', ip))
      out.set(`ct.${dir}.ip6 ${key}`, info(`ct.${dir}.${key}`, 'ipv6_addr', ip6))
    }
  }

  out.set('rt.nexthop', info('rt.nexthop', 'ip_addr'))
  out.set('rt.ip nexthop', info('rt.nexthop', 'ipv4_addr', ip))
  out.set('rt.ip6 nexthop', info('rt.nexthop', 'ipv6_addr', ip6))
  out.set('rt.mtu', info('rt.mtu', 'integer'))
  out.set('rt.classid', info('rt.classid', 'realm'))
  out.set('rt.ipsec', info('rt.ipsec', 'boolean'))
  out.set('socket.transparent', info('socket.transparent', 'boolean'))
  out.set('socket.mark', info('socket.mark', 'mark'))
  out.set('socket.wildcard', info('socket.wildcard', 'boolean'))
  return out
}

/** By key: header or group, a dot, nft's name (`ct.original.ip saddr` for directed conntrack keys). */
export const FIELDS: ReadonlyMap<string, FieldInfo> = table()

/** The expression that reads each field: made once, because a large ruleset holds each of them a hundred thousand times. */
export const FIELD_EXPRESSIONS: ReadonlyMap<string, Ast> = new Map(
  [...FIELDS.keys()].map((key) => [key, { kind: 'field', key }]),
)

/** Transport protocols whose headers nft reads by name although the model does not: their rules still imply them. */
export const OTHER_TRANSPORTS: ReadonlyMap<string, number> = new Map([
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
  ['dccp', 33],
  ['udplite', 136],
  ['icmp', 1],
  ['icmpv6', 58],
  ['igmp', 2],
  ['ah', 51],
  ['esp', 50],
  ['comp', 108],
  ['gre', 47],
  ['gretap', 47],
  ['vxlan', 17],
  ['geneve', 17],
])

/** Raw payloads that are exactly a field: base, bit offset, bit length (`@th,16,16`). */
export function rawPayloadField(base: string, offset: number, length: number): string | null {
  if (base === 'th' && length === 16) return offset === 0 ? 'th.sport' : offset === 16 ? 'th.dport' : null
  return null
}
