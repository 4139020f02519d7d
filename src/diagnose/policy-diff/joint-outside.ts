/** The addresses outside, cut where either state's blocks cut them. */

import { type Ip, ipv4, ipv6 } from '../../base/ip.ts'
import { type AddressRange, type AddressSpace, nameRegions } from '../../intent/policy/matrix/address-space.ts'

export interface OutsideRegion {
  /** Regions of the two states that it is the meeting of. */
  readonly before: number
  readonly after: number
  /** An address in it. */
  readonly sample: Ip
}

export interface JointOutside {
  readonly regions: readonly OutsideRegion[]
  /** Number of the region an address is in. */
  readonly regionOf: (ip: Ip) => number
  /** Several regions, as short as they can be named. */
  readonly nameOf: (wanted: ReadonlySet<number>) => string
}

/** Every meeting of a region of one state with one of the other. */
export function jointOutside(before: AddressSpace, after: AddressSpace): JointOutside {
  const ids = new Map<string, number>()
  const pairs: { before: number; after: number; sample: Ip }[] = []
  const ranges: AddressRange[] = []
  for (const family of [4, 6] as const) {
    const x = before.ranges.filter((r) => r.family === family)
    const y = after.ranges.filter((r) => r.family === family)
    let i = 0
    let j = 0
    while (i < x.length && j < y.length) {
      const a = x[i]!
      const b = y[j]!
      const from = a.from > b.from ? a.from : b.from
      const to = a.to < b.to ? a.to : b.to
      const key = `${a.region} ${b.region}`
      let region = ids.get(key)
      if (region === undefined) {
        region = pairs.push({ before: a.region, after: b.region, sample: addressAt(family, from) }) - 1
        ids.set(key, region)
      }
      ranges.push({ family, from, to, region })
      if (a.to === to) i++
      if (b.to === to) j++
    }
  }
  const space: AddressSpace = { ...before, ranges, regions: pairs.length }
  return {
    regions: pairs,
    nameOf: (wanted) => nameRegions(space, (r) => wanted.has(r)).join(', '),
    regionOf: (ip) => ids.get(`${before.regionOf(ip)} ${after.regionOf(ip)}`) ?? -1,
  }
}

function addressAt(family: 4 | 6, value: bigint): Ip {
  if (family === 4) return ipv4(Number(value))
  const word = (shift: bigint) => Number((value >> shift) & 0xffff_ffffn)
  return ipv6(word(96n), word(64n), word(32n), word(0n))
}
