import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OTHER, type PortSet, portNames, portSets } from './port-sets.ts'

const sets = portSets(['ICMP'])
const range = fc
  .tuple(fc.constantFrom('TCP', 'UDP', 'SCTP', 'ICMP', OTHER), fc.nat(65_535), fc.nat(65_535))
  .map(([protocol, a, b]) => sets.ofRange(protocol, Math.min(a, b), Math.max(a, b)))
const set = fc.array(range, { maxLength: 4 }).map((list): PortSet => list.reduce(sets.union, sets.none))
const point = fc.tuple(fc.constantFrom('TCP', 'UDP', 'SCTP', 'ICMP', OTHER), fc.integer({ min: 1, max: 65_535 }))

describe('port sets', () => {
  it('do what sets do, point by point', () => {
    fc.assert(
      fc.property(set, set, point, (x, y, [protocol, port]) => {
        const has = (s: PortSet) => sets.has(s, protocol, port)
        expect(has(sets.union(x, y))).toBe(has(x) || has(y))
        expect(has(sets.intersect(x, y))).toBe(has(x) && has(y))
        expect(has(sets.subtract(x, y))).toBe(has(x) && !has(y))
      }),
    )
  })

  it('are equal when their numbers are', () => {
    fc.assert(
      fc.property(set, set, (x, y) => {
        expect(sets.union(x, y)).toBe(sets.union(y, x))
        expect(sets.union(sets.subtract(x, y), sets.intersect(x, y))).toBe(x)
        expect(sets.subtract(sets.all, sets.subtract(sets.all, x))).toBe(x)
      }),
    )
  })

  const table: readonly (readonly [string, PortSet, readonly string[]])[] = [
    ['nothing', sets.none, []],
    ['everything', sets.all, ['all']],
    ['a port', sets.ofRange('TCP', 80, 80), ['TCP 80']],
    ['neighbours', sets.union(sets.ofRange('TCP', 80, 80), sets.ofRange('TCP', 81, 90)), ['TCP 80-90']],
    ['a protocol', sets.ofRange('UDP', 0, 65_535), ['UDP 1-65535']],
    ['a protocol without ports', sets.ofRange('ICMP', 0, 65_535), ['ICMP']],
    [
      'all but a port',
      sets.subtract(sets.all, sets.ofRange('TCP', 443, 443)),
      ['TCP 1-442', 'TCP 444-65535', 'UDP 1-65535', 'SCTP 1-65535', 'ICMP', 'other'],
    ],
    ['port 0 is no port', sets.ofRange('TCP', 0, 0), []],
  ]
  it.each(table)('%s', (_, s, names) => expect(portNames(sets, s)).toEqual(names))
})
