/**
 * The addresses outside, cut where the blocks of the policies begin and end. Addresses that every block treats alike are one
 * region; a region may be several ranges.
 */
import { formatIp, type Ip, ipv4, ipv6, networkOf, type Prefix } from '../../../base/ip.ts'
import { type Bits, clearBit, noBits, setBit } from './bits.ts'

/** A piece of an address space: cidrs less the excepted ones. */
export interface Block {
  readonly cidrs: readonly Prefix[]
  readonly except: readonly Prefix[]
}

export interface AddressRange {
  readonly family: 4 | 6
  /** Inclusive, as numbers. */
  readonly from: bigint
  readonly to: bigint
  readonly region: number
}

export interface AddressSpace {
  /** Ascending, IPv4 before IPv6, without gaps. */
  readonly ranges: readonly AddressRange[]
  readonly regions: number
  /** Numbers of the blocks that hold the region. */
  readonly blocksOf: readonly Bits[]
  /** An address of the region. */
  readonly sampleOf: readonly Ip[]
  readonly regionOf: (ip: Ip) => number
}

const BITS = { 4: 32n, 6: 128n } as const

function toBig(ip: Ip): bigint {
  if (ip.family === 4) return BigInt(ip.d)
  return (BigInt(ip.a) << 96n) | (BigInt(ip.b) << 64n) | (BigInt(ip.c) << 32n) | BigInt(ip.d)
}

function fromBig(family: 4 | 6, value: bigint): Ip {
  if (family === 4) return ipv4(Number(value))
  const word = (shift: bigint) => Number((value >> shift) & 0xffffffffn)
  return ipv6(word(96n), word(64n), word(32n), word(0n))
}

function spanOf(p: Prefix): { readonly from: bigint; readonly to: bigint } {
  const from = toBig(networkOf(p).ip)
  return { from, to: from + (1n << (BITS[p.ip.family] - BigInt(p.length))) - 1n }
}

/** Cuts both families at the edges of the blocks. */
export function addressSpace(blocks: readonly Block[]): AddressSpace {
  const ranges: AddressRange[] = []
  const blocksOf: Bits[] = []
  const sampleOf: Ip[] = []
  const regions = new Map<string, number>()
  const starts: Record<4 | 6, bigint[]> = { 4: [], 6: [] }
  const first: Record<4 | 6, number> = { 4: 0, 6: 0 }
  for (const family of [4, 6] as const) {
    const edges = new Set<bigint>([0n])
    for (const b of blocks)
      for (const p of [...b.cidrs, ...b.except]) {
        if (p.ip.family !== family) continue
        const { from, to } = spanOf(p)
        edges.add(from)
        edges.add(to + 1n)
      }
    edges.delete(1n << BITS[family])
    const sorted = [...edges].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0))
    const placeOf = new Map(sorted.map((edge, i) => [edge, i]))
    const members: Bits[] = sorted.map(() => noBits(blocks.length))
    const each = (p: Prefix, visit: (m: Bits) => void) => {
      if (p.ip.family !== family) return
      const { from, to } = spanOf(p)
      const end = placeOf.get(to + 1n) ?? sorted.length
      for (let i = placeOf.get(from)!; i < end; i++) visit(members[i]!)
    }
    for (const [n, b] of blocks.entries()) {
      for (const p of b.cidrs) each(p, (m) => setBit(m, n))
      for (const p of b.except) each(p, (m) => clearBit(m, n))
    }
    starts[family] = sorted
    first[family] = ranges.length
    for (const [i, from] of sorted.entries()) {
      const key = members[i]!.join()
      let region = regions.get(key)
      if (region === undefined) {
        region = regions.size
        regions.set(key, region)
        blocksOf.push(members[i]!)
        sampleOf.push(fromBig(family, from))
      }
      ranges.push({ family, from, to: (sorted[i + 1] ?? 1n << BITS[family]) - 1n, region })
    }
  }
  const regionOf = (ip: Ip): number => {
    const value = toBig(ip)
    const list = starts[ip.family]
    let low = 0
    let high = list.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (list[middle]! <= value) low = middle
      else high = middle - 1
    }
    return ranges[first[ip.family] + low]!.region
  }
  return { ranges, regions: regions.size, blocksOf, sampleOf, regionOf }
}

/**
 * The fewest names for a set of regions: `external` for everything, a CIDR where a run of addresses is exactly one, else
 * `FIRST-LAST`.
 */
export function nameRegions(space: AddressSpace, wanted: (region: number) => boolean): readonly string[] {
  const runs: { family: 4 | 6; from: bigint; to: bigint }[] = []
  for (const r of space.ranges) {
    if (!wanted(r.region)) continue
    const last = runs[runs.length - 1]
    if (last && last.family === r.family && last.to + 1n === r.from) last.to = r.to
    else runs.push({ family: r.family, from: r.from, to: r.to })
  }
  const names = runs.map(rangeName)
  return names.length === 2 && names[0] === '0.0.0.0/0' && names[1] === '::/0' ? ['external'] : names
}

function rangeName(r: { readonly family: 4 | 6; readonly from: bigint; readonly to: bigint }): string {
  const first = formatIp(fromBig(r.family, r.from))
  const size = r.to - r.from + 1n
  if ((size & (size - 1n)) === 0n && r.from % size === 0n)
    return `${first}/${Number(BITS[r.family]) - (size.toString(2).length - 1)}`
  return `${first}-${formatIp(fromBig(r.family, r.to))}`
}
