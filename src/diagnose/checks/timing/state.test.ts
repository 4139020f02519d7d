import { expect, test } from 'vitest'
import type { CpuThrottling } from '../../../model/node-files.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import { type Change, type Row, summary } from '../../testing/cluster-state.ts'
import { acceptQueueOverflow } from './accept-queue.ts'
import { cpuThrottled } from './cpu-throttled.ts'

const throttled = (...rows: Partial<CpuThrottling>[]): Change => ({
  nodes: {
    node1: {
      files: {
        logs: [],
        throttling: rows.map((r) => ({
          podUid: 'uid-web1',
          throttledPeriods: 0,
          throttledSeconds: 0,
          evidence: { artefact: 'nodes/node1/node/cgroup-cpu.txt', text: 'nr_throttled' },
          ...r,
        })),
      },
    },
  },
})
const overflows = (n: number): Change => ({
  netns: { 'node1/pod/default/web1': { counters: new Map([['TcpExtListenOverflows', n]]) } },
})
const LISTEN = /(netns node1\/pod\/default\/web1[\s\S]*?listen tcp 0\.0\.0\.0:8080)/

const cases: Record<string, [ClusterCheck, Change, Row[]]> = {
  'throttled in a third of the periods (F142)': [
    cpuThrottled,
    throttled({ containerId: 'abc', throttledPeriods: 2100, throttledSeconds: 90, periods: 6000 }),
    [['warning', 'cpu-throttled', 'node1']],
  ],
  'throttled at its start only': [
    cpuThrottled,
    throttled({ containerId: 'abc', throttledPeriods: 21, throttledSeconds: 1, periods: 6000 }),
    [],
  ],
  'a young container': [
    cpuThrottled,
    throttled({ containerId: 'abc', throttledPeriods: 50, throttledSeconds: 1, periods: 100 }),
    [],
  ],
  'number of periods not collected': [
    cpuThrottled,
    throttled({ throttledPeriods: 21000, throttledSeconds: 900 }),
    [['warning', 'cpu-throttled', 'node1']],
  ],
  'the pod and its container are one finding': [
    cpuThrottled,
    throttled(
      { throttledPeriods: 2100, throttledSeconds: 90, periods: 6000 },
      { containerId: 'abc', throttledPeriods: 2100, throttledSeconds: 90, periods: 6000 },
    ),
    [['warning', 'cpu-throttled', 'node1']],
  ],
  'a pod nobody knows': [
    cpuThrottled,
    throttled({ podUid: 'other', throttledPeriods: 2100, throttledSeconds: 90, periods: 6000 }),
    [],
  ],
  'not collected': [cpuThrottled, {}, []],
  'queues empty': [acceptQueueOverflow, {}, []],
  'queue full now': [
    acceptQueueOverflow,
    { edits: [[LISTEN, '$1 queue 129/128']] },
    [['error', 'accept-queue-overflow', 'node1/pod/default/web1']],
  ],
  'queue at its limit, not over it': [acceptQueueOverflow, { edits: [[LISTEN, '$1 queue 128/128']] }, []],
  'overflowed often': [
    acceptQueueOverflow,
    overflows(4000),
    [['warning', 'accept-queue-overflow', 'node1/pod/default/web1']],
  ],
  'overflowed now and then': [acceptQueueOverflow, overflows(7), []],
}

test.each(Object.entries(cases))('%s', (_, [check, change, expected]) => {
  expect(summary(check, change)).toEqual(expected)
})
