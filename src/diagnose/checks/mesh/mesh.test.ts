import { describe, expect, it } from 'vitest'
import { topology } from '../../../datapath/testing/topology.ts'
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { Network } from '../../../model/network.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import { conclude, inquire } from '../../diagnose.ts'
import { ask } from '../../question/ask.ts'
import { OBJECTS, STATE } from '../../testing/cluster.ts'
import { brief, NO_NETWORK, objectsOf, podItem, serviceItem, stateOf } from '../../testing/manifests.ts'
import { MESH_CHECKS } from './index.ts'

const found = (items: readonly object[], network: Network = NO_NETWORK) =>
  brief(MESH_CHECKS.flatMap((c) => c.find(stateOf(items, network))))

const SIDECAR = [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }, { name: 'istio-proxy' }]
const server = podItem('web2', { labels: { app: 'web' }, ip: '10.244.2.20', node: 'node2', containers: SIDECAR })
const bare = (labels: Record<string, string> = {}) => podItem('client1', { labels, ip: '10.244.1.10' })
const meshed = podItem('client1', { ip: '10.244.1.10', containers: SIDECAR })
const web = serviceItem('web', {
  clusterIP: '10.96.0.80',
  selector: { app: 'web' },
  ports: [{ name: 'http', port: 80, targetPort: 8080 }],
})
const peer = (mode: string, o: { ns?: string; spec?: object } = {}) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: o.ns ?? 'default' },
  spec: { mtls: { mode }, ...o.spec },
})

describe('F133 mutual TLS, without a question', () => {
  const W = ['warning mesh-mtls-strict PeerAuthentication default/default']
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'STRICT and a neighbour without sidecar': [[server, bare(), web, peer('STRICT')], W],
    'all in the mesh': [[server, meshed, web, peer('STRICT')], []],
    PERMISSIVE: [[server, bare(), web, peer('PERMISSIVE')], []],
    'STRICT for the mesh, PERMISSIVE here': [
      [server, bare(), web, peer('STRICT', { ns: 'istio-system' }), peer('PERMISSIVE')],
      [],
    ],
    'STRICT for the mesh': [
      [server, bare(), web, peer('STRICT', { ns: 'istio-system' })],
      ['warning mesh-mtls-strict PeerAuthentication istio-system/default'],
    ],
    'STRICT in another namespace': [[server, bare(), web, peer('STRICT', { ns: 'shop' })], []],
    'the server is in no mesh': [[podItem('web2', { labels: { app: 'web' } }), bare(), web, peer('STRICT')], []],
    'the client was left out on purpose': [
      [server, bare({ 'sidecar.istio.io/inject': 'false' }), web, peer('STRICT')],
      [],
    ],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })
})

describe('F133 mutual TLS, asked', () => {
  const answer = (extra: readonly object[], change: (o: KubeObjects) => KubeObjects = (o) => o) => {
    const { others } = objectsOf(extra)
    const objects = change({
      ...OBJECTS,
      others,
      pods: OBJECTS.pods.map((p) =>
        p.meta.name === 'web2'
          ? {
              ...p,
              containers: [
                ...p.containers,
                { name: 'istio-proxy', ports: [], hasPreStop: false, hasReadinessProbe: false },
              ],
            }
          : p,
      ),
    })
    const network = topology(STATE)
    const asked = ask(network, objects, {
      from: 'pod/client1',
      to: '10.244.2.20:8080',
      protocol: 'tcp',
      namespace: 'default',
    })
    const a = conclude(inquire(network, objects, asked), asked)
    return [a.verdict, a.rootCause]
  }
  it('a plain client and a STRICT server', () =>
    expect(answer([peer('STRICT')])).toEqual(['unreachable', 'mesh-mtls-strict']))
  it('PERMISSIVE', () => expect(answer([peer('PERMISSIVE')])).toEqual(['reachable', null]))
  it('this port is an exception', () =>
    expect(
      answer([
        peer('STRICT', {
          spec: { selector: { matchLabels: { app: 'web' } }, portLevelMtls: { 8080: { mode: 'PERMISSIVE' } } },
        }),
      ]),
    ).toEqual(['reachable', null]))
  it('the client has a sidecar', () =>
    expect(
      answer([peer('STRICT')], (o) => ({
        ...o,
        pods: o.pods.map((p) => ({
          ...p,
          containers: [
            ...p.containers,
            { name: 'istio-proxy', ports: [], hasPreStop: false, hasReadinessProbe: false },
          ],
        })),
      })),
    ).toEqual(['reachable', null]))
})

describe('F135 the protocol of a port', () => {
  const svc = (name: string, port = 80, targetPort: number | string = 8080, more: object = {}) =>
    serviceItem('solo', {
      clusterIP: '10.96.0.81',
      selector: { app: 'web' },
      ports: [{ name, port, targetPort, ...more }],
    })
  const W = ['warning mesh-protocol-wrong Service default/solo']
  const db = podItem('db', {
    labels: { app: 'web' },
    containers: [{ name: 'db', ports: [{ containerPort: 3306 }] }, { name: 'istio-proxy' }],
  })
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'https- before plain HTTP': [[server, svc('https-web')], W],
    http: [[server, svc('http-web')], []],
    'no name': [[server, svc('')], []],
    'tcp is never wrong': [[server, svc('tcp-web')], []],
    'the name is wrong, appProtocol is right': [[server, svc('https-web', 80, 8080, { appProtocol: 'http' })], []],
    'http before a database': [[db, svc('http-db', 3306, 3306)], W],
    'mysql before a database': [[db, svc('mysql', 3306, 3306)], []],
    'nobody in a mesh cares for names': [[podItem('web2', { labels: { app: 'web' } }), svc('https-web')], []],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })
  it("the proxy's log makes it certain", () => {
    const text = '"GET / HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95'
    const network: Network = {
      ...NO_NETWORK,
      nodes: new Map([
        [
          'node2',
          {
            name: 'node2',
            pods: [],
            files: {
              logs: [
                {
                  namespace: 'default',
                  pod: 'web2',
                  container: 'istio-proxy',
                  lines: [{ artefact: 'log', line: 1, text }],
                },
              ],
            },
          },
        ],
      ]),
    }
    expect(found([server, svc('https-web')], network)).toEqual(['error mesh-protocol-wrong Service default/solo'])
  })
})

describe('redirects of a mesh', () => {
  const ISTIO = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:ISTIO_INBOUND - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`
  const OWN = '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080\nCOMMIT\n'
  const pod = (listen: string, save: string) =>
    topology(`netns node1/pod/default/web2\n  eth0 dummy 10.244.1.20/24\n${listen}`, {
      'node1/pod/default/web2': [
        parseIptablesSave(save, { artefact: 'nodes/node1/pod.txt', family: 'ip', backend: 'iptables-nft' }),
      ],
    })
  const cases: Record<string, [Network, readonly string[]]> = {
    'nothing on 15001 and 15006': [
      pod('  listen tcp 0.0.0.0:8080\n', ISTIO),
      ['error mesh-redirect-no-proxy Pod default/web2'],
    ],
    'the proxy runs': [pod('  listen tcp 0.0.0.0:15001\n  listen tcp 0.0.0.0:15006\n', ISTIO), []],
    "a redirect of the pod's own": [pod('', OWN), []],
    'no mesh': [pod('', '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n'), []],
  }
  it.each(Object.entries(cases))('%s', (_name, [network, expected]) => {
    expect(found([server], network)).toEqual(expected)
  })
})
