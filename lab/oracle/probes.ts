import { ICMP, ICMPV6, SCTP, TCP, UDP } from '../../src/base/protocol.ts'
import type { Probe } from './probe.ts'
import type { Random } from './random.ts'

/** Addresses of the arena by family: who may send from where to whom. */
export const POOL = {
  4: {
    client: ['10.1.0.2', '10.1.0.7', '10.1.0.200'],
    server: ['10.2.0.5', '10.2.0.6', '10.2.0.7'],
    service: ['10.96.0.10', '10.96.100.10', '203.0.113.10'],
    router: ['10.1.0.1', '10.1.0.3', '10.2.0.1'],
    nets: ['10.0.0.0/8', '10.1.0.0/24', '10.2.0.0/16', '10.96.0.0/12', '10.2.0.4/30', '0.0.0.0/0'],
  },
  6: {
    client: ['fd00:1::2', 'fd00:1::7'],
    server: ['fd00:2::5', 'fd00:2::6', 'fd00:2::7'],
    service: ['fd00:96::10', 'fd00:96::100', '2001:db8::10'],
    router: ['fd00:1::1', 'fd00:2::1'],
    nets: ['fd00::/8', 'fd00:1::/64', 'fd00:2::/64', 'fd00:96::/112', 'fd00:2::4/126', '::/0'],
  },
} as const

export const PORTS = [22, 53, 80, 443, 8080, 30080] as const

export function randomProbe(rand: Random, family: 4 | 6): Probe {
  const pool = POOL[family]
  const from = rand.weighted([
    [60, 'c'],
    [25, 'r'],
    [15, 's'],
  ] as const)
  const src = from === 'r' ? pool.router[pool.router.length - 1]! : rand.pick(from === 'c' ? pool.client : pool.server)
  const dst =
    from === 's'
      ? rand.pick(rand.chance(0.6) ? pool.client : pool.router)
      : rand.weighted([
          [40, rand.pick(pool.server)],
          [40, rand.pick(pool.service)],
          [from === 'c' ? 20 : 0, rand.pick(pool.router)],
        ])
  const protocol = rand.weighted([
    [50, TCP],
    [25, UDP],
    [15, family === 4 ? ICMP : ICMPV6],
    [10, SCTP],
  ])
  const echo = protocol === ICMP || protocol === ICMPV6
  return {
    from,
    src,
    dst,
    protocol,
    sport: echo ? 0 : rand.pick([1234, 40000, 53, 80, 61000]),
    dport: echo ? 0 : rand.pick(PORTS),
    // The router's own answers are told apart by RST, so what it sends as a probe has none.
    flags:
      protocol !== TCP
        ? 0
        : from === 'r'
          ? 2
          : rand.weighted([
              [90, 2],
              [3, 16],
              [3, 18],
              [2, 4],
              [2, 17],
            ]),
    icmpType:
      protocol === ICMPV6
        ? 128
        : rand.weighted([
            [95, 8],
            [5, 13],
          ]),
    icmpCode: 0,
    id: echo ? 77 : 0,
    ttl: rand.weighted([
      [80, 64],
      [10, 5],
      [10, 255],
    ]),
    dscp: rand.weighted([
      [80, 0],
      [10, 10],
      [10, 46],
    ]),
    payload: rand.weighted([
      [60, 0],
      [20, 10],
      [20, 500],
    ]),
    mark:
      from === 'r'
        ? rand.weighted([
            [80, 0],
            [10, 0x4000],
            [10, 5],
          ])
        : 0,
  }
}

/** Length in bytes of the IP packet the agent builds for a probe. */
export function probeLength(p: Probe): number {
  const header = p.src.includes(':') ? 40 : 20
  const transport = p.protocol === TCP ? 20 : p.protocol === SCTP ? 32 : 8
  return header + transport + (p.protocol === SCTP ? 0 : p.payload)
}
