import { describe, expect, test } from 'vitest'
import type { EndpointSliceObject, KubeObjects, NodeObject, ServiceObject } from '../../kubeobj/objects.ts'
import { expectedServices } from './expected.ts'
import { renderIptables } from './iptables.ts'
import { renderNft } from './nft.ts'
import type { ProxyOptions } from './options.ts'

const evidence = { artefact: 'test', line: 1, text: '', source: '' }
const meta = (namespace: string, name: string, labels: Record<string, string> = {}) => ({
  name,
  namespace,
  uid: '',
  labels,
  annotations: {},
  owners: [],
})

function service(over: Partial<ServiceObject> = {}, name = 'svc'): ServiceObject {
  return {
    meta: meta('ns', name),
    evidence,
    type: 'ClusterIP',
    clusterIPs: ['10.96.0.41'],
    externalIPs: [],
    ports: [{ name: 'p80', port: 80, protocol: 'TCP', targetPort: 8080 }],
    selector: null,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    loadBalancerSourceRanges: [],
    loadBalancerIngress: [],
    ipFamilies: ['IPv4'],
    publishNotReadyAddresses: false,
    ...over,
  }
}

type Endpoint = EndpointSliceObject['endpoints'][number]
const ep = (address: string, nodeName: string, over: Partial<Endpoint> = {}): Endpoint => ({
  addresses: [address],
  ready: true,
  serving: true,
  terminating: false,
  nodeName,
  hintZones: [],
  hintNodes: [],
  ...over,
})
const gone = { ready: false, serving: true, terminating: true } as const

function slice(endpoints: Endpoint[], over: Partial<EndpointSliceObject> = {}): EndpointSliceObject {
  return {
    meta: meta('ns', 'svc-a'),
    evidence,
    serviceName: 'svc',
    addressType: 'IPv4',
    ports: [{ name: 'p80', port: 8080, protocol: 'TCP' }],
    endpoints,
    ...over,
  }
}

const node = (name: string, zone: string): NodeObject => ({
  meta: meta('', name, { 'topology.kubernetes.io/zone': zone }),
  evidence,
  podCIDRs: [],
  addresses: [],
  conditions: [],
  taints: [],
  allocatable: {},
})

function objects(services: ServiceObject[], endpointSlices: EndpointSliceObject[]): KubeObjects {
  return {
    nodes: [node('n1', 'a'), node('n2', 'b')],
    pods: [],
    services,
    endpointSlices,
    namespaces: [],
    events: [],
    others: [],
    known: new Set(),
  }
}

const options: ProxyOptions = {
  nodeIPs: ['192.168.0.2'],
  clusterCIDRs: ['10.0.0.0/8'],
  serviceCIDRs: ['10.96.0.0/12'],
}

const chosen = (s: ServiceObject, endpoints: Endpoint[], at = 'n1') => {
  const [one] = expectedServices(objects([s], [slice(endpoints)]), at)
  const texts = (list: readonly { address: string }[]) => list.map((e) => e.address)
  return { cluster: texts(one!.cluster), local: texts(one!.local), reachable: texts(one!.reachable), any: one!.any }
}

const nodePort = { type: 'NodePort', ports: [{ ...service().ports[0]!, nodePort: 30080 }] }
const local = { ...nodePort, externalTrafficPolicy: 'Local' }

describe('the choice of endpoints', () => {
  test.each<[string, ServiceObject, Endpoint[], Partial<ReturnType<typeof chosen>>]>([
    [
      'sorted by text',
      service(),
      [ep('10.0.0.9', 'n1'), ep('10.0.0.10', 'n2')],
      { cluster: ['10.0.0.10', '10.0.0.9'] },
    ],
    [
      'unready ones are left out',
      service(),
      [ep('10.0.0.1', 'n1', { ready: false, serving: false }), ep('10.0.0.2', 'n2')],
      { cluster: ['10.0.0.2'] },
    ],
    [
      'terminating only while none is ready',
      service(),
      [ep('10.0.0.1', 'n1', gone), ep('10.0.0.2', 'n2')],
      { cluster: ['10.0.0.2'] },
    ],
    [
      'terminating ones serve when none is ready',
      service(),
      [ep('10.0.0.1', 'n1', gone)],
      { cluster: ['10.0.0.1'], any: true },
    ],
    [
      'terminating that do not serve do not count',
      service(),
      [ep('10.0.0.1', 'n1', { ...gone, serving: false })],
      { cluster: [], any: false },
    ],
    [
      'external policy Local: both sets',
      service(local),
      [ep('10.0.0.1', 'n1'), ep('10.0.0.2', 'n2')],
      { cluster: ['10.0.0.1', '10.0.0.2'], local: ['10.0.0.1'] },
    ],
    [
      'external policy Local: local terminating beside ready remote',
      service(local),
      [ep('10.0.0.1', 'n1', gone), ep('10.0.0.2', 'n2')],
      { cluster: ['10.0.0.2'], local: ['10.0.0.1'], reachable: ['10.0.0.2', '10.0.0.1'] },
    ],
    [
      'external policy Local of a plain ClusterIP means nothing',
      service({ externalTrafficPolicy: 'Local' }),
      [ep('10.0.0.2', 'n2')],
      { cluster: ['10.0.0.2'], local: [] },
    ],
    [
      'internal policy Local: remote endpoints count as existing',
      service({ internalTrafficPolicy: 'Local' }),
      [ep('10.0.0.2', 'n2')],
      { cluster: [], local: [], any: true },
    ],
    [
      'hints for our zone',
      service(),
      [ep('10.0.0.1', 'n1', { hintZones: ['b'] }), ep('10.0.0.2', 'n2', { hintZones: ['a'] })],
      { cluster: ['10.0.0.2'] },
    ],
    [
      'hints are void when one ready endpoint lacks them',
      service(),
      [ep('10.0.0.1', 'n1'), ep('10.0.0.2', 'n2', { hintZones: ['a'] })],
      { cluster: ['10.0.0.1', '10.0.0.2'] },
    ],
    [
      'hints are void when none is for our zone',
      service(),
      [ep('10.0.0.1', 'n1', { hintZones: ['c'] })],
      { cluster: ['10.0.0.1'] },
    ],
    [
      'node hints win over zones',
      service(),
      [
        ep('10.0.0.1', 'n1', { hintZones: ['a'], hintNodes: ['n1'] }),
        ep('10.0.0.2', 'n2', { hintZones: ['a'], hintNodes: ['n2'] }),
      ],
      { cluster: ['10.0.0.1'] },
    ],
  ])('%s', (_, s, endpoints, want) => {
    expect(chosen(s, endpoints)).toMatchObject(want)
  })

  test('one address in two slices is one endpoint, ready when either says so', () => {
    const two = objects([service()], [slice([ep('10.0.0.1', 'n1', { ready: false })]), slice([ep('10.0.0.1', 'n1')])])
    expect(expectedServices(two, 'n1')[0]!.cluster.map((e) => e.text)).toEqual(['10.0.0.1:8080'])
  })

  test('what kube-proxy leaves alone', () => {
    const left = [
      service({ clusterIPs: ['None'] }),
      service({ type: 'ExternalName', clusterIPs: [] }),
      service({ meta: meta('ns', 'svc', { 'service.kubernetes.io/service-proxy-name': 'other' }) }),
    ]
    expect(expectedServices(objects(left, []), 'n1')).toEqual([])
  })

  test('dual stack: one entry per family with that family’s endpoints', () => {
    const dual = service({ clusterIPs: ['10.96.0.41', 'fd00::41'] })
    const got = expectedServices(
      objects([dual], [slice([ep('10.0.0.1', 'n1')]), slice([ep('fd00:1::1', 'n1')], { addressType: 'IPv6' })]),
      'n1',
    )
    expect(got.map((s) => [s.family, s.clusterIP, s.cluster[0]!.text])).toEqual([
      [4, '10.96.0.41', '10.0.0.1:8080'],
      [6, 'fd00::41', '[fd00:1::1]:8080'],
    ])
  })
})

const rules = (s: ServiceObject, endpoints: Endpoint[], over: Partial<ProxyOptions> = {}) =>
  renderIptables(expectedServices(objects([s], [slice(endpoints)]), 'n1'), 4, { ...options, ...over }, { jumps: false })
    .text.split('\n')
    .filter((l) => l.includes('ns/svc'))

describe('iptables', () => {
  test('a ClusterIP with two endpoints', () => {
    const got = rules(service(), [ep('10.0.0.1', 'n1'), ep('10.0.0.2', 'n2')])
    const hash = /KUBE-SVC-(\w+)/.exec(got[0]!)![1]!
    expect(got.map((l) => l.replaceAll(hash, 'HASH').replace(/SEP-\w+/g, 'SEP'))).toEqual([
      '-A KUBE-SERVICES -m comment --comment "ns/svc:p80 cluster IP" -m tcp -p tcp -d 10.96.0.41 --dport 80 -j KUBE-SVC-HASH',
      '-A KUBE-SVC-HASH -m comment --comment "ns/svc:p80 cluster IP" -m tcp -p tcp -d 10.96.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ',
      '-A KUBE-SVC-HASH -m comment --comment "ns/svc:p80 -> 10.0.0.1:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP',
      '-A KUBE-SVC-HASH -m comment --comment "ns/svc:p80 -> 10.0.0.2:8080" -j KUBE-SEP',
      '-A KUBE-SEP -m comment --comment "ns/svc:p80" -s 10.0.0.1 -j KUBE-MARK-MASQ',
      '-A KUBE-SEP -m comment --comment "ns/svc:p80" -m tcp -p tcp -j DNAT --to-destination 10.0.0.1:8080',
      '-A KUBE-SEP -m comment --comment "ns/svc:p80" -s 10.0.0.2 -j KUBE-MARK-MASQ',
      '-A KUBE-SEP -m comment --comment "ns/svc:p80" -m tcp -p tcp -j DNAT --to-destination 10.0.0.2:8080',
    ])
  })

  test('no endpoints: reject; none here under policy Local: drop', () => {
    expect(rules(service(), [])).toEqual([
      '-A KUBE-SERVICES -m comment --comment "ns/svc:p80 has no endpoints" -m tcp -p tcp -d 10.96.0.41 --dport 80 -j REJECT',
    ])
    const here = rules(service(local), [ep('10.0.0.2', 'n2')])
    expect(here).toContain(
      '-A KUBE-EXTERNAL-SERVICES -m comment --comment "ns/svc:p80 has no local endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j DROP',
    )
    expect(here.filter((l) => l.startsWith('-A KUBE-EXT-')).map((l) => l.replace(/-(EXT|SVC)-\w+/g, '-$1'))).toEqual([
      '-A KUBE-EXT -m comment --comment "pod traffic for ns/svc:p80 external destinations" -s 10.0.0.0/8 -j KUBE-SVC',
      '-A KUBE-EXT -m comment --comment "masquerade LOCAL traffic for ns/svc:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
      '-A KUBE-EXT -m comment --comment "route LOCAL traffic for ns/svc:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC',
    ])
  })

  test('source ranges: the firewall chain ends in a rule without a target', () => {
    const lb = service({
      type: 'LoadBalancer',
      loadBalancerIngress: [{ ip: '5.6.7.8' }, { ip: '9.9.9.9', ipMode: 'Proxy' }],
      loadBalancerSourceRanges: [' 203.0.113.0/25', '192.168.0.0/24'],
    })
    const fw = rules(lb, [ep('10.0.0.1', 'n1')]).filter((l) => l.startsWith('-A KUBE-FW'))
    expect(fw.map((l) => l.replace(/-(EXT|FW)-\w+/g, '-$1'))).toEqual([
      '-A KUBE-FW -m comment --comment "ns/svc:p80 loadbalancer IP" -s 203.0.113.0/25 -j KUBE-EXT',
      '-A KUBE-FW -m comment --comment "ns/svc:p80 loadbalancer IP" -s 192.168.0.0/24 -j KUBE-EXT',
      '-A KUBE-FW -m comment --comment "ns/svc:p80 loadbalancer IP" -s 5.6.7.8 -j KUBE-EXT',
      '-A KUBE-FW -m comment --comment "other traffic to ns/svc:p80 will be dropped by KUBE-PROXY-FIREWALL"',
    ])
  })

  test('affinity, masqueradeAll, no detector', () => {
    const sticky = rules(service({ sessionAffinity: 'ClientIP', sessionAffinityTimeout: 60 }), [ep('10.0.0.1', 'n1')])
    expect(sticky.join('\n')).toMatch(/-m recent --name (KUBE-SEP-\w+) --rcheck --seconds 60 --reap -j \1/)
    expect(sticky.join('\n')).toMatch(/-m recent --name KUBE-SEP-\w+ --set -m tcp -p tcp -j DNAT/)
    const masq = (over: Partial<ProxyOptions>) => rules(service(), [ep('10.0.0.1', 'n1')], over)[1]
    expect(masq({ masqueradeAll: true })).toMatch(/--dport 80 -j KUBE-MARK-MASQ$/)
    expect(masq({ clusterCIDRs: [] })).not.toMatch(/MARK-MASQ/)
  })

  test('hostile names end neither the quotes nor the line', () => {
    const got = rules(
      service({ ports: [{ name: 'x"\nCOMMIT\n-j ACCEPT', port: 80, protocol: 'TCP', targetPort: 1 }] }),
      [],
    )
    expect(got).toHaveLength(1)
    expect(got[0]).toContain('"ns/svc:xCOMMIT-j ACCEPT has no endpoints"')
  })

  test('chains that are no more are deleted', () => {
    const before = renderIptables(
      expectedServices(objects([service()], [slice([ep('10.0.0.1', 'n1')])]), 'n1'),
      4,
      options,
      { jumps: true },
    )
    const after = renderIptables([], 4, options, { jumps: false, stale: before.chains })
    for (const chain of before.chains) expect(after.text).toContain(`-X ${chain}\n`)
    expect(after.text).not.toContain('-I ')
  })
})

describe('nftables', () => {
  const nft = (s: ServiceObject, endpoints: Endpoint[]) =>
    renderNft(expectedServices(objects([s], [slice(endpoints)]), 'n1'), 4, options)
      .split('\n')
      .filter((l) => l.includes('ns/svc'))
      .map((l) => l.replace(/^add (\w+) ip kube-proxy /, '$1 ').replace(/-[A-Z2-7]{8}-/g, '-'))

  test('a ClusterIP with two endpoints', () => {
    expect(nft(service(), [ep('10.0.0.1', 'n1'), ep('10.0.0.2', 'n2')])).toEqual([
      'chain endpoint-ns/svc/tcp/p80__10.0.0.1/8080',
      'rule endpoint-ns/svc/tcp/p80__10.0.0.1/8080 ip saddr 10.0.0.1 jump mark-for-masquerade',
      'rule endpoint-ns/svc/tcp/p80__10.0.0.1/8080 meta l4proto tcp dnat to 10.0.0.1:8080',
      'chain endpoint-ns/svc/tcp/p80__10.0.0.2/8080',
      'rule endpoint-ns/svc/tcp/p80__10.0.0.2/8080 ip saddr 10.0.0.2 jump mark-for-masquerade',
      'rule endpoint-ns/svc/tcp/p80__10.0.0.2/8080 meta l4proto tcp dnat to 10.0.0.2:8080',
      'chain service-ns/svc/tcp/p80',
      'rule service-ns/svc/tcp/p80 ip daddr 10.96.0.41 ip saddr != 10.0.0.0/8 jump mark-for-masquerade',
      'rule service-ns/svc/tcp/p80 numgen random mod 2 vmap { 0 : goto endpoint-ns/svc/tcp/p80__10.0.0.1/8080 , 1 : goto endpoint-ns/svc/tcp/p80__10.0.0.2/8080 }',
      'element service-ips { 10.96.0.41 . tcp . 80 : goto service-ns/svc/tcp/p80 }',
    ])
  })

  test('no endpoints, and none here', () => {
    expect(nft(service(), [])).toEqual([
      'element no-endpoint-services { 10.96.0.41 . tcp . 80 comment "ns/svc:p80" : goto reject-chain }',
    ])
    expect(nft(service(local), [ep('10.0.0.2', 'n2')])).toContain(
      'element no-endpoint-nodeports { tcp . 30080 comment "ns/svc:p80" : drop }',
    )
  })

  test('the firewall stands even without endpoints', () => {
    const lb = service({
      type: 'LoadBalancer',
      loadBalancerIngress: [{ ip: '5.6.7.8' }],
      loadBalancerSourceRanges: ['203.0.113.0/25'],
    })
    expect(nft(lb, [])).toContain('rule firewall-ns/svc/tcp/p80 ip saddr != { 203.0.113.0/25 } drop')
    expect(nft(lb, [])).toContain('element firewall-ips { 5.6.7.8 . tcp . 80 : goto firewall-ns/svc/tcp/p80 }')
  })
})
