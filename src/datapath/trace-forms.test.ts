import { describe, expect, test } from 'vitest'
import { formatEndpoint, parseIp } from '../base/ip.ts'
import type { IpvsService, Netns, Network } from '../model/network.ts'
import { parseIptablesSave } from '../parse/iptables/index.ts'
import { fatesOf, packetTo, stepsOf } from './testing/ask.ts'
import { topology } from './testing/topology.ts'
import { traceConnection } from './trace.ts'

const rules = (id: string, text: string, family: 'ip' | 'ip6' = 'ip') => ({
  [id]: [parseIptablesSave(text, { artefact: id, family, backend: 'iptables-nft' as const })],
})

/** Same text with one replacement, which must happen. */
const edited = (text: string, from: string | RegExp, to: string): string => {
  const after = text.replace(from, to)
  if (after === text) throw new Error(`no match: ${from}`)
  return after
}

const CALICO = `
netns n1/host
  eth0 wire 172.30.0.11/24
  cali1 veth n1/pod/d/a:eth0
  tunl0 ipip 10.244.1.0/32
  route 10.244.1.10/32 dev cali1
  route 10.244.2.0/24 via 172.30.0.12 dev tunl0 onlink
  route blackhole 10.244.1.0/24
  route default via 172.30.0.1 dev eth0
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.default.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 1
  sysctl net.ipv4.conf.cali1.proxy_arp 1
netns n1/pod/d/a
  eth0 veth n1/host:cali1 10.244.1.10/32
  route 169.254.1.1/32 dev eth0
  route default via 169.254.1.1 dev eth0
netns n2/host
  eth0 wire 172.30.0.12/24
  cali1 veth n2/pod/d/c:eth0
  tunl0 ipip 10.244.2.0/32
  route 10.244.2.20/32 dev cali1
  route 10.244.1.0/24 via 172.30.0.11 dev tunl0 onlink
  route blackhole 10.244.2.0/24
  route default via 172.30.0.1 dev eth0
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.default.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 1
  sysctl net.ipv4.conf.cali1.proxy_arp 1
netns n2/pod/d/c
  eth0 veth n2/host:cali1 10.244.2.20/32
  route 169.254.1.1/32 dev eth0
  route default via 169.254.1.1 dev eth0
  listen tcp 0.0.0.0:80
`

describe('Calico: /32 routes, proxy ARP, IPIP', () => {
  const ask = (text: string) => fatesOf(topology(text), 'n1/pod/d/a', packetTo('tcp', '10.244.2.20:80'))
  test('healthy', () => {
    const [t] = traceConnection(topology(CALICO), { from: 'n1/pod/d/a', packet: packetTo('tcp', '10.244.2.20:80') })
    expect(t?.disposition).toBe('delivered')
    expect(stepsOf(t?.forward ?? null).find((s) => s.kind === 'encap')?.encap?.[0]?.kind).toBe('ipip')
  })
  test.each([
    ['proxy ARP off', 'cali1.proxy_arp 1', 'cali1.proxy_arp 0', 'neighbour-unreachable proxy-arp-off'],
    [
      'no default route, so nothing to answer for',
      '  route default via 172.30.0.1 dev eth0\n',
      '',
      'neighbour-unreachable neighbour-no-answer',
    ],
    ['route to the tunnel gone', /.*via 172.30.0.12 dev tunl0 onlink\n/, '', 'exits-network'],
    ['pod route gone there', /.*10.244.2.20\/32 dev cali1\n/, '', 'no-route route-blackhole'],
    ['tunnel device down there', 'tunl0 ipip 10.244.2.0/32', 'tunl0 ipip 10.244.2.0/32 down', 'denied tunnel-down'],
  ])('%s', (_name, from, to, expected) => {
    expect(ask(edited(CALICO, from, to))).toEqual([expected])
  })
  test('the way back by another link fails the strict reverse path filter', () => {
    const text = edited(
      CALICO,
      'route 10.244.1.0/24 via 172.30.0.11 dev tunl0 onlink',
      'route 10.244.1.0/24 via 172.30.0.11 dev eth0',
    )
    expect(ask(text)).toEqual(['denied rp-filter'])
    expect(ask(text.replaceAll('all.rp_filter 1', 'all.rp_filter 2'))).toEqual(['delivered'])
  })
})

const ROUTER = `
netns a/host
  eth0 veth r/host:a 10.1.0.2/24 fd01::2/64
  route default via 10.1.0.1 dev eth0
  route ::/0 via fd01::1 dev eth0
netns r/host
  a veth a/host:eth0 10.1.0.1/24 fd01::1/64
  b veth b/host:eth0 10.2.0.1/24 fd02::1/64
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.default.forwarding 1
  sysctl net.ipv6.conf.all.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 0
netns b/host
  eth0 veth r/host:b 10.2.0.2/24 fd02::2/64
  route default via 10.2.0.1 dev eth0
  route ::/0 via fd02::1 dev eth0
  listen tcp 0.0.0.0:80
  listen tcp *:81
  listen tcp [::1]:82
`

describe('a router, both families', () => {
  test.each([
    ['10.2.0.2:80', 'delivered'],
    ['[fd02::2]:80', 'no-listener listens-other-address'],
    ['10.2.0.2:81', 'delivered'],
    ['[fd02::2]:81', 'delivered'],
    ['[fd02::2]:82', 'no-listener listens-other-address'],
    ['[fd02::9]:82', 'neighbour-unreachable neighbour-no-answer'],
    ['[fd09::9]:82', 'no-route no-route'],
  ])('%s %s', (to, expected) => {
    expect(fatesOf(topology(ROUTER), 'a/host', packetTo('tcp', to))).toEqual([expected])
  })
  test.each([
    [
      'IPv6 forwarding off',
      'net.ipv6.conf.all.forwarding 1',
      'net.ipv6.conf.all.forwarding 0',
      'denied forwarding-off',
    ],
    [
      'address failed duplicate detection',
      '10.2.0.2/24 fd02::2/64',
      '10.2.0.2/24 fd02::2/64 dadfailed',
      'neighbour-unreachable address-dadfailed',
    ],
    [
      'IPv6 disabled at the receiver',
      'listen tcp *:81',
      'listen tcp *:81\n  sysctl net.ipv6.conf.eth0.disable_ipv6 1',
      'neighbour-unreachable neighbour-no-answer',
    ],
  ])('%s', (_name, from, to, expected) => {
    expect(fatesOf(topology(edited(ROUTER, from, to)), 'a/host', packetTo('tcp', '[fd02::2]:81'))).toEqual([expected])
  })
  test('a connecting socket routes again with the source it was given', () => {
    const text = edited(ROUTER, 'fd01::2/64\n', 'fd01::2/64\n  rule 100 from 10.1.0.0/24 prohibit\n')
    expect(fatesOf(topology(text), 'a/host', packetTo('tcp', '10.2.0.2:80'))).toEqual(['no-route route-prohibit'])
    expect(fatesOf(topology(text), 'a/host', packetTo('icmp', '10.2.0.2'))).toEqual(['delivered'])
  })
  test('TTL', () => {
    expect(fatesOf(topology(ROUTER), 'a/host', packetTo('udp', '10.2.0.2:9', { ttl: 1 }))).toEqual([
      'ttl-exceeded ttl-exceeded',
    ])
  })
  test('a link further on carries less than the sender makes', () => {
    const small = edited(
      ROUTER,
      'b veth b/host:eth0 10.2.0.1/24 fd02::1/64',
      'b veth b/host:eth0 10.2.0.1/24 fd02::1/64 mtu 1400',
    )
    const big = packetTo('tcp', '10.2.0.2:80', { length: 1450 })
    expect(fatesOf(topology(small), 'a/host', big)).toEqual(['mtu-exceeded mtu-exceeded'])
    const [t] = traceConnection(topology(small), { from: 'a/host', packet: packetTo('tcp', '10.2.0.2:80') })
    expect(t?.disposition).toBe('delivered')
    expect(stepsOf(t!.forward).find((s) => s.cause === 'mtu-exceeded')?.text).toContain('1400 bytes at most')
  })
  test('multipath branches by weight', () => {
    const two = edited(
      ROUTER,
      'route default via 10.1.0.1 dev eth0',
      'route default via 10.1.0.1 dev eth0 weight 3 via 10.1.0.9 dev eth0 weight 1',
    )
    expect(fatesOf(topology(two), 'a/host', packetTo('tcp', '10.2.0.2:80'))).toEqual([
      'delivered 75%',
      'neighbour-unreachable neighbour-no-answer 25%',
    ])
  })
  test.each([
    ['rule 100 from 10.1.0.0/24 lookup 100\n  route blackhole default table 100', 'no-route route-blackhole'],
    ['rule 100 from 10.3.0.0/24 lookup 100\n  route blackhole default table 100', 'delivered'],
    ['rule 100 iif a prohibit', 'no-route route-prohibit'],
    ['rule 100 fwmark 1 prohibit', 'delivered'],
    ['rule 100 from all lookup 254 suppress 24\n  rule 200 iif a blackhole', 'no-route route-blackhole'],
    ['rule 100 from all lookup 254 suppress 23\n  rule 200 iif a blackhole', 'delivered'],
    ['rule 100 from all lookup 100\n  route throw default table 100', 'delivered'],
    ['rule 100 from 10.2.0.0/24 iif b lookup 100\n  route prohibit default table 100', 'reply no-route route-prohibit'],
  ])('routing rule: %s', (rule, expected) => {
    const text = edited(
      ROUTER,
      'sysctl net.ipv6.conf.all.forwarding 1',
      `sysctl net.ipv6.conf.all.forwarding 1\n  ${rule}`,
    )
    expect(fatesOf(topology(text), 'a/host', packetTo('tcp', '10.2.0.2:80'))).toEqual([expected])
  })
  test("a source that is the receiver's own address is martian", () => {
    const text = edited(ROUTER, 'fd01::2/64\n', 'fd01::2/64 10.2.0.1/32\n  neigh 10.1.0.1 eth0 @r/host:a STALE\n')
    const src = parseIp('10.2.0.1')!
    expect(fatesOf(topology(text), 'a/host', packetTo('tcp', '10.2.0.2:80', { src }))).toEqual([
      'denied martian-source',
    ])
  })
  test('masquerade takes the address of the out link, and the answer is translated back', () => {
    const nat = '*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o b -j MASQUERADE\nCOMMIT\n'
    const [t] = traceConnection(topology(ROUTER, rules('r/host', nat)), {
      from: 'a/host',
      packet: packetTo('tcp', '10.2.0.2:80'),
    })
    expect(t?.disposition).toBe('delivered')
    expect(formatEndpoint(t!.forward.packet.src)).toBe('10.2.0.1')
    expect(formatEndpoint(t!.reply!.packet.dst)).toBe('10.1.0.2')
  })
})

describe('asymmetric ways', () => {
  // The answer leaves b by a second link straight to a: r sees only one direction.
  const text = edited(
    edited(
      ROUTER,
      'route ::/0 via fd02::1 dev eth0',
      'eth1 veth a/host:eth1 10.9.0.2/24\n  route 10.1.0.2/32 via 10.9.0.1 dev eth1',
    ),
    'route ::/0 via fd01::1 dev eth0',
    'eth1 veth b/host:eth1 10.9.0.1/24',
  )
  const drop = '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n'
  test('without rules about state it works', () => {
    expect(fatesOf(topology(text), 'a/host', packetTo('tcp', '10.2.0.2:80'))).toEqual(['delivered'])
  })
  test('a rule that drops invalid packets kills the third packet', () => {
    expect(fatesOf(topology(text, rules('r/host', drop)), 'a/host', packetTo('tcp', '10.2.0.2:80'))).toEqual([
      'reply denied conntrack-invalid',
    ])
  })
})

describe('macvlan', () => {
  const text = `
netns n1/host
  eth0 wire 172.30.0.11/24
  sysctl net.ipv4.conf.all.forwarding 0
netns n1/pod/d/a
  net1 macvlan eth0 172.30.0.50/24
netns n1/pod/d/b
  net1 macvlan eth0 172.30.0.51/24
  listen tcp 0.0.0.0:80
netns n2/host
  eth0 wire 172.30.0.12/24
  listen tcp 0.0.0.0:22
`
  test.each([
    ['n1/pod/d/a', '172.30.0.51:80', 'delivered'],
    ['n1/pod/d/a', '172.30.0.12:22', 'delivered'],
    ['n2/host', '172.30.0.51:80', 'delivered'],
    ['n1/pod/d/a', '172.30.0.11:80', 'neighbour-unreachable macvlan-isolation'],
    ['n1/host', '172.30.0.51:80', 'neighbour-unreachable macvlan-isolation'],
  ])('%s → %s: %s', (from, to, expected) => {
    expect(fatesOf(topology(text), from, packetTo('tcp', to))).toEqual([expected])
  })
})

describe('a bridge port that takes no floods', () => {
  const text = edited(
    edited(
      ROUTER,
      'a veth a/host:eth0 10.1.0.1/24 fd01::1/64',
      'br0 bridge 10.1.0.1/24\n  a veth a/host:eth0 master br0 noflood',
    ),
    'fd01::2/64',
    '',
  )
  test('still hears broadcasts, so its MAC is learned', () => {
    expect(fatesOf(topology(text), 'b/host', packetTo('icmp', '10.1.0.2'))).toEqual(['delivered'])
  })
})

describe('from outside', () => {
  const text = `
netns n1/host
  eth0 wire 172.30.0.11/24
  listen tcp 0.0.0.0:22
netns n2/host
  eth0 wire 172.30.0.12/24
`
  const external = parseIp('172.30.0.100')!
  test.each([
    ['172.30.0.11:22', 'delivered'],
    ['172.30.0.12:22', 'no-listener tcp-reset-no-listener'],
    ['172.30.0.99:22', 'insufficient-info unsupported'],
  ])('%s %s', (to, expected) => {
    expect(fatesOf(topology(text), { external }, packetTo('tcp', to))).toEqual([expected])
  })
})

describe('IPVS', () => {
  const service = (port: number, weights: number[]): IpvsService => ({
    protocol: 6,
    address: parseIp('10.96.0.1')!,
    port,
    scheduler: 'wrr',
    destinations: weights.map((weight, i) => ({
      address: parseIp(`10.2.0.${2 + i}`)!,
      port: 80,
      forwarding: 'masq',
      weight,
      evidence: { artefact: 'ipvs', text: `-a 10.2.0.${2 + i}:80` },
    })),
    evidence: { artefact: 'ipvs', text: `-A 10.96.0.1:${port}` },
  })
  const withIpvs = (network: Network, ipvs: IpvsService[]): Network => {
    const r = network.netns.get('r/host') as Netns
    return { ...network, netns: new Map(network.netns).set('r/host', { ...r, ipvs }) }
  }
  const text = edited(
    ROUTER,
    '  sysctl net.ipv4.conf.all.forwarding 1',
    '  kube-ipvs0 dummy 10.96.0.1/32 down\n  route local 10.96.0.1/32 dev kube-ipvs0 table 255\n  sysctl net.ipv4.conf.all.forwarding 1',
  )
  const nat = rules('r/host', '*nat\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n')
  test('destinations by weight, and the answer comes from the service address', () => {
    const network = withIpvs(topology(text, nat), [service(80, [1, 0])])
    expect(fatesOf(network, 'a/host', packetTo('tcp', '10.96.0.1:80'))).toEqual(['delivered'])
    const two = withIpvs(topology(text, nat), [service(80, [3, 1])])
    expect(fatesOf(two, 'a/host', packetTo('tcp', '10.96.0.1:80'))).toEqual([
      'delivered 75%',
      'neighbour-unreachable neighbour-no-answer 25%',
    ])
  })
  test('no destination', () => {
    expect(
      fatesOf(withIpvs(topology(text, nat), [service(80, [])]), 'a/host', packetTo('tcp', '10.96.0.1:80')),
    ).toEqual(['rejected ipvs-no-destination'])
  })
})
