import { expect, test } from 'vitest'
import type { Qdisc } from '../../../model/network.ts'
import { OBJECTS } from '../../testing/cluster.ts'
import { type Change, type Row, summary } from '../../testing/cluster-state.ts'
import { captureLeftovers } from './capture.ts'

const qdisc = (filter: string): Change => {
  const q: Qdisc = {
    link: 'veth-web1',
    kind: 'clsact',
    parent: 'ffff:fff1',
    handle: 'ffff:',
    filters: [filter],
    evidence: { artefact: 'tc-qdisc.json', text: 'clsact' },
  }
  return { netns: { 'node1/host': { qdiscs: [q] } } }
}
const pod = (name: string, labels: Record<string, string> = {}): Change => ({
  objects: {
    pods: [...OBJECTS.pods, { ...OBJECTS.pods[0]!, meta: { ...OBJECTS.pods[0]!.meta, name, labels } }],
  },
})
const link = (line: string): Change => ({
  edits: [['  flannel.1 vxlan 1 8472 172.30.0.11', `  ${line}\n  flannel.1 vxlan 1 8472 172.30.0.11`]],
})

const cases: Record<string, [Change, Row[]]> = {
  none: [{}, []],
  'a mirror device': [link('mirror0 vxlan 7 4789 172.30.0.11'), [['info', 'capture-leftover', 'node1/host/mirror0']]],
  "the lab's own links": [link('netwhy-tap dummy'), [['info', 'capture-leftover', 'node1/host/netwhy-tap']]],
  'a mirrored veth': [
    qdisc('filter ingress protocol all pref 1 u32\n  action order 1: mirred (Egress Mirror to device mirror0) pipe'),
    [['info', 'capture-leftover', 'node1/host/veth-web1']],
  ],
  'a redirect of the bandwidth plugin': [
    qdisc(
      'filter ingress protocol all pref 1 u32\n  action order 1: mirred (Egress Redirect to device bwp1234) stolen',
    ),
    [],
  ],
  'a debug pod': [pod('node-debugger-node1-x2x4v'), [['info', 'capture-leftover', 'node1']]],
  'a pod of ours': [
    pod('probe', { 'app.kubernetes.io/managed-by': 'netwhy' }),
    [['info', 'capture-leftover', 'node1']],
  ],
  'a pod of somebody': [pod('debug-api'), []],
}

test.each(Object.entries(cases))('%s', (_, [change, expected]) => {
  expect(summary(captureLeftovers, change)).toEqual(expected)
})
