import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addToIp,
  compareIp,
  formatEndpoint,
  formatIp,
  type Ip,
  ipEquals,
  ipv4,
  ipv6,
  isLinkLocal,
  isLoopback,
  isMulticast,
  maskOf,
  networkOf,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from './ip.ts'

const anyIp: fc.Arbitrary<Ip> = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }).map(ipv4),
  fc
    .tuple(...Array.from({ length: 4 }, () => fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff }))))
    .map(([a, b, c, d]) => ipv6(a!, b!, c!, d!)),
)

describe('parseIp', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['fd00:0:0:0:0:0:0:1', 'fd00::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['2001:DB8::ff', '2001:db8::ff'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ])('%s is %s', (text, canonical) => {
    expect(formatIp(parseIp(text)!)).toBe(canonical)
  })
  it.each([
    '010.0.0.1',
    '10.1',
    '10.0.0.256',
    '10.0.0.1.2',
    '',
    '.',
    '1..2.3',
    ' 10.0.0.1',
    '10.0.0.1 ',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'fe80::1%eth0',
    '12345::',
    '::10.0.0.256',
    '0x0a000001',
  ])('refuses %j', (text) => {
    expect(parseIp(text)).toBeNull()
  })
  it('reads back what it prints', () => {
    fc.assert(fc.property(anyIp, (ip) => ipEquals(parseIp(formatIp(ip))!, ip)))
  })
})

describe('prefixes', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['0.0.0.0/0', '::1', false],
    ['fd00::/33', 'fd00:0:7fff::1', true],
    ['fd00::/33', 'fd00:0:8000::1', false],
    ['10.0.0.1/32', '10.0.0.1', true],
  ])('%s contains %s: %s', (prefix, ip, yes) => {
    expect(prefixContains(parsePrefix(prefix)!, parseIp(ip)!)).toBe(yes)
  })
  it.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '/8'])('refuses %j', (text) => {
    expect(parsePrefix(text)).toBeNull()
  })
  it('a network contains its own host address and overlaps itself', () => {
    fc.assert(
      fc.property(anyIp, fc.nat(128), (ip, n) => {
        const p = { ip, length: Math.min(n, ip.family === 4 ? 32 : 128) }
        return prefixContains(networkOf(p), ip) && prefixesOverlap(p, networkOf(p))
      }),
    )
  })
})

describe('words', () => {
  it('masks', () => {
    expect(formatIp(maskOf(4, 20))).toBe('255.255.240.0')
    expect(formatIp(maskOf(6, 65))).toBe('ffff:ffff:ffff:ffff:8000::')
    expect(formatIp(maskOf(4, 0))).toBe('0.0.0.0')
  })
  it('adds with carry', () => {
    expect(formatIp(addToIp(parseIp('10.0.0.255')!, 1))).toBe('10.0.1.0')
    expect(formatIp(addToIp(parseIp('fd00::ffff:ffff:ffff')!, 1))).toBe('fd00::1:0:0:0')
    expect(formatIp(addToIp(parseIp('fd00::ffff:ffff')!, 1))).toBe('fd00::1:0:0')
  })
  it('orders by family and value', () => {
    expect(compareIp(parseIp('9.9.9.9')!, parseIp('10.0.0.0')!)).toBeLessThan(0)
    expect(compareIp(parseIp('255.0.0.0')!, parseIp('::1')!)).toBeLessThan(0)
  })
  it('knows the special ranges', () => {
    expect(isLoopback(parseIp('127.8.0.1')!)).toBe(true)
    expect(isLoopback(parseIp('::1')!)).toBe(true)
    expect(isMulticast(parseIp('224.0.0.1')!)).toBe(true)
    expect(isMulticast(parseIp('ff02::1')!)).toBe(true)
    expect(isLinkLocal(parseIp('169.254.1.1')!)).toBe(true)
    expect(isLinkLocal(parseIp('fe80::1')!)).toBe(true)
    expect(isLinkLocal(parseIp('fec0::1')!)).toBe(false)
  })
  it('prints endpoints', () => {
    expect(formatEndpoint(parseIp('10.0.0.1')!, 80)).toBe('10.0.0.1:80')
    expect(formatEndpoint(parseIp('fd00::1')!, 80)).toBe('[fd00::1]:80')
  })
})
