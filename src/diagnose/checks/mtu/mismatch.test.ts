import { expect, test } from 'vitest'
import { type Change, type Row, stateOf, summary } from '../../testing/cluster-state.ts'
import { mtuMismatch, overhead } from './mismatch.ts'

const VETH2 = /(veth-web2 veth .*) mtu 1450/
const POD2 = /(eth0 veth node2\/host:veth-web2 .*) mtu 1450/
const FLANNEL2 = 'flannel.1 vxlan 1 8472 172.30.0.12 10.244.2.0/32'
const cases: Record<string, [Change, Row[]]> = {
  'pod 1450, tunnel 1450, NIC 1500': [{}, []],
  'pod larger than the tunnel': [
    {
      edits: [
        [VETH2, '$1 mtu 1500'],
        [POD2, '$1 mtu 1500'],
      ],
    },
    [['warning', 'mtu-mismatch', 'node2/host/flannel.1']],
  ],
  'pod larger than its host side': [
    { edits: [[VETH2, '$1 mtu 1400']] },
    [['error hurts', 'mtu-mismatch', 'node2/host/veth-web2']],
  ],
  'pod smaller than its host side': [{ edits: [[POD2, '$1 mtu 1400']] }, []],
  'tunnel larger than the NIC carries': [
    { edits: [['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 mtu 1480']] },
    [['warning', 'mtu-mismatch', 'node2/host/flannel.1']],
  ],
  'nodes disagree': [
    {
      edits: [
        [FLANNEL2, `${FLANNEL2} mtu 1400`],
        [VETH2, '$1 mtu 1400'],
        [POD2, '$1 mtu 1400'],
      ],
    },
    [['warning', 'mtu-mismatch', 'node2/host/flannel.1']],
  ],
  'jumbo frames everywhere': [
    {
      edits: [
        ['eth0 wire 172.30.0.11/24', 'eth0 wire 172.30.0.11/24 mtu 9001'],
        ['eth0 wire 172.30.0.12/24', 'eth0 wire 172.30.0.12/24 mtu 9001'],
        [
          'flannel.1 vxlan 1 8472 172.30.0.11 10.244.1.0/32',
          'flannel.1 vxlan 1 8472 172.30.0.11 10.244.1.0/32 mtu 8951',
        ],
        [FLANNEL2, `${FLANNEL2} mtu 8951`],
      ],
    },
    [],
  ],
}

test.each(Object.entries(cases))('%s', (_, [change, expected]) => {
  expect(summary(mtuMismatch, change)).toEqual(expected)
})

test('bytes around a packet', () => {
  const link = stateOf()
    .network.netns.get('node1/host')!
    .links.find((l) => l.kind === 'vxlan')!
  const of = (kind: typeof link.kind, outer: 4 | 6) => overhead({ ...link, kind }, outer)
  expect([
    of('vxlan', 4),
    of('vxlan', 6),
    of('ipip', 4),
    of('wireguard', 4),
    of('wireguard', 6),
    of('veth', 4),
  ]).toEqual([50, 70, 20, 60, 80, null])
})
