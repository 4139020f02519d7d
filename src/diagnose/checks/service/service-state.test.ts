import { describe, expect, it } from 'vitest'
import { topology } from '../../../datapath/testing/topology.ts'
import type { Network } from '../../../model/network.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import { OBJECTS, STATE } from '../../testing/cluster.ts'
import { brief, NO_NETWORK, podItem, serviceItem, sliceItem, stateOf } from '../../testing/manifests.ts'
import { serviceEndpoints } from './endpoints-state.ts'
import { dualStackBackends, localEndpoints } from './reach-state.ts'
import { serviceTargets } from './target-state.ts'

const CHECKS = [serviceEndpoints, serviceTargets, localEndpoints, dualStackBackends]
const found = (items: readonly object[], network: Network = NO_NETWORK) =>
  brief(CHECKS.flatMap((c) => c.find(stateOf(items, network))))

const node = (name: string, o: object = {}) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, ...o })
const HTTP = [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }]
const web2 = (o: object = {}) =>
  podItem('web2', { labels: { app: 'web', name: 'web2' }, ip: '10.244.2.20', node: 'node2', containers: HTTP, ...o })
const solo = (selector: object, o: object = {}) =>
  serviceItem('solo', {
    clusterIP: '10.96.0.81',
    selector,
    ports: [{ name: 'http', port: 80, targetPort: 8080 }],
    ...o,
  })
const slice = (ready = true) => sliceItem('solo', 8080, [['10.244.2.20', 'node2', ready, 'web2']], { portName: 'http' })
const S = 'Service default/solo'
const deployment = (labels: object, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'preview', namespace: 'default' },
  spec: { replicas, template: { metadata: { labels } } },
})
const ingress = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'i', namespace: 'default' },
  spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'solo', port: { number: 80 } } } }] } }] },
}

describe('Services nobody answers for', () => {
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'all well': [[web2(), solo({ name: 'web2' }), slice()], []],
    'F060 a hyphen too many': [[web2(), solo({ app: 'web-2' })], [`warning service-no-endpoints ${S}`]],
    'F060 the right value under the wrong key': [
      [web2(), solo({ 'app.kubernetes.io/name': 'web' })],
      [`warning service-no-endpoints ${S}`],
    ],
    'F060 a letter missing': [
      [podItem('p', { labels: { app: 'frontend' } }), solo({ app: 'fronted' })],
      [`warning service-no-endpoints ${S}`],
    ],
    'F153 nobody there, nobody meant': [[web2(), solo({ app: 'preview' })], [`info service-no-endpoints ${S}`]],
    'scaled to zero beside its sister': [
      [web2(), solo({ app: 'web', track: 'canary' }), deployment({ app: 'web', track: 'canary' }, 0)],
      [`info service-no-endpoints ${S}`],
    ],
    'the second of a pair': [
      [podItem('web-1', { labels: { app: 'web-1' } }), solo({ app: 'web-2' })],
      [`info service-no-endpoints ${S}`],
    ],
    'nobody there, but an Ingress sends': [
      [web2(), solo({ app: 'preview' }), ingress],
      [`warning service-no-endpoints ${S}`],
    ],
    'scaled to zero, and an Ingress sends': [
      [solo({ app: 'preview' }), ingress, deployment({ app: 'preview' }, 0)],
      [`info service-no-endpoints ${S}`],
    ],
    'F062 a port name no pod has': [
      [web2(), solo({ name: 'web2' }, { ports: [{ name: 'http', port: 80, targetPort: 'https' }] })],
      [`error service-target-port-name-missing ${S}`],
    ],
    'F063 not Ready': [
      [web2({ ready: false }), solo({ name: 'web2' }), slice(false)],
      [`error service-endpoints-not-ready ${S}`],
    ],
    'not started yet': [
      [web2({ ready: false, status: { phase: 'Pending' } }), solo({ name: 'web2' })],
      [`info service-endpoints-not-ready ${S}`],
    ],
    'Ready, and the slice was not collected': [[web2(), solo({ name: 'web2' })], []],
    'endpoints by hand, none entered': [
      [serviceItem('solo', { ports: [{ port: 80 }] })],
      [`info service-no-endpoints ${S}`],
    ],
    ExternalName: [[serviceItem('solo', { type: 'ExternalName', externalName: 'x.example.com' })], []],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })

  it('gives the selector that matches', () => {
    const [f] = serviceEndpoints.find(stateOf([web2(), solo({ app: 'web-2' })]))
    expect(f?.finding.remedy?.commands).toEqual([
      `kubectl -n default patch service solo --type json -p '[{"op":"replace","path":"/spec/selector","value":{"name":"web2"}}]'`,
    ])
  })

  const dns = (o: object) =>
    podItem('coredns', { ns: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, ready: false, ...o })
  const kubeDns = serviceItem(
    'kube-dns',
    {
      clusterIP: '10.96.0.10',
      selector: { 'k8s-app': 'kube-dns' },
      ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
    },
    { ns: 'kube-system' },
  )
  const waiting = node('node1', {
    status: {
      conditions: [
        { type: 'Ready', status: 'False', message: 'Network plugin returns error: cni plugin not initialized' },
      ],
    },
  })
  it('F089 no CoreDNS is Ready', () =>
    expect(found([kubeDns, dns({})])).toEqual(['error dns-no-endpoints Service kube-system/kube-dns']))
  it('CoreDNS waits for a CNI', () =>
    expect(found([kubeDns, dns({ status: { phase: 'Pending' } }), waiting])).toEqual([
      'info dns-no-endpoints Service kube-system/kube-dns',
    ]))
})

describe('endpoints that do not listen', () => {
  const { objects } = { objects: OBJECTS }
  const run = (change: (t: string) => string, of: (o: typeof objects) => typeof objects = (o) => o, rules?: string) => {
    const network = topology(
      change(STATE),
      rules
        ? {
            'node2/pod/default/web2': [
              parseIptablesSave(rules, { artefact: 'x', family: 'ip', backend: 'iptables-nft' }),
            ],
          }
        : {},
    )
    return brief(serviceTargets.find({ network, objects: of(objects) }))
  }
  const toPort = (n: number) => (o: typeof objects) => ({
    ...o,
    services: o.services.map((s) => ({ ...s, ports: s.ports.map((p) => ({ ...p, targetPort: n })) })),
    endpointSlices: o.endpointSlices.map((s) => ({ ...s, ports: s.ports.map((p) => ({ ...p, port: n })) })),
  })
  const withClient = (o: typeof objects) => ({
    ...o,
    endpointSlices: o.endpointSlices.map((s) => ({
      ...s,
      endpoints: [
        ...s.endpoints,
        {
          ...s.endpoints[0]!,
          addresses: ['10.244.1.10'],
          target: { kind: 'Pod', namespace: 'default', name: 'client1' },
        },
      ],
    })),
  })
  const same = (t: string) => t
  it('all well', () => expect(run(same)).toEqual([]))
  it('F061 the wrong targetPort', () =>
    expect(run(same, toPort(9090))).toEqual(['error service-target-port-wrong Service default/web']))
  it('F066 a stranger among the endpoints', () =>
    expect(run(same, withClient)).toEqual(['error service-selector-too-broad Service default/web']))
  it('one of two replicas is down: not the Service', () =>
    expect(run((t) => t.replace(/(web2[\s\S]*)listen tcp 0.0.0.0:8080/, '$1'))).toEqual([]))
  it('loopback only is told elsewhere', () =>
    expect(run((t) => t.replaceAll('listen tcp 0.0.0.0:8080', 'listen tcp 127.0.0.1:8080'))).toEqual([]))
  it('a pod that redirects by itself is not judged', () =>
    expect(
      run(
        same,
        (o) =>
          toPort(9090)({
            ...o,
            endpointSlices: o.endpointSlices.map((s) => ({ ...s, endpoints: s.endpoints.slice(1) })),
          }),
        '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 9090 -j REDIRECT --to-ports 8080\nCOMMIT\n',
      ),
    ).toEqual([]))
})

describe('Local, and both families', () => {
  const local = solo({ app: 'web' }, { type: 'NodePort', externalTrafficPolicy: 'Local' })
  const at = (name: string) => sliceItem('solo', 8080, [['10.244.2.20', name, true, 'web2']], { portName: 'http' })
  const nodes = [node('node1'), node('node2')]
  const six = (more: readonly object[] = []) => [
    web2(),
    solo({ app: 'web' }, { clusterIPs: ['10.96.0.81', 'fd00:10:96::81'] }),
    slice(),
    ...more,
  ]
  const v6 = sliceItem('solo', 8080, [['fd00:10:244:2::14', 'node2', true, 'web2']], {
    portName: 'http',
    family: 'IPv6',
  })
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'F103 one node of two has none': [
      [...nodes, web2(), local, at('node2')],
      [`info traffic-policy-no-local-endpoint ${S}`],
    ],
    'F104 a name that is no Node': [
      [...nodes, web2(), local, at('node2.example.com')],
      [`error service-topology-mismatch ${S}`],
    ],
    'a strange name does not matter with Cluster': [
      [...nodes, web2(), solo({ app: 'web' }), at('node2.example.com')],
      [],
    ],
    'both families': [six([v6]), []],
    'IPv6 has no endpoint': [six(), [`error dual-stack-backend-missing ${S}`]],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })
})
