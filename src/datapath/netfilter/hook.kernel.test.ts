/** runHook and evaluateRuleset against the kernel of this machine, where random rulesets do not reach. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { formatIp, ipv4, parseIp } from '../../base/ip.ts'
import { ICMP, ICMPV6, TCP, UDP } from '../../base/protocol.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { parseNftText } from '../../parse/nft/index.ts'
import { classifyFirst } from '../conntrack/first-packet.ts'
import { evaluateRuleset, type Query } from './evaluate.ts'

const ip = (text: string) => parseIp(text)!

/** Runs a bash script in a network and mount namespace of its own; gives its stdout. */
function isolated(script: string): string {
  const setup = 'set -e; mount -t tmpfs none /run; mkdir -p /run/netns; cd /run; ip link set lo up\n'
  const r = spawnSync('unshare', ['-m', '-n', '--propagation', 'private', 'bash', '-c', setup + script], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    timeout: 100_000,
  })
  if (r.status !== 0) throw new Error(`script failed: ${r.stderr}`)
  return r.stdout
}

/** A link with addresses and a permanent neighbour for everything behind it. */
const DUMMY = `ip link add d0 type veth peer name d1; ip link set d1 up; ip addr add 10.0.0.1/24 dev d0; ip addr add fd00::1/64 dev d0 nodad; ip link set d0 up
ip route add default via 10.0.0.254; ip neigh add 10.0.0.254 lladdr 02:00:00:00:00:fe dev d0
`
const SEND = `cat > send.py <<'PY'
import socket, sys
for line in sys.stdin:
    src, sport, dst, dport = line.split()
    family = socket.AF_INET6 if ':' in src else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((src, int(sport)))
    try: s.sendto(b'x', (dst, int(dport)))
    except OSError: pass
PY
`
const local = [ip('10.0.0.1'), ip('fd00::1')]
const udp = (src: string, sport: number, dst: string, dport: number, more: Partial<Query> = {}): Query => ({
  src: ip(src),
  dst: ip(dst),
  sport,
  dport,
  protocol: UDP,
  localIps: local,
  out: 'd0',
  ...more,
})
/** Rules of the chosen outcome as `TABLE CHAIN LINE`, once each. */
const linesOf = (o: ReturnType<typeof evaluateRuleset>[number]) => new Set(o.rules.map((r) => r.line))
function counted(saved: string): Set<number> {
  const out = new Set<number>()
  saved.split('\n').forEach((line, i) => {
    if (/^\[[1-9]\d*:\d+\] -A /.test(line) || /counter packets [1-9]/.test(line)) out.add(i + 1)
  })
  return out
}

test.each(['iptables-legacy', 'iptables-nft'] as const)(
  '%s: a packet of this machine to itself passes output, postrouting, prerouting and input, translated once',
  (backend) => {
    const tables = ['raw', 'mangle', 'nat', 'filter']
    const chains: Record<string, string[]> = {
      raw: ['PREROUTING', 'OUTPUT'],
      mangle: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
      nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
      filter: ['INPUT', 'OUTPUT'],
    }
    const rules = tables.map((t) => {
      const seen = chains[t]!.flatMap((c) => [
        `-A ${c} -p udp -m conntrack --ctstate NEW`,
        `-A ${c} -p udp -m conntrack --ctstate DNAT`,
        `-A ${c} -p udp -d 10.0.0.1 --dport 8080`,
        `-A ${c} -p udp -m conntrack --ctstate INVALID`,
        `-A ${c} -p udp -m addrtype --dst-type LOCAL`,
      ])
      const more =
        t === 'nat'
          ? [
              '-A OUTPUT -d 10.9.9.9 -p udp -j DNAT --to-destination 10.0.0.1:8080',
              '-A PREROUTING -p udp -j DNAT --to-destination 10.8.8.8',
            ]
          : []
      return `*${t}\n${[...seen, ...more].join('\n')}\nCOMMIT\n`
    })
    const saved = isolated(`${DUMMY}${SEND}
${backend}-restore <<'X'
${rules.join('')}X
echo 10.0.0.1 4000 10.9.9.9 80 | python3 send.py
${backend}-save -c`)
    // Answers of the stack (ICMP port unreachable) are not UDP, so they count nowhere.
    const ruleset = parseIptablesSave(saved, { artefact: 'save', family: 'ip', backend })
    const outcomes = evaluateRuleset([ruleset], new Map(), udp('10.0.0.1', 4000, '10.9.9.9', 80))
    expect(outcomes).toHaveLength(1)
    expect(outcomes[0]).toMatchObject({ verdict: 'accept', local: true, translated: true })
    expect([...linesOf(outcomes[0]!)].sort()).toEqual([...counted(saved)].sort())
    expect(counted(saved).size).toBeGreaterThan(15)
  },
)

test('of chains of equal priority, the one registered last runs first', () => {
  const text = isolated(`${DUMMY}${SEND}
cat > p.nft <<'X'
table ip a {
 chain c {
  type filter hook output priority 0;
  counter
 }
}
table ip b {
 chain c {
  type filter hook output priority 0;
  counter
 }
 chain d {
  type filter hook output priority 0;
  udp dport 1 counter drop
  udp dport 2 counter accept
 }
}
table ip c {
 chain c {
  type filter hook output priority 0;
  udp dport 2 counter drop
 }
}
X
nft -f p.nft
echo 10.0.0.1 4000 10.9.9.9 1 | python3 send.py
nft list ruleset; nft reset counters >/dev/null; nft flush ruleset; nft -f p.nft
echo ---
echo 10.0.0.1 4000 10.9.9.9 2 | python3 send.py
nft list ruleset`)
  text.split('---\n').forEach((listing, i) => {
    const outcomes = evaluateRuleset(
      [parseNftText(listing, 'nft')],
      new Map(),
      udp('10.0.0.1', 4000, '10.9.9.9', i + 1),
    )
    expect(outcomes.map((o) => o.verdict)).toEqual(['drop'])
    expect([...linesOf(outcomes[0]!)]).toEqual([...counted(listing)])
  })
})

/** `conntrack -L -o extended` lines of UDP: the original source and port, and where the reply comes from and goes to. */
function connections(text: string) {
  return [
    ...text.matchAll(
      /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+).*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+).*?mark=(\d+)/g,
    ),
  ].map((m) => ({
    src: m[1]!,
    dst: m[2]!,
    sport: Number(m[3]),
    dport: Number(m[4]),
    to: m[5]!,
    from: m[6]!,
    toPort: Number(m[7]),
    fromPort: Number(m[8]),
    mark: Number(m[9]),
  }))
}

test('address ranges, port ranges and seeded hashes: the very choice of the kernel', () => {
  const v4 = Array.from({ length: 40 }, (_, i) => formatIp(ipv4(0x0a000000 + 2 + i)))
  const rules = `table inet t {
	chain o {
		type nat hook output priority -100; policy accept;
		udp dport 1 ct mark set jhash ip saddr . ip daddr mod 1000 seed 0x2a dnat ip to 10.7.0.1-10.7.0.9
		udp dport 2 dnat ip to 10.7.0.1-10.7.3.9 persistent
		udp dport 3 dnat ip6 to fd00:7::1-fd00:7::ffff
		udp dport 4 dnat ip to 10.7.0.1:900-910
		udp dport 5 ct mark set jhash ip6 saddr . udp sport . meta l4proto . udp dport mod 997 seed 0x1234 offset 3 dnat ip6 to fd00:7::1-fd00:8::1
	}

	chain p {
		type nat hook postrouting priority 100; policy accept;
		udp dport 6 snat ip to 10.6.0.1-10.6.0.200
		udp dport 7 snat ip to 10.0.0.9
	}
}
`
  const packets = [
    ...v4.flatMap((a, i) => [1, 2, 4, 6].map((p) => [a, 4000 + i, `10.9.9.${i % 3}`, p] as const)),
    // Two connections that want one source address and port: the second has to move.
    ['10.0.0.2', 5000, '10.9.9.9', 7] as const,
    ...v4.flatMap((_, i) =>
      [3, 5].map((p) => [`fd00::${(i + 2).toString(16)}`, 4000 + i, `fd00:9::${i % 3}`, p] as const),
    ),
  ]
  const text = isolated(`${DUMMY}${SEND}
ip -6 route add default via fd00::fe; ip neigh add fd00::fe lladdr 02:00:00:00:00:fe dev d0
for i in $(seq 2 41); do ip addr add 10.0.0.$i/24 dev d0; ip addr add fd00::$(printf %x $i)/64 dev d0 nodad; done
cat > p.nft <<'X'
${rules}X
nft -f p.nft
python3 send.py <<'X'
${packets.map((p) => p.join(' ')).join('\n')}
X
nft list ruleset; echo ---; conntrack -L -p udp -f ipv4 2>/dev/null; conntrack -L -p udp -f ipv6 2>/dev/null`)
  const [listing, table] = text.split('---\n') as [string, string]
  const ruleset = parseNftText(listing, 'nft')
  const found = connections(table)
  expect(found.length).toBe(packets.length)
  for (const [src, sport, dst, dport] of packets) {
    const k = found.find((c) => formatIp(ip(c.src)) === formatIp(ip(src)) && c.sport === sport && c.dport === dport)!
    const outcomes = evaluateRuleset([ruleset], new Map(), udp(src, sport, dst, dport, { localIps: [ip(src)] }))
    const o = outcomes.find((x) => x.verdict === 'accept')!
    expect(
      [outcomes.length, formatIp(o.packet.dst), formatIp(o.packet.src), o.packet.dport, o.connection?.mark],
      JSON.stringify(k),
    ).toEqual([1, formatIp(ip(k.to)), formatIp(ip(k.from)), k.toPort, k.mark])
  }
  expect(new Set(found.map((c) => c.to)).size).toBeGreaterThan(60)
})

const RAW = `cat > raw.py <<'PY'
import socket, struct, sys
def csum(b):
    if len(b) % 2: b += b'\\0'
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
SRC, DST = socket.inet_aton('10.5.0.2'), socket.inet_aton('10.5.0.1')
S6, D6 = socket.inet_pton(socket.AF_INET6, 'fd05::2'), socket.inet_pton(socket.AF_INET6, 'fd05::1')
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); raw.bind(('c0', 0))
eth = bytes.fromhex(sys.argv[1].replace(':', '')) + bytes.fromhex(sys.argv[2].replace(':', ''))
def v4(proto, payload):
    h = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, SRC, DST)
    raw.send(eth + b'\\x08\\x00' + h[:10] + struct.pack('!H', csum(h)) + h[12:] + payload)
for line in sys.stdin:
    kind, n = line.split(); n = int(n)
    if kind == 'tcp':
        t = struct.pack('!HHIIBBHHH', 2000 + n, 80, 1, 1 if n & 16 else 0, 0x50, n, 1000, 0, 0)
        pseudo = SRC + DST + struct.pack('!BBH', 0, 6, len(t))
        v4(6, t[:16] + struct.pack('!H', csum(pseudo + t)) + t[18:])
    elif kind == 'icmp':
        b = struct.pack('!BBHHH', n, 0, 0, 1000 + n, 1) + b'\\0' * 32
        v4(1, b[:2] + struct.pack('!H', csum(b)) + b[4:])
    else:
        b = struct.pack('!BBHHH', n, 0, 0, 1000 + n, 1) + b'\\0' * 32
        pseudo = S6 + D6 + struct.pack('!IHBB', len(b), 0, 0, 58)
        b = b[:2] + struct.pack('!H', csum(pseudo + b)) + b[4:]
        raw.send(eth + b'\\x86\\xdd' + struct.pack('!IHBB', 0x60000000, len(b), 58, 255) + S6 + D6 + b)
PY
`

test.each([1, 0])('the state conntrack gives a first packet, by TCP flags and ICMP types (tcp_loose %i)', (loose) => {
  const flags = Array.from({ length: 64 }, (_, i) => i)
  const types4 = [0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30]
  const types6 = [1, 2, 3, 4, 100, 128, 129, 130, 131, 132, 133, 134, 135, 136, 139, 140, 143, 200]
  const states = ['new', 'established', 'related', 'invalid', 'untracked']
  const text = isolated(`${RAW}
ip netns add c; ip link add c0 netns c type veth peer name r0
ip addr add 10.5.0.1/24 dev r0; ip addr add fd05::1/64 dev r0 nodad; ip link set r0 up; ip -n c link set c0 up
sysctl -qw net.ipv4.conf.r0.rp_filter=0 net.ipv4.conf.all.rp_filter=0
cat > p.nft <<'X'
table inet t {
 chain p {
  type filter hook prerouting priority 0;
${[
  ...flags.map((f) => [`tcp sport ${2000 + f}`, `tcp ${f}`]),
  ...types4.map((t) => [`meta nfproto ipv4 meta l4proto icmp @th,32,16 ${1000 + t}`, `icmp ${t}`]),
  ...types6.map((t) => [`meta nfproto ipv6 meta l4proto ipv6-icmp @th,32,16 ${1000 + t}`, `icmp6 ${t}`]),
]
  .flatMap(([match, name]) => states.map((s) => `  ${match} ct state ${s} counter comment "${name} ${s}"`))
  .join('\n')}
  drop
 }
}
X
nft -f p.nft
sysctl -qw net.netfilter.nf_conntrack_tcp_loose=${loose}
mac=$(ip -br link show r0 | awk '{print $3}'); mine=$(ip -n c -br link show c0 | awk '{print $3}')
nsenter --net=/run/netns/c python3 raw.py $mac $mine <<'X'
${[...flags.map((f) => `tcp ${f}`), ...types4.map((t) => `icmp ${t}`), ...types6.map((t) => `icmp6 ${t}`)].join('\n')}
X
nft list ruleset`)
  const kernel = new Map([...text.matchAll(/packets [1-9]\d* .*comment "(\S+ \d+) (\S+)"/g)].map((m) => [m[1]!, m[2]!]))
  const base = {
    src: ip('10.5.0.2'),
    dst: ip('10.5.0.1'),
    sport: 1,
    dport: 1,
    ttl: 64,
    dscp: 0,
    length: 40,
    dontFragment: true,
    mark: 0,
    tcpFlags: 0,
  }
  // An ICMP error that quotes no known connection is invalid (nf_conntrack_inet_error); ours says so when the table is empty.
  const ours = new Map<string, string>()
  const say = (name: string, state: string) => ours.set(name, state === 'icmp-error' ? 'invalid' : state)
  for (const f of flags) say(`tcp ${f}`, classifyFirst({ ...base, protocol: TCP, tcpFlags: f }, loose === 1))
  const icmp = (protocol: number, type: number) =>
    classifyFirst({ ...base, protocol, icmp: { type, code: 0, id: 1 } }, loose === 1)
  for (const t of types4) say(`icmp ${t}`, icmp(ICMP, t))
  for (const t of types6) say(`icmp6 ${t}`, icmp(ICMPV6, t))
  expect(kernel.size).toBe(ours.size)
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(kernel))
})
