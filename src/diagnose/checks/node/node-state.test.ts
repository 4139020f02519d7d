/** Nodes and containers by their objects and logs, with the fault and without it. F002. */
import { expect, test } from 'vitest'
import type { ClusterState } from '../../cluster/check.ts'
import { dnsService, event, node, objects, pod, said, withFiles } from '../../setup/fixture.ts'
import { SETUP_CHECKS } from '../cni/index.ts'

const CASES: readonly [what: string, state: ClusterState, ...codes: string[]][] = [
  ['kubelet silent', withFiles(objects(node('node1'), node('node2', 'Unknown')), {}), 'error node-not-ready'],
  [
    'not ready for the disk',
    withFiles(objects(node('node1', { message: 'PLEG is not healthy' })), {}),
    'error node-not-ready',
  ],
  [
    'F002',
    withFiles(
      objects(
        ...[1, 2].map((n) =>
          node(`node${n}`, 'True', { status: { addresses: [{ type: 'InternalIP', address: '10.0.2.15' }] } }),
        ),
      ),
      {},
    ),
    'error node-address-wrong',
  ],
  [
    'kubelet without API server',
    withFiles(objects(node('node1', 'Unknown')), {
      node1: {
        kubeletLog: [
          said('dial tcp 172.30.0.10:6443: connect: no route to host'),
          said('Get "https://172.30.0.10:6443/x": dial tcp 172.30.0.10:6443: connect: no route to host'),
        ],
      },
    }),
    'error node-not-ready',
    'error apiserver-unreachable',
  ],
  [
    'old lines of a kubelet that reports',
    withFiles(objects(node('node1')), {
      node1: {
        kubeletLog: [said('dial tcp 172.30.0.10:6443: i/o timeout'), said('dial tcp 172.30.0.10:6443: i/o timeout')],
      },
    }),
  ],

  [
    'not ready, others serve',
    withFiles(
      objects(
        node('node1'),
        pod('a/x', { node: 'node1', ip: '10.244.1.9', ready: false }),
        event('Unhealthy', 'a/x', 'Readiness probe failed: dial tcp 10.244.1.9:80: connect: connection refused'),
      ),
      {},
    ),
    'warning container-not-ready',
  ],
  [
    'the only pod of a Service',
    withFiles(
      objects(
        node('node1'),
        dnsService,
        pod('kube-system/coredns-1', {
          node: 'node1',
          ip: '10.244.1.9',
          ready: false,
          waiting: 'CrashLoopBackOff',
          labels: { 'k8s-app': 'kube-dns' },
        }),
      ),
      {},
    ),
    'error container-not-ready',
  ],
  [
    'just started',
    withFiles(
      objects(
        node('node1'),
        pod('a/x', { node: 'node1', ip: '10.244.1.9', ready: false, since: '2026-11-21T00:09:30Z' }),
      ),
      {},
    ),
  ],
  [
    'on a node that is down',
    withFiles(objects(node('node1', 'Unknown'), pod('a/x', { node: 'node1', ip: '10.244.1.9', ready: false })), {}),
    'error node-not-ready',
  ],
]

test.each(CASES)('%s', (_what, state, ...codes) => {
  const found = SETUP_CHECKS.flatMap((c) => c.find(state))
  expect(found.map((f) => `${f.finding.severity} ${f.finding.code}`).sort()).toEqual([...codes].sort())
})

test.each([
  ['i/o timeout', /Timeout: packets or their answers are dropped/],
  ['connect: connection refused', /refused: packets arrive/],
  ['connect: no route to host', /No route to host: the node has no way/],
])('an unreachable API server: %s', (how, text) => {
  const line = said(`dial tcp 172.30.0.10:6443: ${how}`)
  const state = withFiles(objects(node('node1', 'Unknown')), { node1: { kubeletLog: [line, line] } })
  const f = SETUP_CHECKS.flatMap((c) => c.find(state)).find((x) => x.finding.code === 'apiserver-unreachable')
  expect(f!.finding.text).toMatch(text)
})
