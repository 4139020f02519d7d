/** Choosing the translated tuple of a new connection (`get_unique_tuple`, net/netfilter/nf_nat_core.c, Linux 6.18). */
import { compareIp, type Ip } from '../../base/ip.ts'
import { hasPorts } from '../../base/protocol.ts'
import type { ConntrackEntry, Tuple } from '../../model/conntrack.ts'
import { jhash2, reciprocalScale, swap32 } from './jhash.ts'
import { tupleTaken } from './lookup.ts'
import type { Manip } from './translate.ts'
import { invert, isIcmp } from './tuple.ts'

/** What a NAT rule asks for (`nf_nat_range2`). Null: leave that part as it is unless it clashes. */
export interface NatRange {
  readonly address: { readonly from: Ip; readonly to: Ip } | null
  readonly port: { readonly from: number; readonly to: number } | null
  /** `--random` or `--random-fully`: a port is drawn even when the old one is free. */
  readonly random: boolean
  readonly persistent: boolean
}

export interface UniqueTuple {
  readonly tuple: Tuple
  /** True when the kernel draws the port at random: the one given here is only one of the possible ones. */
  readonly drawn: boolean
}

/**
 * The tuple of the original direction after manipulating side `manip` of `current`. `table` holds the entries of other
 * connections. Re-use of another connection's mapping of the same source (`find_appropriate_src`) is not modelled: it
 * matters only for address ranges.
 */
export function uniqueTuple(
  current: Tuple,
  manip: Manip,
  range: NatRange,
  table: readonly ConntrackEntry[],
  zone: number,
): UniqueTuple {
  const taken = (t: Tuple) => table.length > 0 && tupleTaken(table, invert(t), zone)
  const port = portOf(current, manip)
  const portFits = range.port === null || (port >= range.port.from && port <= range.port.to)
  if (manip === 'src' && !range.random && addressFits(current.src, range) && portFits && !taken(current))
    return { tuple: current, drawn: false }
  const moved = withAddress(current, manip, chooseAddress(current, manip, range, zone))
  if (!hasPorts(current.protocol) && !isIcmp(current.protocol)) return { tuple: moved, drawn: false }
  if (!range.random) {
    if (range.port !== null) {
      if (portFits && (range.port.from === range.port.to || !taken(moved))) return { tuple: moved, drawn: false }
    } else if (!taken(moved)) return { tuple: moved, drawn: false }
  }
  return drawPort(moved, manip, range, taken)
}

/** nf_nat_l4proto_unique_tuple: destination ports are tried from the first of the range on, source ports at random. */
function drawPort(moved: Tuple, manip: Manip, range: NatRange, taken: (t: Tuple) => boolean): UniqueTuple {
  const old = portOf(moved, manip)
  let span = range.port
  if (span === null) {
    if (manip === 'dst') return { tuple: moved, drawn: false }
    // The old port picks the range to draw from: unknown stays unknown.
    if (old < 0) return { tuple: moved, drawn: true }
    span = isIcmp(moved.protocol)
      ? { from: 0, to: 65535 }
      : old < 512
        ? { from: 1, to: 511 }
        : old < 1024
          ? { from: 600, to: 1023 }
          : { from: 1024, to: 65535 }
  }
  const size = span.to - span.from + 1
  const start = old >= span.from && old <= span.to && manip === 'src' ? old - span.from : 0
  const drawn = size > 1 && (range.random || manip === 'src')
  for (let i = 0; i < Math.min(size, 512); i++) {
    const candidate = withPort(moved, manip, span.from + ((start + i) % size))
    if (!taken(candidate)) return { tuple: candidate, drawn }
  }
  return { tuple: withPort(moved, manip, span.from + start), drawn }
}

/** find_best_ips_proto: one address of the range by a hash of source and destination address. */
function chooseAddress(current: Tuple, manip: Manip, range: NatRange, zone: number): Ip {
  const own = manip === 'src' ? current.src : current.dst
  if (range.address === null) return own
  const { from, to } = range.address
  if (compareIp(from, to) === 0) return from
  const src = wordsOf(current.src)
  const dst = wordsOf(current.dst)
  const last = own.family === 4 ? 0 : 3
  let j = jhash2(src, range.persistent ? 0 : (dst[last]! ^ zone) >>> 0)
  const low = own.family === 4 ? [from.d] : [from.a, from.b, from.c, from.d]
  const high = own.family === 4 ? [to.d] : [to.a, to.b, to.c, to.d]
  const out: number[] = []
  let full = false
  for (let i = 0; i <= last; i++) {
    const min = full ? 0 : low[i]!
    // `dist` is a u32: a word that spans everything wraps to 0, as in the kernel.
    const dist = full ? 0xffffffff : (high[i]! - min + 1) >>> 0
    const value = (min + reciprocalScale(j, dist)) >>> 0
    out.push(value)
    if (value !== high[i]) full = true
    // The kernel reads the tuple it is writing: a destination word is the new one already.
    if (!range.persistent) j = (j ^ (manip === 'dst' ? swap32(value) : dst[i]!)) >>> 0
  }
  return own.family === 4
    ? { family: 4, a: 0, b: 0, c: 0, d: out[0]! }
    : { family: 6, a: out[0]!, b: out[1]!, c: out[2]!, d: out[3]! }
}

/** `nf_inet_addr` as four words in memory order: an IPv4 address is the first, the rest zero. */
function wordsOf(ip: Ip): number[] {
  return ip.family === 4 ? [swap32(ip.d), 0, 0, 0] : [swap32(ip.a), swap32(ip.b), swap32(ip.c), swap32(ip.d)]
}

function addressFits(ip: Ip, range: NatRange): boolean {
  return range.address === null || (compareIp(ip, range.address.from) >= 0 && compareIp(ip, range.address.to) <= 0)
}

function portOf(t: Tuple, manip: Manip): number {
  return manip === 'src' || isIcmp(t.protocol) ? t.sport : t.dport
}

function withAddress(t: Tuple, manip: Manip, ip: Ip): Tuple {
  return manip === 'src' ? { ...t, src: ip } : { ...t, dst: ip }
}

function withPort(t: Tuple, manip: Manip, port: number): Tuple {
  if (isIcmp(t.protocol)) return { ...t, sport: port, dport: port }
  return manip === 'src' ? { ...t, sport: port } : { ...t, dport: port }
}
