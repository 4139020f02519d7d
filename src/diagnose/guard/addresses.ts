/** Sets of addresses as ascending ranges, both families. */
import { type Ip, ipv4, ipv6, networkOf, type Prefix, parsePrefix } from '../../base/ip.ts'

/** Inclusive, as numbers. */
export interface Range {
  readonly family: 4 | 6
  readonly from: bigint
  readonly to: bigint
}

/** Ascending, disjoint, IPv4 before IPv6. */
export type AddressSet = readonly Range[]

export const NO_ADDRESS: AddressSet = []
const BITS = { 4: 32n, 6: 128n } as const

export function numberOf(ip: Ip): bigint {
  if (ip.family === 4) return BigInt(ip.d)
  return (BigInt(ip.a) << 96n) | (BigInt(ip.b) << 64n) | (BigInt(ip.c) << 32n) | BigInt(ip.d)
}

export function addressOf(family: 4 | 6, value: bigint): Ip {
  if (family === 4) return ipv4(Number(value))
  const word = (shift: bigint) => Number((value >> shift) & 0xffffffffn)
  return ipv6(word(96n), word(64n), word(32n), word(0n))
}

export function rangeOf(prefix: Prefix): Range {
  const { family } = prefix.ip
  const from = numberOf(networkOf(prefix).ip)
  return { family, from, to: from + (1n << (BITS[family] - BigInt(prefix.length))) - 1n }
}

export const wholeFamily = (family: 4 | 6): Range => ({ family, from: 0n, to: (1n << BITS[family]) - 1n })

/** Any ranges in any order to a set. */
export function union(...sets: readonly (readonly Range[])[]): AddressSet {
  const sorted = sets.flat().sort((x, y) => x.family - y.family || (x.from < y.from ? -1 : x.from > y.from ? 1 : 0))
  const out: Range[] = []
  for (const r of sorted) {
    const last = out.at(-1)
    if (last && last.family === r.family && r.from <= last.to + 1n)
      out[out.length - 1] = { ...last, to: r.to > last.to ? r.to : last.to }
    else out.push(r)
  }
  return out
}

export function intersect(x: AddressSet, y: AddressSet): AddressSet {
  const out: Range[] = []
  let j = 0
  for (const a of x) {
    while (j < y.length && (y[j]!.family < a.family || (y[j]!.family === a.family && y[j]!.to < a.from))) j++
    for (let k = j; k < y.length && y[k]!.family === a.family && y[k]!.from <= a.to; k++) {
      const b = y[k]!
      out.push({ family: a.family, from: a.from > b.from ? a.from : b.from, to: a.to < b.to ? a.to : b.to })
    }
  }
  return out
}

export function subtract(x: AddressSet, y: AddressSet): AddressSet {
  const gaps: Range[] = []
  for (const family of [4, 6] as const) {
    let next = 0n
    const whole = wholeFamily(family)
    for (const r of y) {
      if (r.family !== family) continue
      if (r.from > next) gaps.push({ family, from: next, to: r.from - 1n })
      next = r.to + 1n
    }
    if (next <= whole.to) gaps.push({ family, from: next, to: whole.to })
  }
  return intersect(x, gaps)
}

const blocks = (texts: readonly string[]): AddressSet => union(texts.flatMap((t) => parsePrefix(t) ?? []).map(rangeOf))

/** Nobody sends from there over a network: this host, loopback, multicast and reserved, link-local (RFC 6890, RFC 4291). */
export const NEVER_OUTSIDE = blocks([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/3',
  '::/128',
  '::1/128',
  'fe80::/10',
  'ff00::/8',
])

/** The Internet: less private use, shared address space, link-local, documentation and benchmarks; of IPv6 what is handed out (RFC 6890). */
export const PUBLIC = union(
  subtract(
    [wholeFamily(4)],
    union(
      NEVER_OUTSIDE,
      blocks([
        ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16'],
        ...['192.0.0.0/24', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '198.18.0.0/15'],
      ]),
    ),
  ),
  subtract(blocks(['2000::/3']), blocks(['2001:db8::/32'])),
)
