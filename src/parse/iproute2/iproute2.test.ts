import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp, formatPrefix } from '../../base/ip.ts'
import type { Link, Route, RoutingRule } from '../../model/network.ts'
import { parseBridgeLinks, parseFdb } from './bridge.ts'
import { parseLinks } from './links.ts'
import { parseNeighbours } from './neighbours.ts'
import { parseRoutes } from './routes.ts'
import { parseRoutingRules } from './rules.ts'
import { tableNumber } from './tables.ts'

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
const origin = (artefact: string) => ({ artefact })
const file = (name: string) => ({ text: fixture(name), origin: origin(name) })
const without = <T extends { evidence: unknown }>(x: T) => ({ ...x, evidence: undefined })

describe('links', () => {
  const { value, issues, complete } = parseLinks(file('link.json'), file('addr.json'))
  const link = (name: string): Link => value.find((l) => l.name === name)!

  it('reads all of them without complaint', () => {
    expect(issues).toEqual([])
    expect(complete).toBe(true)
    expect(value.map((l) => `${l.ifindex} ${l.name} ${l.kind}`)).toEqual([
      '1 lo loopback',
      '2 cni0 bridge',
      '3 vp1 veth',
      '4 vp2 veth',
      '5 eth0 veth',
      '6 flannel.1 vxlan',
      '7 vx6 vxlan',
      '8 vxg vxlan',
      '9 vxe vxlan',
      '10 tun0 tun',
      '11 tap0 tun',
      '12 dangling2 veth',
      '13 dangling veth',
    ])
  })
  it('keeps peers, masters and bridge ports', () => {
    expect(link('vp1')).toMatchObject({
      lower: 2,
      linkNetnsid: 0,
      master: 2,
      bridgePort: { hairpin: true, learning: true },
    })
    expect(link('vp2').bridgePort).toEqual({
      state: 'forwarding',
      hairpin: false,
      isolated: true,
      learning: false,
      flood: false,
    })
    expect(link('dangling')).toMatchObject({ lower: 12 })
    expect(link('cni0').bridge).toEqual({
      vlanFiltering: false,
      stp: false,
      nfCallIptables: false,
      nfCallIp6tables: false,
    })
  })
  it('keeps VXLAN details', () => {
    const flannel = link('flannel.1').vxlan!
    expect(flannel).toMatchObject({ vni: 1, port: 8472, link: 'eth0', learning: false, external: false })
    expect(formatIp(flannel.local!)).toBe('172.30.0.11')
    expect(formatIp(link('vx6').vxlan!.remote!)).toBe('fd00::9')
    expect(formatIp(link('vxg').vxlan!.remote!)).toBe('239.1.1.1')
    expect(link('vxe').vxlan!.external).toBe(true)
  })
  it('keeps addresses with flags and peers', () => {
    const shown = link('eth0').addresses.map(
      (a) => `${formatIp(a.ip)}/${a.length} ${a.scope} ${a.flags.join()} ${a.peer ? formatPrefix(a.peer) : ''}`,
    )
    expect(shown).toEqual([
      '172.30.0.11/24 global  ',
      '192.168.99.1/32 global  192.168.99.2/32',
      '172.30.0.12/24 global secondary ',
      'fe80::3007:6eff:fe18:e56f/64 link tentative ',
    ])
    expect(link('cni0').addresses[1]!.flags).toEqual(['nodad'])
  })
  it('reads the plain output to the same links', () => {
    const plain = parseLinks(file('links.txt'), file('addr.txt'))
    expect(plain.issues).toEqual([])
    const comparable = (l: Link) => ({
      ...l,
      // Plain output names the netns of a peer instead of numbering it, and counters moved on between the two commands.
      linkNetnsid: undefined,
      stats: undefined,
      evidence: undefined,
      addresses: l.addresses.map(without),
      flags: [...l.flags],
    })
    expect(plain.value.map(comparable)).toEqual(value.map(comparable))
  })
  it('is empty and complete for empty output, incomplete when cut', () => {
    const empty = { text: '[]', origin: origin('x') }
    expect(parseLinks(empty, empty)).toEqual({ value: [], issues: [], complete: true })
    const cut = { text: fixture('link.json').slice(0, 3000), origin: origin('x') }
    const read = parseLinks(cut, empty)
    expect(read.complete).toBe(false)
    expect(read.value.length).toBeGreaterThan(0)
  })
})

const routeText = (r: Route) =>
  [
    r.type,
    formatPrefix(r.dst),
    `table ${r.table}`,
    r.tos ? `tos ${r.tos}` : '',
    r.from ? `from ${formatPrefix(r.from)}` : '',
    ...r.nexthops.map(
      (n) =>
        `[${n.gateway ? formatIp(n.gateway) : ''} ${n.link ?? ''} ${n.weight}${n.onlink ? ' onlink' : ''}${n.dead ? ' dead' : ''}]`,
    ),
    r.src ? `src ${formatIp(r.src)}` : '',
    r.metric ? `metric ${r.metric}` : '',
    r.mtu ? `mtu ${r.mtu}` : '',
    r.scope,
    r.flags.join(),
    r.opaque ?? '',
  ]
    .filter((x) => x !== '')
    .join(' ')

describe('routes', () => {
  const v4 = parseRoutes(fixture('route.json'), origin('r'), 4)
  const v6 = parseRoutes(fixture('route6.json'), origin('r'), 6)

  it('reads types, tables, next hops, weights and metrics', () => {
    expect(v4.issues).toEqual([])
    expect(v4.value.slice(0, 18).map(routeText)).toEqual([
      'throw 10.63.0.0/16 table 100 global',
      'unicast 10.65.0.0/16 table 100 tos 16 [172.30.0.1 eth0 1] global',
      'unicast 10.66.0.0/16 table 4242 [ tun0 1] link linkdown',
      'unicast 0.0.0.0/0 table 254 [172.30.0.1 eth0 1] src 172.30.0.12 metric 100 mtu 1400 global',
      'unicast 0.0.0.0/0 table 254 [172.30.0.2 eth0 1] metric 200 mtu 1300 global',
      'unicast 10.9.0.0/24 table 254 [ tun0 1] src 10.9.0.1 link linkdown',
      'unicast 10.50.0.0/16 table 254 [172.30.0.21 eth0 3] [172.30.0.22 eth0 1 onlink] global',
      'blackhole 10.60.0.0/16 table 254 global',
      'unreachable 10.61.0.0/16 table 254 metric 5 global',
      'prohibit 10.62.0.0/16 table 254 global',
      'unicast 10.64.0.0/16 table 254 [fd00:1::5 cni0 1] global',
      'unicast 10.70.0.0/16 table 254 [172.30.0.33 eth0 1] global',
      'unicast 10.71.0.0/16 table 254 [172.30.0.33 eth0 3] [172.30.0.34 eth0 1] global',
      'blackhole 10.72.0.0/16 table 254 [ lo 1] global',
      'unicast 10.99.0.0/24 table 254 [ dangling 1] src 10.99.0.1 link linkdown',
      'unicast 10.244.1.0/24 table 254 [ cni0 1] src 10.244.1.1 link',
      'unicast 10.244.2.0/24 table 254 [10.244.2.0 flannel.1 1 onlink] global onlink',
      'unicast 172.30.0.0/24 table 254 [ eth0 1] src 172.30.0.11 link',
    ])
    expect(v4.value.find((r) => formatPrefix(r.dst) === '127.0.0.1/32')).toMatchObject({ type: 'local', table: 255 })
  })
  it('reads IPv6, source-specific routes too', () => {
    const shown = v6.value.map(routeText)
    expect(shown).toContain('unicast fd00:50::/64 table 254 [fd00:1::21 cni0 2] [fd00:1::22 cni0 1] metric 1024 global')
    expect(shown).toContain('unicast fd00:64::/64 table 254 from fd00:1::/64 [fd00:1::3 cni0 1] metric 1024 global')
    expect(shown).toContain('unicast fd00:63::/64 table 254 [fe80::1 cni0 1 onlink] metric 1024 mtu 1280 global onlink')
  })
  it.each(['route.txt', 'routed.txt'])('reads plain %s to the same routes', (name) => {
    const plain = parseRoutes(fixture(name), origin('r'), 4)
    expect(plain.issues).toEqual([])
    expect(plain.value.map(routeText)).toEqual(v4.value.map(routeText))
  })
  it('keeps a lightweight tunnel as opaque, and cannot overlook what it cannot read', () => {
    const encap = '[{"dst":"10.0.0.0/8","encap":"mpls","dev":"eth0","flags":[]}]'
    expect(parseRoutes(encap, origin('r'), 4).value[0]!.opaque).toBe('encap mpls')
    const broken = parseRoutes('[{"dst":"10.0.0/8","dev":"eth0"},{"dst":"10.1.0.0/16","dev":"e"}]', origin('r'), 4)
    expect(broken).toMatchObject({ complete: false, issues: [{ line: 1 }] })
    expect(broken.value).toHaveLength(1)
  })
  it('gives the same number to a table of the user wherever it is named', () => {
    expect(tableNumber('blue')).toBe(tableNumber('blue'))
    expect(tableNumber('blue')).toBeLessThan(0)
    expect(tableNumber('blue')).not.toBe(tableNumber('red'))
  })
})

describe('routing rules', () => {
  const shape = (r: RoutingRule) => without(r)
  const v4 = parseRoutingRules(fixture('rule.json'), origin('r'), 4)
  const at = (priority: number) => v4.value.find((r) => r.priority === priority)!

  it('reads every option', () => {
    expect(v4.value.map((r) => r.priority).slice(0, 4)).toEqual([0, 100, 101, 102])
    expect(at(0).action).toEqual({ kind: 'table', table: 255 })
    expect(formatPrefix(at(100).src!)).toBe('10.1.0.0/16')
    expect(formatPrefix(at(100).dst!)).toBe('10.2.0.0/16')
    expect(at(101)).toMatchObject({
      negate: true,
      mark: { value: 0x20000, mask: 0xf0000 },
      action: { kind: 'table', table: 254 },
      suppressPrefixLength: 0,
    })
    expect(at(102)).toMatchObject({ iif: 'eth0', oif: 'cni0', action: { table: 4242 } })
    expect(at(103)).toMatchObject({ protocol: 6, sport: [100, 200], dport: [80, 80] })
    expect(at(104)).toMatchObject({ tos: 16, action: { kind: 'blackhole' } })
    expect(at(105)).toMatchObject({ uidRange: [1000, 2000], action: { kind: 'unreachable' } })
    expect(at(106).action).toEqual({ kind: 'goto', priority: 32766 })
    expect(at(107).action).toEqual({ kind: 'goto', priority: 40000 })
    expect(formatPrefix(at(108).src!)).toBe('10.3.0.1/32')
    expect(at(109)).toMatchObject({ mark: { value: 1, mask: 0xffffffff }, suppressIfgroup: 5 })
    expect(at(110)).toMatchObject({ iif: 'missing0' })
    expect(at(111).action).toEqual({ kind: 'nop' })
    expect(at(112)).toMatchObject({ protocol: 132, dport: [100, 200], action: { table: 253 } })
    expect(formatPrefix(at(116).src!)).toBe('0.0.0.0/1')
  })
  it('keeps what it does not model as opaque', () => {
    expect(v4.value.filter((r) => r.opaque !== undefined).map((r) => [r.priority, r.opaque])).toEqual([
      [113, 'tun_id'],
      [115, 'l3mdev'],
    ])
    expect(v4.complete).toBe(true)
  })
  it('reads -d and plain output to the same rules', () => {
    expect(parseRoutingRules(fixture('ruled.json'), origin('r'), 4).value.map(shape)).toEqual(v4.value.map(shape))
    expect(parseRoutingRules(fixture('rule.txt'), origin('r'), 4).value.map(shape)).toEqual(v4.value.map(shape))
    const v6 = parseRoutingRules(fixture('rule6.json'), origin('r'), 6).value.map(shape)
    expect(parseRoutingRules(fixture('rule6.txt'), origin('r'), 6).value.map(shape)).toEqual(v6)
    expect(v6[2]).toMatchObject({ protocol: 58, action: { table: 100 } })
  })
})

describe('neighbours and forwarding entries', () => {
  it('reads states and proxies', () => {
    const json = parseNeighbours(fixture('neigh.json'), origin('n'))
    expect(json.issues).toEqual([])
    const shown = json.value.map((n) => `${formatIp(n.ip)} ${n.link} ${n.mac ?? '-'} ${n.state}`)
    expect(shown).toContain('172.30.0.123 eth0 - INCOMPLETE')
    expect(shown).toContain('172.30.0.98 eth0 - FAILED')
    expect(shown).toContain('10.244.2.0 flannel.1 11:22:33:44:55:66 NOARP')
    expect(parseNeighbours(fixture('neigh.txt'), origin('n')).value.map(without)).toEqual(json.value.map(without))
    const proxy = parseNeighbours(fixture('neigh-proxy.json'), origin('n')).value
    expect(proxy.map((n) => [formatIp(n.ip), n.link, n.proxy])).toEqual([['169.254.1.1', 'vp1', true]])
  })
  it('reads VTEPs, ports and VNIs', () => {
    const json = parseFdb(fixture('fdb.json'), origin('f'))
    expect(json.issues).toEqual([])
    const odd = json.value.find((e) => e.mac === '11:22:33:44:55:67')!
    expect({ ...odd, dst: formatIp(odd.dst!) }).toMatchObject({
      link: 'flannel.1',
      dst: '172.30.0.13',
      port: 9999,
      vni: 12,
      viaLink: 'eth0',
      flags: ['self', 'permanent'],
    })
    expect(json.value.find((e) => e.mac === '22:22:33:44:55:68')).toMatchObject({ master: 'cni0', flags: ['static'] })
    const plain = parseFdb(fixture('fdb.txt'), origin('f')).value
    expect(plain.map((e) => `${e.mac} ${e.link} ${e.dst ? formatIp(e.dst) : ''} ${e.master ?? ''}`)).toEqual(
      json.value.map((e) => `${e.mac} ${e.link} ${e.dst ? formatIp(e.dst) : ''} ${e.master ?? ''}`),
    )
    expect(new Map(parseBridgeLinks(fixture('blink.json'), origin('b')).value).get('vp2')).toMatchObject({
      isolated: true,
    })
  })
})

describe('hostile input', () => {
  const parsers = [
    (t: string) => parseLinks({ text: t, origin: origin('x') }, { text: t, origin: origin('x') }),
    (t: string) => parseRoutes(t, origin('x'), 4),
    (t: string) => parseRoutingRules(t, origin('x'), 6),
    (t: string) => parseNeighbours(t, origin('x')),
    (t: string) => parseFdb(t, origin('x')),
  ]
  const json = ['link.json', 'route.json', 'rule.json', 'neigh.json', 'fdb.json'].map(fixture)
  it('never throws, and never calls a cut JSON listing complete', () => {
    fc.assert(
      fc.property(fc.nat(parsers.length - 1), fc.double({ min: 0, max: 1, noNaN: true }), (which, share) => {
        const text = json[which]!.trimEnd()
        const cut = text.slice(0, 1 + Math.floor(share * (text.length - 2)))
        expect(parsers[which]!(cut).complete).toBe(false)
      }),
    )
    fc.assert(
      fc.property(fc.nat(parsers.length - 1), fc.oneof(fc.string(), fc.json()), (which, text) => {
        parsers[which]!(text)
        parsers[which]!(`[${text}]`)
      }),
    )
  })
})
