import { expect, test } from 'vitest'
import { topology } from '../../../datapath/testing/topology.ts'
import type { Network } from '../../../model/network.ts'
import { OBJECTS } from '../../testing/cluster.ts'
import { kubeProxySlow, syncSeconds } from './kube-proxy-slow.ts'

test.each<[string, number | null]>([
  [
    '2026-01-05T10:00:00.1Z stderr F I0105 10:00:00.1 1 proxier.go:805] "SyncProxyRules complete" elapsed="12.5s"',
    12.5,
  ],
  ['I0105 10:00:00.1 1 proxier.go:805] "SyncProxyRules complete" ipFamily="IPv4" elapsed="1m2.5s"', 62.5],
  ['I0105 1 proxier.go:805] "syncProxyRules complete" elapsed="1m2.5s"', 62.5],
  ['I0105 1 proxier.go:820] "syncProxyRules complete" elapsed="850.1ms"', 0.8501],
  ['I0105 1 proxier.go:720] syncProxyRules took 7.25s', 7.25],
  ['I1023 1 trace.go:205] Trace[1298498081]: "iptables restore" (23-Oct-2024 10:00:00.1) (total time: 8211ms):', 8.211],
  [
    'I1023 1 trace.go:205] Trace[129]: "ip6tables Monitor CANARY check" (23-Oct-2024 10:00:00.1) (total time: 2000ms):',
    2,
  ],
  ['I1023 1 trace.go:205] Trace[129]: "List" (23-Oct-2024 10:00:00.1) (total time: 30000ms):', null],
  ['I1023 1 proxier.go:1] "Syncing iptables rules"', null],
])('%s', (line, seconds) => {
  const found = syncSeconds(line)
  if (seconds === null) expect(found).toBeNull()
  else expect(found).toBeCloseTo(seconds)
})

function withLog(lines: readonly string[]): Network {
  const network = topology('netns node1/host\n  eth0 wire 172.30.0.11/24\n')
  const evidence = lines.map((text, i) => ({ artefact: 'nodes/node1/node/logs/kube-proxy.log', line: i + 1, text }))
  const node = network.nodes.get('node1')!
  const logs = [{ namespace: 'kube-system', pod: 'kube-proxy-x7k2p', container: 'kube-proxy', lines: evidence }]
  return { ...network, nodes: new Map([['node1', { ...node, files: { logs } }]]) }
}

const took = (s: number) => `I0105 1 proxier.go:805] "SyncProxyRules complete" elapsed="${s}s"`

test.each<[string, string[], string | null]>([
  ['fast', Array.from({ length: 20 }, () => took(0.3)), null],
  ['one slow start', [took(14), took(0.3), took(0.4)], null],
  [
    'slow again and again',
    [took(9), took(0.2), took(11), took(8)],
    'kube-proxy on node1 needs up to 11 s to write its rules',
  ],
])('%s', (_, lines, title) => {
  const found = kubeProxySlow.find({ network: withLog(lines), objects: OBJECTS })
  expect(found[0]?.finding.title ?? null).toBe(title)
  if (title) expect(found[0]!.finding.evidence.map((e) => e.line)).toEqual([3, 1, 4])
})
