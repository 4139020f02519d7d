import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp } from '../../base/ip.ts'
import type { RulePart } from '../../model/ruleset.ts'
import { parseIptablesSave } from './index.ts'

const wrap = (rule: string, table = 'filter', chain = 'FORWARD') =>
  `*${table}\n:${chain} ACCEPT [0:0]\n:X - [0:0]\n-A ${chain} ${rule}\nCOMMIT\n`

/** Parts of the only rule, addresses printed for reading. */
function parts(rule: string, table = 'filter', chain = 'FORWARD', family: 'ip' | 'ip6' = 'ip'): unknown[] {
  const r = parseIptablesSave(wrap(rule, table, chain), { artefact: 'f', family, backend: 'iptables-nft' })
  const rules = r.tables[0]!.chains.get(chain)!.rules()
  return rules.flatMap((x) => x.parts.map(readable))
}
const readable = (p: RulePart): unknown =>
  JSON.parse(
    JSON.stringify(p, (_, v) => {
      if (v && typeof v === 'object' && 'family' in v && 'd' in v) return formatIp(v)
      if (v && typeof v === 'object' && typeof v.elements === 'function')
        return v.elements().map((e: { key: unknown }) => e.key)
      return v
    }),
  )
const accept = { kind: 'verdict', verdict: { kind: 'accept' } }
const field = (f: string) => ({ kind: 'field', field: f })
const literal = (value: unknown) => ({ kind: 'literal', value })

describe('core options', () => {
  it.each<[string, unknown[]]>([
    [
      '-s 10.0.0.0/8 -j ACCEPT',
      [{ kind: 'address', side: 'src', addr: '10.0.0.0', mask: '255.0.0.0', negate: false }, accept],
    ],
    [
      '! -d 10.0.0.1/32 -j ACCEPT',
      [{ kind: 'address', side: 'dst', addr: '10.0.0.1', mask: '255.255.255.255', negate: true }, accept],
    ],
    [
      '-d ! 10.0.0.1 -j ACCEPT',
      [{ kind: 'address', side: 'dst', addr: '10.0.0.1', mask: '255.255.255.255', negate: true }, accept],
    ],
    [
      '-s 10.0.0.5/255.0.0.7 -j ACCEPT',
      [{ kind: 'address', side: 'src', addr: '10.0.0.5', mask: '255.0.0.7', negate: false }, accept],
    ],
    [
      '-i cali+ -o eth0 -j ACCEPT',
      [
        { kind: 'link', side: 'in', name: 'cali', wildcard: true, negate: false },
        { kind: 'link', side: 'out', name: 'eth0', wildcard: false, negate: false },
        accept,
      ],
    ],
    ['-i + -j ACCEPT', [{ kind: 'always', matches: true }, accept]],
    ['! -i + -j ACCEPT', [{ kind: 'always', matches: false }, accept]],
    ['-p all -j ACCEPT', [accept]],
    ['! -p tcp -j ACCEPT', [{ kind: 'protocol', protocol: 6, negate: true }, accept]],
    [
      '-p tcp --dport 80 -j ACCEPT',
      [
        { kind: 'protocol', protocol: 6, negate: false },
        { kind: 'port', side: 'dst', ranges: [[80, 80]], protocols: [6], negate: false },
        accept,
      ],
    ],
    ['-j X', [{ kind: 'verdict', verdict: { kind: 'jump', chain: 'X' } }]],
    ['-g X', [{ kind: 'verdict', verdict: { kind: 'goto', chain: 'X' } }]],
    ['-m comment --comment "no target"', [{ kind: 'note', what: 'no target' }]],
    ['-j NOSUCH', [{ kind: 'opaque', what: 'statement', text: '-j NOSUCH' }]],
  ])('%s', (rule, want) => expect(parts(rule)).toEqual(want))

  it('several addresses make several rules, sources first', () => {
    expect(
      parts('-s 10.0.0.1,10.0.0.2 -d 1.1.1.1 -j ACCEPT').filter((p) => (p as { side?: string }).side === 'src'),
    ).toHaveLength(2)
  })
  it('lines of the other family are not rules', () => {
    expect(parts('-6 -j ACCEPT')).toEqual([])
  })
})

describe('matches', () => {
  it.each<[string, unknown]>([
    [
      '-m conntrack --ctstate RELATED,ESTABLISHED',
      { kind: 'ctState', states: ['related', 'established'], negate: false },
    ],
    [
      '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT',
      { kind: 'ctState', states: ['related', 'established', 'dnat'], negate: true },
    ],
    ['-m mark --mark 0x4000/0x4000', { kind: 'mark', of: 'packet', value: 0x4000, mask: 0x4000, negate: false }],
    ['-m mark ! --mark 0x5', { kind: 'mark', of: 'packet', value: 5, mask: 0xffffffff, negate: true }],
    ['-m connmark --mark 1/0xff', { kind: 'mark', of: 'connection', value: 1, mask: 255, negate: false }],
    [
      '-m addrtype --dst-type LOCAL',
      { kind: 'addressType', side: 'dst', types: ['local'], limit: null, negate: false },
    ],
    [
      '-m addrtype ! --src-type LOCAL,BROADCAST --limit-iface-in',
      { kind: 'addressType', side: 'src', types: ['local', 'broadcast'], limit: 'in', negate: true },
    ],
    [
      '-m set --match-set cali40all dst,dst',
      {
        kind: 'ipset',
        name: 'cali40all',
        dirs: ['dst', 'dst'],
        negate: false,
        text: '-m set --match-set cali40all dst,dst',
      },
    ],
    [
      '-m statistic --mode random --probability 0.33333333349',
      { kind: 'random', probability: 0.33333333349, negate: false },
    ],
    ['-m statistic --mode nth --every 3 --packet 0', { kind: 'nth', every: 3, packet: 0, negate: false }],
    [
      '-m iprange --src-range 10.0.0.1-10.0.0.9',
      { kind: 'addressRange', side: 'src', from: '10.0.0.1', to: '10.0.0.9', negate: false },
    ],
    ['-m limit --limit 5/min', { kind: 'rate', text: '-m limit --limit 5/min' }],
    [
      '-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-X --mask 255.255.255.255 --rsource',
      {
        kind: 'recent',
        mode: 'rcheck',
        name: 'KUBE-SEP-X',
        side: 'src',
        seconds: 10800,
        hitcount: null,
        negate: false,
      },
    ],
    ['-m physdev ! --physdev-is-in', { kind: 'physdev', side: 'in', name: null, wildcard: false, negate: true }],
    ['-m owner --uid-owner 1337', { kind: 'compare', op: 'eq', left: field('meta.skuid'), right: literal(1337) }],
    ['-m ttl --ttl-lt 5', { kind: 'compare', op: 'lt', left: field('ip.ttl'), right: literal(5) }],
    [
      '-m length --length 100:200',
      {
        kind: 'in',
        left: field('meta.length'),
        set: { kind: 'anonymous', set: [[{ from: 100, to: 200 }]] },
        negate: false,
      },
    ],
    [
      '-m rpfilter --validmark --invert',
      { kind: 'rpfilter', loose: false, validmark: true, acceptLocal: false, invert: true },
    ],
    ['-m string --string "a b" --algo bm', { kind: 'opaque', what: 'match', text: '-m string --string a b --algo bm' }],
    ['-m conntrack --ctmystery 1', { kind: 'opaque', what: 'match', text: '--ctmystery 1' }],
  ])('%s', (rule, want) => expect(parts(`${rule} -j ACCEPT`)).toEqual([want, accept]))

  it('multiport keeps to the protocol', () => {
    expect(parts('-p udp -m multiport ! --ports 53,100:200 -j ACCEPT')[1]).toEqual({
      kind: 'port',
      side: 'either',
      ranges: [
        [53, 53],
        [100, 200],
      ],
      protocols: [17],
      negate: true,
    })
  })
  it('a quoted comment may say anything', () => {
    expect(parts('-m comment --comment "! -j DROP \\"x\\"" -j ACCEPT')).toEqual([accept])
  })
})

describe('targets', () => {
  it.each<[string, string, string, unknown]>([
    ['-j REJECT --reject-with icmp-host-prohibited', 'filter', 'INPUT', { kind: 'reject', with: 'host-prohibited' }],
    ['-j REJECT', 'filter', 'INPUT', { kind: 'reject', with: 'port-unreachable' }],
    [
      '-j MARK --set-xmark 0x4000/0x0',
      'mangle',
      'PREROUTING',
      { kind: 'setMark', of: 'packet', value: 0x4000, mask: 0 },
    ],
    [
      '-j MARK --or-mark 0x4000',
      'mangle',
      'PREROUTING',
      { kind: 'setMark', of: 'packet', value: 0x4000, mask: 0x4000 },
    ],
    ['-j MARK --and-mark 0xff', 'mangle', 'PREROUTING', { kind: 'setMark', of: 'packet', value: 0, mask: 0xffffff00 }],
    [
      '-j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xff',
      'mangle',
      'PREROUTING',
      { kind: 'copyMark', to: 'packet', fromMask: 255, toMask: 15 },
    ],
    [
      '-j DNAT --to-destination 10.0.0.1:80',
      'nat',
      'PREROUTING',
      {
        kind: 'nat',
        type: 'dnat',
        address: { kind: 'range', from: '10.0.0.1', to: '10.0.0.1' },
        port: { kind: 'range', from: 80, to: 80 },
        random: false,
        persistent: false,
      },
    ],
    [
      '-j DNAT --to-destination :8080',
      'nat',
      'OUTPUT',
      {
        kind: 'nat',
        type: 'dnat',
        address: null,
        port: { kind: 'range', from: 8080, to: 8080 },
        random: false,
        persistent: false,
      },
    ],
    [
      '-j SNAT --to-source 10.0.0.1-10.0.0.3:1-9 --random',
      'nat',
      'POSTROUTING',
      {
        kind: 'nat',
        type: 'snat',
        address: { kind: 'range', from: '10.0.0.1', to: '10.0.0.3' },
        port: { kind: 'range', from: 1, to: 9 },
        random: true,
        persistent: false,
      },
    ],
    ['-j MASQUERADE --random-fully', 'nat', 'POSTROUTING', { kind: 'masquerade', port: null, random: true }],
    [
      '-j REDIRECT --to-ports 15001',
      'nat',
      'OUTPUT',
      { kind: 'redirect', port: { kind: 'range', from: 15001, to: 15001 }, random: false },
    ],
    [
      '-j NETMAP --to 10.9.0.0/24',
      'nat',
      'PREROUTING',
      { kind: 'netmap', type: 'dnat', addr: '10.9.0.0', mask: '255.255.255.0' },
    ],
    ['-j CT --notrack', 'raw', 'PREROUTING', { kind: 'notrack' }],
    ['-j LOG --log-prefix "-j DROP "', 'filter', 'INPUT', { kind: 'note', what: 'LOG' }],
    ['-j NFQUEUE --queue-num 0', 'filter', 'INPUT', { kind: 'verdict', verdict: { kind: 'queue' } }],
    ['-j TCPMSS --clamp-mss-to-pmtu', 'mangle', 'FORWARD', { kind: 'mss', size: null }],
    [
      '-j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff',
      'mangle',
      'PREROUTING',
      { kind: 'tproxy', address: '0.0.0.0', port: 15006, markValue: 0x539, markMask: 0xffffffff },
    ],
  ])('%s in %s %s', (rule, table, chain, want) => expect(parts(rule, table, chain)).toEqual([want]))

  it.each<[string, unknown, unknown]>([
    ['[fd00::1]:80', 'fd00::1', { kind: 'range', from: 80, to: 80 }],
    ['fd00::1', 'fd00::1', null],
    ['[fd00::1]', 'fd00::1', null],
  ])('IPv6 DNAT to %s', (to, address, port) => {
    expect(parts(`-j DNAT --to-destination ${to}`, 'nat', 'PREROUTING', 'ip6')).toEqual([
      {
        kind: 'nat',
        type: 'dnat',
        address: { kind: 'range', from: address, to: address },
        port,
        random: false,
        persistent: false,
      },
    ])
  })
})

describe('files', () => {
  const options = { artefact: 'f', family: 'ip', backend: 'iptables-nft' } as const
  it('base chains get hook, priority and chain policy; lines are 1-based; counters stay', () => {
    const text =
      '# comment\n*nat\n:PREROUTING ACCEPT [7:70]\n:INPUT DROP [0:0]\n:X - [0:0]\n[3:180] -A PREROUTING -j X\nCOMMIT\n'
    const t = parseIptablesSave(text, options).tables[0]!
    expect(t.chains.get('PREROUTING')!.base).toEqual({
      hook: 'prerouting',
      type: 'nat',
      priority: -100,
      policy: 'accept',
      counters: { packets: 7, bytes: 70 },
    })
    expect(t.chains.get('INPUT')!.base).toMatchObject({ priority: 100, policy: 'drop' })
    expect(t.chains.get('X')!.base).toBeUndefined()
    expect(t.chains.get('PREROUTING')!.rules()[0]).toMatchObject({
      line: 6,
      text: '[3:180] -A PREROUTING -j X',
      counters: { packets: 3, bytes: 180 },
    })
  })
  it.each([
    ['iptables-nft', 150],
    ['iptables-legacy', 50],
  ] as const)('the security table of %s is at priority %i', (backend, priority) => {
    const t = parseIptablesSave('*security\n:INPUT ACCEPT [0:0]\nCOMMIT\n', { ...options, backend }).tables[0]!
    expect(t.chains.get('INPUT')!.base!.priority).toBe(priority)
  })
  it('restore input: inserts, new chains, deletions, flushes', () => {
    const text =
      '*filter\n:X - [0:0]\n-A X -j ACCEPT\n-I X -j DROP\n-I X 2 -j RETURN\n-N Y\n-A Y -j X\n-F Y\n-X Z\nCOMMIT\n'
    const t = parseIptablesSave(text, options).tables[0]!
    expect(
      t.chains
        .get('X')!
        .rules()
        .map((r) => r.line),
    ).toEqual([4, 5, 3])
    expect(t.chains.get('Y')!.rules()).toEqual([])
  })
  it('tells of incompatible tables and cut-short text', () => {
    const r = parseIptablesSave(
      "# Table `nat' is incompatible, use 'nft' tool.\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT",
      options,
    )
    expect(r.issues.map((i) => [i.line, i.message.slice(0, 9)])).toEqual([
      [1, 'Table `na'],
      [4, 'table fil'],
    ])
  })
  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.constantFrom(
              '*nat',
              ':A - [0:0]',
              '-A A -j B',
              '-A A -m tcp --dport',
              '-A A ! ',
              '-A A -s',
              '"',
              'COMMIT',
              '[1:2] -A A -j',
              '-I A 99 -j X',
            ),
          ),
        ),
        (lines) => {
          const r = parseIptablesSave(lines.join('\n'), options)
          for (const t of r.tables) for (const c of t.chains.values()) c.rules()
        },
      ),
    )
  })
})
