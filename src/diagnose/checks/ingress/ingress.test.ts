import { describe, expect, it } from 'vitest'
import { topology } from '../../../datapath/testing/topology.ts'
import type { Network } from '../../../model/network.ts'
import { brief, NO_NETWORK, podItem, serviceItem, sliceItem, stateOf } from '../../testing/manifests.ts'
import { ingressBackend } from './backend.ts'
import { ingressClass, ingressController } from './class.ts'
import { gatewayClass, gatewayRoute } from './gateway.ts'
import { proxyProtocol } from './proxy-protocol.ts'
import { webhookUnreachable } from './webhook.ts'

const CHECKS = [
  ingressBackend,
  ingressClass,
  ingressController,
  gatewayClass,
  gatewayRoute,
  proxyProtocol,
  webhookUnreachable,
]

function found(items: readonly object[], network: Network = NO_NETWORK): string[] {
  const state = stateOf(items, network)
  return brief(CHECKS.flatMap((c) => c.find(state)))
}

const ingress = (spec: object, o: { metadata?: object; status?: object } = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default', ...o.metadata },
  spec: {
    rules: [
      {
        host: 'web.example.com',
        http: { paths: [{ path: '/', backend: { service: { name: 'web', port: { number: 80 } } } }] },
      },
    ],
    ...spec,
  },
  status: o.status ?? { loadBalancer: {} },
})
const SERVED = { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } }
const port = (number: number) => ({
  rules: [{ host: 'web.example.com', http: { paths: [{ backend: { service: { name: 'web', port: { number } } } }] } }],
})
const klass = (name: string, isDefault = false, controller = 'k8s.io/ingress-nginx') => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name, ...(isDefault ? { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } } : {}) },
  spec: { controller },
})
const web = serviceItem('web', {
  clusterIP: '10.96.0.80',
  selector: { app: 'web' },
  ports: [{ name: 'http', port: 80, targetPort: 8080 }],
})
const controller = (ready = true) =>
  podItem('ingress-nginx-controller-x', {
    ns: 'ingress-nginx',
    ready,
    labels: { 'app.kubernetes.io/name': 'ingress-nginx' },
  })

describe('Ingress', () => {
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'all well': [[web, klass('nginx'), controller(), ingress({ ingressClassName: 'nginx' }, { status: SERVED })], []],
    'F110 no class, none default': [
      [web, klass('nginx'), controller(), ingress({})],
      ['error ingress-class-missing Ingress default/web'],
    ],
    'no class, one is the default': [[web, klass('nginx', true), controller(), ingress({})], []],
    'no class, but a controller gave it an address': [
      [web, klass('nginx'), controller(), ingress({}, { status: SERVED })],
      [],
    ],
    'a class that does not exist': [
      [web, klass('nginx'), controller(), ingress({ ingressClassName: 'ngnix' })],
      ['error ingress-class-missing Ingress default/web'],
    ],
    'the class in the old annotation': [
      [
        web,
        klass('nginx'),
        controller(),
        ingress({}, { metadata: { annotations: { 'kubernetes.io/ingress.class': 'nginx' } } }),
      ],
      [],
    ],
    'F111 the targetPort in place of the port': [
      [
        web,
        klass('traefik', false, 'traefik.io/ingress-controller'),
        podItem('t', { labels: { 'app.kubernetes.io/name': 'traefik' } }),
        ingress({ ingressClassName: 'traefik', ...port(8080) }),
      ],
      ['error ingress-backend-wrong Ingress default/web'],
    ],
    'the targetPort, which ingress-nginx forgives': [
      [web, klass('nginx'), controller(), ingress({ ingressClassName: 'nginx', ...port(8080) })],
      ['info ingress-backend-wrong Ingress default/web'],
    ],
    'a port nobody has': [
      [web, klass('nginx'), controller(), ingress({ ingressClassName: 'nginx', ...port(81) })],
      ['error ingress-backend-wrong Ingress default/web'],
    ],
    'no such Service': [
      [klass('nginx'), controller(), ingress({ ingressClassName: 'nginx' })],
      ['error ingress-backend-wrong Ingress default/web'],
    ],
    'the Service is in another namespace': [
      [
        serviceItem('web', { ports: [{ port: 80 }] }, { ns: 'shop' }),
        klass('nginx'),
        controller(),
        ingress({ ingressClassName: 'nginx' }),
      ],
      ['error ingress-backend-wrong Ingress default/web'],
    ],
    'the controller is not Ready': [
      [web, klass('nginx'), controller(false), ingress({ ingressClassName: 'nginx' })],
      ['error ingress-controller-down IngressClass nginx'],
    ],
    'no controller at all': [
      [web, klass('nginx'), ingress({ ingressClassName: 'nginx' })],
      ['warning ingress-controller-down IngressClass nginx'],
    ],
    'no controller, and nobody uses the class': [[web, klass('nginx')], []],
    'a controller nobody knows': [[web, klass('x', false, 'example.com/own'), ingress({ ingressClassName: 'x' })], []],
    'an AWS action': [
      [
        klass('alb', false, 'ingress.k8s.aws/alb'),
        ingress({
          ingressClassName: 'alb',
          rules: [
            { http: { paths: [{ backend: { service: { name: 'ssl-redirect', port: { name: 'use-annotation' } } } }] } },
          ],
        }),
      ],
      [],
    ],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })

  it('says the command that sets the class', () => {
    const [f] = ingressClass.find(stateOf([web, klass('nginx'), ingress({})]))
    expect(f?.finding.remedy?.commands).toEqual([
      `kubectl -n default patch ingress web --type merge -p '{"spec":{"ingressClassName":"nginx"}}'`,
    ])
  })
})

describe('Gateway API', () => {
  const api = 'gateway.networking.k8s.io/v1'
  const gc = (accepted = 'True') => ({
    apiVersion: api,
    kind: 'GatewayClass',
    metadata: { name: 'eg' },
    spec: { controllerName: 'x/y' },
    status: { conditions: [{ type: 'Accepted', status: accepted, reason: 'R' }] },
  })
  const gateway = (listener: object = {}) => ({
    apiVersion: api,
    kind: 'Gateway',
    metadata: { name: 'gw', namespace: 'default' },
    spec: { gatewayClassName: 'eg', listeners: [{ name: 'http' }] },
    status: {
      conditions: [{ type: 'Accepted', status: 'True' }],
      listeners: [
        { name: 'http', conditions: [{ type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs' }], ...listener },
      ],
    },
  })
  const route = (spec: object, parents: object[] = []) => ({
    apiVersion: api,
    kind: 'HTTPRoute',
    metadata: { name: 'r', namespace: 'default' },
    spec: { parentRefs: [{ name: 'gw' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }], ...spec },
    status: { parents },
  })
  const shop = serviceItem('web', { ports: [{ port: 80 }] }, { ns: 'shop' })
  const away = { rules: [{ backendRefs: [{ name: 'web', namespace: 'shop', port: 80 }] }] }
  const grant = {
    apiVersion: 'gateway.networking.k8s.io/v1beta1',
    kind: 'ReferenceGrant',
    metadata: { name: 'g', namespace: 'shop' },
    spec: { from: [{ kind: 'HTTPRoute', namespace: 'default' }], to: [{ kind: 'Service' }] },
  }
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'all well': [[gc(), gateway(), web, route({})], []],
    'no such class': [[gateway(), web, route({})], ['error ingress-class-missing Gateway default/gw']],
    'a class nobody accepts': [
      [gc('False'), gateway(), web, route({})],
      ['error ingress-class-missing Gateway default/gw'],
    ],
    'a listener without its certificate': [
      [
        gc(),
        gateway({ conditions: [{ type: 'ResolvedRefs', status: 'False', reason: 'InvalidCertificateRef' }] }),
        web,
        route({}),
      ],
      ['error ingress-backend-wrong Gateway default/gw'],
    ],
    'no such Gateway': [
      [gc(), gateway(), web, route({ parentRefs: [{ name: 'other' }] })],
      ['error ingress-class-missing HTTPRoute default/r'],
    ],
    'no such listener': [
      [gc(), gateway(), web, route({ parentRefs: [{ name: 'gw', sectionName: 'https' }] })],
      ['error ingress-class-missing HTTPRoute default/r'],
    ],
    'the Gateway refuses': [
      [
        gc(),
        gateway(),
        web,
        route({}, [
          {
            parentRef: { name: 'gw' },
            conditions: [{ type: 'Accepted', status: 'False', reason: 'NoMatchingListenerHostname' }],
          },
        ]),
      ],
      ['error ingress-class-missing HTTPRoute default/r'],
    ],
    'no such Service': [[gc(), gateway(), route({})], ['error ingress-backend-wrong HTTPRoute default/r']],
    'the wrong port': [
      [gc(), gateway(), web, route({ rules: [{ backendRefs: [{ name: 'web', port: 8080 }] }] })],
      ['error ingress-backend-wrong HTTPRoute default/r'],
    ],
    'a share of nothing': [
      [gc(), gateway(), web, route({ rules: [{ backendRefs: [{ name: 'gone', port: 80, weight: 0 }] }] })],
      [],
    ],
    'another namespace without a grant': [
      [gc(), gateway(), shop, route(away)],
      ['error ingress-backend-wrong HTTPRoute default/r'],
    ],
    'another namespace with one': [[gc(), gateway(), shop, grant, route(away)], []],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })
})

describe('PROXY protocol', () => {
  const AWS = { 'service.beta.kubernetes.io/aws-load-balancer-proxy-protocol': '*' }
  const lb = (annotations: object = {}, hostname = 'a.elb.eu-west-1.amazonaws.com') =>
    serviceItem(
      'ingress-nginx-controller',
      { type: 'LoadBalancer', selector: { 'app.kubernetes.io/name': 'ingress-nginx' }, ports: [{ port: 80 }] },
      { ns: 'ingress-nginx', metadata: { annotations }, status: { loadBalancer: { ingress: [{ hostname }] } } },
    )
  const config = (data: object) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ingress-nginx-controller', namespace: 'ingress-nginx' },
    data,
  })
  const logged = (text: string): Network => ({
    ...NO_NETWORK,
    nodes: new Map([
      [
        'node1',
        {
          name: 'node1',
          pods: [],
          files: {
            logs: [
              {
                namespace: 'ingress-nginx',
                pod: 'ingress-nginx-controller-x',
                container: 'controller',
                lines: [{ artefact: 'log', line: 1, text }],
              },
            ],
          },
        },
      ],
    ]),
  })
  const BAD = 'Service ingress-nginx/ingress-nginx-controller'
  const cases: Record<string, [readonly object[], Network, readonly string[]]> = {
    'on at both': [[lb(AWS), config({ 'use-proxy-protocol': 'true' }), controller()], NO_NETWORK, []],
    'off at both': [[lb(), config({}), controller()], NO_NETWORK, []],
    'the balancer alone': [[lb(AWS), config({}), controller()], NO_NETWORK, [`error proxy-protocol-mismatch ${BAD}`]],
    'the controller alone, on AWS': [
      [lb(), config({ 'use-proxy-protocol': 'true' }), controller()],
      NO_NETWORK,
      [`warning proxy-protocol-mismatch ${BAD}`],
    ],
    'the controller, and who knows what is before it': [
      [lb({}, 'lb.example.com'), config({ 'use-proxy-protocol': 'true' }), controller()],
      NO_NETWORK,
      [],
    ],
    'the controller says so': [
      [lb({}, 'lb.example.com'), config({ 'use-proxy-protocol': 'true' }), controller()],
      logged('broken header: "GET / HTTP/1.1" while reading PROXY protocol, client: 10.0.0.1'),
      [`error proxy-protocol-mismatch ${BAD}`],
    ],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, network, expected]) => {
    expect(found(items, network)).toEqual(expected)
  })
})

describe('admission webhooks', () => {
  const hook = (o: object = {}) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'check' },
    webhooks: [
      {
        name: 'v.check.io',
        clientConfig: { service: { namespace: 'sec', name: 'hook' } },
        rules: [{ resources: ['pods'] }],
        ...o,
      },
    ],
  })
  const svc = (p = 443) =>
    serviceItem(
      'hook',
      { clusterIP: '10.96.0.77', ports: [{ name: 'https', port: p, targetPort: 8443 }] },
      { ns: 'sec' },
    )
  const slice = (ready = true) =>
    sliceItem('hook', 8443, [['10.244.2.9', 'node2', ready]], { ns: 'sec', portName: 'https' })
  const BAD = 'webhook-unreachable ValidatingWebhookConfiguration check'
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'all well': [[hook(), svc(), slice()], []],
    'no Service': [[hook()], [`error ${BAD}`]],
    'no Service, but failures are ignored': [[hook({ failurePolicy: 'Ignore' })], [`info ${BAD}`]],
    'nobody Ready': [[hook(), svc(), slice(false)], [`error ${BAD}`]],
    'the wrong port': [[hook(), svc(9443), slice()], [`error ${BAD}`]],
    'a URL': [[hook({ clientConfig: { url: 'https://example.com/' } })], []],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(found(items)).toEqual(expected)
  })

  const state = (route: string) =>
    topology(`netns cp/host
  eth0 wire 172.30.0.11/24
${route}
netns node2/host
  eth0 wire 172.30.0.12/24
  sysctl net.ipv4.ip_forward 1
`)
  const cluster = [
    hook(),
    svc(),
    slice(),
    sliceItem('kubernetes', 6443, [['172.30.0.11', 'cp', true]]),
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'cp' },
      status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] },
    },
  ]
  it('has no route from the control plane', () => {
    expect(found(cluster, state(''))).toEqual([`error ${BAD}`])
  })
  it('leaves what was collected, so nothing is said', () => {
    expect(found(cluster, state('  route default via 172.30.0.1 dev eth0'))).toEqual([])
  })
})
