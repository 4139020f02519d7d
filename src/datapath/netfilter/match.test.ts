import { describe, expect, test } from 'vitest'
import { parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import { parseIpsetSave } from '../../parse/ipset/index.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { parseNftText } from '../../parse/nft/index.ts'
import { evaluateRuleset, type Query } from './evaluate.ts'

const ip = (text: string) => parseIp(text)!
type Fields = Partial<Omit<Query, 'src' | 'dst' | 'protocol'>> & { src?: string; dst?: string; protocol?: string }

function query(fields: Fields, family: 4 | 6 = 4): Query {
  const { src, dst, protocol, ...rest } = fields
  return {
    sport: 4000,
    dport: 80,
    localIps: [ip('10.0.0.1'), ip('fd00::1')],
    in: 'eth0',
    out: 'cni0',
    ...rest,
    src: ip(src ?? (family === 4 ? '10.1.0.2' : 'fd00:1::2')),
    dst: ip(dst ?? (family === 4 ? '10.2.0.5' : 'fd00:2::5')),
    protocol: protocolNumber(protocol ?? 'tcp')!,
  }
}

/** `hit`: the rule drops the packet; `miss`: it does not; `by chance P`; `unknown`. */
function outcome(outcomes: ReturnType<typeof evaluateRuleset>): string {
  expect(outcomes.reduce((n, o) => n + o.probability, 0)).toBeCloseTo(1, 9)
  if (outcomes.some((o) => o.verdict === 'unknown')) return 'unknown'
  const dropped = outcomes.filter((o) => o.verdict === 'drop').reduce((n, o) => n + o.probability, 0)
  return dropped > 0.999999 ? 'hit' : dropped === 0 ? 'miss' : `by chance ${dropped.toFixed(3)}`
}

const IPSETS = `create pods hash:net family inet hashsize 1024 maxelem 65536
add pods 10.1.0.0/16
add pods 10.1.0.0/24 nomatch
add pods 10.1.0.2
create ports bitmap:port range 0-65535
add ports 80
create svc hash:ip,port family inet hashsize 1024 maxelem 65536
add svc 10.2.0.5,tcp:80
add svc 10.2.0.6,udp:53
create triple hash:ip,port,net family inet hashsize 1024 maxelem 65536
add triple 10.2.0.5,tcp:80,10.1.0.0/24
create dev hash:net,iface family inet hashsize 1024 maxelem 65536
add dev 10.1.0.0/16,eth0
create all list:set size 8
add all ports
add all pods
create six hash:ip family inet6 hashsize 1024 maxelem 65536
add six fd00:1::2
`
const ipsets = parseIpsetSave(IPSETS, 'ipset').value

function iptables(match: string, fields: Fields, family: 4 | 6 = 4): string {
  const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD ${match} -j DROP\nCOMMIT\n`
  const ruleset = parseIptablesSave(text, {
    artefact: 'save',
    family: family === 4 ? 'ip' : 'ip6',
    backend: 'iptables-legacy',
  })
  return outcome(evaluateRuleset([ruleset], ipsets, query(fields, family)))
}

const IPTABLES: [string, Fields, string][] = [
  ['-s 10.1.0.0/24', {}, 'hit'],
  ['! -s 10.1.0.0/24', {}, 'miss'],
  ['-s 10.0.0.2/255.0.0.255', {}, 'hit'],
  ['-d 10.2.0.6/32', {}, 'miss'],
  ['-p udp', {}, 'miss'],
  ['! -p udp', {}, 'hit'],
  ['-p tcp -m tcp --dport 80', {}, 'hit'],
  ['-p tcp -m tcp ! --dport 80', {}, 'miss'],
  ['-p tcp -m tcp --sport 1:1024', {}, 'miss'],
  ['-p tcp -m tcp --sport 5000', { sport: undefined }, 'unknown'],
  ['-p tcp -m multiport --ports 4000,9000', {}, 'hit'],
  ['-p tcp -m multiport ! --dports 443,8000:9000', {}, 'hit'],
  ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', {}, 'hit'],
  ['-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN', { tcpFlags: 18 }, 'hit'],
  ['-i eth0', {}, 'hit'],
  ['-i eth+', {}, 'hit'],
  ['! -i eth0', {}, 'miss'],
  ['-i eth0', { in: undefined }, 'unknown'],
  ['-i eth0 -s 1.2.3.4/32', { in: undefined }, 'miss'],
  ['-o cni0', {}, 'hit'],
  ['-m conntrack --ctstate NEW', {}, 'hit'],
  ['-m conntrack --ctstate RELATED,ESTABLISHED', {}, 'miss'],
  ['-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT', {}, 'hit'],
  ['-m conntrack --ctstate ESTABLISHED', { ctState: 'established' }, 'hit'],
  ['-m conntrack --ctstate INVALID', { ctState: 'invalid' }, 'hit'],
  ['-m conntrack --ctstate INVALID', { tcpFlags: 18 }, 'hit'],
  ['-m conntrack --ctstate UNTRACKED', { ctState: 'untracked' }, 'hit'],
  ['-m conntrack --ctstate RELATED', { ctState: 'related' }, 'hit'],
  ['-m mark --mark 0x4000/0x4000', { mark: 0x4001 }, 'hit'],
  ['-m mark ! --mark 0x4000/0x4000', {}, 'hit'],
  ['-m mark --mark 0x80000000/0x80000000', { mark: 0xffffffff }, 'hit'],
  ['-m connmark --mark 0x0', {}, 'hit'],
  ['-m connmark ! --mark 0x1', { ctState: 'invalid' }, 'miss'],
  ['-m addrtype --src-type LOCAL', {}, 'miss'],
  ['-m addrtype ! --dst-type LOCAL', {}, 'hit'],
  ['-m addrtype --dst-type UNICAST,LOCAL', {}, 'hit'],
  ['-p icmp -m icmp --icmp-type 8', { protocol: 'icmp' }, 'hit'],
  ['-p icmp -m icmp ! --icmp-type 8', { protocol: 'tcp' }, 'miss'],
  ['-m statistic --mode random --probability 0.25000000000', {}, 'by chance 0.250'],
  ['-m statistic --mode random ! --probability 0.25000000000', {}, 'by chance 0.750'],
  ['-m statistic --mode nth --every 4 --packet 0', {}, 'by chance 0.250'],
  ['-m set --match-set pods src', {}, 'hit'],
  ['-m set --match-set pods src', { src: '10.1.0.3' }, 'miss'],
  ['-m set --match-set pods src', { src: '10.1.7.3' }, 'hit'],
  ['-m set ! --match-set pods src', { src: '10.3.7.3' }, 'hit'],
  ['-m set --match-set ports dst', {}, 'hit'],
  ['-m set --match-set ports dst', { protocol: 'sctp' }, 'miss'],
  ['-m set --match-set svc dst,dst', {}, 'hit'],
  ['-m set --match-set svc dst,dst', { protocol: 'udp' }, 'miss'],
  ['-m set --match-set svc dst', {}, 'miss'],
  ['-m set --match-set svc dst,dst', { dport: undefined }, 'unknown'],
  ['-m set --match-set triple dst,dst,src', {}, 'hit'],
  ['-m set --match-set triple dst,dst,src', { src: '10.1.1.2' }, 'miss'],
  ['-m set --match-set dev src,src', {}, 'hit'],
  ['-m set --match-set dev src,dst', {}, 'miss'],
  ['-m set --match-set all src', { src: '10.3.0.2', dport: 81 }, 'miss'],
  ['-m set --match-set all src', {}, 'hit'],
  ['-m set --match-set six src', {}, 'miss'],
  ['-m set ! --match-set six src', {}, 'hit'],
  ['-m set --match-set absent src', {}, 'unknown'],
  ['-m recent --rcheck --name A --rsource', {}, 'miss'],
  ['-m recent --set --name A --rsource -m recent --rcheck --name A --rsource', {}, 'hit'],
  ['-m recent --set --name A --rsource -m recent --rcheck --hitcount 2 --name A --rsource', {}, 'miss'],
  ['-m limit --limit 5/sec', {}, 'unknown'],
  ['-m limit --limit 5/sec -d 1.1.1.1/32', {}, 'miss'],
  ['-m length --length 60', {}, 'unknown'],
  ['-m length --length 60', { length: 60 }, 'hit'],
  ['-m ttl --ttl-eq 63', {}, 'hit'],
  ['-m dscp --dscp 0x0a', { dscp: 10 }, 'hit'],
  ['-m iprange --src-range 10.1.0.0-10.1.0.2', {}, 'hit'],
  ['-m physdev --physdev-is-in', {}, 'miss'],
  ['-m physdev ! --physdev-is-in', {}, 'hit'],
  ['-m owner --uid-owner 0', {}, 'miss'],
  ['-m frobnicate --with bells', {}, 'unknown'],
  ['-m comment --comment "-j ACCEPT"', {}, 'hit'],
]
test.each(IPTABLES)('iptables %s with %o: %s', (match, fields, expected) => {
  expect(iptables(match, fields)).toBe(expected)
})

const IP6TABLES: [string, Fields, string][] = [
  ['-s fd00:1::/64', {}, 'hit'],
  ['-p ipv6-icmp -m icmp6 --icmpv6-type 128', { protocol: 'icmpv6' }, 'hit'],
  ['-m addrtype --dst-type UNICAST', {}, 'hit'],
  ['-m addrtype --dst-type MULTICAST', {}, 'miss'],
  ['-m set --match-set six src', {}, 'hit'],
  ['-m hl --hl-eq 63', {}, 'hit'],
]
test.each(IP6TABLES)('ip6tables %s with %o: %s', (match, fields, expected) => {
  expect(iptables(match, fields, 6)).toBe(expected)
})

test('a ruleset of the other family is not asked', () => {
  expect(iptables('-m comment --comment x', { src: 'fd00:1::2', dst: 'fd00:2::5' })).toBe('miss')
})

function nft(rule: string, fields: Fields, family: 4 | 6 = 4, declarations = ''): string {
  const text = `table inet t {
${declarations}
	chain forward {
		type filter hook forward priority filter; policy accept;
		${rule}
	}
}
`
  return outcome(evaluateRuleset([parseNftText(text, 'nft')], new Map(), query(fields, family)))
}

const SETS = `	set addrs {
		type ipv4_addr
		flags interval
		elements = { 10.1.0.0-10.1.0.9, 10.3.0.0/16 }
	}
	map services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.2.0.5 . tcp . 80 : drop,
			     10.2.0.6 . udp . 53 : drop }
	}
	map marks {
		type ipv4_addr : mark
		elements = { 10.1.0.2 : 0x00000007 }
	}`
const NFT: [string, Fields, string][] = [
  ['ip saddr 10.1.0.0/24 drop', {}, 'hit'],
  ['ip saddr != 10.1.0.0/24 drop', {}, 'miss'],
  ['ip6 saddr != fd00::/8 drop', {}, 'miss'],
  ['ip daddr { 10.2.0.5, 10.2.0.6 } tcp dport { 80, 443 } drop', {}, 'hit'],
  ['ip saddr @addrs drop', {}, 'hit'],
  ['ip saddr @addrs drop', { src: '10.2.0.9' }, 'miss'],
  ['ip saddr != @addrs drop', {}, 'miss'],
  ['ip saddr @nowhere drop', {}, 'unknown'],
  ['ip daddr . meta l4proto . th dport vmap @services', {}, 'hit'],
  ['ip daddr . meta l4proto . th dport vmap @services', { protocol: 'udp' }, 'miss'],
  ['ip daddr . meta l4proto . th dport vmap @services', { protocol: 'icmp' }, 'miss'],
  ['ip daddr . meta l4proto . th dport vmap @services', { dport: undefined }, 'unknown'],
  ['ip daddr . meta l4proto . th dport vmap @services', { dst: '10.9.9.9', dport: undefined }, 'miss'],
  ['udp dport 80 drop', {}, 'miss'],
  ['udp dport != 80 drop', {}, 'miss'],
  ['tcp dport 70-90 drop', {}, 'hit'],
  ['tcp flags syn / fin,syn,rst,ack drop', {}, 'hit'],
  ['iifname "eth*" drop', {}, 'hit'],
  ['iifname { "eth1", "cni0" } drop', {}, 'miss'],
  ['iifname != "eth0" oifname "cni0" drop', {}, 'miss'],
  ['iifname "eth0" drop', { in: undefined }, 'unknown'],
  ['ct state new drop', {}, 'hit'],
  ['ct state established,related drop', {}, 'miss'],
  ['ct state vmap { established : accept, related : accept, new : drop }', {}, 'hit'],
  ['ct status dnat drop', {}, 'miss'],
  ['ct direction original drop', {}, 'hit'],
  ['ct mark 0 drop', { ctState: 'invalid' }, 'miss'],
  ['meta mark & 0x00004000 == 0x00004000 drop', { mark: 0x4000 }, 'hit'],
  ['meta mark set ip saddr map @marks meta mark 7 drop', {}, 'hit'],
  ['meta mark set ip daddr map @marks drop', {}, 'miss'],
  ['meta mark set meta mark | 0x00000010 meta mark & 0x00000010 != 0 drop', {}, 'hit'],
  ['fib daddr type local drop', {}, 'miss'],
  ['fib saddr type != local drop', {}, 'hit'],
  ['fib saddr . iif oif missing drop', {}, 'unknown'],
  ['numgen random mod 4 < 1 drop', {}, 'by chance 0.250'],
  ['numgen inc mod 2 vmap { 0 : drop, 1 : accept }', {}, 'by chance 0.500'],
  ['numgen random mod 100 vmap { 0-29 : drop, 30-99 : accept }', {}, 'by chance 0.300'],
  ['symhash mod 2 0 drop', {}, 'by chance 0.500'],
  ['meta l4proto { tcp, udp } th dport 80 drop', {}, 'hit'],
  ['meta nfproto ipv6 drop', {}, 'miss'],
  ['meta length 60 drop', {}, 'unknown'],
  ['meta skuid 0 drop', {}, 'miss'],
  ['ip ttl 63 drop', {}, 'hit'],
  ['ip dscp af11 drop', { dscp: 10 }, 'hit'],
  ['icmp type echo-request drop', { protocol: 'icmp' }, 'hit'],
  ['icmp type echo-request drop', {}, 'miss'],
  ['limit rate 5/second drop', {}, 'unknown'],
  ['tcp option maxseg size 1-500 drop', {}, 'unknown'],
]
test.each(NFT)('nft %s with %o: %s', (rule, fields, expected) => {
  expect(nft(rule, fields, 4, SETS)).toBe(expected)
})

describe('facts that do not matter do not make an outcome unknown', () => {
  test.each([
    ['-A FORWARD -i eth9 -j LOG\n', 'miss'],
    ['-A FORWARD -m limit --limit 1/sec -j LOG\n-A FORWARD -j DROP\n', 'hit'],
    ['-A FORWARD -i eth9 -j DROP\n-A FORWARD -j DROP\n', 'hit'],
    ['-A FORWARD -i eth9 -j MARK --set-mark 1\n-A FORWARD -j DROP\n', 'hit'],
    ['-A FORWARD -i eth9 -j MARK --set-mark 1\n', 'unknown'],
    ['-A FORWARD -i eth9 -m statistic --mode random --probability 0.5 -j DROP\n', 'unknown'],
  ])('%s', (rules, expected) => {
    const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules}COMMIT\n`
    const ruleset = parseIptablesSave(text, { artefact: 'save', family: 'ip', backend: 'iptables-legacy' })
    expect(outcome(evaluateRuleset([ruleset], ipsets, query({ in: undefined })))).toBe(expected)
  })

  test('thirty undecidable rules that only count stay one outcome', () => {
    const rules = Array.from({ length: 30 }, (_, i) => `-A FORWARD -i x${i} -j LOG\n`).join('')
    const text = `*filter\n:FORWARD ACCEPT [0:0]\n${rules}COMMIT\n`
    const ruleset = parseIptablesSave(text, { artefact: 'save', family: 'ip', backend: 'iptables-legacy' })
    const outcomes = evaluateRuleset([ruleset], ipsets, query({ in: undefined }))
    expect(outcomes).toHaveLength(1)
    expect(outcomes[0]).toMatchObject({ verdict: 'accept', probability: 1 })
    expect(outcomes[0]!.rules.every((r) => r.uncertain)).toBe(true)
  })

  test('an unknown that sits behind a random choice leaves the other share known', () => {
    const text =
      '*filter\n:FORWARD ACCEPT [0:0]\n:A - [0:0]\n-A FORWARD -m statistic --mode random --probability 0.5 -j A\n-A A -i eth9 -j DROP\nCOMMIT\n'
    const ruleset = parseIptablesSave(text, { artefact: 'save', family: 'ip', backend: 'iptables-legacy' })
    const outcomes = evaluateRuleset([ruleset], ipsets, query({ in: undefined }))
    expect(outcomes.map((o) => [o.verdict, o.probability]).sort()).toEqual([
      ['accept', 0.5],
      ['unknown', 0.5],
    ])
    expect(outcomes.flatMap((o) => o.unknowns)[0]).toContain('the in link is not known')
  })
})
