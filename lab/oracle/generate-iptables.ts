import { ICMP, ICMPV6, protocolName, SCTP, TCP, UDP } from '../../src/base/protocol.ts'
import type { ChainPieces, RulePieces, RulesetPieces } from './case.ts'
import type { Probe } from './probe.ts'
import { POOL, PORTS, probeLength } from './probes.ts'
import type { Random } from './random.ts'

const HOOKS = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
} as const
type TableName = keyof typeof HOOKS

/** Which hooks a regular chain may be reached from decides which matches and targets iptables-restore lets it hold. */
interface Spot {
  readonly table: TableName
  readonly chain: string
  readonly family: 4 | 6
}

const maybeNot = (rand: Random, text: string) => (rand.chance(0.25) ? `! ${text}` : text)

function addressMatch(rand: Random, probe: Probe, family: 4 | 6, side: 's' | 'd'): string {
  const pool = POOL[family]
  const own = side === 's' ? probe.src : probe.dst
  const value = rand.weighted([
    [50, own],
    [25, rand.pick(pool.nets)],
    [15, rand.pick([...pool.server, ...pool.service, ...pool.client])],
    [5, family === 4 ? '10.0.0.5/255.0.0.7' : 'fd00::5/ff00::7'],
    [5, `${own}/${family === 4 ? 20 : 100}`],
  ])
  return value.endsWith('/0') ? `-${side} ${value}` : maybeNot(rand, `-${side} ${value}`)
}

function ports(rand: Random, port: number): string {
  return rand.weighted([
    [60, String(rand.chance(0.7) ? port : rand.pick(PORTS))],
    [20, `${Math.max(0, port - rand.below(50))}:${port + rand.below(50)}`],
    [10, `:${port}`],
    [10, `${port}:`],
  ])
}

/** Not `! --dport 0:`: it never matches, and iptables-legacy-save prints it as nothing (docs/lab-notes/legacy-save-loses-not-any.md). */
function portOption(rand: Random, name: string, port: number): string {
  const text = `${name} ${ports(rand, port)}`
  return text.endsWith(' 0:') ? text : rand.chance(0.2) ? `! ${text}` : text
}

/** `-p` and what needs it; the group is one piece because its parts cannot stand alone. */
function protocolMatch(rand: Random, probe: Probe, family: 4 | 6): string {
  const protocol = rand.chance(0.75) ? probe.protocol : rand.pick([TCP, UDP, SCTP, family === 4 ? ICMP : ICMPV6])
  const name = protocol === ICMPV6 ? 'ipv6-icmp' : protocolName(protocol)
  if (rand.chance(0.2)) return maybeNot(rand, `-p ${name}`)
  const out = [`-p ${name}`]
  const negate = (t: string) => (rand.chance(0.2) ? `! ${t}` : t)
  if (protocol === TCP || protocol === UDP || protocol === SCTP) {
    if (rand.chance(0.25)) {
      const list = [
        rand.chance(0.6) ? probe.dport : rand.pick(PORTS),
        rand.pick(PORTS),
        `${100 + rand.below(100)}:9000`,
      ]
      out.push(
        `-m multiport ${negate(`--${rand.pick(['dports', 'sports', 'ports'])} ${list.slice(0, 1 + rand.below(3)).join(',')}`)}`,
      )
    } else {
      out.push(`-m ${name}`)
      if (rand.chance(0.8)) out.push(portOption(rand, '--dport', probe.dport))
      if (rand.chance(0.25)) out.push(portOption(rand, '--sport', probe.sport))
      if (protocol === TCP && rand.chance(0.3))
        out.push(
          rand.pick([
            '--syn',
            '! --syn',
            '--tcp-flags SYN,ACK SYN',
            '--tcp-flags ALL SYN,ACK',
            '! --tcp-flags RST,FIN NONE',
          ]),
        )
    }
  } else if (protocol === ICMP && rand.chance(0.7)) {
    out.push(`-m icmp ${negate(`--icmp-type ${rand.pick(['echo-request', '8', '8/0', '0', '3/3', 'any'])}`)}`)
  } else if (protocol === ICMPV6 && rand.chance(0.7)) {
    out.push(`-m icmp6 ${negate(`--icmpv6-type ${rand.pick(['echo-request', '128', '128/0', '129', '1/4'])}`)}`)
  }
  return out.join(' ')
}

function linkMatch(rand: Random, spot: Spot): string | null {
  const c = spot.chain
  const inOk = c === 'PREROUTING' || c === 'INPUT' || c === 'FORWARD'
  const outOk = c === 'FORWARD' || c === 'OUTPUT' || c === 'POSTROUTING'
  const name = rand.pick(['lan0', 'wan0', 'lan+', 'w+', 'eth0', '+'])
  // `! -i +` never matches, but iptables-legacy-save prints it as nothing at all: no reader of the text can know.
  const text = (option: string) => (name === '+' ? `${option} +` : maybeNot(rand, `${option} ${name}`))
  if (inOk && (!outOk || rand.chance(0.5))) return text('-i')
  return outOk ? text('-o') : null
}

function otherMatch(rand: Random, probe: Probe, spot: Spot): string {
  const pool = POOL[spot.family]
  const length = probeLength(probe)
  const base = HOOKS[spot.table].includes(spot.chain as never)
  const v4 = spot.family === 4
  const set = v4 ? 'v4' : 'v6'
  const range = v4
    ? rand.pick(['10.1.0.0-10.1.0.100', '10.2.0.5-10.2.0.6', '10.0.0.0-10.95.255.255'])
    : 'fd00:1::-fd00:2::6'
  return rand.weighted<string>([
    [
      20,
      `-m conntrack ${maybeNot(rand, `--ctstate ${rand.pick(['NEW', 'ESTABLISHED', 'RELATED,ESTABLISHED', 'INVALID', 'NEW,INVALID', 'DNAT', 'SNAT', 'UNTRACKED'])}`)}`,
    ],
    [5, `-m conntrack ${maybeNot(rand, `--ctorigdst ${rand.chance(0.6) ? probe.dst : rand.pick(pool.nets)}`)}`],
    [3, `-m conntrack ${maybeNot(rand, `--ctorigdstport ${probe.dport || 80}`)}`],
    [2, `-m conntrack --ctdir ${rand.pick(['ORIGINAL', 'REPLY'])}`],
    [3, `-m conntrack ${maybeNot(rand, `--ctproto ${probe.protocol}`)}`],
    [3, `-m state ${maybeNot(rand, `--state ${rand.pick(['NEW', 'ESTABLISHED', 'INVALID'])}`)}`],
    [
      12,
      `-m mark ${maybeNot(rand, `--mark ${rand.pick(['0x4000/0x4000', '0x0', '0x5', '0x1/0xff', '0x10000/0x10000'])}`)}`,
    ],
    [4, `-m connmark ${maybeNot(rand, `--mark ${rand.pick(['0x0', '0x4/0xf', '0x4000/0x4000'])}`)}`],
    [
      10,
      `-m addrtype ${maybeNot(rand, `--${rand.pick(['src', 'dst'])}-type ${rand.pick(['LOCAL', 'UNICAST', 'MULTICAST', 'LOCAL,UNICAST'])}`)}`,
    ],
    [6, `-m set ${maybeNot(rand, `--match-set ip${set} ${rand.pick(['src', 'dst'])}`)}`],
    [4, `-m set ${maybeNot(rand, `--match-set net${set} ${rand.pick(['src', 'dst'])}`)}`],
    [4, `-m set ${maybeNot(rand, `--match-set ipport${set} ${rand.pick(['dst,dst', 'src,dst'])}`)}`],
    [5, `-m iprange ${maybeNot(rand, `--${rand.pick(['src', 'dst'])}-range ${range}`)}`],
    [6, `-m statistic --mode random ${maybeNot(rand, `--probability ${rand.pick(['0.5', '0.33333', '0.1'])}`)}`],
    [3, `-m length ${maybeNot(rand, `--length ${rand.pick([`${length}`, `${length}:1500`, `0:${length - 1}`])}`)}`],
    [
      3,
      v4
        ? `-m ttl --ttl-${rand.pick(['eq', 'lt', 'gt'])} ${rand.pick([63, 64, 100])}`
        : `-m hl --hl-${rand.pick(['eq', 'lt', 'gt'])} ${rand.pick([63, 64, 100])}`,
    ],
    [3, `-m dscp ${maybeNot(rand, `--dscp ${rand.pick(['0x0a', '0x2e', '0x00'])}`)}`],
    [2, `-m tos ${maybeNot(rand, `--tos ${rand.pick(['0x28/0xff', '0x0/0x3f'])}`)}`],
    [3, '-m comment --comment "it\'s \\"quoted\\" -j DROP"'],
    [2, `-m pkttype ${maybeNot(rand, `--pkt-type ${rand.pick(['unicast', 'broadcast'])}`)}`],
    [
      base && spot.chain === 'PREROUTING' && (spot.table === 'raw' || spot.table === 'mangle') ? 6 : 0,
      `-m rpfilter${rand.pick(['', ' --loose', ' --invert', ' --validmark', ' --accept-local'])}`,
    ],
    [2, `-m recent --name R${rand.below(2)} ${rand.pick(['--rcheck --seconds 60', '--set', '! --rcheck'])}`],
    [1, '-m limit --limit 5/sec'],
    [2, '-m physdev ! --physdev-is-in'],
  ])
}

function target(rand: Random, spot: Spot, later: readonly string[]): string {
  const { family, table, chain } = spot
  const v4 = family === 4
  const b = (a: string, port = '') => (port ? (v4 ? `${a}:${port}` : `[${a}]:${port}`) : a)
  const server = rand.pick(POOL[family].server)
  const client = rand.pick(POOL[family].client)
  const dport = rand.pick(['', '8080', '9000-9003'])
  const rejects = v4
    ? [
        '',
        ' --reject-with icmp-host-prohibited',
        ' --reject-with icmp-net-unreachable',
        ' --reject-with icmp-admin-prohibited',
      ]
    : ['', ' --reject-with icmp6-adm-prohibited', ' --reject-with icmp6-no-route']
  const options: [number, string][] = [
    [8, '-j ACCEPT'],
    [6, '-j RETURN'],
    [4, ''],
    [2, '-j LOG --log-prefix "x "'],
  ]
  if (later.length) options.push([22, `-j ${rand.pick(later)}`], [5, `-g ${rand.pick(later)}`])
  if (table !== 'nat') options.push([6, '-j DROP'], [2, `-m comment --comment "drop it" -j DROP`])
  if (table === 'filter') options.push([6, `-j REJECT${rand.pick(rejects)}`])
  if (table === 'mangle') {
    options.push(
      [
        8,
        `-j MARK ${rand.pick(['--set-xmark 0x4000/0x4000', '--set-mark 0x5', '--or-mark 0x10000', '--and-mark 0xffff0fff', '--xor-mark 0x1', '--set-mark 0x1/0xff'])}`,
      ],
      [
        5,
        `-j CONNMARK ${rand.pick(['--set-mark 0x4', '--save-mark', '--restore-mark', '--set-xmark 0x4/0xf', '--save-mark --nfmask 0xff --ctmask 0xff'])}`,
      ],
      [2, '-j DSCP --set-dscp 0x0a'],
      [2, v4 ? '-j TTL --ttl-set 40' : '-j HL --hl-set 40'],
      [1, v4 ? '-j TTL --ttl-inc 3' : '-j HL --hl-inc 3'],
      [2, '-j TOS --set-tos 0x10/0x3f'],
    )
  } else
    options.push([6, `-j MARK ${rand.pick(['--set-xmark 0x4000/0x4000', '--or-mark 0x10000', '--xor-mark 0x4000'])}`])
  if (table === 'raw') options.push([8, rand.pick(['-j CT --notrack', '-j NOTRACK'])], [1, '-j CT --zone 3'])
  if (table === 'nat') {
    const dnat = chain === 'PREROUTING' || chain === 'OUTPUT' || chain.startsWith('UD')
    const snat = chain === 'POSTROUTING' || chain === 'INPUT' || chain.startsWith('US')
    const proto = dport ? '-p tcp ' : ''
    if (dnat)
      options.push(
        [25, `${proto}-j DNAT --to-destination ${b(server, dport)}`],
        [5, `-p udp -j DNAT --to-destination ${b(server, '53')}`],
      )
    if (dnat && chain === 'PREROUTING')
      options.push(
        [6, '-p tcp -j REDIRECT --to-ports 8080'],
        [2, '-p udp -j REDIRECT'],
        [3, `-j DNAT --to-destination ${client}`],
      )
    if (dnat)
      options.push([
        3,
        v4 ? '-j DNAT --to-destination 10.2.0.5-10.2.0.7' : '-j DNAT --to-destination fd00:2::5-fd00:2::7',
      ])
    if (dnat && v4) options.push([2, '-j NETMAP --to 10.2.0.0/24'])
    if (snat)
      options.push(
        [12, `-j SNAT --to-source ${v4 ? '10.2.0.77' : 'fd00:2::77'}`],
        [4, `-p tcp -j SNAT --to-source ${b(v4 ? '10.2.0.77' : 'fd00:2::77', '5000-5100')}`],
      )
    if (snat && (chain === 'POSTROUTING' || chain === 'US9'))
      options.push([15, `-j MASQUERADE${rand.pick(['', '', ' --random-fully'])}`])
  }
  return rand.weighted(options)
}

function rule(rand: Random, probes: readonly Probe[], spot: Spot, later: readonly string[]): RulePieces {
  const probe = rand.pick(probes)
  const matches: string[] = []
  if (rand.chance(0.35)) matches.push(addressMatch(rand, probe, spot.family, 's'))
  if (rand.chance(0.45)) matches.push(addressMatch(rand, probe, spot.family, 'd'))
  const t = target(rand, spot, later)
  if (rand.chance(0.5) && !t.startsWith('-p')) matches.push(protocolMatch(rand, probe, spot.family))
  const link = rand.chance(0.2) ? linkMatch(rand, spot) : null
  if (link) matches.push(link)
  if (rand.chance(0.45)) matches.push(otherMatch(rand, probe, spot))
  return { matches, target: t }
}

/** Lines for `ipset restore` that the `-m set` matches of both families refer to. */
export function randomIpsets(rand: Random, probes: readonly Probe[], family: 4 | 6): string[] {
  const v = family === 4 ? 'v4' : 'v6'
  const inet = family === 4 ? 'inet' : 'inet6'
  const own = rand.pick(probes)
  const pool = POOL[family]
  const proto = own.protocol === TCP ? 'tcp' : own.protocol === SCTP ? 'sctp' : 'udp'
  const lines = [
    `create ip${v} hash:ip family ${inet}`,
    `create net${v} hash:net family ${inet}`,
    `create ipport${v} hash:ip,port family ${inet}`,
    `add ip${v} ${own.dst} -exist`,
    `add ip${v} ${rand.pick(pool.client)} -exist`,
    `add net${v} ${pool.nets[2]} -exist`,
    `add net${v} ${rand.pick(pool.server)} nomatch -exist`,
    `add ipport${v} ${own.dst},${proto}:${own.dport || 80} -exist`,
    `add ipport${v} ${rand.pick(pool.service)},tcp:80 -exist`,
  ]
  return lines
}

/** A whole iptables ruleset of one family: some tables, some regular chains, acyclic jumps. */
export function randomIptables(
  rand: Random,
  probes: readonly Probe[],
  family: 4 | 6,
  backend: 'iptables-nft' | 'iptables-legacy',
): RulesetPieces {
  const names = (Object.keys(HOOKS) as TableName[]).filter((t) =>
    rand.chance({ raw: 0.35, mangle: 0.5, nat: 0.75, filter: 0.8, security: 0.1 }[t]),
  )
  const tables = (names.length ? names : (['filter'] as TableName[])).map((table) => {
    const regular = table === 'nat' ? ['UD1', 'UD2', 'US1', 'US9'] : ['U1', 'U2', 'U3']
    const chains: ChainPieces[] = []
    for (const name of HOOKS[table]) {
      const later =
        table === 'nat'
          ? regular.filter((r) =>
              name === 'PREROUTING' || name === 'OUTPUT'
                ? r.startsWith('UD')
                : name === 'POSTROUTING'
                  ? r.startsWith('US')
                  : r === 'US1',
            )
          : regular
      const count = rand.weighted([
        [30, 0],
        [30, 1],
        [25, 2],
        [15, 4],
      ])
      const policy = table === 'filter' && rand.chance(0.15) ? 'DROP' : 'ACCEPT'
      chains.push({
        name,
        base: policy,
        rules: Array.from({ length: count }, () => rule(rand, probes, { table, chain: name, family }, later)),
      })
    }
    regular.forEach((name, i) => {
      const later = regular.slice(i + 1).filter((r) => table !== 'nat' || (r.startsWith('UD') && name.startsWith('UD')))
      const count = rand.below(4)
      chains.push({
        name,
        rules: Array.from({ length: count }, () => rule(rand, probes, { table, chain: name, family }, later)),
      })
    })
    return { name: table, chains, sets: [] }
  })
  return { backend, family, tableFamily: family === 4 ? 'ip' : 'ip6', tables }
}
