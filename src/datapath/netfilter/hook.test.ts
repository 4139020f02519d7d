import { describe, expect, test } from 'vitest'
import { formatEndpoint, parseIp } from '../../base/ip.ts'
import type { ConntrackEntry } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'
import type { Hook, Ruleset } from '../../model/ruleset.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { parseNftText } from '../../parse/nft/index.ts'
import { runHook } from './hook.ts'
import type { LinkView, Passage, Surroundings } from './types.ts'

const ip = (text: string) => parseIp(text)!
const link = (name: string, ...addresses: string[]): LinkView => ({ name, ifindex: 3, addresses: addresses.map(ip) })
const eth0 = link('eth0', '10.0.0.1', '10.0.0.9')
const cni0 = link('cni0', '10.244.0.1')

function packet(fields: Partial<Packet> = {}): Packet {
  return {
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
  }
}
const passage = (fields: Partial<Passage> = {}): Passage => ({
  packet: packet(),
  connection: null,
  untracked: false,
  in: eth0,
  out: null,
  physIn: null,
  physOut: null,
  uid: null,
  ...fields,
})
const around = (rulesets: readonly Ruleset[], conntrack: readonly ConntrackEntry[] = []): Surroundings => ({
  rulesets,
  ipsets: new Map(),
  conntrack,
  addressType: (a) => (formatEndpoint(a) === '10.0.0.1' ? 'local' : 'unicast'),
  fib: () => null,
  masqueradeAddress: (out) => out.addresses[0] ?? null,
  sysctl: () => null,
})
const save = (
  text: string,
  backend: 'iptables-legacy' | 'iptables-nft' = 'iptables-legacy',
  family: 'ip' | 'ip6' = 'ip',
) => parseIptablesSave(text, { artefact: backend, family, backend })
const nft = (text: string) => parseNftText(text, 'nft')
const nat = (rules: string) =>
  save(
    `*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n${rules}COMMIT\n`,
  )
const filter = (chains: string, policy = 'ACCEPT') =>
  save(`*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ${policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n${chains}COMMIT\n`)
const forward = (rulesets: readonly Ruleset[]) => runHook(around(rulesets), 'forward', 'ip', passage({ out: cni0 }))
const dstOf = (p: Passage) => formatEndpoint(p.packet.dst, p.packet.dport)
const srcOf = (p: Passage) => formatEndpoint(p.packet.src, p.packet.sport)

describe('chains', () => {
  test.each([
    ['falling off the end meets the chain policy', ':A - [0:0]\n-A FORWARD -j A\n', 'DROP', 'drop'],
    ['return in a base chain meets it too', '-A FORWARD -j RETURN\n-A FORWARD -j ACCEPT\n', 'DROP', 'drop'],
    [
      'return comes back behind the jump',
      ':A - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n-A A -j RETURN\n',
      'ACCEPT',
      'drop',
    ],
    [
      'goto does not come back',
      ':A - [0:0]\n-A FORWARD -g A\n-A FORWARD -j DROP\n-A A -j RETURN\n',
      'ACCEPT',
      'accept',
    ],
    [
      'goto comes back to where its chain was called from',
      ':A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n-A A -g B\n-A A -j ACCEPT\n',
      'ACCEPT',
      'drop',
    ],
    ['an empty chain comes back', ':A - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n', 'ACCEPT', 'drop'],
  ])('%s', (_, chains, policy, verdict) => {
    expect(forward([filter(chains, policy)]).map((o) => o.verdict)).toEqual([verdict])
  })

  test('a drop by policy names the chain, a drop by rule the rule', () => {
    const [byPolicy] = forward([filter('', 'DROP')])
    expect(byPolicy).toMatchObject({
      verdict: 'drop',
      byPolicy: true,
      decided: { chain: 'FORWARD', table: 'filter', line: 3 },
    })
    const [byRule] = forward([filter('-A FORWARD -j DROP\n')])
    expect(byRule).toMatchObject({ verdict: 'drop', decided: { line: 5, effect: 'drop' } })
    expect(byRule!.byPolicy).toBeUndefined()
  })

  test('accept ends its base chain only; a later one may still drop', () => {
    const later = nft(
      'table inet guard {\n\tchain f {\n\t\ttype filter hook forward priority filter + 10; policy accept;\n\t\tdrop\n\t}\n}\n',
    )
    const [o] = forward([filter('-A FORWARD -j ACCEPT\n'), later])
    expect(o).toMatchObject({ verdict: 'drop', decided: { table: 'guard' } })
    expect(o!.rules.map((r) => r.effect)).toEqual(['accept', 'drop'])
  })

  test('both iptables back ends are asked', () => {
    const legacy = save('*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j DROP\nCOMMIT\n')
    const modern = save('*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n', 'iptables-nft')
    expect(forward([modern, legacy]).map((o) => o.verdict)).toEqual(['drop'])
  })

  test('chains of equal priority in one dump run last first; of two dumps, in an order that is not known', () => {
    const mark = (table: string, value: number) =>
      `table ip ${table} {\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tmeta mark set ${value}\n\t}\n}\n`
    expect(forward([nft(mark('a', 1) + mark('b', 2))])[0]!.passage.packet.mark).toBe(1)
    expect(forward([nft(mark('a', 1)), nft(mark('b', 2))]).map((o) => o.verdict)).toEqual(['unknown'])
    expect(forward([nft(mark('a', 1)), nft(mark('b', 1))]).map((o) => o.verdict)).toEqual(['accept'])
  })

  test('a jump to a chain that is not there, an opaque target and a loop are unknown', () => {
    expect(forward([filter('-A FORWARD -j NOWHERE\n')])[0]!.verdict).toBe('unknown')
    expect(forward([filter('-A FORWARD -j SYNPROXY --mss 1\n-A FORWARD -j DROP\n')])[0]!.verdict).toBe('unknown')
    const loop = filter(':A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A A -j B\n-A A -j B\n-A B -j A\n-A B -j A\n')
    expect(forward([loop])[0]!.verdict).toBe('unknown')
  })

  test('a dormant table is not there', () => {
    const text =
      'table inet t {\n\tflags dormant\n\n\tchain f {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n'
    expect(forward([nft(text)])[0]!.verdict).toBe('accept')
  })

  test('reject says how', () => {
    const [o] = forward([filter('-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n')])
    expect(o).toMatchObject({ verdict: 'reject', rejectWith: 'tcp-reset' })
  })

  test.each([
    ['a template counts as a new connection before conntrack', '-j CT --zone 3', 3, false],
    ['the first template stays', '-j CT --zone 3\n-A PREROUTING -j CT --zone 4', 3, false],
    ['notrack after a template does nothing', '-j CT --zone 3\n-A PREROUTING -j CT --notrack', 3, false],
    ['a template after notrack does nothing', '-j CT --notrack\n-A PREROUTING -j CT --zone 3', 0, true],
  ])('%s', (_, rules, zone, untracked) => {
    const raw = save(
      `*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING ${rules}\n-A PREROUTING -m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0x0\nCOMMIT\n`,
    )
    const [o] = runHook(around([raw]), 'prerouting', 'ip', passage())
    expect([o!.passage.connection?.entry.zone ?? 0, o!.passage.untracked, o!.passage.packet.mark]).toEqual([
      zone,
      untracked,
      untracked ? 0 : 1,
    ])
  })

  test('raw may keep a packet from being tracked, and then nothing translates it', () => {
    const raw = save('*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j CT --notrack\nCOMMIT\n')
    const [o] = runHook(
      around([raw, nat('-A PREROUTING -j DNAT --to-destination 10.2.0.5\n')]),
      'prerouting',
      'ip',
      passage(),
    )
    expect(o!.passage).toMatchObject({ untracked: true, connection: null })
    expect(dstOf(o!.passage)).toBe('10.96.0.10:80')
  })
})

describe('translation', () => {
  test('a new connection, its reply, and its next packet', () => {
    const rulesets = [
      nat('-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.2.0.5:8080\n-A POSTROUTING -j MASQUERADE\n'),
    ]
    const [routed] = runHook(around(rulesets), 'prerouting', 'ip', passage())
    expect(dstOf(routed!.passage)).toBe('10.2.0.5:8080')
    expect(routed!.rules.map((r) => r.effect)).toEqual(['dnat 10.2.0.5:8080'])
    const [sent] = runHook(around(rulesets), 'postrouting', 'ip', { ...routed!.passage, out: eth0 })
    expect([srcOf(sent!.passage), sent!.masqueraded]).toEqual(['10.0.0.1:4000', true])

    const entry = sent!.passage.connection!.entry
    const later = around(rulesets, [entry])
    const reply = packet({ src: ip('10.2.0.5'), dst: ip('10.0.0.1'), sport: 8080, dport: 4000, tcpFlags: 18 })
    const [back] = runHook(later, 'prerouting', 'ip', passage({ packet: reply }))
    expect(back!.passage.connection).toMatchObject({ direction: 'reply', state: 'established' })
    expect(back!.rules).toEqual([])
    expect(dstOf(back!.passage)).toBe('10.1.0.2:4000')
    const [out] = runHook(later, 'postrouting', 'ip', { ...back!.passage, out: eth0 })
    expect(srcOf(out!.passage)).toBe('10.96.0.10:80')

    const [again] = runHook(later, 'prerouting', 'ip', passage())
    expect([dstOf(again!.passage), again!.rules.length]).toEqual(['10.2.0.5:8080', 0])
  })

  test.each<[string, Hook, string, string, string]>([
    [
      'redirect takes the first address of the in link',
      'prerouting',
      '-A PREROUTING -p tcp -j REDIRECT --to-ports 3128\n',
      '10.1.0.2:4000',
      '10.0.0.1:3128',
    ],
    [
      'redirect in output goes to loopback',
      'output',
      '-A OUTPUT -p tcp -j REDIRECT\n',
      '10.1.0.2:4000',
      '127.0.0.1:80',
    ],
    [
      'netmap keeps the host part',
      'prerouting',
      '-A PREROUTING -d 10.96.0.0/24 -j NETMAP --to 10.7.8.0/24\n',
      '10.1.0.2:4000',
      '10.7.8.10:80',
    ],
    [
      'source translation of what comes in',
      'input',
      '-A INPUT -j SNAT --to-source 10.9.9.9\n',
      '10.9.9.9:4000',
      '10.96.0.10:80',
    ],
    [
      'the first rule that translates ends the lookup',
      'prerouting',
      '-A PREROUTING -j DNAT --to-destination 10.2.0.5\n-A PREROUTING -j DNAT --to-destination 10.2.0.6\n',
      '10.1.0.2:4000',
      '10.2.0.5:80',
    ],
    [
      'accept in nat leaves the packet as it is',
      'prerouting',
      '-A PREROUTING -j ACCEPT\n-A PREROUTING -j DNAT --to-destination 10.2.0.5\n',
      '10.1.0.2:4000',
      '10.96.0.10:80',
    ],
    [
      'a port alone',
      'prerouting',
      '-A PREROUTING -p tcp -j DNAT --to-destination :81\n',
      '10.1.0.2:4000',
      '10.96.0.10:81',
    ],
  ])('%s', (_, hook, rules, src, dst) => {
    const outcomes = runHook(around([nat(rules)]), hook, 'ip', withConnection(hook))
    expect(outcomes.map((o) => [srcOf(o.passage), dstOf(o.passage)])).toEqual([[src, dst]])
  })

  function withConnection(hook: Hook): Passage {
    if (hook !== 'input') return passage({ in: hook === 'output' ? null : eth0, out: hook === 'output' ? eth0 : null })
    return runHook(around([]), 'prerouting', 'ip', passage())[0]!.passage
  }

  test('all nat chains run at the hook of NAT, in order of their own priorities', () => {
    const text = `table ip n {
	chain late {
		type nat hook prerouting priority -90; policy accept;
		dnat to 10.2.0.6
	}

	chain early {
		type nat hook prerouting priority -110; policy accept;
		dnat to 10.2.0.5
	}

	chain between {
		type filter hook prerouting priority -105; policy accept;
		ip daddr 10.96.0.10 meta mark set 1
	}
}
`
    const [o] = runHook(around([nft(text)]), 'prerouting', 'ip', passage())
    expect([dstOf(o!.passage), o!.passage.packet.mark]).toEqual(['10.2.0.5:80', 1])
  })

  test('without any nat chain a stored translation is not applied', () => {
    const rulesets = [nat('-A PREROUTING -p tcp -j DNAT --to-destination 10.2.0.5\n')]
    const entry = runHook(around(rulesets), 'prerouting', 'ip', passage())[0]!.passage.connection!.entry
    const [o] = runHook(around([filter('')], [entry]), 'prerouting', 'ip', passage())
    expect(dstOf(o!.passage)).toBe('10.96.0.10:80')
  })

  test('a packet that comes back over lo keeps its connection: new, and not translated again', () => {
    const rulesets = [
      nat('-A OUTPUT -p tcp -j DNAT --to-destination 10.0.0.1:8080\n-A PREROUTING -j DNAT --to-destination 10.2.0.9\n'),
    ]
    const [sent] = runHook(around(rulesets), 'output', 'ip', passage({ in: null, out: eth0 }))
    const [left] = runHook(around(rulesets), 'postrouting', 'ip', { ...sent!.passage, out: link('lo') })
    const [back] = runHook(around(rulesets), 'prerouting', 'ip', { ...left!.passage, in: link('lo'), out: null })
    expect(back!.passage.connection).toMatchObject({ state: 'new', settled: { src: true, dst: true } })
    expect([dstOf(back!.passage), back!.rules.length]).toEqual(['10.0.0.1:8080', 0])
  })

  test('masquerade to an address that is not known says so and leaves the source', () => {
    const rulesets = [nat('-A POSTROUTING -j MASQUERADE\n')]
    const [p] = runHook(around(rulesets), 'prerouting', 'ip', passage())
    const unknown: Surroundings = { ...around(rulesets), masqueradeAddress: () => null }
    const [o] = runHook(unknown, 'postrouting', 'ip', { ...p!.passage, out: eth0 })
    expect([o!.verdict, o!.masqueraded, srcOf(o!.passage)]).toEqual(['accept', true, '10.1.0.2:4000'])
  })

  test('connection marks are saved and restored', () => {
    const mangle = save(
      '*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n-A PREROUTING -j MARK --set-xmark 0x1234/0xffff\n-A PREROUTING -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff\n-A PREROUTING -j MARK --set-xmark 0x0/0xffffffff\n-A FORWARD -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff\nCOMMIT\n',
    )
    const [p] = runHook(around([mangle]), 'prerouting', 'ip', passage())
    expect([p!.passage.packet.mark, p!.passage.connection!.entry.mark]).toEqual([0, 0x34])
    const [f] = runHook(around([mangle]), 'forward', 'ip', { ...p!.passage, out: cni0 })
    expect(f!.passage.packet.mark).toBe(0x34)
  })
})

describe('choices', () => {
  test('nested statistic rules share evenly', () => {
    const rules = ['0.33333333349', '0.50000000000'].map(
      (p, i) =>
        `-A PREROUTING -m statistic --mode random --probability ${p} -p tcp -j DNAT --to-destination 10.2.0.${i}:1\n`,
    )
    const outcomes = runHook(
      around([nat(`${rules.join('')}-A PREROUTING -p tcp -j DNAT --to-destination 10.2.0.2:1\n`)]),
      'prerouting',
      'ip',
      passage(),
    )
    expect(outcomes.map((o) => [dstOf(o.passage), o.probability.toFixed(6)])).toEqual([
      ['10.2.0.0:1', '0.333333'],
      ['10.2.0.1:1', '0.333333'],
      ['10.2.0.2:1', '0.333333'],
    ])
  })

  test('more alternatives than can be followed are unknown, and soon', () => {
    const rules = Array.from(
      { length: 40 },
      (_, i) =>
        `-A FORWARD -m statistic --mode random --probability 0.5 -j MARK --set-xmark 0x${(2 ** (i % 32)).toString(16)}/0x0\n`,
    )
    const started = performance.now()
    const outcomes = forward([filter(rules.join(''))])
    expect(outcomes.map((o) => o.verdict)).toContain('unknown')
    expect(outcomes.reduce((n, o) => n + o.probability, 0)).toBeCloseTo(1, 9)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

test('IPv6 has its own tables', () => {
  const six = save('*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -d fd00::/8 -j DROP\nCOMMIT\n', 'iptables-legacy', 'ip6')
  const p = packet({ src: ip('fd00::1'), dst: ip('fd00::2') })
  const verdicts = (x: Passage) => runHook(around([six]), 'forward', 'ip', x).map((o) => o.verdict)
  expect(verdicts(passage({ packet: p, out: cni0 }))).toEqual(['drop'])
  expect(verdicts(passage({ out: cni0 }))).toEqual(['accept'])
})

test('the bridge layer asks bridge tables only', () => {
  const bridge = nft(
    'table bridge b {\n\tchain f {\n\t\ttype filter hook forward priority filter; policy accept;\n\t\tip daddr 10.96.0.10 drop\n\t}\n}\n',
  )
  const run = (layer: 'ip' | 'bridge') =>
    runHook(around([bridge, filter('', 'DROP')]), 'forward', layer, passage({ out: cni0 }))
  expect(run('bridge')[0]).toMatchObject({ verdict: 'drop', decided: { table: 'b' } })
  expect(run('ip')[0]).toMatchObject({ verdict: 'drop', decided: { table: 'filter' } })
})
