import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeObjects, noObjects } from './decode.ts'

const read = (...values: unknown[]) => decodeObjects(values.map((value) => ({ artefact: 'objects/all.json', value })))
const meta = (name: string, more = {}) => ({ name, namespace: 'shop', ...more })

describe('decoding', () => {
  it('takes Lists, typed lists without item kinds, arrays and single objects; last one counts', () => {
    const pod = (phase: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: meta('web-1'), status: { phase } })
    const { value, issues } = read(
      { kind: 'List', apiVersion: 'v1', items: [pod('Pending'), pod('Running')] },
      { kind: 'NodeList', apiVersion: 'v1', items: [{ metadata: { name: 'node1' } }] },
      { kind: 'NetworkPolicyList', apiVersion: 'networking.k8s.io/v1', items: [] },
      [{ kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'shop', labels: { a: 1 } } }],
    )
    expect(issues).toEqual([])
    expect(value.pods.map((p) => [p.meta.namespace, p.meta.name, p.phase])).toEqual([['shop', 'web-1', 'Running']])
    expect(value.nodes.map((n) => n.meta.name)).toEqual(['node1'])
    expect(value.namespaces[0]!.meta).toMatchObject({ namespace: '', labels: { a: '1' } })
    expect([...value.known].sort()).toEqual(['Namespace', 'NetworkPolicy', 'Node', 'Pod'])
  })
  it('keeps unknown kinds whole, and core names of other groups among them', () => {
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: meta('deny'),
      spec: { podSelector: {} },
    }
    const { value } = read(policy, { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: meta('x') })
    expect(value.others.map((o) => `${o.apiVersion} ${o.kind}`)).toEqual([
      'networking.k8s.io/v1 NetworkPolicy',
      'serving.knative.dev/v1 Service',
    ])
    expect(value.others[0]!.raw).toEqual(policy)
    expect(value.services).toEqual([])
  })
  it('reads a pod and a Service with their defaults', () => {
    const { value } = read(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: meta('web-1', { ownerReferences: [{ kind: 'ReplicaSet', name: 'web' }, 7] }),
        spec: {
          nodeName: 'node2',
          containers: [{ name: 'c', ports: [{ containerPort: 8080, name: 'http' }, { containerPort: 99999 }] }],
          initContainers: [
            { name: 'proxy', restartPolicy: 'Always', ports: [{ containerPort: 15001 }] },
            { name: 'once' },
          ],
        },
        status: { podIP: '10.244.2.2', podIPs: [{ ip: '10.244.2.2' }, { ip: 'fd00::2' }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: meta('web'),
        spec: {
          clusterIP: '10.96.1.1',
          selector: { app: 'web' },
          ports: [
            { port: 80, targetPort: 'http', nodePort: 30080 },
            { port: 53, protocol: 'UDP' },
          ],
        },
      },
      { apiVersion: 'v1', kind: 'Service', metadata: meta('byhand'), spec: { selector: {} } },
    )
    const pod = value.pods[0]!
    expect(pod).toMatchObject({ nodeName: 'node2', hostNetwork: false, podIPs: ['10.244.2.2', 'fd00::2'] })
    expect(pod.meta.owners).toEqual([{ kind: 'ReplicaSet', name: 'web' }])
    expect(pod.containers.map((c) => [c.name, c.ports])).toEqual([
      ['c', [{ name: 'http', containerPort: 8080, protocol: 'TCP' }]],
      ['proxy', [{ containerPort: 15001, protocol: 'TCP' }]],
    ])
    expect(value.services[0]).toMatchObject({
      type: 'ClusterIP',
      clusterIPs: ['10.96.1.1'],
      externalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ports: [
        { name: '', port: 80, targetPort: 'http', nodePort: 30080, protocol: 'TCP' },
        { name: '', port: 53, targetPort: 53, protocol: 'UDP' },
      ],
    })
    expect(value.services[1]!.selector).toBeNull()
  })
  it('takes absent endpoint conditions as the API does', () => {
    const slice = (conditions: object | undefined) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: meta('web-x', { labels: { 'kubernetes.io/service-name': 'web' } }),
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.2.2'], conditions }],
    })
    const state = (c: object | undefined) => {
      const e = read(slice(c)).value.endpointSlices[0]!.endpoints[0]!
      return [e.ready, e.serving, e.terminating]
    }
    expect(state(undefined)).toEqual([true, true, false])
    expect(state({ ready: null })).toEqual([true, true, false])
    expect(state({ ready: false })).toEqual([false, false, false])
    expect(state({ ready: false, serving: true, terminating: true })).toEqual([false, true, true])
  })
  it('mirrors legacy Endpoints for Services without slices only', () => {
    const endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: meta('db'),
      subsets: [
        {
          addresses: [
            { ip: '10.244.3.5', nodeName: 'node3', targetRef: { kind: 'Pod', name: 'db-0', namespace: 'shop' } },
            { ip: 'fd00::5' },
          ],
          notReadyAddresses: [{ ip: '10.244.3.6' }],
          ports: [{ port: 5432 }],
        },
      ],
    }
    const slices = read(endpoints).value.endpointSlices
    expect(
      slices.map((s) => [s.addressType, s.serviceName, s.endpoints.map((e) => `${e.addresses[0]} ${e.ready}`)]),
    ).toEqual([
      ['IPv4', 'db', ['10.244.3.5 true', '10.244.3.6 false']],
      ['IPv6', 'db', ['fd00::5 true']],
    ])
    const own = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: meta('db-1', { labels: { 'kubernetes.io/service-name': 'db' } }),
      endpoints: [],
    }
    expect(read(endpoints, own).value.endpointSlices.map((s) => s.meta.name)).toEqual(['db-1'])
  })
  it('names what is no object, and never throws', () => {
    expect(read(7, { kind: 'Pod' }, { metadata: { name: 'x' } }).issues.map((i) => i.message)).toEqual([
      'not a Kubernetes object',
      'a Pod without a name',
      'an object without a kind',
    ])
    const kinds = fc.constantFrom('Pod', 'Service', 'Node', 'EndpointSlice', 'Endpoints', 'Event', 'Namespace', 'X')
    const part = fc.dictionary(
      fc.constantFrom('containers', 'ports', 'addresses', 'podIPs', 'conditions', 'clusterIPs', 'selector', 'x'),
      fc.jsonValue(),
    )
    fc.assert(
      fc.property(kinds, part, part, fc.jsonValue(), (kind, spec, status, metadata) => {
        read(
          { apiVersion: 'v1', kind, metadata, spec, status },
          {
            kind,
            apiVersion: 'v1',
            metadata: { name: 'a' },
            spec,
            status,
            ...spec,
            endpoints: [spec],
            subsets: [status],
          },
          metadata,
        )
      }),
    )
  })
  it('has nothing, and knows nothing, without an API', () => {
    const none = noObjects()
    expect([none.pods.length, none.services.length, none.known.size]).toEqual([0, 0, 0])
  })
})
