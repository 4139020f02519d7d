import { expect, it, test } from 'vitest'
import { dnsService, event, node, objects, pod, withFiles } from './fixture.ts'
import { probeOutcome } from './probe-text.ts'
import { setupState } from './state.ts'

const state = (...values: Record<string, unknown>[]) => setupState(withFiles(objects(...values), {}))
const dns = { 'k8s-app': 'kube-dns' }
const apiserver = pod('kube-system/kube-apiserver-node1', { node: 'node1', hostNetwork: true })
const coredns = (w: Parameters<typeof pod>[1]) => pod('kube-system/coredns-1', { labels: dns, ...w })
const flannelPod = pod('kube-flannel/kube-flannel-ds-a', { node: 'node1', hostNetwork: true })
const unhealthy = (name: string, message: string) => event('Unhealthy', name, `Readiness probe failed: ${message}`)

const STATES: readonly [
  what: string,
  values: Record<string, unknown>[],
  setup: string,
  host: string,
  container: string,
  because: RegExp,
][] = [
  ['no objects', [], 'unknown', 'unknown', 'unknown', /no Node/],
  [
    'Step 1',
    [node('node1', 'no-cni'), node('node2', 'no-cni'), apiserver, coredns({}), dnsService],
    'step1',
    'ok',
    'not-ready',
    /no network plugin is installed yet/,
  ],
  [
    'Step 1 on v1.11',
    [
      node('node1', {
        message:
          'runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: network plugin is not ready: cni config uninitialized',
      }),
      apiserver,
      coredns({}),
    ],
    'step1',
    'ok',
    'not-ready',
    /not|yet/,
  ],
  [
    'the plugin is being installed',
    [
      node('node1', 'no-cni'),
      apiserver,
      pod('kube-flannel/kube-flannel-ds-a', {
        node: 'node1',
        hostNetwork: true,
        phase: 'Pending',
        ready: false,
        waiting: 'PodInitializing',
      }),
    ],
    'step1',
    'ok',
    'not-ready',
    /being installed/,
  ],
  [
    'the agent crashes',
    [
      node('node1', 'no-cni'),
      apiserver,
      pod('kube-flannel/kube-flannel-ds-a', {
        node: 'node1',
        hostNetwork: true,
        ready: false,
        waiting: 'CrashLoopBackOff',
      }),
    ],
    'other',
    'ok',
    'failing',
    /its agent kube-flannel/,
  ],
  [
    'one node without configuration',
    [node('node1'), node('node2', 'no-cni'), apiserver],
    'other',
    'ok',
    'not-ready',
    /node2/,
  ],
  [
    'Step 2',
    [node('node1'), apiserver, flannelPod, coredns({ node: 'node1', ip: '10.244.1.2' }), dnsService],
    'step2-ok',
    'ok',
    'unknown',
    /does not prove/,
  ],
  [
    'Step 2 without control plane pods',
    [node('node1'), coredns({ node: 'node1', ip: '10.244.1.2' }), dnsService],
    'step2-ok',
    'unknown',
    'unknown',
    /does not prove/,
  ],
  [
    'DNS pods of another name',
    [
      node('node1'),
      pod('default/dns1', { node: 'node1', ip: '10.244.1.53', labels: { app: 'kube-dns' } }),
      {
        ...dnsService,
        metadata: { namespace: 'default', name: 'kube-dns' },
        spec: { clusterIP: '10.96.0.10', selector: { app: 'kube-dns' }, ports: [{ port: 53 }] },
      },
    ],
    'step2-ok',
    'unknown',
    'unknown',
    /DNS pods run/,
  ],
  ['no pods but agents', [node('node1'), apiserver], 'unknown', 'ok', 'unknown', /no pod with a network/],
  [
    'Case A',
    [
      node('node1'),
      apiserver,
      flannelPod,
      coredns({ node: 'node1', waiting: 'ContainerCreating' }),
      dnsService,
      event(
        'FailedCreatePodSandBox',
        'kube-system/coredns-1',
        'failed to set up sandbox container: failed to find plugin "portmap" in path [/opt/cni/bin]',
      ),
    ],
    'case-a',
    'ok',
    'failing',
    /failed to find plugin/,
  ],
  [
    'creating, and nothing failed yet',
    [node('node1'), apiserver, coredns({ node: 'node1', waiting: 'ContainerCreating' }), dnsService],
    'other',
    'ok',
    'unknown',
    /nothing says/,
  ],
  [
    'an old sandbox event of a pod that runs',
    [
      node('node1'),
      apiserver,
      coredns({ node: 'node1', ip: '10.244.1.2' }),
      dnsService,
      event('FailedCreatePodSandBox', 'kube-system/coredns-1', 'x'),
    ],
    'step2-ok',
    'ok',
    'unknown',
    /./,
  ],
  [
    'Case B, refused',
    [
      node('node1'),
      apiserver,
      coredns({ node: 'node1', ip: '10.244.1.2', ready: false, restarts: 1 }),
      dnsService,
      unhealthy(
        'kube-system/coredns-1',
        'Get http://10.244.1.2:8081/readiness: dial tcp 10.244.1.2:8081: connect: connection refused',
      ),
    ],
    'case-b',
    'ok',
    'failing',
    /reached the pod/,
  ],
  [
    'Case B, timeout',
    [
      node('node1'),
      apiserver,
      coredns({ node: 'node1', ip: '10.244.1.2', ready: false }),
      dnsService,
      unhealthy('kube-system/coredns-1', 'Get "http://10.244.1.2:8181/ready": dial tcp 10.244.1.2:8181: i/o timeout'),
    ],
    'case-b',
    'ok',
    'failing',
    /dropped on the way/,
  ],
  [
    'Case B, no route',
    [
      node('node1'),
      apiserver,
      coredns({ node: 'node1', ip: '10.244.1.2', ready: false }),
      dnsService,
      unhealthy('kube-system/coredns-1', 'dial tcp 10.244.1.2:8181: connect: no route to host'),
    ],
    'case-b',
    'ok',
    'failing',
    /no way to the pod/,
  ],
  [
    'an application that refuses is not the network',
    [
      node('node1'),
      apiserver,
      coredns({ node: 'node1', ip: '10.244.1.2' }),
      dnsService,
      pod('shop/web-1', { node: 'node1', ip: '10.244.1.3', ready: false }),
      unhealthy('shop/web-1', 'dial tcp 10.244.1.3:80: connect: connection refused'),
    ],
    'step2-ok',
    'ok',
    'unknown',
    /./,
  ],
  [
    'DNS crashes for a reason of its own',
    [
      node('node1'),
      apiserver,
      coredns({ node: 'node1', ip: '10.244.1.2', ready: false, waiting: 'CrashLoopBackOff', restarts: 9 }),
      dnsService,
    ],
    'other',
    'ok',
    'unknown',
    /nothing says/,
  ],
  [
    'a node that is silent',
    [node('node1'), node('node2', 'Unknown'), apiserver],
    'other',
    'unknown',
    'unknown',
    /node2 is not Ready/,
  ],
  [
    'cordoned nodes are fine',
    [node('node1', 'True', { spec: { unschedulable: true } }), apiserver, coredns({ node: 'node1', ip: '10.244.1.2' })],
    'step2-ok',
    'ok',
    'unknown',
    /./,
  ],
]

test.each(STATES)('%s', (_what, values, setup, host, container, because) => {
  const s = state(...values)
  expect([s.state, s.hostNetwork, s.containerNetwork]).toEqual([setup, host, container])
  expect(s.because).toMatch(because)
  if (setup.startsWith('case') || setup === 'step1') expect(s.evidence.length).toBeGreaterThan(0)
})

it('tells refused, timeout and no route apart', () => {
  expect(
    [
      'dial tcp 10.0.0.1:80: connect: connection refused',
      'dial tcp 10.0.0.1:80: i/o timeout',
      'Get "http://10.0.0.1/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
      'dial tcp 10.0.0.1:80: connect: no route to host',
      'HTTP probe failed with statuscode: 503',
      'command "x" exited with 1',
    ].map(probeOutcome),
  ).toEqual(['refused', 'timeout', 'timeout', 'no-route', 'answered-badly', 'other'])
})
