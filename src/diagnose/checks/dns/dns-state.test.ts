import { describe, expect, it } from 'vitest'
import { parseIp } from '../../../base/ip.ts'
import { topology } from '../../../datapath/testing/topology.ts'
import type { Network, ResolvConf } from '../../../model/network.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import { brief, NO_NETWORK, objectsOf, podItem, serviceItem, sliceItem } from '../../testing/manifests.ts'
import { DNS_CHECKS } from './index.ts'

const SELECT = { 'k8s-app': 'kube-dns' }
const kubeDns = serviceItem(
  'kube-dns',
  {
    clusterIP: '10.96.0.10',
    selector: SELECT,
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ],
  },
  { ns: 'kube-system', metadata: { labels: SELECT } },
)
const udpOnly = serviceItem(
  'kube-dns',
  { clusterIP: '10.96.0.10', selector: SELECT, ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
  { ns: 'kube-system', metadata: { labels: SELECT } },
)
const dns1 = (o: { ready?: boolean; image?: string; crashing?: boolean } = {}) =>
  podItem('dns1', {
    ns: 'kube-system',
    labels: SELECT,
    ip: '10.244.1.53',
    ready: o.ready ?? true,
    containers: [{ name: 'coredns', image: o.image ?? 'registry.k8s.io/coredns/coredns:v1.11.3' }],
    spec: { dnsPolicy: 'Default' },
    status: {
      containerStatuses: [
        {
          name: 'coredns',
          ready: o.ready ?? true,
          restartCount: o.crashing ? 9 : 0,
          state: o.crashing ? { waiting: { reason: 'CrashLoopBackOff' } } : { running: {} },
        },
      ],
    },
  })
const coredns = (forward: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'coredns', namespace: 'kube-system' },
  data: {
    Corefile: `.:53 {\n    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n    ${forward}\n    cache 30\n    loop\n}\n`,
  },
})
const role = (groups: readonly string[]) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'system:coredns' },
  rules: [
    { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
    ...groups.map((g) => ({ apiGroups: [g], resources: ['endpointslices'], verbs: ['list', 'watch'] })),
  ],
})

const conf = (server: string, search: readonly string[] = []): ResolvConf => ({
  nameservers: [parseIp(server)!],
  search,
  options: new Map(),
  evidence: { artefact: 'resolv.conf', line: 1, text: `nameserver ${server}` },
})
const CLUSTER_SEARCH = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']

interface World {
  readonly items: readonly object[]
  readonly log?: readonly string[]
  /** resolv.conf by netns. */
  readonly resolv?: Readonly<Record<string, ResolvConf>>
  readonly kubeletResolvConf?: string
  readonly base?: Network
}

function found(w: World): string[] {
  const base =
    w.base ??
    topology('netns node1/host\n  eth0 wire 192.168.50.11/24\nnetns node1/pod/default/client1\n  lo dummy 127.0.0.1/8')
  const netns = new Map(
    [...base.netns].map(([id, n]) => [
      id,
      w.resolv?.[id] ? { ...n, resolvConf: w.resolv[id], known: new Set([...n.known, 'resolv-conf' as const]) } : n,
    ]),
  )
  const nodes = new Map(
    [...base.nodes].map(([name, n]) => [
      name,
      {
        ...n,
        files: {
          kubelet: {
            clusterDns: [],
            nodeIps: [],
            evidence: [],
            lines: {},
            ...(w.kubeletResolvConf ? { resolvConf: w.kubeletResolvConf } : {}),
          },
          logs: w.log
            ? [
                {
                  namespace: 'kube-system',
                  pod: 'dns1',
                  container: 'coredns',
                  lines: w.log.map((text, i) => ({ artefact: 'log', line: i + 1, text })),
                },
              ]
            : [],
        },
      },
    ]),
  )
  const state = { network: { ...base, netns, nodes }, objects: objectsOf(w.items) }
  return brief(DNS_CHECKS.flatMap((c) => c.find(state)))
}

const query = (name: string, rcode: string, seconds = 0.0005) =>
  `2026-01-01T00:00:00.1Z stdout F [INFO] 10.244.1.10:51234 - 27483 "A IN ${name}. udp 41 false 512" ${rcode} qr,aa,rd 106 ${seconds}s`

const FILE = 'forward . /etc/resolv.conf'
const WELL = [kubeDns, dns1(), coredns(FILE), role(['discovery.k8s.io'])]
const SICK = [kubeDns, dns1({ ready: false, crashing: true }), coredns(FILE)]
const LOOP = ['error dns-loop CoreDNS']
const RBAC = ['error dns-rbac ClusterRole system:coredns']

describe('the cluster DNS', () => {
  const cases: Record<string, [World, readonly string[]]> = {
    'all well': [{ items: WELL, log: ['.:53', 'CoreDNS-1.11.3'] }, []],
    'F091 it says so': [
      {
        items: SICK,
        log: [
          '[FATAL] plugin/loop: Loop (127.0.0.1:55953 -> :53) detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting.',
        ],
      },
      LOOP,
    ],
    "F091 the node's stub, and CoreDNS crashes": [{ items: SICK, resolv: { 'node1/host': conf('127.0.0.53') } }, LOOP],
    'the stub, but kubelet hands on the real file': [
      {
        items: SICK,
        resolv: { 'node1/host': conf('127.0.0.53') },
        kubeletResolvConf: '/run/systemd/resolve/resolv.conf',
      },
      [],
    ],
    'the stub, and CoreDNS is well': [{ items: WELL, resolv: { 'node1/host': conf('127.0.0.53') } }, []],
    'it crashes for another reason': [{ items: SICK, resolv: { 'node1/host': conf('192.168.50.1') } }, []],
    'the stub, but the Corefile names its upstream': [
      {
        items: [kubeDns, dns1({ ready: false, crashing: true }), coredns('forward . 1.1.1.1')],
        resolv: { 'node1/host': conf('127.0.0.53') },
      },
      [],
    ],
    'it forwards to its own Service': [{ items: [kubeDns, dns1(), coredns('forward . 10.96.0.10')] }, LOOP],
    'a zone of its own may go round': [{ items: [kubeDns, dns1(), coredns('forward corp.example 10.96.0.10')] }, []],
    'F097 the role lacks endpointslices': [{ items: [kubeDns, dns1(), coredns('forward . 1.1.1.1'), role([])] }, RBAC],
    'F097 the log says so': [
      {
        items: WELL,
        log: [
          'E0101 reflector.go:138] Failed to watch *v1.EndpointSlice: endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:kube-system:coredns" cannot list resource',
        ],
      },
      RBAC,
    ],
    'an old CoreDNS reads Endpoints': [{ items: [kubeDns, dns1({ image: 'k8s.gcr.io/coredns:1.6.7' }), role([])] }, []],
    'no TCP': [{ items: [udpOnly, dns1()] }, ['warning dns-tcp-blocked Service kube-system/kube-dns']],
    'F095 a wildcard in the search list': [
      {
        items: WELL,
        resolv: { 'node1/pod/default/client1': conf('10.96.0.10', [...CLUSTER_SEARCH, 'corp.example']) },
        log: [query('github.com.default.svc.cluster.local', 'NXDOMAIN'), query('github.com.corp.example', 'NOERROR')],
      },
      ['error dns-search-wildcard search domain corp.example'],
    ],
    'a search domain that answers for its own names': [
      {
        items: WELL,
        resolv: { 'node1/pod/default/client1': conf('10.96.0.10', [...CLUSTER_SEARCH, 'corp.example']) },
        log: [query('github.com.corp.example', 'NXDOMAIN'), query('wiki.corp.example', 'NOERROR')],
      },
      [],
    ],
    'half of the queries are slow': [
      {
        items: WELL,
        log: Array.from({ length: 30 }, (_, i) => query(`host${i}.example.com`, 'NOERROR', i % 2 === 0 ? 2.5 : 0.001)),
      },
      ['warning dns-slow CoreDNS'],
    ],
    'few are slow': [
      {
        items: WELL,
        log: Array.from({ length: 30 }, (_, i) => query(`host${i}.example.com`, 'NOERROR', i % 9 === 0 ? 2.5 : 0.001)),
      },
      [],
    ],
    'ndots at work': [
      {
        items: WELL,
        log: Array.from({ length: 30 }, (_, i) => query(`api${i}.github.com.shop.svc.cluster.local`, 'NXDOMAIN')),
      },
      ['info dns-ndots-amplification CoreDNS'],
    ],
    'kubelet cuts the search list': [
      {
        items: [
          ...WELL,
          {
            apiVersion: 'v1',
            kind: 'Event',
            metadata: { name: 'e', namespace: 'default' },
            type: 'Warning',
            reason: 'DNSConfigForming',
            message:
              'Search Line limits were exceeded, some search paths have been omitted, the applied search line is: a b',
            involvedObject: { kind: 'Pod', namespace: 'default', name: 'client1' },
          },
        ],
      },
      ['warning dns-search-limit Pod default/client1'],
    ],
  }
  it.each(Object.entries(cases))('%s', (_name, [world, expected]) => {
    expect(found(world)).toEqual(expected)
  })
})

describe('F090 the upstream of CoreDNS', () => {
  const STATE = `netns node1/host
  eth0 wire 192.168.50.11/24
  cni0 bridge 10.244.1.1/24
  veth-dns1 veth node1/pod/kube-system/dns1:eth0 master cni0
  route default via 192.168.50.1 dev eth0
  sysctl net.ipv4.ip_forward 1
  sysctl net.ipv4.conf.all.forwarding 1
  sysctl net.ipv4.conf.all.rp_filter 0
  sysctl net.ipv4.conf.default.rp_filter 0
  sysctl net.bridge.bridge-nf-call-iptables 1
netns node1/pod/kube-system/dns1
  eth0 veth node1/host:veth-dns1 10.244.1.53/24
  route default via 10.244.1.1 dev eth0
  listen udp 0.0.0.0:53
`
  const rules = (rule: string) => ({
    'node1/host': [
      parseIptablesSave(`*filter\n:FORWARD ACCEPT [0:0]\n${rule}\nCOMMIT\n`, {
        artefact: 'nodes/node1/iptables-save.txt',
        family: 'ip',
        backend: 'iptables-nft',
      }),
    ],
  })
  const items = [
    kubeDns,
    dns1(),
    coredns('forward . 203.0.113.53'),
    sliceItem('kube-dns', 53, [['10.244.1.53', 'node1', true, 'dns1']], {
      ns: 'kube-system',
      portName: 'dns',
      protocol: 'UDP',
    }),
  ]
  it('a rule drops what CoreDNS asks', () => {
    expect(
      found({ items, base: topology(STATE, rules('-A FORWARD -s 10.244.1.53/32 -d 203.0.113.53/32 -j DROP')) }),
    ).toEqual(['error dns-upstream-unreachable Pod kube-system/dns1'])
  })
  it('one upstream of two is enough', () => {
    const two = items.map((i) => (i === items[2] ? coredns('forward . 203.0.113.53 203.0.113.54') : i))
    expect(
      found({ items: two, base: topology(STATE, rules('-A FORWARD -s 10.244.1.53/32 -d 203.0.113.53/32 -j DROP')) }),
    ).toEqual([])
  })
  it('the same rule for somebody else', () => {
    expect(
      found({ items, base: topology(STATE, rules('-A FORWARD -s 10.244.1.10/32 -d 203.0.113.53/32 -j DROP')) }),
    ).toEqual([])
  })
  it('without the state of the pod nothing is said', () => {
    expect(found({ items, base: NO_NETWORK })).toEqual([])
  })
})
