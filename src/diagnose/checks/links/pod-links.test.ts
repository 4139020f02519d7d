import { expect, test } from 'vitest'
import { type Change, type Row, summary } from '../../testing/cluster-state.ts'
import { podLinkState } from './pod-links.ts'

const cases: Record<string, [Change, Row[]]> = {
  healthy: [{}, []],
  'host side of a running pod down (F013)': [
    { edits: [[/(veth-web2 veth .*)/, '$1 down']] },
    [['error', 'link-down', 'node2/host/veth-web2']],
  ],
  'eth0 down inside the pod': [
    { edits: [[/(eth0 veth node2\/host:veth-web2 .*)/, '$1 down']] },
    [['error', 'link-down', 'node2/pod/default/web2/eth0']],
  ],
  'link out of the bridge': [
    {
      edits: [['veth-web2 veth node2/pod/default/web2:eth0 master cni0', 'veth-web2 veth node2/pod/default/web2:eth0']],
    },
    [['error', 'bridge-port-missing', 'node2/host/veth-web2']],
  ],
  'bridge down under pods': [
    { edits: [['cni0 bridge 10.244.2.1/24 mtu 1450', 'cni0 bridge 10.244.2.1/24 mtu 1450 down']] },
    [['error', 'bridge-down', 'node2/host/cni0']],
  ],
  'unused docker0 down (F145)': [
    { edits: [['  flannel.1 vxlan', '  docker0 bridge 172.17.0.1/16 down\n  flannel.1 vxlan']] },
    [],
  ],
  'kube-ipvs0 down (F146)': [
    { edits: [['  flannel.1 vxlan', '  kube-ipvs0 dummy 10.96.0.80/32 down\n  flannel.1 vxlan']] },
    [],
  ],
  'a spare interface of a pod that is down': [
    { edits: [[/(eth0 veth node2\/host:veth-web2 .*)/, '$1\n  net1 dummy 10.99.0.1/24 down']] },
    [],
  ],
  'link of a pod that has ended': [
    {
      edits: [[/(veth-web2 veth .*)/, '$1 down']],
      objects: { pods: [] },
    },
    [],
  ],
}

test.each(Object.entries(cases))('%s', (_, [change, expected]) => {
  expect(summary(podLinkState, change)).toEqual(expected)
})
