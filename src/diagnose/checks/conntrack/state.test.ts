import { expect, test } from 'vitest'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import { OBJECTS } from '../../testing/cluster.ts'
import { type Change, entry, findings, log, type Row, summary } from '../../testing/cluster-state.ts'
import { conntrackFull } from './full.ts'
import { conntrackInsertRace } from './insert-race.ts'
import { conntrackInvalid } from './invalid.ts'
import { snatPortExhaustion } from './snat-ports.ts'
import { conntrackStaleState } from './stale.ts'

const table = (count: number, max = 262144): Change => ({
  sysctls: {
    'node1/host': { 'net.netfilter.nf_conntrack_count': `${count}`, 'net.netfilter.nf_conntrack_max': `${max}` },
  },
})
const FULL = log('[77] nf_conntrack: nf_conntrack: table full, dropping packet')
const counters = (values: Record<string, number>) => new Map(Object.entries(values))
const entries = (...texts: readonly string[]): Change => ({ netns: { 'node1/host': { conntrack: texts.map(entry) } } })
const rules = (filter: string) => [
  parseIptablesSave(`*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]\n${filter}\nCOMMIT\n`, {
    artefact: 'nodes/node1/host/iptables-save.txt',
    family: 'ip',
    backend: 'iptables-nft',
  }),
]
const ACCEPT = '-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT'
const invalid = (count: number, filter: string, liberal = '0'): Change => ({
  rulesets: { 'node1/host': rules(filter) },
  netns: { 'node1/host': { counters: counters({ 'conntrack.invalid': count }) } },
  sysctls: { 'node1/host': { 'net.netfilter.nf_conntrack_tcp_be_liberal': liberal } },
})
const WEB = '10.244.1.10:40000>10.96.0.80:80'
const gone = (more: string) => `${WEB} 10.244.2.99:8080>10.244.1.10:40000${more}`
const DNS = 'udp 10.244.1.10:4000>10.96.0.10:53 10.244.2.53:53>10.244.1.10:4000'

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'table half full': [conntrackFull, table(100000), []],
  'table at its limit, with log and drops (F070)': [
    conntrackFull,
    {
      ...table(262140),
      nodes: { node1: { kernelLog: FULL } },
      netns: { 'node1/host': { counters: counters({ 'conntrack.drop': 9123 }) } },
    },
    [['error hurts', 'conntrack-full', 'node1/host']],
  ],
  'nearly full': [conntrackFull, table(230000), [['warning', 'conntrack-full', 'node1/host']]],
  'was full once': [
    conntrackFull,
    { ...table(1000), nodes: { node1: { kernelLog: FULL } } },
    [['warning', 'conntrack-full', 'node1/host']],
  ],
  'no limit': [conntrackFull, table(1000, 0), []],
  'other lines of the log': [
    conntrackFull,
    { ...table(1000), nodes: { node1: { kernelLog: log('nf_conntrack version 0.5.0 (65536 buckets)') } } },
    [],
  ],
  'a few lost inserts': [
    conntrackInsertRace,
    { netns: { 'node1/host': { counters: counters({ 'conntrack.insert_failed': 12 }) } } },
    [],
  ],
  'lost inserts and translated lookups': [
    conntrackInsertRace,
    {
      netns: {
        'node1/host': {
          counters: counters({ 'conntrack.insert_failed': 4321 }),
          conntrack: [entry(DNS)],
        },
      },
    },
    [['warning', 'conntrack-insert-race', 'node1/host']],
  ],
  'lost inserts, no lookup': [
    conntrackInsertRace,
    { netns: { 'node1/host': { counters: counters({ 'conntrack.insert_failed': 4321 }) } } },
    [['info', 'conntrack-insert-race', 'node1/host']],
  ],
  'invalid packets escape (F073)': [
    conntrackInvalid,
    invalid(5512, ACCEPT),
    [['error hurts', 'conntrack-invalid-drop', 'node1/host']],
  ],
  'invalid packets are dropped': [
    conntrackInvalid,
    invalid(5512, `-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n${ACCEPT}`),
    [],
  ],
  'conntrack is liberal': [conntrackInvalid, invalid(5512, ACCEPT, '1'), []],
  'few invalid packets': [conntrackInvalid, invalid(55, ACCEPT), []],
  'no kube-proxy by iptables': [conntrackInvalid, invalid(5512, ''), []],
  'UDP entry to a pod that is gone (F071)': [
    conntrackStaleState,
    {
      ...entries(`udp ${gone(' UNREPLIED')}`),
      objects: {
        services: OBJECTS.services.map((s) => ({ ...s, ports: s.ports.map((p) => ({ ...p, protocol: 'UDP' })) })),
        endpointSlices: OBJECTS.endpointSlices.map((s) => ({
          ...s,
          ports: s.ports.map((p) => ({ ...p, protocol: 'UDP' })),
        })),
      },
    },
    [['error', 'conntrack-stale', 'node1/host']],
  ],
  'TCP entry to a pod that is gone, nobody answers': [
    conntrackStaleState,
    entries(`tcp SYN_SENT ${gone(' UNREPLIED')}`),
    [['warning', 'conntrack-stale', 'node1/host']],
  ],
  'old TCP connection': [
    conntrackStaleState,
    entries(`tcp ESTABLISHED ${gone('')}`),
    [['info', 'conntrack-stale', 'node1/host']],
  ],
  'closing TCP connection': [conntrackStaleState, entries(`tcp TIME_WAIT ${gone('')}`), []],
  'entry to a live endpoint': [
    conntrackStaleState,
    entries(`tcp ESTABLISHED ${WEB} 10.244.2.20:8080>10.244.1.10:40000`),
    [],
  ],
  'entry to a pod that left the Service and still runs': [
    conntrackStaleState,
    entries(`tcp ESTABLISHED ${WEB} 10.244.1.10:8080>10.244.1.10:40000`),
    [],
  ],
  'entry of something that is no Service': [
    conntrackStaleState,
    entries('tcp SYN_SENT 10.244.1.10:40000>10.0.0.9:80 10.244.2.99:8080>10.244.1.10:40000 UNREPLIED'),
    [],
  ],
  'slices not collected': [
    conntrackStaleState,
    { ...entries(`tcp SYN_SENT ${gone(' UNREPLIED')}`), objects: { known: new Set(['Service', 'Pod']) } },
    [],
  ],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})

/** `count` connections of a pod to one destination, masqueraded to node1. */
const masqueraded = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    entry(`tcp ESTABLISHED 10.244.1.10:${1024 + i}>203.0.113.9:443 203.0.113.9:443>172.30.0.11:${1024 + i}`),
  )
const nat = (rule: string) =>
  parseIptablesSave(`*nat\n:POSTROUTING ACCEPT [0:0]\n${rule}\nCOMMIT\n`, {
    artefact: 'nodes/node1/host/iptables-save.txt',
    family: 'ip',
    backend: 'iptables-nft',
  })

test.each([
  ['60000 of 64512', 60000, '-A POSTROUTING -j MASQUERADE', 1],
  ['30000 of 64512', 30000, '-A POSTROUTING -j MASQUERADE', 0],
  ['950 of a range of 1000', 950, '-A POSTROUTING -p tcp -j MASQUERADE --to-ports 20000-20999', 1],
  ['100 of a range of 1000', 100, '-A POSTROUTING -p tcp -j MASQUERADE --to-ports 20000-20999', 0],
])('source ports: %s', (_, count, rule, expected) => {
  const found = findings(snatPortExhaustion, {
    rulesets: { 'node1/host': [nat(rule)] },
    netns: { 'node1/host': { conntrack: masqueraded(count) } },
  })
  expect(found.map((f) => `${f.finding.severity} ${f.hurts}`)).toEqual(Array(expected).fill('error true'))
})

test('many connections to different destinations exhaust nothing', () => {
  const conntrack = Array.from({ length: 2000 }, (_, i) =>
    entry(`tcp ESTABLISHED 10.244.1.10:5000>203.0.113.9:${i + 1} 203.0.113.9:${i + 1}>172.30.0.11:5000`),
  )
  expect(findings(snatPortExhaustion, { netns: { 'node1/host': { conntrack } } })).toEqual([])
})
