import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, ipv4, parseIp } from '../../base/ip.ts'
import type { ConntrackEntry, Tuple } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'
import { confirm } from './confirm.ts'
import { afterPacket, isDstNat, isSrcNat, newEntry, stateOn, withTranslated } from './entry.ts'
import { classifyFirst } from './first-packet.ts'
import { jhash2, reciprocalScale } from './jhash.ts'
import { findEntry } from './lookup.ts'
import { translate } from './translate.ts'
import { invert, tupleOf } from './tuple.ts'
import { type NatRange, uniqueTuple } from './unique-tuple.ts'

const ip = (text: string) => parseIp(text)!
const tuple = (src: string, sport: number, dst: string, dport: number, protocol = 6): Tuple => ({
  src: ip(src),
  dst: ip(dst),
  protocol,
  sport,
  dport,
})
const packet = (fields: Partial<Packet> = {}): Packet => ({
  src: ip('10.1.0.2'),
  dst: ip('10.96.0.10'),
  protocol: 6,
  sport: 4000,
  dport: 80,
  tcpFlags: 2,
  ttl: 64,
  dscp: 0,
  length: 60,
  dontFragment: true,
  mark: 0,
  ...fields,
})
const keep: NatRange = { address: null, port: null, random: false, persistent: false }
const to = (address: string, port?: number): NatRange => ({
  ...keep,
  address: { from: ip(address), to: ip(address) },
  port: port === undefined ? null : { from: port, to: port },
})

describe('a connection with both sides translated', () => {
  const entry = withTranslated(newEntry(packet(), 0), tuple('10.2.0.1', 4000, '10.2.0.5', 8080))

  test('says which sides are translated', () => {
    expect([isSrcNat(entry), isDstNat(entry)]).toEqual([true, true])
    expect([isSrcNat(newEntry(packet(), 0)), isDstNat(newEntry(packet(), 0))]).toEqual([false, false])
  })

  test('rewrites the request at its two hooks, and the reply back', () => {
    const routed = translate(packet(), entry, 'original', 'dst')
    const sent = translate(routed, entry, 'original', 'src')
    expect(tupleOf(sent)).toEqual(tuple('10.2.0.1', 4000, '10.2.0.5', 8080))
    const reply = packet({ src: sent.dst, dst: sent.src, sport: sent.dport, dport: sent.sport, tcpFlags: 18 })
    const found = findEntry([entry], reply, 0)!
    expect([found.direction, stateOn(found)]).toEqual(['reply', 'established'])
    const back = translate(translate(reply, entry, 'reply', 'dst'), entry, 'reply', 'src')
    expect(tupleOf(back)).toEqual(invert(entry.original))
  })

  test('a repeated first packet stays new until a reply was seen', () => {
    expect(stateOn(findEntry([entry], packet(), 0)!)).toBe('new')
    expect(stateOn(findEntry([afterPacket(entry, 'reply')], packet(), 0)!)).toBe('established')
  })

  test('zones keep connections apart', () => {
    expect(findEntry([entry], packet(), 1)).toBeNull()
  })

  test('an echo request is never taken for the reply of another', () => {
    const icmp = (type: number, src: string, dst: string) =>
      packet({
        protocol: 1,
        src: ip(src),
        dst: ip(dst),
        sport: 0,
        dport: 0,
        icmp: { type, code: 0, id: 7 },
        tcpFlags: 0,
      })
    const ping = newEntry(icmp(8, '10.0.0.1', '10.0.0.2'), 0)
    expect(findEntry([ping], icmp(8, '10.0.0.2', '10.0.0.1'), 0)).toBeNull()
    expect(findEntry([ping], icmp(0, '10.0.0.2', '10.0.0.1'), 0)?.direction).toBe('reply')
    expect(findEntry([ping], icmp(0, '10.0.0.1', '10.0.0.2'), 0)).toBeNull()
  })
})

test('any translation is undone for the reply', () => {
  const address = fc.integer({ min: 1, max: 0xfffffffe }).map(ipv4)
  const port = fc.integer({ min: 1, max: 65535 })
  fc.assert(
    fc.property(address, address, address, address, port, port, port, port, (a, b, c, d, p, q, r, s) => {
      const request = packet({ src: a, sport: p, dst: b, dport: q })
      const moved: Tuple = { src: c, dst: d, protocol: 6, sport: r, dport: s }
      const entry = withTranslated(newEntry(request, 0), moved)
      const sent = translate(translate(request, entry, 'original', 'dst'), entry, 'original', 'src')
      expect(tupleOf(sent)).toEqual(moved)
      const reply = { ...request, src: sent.dst, dst: sent.src, sport: sent.dport, dport: sent.sport }
      const back = translate(translate(reply, entry, 'reply', 'dst'), entry, 'reply', 'src')
      expect(tupleOf(back)).toEqual(invert(entry.original))
    }),
  )
})

describe('first packets', () => {
  const flags: [number, boolean, string][] = [
    [2, true, 'new'],
    [2 | 64 | 128, true, 'new'],
    [18, true, 'invalid'],
    [16, true, 'new'],
    [16, false, 'invalid'],
    [2, false, 'new'],
    [4, true, 'invalid'],
    [17, true, 'invalid'],
    [1, true, 'invalid'],
    [0, true, 'invalid'],
    [3, true, 'invalid'],
  ]
  test.each(flags)('TCP flags %i, loose %s: %s', (tcpFlags, loose, state) => {
    expect(classifyFirst(packet({ tcpFlags }), loose)).toBe(state)
  })
  const icmp: [number, number, string][] = [
    [1, 8, 'new'],
    [1, 13, 'new'],
    [1, 0, 'invalid'],
    [1, 3, 'icmp-error'],
    [1, 11, 'icmp-error'],
    [58, 128, 'new'],
    [58, 129, 'invalid'],
    [58, 135, 'untracked'],
    [58, 143, 'untracked'],
    [58, 1, 'icmp-error'],
  ]
  test.each(icmp)('ICMP protocol %i type %i: %s', (protocol, type, state) => {
    expect(classifyFirst(packet({ protocol, icmp: { type, code: 0, id: 1 }, tcpFlags: 0 }), true)).toBe(state)
  })
})

describe('the unique tuple of a translation', () => {
  const current = tuple('10.1.0.2', 4000, '10.2.0.5', 80)
  const other = (t: Tuple): ConntrackEntry => ({
    original: tuple('10.1.0.9', 4000, '10.2.0.5', 80),
    reply: invert(t),
    seenReply: true,
    assured: true,
    mark: 0,
    zone: 0,
  })

  test('keeps a free source port and moves a taken one', () => {
    const wanted = tuple('10.2.0.1', 4000, '10.2.0.5', 80)
    expect(uniqueTuple(current, 'src', to('10.2.0.1'), [], 0)).toEqual({ tuple: wanted, drawn: false })
    const moved = uniqueTuple(current, 'src', to('10.2.0.1'), [other(wanted)], 0)
    expect(moved.drawn).toBe(true)
    expect(moved.tuple.sport).not.toBe(4000)
    expect(moved.tuple.sport).toBeGreaterThanOrEqual(1024)
  })

  test('a connection without translation moves when its reply tuple is taken', () => {
    expect(uniqueTuple(current, 'src', keep, [other(current)], 0).tuple.sport).not.toBe(4000)
    expect(uniqueTuple(current, 'src', keep, [], 0).tuple).toBe(current)
  })

  test('destination ports: one is set, a range starts at its first, a port inside it stays', () => {
    const range = (from: number, last: number): NatRange => ({ ...to('10.2.0.7'), port: { from, to: last } })
    expect(uniqueTuple(current, 'dst', to('10.2.0.7', 8080), [], 0).tuple.dport).toBe(8080)
    expect(uniqueTuple(current, 'dst', range(9000, 9003), [], 0)).toMatchObject({
      tuple: { dport: 9000 },
      drawn: false,
    })
    expect(uniqueTuple(current, 'dst', range(70, 90), [], 0).tuple.dport).toBe(80)
  })

  test('a source range draws a port inside it', () => {
    const result = uniqueTuple(current, 'src', { ...to('10.2.0.1'), port: { from: 5000, to: 5100 } }, [], 0)
    expect(result.drawn).toBe(true)
    expect(result.tuple.sport).toBeGreaterThanOrEqual(5000)
    expect(result.tuple.sport).toBeLessThanOrEqual(5100)
  })

  test('a source port that was not told stays untold when one is drawn', () => {
    const untold = { ...current, sport: -1 }
    const result = uniqueTuple(untold, 'src', { ...to('10.2.0.1'), random: true }, [], 0)
    expect(result).toEqual({ tuple: { ...untold, src: ip('10.2.0.1') }, drawn: true })
  })

  test('an address range is used evenly, and by source alone when persistent', () => {
    const range: NatRange = { ...keep, address: { from: ip('10.9.0.1'), to: ip('10.9.0.4') } }
    const seen = new Map<string, number>()
    for (let i = 0; i < 400; i++) {
      const t = { ...current, src: ipv4(0x0a010000 + i) }
      const dst = formatIp(uniqueTuple(t, 'dst', range, [], 0).tuple.dst)
      seen.set(dst, (seen.get(dst) ?? 0) + 1)
    }
    expect([...seen.keys()].sort()).toEqual(['10.9.0.1', '10.9.0.2', '10.9.0.3', '10.9.0.4'])
    for (const n of seen.values()) expect(n).toBeGreaterThan(60)
    const choose = (dst: string) =>
      uniqueTuple(tuple('10.1.0.2', 1, dst, 80), 'src', { ...range, persistent: true }, [], 0).tuple.src
    expect(choose('10.2.0.5')).toEqual(choose('10.2.0.77'))
  })
})

test('confirming refuses a second connection with the same tuple', () => {
  const first = confirm([], newEntry(packet(), 0))
  expect(first.clash).toBe(false)
  expect(confirm(first.table, newEntry(packet(), 0)).clash).toBe(true)
  expect(confirm(first.table, newEntry(packet({ sport: 4001 }), 0)).clash).toBe(false)
})

test('the Jenkins hash and its scaling stay within 32 bits', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 12 }),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 1, max: 0xffffffff }),
      (words, seed, ceiling) => {
        const h = jhash2(words, seed)
        expect(Number.isInteger(h) && h >= 0 && h <= 0xffffffff).toBe(true)
        expect(reciprocalScale(h, ceiling)).toBe(Number((BigInt(h) * BigInt(ceiling)) >> 32n))
      },
    ),
  )
})
