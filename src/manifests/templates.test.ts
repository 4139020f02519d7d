import { describe, expect, it } from 'vitest'
import { loadManifests } from './load.ts'

const template =
  'template: { metadata: { labels: { app: x } }, spec: { containers: [ { name: c, ports: [ { name: h, containerPort: 80 } ] } ] } }'
const workload = (kind: string, api: string, name = 'x', spec = template, more = '') =>
  `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name}${more} }\nspec: { ${spec} }\n`
const pod = (name: string, owner: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, ownerReferences: [ { kind: ${owner.split('/')[0]}, name: ${owner.split('/')[1]} } ] }\n`
const pods = (...texts: string[]) =>
  loadManifests([{ path: 'f.yaml', text: texts.join('---\n') }]).objects.pods.map(
    (p) => `${p.meta.name} ${p.meta.owners.map((o) => `${o.kind}/${o.name}`)}`,
  )

describe('a workload stands for its pods', () => {
  it.each([
    ['Deployment', 'apps/v1'],
    ['ReplicaSet', 'apps/v1'],
    ['StatefulSet', 'apps/v1'],
    ['DaemonSet', 'apps/v1'],
    ['Job', 'batch/v1'],
    ['ReplicationController', 'v1'],
  ])('%s', (kind, api) => {
    expect(pods(workload(kind, api))).toEqual([`x ${kind}/x`])
    const { objects } = loadManifests([{ path: 'f.yaml', text: workload(kind, api) }])
    expect(objects.pods[0]).toMatchObject({
      meta: { namespace: 'default', labels: { app: 'x' } },
      containers: [{ ports: [{ name: 'h', containerPort: 80 }] }],
      podIPs: [],
      evidence: { artefact: 'f.yaml', line: 1 },
    })
  })

  it('CronJob, by the template of its jobs', () => {
    expect(pods(workload('CronJob', 'batch/v1', 'x', `jobTemplate: { spec: { ${template} } }`))).toEqual([
      'x CronJob/x',
    ])
  })

  it.each<[string, string[], string[]]>([
    ['its pods are there', [workload('StatefulSet', 'apps/v1'), pod('x-0', 'StatefulSet/x')], ['x-0 StatefulSet/x']],
    [
      'its pods are there, owned by a ReplicaSet that is not',
      [workload('Deployment', 'apps/v1'), pod('x-5d-ab', 'ReplicaSet/x-5d')],
      ['x-5d-ab ReplicaSet/x-5d'],
    ],
    [
      'its ReplicaSet is there too: once',
      [
        workload('Deployment', 'apps/v1'),
        workload('ReplicaSet', 'apps/v1', 'x-5d', template, ', ownerReferences: [ { kind: Deployment, name: x } ]'),
      ],
      ['x Deployment/x'],
    ],
    [
      'another has pods whose names begin alike',
      [workload('Deployment', 'apps/v1'), pod('x-y-5d-ab', 'ReplicaSet/x-y-5d')],
      ['x-y-5d-ab ReplicaSet/x-y-5d', 'x Deployment/x'],
    ],
    [
      'two of one name',
      [workload('Deployment', 'apps/v1'), workload('StatefulSet', 'apps/v1')],
      ['x Deployment/x', 'x-statefulset StatefulSet/x'],
    ],
    ['a kind of that name of another group', [workload('Deployment', 'example.com/v1')], []],
  ])('%s', (_, texts, wanted) => {
    expect(pods(...texts)).toEqual(wanted)
  })
})
