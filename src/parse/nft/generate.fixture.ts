/** Random rulesets that nft accepts, for the round trip through the kernel. For tests. */

/** A small generator of pseudo-random numbers (mulberry32), so that a seed names a ruleset. */
function generator(seed: number) {
  let state = seed + 0x9e3779b9
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (n: number) => Math.floor(next() * n)
  return { int, pick: <T>(list: readonly T[]): T => list[int(list.length)]!, chance: (p: number) => next() < p }
}

type Random = ReturnType<typeof generator>
type Family = 'ip' | 'ip6' | 'inet'

const unique = <T>(list: readonly T[]) => [...new Set(list)]
const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make)

function address(r: Random, v6: boolean): string {
  return v6 ? `fd00::${(1 + r.int(200)).toString(16)}` : `10.${r.int(3)}.${r.int(3)}.${1 + r.int(200)}`
}

/** Addresses that do not overlap, as sets with intervals demand. */
function addressSet(r: Random, v6: boolean): string {
  const singles = unique(times(1 + r.int(4), () => address(r, v6)))
  const wide = r.chance(0.5) ? [v6 ? 'fd01::/16' : '10.64.0.0/12'] : []
  const range = r.chance(0.3) ? [v6 ? 'fd02::1-fd02::9' : '10.128.0.1-10.128.0.77'] : []
  return `{ ${[...singles, ...wide, ...range].join(', ')} }`
}

function ports(r: Random): string {
  return r.pick([
    () => String(1 + r.int(65535)),
    () => `${1 + r.int(1000)}-${2000 + r.int(1000)}`,
    () => `{ ${unique(times(1 + r.int(4), () => 1 + r.int(100))).join(', ')}, 8000-${8001 + r.int(99)} }`,
  ])()
}

const hex = (r: Random) => `0x${(r.int(2 ** 31) * 2 + r.int(2)).toString(16)}`

function match(r: Random, family: Family): string {
  const v6 = family === 'ip6' || (family === 'inet' && r.chance(0.5))
  const ip = v6 ? 'ip6' : 'ip'
  const ne = r.chance(0.3) ? '!= ' : ''
  const side = r.pick(['saddr', 'daddr'])
  const l4 = r.pick(['tcp', 'udp', 'sctp', 'dccp'])
  const port = r.pick(['sport', 'dport'])
  return r.pick([
    () => `${ip} ${side} ${ne}${address(r, v6)}`,
    () => `${ip} ${side} ${ne}${v6 ? 'fd00::/64' : '10.1.0.0/16'}`,
    () => `${ip} ${side} ${ne}${v6 ? 'fd00::1-fd00::77' : '10.1.0.1-10.2.0.9'}`,
    () => `${ip} ${side} ${ne}${addressSet(r, v6)}`,
    () => `${l4} ${port} ${ne}${ports(r)}`,
    () => `${l4} ${port} ${r.pick(['<', '<=', '>', '>='])} ${2 + r.int(1000)}`,
    () => `meta l4proto { tcp, udp } th ${port} ${ne}${ports(r)}`,
    () => `meta l4proto ${ne}${r.pick(['tcp', 'udp', 'gre', 'esp', '89'])}`,
    () => `${ip} ${side} . ${l4} ${port} { ${address(r, v6)} . 80, ${v6 ? 'fd09::/64' : '10.9.0.0/16'} . 100-200 }`,
    () => `iifname ${ne}${r.pick(['"eth0"', '"cali*"', '"wl-0.1"', '{ "a", "b" }', '{ "c", "d*" }'])}`,
    () => `meta mark ${ne}${hex(r)}`,
    () => `meta mark & ${hex(r)} ${r.pick(['==', '!='])} 0x0`,
    () => `ct mark and 0xff00 ${r.pick(['==', '!='])} 0x${r.int(255).toString(16)}00`,
    () => `ct state ${r.pick(['new', 'established,related', '!= invalid', '{ new, untracked }', '! new,invalid'])}`,
    () => `ct status ${r.pick(['dnat', 'snat,dnat', '== confirmed', '!= assured', '! seen-reply'])}`,
    () => `ct direction ${ne}${r.pick(['original', 'reply'])}`,
    () =>
      `ct original ${ip} ${side} ${ne}${address(r, v6)} meta l4proto ${l4} ct original proto-dst ${ne}${1 + r.int(999)}`,
    () => `fib ${side} type ${ne}${r.pick(['local', 'unicast', '{ local, broadcast }'])}`,
    () => `fib daddr . ${r.pick(['iif', 'oif'])} type local`,
    () =>
      `tcp flags ${r.pick(['syn', 'syn,ack', '! fin,rst', '== syn', '!= ack', '& (syn|ack) == syn', '& (fin|rst) != 0'])}`,
    () => `${v6 ? 'icmpv6' : 'icmp'} type ${ne}${r.pick(['echo-request', '{ echo-request, echo-reply }', '17'])}`,
    () => (v6 ? `ip6 hoplimit ${ne}${r.int(255)}` : `ip ttl ${r.pick(['<', '>', '!='])} ${1 + r.int(200)}`),
    () => `${ip} dscp ${ne}${r.pick(['cs1', 'af11', 'ef', '0x3f', '{ cs2, 0x01 }'])}`,
    () => `meta length ${r.pick(['> 500', '100-200', '!= 60'])}`,
    () => `meta pkttype ${ne}${r.pick(['host', 'broadcast', 'multicast'])}`,
    () => `meta skuid ${ne}${r.int(2000)}`,
    () => `numgen random mod ${2 + r.int(9)} ${r.pick(['', '!= ', '< ', '>= '])}1`,
    () => `numgen inc mod ${2 + r.int(9)} 1`,
    () => `jhash ${ip} ${side} mod ${2 + r.int(9)} seed 0x${(1 + r.int(9999)).toString(16)} 1`,
    () => `socket transparent ${r.int(2)}`,
    () => `${ip} ${side} @${v6 ? 'six' : 'four'}`,
  ])()
}

function action(r: Random, family: Family, type: string): string {
  const l4 = r.pick(['tcp', 'udp'])
  const v6 = family === 'ip6' || (family === 'inet' && r.chance(0.5))
  const qualifier = family === 'inet' ? `${v6 ? 'ip6' : 'ip'} ` : ''
  const to = address(r, v6)
  const at = v6 ? `[${to}]` : to
  const flags = r.pick(['', '', ' random', ' persistent', ' fully-random', ' random,persistent'])
  if (type === 'dnat')
    return r.pick([
      () => `meta l4proto ${l4} dnat ${qualifier}to ${at}:${1 + r.int(999)}${flags}`,
      () => `dnat ${qualifier}to ${to}${flags}`,
      () => `${l4} dport 80 dnat ${qualifier}to ${at}:${100 + r.int(9)}-${200 + r.int(9)}`,
      () => `dnat ${qualifier}to numgen random mod 2 map { 0 : ${to}, 1 : ${address(r, v6)} }`,
      () => `${l4} dport 80-90 redirect to :${1 + r.int(999)}`,
    ])()
  if (type === 'snat')
    return r.pick([
      () => `masquerade${flags}`,
      () => `meta l4proto ${l4} masquerade to :1024-${2000 + r.int(999)}${flags}`,
      () => `snat ${qualifier}to ${to}${flags}`,
      () => `snat ${qualifier}to ${v6 ? 'fd00::1-fd00::9' : '10.0.0.1-10.0.0.9'}${flags}`,
    ])()
  return r.pick([
    () => r.pick(['accept', 'drop', 'return', 'continue', 'jump other', 'goto other']),
    () => 'reject',
    () => `meta l4proto tcp reject with tcp reset`,
    () => `meta mark set ${hex(r)}`,
    () => `meta mark set meta mark ${r.pick(['and', 'or', 'xor'])} ${hex(r)}`,
    () => `meta mark set meta mark and ${hex(r)} or ${hex(r)}`,
    () => `ct mark set meta mark`,
    () => `meta mark set ct mark and ${hex(r)}`,
    () => `limit rate ${1 + r.int(99)}/second accept`,
    () => `counter drop comment "a: # { ${r.int(9)}"`,
    () => `log prefix "x { y" accept`,
    () => `${l4} dport vmap { 1-10 : accept, ${20 + r.int(9)} : jump other, 99 : drop }`,
    () => `meta l4proto { tcp, udp } meta l4proto . th dport vmap @services`,
    () => `numgen random mod 3 vmap { 0 : accept, 1 : drop, 2 : goto other }`,
    () => `ct state vmap { established : accept, invalid : drop }`,
  ])()
}

/** A table in `nft -f` syntax, and `add rule` commands for its chains: nft may refuse some that contradict themselves. */
export function randomRuleset(seed: number): { table: string; rules: string[] } {
  const r = generator(seed)
  const family = r.pick<Family>(['ip', 'ip6', 'inet'])
  const chains = [
    ['prerouting', 'nat', `dstnat ${r.pick(['+', '-'])} ${1 + r.int(20)}`, 'dnat'],
    ['postrouting', 'nat', 'srcnat', 'snat'],
    ['forward', 'filter', String(r.int(400) - 200), 'filter'],
    ['input', 'filter', r.pick(['filter', 'security', 'raw - 5']), 'filter'],
  ] as const
  const rules = chains.flatMap(([hook, , , kind]) =>
    times(3 + r.int(10), () => {
      const matches = times(r.int(3), () => match(r, family))
      return `add rule ${family} generated ${hook} ${[...matches, action(r, family, kind)].join(' ')}`
    }),
  )
  // After a check for ICMP nft prints the second half-word of the transport header as `icmp checksum`, which is no field of ours.
  const printable = rules.filter((rule) => !(rule.includes('icmp') && rule.includes(' th ')))
  const declared = chains.map(
    ([hook, type, priority]) =>
      `\tchain ${hook} {\n\t\ttype ${type} hook ${hook} priority ${priority}; policy ${r.pick(['accept', 'drop'])};\n\t}`,
  )
  const table = `table ${family} generated {
\tset four {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = ${addressSet(r, false)}\n\t}
\tset six {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t\telements = ${addressSet(r, true)}\n\t}
\tmap services {\n\t\ttype inet_proto . inet_service : verdict
\t\telements = { tcp . ${1 + r.int(99)} comment "a" : goto other, udp . ${1 + r.int(99)} : drop }\n\t}
\tchain other {\n\t\treturn\n\t}
${declared.join('\n')}
}
`
  return { table, rules: printable }
}
