import { describe, expect, it } from 'vitest'
import { parseIp } from '../../../base/ip.ts'
import type { Sighting } from '../../../model/probe.ts'
import type { Branch, Inquiry, ProbeResult } from '../../inquiry.ts'
import { lostBetween } from './last-seen.ts'
import { refuserOf } from './sender.ts'
import { lostBeforePrediction, packetsVanish } from './vanished.ts'
import { ruleWithoutCounters } from './watch-plan.ts'

const IP = parseIp('10.244.2.20')!
const step = (kind: string, link: string, ttl: number) => ({
  kind,
  link,
  text: '',
  packet: { ttl },
  verdict: 'continue',
  evidence: [],
})
const hops = [
  { netns: 'n1/pod/d/c', node: 'n1', steps: [step('send', 'eth0', 64)] },
  { netns: 'n1/host', node: 'n1', steps: [step('receive', 'v1', 64), step('wire', 'eth0', 63)] },
  { netns: 'n2/host', node: 'n2', steps: [step('receive', 'eth0', 63), step('send', 'v2', 62)] },
  { netns: 'n2/pod/d/w', node: 'n2', steps: [step('receive', 'eth0', 62)] },
]
const branch = {
  trace: { probability: 1, disposition: 'delivered', forward: { disposition: 'delivered', hops }, reply: null },
} as unknown as Branch
const netns = new Map(
  hops.map((h) => [h.netns, { id: h.netns, node: h.node, kind: h.netns.endsWith('host') ? 'host' : 'pod', links: [] }]),
)

function inquiry(result: Partial<ProbeResult>, probes: object = {}): Inquiry {
  const asked = {
    kind: 'connect',
    purpose: 'asked',
    target: 'web',
    address: IP,
    sent: 6,
    answered: 0,
    command: '',
    output: '',
    ...result,
  }
  return {
    branches: [branch],
    failures: [],
    network: { netns, nodes: new Map() },
    objects: { services: [], pods: [], nodes: [] },
    probes: { results: [asked], ...probes },
  } as unknown as Inquiry
}

const seen = (netns: string, link: string, way: 'in' | 'out', ids: readonly string[]): Sighting[] =>
  ids.map((id) => ({ netns, link, way, direction: 'forward' as const, id }))
const ALL = hops.map((h) => h.netns)

describe('who refused', () => {
  it.each([
    [64, 'node', 'n1'],
    [63, 'node', 'n2'],
    [62, 'destination', 'n2'],
    [61, 'unknown', ''],
    [126, 'destination', 'n2'],
  ])('a RST with TTL %i is from %s %s', (ttl, kind, node) => {
    const q = inquiry({ senders: [{ kind: 'rst', from: IP, ttl, mac: null, link: 'eth0' }] })
    const who = refuserOf(q, q.probes!.results[0]!)
    expect(who.kind).toBe(kind)
    if (who.kind === 'node') expect(who.node).toBe(node)
    if (who.kind === 'destination') expect(who.hop.node).toBe(node)
  })
})

describe('where packets were last seen', () => {
  const left = [
    ...seen('n1/pod/d/c', 'eth0', 'out', ['1', '2']),
    ...seen('n1/host', 'v1', 'in', ['1', '2']),
    ...seen('n1/host', 'eth0', 'out', ['1', '2']),
  ]
  const arrived = seen('n2/host', 'eth0', 'in', ['1', '2'])

  it.each([
    ['between the nodes', left, ALL, [], 'underlay-drop'],
    ['inside node 2, no counter says why', [...left, ...arrived], ALL, [], 'prediction-refuted'],
    [
      'inside node 2, by a rule',
      [...left, ...arrived],
      ALL,
      [{ netns: 'n2/host', kind: 'rule', table: 'raw', name: '-A X -j DROP', by: 2, command: '' }],
      'raw-drop',
    ],
    [
      'inside node 2, by the reverse path filter',
      [...left, ...arrived],
      ALL,
      [{ netns: 'n2/host', kind: 'kernel', name: 'TcpExtIPReversePathFilter', by: 2, command: '' }],
      'rp-filter-drop',
    ],
    [
      'a counter of another node says nothing',
      [...left, ...arrived],
      ALL,
      [{ netns: 'n1/host', kind: 'rule', table: 'raw', name: '-A X -j DROP', by: 2, command: '' }],
      'prediction-refuted',
    ],
    // Node 2 was not watched: whether the packet came to it is not known.
    ['somewhere behind node 1', left, ALL.filter((n) => n !== 'n2/host'), [], 'prediction-refuted'],
  ])('%s', (_, sightings, watched, moved, code) => {
    const q = inquiry({ error: 'ETIMEDOUT' }, { sightings: { watched, notWatched: [], seen: sightings }, moved })
    expect(packetsVanish(q).map((f) => f.finding.code)).toEqual([code])
  })

  it('is silent when every packet came through, and when none was seen at all', () => {
    const through = [
      ...left,
      ...arrived,
      ...seen('n2/host', 'v2', 'out', ['1', '2']),
      ...seen('n2/pod/d/w', 'eth0', 'in', ['1', '2']),
    ]
    for (const s of [through, []])
      expect(lostBetween(inquiry({}, { sightings: { watched: ALL, notWatched: [], seen: s } }))).toBeNull()
  })
})

describe('a prediction the packets do not get to', () => {
  const left = [...seen('n1/pod/d/c', 'eth0', 'out', ['1']), ...seen('n1/host', 'v1', 'in', ['1'])]
  const wire = seen('n1/host', 'eth0', 'out', ['1'])
  const dies = (netns: string) => ({
    failures: [{ branch, hop: { netns, node: netns.slice(0, 2) }, trace: { disposition: 'denied' } }],
  })
  const asked = (sightings: Sighting[], netns: string) =>
    ({
      ...inquiry({}, { sightings: { watched: ALL, notWatched: [], seen: sightings } }),
      ...dies(netns),
    }) as unknown as Inquiry

  it('lost between the nodes, said to die on node 2', () => {
    expect(lostBeforePrediction(asked([...left, ...wire], 'n2/host'))?.next.netns).toBe('n2/host')
  })
  it('lost on node 1, where it is said to die', () => {
    expect(lostBeforePrediction(asked(left, 'n1/host'))).toBeNull()
  })
})

it('the text of a rule goes without its counters', () => {
  expect(ruleWithoutCounters('[12:720] -A FORWARD -j DROP')).toBe('-A FORWARD -j DROP')
  expect(ruleWithoutCounters('tcp dport 80 counter packets 3 bytes 9 drop # handle 4')).toBe('tcp dport 80 drop')
})
