import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4, type Prefix, parseIp, parsePrefix, prefixContains } from '../../../base/ip.ts'
import { addressSpace, type Block, nameRegions } from './address-space.ts'
import { type Bits, eachBit, hasBit } from './bits.ts'

const block = (cidr: string, ...except: string[]): Block => ({
  cidrs: [parsePrefix(cidr)!],
  except: except.map((e) => parsePrefix(e)!),
})
const namesOf = (blocks: readonly Block[], wanted: (blocks: Bits) => boolean) => {
  const space = addressSpace(blocks)
  return nameRegions(space, (r) => wanted(space.blocksOf[r]!))
}

function numbers(bits: Bits): number[] {
  const out: number[] = []
  eachBit(bits, (i) => out.push(i))
  return out
}

describe('the outside', () => {
  it('has one name where nothing is told apart', () => {
    const space = addressSpace([])
    expect(space.regions).toBe(1)
    expect(nameRegions(space, () => true)).toEqual(['external'])
  })

  const table: readonly (readonly [string, readonly Block[], readonly string[]])[] = [
    ['a block', [block('10.0.0.0/8')], ['10.0.0.0/8']],
    ['host bits', [block('10.1.2.3/8')], ['10.0.0.0/8']],
    ['an address', [block('203.0.113.9/32')], ['203.0.113.9/32']],
    ['except', [block('10.0.0.0/8', '10.0.0.0/9')], ['10.128.0.0/9']],
    ['except in the middle', [block('10.0.0.0/8', '10.1.0.0/16')], ['10.0.0.0/16', '10.2.0.0-10.255.255.255']],
    ['the last address', [block('255.255.255.255/32')], ['255.255.255.255/32']],
    ['all of a family', [block('0.0.0.0/0')], ['0.0.0.0/0']],
    ['the other family', [block('::/0', 'fd00::/8')], ['::-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'fe00::/7']],
    ['both', [{ cidrs: [parsePrefix('0.0.0.0/0')!, parsePrefix('::/0')!], except: [] }], ['external']],
  ]
  it.each(table)('%s', (_, blocks, names) => expect(namesOf(blocks, (b) => hasBit(b, 0))).toEqual(names))

  it('puts every address into the region of exactly its blocks', () => {
    const prefix = fc
      .tuple(fc.nat(2 ** 32 - 1), fc.integer({ min: 0, max: 32 }))
      .map(([d, length]): Prefix => ({ ip: ipv4(d), length }))
    const blocks = fc.array(
      fc.tuple(prefix, fc.array(prefix, { maxLength: 2 })).map(([cidr, except]): Block => ({ cidrs: [cidr], except })),
      { maxLength: 5 },
    )
    fc.assert(
      fc.property(blocks, fc.nat(2 ** 32 - 1), (list, d) => {
        const space = addressSpace(list)
        const addresses = [ipv4(d), ...list.flatMap((b) => [b.cidrs[0]!.ip, ...b.except.map((e) => e.ip)])]
        for (const ip of addresses) {
          const expected = list.flatMap((b, i) =>
            prefixContains(b.cidrs[0]!, ip) && !b.except.some((e) => prefixContains(e, ip)) ? [i] : [],
          )
          expect(numbers(space.blocksOf[space.regionOf(ip)]!)).toEqual(expected)
        }
        for (const [region, sample] of space.sampleOf.entries()) expect(space.regionOf(sample)).toBe(region)
      }),
    )
  })

  it('finds IPv6 addresses', () => {
    const space = addressSpace([block('2001:db8::/32', '2001:db8:1::/48')])
    expect(numbers(space.blocksOf[space.regionOf(parseIp('2001:db8::1')!)]!)).toEqual([0])
    expect(numbers(space.blocksOf[space.regionOf(parseIp('2001:db8:1::1')!)]!)).toEqual([])
    expect(numbers(space.blocksOf[space.regionOf(parseIp('10.0.0.1')!)]!)).toEqual([])
  })
})
