import { ICMP, ICMPV6, protocolName, SCTP, TCP, UDP } from '../../src/base/protocol.ts'
import type { ChainPieces, RulePieces, RulesetPieces } from './case.ts'
import type { Probe } from './probe.ts'
import { POOL, PORTS, probeLength } from './probes.ts'
import type { Random } from './random.ts'

interface Spot {
  readonly hook: string
  readonly type: 'filter' | 'nat' | 'route'
  readonly family: 4 | 6
  readonly tableFamily: 'ip' | 'ip6' | 'inet'
}

const op = (rand: Random) => (rand.chance(0.25) ? '!= ' : '')
const l3 = (family: 4 | 6) => (family === 4 ? 'ip' : 'ip6')

function addressMatch(rand: Random, probe: Probe, family: 4 | 6): string {
  const pool = POOL[family]
  const side = rand.pick(['saddr', 'daddr'])
  const own = side === 'saddr' ? probe.src : probe.dst
  const range = family === 4 ? '10.1.0.0-10.2.0.5' : 'fd00:1::-fd00:2::5'
  const value = rand.weighted([
    [40, own],
    [20, rand.pick(pool.nets.slice(0, 5))],
    [15, `{ ${own}, ${rand.pick(pool.server)} }`],
    [10, `{ ${rand.pick(pool.nets.slice(1, 3))}, ${rand.pick(pool.service)} }`],
    [8, range],
    [7, '@addrs'],
  ])
  return `${l3(family)} ${side} ${op(rand)}${value}`
}

function transportMatch(rand: Random, probe: Probe, family: 4 | 6): string {
  const protocol = rand.chance(0.75) ? probe.protocol : rand.pick([TCP, UDP, SCTP])
  if (protocol === ICMP)
    return rand.pick([
      'icmp type echo-request',
      'icmp type != echo-reply',
      'icmp type { echo-request, timestamp-request }',
      'icmp code 0',
      'meta l4proto icmp',
    ])
  if (protocol === ICMPV6)
    return rand.pick(['icmpv6 type echo-request', 'icmpv6 type != echo-reply', 'meta l4proto ipv6-icmp'])
  const name = protocolName(protocol)
  const port = rand.chance(0.7) ? probe.dport || 80 : rand.pick(PORTS)
  const side = rand.pick(['dport', 'dport', 'dport', 'sport'])
  const value = rand.weighted([
    [50, String(port)],
    [15, `${Math.max(1, port - 20)}-${port + 20}`],
    [20, `{ ${port}, ${rand.pick(PORTS) + 1} }`],
    [8, '{ 1-100, 8000-9000 }'],
    [7, '@ports'],
  ])
  return rand.weighted([
    [55, `${name} ${side} ${op(rand)}${value}`],
    [12, `meta l4proto ${op(rand)}${name}`],
    [8, `meta l4proto { tcp, ${rand.pick(['udp', 'sctp'])} }`],
    [8, `meta l4proto ${name} th ${side} ${op(rand)}${value}`],
    [5, family === 4 ? `ip protocol ${op(rand)}${name}` : `ip6 nexthdr ${op(rand)}${name}`],
    [6, `${l3(family)} daddr . ${name} dport { ${probe.dst} . ${port}, ${rand.pick(POOL[family].server)} . 1-1000 }`],
    [
      6,
      protocol === TCP
        ? rand.pick([
            'tcp flags syn',
            'tcp flags & (fin|syn|rst|ack) == syn',
            'tcp flags != syn',
            'tcp flags { syn, rst }',
            'tcp flags & (syn|ack) != 0',
          ])
        : `${name} dport > 79`,
    ],
  ])
}

function otherMatch(rand: Random, probe: Probe, spot: Spot): string {
  const inOk = ['prerouting', 'input', 'forward'].includes(spot.hook)
  const outOk = ['forward', 'output', 'postrouting'].includes(spot.hook)
  const v4 = spot.family === 4
  const length = probeLength(probe)
  return rand.weighted<string>([
    [inOk ? 10 : 0, `iifname ${op(rand)}${rand.pick(['"lan0"', '"wan0"', '"la*"', '{ "lan0", "eth0" }'])}`],
    [outOk ? 10 : 0, `oifname ${op(rand)}${rand.pick(['"lan0"', '"wan0"', '"w*"', '{ "wan0", "eth0" }'])}`],
    [
      18,
      `ct state ${op(rand)}${rand.pick(['new', 'established', 'established,related', 'invalid', 'new,invalid', '{ established, new }'])}`,
    ],
    [
      4,
      rand.pick([
        'ct status dnat',
        'ct status snat',
        'ct status & dnat != 0',
        'ct direction original',
        'ct direction reply',
      ]),
    ],
    [3, `ct original ${l3(spot.family)} daddr ${op(rand)}${probe.dst}`],
    [
      12,
      `meta mark ${rand.pick(['0x4000', '0', '!= 5', '& 0x4000 == 0x4000', '& 0x4000 != 0', '{ 0x5, 0x4000 }', '& 0xff == 0x5', '1-10'])}`,
    ],
    [3, `ct mark ${rand.pick(['0', '4', '& 0xf == 4', '!= 0'])}`],
    [
      8,
      `fib ${rand.pick(['saddr', 'daddr'])} type ${op(rand)}${rand.pick(['local', 'unicast', '{ local, broadcast }'])}`,
    ],
    [
      inOk && spot.hook === 'prerouting' ? 4 : 0,
      `fib saddr . iif oif ${rand.pick(['missing', 'exists', '0', '!= 0'])}`,
    ],
    [6, `meta length ${rand.pick([`${length}`, `> ${length}`, `< 100`, `>= ${length}`])}`],
    [
      4,
      v4
        ? `ip ttl ${rand.pick(['64', '> 60', '< 64', '!= 63'])}`
        : `ip6 hoplimit ${rand.pick(['64', '> 60', '< 64', '!= 63'])}`,
    ],
    [4, `${l3(spot.family)} dscp ${op(rand)}${rand.pick(['af11', 'ef', 'cs0', '{ ef, af11 }'])}`],
    [
      spot.tableFamily === 'inet' ? 5 : 0,
      `meta nfproto ${rand.pick([v4 ? 'ipv4' : 'ipv6', v4 ? '!= ipv6' : '!= ipv4'])}`,
    ],
    [5, rand.pick(['numgen random mod 2 0', 'numgen random mod 3 < 1', 'numgen inc mod 2 0'])],
    [2, 'meta pkttype host'],
    [1, 'limit rate 10/second'],
    [3, `${l3(spot.family)} saddr . ${l3(spot.family)} daddr ${op(rand)}{ ${probe.src} . ${probe.dst} }`],
    [3, `${l3(spot.family)} daddr & ${v4 ? '255.255.0.255 == 10.2.0.5' : 'ffff:ffff:: == fd00:2::'}`],
    [2, rand.pick(['@th,16,16 80', `@th,16,16 ${probe.dport}`])],
  ])
}

function verdictTarget(rand: Random, spot: Spot, later: readonly string[], probe: Probe): string {
  const v4 = spot.family === 4
  const inet = spot.tableFamily === 'inet'
  const pool = POOL[spot.family]
  const server = rand.pick(pool.server)
  const l = l3(spot.family)
  const to = (a: string, port?: string) => (port ? (v4 ? `${a}:${port}` : `[${a}]:${port}`) : a)
  const nat = inet ? ` ${l}` : ''
  const options: [number, string][] = [
    [10, 'accept'],
    [6, 'return'],
    [4, 'continue'],
    [4, ''],
    [
      10,
      `meta mark set ${rand.pick(['0x4000', 'meta mark | 0x4000', 'meta mark & 0xffff00ff', 'meta mark ^ 0x1', 'ct mark', 'meta mark & 0xff | 0x100', `numgen inc mod 2 map { 0 : 5, 1 : 6 }`])}`,
    ],
    [3, `ct mark set ${rand.pick(['4', 'meta mark', 'ct mark | 0x10'])}`],
  ]
  if (later.length) {
    const [a, b] = [rand.pick(later), rand.pick(later)]
    const other = rand.pick([...pool.server, ...pool.client].filter((x) => x !== probe.dst))
    options.push(
      [18, `jump ${a}`],
      [6, `goto ${a}`],
      [8, `${l} daddr vmap { ${probe.dst} : jump ${a}, ${other} : ${rand.pick(['accept', 'return', 'continue'])} }`],
      [6, `meta l4proto . th dport vmap { tcp . ${probe.dport || 80} : goto ${a}, udp . 53 : jump ${b} }`],
      [5, `numgen random mod 2 vmap { 0 : jump ${a}, 1 : ${rand.chance(0.5) ? `goto ${b}` : 'continue'} }`],
      [5, `${l} daddr . meta l4proto . th dport vmap @services`],
      [3, `ct state vmap { new : jump ${a}, established : accept, invalid : continue }`],
      [3, `meta mark vmap { 0x4000 : jump ${a}, 0-10 : continue }`],
    )
  }
  if (spot.type !== 'nat') options.push([8, 'drop'])
  if (spot.type === 'filter' && ['input', 'forward', 'output'].includes(spot.hook))
    options.push([
      6,
      rand.pick([
        'reject',
        inet
          ? 'reject with icmpx admin-prohibited'
          : v4
            ? 'reject with icmp host-unreachable'
            : 'reject with icmpv6 no-route',
      ]),
    ])
  if (spot.type === 'filter') options.push([3, v4 ? 'ip ttl set 40' : 'ip6 hoplimit set 40'], [3, `${l} dscp set af11`])
  if (spot.type === 'filter' && (spot.hook === 'prerouting' || spot.hook === 'output')) options.push([2, 'notrack'])
  if (spot.type === 'nat') {
    if (spot.hook === 'prerouting' || spot.hook === 'output')
      options.push(
        [14, `dnat${nat} to ${server}`],
        [8, `tcp dport 1-65535 dnat${nat} to ${to(server, '8080')}`],
        [
          6,
          `dnat${nat} to ${l} daddr map { ${probe.dst} : ${server}, ${rand.pick(pool.service)} : ${rand.pick(pool.server)} }`,
        ],
        [5, `dnat${nat} to numgen random mod 2 map { 0 : ${pool.server[0]}, 1 : ${pool.server[1]} }`],
        [
          3,
          `meta l4proto tcp dnat${nat} to ${l} daddr . tcp dport map { ${probe.dst} . ${probe.dport || 80} : ${server} . 9000 }`,
        ],
        [3, `dnat${nat} to ${pool.server[0]}-${pool.server[2]}`],
      )
    if (spot.hook === 'prerouting') options.push([5, 'meta l4proto tcp redirect to :8080'], [2, 'redirect'])
    if (spot.hook === 'postrouting')
      options.push(
        [10, `masquerade${rand.pick(['', ' random', ' fully-random'])}`],
        [4, 'meta l4proto tcp masquerade to :5000-5100'],
      )
    if (spot.hook === 'postrouting' || spot.hook === 'input')
      options.push(
        [8, `snat${nat} to ${v4 ? '10.2.0.77' : 'fd00:2::77'}`],
        [3, `tcp dport 1-65535 snat${nat} to ${to(v4 ? '10.2.0.77' : 'fd00:2::77', '5000-5100')}`],
      )
  }
  return rand.weighted(options)
}

function rule(rand: Random, probes: readonly Probe[], spot: Spot, later: readonly string[]): RulePieces {
  const probe = rand.pick(probes)
  const matches: string[] = []
  if (rand.chance(0.45)) matches.push(addressMatch(rand, probe, spot.family))
  if (rand.chance(0.45)) matches.push(transportMatch(rand, probe, spot.family))
  if (rand.chance(0.45)) matches.push(otherMatch(rand, probe, spot))
  if (rand.chance(0.08)) matches.push(`meta mark set meta mark | 0x10`)
  // What a target needs to be true comes before the counter.
  const [, needs, target] = /^((?:tcp dport 1-65535|meta l4proto tcp) )?(.*)$/.exec(
    verdictTarget(rand, spot, later, probe),
  )!
  if (needs) matches.push(needs.trim())
  return { matches, target: target! }
}

const PRIORITIES: Record<string, readonly string[]> = {
  prerouting: ['raw', 'mangle', 'filter', 'dstnat - 10', 'dstnat + 10', '-199'],
  input: ['filter', 'mangle', 'security', '5'],
  forward: ['filter', 'mangle', '10', '-5'],
  output: ['raw', 'filter', 'mangle', '-101'],
  postrouting: ['mangle', 'filter', 'srcnat - 5', 'srcnat + 5'],
}

/** A whole native nft table of one family (ip, ip6 or inet), with sets, maps, verdict maps and acyclic jumps. */
export function randomNft(rand: Random, probes: readonly Probe[], family: 4 | 6, name: string): RulesetPieces {
  const tableFamily = rand.chance(0.4) ? 'inet' : family === 4 ? 'ip' : 'ip6'
  const own = rand.pick(probes)
  const pool = POOL[family]
  const type = family === 4 ? 'ipv4_addr' : 'ipv6_addr'
  const chains: ChainPieces[] = []
  const proto = own.protocol === SCTP ? 'sctp' : own.protocol === UDP ? 'udp' : 'tcp'
  const sets = [
    `set addrs { type ${type}; flags interval; elements = { ${pool.nets[2]}, ${rand.pick(pool.service)} } }`,
    `set ports { type inet_service; flags interval; elements = { 1-9, ${own.dport || 80}-${(own.dport || 80) + 10} } }`,
    `map services { type ${type} . inet_proto . inet_service : verdict; elements = { ${own.dst} . ${proto} . ${own.dport || 80} : goto u2, ${pool.server[0]} . tcp . 81 : jump u3 } }`,
  ]
  const hooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'].filter(() => rand.chance(0.5))
  for (const hook of hooks) {
    const count = 1 + rand.below(4)
    const spot: Spot = { hook, type: 'filter', family, tableFamily }
    const policy = rand.chance(0.1) ? 'drop' : 'accept'
    chains.push({
      name: `f_${hook}`,
      base: `type filter hook ${hook} priority ${rand.pick(PRIORITIES[hook]!)}; policy ${policy};`,
      rules: Array.from({ length: count }, () => rule(rand, probes, spot, ['u1', 'u2', 'u3'])),
    })
  }
  for (const hook of ['prerouting', 'output', 'postrouting', 'input']) {
    if (!rand.chance(hook === 'input' ? 0.15 : 0.4)) continue
    const spot: Spot = { hook, type: 'nat', family, tableFamily }
    const priority =
      hook === 'prerouting' ? 'dstnat' : hook === 'output' ? '-100' : hook === 'postrouting' ? 'srcnat' : '100'
    const count = 1 + rand.below(3)
    chains.push({
      name: `n_${hook}`,
      base: `type nat hook ${hook} priority ${priority};`,
      rules: Array.from({ length: count }, () => rule(rand, probes, spot, ['u1', 'u2', 'u3'])),
    })
  }
  // Regular chains are reached from any base chain, so they hold only what every chain type and hook allows.
  const anywhere: Spot = { hook: 'any', type: 'route', family, tableFamily }
  const regular = ['u1', 'u2', 'u3']
  regular.forEach((chain, i) => {
    const count = rand.below(4)
    const rules = Array.from({ length: count }, () => {
      const r = rule(
        rand,
        probes,
        { ...anywhere, type: 'nat', hook: 'any' },
        regular.slice(i + 1).filter((c) => c !== chain),
      )
      return r.target.includes('@services') ? { ...r, target: 'accept' } : r
    })
    chains.push({ name: chain, rules })
  })
  return { backend: 'nft', family, tableFamily, tables: [{ name, chains, sets }] }
}
