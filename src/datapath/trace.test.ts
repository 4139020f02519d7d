import { describe, expect, test } from 'vitest'
import { formatEndpoint } from '../base/ip.ts'
import { parseIptablesSave } from '../parse/iptables/index.ts'
import { fatesOf, packetTo, stepsOf } from './testing/ask.ts'
import { topology } from './testing/topology.ts'
import { traceConnection } from './trace.ts'

/** Two nodes of a flannel cluster: bridge, VXLAN, two pods on node 1 and one on node 2. */
const FLANNEL = `
netns n1/host
  eth0 wire 172.30.0.11/24
  cni0 bridge 10.244.1.1/24 mtu 1450
  veth1 veth n1/pod/d/a:eth0 master cni0 mtu 1450
  veth2 veth n1/pod/d/b:eth0 master cni0 mtu 1450
  flannel.1 vxlan 1 8472 172.30.0.11 10.244.1.0/32
  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
  route default via 172.30.0.1 dev eth0
  neigh 10.244.2.0 flannel.1 @n2/host:flannel.1 PERMANENT
  fdb @n2/host:flannel.1 flannel.1 dst 172.30.0.12
  sysctl net.ipv4.ip_forward 1
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.default.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 0
  sysctl net.ipv4.conf.default.rp_filter 0
  sysctl net.bridge.bridge-nf-call-iptables 1
netns n1/pod/d/a
  eth0 veth n1/host:veth1 10.244.1.10/24 mtu 1450
  route default via 10.244.1.1 dev eth0
netns n1/pod/d/b
  eth0 veth n1/host:veth2 10.244.1.20/24 mtu 1450
  route default via 10.244.1.1 dev eth0
  listen tcp 0.0.0.0:8080
  listen udp 0.0.0.0:53
netns n2/host
  eth0 wire 172.30.0.12/24
  cni0 bridge 10.244.2.1/24 mtu 1450
  veth1 veth n2/pod/d/c:eth0 master cni0 mtu 1450
  flannel.1 vxlan 1 8472 172.30.0.12 10.244.2.0/32
  route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
  route default via 172.30.0.1 dev eth0
  neigh 10.244.1.0 flannel.1 @n1/host:flannel.1 PERMANENT
  fdb @n1/host:flannel.1 flannel.1 dst 172.30.0.11
  sysctl net.ipv4.ip_forward 1
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.default.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 0
  sysctl net.ipv4.conf.default.rp_filter 0
  sysctl net.bridge.bridge-nf-call-iptables 1
netns n2/pod/d/c
  eth0 veth n2/host:veth1 10.244.2.20/24 mtu 1450
  route default via 10.244.2.1 dev eth0
  listen tcp *:8080
  listen tcp 127.0.0.1:9000
  listen tcp 0.0.0.0:7000 queue 129/128
`

const A = 'n1/pod/d/a'
const C = 'n2/pod/d/c'

function rules(id: string, text: string) {
  return { [id]: [parseIptablesSave(text, { artefact: `${id} iptables`, family: 'ip', backend: 'iptables-nft' })] }
}

const edit = (...edits: [string | RegExp, string][]): string =>
  edits.reduce((text, [from, to]) => {
    const after = text.replace(from, to)
    if (after === text) throw new Error(`no match: ${from}`)
    return after
  }, FLANNEL)

describe('a healthy flannel cluster', () => {
  const network = topology(FLANNEL)
  test('pod to pod on another node, both directions', () => {
    const [t] = traceConnection(network, { from: A, packet: packetTo('tcp', '10.244.2.20:8080') })
    expect(t?.disposition).toBe('delivered')
    expect(t?.forward.hops.map((h) => h.netns)).toEqual([A, 'n1/host', 'n2/host', C])
    expect(t?.reply?.hops.map((h) => h.netns)).toEqual([C, 'n2/host', 'n1/host', A])
    expect(stepsOf(t?.forward ?? null).some((s) => s.kind === 'encap' && s.encap?.[0]?.vni === 1)).toBe(true)
    expect(formatEndpoint(t!.forward.packet.src, t!.forward.packet.sport)).toBe('10.244.1.10:40000')
  })
  test.each([
    [A, 'tcp', '10.244.1.20:8080', ['delivered']],
    [A, 'udp', '10.244.1.20:53', ['delivered']],
    [A, 'icmp', '10.244.2.20', ['delivered']],
    [A, 'icmp', '172.30.0.12', ['delivered']],
    ['n1/host', 'tcp', '10.244.2.20:8080', ['delivered']],
    ['n2/host', 'tcp', '10.244.2.20:8080', ['delivered']],
    [A, 'tcp', '10.244.2.20:8081', ['no-listener tcp-reset-no-listener']],
    [A, 'udp', '10.244.2.20:8080', ['no-listener udp-no-listener']],
    [A, 'tcp', '10.244.2.20:9000', ['no-listener listens-other-address']],
    [C, 'tcp', '127.0.0.1:9000', ['delivered']],
    [C, 'tcp', '10.244.2.20:8080', ['delivered']],
    [A, 'tcp', '10.244.2.20:7000', ['denied accept-queue-full']],
    [A, 'tcp', '10.244.2.77:80', ['neighbour-unreachable neighbour-no-answer']],
    [A, 'tcp', '172.30.0.77:80', ['exits-network']],
    [A, 'tcp', '8.8.8.8:53', ['exits-network']],
    ['n1/pod/d/gone', 'tcp', '8.8.8.8:53', ['insufficient-info not-collected']],
  ])('%s %s %s: %j', (from, protocol, to, expected) => {
    expect(fatesOf(network, from, packetTo(protocol, to))).toEqual(expected)
  })
})

describe('faults on the way', () => {
  test.each<[string, [string | RegExp, string][], string]>([
    ['no route', [[/\n {2}route 10.244.2.0.*\n {2}route default.*\n/, '\n']], 'no-route no-route'],
    [
      'blackhole',
      [['route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', 'route blackhole 10.244.2.0/24']],
      'no-route route-blackhole',
    ],
    [
      'unreachable route',
      [['route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', 'route unreachable 10.244.2.0/24']],
      'no-route route-unreachable',
    ],
    ['no route back', [[/\n {2}route 10.244.1.0\/24.*\n {2}route default.*\n/, '\n']], 'reply no-route no-route'],
    [
      'forwarding off',
      [[/sysctl net.ipv4.ip_forward 1\n.*all.forwarding 1\n.*default.forwarding 1/, 'sysctl net.ipv4.ip_forward 0']],
      'denied forwarding-off',
    ],
    [
      'link forwarding off',
      [['sysctl net.ipv4.ip_forward 1', 'sysctl net.ipv4.conf.cni0.forwarding 0\n  sysctl net.ipv4.ip_forward 1']],
      'denied forwarding-off',
    ],
    ['FDB entry missing', [[/\n {2}fdb @n2.*\n/, '\n']], 'neighbour-unreachable fdb-missing'],
    ['FDB to the wrong node', [['dst 172.30.0.12', 'dst 172.30.0.99']], 'exits-network'],
    [
      'VTEP MAC wrong',
      [['neigh 10.244.2.0 flannel.1 @n2/host:flannel.1', 'neigh 10.244.2.0 flannel.1 02:00:00:00:00:99']],
      'neighbour-unreachable fdb-missing',
    ],
    [
      'VTEP MAC changed',
      [
        [/(neigh 10.244.2.0 flannel.1) \S+/, '$1 02:00:00:00:00:99'],
        [/fdb @n2\S+/, 'fdb 02:00:00:00:00:99'],
      ],
      'neighbour-unreachable wrong-destination-mac',
    ],
    // Two tunnels of a dual-stack node share port and VNI; each has a socket of its own family.
    [
      'no fault: a second tunnel over IPv6',
      [
        [
          '  flannel.1 vxlan 1 8472 172.30.0.12',
          '  flannel-v6.1 vxlan 1 8472 fd00:172:30::12 fd00:10:244:2::/128\n  flannel.1 vxlan 1 8472 172.30.0.12',
        ],
      ],
      'delivered',
    ],
    ['tunnel port', [['vxlan 1 8472 172.30.0.12', 'vxlan 1 4789 172.30.0.12']], 'denied tunnel-port-mismatch'],
    ['tunnel VNI', [['vxlan 1 8472 172.30.0.12', 'vxlan 2 8472 172.30.0.12']], 'denied tunnel-vni-mismatch'],
    ['tunnel down there', [['172.30.0.12 10.244.2.0/32', '172.30.0.12 10.244.2.0/32 down']], 'denied tunnel-down'],
    ['tunnel source wrong', [['vxlan 1 8472 172.30.0.11', 'vxlan 1 8472 172.30.0.66']], 'no-route tunnel-source-wrong'],
    [
      'veth not in the bridge',
      [['veth1 veth n2/pod/d/c:eth0 master cni0', 'veth1 veth n2/pod/d/c:eth0']],
      'neighbour-unreachable neighbour-no-answer',
    ],
    [
      'bridge port blocking',
      [['veth n1/pod/d/a:eth0 master cni0', 'veth n1/pod/d/a:eth0 master cni0 stp blocking']],
      'neighbour-unreachable neighbour-no-answer',
    ],
    [
      'pod link down',
      [['eth0 veth n2/host:veth1', 'eth0 veth n2/host:veth1 down']],
      'neighbour-unreachable neighbour-no-answer',
    ],
    [
      'host veth down',
      [['veth1 veth n2/pod/d/c:eth0', 'veth1 veth n2/pod/d/c:eth0 down']],
      'neighbour-unreachable neighbour-no-answer',
    ],
    [
      'NIC down',
      [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 down']],
      'neighbour-unreachable neighbour-no-answer',
    ],
    [
      'node neighbour failed',
      [
        ['fdb @n2', 'neigh 172.30.0.12 eth0 - FAILED\n  fdb @n2'],
        ['eth0 wire 172.30.0.12/24', 'eth9 wire'],
      ],
      'neighbour-unreachable neighbour-failed',
    ],
    [
      'stale wrong MAC of the pod',
      [['sysctl net.bridge', 'neigh 10.244.1.20 cni0 02:00:00:00:00:66 STALE\n  sysctl net.bridge']],
      'delivered',
    ],
    ['MTU too small for the packet', [], 'delivered'],
    ['rules unknown', [['netns n2/pod', '  unknown iptables nft\nnetns n2/pod']], 'insufficient-info not-collected'],
    ['sockets unknown', [['listen tcp *:8080', 'unknown sockets']], 'insufficient-info not-collected'],
  ])('%s', (_name, edits, expected) => {
    const network = topology(edits.length > 0 ? edit(...edits) : FLANNEL)
    expect(fatesOf(network, A, packetTo('tcp', '10.244.2.20:8080'))).toEqual([expected])
  })
})

const NAT = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.1.20:8080
-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.20:8080
-A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.20:8080
-A PREROUTING -d 10.96.0.11/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.10:9999
-A PREROUTING -d 10.96.0.12/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.20:8080
-A POSTROUTING -s 10.244.1.10/32 -d 10.244.1.10/32 -j MASQUERADE
COMMIT
`

describe('translation', () => {
  const nat = rules('n1/host', NAT)
  test('a Service with endpoints on both nodes', () => {
    const traces = traceConnection(topology(FLANNEL, nat), { from: A, packet: packetTo('tcp', '10.96.0.10:80') })
    expect(traces.map((t) => [t.disposition, t.probability, t.forward.netns])).toEqual([
      ['delivered', 0.5, 'n1/pod/d/b'],
      ['delivered', 0.5, C],
    ])
    expect(formatEndpoint(traces[0]!.reply!.packet.src, traces[0]!.reply!.packet.sport)).toBe('10.96.0.10:80')
  })
  test('from the node itself, routed again after output', () => {
    expect(fatesOf(topology(FLANNEL, nat), 'n1/host', packetTo('tcp', '10.96.0.10:80'))).toEqual(['delivered'])
  })
  test('without bridge-nf-call-iptables the answer on the same bridge is not translated back', () => {
    const off = edit(['sysctl net.bridge.bridge-nf-call-iptables 1', 'sysctl net.bridge.bridge-nf-call-iptables 0'])
    expect(fatesOf(topology(off, nat), A, packetTo('tcp', '10.96.0.12:80'))).toEqual([
      'reply denied not-translated-back',
    ])
    const unloaded = edit([/ {2}sysctl net.bridge.*\n/, ''])
    expect(fatesOf(topology(unloaded, nat), A, packetTo('tcp', '10.96.0.12:80'))).toEqual([
      'reply denied not-translated-back',
    ])
  })
  test('a pod that reaches itself through a Service needs hairpin mode', () => {
    const listening = edit([
      'route default via 10.244.1.1 dev eth0',
      'route default via 10.244.1.1 dev eth0\n  listen tcp 0.0.0.0:9999',
    ])
    expect(fatesOf(topology(listening, nat), A, packetTo('tcp', '10.96.0.11:80'))).toEqual(['denied hairpin-off'])
    const hairpin = listening.replace('veth n1/pod/d/a:eth0 master cni0', 'veth n1/pod/d/a:eth0 master cni0 hairpin')
    expect(fatesOf(topology(hairpin, nat), A, packetTo('tcp', '10.96.0.11:80'))).toEqual(['delivered'])
  })
})

describe('filters', () => {
  const filter = (chain: string, rule: string) =>
    `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A ${chain} ${rule}\nCOMMIT\n`
  test.each([
    ['n1/host', 'FORWARD', '-d 10.244.2.0/24 -j DROP', 'denied rule-drop'],
    [
      'n2/host',
      'FORWARD',
      '-p tcp -m tcp --dport 8080 -j REJECT --reject-with icmp-port-unreachable',
      'rejected rule-reject',
    ],
    ['n2/host', 'INPUT', '-p udp -m udp --dport 8472 -j DROP', 'denied rule-drop'],
    ['n1/host', 'OUTPUT', '-p udp -m udp --dport 8472 -j DROP', 'denied rule-drop'],
    ['n1/host', 'INPUT', '-p udp -m udp --dport 8472 -j DROP', 'reply denied rule-drop'],
    [C, 'INPUT', '-p tcp -m tcp --dport 8080 -j DROP', 'denied rule-drop'],
    [A, 'OUTPUT', '-p tcp -m tcp --dport 8080 -j DROP', 'denied rule-drop'],
    ['n1/host', 'FORWARD', '-m physdev --physdev-in veth1 -j DROP', 'denied rule-drop'],
  ])('%s -A %s %s', (id, chain, rule, expected) => {
    const network = topology(FLANNEL, rules(id, filter(chain, rule)))
    expect(fatesOf(network, A, packetTo('tcp', '10.244.2.20:8080'))).toEqual([expected])
  })
  test('chain policy', () => {
    const text = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n'
    expect(fatesOf(topology(FLANNEL, rules('n2/host', text)), A, packetTo('tcp', '10.244.2.20:8080'))).toEqual([
      'denied chain-policy-drop',
    ])
  })
})
