/** tcp, udp, sctp, dccp, udplite, multiport, icmp, icmp6 (iptables-extensions(8)). */
import { protocolNumber } from '../../base/protocol.ts'
import type { Match } from '../../model/ruleset.ts'
import { opaqueMatch, optionText, type RuleContext } from './extension.ts'
import type { Group, Option } from './options.ts'
import { portRange } from './values.ts'

const FLAGS: Readonly<Record<string, number>> = {
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  ECE: 64,
  CWR: 128,
  ALL: 63,
  NONE: 0,
}

function tcpFlags(text: string): number | null {
  let bits = 0
  for (const name of text.split(',')) {
    const b = FLAGS[name.toUpperCase()] ?? (/^0x[0-9a-f]+$/i.test(name) ? Number.parseInt(name, 16) : null)
    if (b === null) return null
    bits |= b
  }
  return bits
}

/** The extension named after its protocol: source and destination port, TCP flags. */
export function portMatches(group: Group, ctx: RuleContext): Match[] {
  const protocol = protocolNumber(group.name) ?? ctx.protocol
  return group.options.map((o): Match => {
    const side = { '--dport': 'dst', '--destination-port': 'dst', '--sport': 'src', '--source-port': 'src' }[o.name] as
      | 'src'
      | 'dst'
      | undefined
    if (side) {
      const range = portRange(o.args[0] ?? '')
      return range && protocol !== null
        ? { kind: 'port', side, ranges: [range], protocols: [protocol], negate: o.negate }
        : opaqueMatch(optionText(o))
    }
    if (o.name === '--syn') return { kind: 'tcpFlags', mask: 0x17, comp: 2, negate: o.negate }
    if (o.name === '--tcp-flags') {
      const mask = tcpFlags(o.args[0] ?? '')
      const comp = tcpFlags(o.args[1] ?? '')
      if (mask !== null && comp !== null) return { kind: 'tcpFlags', mask, comp, negate: o.negate }
    }
    return opaqueMatch(optionText(o))
  })
}

export function multiportMatches(group: Group, ctx: RuleContext): Match[] {
  const sides: Readonly<Record<string, 'src' | 'dst' | 'either'>> = {
    '--sports': 'src',
    '--source-ports': 'src',
    '--dports': 'dst',
    '--destination-ports': 'dst',
    '--ports': 'either',
    '--port': 'either',
  }
  return group.options.map((o): Match => {
    const side = sides[o.name]
    const ranges = (o.args[0] ?? '').split(',').map((t) => portRange(t))
    if (!side || ranges.includes(null)) return opaqueMatch(optionText(o))
    return {
      kind: 'port',
      side,
      ranges: ranges.map((r) => r!),
      protocols: ctx.protocol === null ? null : [ctx.protocol],
      negate: o.negate,
    }
  })
}

type TypeCode = readonly [type: number, code?: number]
const ICMP4: Readonly<Record<string, TypeCode>> = {
  'echo-reply': [0],
  pong: [0],
  'destination-unreachable': [3],
  'network-unreachable': [3, 0],
  'host-unreachable': [3, 1],
  'protocol-unreachable': [3, 2],
  'port-unreachable': [3, 3],
  'fragmentation-needed': [3, 4],
  'source-route-failed': [3, 5],
  'network-unknown': [3, 6],
  'host-unknown': [3, 7],
  'network-prohibited': [3, 9],
  'host-prohibited': [3, 10],
  'TOS-network-unreachable': [3, 11],
  'TOS-host-unreachable': [3, 12],
  'communication-prohibited': [3, 13],
  'host-precedence-violation': [3, 14],
  'precedence-cutoff': [3, 15],
  'source-quench': [4],
  redirect: [5],
  'network-redirect': [5, 0],
  'host-redirect': [5, 1],
  'echo-request': [8],
  ping: [8],
  'router-advertisement': [9],
  'router-solicitation': [10],
  'time-exceeded': [11],
  'ttl-exceeded': [11],
  'ttl-zero-during-transit': [11, 0],
  'ttl-zero-during-reassembly': [11, 1],
  'parameter-problem': [12],
  'ip-header-bad': [12, 0],
  'required-option-missing': [12, 1],
  'timestamp-request': [13],
  'timestamp-reply': [14],
  'address-mask-request': [17],
  'address-mask-reply': [18],
}
const ICMP6: Readonly<Record<string, TypeCode>> = {
  'destination-unreachable': [1],
  'no-route': [1, 0],
  'communication-prohibited': [1, 1],
  'beyond-scope': [1, 2],
  'address-unreachable': [1, 3],
  'port-unreachable': [1, 4],
  'failed-policy': [1, 5],
  'reject-route': [1, 6],
  'packet-too-big': [2],
  'time-exceeded': [3],
  'ttl-exceeded': [3],
  'ttl-zero-during-transit': [3, 0],
  'ttl-zero-during-reassembly': [3, 1],
  'parameter-problem': [4],
  'bad-header': [4, 0],
  'unknown-header-type': [4, 1],
  'unknown-option': [4, 2],
  'echo-request': [128],
  ping: [128],
  'echo-reply': [129],
  pong: [129],
  'router-solicitation': [133],
  'router-advertisement': [134],
  'neighbour-solicitation': [135],
  'neighbor-solicitation': [135],
  'neighbour-advertisement': [136],
  'neighbor-advertisement': [136],
  redirect: [137],
}

function icmpOption(o: Option, family: 4 | 6): Match {
  const text = o.args[0] ?? ''
  if (text === 'any' || text === '255/0-255') return { kind: 'always', matches: !o.negate }
  const named = (family === 4 ? ICMP4 : ICMP6)[text]
  const m = /^(\d{1,3})(?:\/(\d{1,3})(?:-(\d{1,3}))?)?$/.exec(text)
  const type = named ? named[0] : m ? Number(m[1]) : null
  if (type === null || type > 255) return opaqueMatch(optionText(o))
  const code = named ? named[1] : m?.[2] === undefined ? undefined : Number(m[2])
  const last = m?.[3] === undefined ? code : Number(m[3])
  return {
    kind: 'icmpType',
    family,
    type,
    codes: code === undefined ? [0, 255] : [code, last ?? code],
    negate: o.negate,
  }
}

export function icmpMatches(group: Group, ctx: RuleContext): Match[] {
  return group.options.map((o) =>
    o.name === '--icmp-type' || o.name === '--icmpv6-type' ? icmpOption(o, ctx.family) : opaqueMatch(optionText(o)),
  )
}
