import { describe, expect, test } from 'vitest'
import type { Backend } from '../../../model/ruleset.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import { OBJECTS, service } from '../../testing/cluster.ts'
import { type Change, entry, type Row, summary } from '../../testing/cluster-state.ts'
import { backendMixedState } from './backend-mixed-state.ts'
import { markConflict } from './mark-conflict.ts'
import { masqueradeUnwanted } from './masquerade-unwanted.ts'
import { nodePortBlocked } from './node-port-blocked.ts'
import { nodePortClaims } from './node-port-claims.ts'
import { isPerObject, namesPort } from './rule-scan.ts'
import { rulesFlushed } from './rules-flushed.ts'

const save = (text: string, backend: Exclude<Backend, 'nft'> = 'iptables-nft') =>
  parseIptablesSave(text, {
    artefact: `nodes/node1/host/${backend === 'iptables-legacy' ? 'iptables-legacy' : 'iptables'}-save.txt`,
    family: 'ip',
    backend,
  })
const nat = (chains: string, rules: string) =>
  `*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n${chains}\n${rules}\nCOMMIT\n`
const PROXY = nat(
  ':KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]',
  `-A PREROUTING -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA`,
)
const both = (legacy: string, nft = PROXY): Change => ({
  rulesets: { 'node1/host': [save(nft), save(legacy, 'iptables-legacy')] },
  edits: [],
  netns: { 'node1/host': { known: new Set(['iptables', 'iptables-legacy', 'nft', 'links', 'routes']) } },
})
const only = (text: string): Change => ({ rulesets: { 'node1/host': [save(text)] } })
const FLANNEL = nat(
  ':FLANNEL-POSTRTG - [0:0]',
  '-A POSTROUTING -j FLANNEL-POSTRTG\n-A FLANNEL-POSTRTG -s 10.244.0.0/16 -j MASQUERADE',
)
const flannel = (one: string): Change => ({
  rulesets: { 'node1/host': [save(one)], 'node2/host': [save(FLANNEL)] },
})
const HINTS =
  '*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT\n'
const CALICO = (bits: string) =>
  `*filter\n:FORWARD ACCEPT [0:0]\n:cali-FORWARD - [0:0]\n:cali-from-wl-dispatch - [0:0]\n-A FORWARD -j cali-FORWARD\n-A cali-FORWARD -j MARK --set-xmark ${bits}\nCOMMIT\n`

const np = {
  ...service('np', '10.96.0.81', 80, 8080, { app: 'web' }),
  type: 'NodePort',
  ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }],
}
const NP = { services: [...OBJECTS.services, np] }
const hostPort = (port: number, protocol = 'TCP') => ({
  ...NP,
  pods: OBJECTS.pods.map((p) =>
    p.meta.name !== 'web1'
      ? p
      : {
          ...p,
          containers: [{ ...p.containers[0]!, ports: [{ containerPort: 8080, hostPort: port, protocol }] }],
        },
  ),
})
const listener = (port: number, process: string | undefined, local = 0, protocol = 6): Change['netns'] => ({
  'node1/host': {
    sockets: [
      {
        protocol,
        state: protocol === 6 ? 'LISTEN' : 'UNCONN',
        local: { family: 4, a: 0, b: 0, c: 0, d: local },
        localPort: port,
        remote: null,
        remotePort: 0,
        dualStack: false,
        recvQueue: 0,
        sendQueue: 128,
        ...(process === undefined ? {} : { process }),
        evidence: { artefact: 'ss.txt', text: `LISTEN 0.0.0.0:${port} ${process}` },
      },
    ],
  },
})
const raw = (rule: string): Change => ({
  ...only(`*raw\n:PREROUTING ACCEPT [0:0]\n${rule}\nCOMMIT\n`),
  objects: NP,
})
const CONFLICT: Row[] = [['error', 'nodeport-port-conflict', 'node1/host']]
const tracked = (text: string): Change => ({ netns: { 'node1/host': { conntrack: [entry(text)] } } })

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'one back end': [backendMixedState, both(''), []],
  'a stale Service rule in the other (F056)': [
    backendMixedState,
    both(nat('', '-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.99:8080')),
    [['error', 'backend-mixed', 'node1/host']],
  ],
  'Service rules in both': [backendMixedState, both(PROXY), [['error', 'backend-mixed', 'node1/host']]],
  'a firewall that drops in the other': [
    backendMixedState,
    both('*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -i eth1 -j DROP\nCOMMIT\n'),
    [['warning', 'backend-mixed', 'node1/host']],
  ],
  'canaries and hints in the other': [backendMixedState, both(HINTS), []],
  'a rule that only accepts in the other': [
    backendMixedState,
    both('*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n'),
    [],
  ],
  'the other was not collected': [
    backendMixedState,
    { ...both(PROXY), netns: { 'node1/host': { known: new Set(['iptables']) } } },
    [],
  ],
  'rules in place': [rulesFlushed, only(PROXY), []],
  'kube-proxy cut off': [
    rulesFlushed,
    only(PROXY.replace('-A PREROUTING -j KUBE-SERVICES\n', '')),
    [['error', 'rules-flushed', 'node1/host']],
  ],
  'chain emptied': [
    rulesFlushed,
    only(nat(':KUBE-SERVICES - [0:0]', '-A PREROUTING -j KUBE-SERVICES')),
    [['error', 'rules-flushed', 'node1/host']],
  ],
  'no Service, nothing to do': [
    rulesFlushed,
    { ...only(nat(':KUBE-SERVICES - [0:0]', '')), objects: { services: [] } },
    [],
  ],
  'leftovers of another mode': [
    rulesFlushed,
    {
      rulesets: {
        'node1/host': [
          save(nat(':KUBE-SERVICES - [0:0]', '')),
          {
            backend: 'nft',
            artefact: 'nft-ruleset.txt',
            issues: [],
            tables: [
              {
                family: 'ip',
                name: 'kube-proxy',
                sets: new Map(),
                chains: new Map([['services', { name: 'services', line: 1, rules: () => [] }]]),
              },
            ],
          },
        ],
      },
    },
    [],
  ],
  'flannel has its rules': [rulesFlushed, flannel(FLANNEL), []],
  "flannel's rules are gone here": [rulesFlushed, flannel(nat('', '')), [['error', 'rules-flushed', 'node1/host']]],
  "flannel's chain is empty": [
    rulesFlushed,
    flannel(nat(':FLANNEL-POSTRTG - [0:0]', '')),
    [['error', 'rules-flushed', 'node1/host']],
  ],
  'own bits each': [markConflict, { rulesets: { 'node1/host': [save(PROXY), save(CALICO('0x10000/0x10000'))] } }, []],
  "Calico's bits over kube-proxy's": [
    markConflict,
    { rulesets: { 'node1/host': [save(PROXY), save(CALICO('0x4000/0x4000'))] } },
    [['error', 'mark-conflict', 'node1/host']],
  ],
  'a program that clears a bit': [
    markConflict,
    { rulesets: { 'node1/host': [save(PROXY), save(CALICO('0x0/0x4000'))] } },
    [],
  ],
  'pod to pod, untranslated': [
    masqueradeUnwanted,
    tracked('tcp ESTABLISHED 10.244.1.10:40000>10.244.2.20:8080 10.244.2.20:8080>10.244.1.10:40000'),
    [],
  ],
  'pod to pod as the node': [
    masqueradeUnwanted,
    tracked('tcp ESTABLISHED 10.244.1.10:40000>10.244.2.20:8080 10.244.2.20:8080>172.30.0.11:40000'),
    [['warning', 'masquerade-unwanted', 'node1/host']],
  ],
  'pod to its own Service (hairpin)': [
    masqueradeUnwanted,
    tracked('tcp ESTABLISHED 10.244.1.20:40000>10.96.0.80:80 10.244.1.20:8080>10.244.1.1:40000'),
    [],
  ],
  'pod to the Internet as the node': [
    masqueradeUnwanted,
    tracked('tcp ESTABLISHED 10.244.1.10:40000>203.0.113.9:80 203.0.113.9:80>172.30.0.11:40000'),
    [],
  ],
  'node port dropped before translation': [
    nodePortBlocked,
    raw('-A PREROUTING -p tcp -m tcp --dport 30000:32767 -j DROP'),
    [['error', 'nodeport-blocked', 'node1/host']],
  ],
  'dropped for one source only': [
    nodePortBlocked,
    raw('-A PREROUTING -s 198.51.100.0/24 -p tcp -m tcp --dport 30000:32767 -j DROP'),
    [],
  ],
  'another protocol dropped (F149)': [nodePortBlocked, raw('-A PREROUTING -p sctp -j DROP'), []],
  'dropped at INPUT, where it is translated already': [
    nodePortBlocked,
    {
      ...only('*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 30000:32767 -j DROP\nCOMMIT\n'),
      objects: NP,
    },
    [],
  ],
  'hostPort on a node port': [nodePortClaims, { objects: hostPort(30080) }, CONFLICT],
  'hostPort on the same number, another protocol': [nodePortClaims, { objects: hostPort(30080, 'UDP') }, []],
  'hostPort of its own': [nodePortClaims, { objects: hostPort(8443) }, []],
  'a program on a node port': [nodePortClaims, { objects: NP, netns: listener(30080, 'nginx') }, CONFLICT],
  'kube-proxy holds its node port': [nodePortClaims, { objects: NP, netns: listener(30080, 'kube-proxy') }, []],
  'somebody unknown holds it': [nodePortClaims, { objects: NP, netns: listener(30080, undefined) }, []],
  'a program on loopback': [nodePortClaims, { objects: NP, netns: listener(30080, 'nginx', 0x7f000001) }, []],
  'a program behind a hostPort (wormhole)': [
    nodePortClaims,
    { objects: hostPort(8443), netns: listener(8443, 'nginx') },
    CONFLICT,
  ],
  'a foreign rule on a node port': [
    nodePortClaims,
    { ...only(nat('', '-A PREROUTING -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.9.9.9:80')), objects: NP },
    CONFLICT,
  ],
  'a foreign rule for an address of its own': [
    nodePortClaims,
    {
      ...only(nat('', '-A PREROUTING -d 10.9.9.1/32 -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.9.9.9:80')),
      objects: NP,
    },
    [],
  ],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})

describe('reading rules', () => {
  const rule = (text: string) => [...save(nat('', text)).tables[0]!.chains.get('PREROUTING')!.rules()][0]!
  test.each([
    ['-A PREROUTING -p tcp -m tcp --dport 80 -j DROP', 80, true],
    ['-A PREROUTING -p tcp -m tcp --dport 80 -j DROP', 81, false],
    ['-A PREROUTING -p udp -m udp --dport 80 -j DROP', 80, false],
    ['-A PREROUTING -p tcp -m tcp --sport 80 -j DROP', 80, false],
    ['-A PREROUTING -p tcp -m tcp ! --dport 80 -j DROP', 81, false],
    ['-A PREROUTING -p tcp -j DROP', 80, false],
    ['-A PREROUTING -p tcp -m multiport --dports 22,80:90 -j DROP', 85, true],
  ])('%s names TCP %i: %s', (text, port, named) => {
    expect(namesPort(rule(text), 6, port)).toBe(named)
  })
  test.each([
    ['KUBE-SVC-ABCDEFGHIJKLMNOP', true],
    ['KUBE-SERVICES', false],
    ['service-ABCD-shop/web/tcp/http', true],
    ['services', false],
    ['cali-tw-cali12345', true],
    ['cali-FORWARD', false],
  ])('%s is of one object: %s', (chain, yes) => {
    expect(isPerObject(chain)).toBe(yes)
  })
})
