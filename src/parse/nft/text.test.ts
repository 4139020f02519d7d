import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ruleset } from '../../model/ruleset.ts'
import { parseNftJson, parseNftText } from './index.ts'
import { meaning, opaqueParts } from './meaning.fixture.ts'

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')

function table(ruleset: Ruleset, family: string, name: string) {
  const found = ruleset.tables.find((t) => t.family === family && t.name === name)
  expect(found, `${family} ${name}`).toBeDefined()
  return found!
}

/** Rule texts of a chain. */
function rules(ruleset: Ruleset, chain: string): string[] {
  return ruleset.tables.flatMap((t) => t.chains.get(chain)?.rules() ?? []).map((r) => r.text)
}

describe('a listed ruleset', () => {
  const text = fixture('kube-proxy.listed.txt')
  const lines = text.split('\n')
  const ruleset = parseNftText(text, 'nodes/n/host/nft-ruleset.txt')
  const proxy = table(ruleset, 'ip', 'kube-proxy')

  it('is understood whole', () => {
    expect(opaqueParts(ruleset)).toEqual([])
    expect(ruleset.issues).toEqual([])
    expect(proxy.chains.size).toBe(28)
    expect(proxy.sets.size).toBe(9)
  })

  it('says where everything stands', () => {
    let seen = 0
    for (const chain of proxy.chains.values()) {
      expect(lines[chain.line - 1]).toContain(`chain ${chain.name} {`)
      for (const rule of chain.rules()) {
        expect(lines[rule.line - 1]!.trim()).toBe(rule.text)
        expect(rule.text).toContain(`# handle ${rule.handle}`)
        seen++
      }
    }
    expect(seen).toBeGreaterThan(50)
    for (const set of proxy.sets.values()) {
      expect(lines[set.line - 1]).toMatch(/\t(?:set|map) /)
      for (const e of set.elements()) expect(lines[e.line - 1]).toMatch(/\d/)
    }
    const services = proxy.sets.get('service-ips')!.elements()
    expect(services.map((e) => e.line)).toEqual(services.map((_, i) => services[0]!.line + i))
  })

  it('knows base chains, maps and comments', () => {
    expect(proxy.chains.get('filter-input')!.base).toEqual({
      hook: 'input',
      type: 'filter',
      priority: -110,
      policy: 'accept',
    })
    expect(proxy.chains.get('services')!.base).toBeUndefined()
    const [element] = proxy.sets.get('no-endpoint-nodeports')!.elements()
    expect(element).toMatchObject({
      key: [
        { from: 6, to: 6 },
        { from: 30090, to: 30090 },
      ],
      verdict: { kind: 'goto', chain: 'reject-chain' },
      comment: 'shop/idle:http',
    })
    expect([...proxy.sets.values()].filter((s) => s.dynamic).length).toBe(2)
    expect(proxy.chains.get('cluster-ips-check')!.rules()[0]!.comment).toBe(
      'Reject traffic to invalid ports of ClusterIPs',
    )
  })

  it('gives the same rules each time', () => {
    const chain = proxy.chains.get('services')!
    expect(chain.rules()).toBe(chain.rules())
  })
})

describe('files written by hand', () => {
  it('follows commands, variables and several blocks of one table', () => {
    const ruleset = parseNftText(
      `#!/usr/sbin/nft -f
flush ruleset
define NETS = { 10.0.0.0/8, 192.168.0.0/16 }
define WEB = 80
define ALL = { $WEB, 443 }
table inet old { chain gone { accept; }; }
delete table inet old
table inet f {
  chain in { type filter hook input priority filter; policy drop
    ip saddr $NETS tcp dport $ALL accept; udp dport { 53,
      123 } accept # names and time
  }
}
table inet f {
  set s { type ipv4_addr; }
}
add element inet f s { 10.0.0.1, 10.0.0.2 comment "two" }
add rule inet f in ip saddr @s \\
  counter accept
insert rule inet f in iifname lo accept
add chain f2 other
add table ip g; add chain ip g out { type nat hook output priority -100 ; policy accept ; }
`,
      'f.nft',
    )
    expect(ruleset.tables.map((t) => `${t.family} ${t.name}`)).toEqual(['inet f', 'ip f2', 'ip g'])
    const f = table(ruleset, 'inet', 'f')
    expect(f.chains.get('in')!.base).toMatchObject({ hook: 'input', policy: 'drop', priority: 0 })
    expect(rules(ruleset, 'in')).toEqual([
      'iifname lo accept',
      'ip saddr $NETS tcp dport $ALL accept',
      'udp dport { 53, 123 } accept',
      'ip saddr @s \\ counter accept',
    ])
    expect(
      f.chains
        .get('in')!
        .rules()
        .map((r) => r.line),
    ).toEqual([20, 10, 10, 18])
    expect(opaqueParts(ruleset)).toEqual([])
    expect(
      f.sets
        .get('s')!
        .elements()
        .map((e) => e.comment),
    ).toEqual([undefined, 'two'])
    expect(table(ruleset, 'ip', 'g').chains.get('out')!.base).toMatchObject({ type: 'nat', priority: -100 })
    expect(ruleset.issues).toEqual([])
  })

  it.each([
    ['ip', 'dstnat - 10', -110],
    ['ip', 'dstnat -10', -110],
    ['inet', 'filter + 5', 5],
    ['ip', 'mangle', -150],
    ['ip6', 'raw', -300],
    ['ip', 'security', 50],
    ['ip', 'srcnat', 100],
    ['ip', '-5', -5],
    ['bridge', 'filter', -200],
    ['bridge', 'dstnat', -300],
    ['bridge', 'out', 100],
    ['bridge', 'srcnat + 1', 301],
  ])('%s priority %s is %i', (family, name, value) => {
    const text = `table ${family} t { chain c { type filter hook forward priority ${name}; policy accept; } }`
    expect(parseNftText(text, 'x').tables[0]!.chains.get('c')!.base?.priority).toBe(value)
  })

  it('reads devices, in both forms and over several lines', () => {
    const ruleset = parseNftText(
      `table netdev n {
	flags dormant
	chain a { type filter hook ingress device "eth0" priority 0; }
	chain b { type filter hook egress devices = { eth0,
		 "eth1" } priority 0; policy drop; }
}`,
      'x',
    )
    const n = table(ruleset, 'netdev', 'n')
    expect(n.dormant).toBe(true)
    expect(n.chains.get('a')!.base!.devices).toEqual(['eth0'])
    expect(n.chains.get('b')!.base).toMatchObject({ devices: ['eth0', 'eth1'], policy: 'drop', hook: 'egress' })
  })
})

describe('damage', () => {
  it('is told, and what can be read is', () => {
    const text = fixture('kube-proxy.listed.txt')
    const ruleset = parseNftText(text.slice(0, text.indexOf('chain local-') + 120), 'x')
    for (const t of ruleset.tables) for (const c of t.chains.values()) c.rules()
    expect(ruleset.issues.some((i) => i.message.includes('not closed'))).toBe(true)
    expect(rules(ruleset, 'firewall-check').length).toBe(1)
  })

  it('keeps an element that is not understood, marked', () => {
    const text = 'table ip t { set s { type ipv4_addr; elements = { 10.0.0.1, nonsense, 10.0.0.2 } } }'
    const ruleset = parseNftText(text, 'x')
    const elements = ruleset.tables[0]!.sets.get('s')!.elements()
    expect(elements.map((e) => e.opaque !== undefined)).toEqual([false, true, false])
    expect(ruleset.issues.length).toBe(1)
  })

  it('an unknown statement is opaque, never left out', () => {
    const ruleset = parseNftText('table ip t {\n\tchain c {\n\t\tip saddr 10.0.0.1 zap drop\n\t\taccept\n\t}\n}\n', 'x')
    const [first, second] = ruleset.tables[0]!.chains.get('c')!.rules()
    expect(first!.parts.at(-1)).toEqual({ kind: 'opaque', what: 'statement', text: 'zap drop' })
    expect(second!.parts.length).toBe(1)
    expect(ruleset.issues).toEqual([{ artefact: 'x', line: 3, message: 'not understood: zap drop' }])
  })

  it('deep nesting does not exhaust the stack', () => {
    for (const piece of ['(', 'jhash ', '{ ', '{ a : ', 'ct mark map { 1 : '])
      visit(parseNftText(`table ip t {\nchain c {\nmeta mark ${piece.repeat(50_000)}\n}\n}`, 'x'))
    visit(
      parseNftJson(
        `{"nftables":[{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"match":{"op":"==","right":1,"left":${'{"&":['.repeat(2000)}1${',1]}'.repeat(2000)}}}]}}]}`,
        'x',
      ),
    )
  })

  const text = ['calico.nft', 'firewalld-docker.nft', 'features-inet.nft', 'features-tables.nft']
    .map(fixture)
    .join('\n')
  const edits = fc.array(
    fc.tuple(
      fc.nat(text.length),
      fc.nat(40),
      fc.oneof(
        fc.constantFrom(
          '{',
          '}',
          '"',
          '#',
          ';',
          '\n',
          '\\',
          ':',
          ',',
          '-',
          ' . ',
          '@',
          '$x',
          '/',
          '!',
          '(',
          'map',
          'elements =',
        ),
        fc.string({ unit: 'binary', maxLength: 5 }),
      ),
    ),
    { minLength: 1, maxLength: 12 },
  )
  it('mutated text never throws', () => {
    fc.assert(
      fc.property(edits, (list) => {
        let damaged = text
        for (const [at, cut, add] of list) damaged = damaged.slice(0, at) + add + damaged.slice(at + cut)
        visit(parseNftText(damaged, 'x'))
      }),
      { numRuns: 150 },
    )
  })

  it('arbitrary JSON never throws', () => {
    const rule = (expr: unknown) => ({ nftables: [{ rule: { family: 'ip', table: 't', chain: 'c', expr } }] })
    const words = fc.constantFrom(
      'match',
      'left',
      'right',
      'op',
      '==',
      'payload',
      'protocol',
      'field',
      'ip',
      'saddr',
      'set',
      'elem',
      'val',
      'dnat',
      'addr',
      'map',
      'key',
      'data',
      'prefix',
      'len',
      'concat',
      'meta',
      'mark',
      'reject',
    )
    const json = fc.jsonValue({ maxDepth: 5 })
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        words,
        fc.integer(),
        json,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(words, tie('node'), { maxKeys: 3 }),
      ),
    }))
    fc.assert(
      fc.property(node, (expr) => {
        visit(parseNftJson(JSON.stringify(rule([expr])), 'x'))
        visit(
          parseNftJson(
            JSON.stringify({
              nftables: [{ set: { family: 'ip', table: 't', name: 's', type: expr, elem: expr } }, expr],
            }),
            'x',
          ),
        )
      }),
      { numRuns: 200 },
    )
  })
})

/** Reads all there is to read. */
function visit(ruleset: Ruleset): void {
  for (const t of ruleset.tables) {
    for (const c of t.chains.values()) c.rules()
    for (const s of t.sets.values()) s.elements()
  }
}

describe('JSON', () => {
  const items = [
    { metainfo: { version: '1.0.6', json_schema_version: 1 } },
    { table: { family: 'ip', name: 't', handle: 1 } },
    {
      map: {
        family: 'ip',
        table: 't',
        name: 'm',
        type: ['ipv4_addr', 'inet_service'],
        map: 'verdict',
        elem: [
          [{ concat: ['10.0.0.1', 80] }, { drop: null }],
          ['*', { accept: null }],
        ],
      },
    },
    { chain: { family: 'ip', table: 't', name: 'c', type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
    {
      rule: {
        family: 'ip',
        table: 't',
        chain: 'c',
        handle: 4,
        comment: 'hi',
        expr: [
          { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 22 } },
          { counter: { packets: 3, bytes: 4 } },
          { accept: null },
        ],
      },
    },
    { rule: { family: 'ip', table: 't', chain: 'c', handle: 5, expr: [{ xt: { type: 'target', name: 'MARK' } }] } },
  ]

  it('has lines when it is pretty printed, and a rendering for text', () => {
    const pretty = JSON.stringify({ nftables: items }, null, 2)
    const ruleset = parseNftJson(pretty, 'x')
    const [rule, target] = ruleset.tables[0]!.chains.get('c')!.rules()
    expect(rule).toMatchObject({
      text: 'tcp dport == 22 counter packets 3 bytes 4 accept comment "hi"',
      handle: 4,
      comment: 'hi',
      counters: { packets: 3, bytes: 4 },
    })
    expect(
      pretty
        .split('\n')
        .slice(rule!.line - 1, rule!.line + 1)
        .join(''),
    ).toContain('"rule"')
    expect(target!.parts[0]).toMatchObject({ kind: 'opaque', what: 'statement' })
    expect(target!.line).toBeGreaterThan(rule!.line)
    const compact = parseNftJson(JSON.stringify({ nftables: items }), 'x')
    expect(
      compact.tables[0]!.chains.get('c')!
        .rules()
        .map((r) => r.line),
    ).toEqual([1, 1])
    expect(meaning(compact)).toEqual(meaning(ruleset))
  })

  it('reads the catch-all element and verdicts', () => {
    const ruleset = parseNftJson(JSON.stringify({ nftables: items }), 'x')
    expect(ruleset.tables[0]!.sets.get('m')!.elements()).toMatchObject([
      { verdict: { kind: 'drop' } },
      { key: [], verdict: { kind: 'accept' } },
    ])
  })

  it.each(['', '{', '[]', '{"nftables": 5}', 'null'])('tells that %j is no ruleset', (text) => {
    const ruleset = parseNftJson(text, 'x')
    expect(ruleset.tables).toEqual([])
    expect(ruleset.issues.length).toBe(1)
  })
})
