import { describe, expect, it } from 'vitest'
import { formatIp } from '../../base/ip.ts'
import { movedBetween, readCounters } from './read-counters.ts'
import { readAsked, readWatched } from './read-output.ts'

describe('what probes print', () => {
  it.each([
    ['try 0 ok 0.4 1\ntry 0 ok 1.2 2\ntry 0 ok 0.6 3\n', { sent: 3, answered: 3, milliseconds: 0.6 }],
    ['try 0 fail ETIMEDOUT 1\ntry 0 fail ETIMEDOUT 2\n', { sent: 2, answered: 0, error: 'ETIMEDOUT' }],
    ['try 0 ok 2 1\ntry 0 fail ECONNREFUSED 2\n', { sent: 2, answered: 1, error: 'ECONNREFUSED', milliseconds: 2 }],
    ['echo 0 20 14 0.2 -\n', { sent: 20, answered: 14, milliseconds: 0.2, error: 'ETIMEDOUT' }],
    ['mtu 0 1400 1401\n', { sent: 1, answered: 0, mtu: { largest: 1400, lost: 1401 } }],
    // Another job, too many answers, text in place of numbers, a name that is none.
    ['try 7 ok 1 1\necho 0 3 9 1 -\ntry 0 ok x 1\nmtu 0 -1 -1\n', { sent: 0, answered: 0 }],
    ['try 0 fail $(id) 1\n', { sent: 1, answered: 0, error: 'unknown' }],
  ])('%j', (output, want) => {
    expect(readAsked(output, 1).jobs[0]).toEqual({ senders: [], dns: [], ...want })
  })

  it('reads who refused, and takes no other form of it', () => {
    const { jobs, blind, complete } = readAsked(
      [
        'capture yes',
        'rst 0 10.244.2.20 62 b2:5c:59:ea:ee:d7 eth0',
        'icmp 0 10.244.1.1 64 - eth0 3 4 1400',
        'rst 0 nowhere 62 - eth0',
        'rst 0 10.0.0.1 300 - eth0',
        'rst 0 10.0.0.1 3 - a/b',
        'icmp 0 10.0.0.1 3 - eth0 3',
        'end',
      ].join('\n'),
      1,
    )
    expect(blind).toBeNull()
    expect(complete).toBe(true)
    expect(jobs[0]?.senders.map((s) => ({ ...s, from: formatIp(s.from) }))).toEqual([
      { kind: 'rst', from: '10.244.2.20', ttl: 62, mac: 'b2:5c:59:ea:ee:d7', link: 'eth0' },
      { kind: 'icmp', from: '10.244.1.1', ttl: 64, mac: null, link: 'eth0', type: 3, code: 4, mtu: 1400 },
    ])
  })

  it('says why refusals could not be seen', () => {
    expect(readAsked('capture no EPERM\n', 1).blind).toContain('EPERM')
    expect(readAsked('try 0 ok 1 0\nend\n', 1).blind).toBe('no python3 there')
  })

  it('holds a flood in bounds', () => {
    const lines = 'rst 0 10.0.0.1 64 - eth0\n'.repeat(100_000)
    expect(readAsked(lines, 1).jobs[0]?.senders).toHaveLength(16)
    expect(
      readWatched(`ready\n${'see eth0 in forward 1 64 a 1 b 2 plain\n'.repeat(100_000)}`).seen.length,
    ).toBeLessThan(2001)
  })

  it('reads watchers', () => {
    expect(
      readWatched('ready\nsee eth0 in forward 12 64 x\nsee e/h in forward 1\nsee eth0 up forward 1\ndropped 3\n'),
    ).toEqual({
      ready: true,
      seen: [{ link: 'eth0', way: 'in', direction: 'forward', id: '12' }],
      lost: 3,
    })
    expect(readWatched('').ready).toBe(false)
  })
})

const READING = (drops: number, policy: number, overflows: number, tx: number, rest = '=== end\n') =>
  `=== iptables-save
*filter
:FORWARD DROP [${policy}:60]
:FLANNEL-FWD - [0:0]
[${drops}:60] -A FORWARD -j DROP
[7:60] -A FORWARD -j DROP
=== nft
table inet guard {
\tchain fwd {
\t\tip daddr 10.0.0.1 counter packets ${drops} bytes 60 drop
=== netstat
TcpExt: SyncookiesSent ListenOverflows
TcpExt: 0 ${overflows}
=== link
[{"ifname":"eth0","stats64":{"rx":{"dropped":1},"tx":{"dropped":${tx}}}}]
=== qdisc
[{"kind":"tbf","dev":"eth0","drops":${tx}}]
=== neighbour
[{"dst":"10.0.0.9","dev":"eth0","state":["FAILED"]},{"dst":"x","dev":"eth0","state":["FAILED"]}]
${rest}`

describe('counters before and after', () => {
  it('tells what moved, equal lines apart', () => {
    const after = readCounters(READING(9, 5, 2, 4))
    const moved = movedBetween(readCounters(READING(3, 5, 0, 1)), after)
    expect(moved).toEqual([
      { kind: 'rule', table: 'filter', name: '-A FORWARD -j DROP', by: 6 },
      { kind: 'rule', table: 'inet guard', name: 'fwd: ip daddr 10.0.0.1 drop', by: 6 },
      { kind: 'link', name: 'eth0 tx dropped', by: 3 },
      { kind: 'qdisc', name: 'tbf of eth0 dropped', by: 3 },
      { kind: 'kernel', name: 'TcpExtListenOverflows', by: 2 },
    ])
    expect(after.silent.map((s) => formatIp(s.ip))).toEqual(['10.0.0.9'])
  })

  it('knows nothing from a reading that was cut short', () => {
    expect(movedBetween(readCounters(READING(3, 5, 0, 1, '')), readCounters(READING(9, 5, 2, 4)))).toBeNull()
  })

  it('does not trip over rubbish', () => {
    expect(readCounters('=== link\n[{"ifname":3},null,7]\n=== netstat\nTcpExt:\n\u0000\n=== end').complete).toBe(true)
  })
})
