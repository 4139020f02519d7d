import { expect, it } from 'vitest'
import { decodeObjects } from './decode.ts'
import { workloadOfPod, workloadsOf } from './workload.ts'

const read = (...values: unknown[]) => decodeObjects(values.map((value) => ({ artefact: 'o', value }))).value

it('controllers of pods, through the ReplicaSet to the Deployment', () => {
  const objects = read(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas: 3,
        strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
        template: { metadata: { labels: { app: 'web' } } },
      },
      status: { replicas: 3, readyReplicas: 2, availableReplicas: 1 },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'web-1', namespace: 'shop', ownerReferences: [{ kind: 'Deployment', name: 'web' }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'agent', namespace: 'shop' },
      status: { desiredNumberScheduled: 4, numberReady: 4 },
    },
    { apiVersion: 'example.com/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1-a', namespace: 'shop', ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1' }] },
    },
  )
  expect(workloadsOf(objects).map((w) => [w.kind, w.desired, w.ready, w.available])).toEqual([
    ['Deployment', 3, 2, 1],
    ['ReplicaSet', 1, 0, 0],
    ['DaemonSet', 4, 4, 0],
  ])
  expect(workloadOfPod(objects, objects.pods[0]!)).toMatchObject({
    kind: 'Deployment',
    maxSurge: '25%',
    maxUnavailable: '1',
    podLabels: { app: 'web' },
  })
})

it('what checks need of a pod, a Node and an event', () => {
  const objects = read(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
      spec: {
        terminationGracePeriodSeconds: 5,
        dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'ndots', value: 2 }] },
        initContainers: [
          { name: 'init', ports: [{ containerPort: 1 }] },
          { name: 'side', restartPolicy: 'Always' },
        ],
        containers: [{ name: 'c', resources: { limits: { cpu: '500m' } }, args: ['--x'] }],
        tolerations: [{ operator: 'Exists' }],
      },
      status: { initContainerStatuses: [{ name: 'init', state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      reason: 'Unhealthy',
      count: 7,
      lastTimestamp: '2026-11-21T00:00:00Z',
      source: { component: 'kubelet', host: 'node1' },
    },
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n' },
      spec: { unschedulable: true },
      status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-11-21T00:00:00Z' }] },
    },
  )
  expect(objects.pods[0]).toMatchObject({
    terminationGracePeriod: 5,
    dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'ndots', value: '2' }] },
    initContainers: [{ name: 'init', ports: [{ containerPort: 1 }] }],
    containers: [
      { name: 'c', resources: { limits: { cpu: '500m' } }, args: ['--x'] },
      { name: 'side', sidecar: true },
    ],
    tolerations: [{ key: '', operator: 'Exists', effect: '' }],
    initContainerStatuses: [{ waitingReason: 'CrashLoopBackOff' }],
  })
  expect(objects.events[0]).toMatchObject({ count: 7, lastSeen: '2026-11-21T00:00:00Z', reporter: 'kubelet node1' })
  expect(objects.nodes[0]).toMatchObject({
    unschedulable: true,
    conditions: [{ lastHeartbeatTime: '2026-11-21T00:00:00Z' }],
  })
})
