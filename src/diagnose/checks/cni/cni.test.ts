/** The catalogue's set-up cases by their objects, events and files, with the fault and without it. F006 F010 F011 F012 F088 F117. */
import { expect, test } from 'vitest'
import { parseIp } from '../../../base/ip.ts'
import type { ClusterState } from '../../cluster/check.ts'
import { cni, dnsService, event, listing, node, objects, pod, said, withFiles } from '../../setup/fixture.ts'
import { SETUP_CHECKS } from './index.ts'

function found(state: ClusterState): string[] {
  return SETUP_CHECKS.flatMap((c) => c.find(state)).map((f) => `${f.finding.severity} ${f.finding.code}`)
}

const flannelPod = (n: number, waiting?: string) =>
  pod(`kube-flannel/kube-flannel-ds-${n}`, {
    node: `node${n}`,
    hostNetwork: true,
    image: 'ghcr.io/flannel-io/flannel:v0.26',
    ...(waiting ? { waiting, ready: false } : {}),
  })
const web = (w: Parameters<typeof pod>[1] = {}) =>
  pod('default/web3', { node: 'node1', waiting: 'ContainerCreating', ...w })
const failed = (message: string) =>
  event('FailedCreatePodSandBox', 'default/web3', `Failed to create pod sandbox: rpc error: ${message}`)
const bins = listing('/opt/cni/bin', 'bridge', 'host-local', 'loopback', 'flannel')
const places = { configDirs: [], binDirs: [] }
const two = [node('node1'), node('node2')]
const calicoPod = pod('calico-system/calico-node-x', { node: 'node1', hostNetwork: true })
const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'default', name: 'deny-all' },
  spec: { podSelector: {} },
}
const F006 = 'plugin type="portmap" failed (add): failed to find plugin "portmap" in path [/opt/cni/bin]'
const ipam = (count: number) => [
  {
    name: 'cbr0',
    evidence: said('/var/lib/cni/networks/cbr0:'),
    addresses: Array.from({ length: count }, (_, i) => ({ ip: parseIp(`10.244.1.${i + 2}`)!, evidence: said('x') })),
  },
]

const CASES: readonly [what: string, state: ClusterState, ...codes: string[]][] = [
  [
    'healthy flannel',
    withFiles(objects(...two, flannelPod(1), flannelPod(2), web({ ip: '10.244.1.5' }), dnsService), {
      node1: {
        cniConfigs: [cni('10-flannel.conflist', 'flannel', 'portmap')],
        cniBinaries: listing('/opt/cni/bin', 'bridge', 'host-local', 'flannel', 'portmap'),
        cniPlaces: places,
      },
    }),
  ],
  [
    'cordoned node, completed Job',
    withFiles(
      objects(
        node('node1', 'True', { spec: { unschedulable: true } }),
        pod('default/job-x', { node: 'node1', phase: 'Succeeded', ip: '10.244.1.5', ready: false }),
        pod('default/new', { node: 'node1', ip: '10.244.1.5' }),
      ),
      {},
    ),
  ],

  [
    'no plugin yet: a step on the way',
    withFiles(
      objects(
        node('node1', 'no-cni'),
        node('node2', 'no-cni'),
        pod('kube-system/coredns-1', { labels: { 'k8s-app': 'kube-dns' } }),
        dnsService,
      ),
      { node1: { cniConfigs: [] } },
    ),
    'warning cni-config-missing',
  ],
  [
    'one node without configuration',
    withFiles(objects(node('node1'), node('node2', 'no-cni'), flannelPod(1), flannelPod(2, 'CrashLoopBackOff')), {}),
    'error cni-config-missing',
  ],
  [
    'first file broken, containerd',
    withFiles(objects(node('node1', 'no-cni'), node('node2')), {
      node1: { cniConfigs: [cni('05-bad.conflist'), cni('10-flannel.conflist', 'flannel')] },
    }),
    'error cni-config-invalid',
  ],
  [
    'first file broken, CRI-O goes on',
    withFiles(objects(node('node1', 'True', { status: { nodeInfo: { containerRuntimeVersion: 'cri-o://1.31' } } })), {
      node1: { cniConfigs: [cni('05-bad.conflist'), cni('10-flannel.conflist', 'flannel')] },
    }),
    'warning cni-config-invalid',
  ],
  [
    'a broken file that sorts later',
    withFiles(objects(node('node1')), {
      node1: { cniConfigs: [cni('10-flannel.conflist', 'flannel'), cni('99-bad.conflist')] },
    }),
  ],
  [
    'leftover in front of the agent',
    withFiles(objects(node('node1'), flannelPod(1)), {
      node1: { cniConfigs: [cni('10-calico.conflist', 'calico'), cni('10-flannel.conflist', 'flannel')] },
    }),
    'error cni-config-conflict',
  ],
  [
    'leftover behind the agent',
    withFiles(objects(node('node1'), flannelPod(1)), {
      node1: {
        cniConfigs: [
          cni('10-flannel.conflist', 'flannel'),
          cni('87-podman-bridge.conflist', 'bridge'),
          cni('99-loopback.conf', 'loopback'),
        ],
      },
    }),
  ],
  [
    'multus in front',
    withFiles(objects(node('node1'), flannelPod(1)), {
      node1: { cniConfigs: [cni('00-multus.conf', 'multus'), cni('10-flannel.conflist', 'flannel')] },
    }),
  ],

  [
    'F006',
    withFiles(objects(node('node1'), flannelPod(1), web(), failed(F006)), {
      node1: { cniConfigs: [cni('10-flannel.conflist', 'flannel', 'portmap')], cniBinaries: bins, cniPlaces: places },
    }),
    'error cni-plugin-missing',
  ],
  ['F006 by the event alone', withFiles(objects(node('node1'), web(), failed(F006)), {}), 'error cni-plugin-missing'],
  [
    'F006 by the listing, before any pod was started',
    withFiles(objects(node('node1'), flannelPod(1)), {
      node1: { cniConfigs: [cni('10-flannel.conflist', 'flannel', 'portmap')], cniBinaries: bins, cniPlaces: places },
    }),
    'error cni-plugin-missing',
  ],
  [
    'binaries elsewhere',
    withFiles(objects(node('node1'), flannelPod(1)), {
      node1: {
        cniConfigs: [cni('10-flannel.conflist', 'flannel', 'portmap')],
        cniBinaries: bins,
        cniPlaces: { configDirs: [], binDirs: ['/usr/lib/cni'] },
      },
    }),
  ],
  [
    'k3s brings its own',
    withFiles(objects(node('node1')), {
      node1: {
        cniConfigs: [cni('10-flannel.conflist', 'flannel', 'portmap')],
        cniBinaries: bins,
        cniPlaces: places,
        daemons: [{ pid: 1, words: ['/usr/local/bin/k3s', 'server'], evidence: said('k3s') }],
      },
    }),
  ],
  [
    'the event is past: the pod runs',
    withFiles(objects(node('node1'), web({ ip: '10.244.1.9', waiting: undefined }), failed(F006)), {}),
  ],

  [
    'sandbox: something else',
    withFiles(
      objects(node('node1'), web(), failed('plugin type="x" failed (add): netlink: operation not permitted')),
      {},
    ),
    'error sandbox-creation-failed',
  ],
  [
    'sandbox: calico-node absent',
    withFiles(objects(node('node1'), web(), failed('stat /var/lib/calico/nodename: no such file or directory')), {}),
    'error sandbox-creation-failed',
  ],
  [
    'sandbox: API server silent',
    withFiles(
      objects(node('node1'), web(), failed('Get "https://10.96.0.1:443/x": dial tcp 10.96.0.1:443: i/o timeout')),
      {},
    ),
    'error sandbox-creation-failed',
  ],
  ['pending, nothing failed yet', withFiles(objects(node('node1'), web()), {})],

  [
    'F010',
    withFiles(
      objects(node('node1'), node('node2', 'True', { spec: { podCIDR: '', podCIDRs: [] } }), flannelPod(1)),
      {},
    ),
    'error pod-cidr-missing',
  ],
  [
    'F010 on every node, by the log',
    withFiles(objects(node('node1', 'True', { spec: { podCIDR: '', podCIDRs: [] } }), flannelPod(1)), {
      node1: {
        logs: [
          {
            namespace: 'kube-flannel',
            pod: 'kube-flannel-ds-1',
            container: 'c',
            lines: [said('Error registering network: failed to acquire lease: node "node1" pod cidr not assigned')],
          },
        ],
      },
    }),
    'error pod-cidr-missing',
  ],
  [
    'F010 with the pod that waits for it',
    withFiles(
      objects(
        node('node1', 'True', { spec: { podCIDR: '', podCIDRs: [] } }),
        web(),
        failed('open /run/flannel/subnet.env: no such file or directory'),
      ),
      {},
    ),
    'error pod-cidr-missing',
  ],
  [
    'no podCIDR under Calico',
    withFiles(objects(node('node1'), node('node2', 'True', { spec: { podCIDR: '', podCIDRs: [] } }), calicoPod), {}),
  ],
  [
    'flannel on etcd',
    withFiles(objects(node('node1', 'True', { spec: { podCIDR: '', podCIDRs: [] } }), flannelPod(1)), {}),
  ],
  [
    'a virtual node',
    withFiles(
      objects(
        node('node1'),
        node('node2', 'True', {
          spec: { podCIDR: '', podCIDRs: [], taints: [{ key: 'virtual-kubelet.io/provider', effect: 'NoSchedule' }] },
        }),
      ),
      {},
    ),
  ],
  [
    'one range twice',
    withFiles(
      objects(
        node('node1'),
        node('node2', 'True', { spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] } }),
      ),
      {},
    ),
    'error pod-cidr-duplicate',
  ],
  [
    'one range twice under Calico',
    withFiles(
      objects(
        node('node1'),
        node('node2', 'True', { spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] } }),
        calicoPod,
      ),
      {},
    ),
  ],

  [
    'F117',
    withFiles(
      objects(
        node('node1', 'True', { status: { allocatable: { pods: '1' } } }),
        pod('default/a', { node: 'node1', ip: '172.31.0.9' }),
        web(),
        failed('add cmd: failed to assign an IP address to container'),
      ),
      {},
    ),
    'error ipam-exhausted',
  ],
  [
    'host-local is full',
    withFiles(objects(node('node1')), { node1: { ipamNetworks: ipam(253) } }),
    'warning ipam-exhausted',
  ],
  ['host-local has room', withFiles(objects(node('node1')), { node1: { ipamNetworks: ipam(200) } })],
  [
    'two pods, one address',
    withFiles(
      objects(...two, pod('a/x', { node: 'node1', ip: '10.244.1.9' }), pod('a/y', { node: 'node2', ip: '10.244.1.9' })),
      {},
    ),
    'error pod-address-duplicate',
  ],
  [
    'host network pods share',
    withFiles(
      objects(
        node('node1'),
        pod('a/x', { node: 'node1', ip: '172.30.0.11', hostNetwork: true }),
        pod('a/y', { node: 'node1', ip: '172.30.0.11', hostNetwork: true }),
      ),
      {},
    ),
  ],
  [
    'bridge address, by the event',
    withFiles(
      objects(
        node('node1'),
        web(),
        failed('failed to set bridge addr: "cni0" already has an IP address different from 10.244.1.1/24'),
      ),
      {},
    ),
    'error bridge-address-wrong',
  ],
  ['no rules known: nothing said of policies', withFiles(objects(node('node1'), flannelPod(1), policy), {})],
]

test.each(CASES)('%s', (_what, state, ...codes) => {
  expect(found(state).sort()).toEqual([...codes].sort())
})

test('F006 is no matter of addresses or images: the text names plugin, folder and pod, the proof quotes the event', () => {
  const state = withFiles(objects(node('node1'), web(), failed(F006)), {})
  const [f] = SETUP_CHECKS.flatMap((c) => c.find(state))
  expect(f!.finding.title).toBe('the CNI plugin portmap is not installed on node1: pod default/web3 cannot start')
  expect(f!.finding.evidence[0]!.text).toContain('failed to find plugin "portmap" in path [/opt/cni/bin]')
  expect(f!.concerns).toEqual([{ kind: 'pod', namespace: 'default', name: 'web3' }])
})

test('nothing collected, nothing said', () => {
  expect(found(withFiles(objects(), {}))).toEqual([])
})
