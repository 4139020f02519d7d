import { describe, expect, test } from 'vitest'
import type { EndpointSliceObject, KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import { expectedServices } from './expected.ts'
import { expectedBoundAddresses, expectedVirtualServers, renderIpvs } from './ipvs.ts'

const evidence = { artefact: 'test', text: '' }
const meta = (name: string, labels: Record<string, string> = {}) => ({
  name,
  namespace: 'ns',
  uid: '',
  labels,
  annotations: {},
  owners: [],
})

function service(over: Partial<ServiceObject> = {}, labels: Record<string, string> = {}): ServiceObject {
  return {
    meta: meta('svc', labels),
    evidence,
    type: 'ClusterIP',
    clusterIPs: ['10.96.0.41', 'fd00:96::41'],
    externalIPs: [],
    ports: [{ name: 'p', port: 80, protocol: 'TCP', targetPort: 8080 }],
    selector: null,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    loadBalancerSourceRanges: [],
    loadBalancerIngress: [],
    ipFamilies: ['IPv4', 'IPv6'],
    publishNotReadyAddresses: false,
    ...over,
  }
}

const slice = (family: 4 | 6, addresses: readonly [string, string][], labels = {}): EndpointSliceObject => ({
  meta: meta(`svc-${family}`, labels),
  evidence,
  serviceName: 'svc',
  addressType: `IPv${family}`,
  ports: [{ name: 'p', port: 8080, protocol: 'TCP' }],
  endpoints: addresses.map(([address, nodeName]) => ({
    addresses: [address],
    ready: true,
    serving: true,
    terminating: false,
    nodeName,
    hintZones: [],
    hintNodes: [],
  })),
})

const two = slice(4, [
  ['10.0.0.1', 'n1'],
  ['10.0.0.2', 'n2'],
])

function render(s: ServiceObject, slices: readonly EndpointSliceObject[], node = 'n1', family: 4 | 6 = 4): string[] {
  const objects: KubeObjects = {
    nodes: [],
    pods: [],
    services: [s],
    endpointSlices: slices,
    namespaces: [],
    events: [],
    others: [],
    known: new Set(),
  }
  const options = { nodeIPs: ['192.168.0.2', 'fd00::2'], clusterCIDRs: [], serviceCIDRs: [] }
  const servers = expectedVirtualServers(expectedServices(objects, node), family, options)
  return [...renderIpvs(servers).trim().split('\n'), `bound ${expectedBoundAddresses(servers).join(' ')}`]
}

const nodePort = { type: 'NodePort', ports: [{ ...service().ports[0]!, nodePort: 30080 }] }

describe('virtual servers (kube-proxy pkg/proxy/ipvs/proxier_test.go)', () => {
  test.each<[string, ServiceObject, readonly EndpointSliceObject[], string[], string?, (4 | 6)?]>([
    [
      'a cluster address',
      service(),
      [two],
      [
        '-A -t 10.96.0.41:80 -s rr',
        '-a -t 10.96.0.41:80 -r 10.0.0.1:8080 -m -w 1',
        '-a -t 10.96.0.41:80 -r 10.0.0.2:8080 -m -w 1',
        'bound 10.96.0.41',
      ],
    ],
    [
      'IPv6 has its own',
      service(),
      [two, slice(6, [['fd00::9', 'n1']])],
      ['-A -t [fd00:96::41]:80 -s rr', '-a -t [fd00:96::41]:80 -r [fd00::9]:8080 -m -w 1', 'bound fd00:96::41'],
      'n1',
      6,
    ],
    ['no endpoints: it stands empty', service(), [], ['-A -t 10.96.0.41:80 -s rr', 'bound 10.96.0.41']],
    [
      'affinity, UDP',
      service({
        sessionAffinity: 'ClientIP',
        sessionAffinityTimeout: 60,
        ports: [{ ...service().ports[0]!, protocol: 'UDP' }],
      }),
      [],
      ['-A -u 10.96.0.41:80 -s rr -p 60', 'bound 10.96.0.41'],
    ],
    [
      'node ports stand on the node address, which is not bound; Local keeps to the node',
      service({ ...nodePort, externalTrafficPolicy: 'Local' }),
      [two],
      [
        '-A -t 10.96.0.41:80 -s rr',
        '-a -t 10.96.0.41:80 -r 10.0.0.1:8080 -m -w 1',
        '-a -t 10.96.0.41:80 -r 10.0.0.2:8080 -m -w 1',
        '-A -t 192.168.0.2:30080 -s rr',
        '-a -t 192.168.0.2:30080 -r 10.0.0.2:8080 -m -w 1',
        'bound 10.96.0.41',
      ],
      'n2',
    ],
    [
      'Local without a local endpoint takes all: the rules drop outsiders',
      service({ ...nodePort, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }),
      [slice(4, [['10.0.0.1', 'n1']])],
      [
        '-A -t 10.96.0.41:80 -s rr',
        '-a -t 10.96.0.41:80 -r 10.0.0.1:8080 -m -w 1',
        '-A -t 192.168.0.2:30080 -s rr',
        '-a -t 192.168.0.2:30080 -r 10.0.0.1:8080 -m -w 1',
        'bound 10.96.0.41',
      ],
      'n2',
    ],
    [
      'external and load balancer addresses are bound too, but not those of a proxying load balancer',
      service({
        type: 'LoadBalancer',
        externalIPs: ['203.0.113.1'],
        loadBalancerIngress: [{ ip: '203.0.113.2' }, { ip: '203.0.113.3', ipMode: 'Proxy' }],
      }),
      [],
      [
        '-A -t 10.96.0.41:80 -s rr',
        '-A -t 203.0.113.1:80 -s rr',
        '-A -t 203.0.113.2:80 -s rr',
        'bound 10.96.0.41 203.0.113.1 203.0.113.2',
      ],
    ],
    ['a headless one has none', service({ clusterIPs: ['None'] }), [two], ['', 'bound ']],
    ['an ExternalName has none', service({ type: 'ExternalName' }), [two], ['', 'bound ']],
    [
      'one that another proxy serves has none',
      service({}, { 'service.kubernetes.io/service-proxy-name': 'x' }),
      [two],
      ['', 'bound '],
    ],
  ])('%s', (_, s, slices, expected, node, family) => {
    expect(render(s, slices, node, family)).toEqual(expected)
  })

  test('slices of a headless Service mirrored by label are not seen', () => {
    const hidden = slice(4, [['10.0.0.9', 'n1']], { 'service.kubernetes.io/headless': '' })
    expect(render(service(), [hidden])).toEqual(['-A -t 10.96.0.41:80 -s rr', 'bound 10.96.0.41'])
  })
})
