/**
 * A small world with one of everything and random changes to it:
 *
 *     a ─┐                    ┌─ h1/10.3 ─┐
 *        br0(10.5) h ─────────┤           r ── c (10.2.0.2)
 *     b ─┘         │          └─ h0/10.1 ─┘└── e (10.8.0.2, reached through the VXLAN vx0 10.7)
 *                  └ cali0 ── d (10.6.0.2/32, unnumbered link, proxy ARP)
 */
import type { Pair } from './from-dumps.ts'

export const NETNS = ['a', 'b', 'd', 'h', 'r', 'c', 'e'] as const

export const PAIRS: readonly Pair[] = [
  ['a', 'eth0', 'h', 'va'],
  ['b', 'eth0', 'h', 'vb'],
  ['d', 'eth0', 'h', 'cali0'],
  ['h', 'r0', 'r', 'h0'],
  ['h', 'r1', 'r', 'h1'],
  ['r', 'c0', 'c', 'eth0'],
  ['r', 'e0', 'e', 'eth0'],
]

export const SETUP = `
for n in ${NETNS.join(' ')}; do ip netns add $n; ip -n $n link set lo up; ip netns exec $n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0; done
${PAIRS.map(([x, l, y, m]) => `ip link add ${l} netns ${x} type veth peer name ${m} netns ${y}`).join('\n')}
ip -n h link add br0 type bridge; ip -n h link set br0 address 02:00:00:00:05:01; ip -n h link set va master br0; ip -n h link set vb master br0; ip -n h link set br0 up
${PAIRS.map(([x, l, y, m]) => `ip -n ${x} link set ${l} up; ip -n ${y} link set ${m} up`).join('\n')}
A() { ip -n $1 addr add $3 dev $2; }
A h br0 10.5.0.1/24; A a eth0 10.5.0.2/24; A b eth0 10.5.0.3/24; A d eth0 10.6.0.2/32
A h r0 10.1.0.1/24; A r h0 10.1.0.2/24; A h r1 10.3.0.1/24; A r h1 10.3.0.2/24
A r c0 10.2.0.1/24; A c eth0 10.2.0.2/24; A r e0 10.8.0.1/24; A e eth0 10.8.0.2/24
A h br0 fd05::1/64; A a eth0 fd05::2/64; A h r0 fd01::1/64; A r h0 fd01::2/64; A r c0 fd02::1/64; A c eth0 fd02::2/64
ip -n h link add vx0 type vxlan id 7 dstport 8472 local 10.1.0.1 nolearning; ip -n h link set vx0 up; A h vx0 10.7.0.1/24
ip -n r link add vx0 type vxlan id 7 dstport 8472 local 10.1.0.2 nolearning; ip -n r link set vx0 up; A r vx0 10.7.0.2/24
M() { ip netns exec $1 cat /sys/class/net/$2/address; }
ip -n h neigh add 10.7.0.2 lladdr $(M r vx0) dev vx0 nud permanent; bridge -n h fdb append $(M r vx0) dev vx0 dst 10.1.0.2
ip -n r neigh add 10.7.0.1 lladdr $(M h vx0) dev vx0 nud permanent; bridge -n r fdb append $(M h vx0) dev vx0 dst 10.1.0.1
ip -n a route add default via 10.5.0.1; ip -n b route add default via 10.5.0.1; ip -n a -6 route add default via fd05::1
ip -n d route add 169.254.1.1 dev eth0; ip -n d route add default via 169.254.1.1 dev eth0
ip -n h route add 10.6.0.2 dev cali0
ip -n h route add 10.2.0.0/24 via 10.1.0.2; ip -n h route add 10.8.0.0/24 via 10.7.0.2 dev vx0; ip -n h -6 route add fd02::/64 via fd01::2
ip -n h route add default via 10.1.0.2
ip -n r route add 10.5.0.0/24 via 10.1.0.1; ip -n r route add 10.6.0.0/24 via 10.1.0.1; ip -n r -6 route add fd05::/64 via fd01::1
ip -n c route add default via 10.2.0.1; ip -n e route add default via 10.8.0.1; ip -n c -6 route add default via fd02::1
S() { n=$1; shift; ip netns exec $n sysctl -qw "$@"; }
for n in h r; do S $n net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0; done
S h net.ipv4.conf.cali0.proxy_arp=1
T() { n=$1; shift; ip netns exec $n iptables "$@"; }
`

export const LISTEN = NETNS.flatMap((n) => [
  [n, 4, 'tcp', '0.0.0.0', 80],
  [n, 4, 'udp', '0.0.0.0', 53],
  [n, 6, 'tcp', '::', 80],
])

const pick = <T>(rand: () => number, from: readonly T[]): T => from[Math.floor(rand() * from.length)]!

const DSTS = [
  '10.5.0.2',
  '10.5.0.3',
  '10.6.0.2',
  '10.2.0.2',
  '10.8.0.2',
  '10.5.0.1',
  '10.1.0.2',
  '10.3.0.2',
  '10.96.0.1',
  '10.96.0.2',
  '10.5.0.77',
  '10.9.9.9',
  'fd02::2',
  'fd05::2',
  'fd01::2',
]

/** A question: who, protocol, to whom, port. */
export function question(rand: () => number): [string, 'tcp' | 'udp', string, number] {
  const udp = rand() < 0.15
  const from = pick(rand, ['a', 'a', 'a', 'b', 'd', 'c', 'e', 'h', 'r'])
  const dst = pick(rand, DSTS)
  return [
    from,
    udp && !dst.includes(':') ? 'udp' : 'tcp',
    dst,
    udp ? pick(rand, [53, 54]) : pick(rand, [80, 80, 80, 81]),
  ]
}

const LINKS: Record<string, readonly string[]> = {
  h: ['br0', 'r0', 'r1', 'cali0', 'va', 'vb', 'vx0'],
  r: ['h0', 'h1', 'c0', 'e0', 'vx0'],
}
const NETS = [
  '10.2.0.0/24',
  '10.5.0.0/24',
  '10.6.0.0/24',
  '10.8.0.0/24',
  '10.2.0.2/32',
  '10.0.0.0/8',
  '10.5.0.2/32',
  '10.96.0.0/12',
  'default',
]

/** One random change, as shell. Failing ones are ignored by `|| true`. */
export function mutation(rand: () => number): string {
  const n = pick(rand, ['h', 'h', 'r'])
  const link = pick(rand, LINKS[n]!)
  const any = pick(rand, ['all', link, 'default', link])
  const net = pick(rand, NETS)
  const via =
    n === 'h'
      ? pick(rand, ['10.1.0.2 dev r0', '10.3.0.2 dev r1', '10.7.0.2 dev vx0', '10.1.0.9 dev r0'])
      : pick(rand, ['10.1.0.1 dev h0', '10.3.0.1 dev h1', '10.7.0.1 dev vx0', '10.3.0.9 dev h1'])
  const table = pick(rand, ['', '', 'table 100', 'metric 50', 'table local'])
  const pod = pick(rand, ['a', 'b', 'c', 'd', 'e'])
  const chain = pick(rand, ['FORWARD', 'FORWARD', 'INPUT', 'OUTPUT'])
  const dst = pick(rand, ['10.5.0.2', '10.5.0.3', '10.2.0.2', '10.6.0.2', '10.8.0.2'])
  const choices: (() => string)[] = [
    () => `ip -n ${n} route del ${net}`,
    () => `ip -n ${n} route replace ${pick(rand, ['blackhole', 'unreachable', 'prohibit', 'throw'])} ${net} ${table}`,
    () => `ip -n ${n} route replace ${net} via ${via} ${table}`,
    () => `ip -n ${n} route replace ${net} via ${via} ${table}`,
    () =>
      n === 'h'
        ? `ip -n h route replace ${net} nexthop via 10.1.0.2 dev r0 weight 3 nexthop via 10.3.0.2 dev r1`
        : `ip -n r route replace ${net} nexthop via 10.1.0.1 dev h0 nexthop via 10.3.0.1 dev h1`,
    () =>
      `ip -n ${n} rule add ${pick(rand, ['from', 'to'])} ${net === 'default' ? 'all' : net} ${pick(rand, ['lookup 100', 'lookup 100', 'blackhole', 'prohibit', 'lookup main suppress_prefixlength 0'])} pref ${100 + Math.floor(rand() * 50)}`,
    () => `ip -n ${n} rule add iif ${link} lookup 100 pref 150; ip -n ${n} route replace ${net} via ${via} table 100`,
    () =>
      `ip -n ${n} rule add fwmark 5 lookup 100 pref 90; ip -n ${n} route replace ${net} via ${via} table 100; T ${n} -t mangle -A ${pick(rand, ['PREROUTING', 'OUTPUT'])} -d ${dst} -j MARK --set-mark 5`,
    () => `S ${n} net.ipv4.conf.${any}.rp_filter=${pick(rand, [1, 1, 2])}`,
    () => `S ${n} net.ipv4.conf.${link}.rp_filter=${pick(rand, [1, 1, 2])}`,
    () => `S ${n} net.ipv4.conf.${link}.forwarding=0`,
    () => `S ${n} net.ipv4.ip_forward=0`,
    () => `S ${n} net.ipv6.conf.${pick(rand, ['all', link])}.forwarding=0`,
    () => `S ${n} net.ipv6.conf.${link}.disable_ipv6=1`,
    () => `S h net.ipv4.conf.cali0.proxy_arp=0`,
    () => `S ${n} net.ipv4.conf.${any}.proxy_arp=1`,
    () => `S ${n} net.ipv4.conf.${any}.arp_ignore=${pick(rand, [1, 2, 3, 8])}`,
    () => `S ${n} net.ipv4.conf.${any}.arp_filter=1`,
    () => `S ${n} net.ipv4.conf.${any}.arp_announce=2`,
    () => `S ${n} net.ipv4.conf.${any}.accept_local=1`,
    () => `S ${n} net.ipv4.conf.all.send_redirects=0; S ${n} net.ipv4.conf.${link}.send_redirects=0`,
    () => `ip -n ${n} link set ${link} down`,
    () => `ip -n ${pod} link set eth0 down`,
    () => `ip -n ${n} addr flush dev ${link}`,
    () =>
      `ip -n ${n} addr add ${pick(rand, ['10.5.0.2/32', '10.2.0.2/32', '10.5.0.99/24', '10.1.0.77/24', '10.96.0.1/32'])} dev ${pick(rand, [link, 'lo'])}`,
    () =>
      `ip -n ${n} route add local ${pick(rand, ['10.96.0.0/12', '10.2.0.0/24', '10.2.0.0/16', '10.5.0.2/32'])} dev lo`,
    () =>
      `ip -n ${pod} route replace default via ${pick(rand, ['10.5.0.3', '10.5.0.77', '10.2.0.1', '10.5.0.1'])} dev eth0`,
    () =>
      `ip -n ${n} neigh replace ${pick(rand, [dst, '10.1.0.2', '10.1.0.1', '10.3.0.2', '10.3.0.1'])} lladdr ${pick(rand, ['02:00:00:00:00:09', '$(M a eth0)', '$(M h vb)', '$(M r h0)', '$(M h r0)'])} dev ${link} nud permanent`,
    () =>
      `ip -n a neigh replace 10.5.0.1 lladdr ${pick(rand, ['$(M h va)', '$(M h vb)', '$(M h br0)', '$(M b eth0)', '02:00:00:00:00:01'])} dev eth0 nud permanent`,
    () =>
      `ip -n h link set ${pick(rand, ['va', 'vb'])} type bridge_slave ${pick(rand, ['hairpin on', 'isolated on', 'flood off', 'state 4', 'state 0', 'learning off'])}`,
    () => `ip -n h link set va type bridge_slave isolated on; ip -n h link set vb type bridge_slave isolated on`,
    () => `ip -n h link set ${pick(rand, ['va', 'vb'])} nomaster`,
    () => `S h net.bridge.bridge-nf-call-iptables=0`,
    () => `S h net.bridge.bridge-nf-call-iptables=0`,
    () => `T h -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to ${dst}:80`,
    () => `T h -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to 10.5.0.${pick(rand, [2, 3])}:80`,
    () => `T h -t nat -A OUTPUT -d 10.96.0.1 -p tcp -j DNAT --to ${dst}:80`,
    () => `T ${n} -t nat -A PREROUTING -d 10.96.0.2 -j DNAT --to ${dst}`,
    () => `T ${n} -t nat -A PREROUTING -p tcp -d ${dst} -j REDIRECT`,
    () => `T ${n} -t nat -A POSTROUTING -o ${link} -j MASQUERADE`,
    () => `T ${n} -t nat -A POSTROUTING -s 10.5.0.0/24 -j MASQUERADE`,
    () =>
      `T ${n} -t nat -A POSTROUTING -s 10.5.0.2 -d 10.5.0.2 -j MASQUERADE; ip -n h link set va type bridge_slave hairpin on; T h -t nat -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to 10.5.0.2:80`,
    () => `T ${n} -A ${chain} -d ${dst} -j ${pick(rand, ['DROP', 'REJECT'])}`,
    () => `T ${n} -A ${chain} -m conntrack --ctstate INVALID -j DROP`,
    () => `T ${n} -A FORWARD -m physdev --physdev-in ${pick(rand, ['va', 'vb'])} -j DROP`,
    () =>
      `T ${n} -P ${chain} DROP; T ${n} -A ${chain} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; T ${n} -A ${chain} -i ${link} -j ACCEPT`,
    () => `T ${n} -t raw -A PREROUTING -d ${dst} -j ${pick(rand, ['NOTRACK', 'DROP'])}`,
    () => `T ${n} -A OUTPUT -p udp --dport 8472 -j DROP`,
    () => `bridge -n h fdb del $(M r vx0) dev vx0`,
    () => `bridge -n h fdb replace $(M r vx0) dev vx0 dst ${pick(rand, ['10.3.0.2', '10.1.0.9', '10.2.0.2'])}`,
    () => `ip -n r link set vx0 address 02:00:00:00:aa:01`,
    () =>
      `ip -n r link del vx0; ip -n r link add vx0 type vxlan id ${pick(rand, [7, 8])} dstport ${pick(rand, [8472, 4789])} local 10.1.0.2 nolearning; ip -n r addr add 10.7.0.2/24 dev vx0; ip -n r link set vx0 up`,
    () => `ip -n h route del default`,
    () => `ip -n h route replace 10.6.0.2 dev ${pick(rand, ['br0', 'r1', 'cali0'])}`,
  ]
  return `{ ${pick(rand, choices)()}; } || true`
}
