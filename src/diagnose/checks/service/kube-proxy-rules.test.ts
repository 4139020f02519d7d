import { describe, expect, test } from 'vitest'
import {
  endpoint,
  type Mode,
  type NodeState,
  objects,
  pod,
  service,
  slice,
  world,
} from '../../../../test/kube-proxy/world.ts'
import type { KubeObjects, PodObject } from '../../../kubeobj/objects.ts'
import { kubeProxyRules } from './kube-proxy-rules.ts'

const A = '10.244.1.20'
const B = '10.244.2.20'
const GONE = '10.244.2.7'
const web = service('web', '10.96.0.80')
const api = service('api', '10.96.0.81')
const both = slice('web', [endpoint(A), endpoint(B)])
const apis = slice('api', [endpoint('10.244.1.30')])
const now = objects([web, api], [both, apis])

function found(states: readonly NodeState[], said: KubeObjects): string[] {
  return kubeProxyRules
    .find({ network: world(states), objects: said })
    .map(({ finding: f }) => `${f.severity} ${f.code}: ${f.title}`)
}

const MODES: readonly Mode[] = ['iptables', 'nftables', 'ipvs']

describe.each(MODES)('%s: node2 saw an older world than the objects show', (mode) => {
  const at = (saw: KubeObjects): NodeState[] => [
    { saw: now, mode },
    { saw, mode },
  ]

  test.each<[string, KubeObjects, KubeObjects, string[]]>([
    ['nothing changed', now, now, []],
    [
      'an endpoint went',
      objects([web, api], [slice('web', [endpoint(A), endpoint(B), endpoint(GONE)]), apis]),
      now,
      [`error kube-proxy-rules-stale: node2 still sends Service shop/web to ${GONE}:8080, which is gone`],
    ],
    [
      'an endpoint came',
      objects([web, api], [slice('web', [endpoint(A)]), apis]),
      now,
      ['error kube-proxy-rules-missing: node2 lacks 1 of 2 endpoints of shop/web'],
    ],
    [
      'one went and one came',
      objects([web, api], [slice('web', [endpoint(A), endpoint(GONE)]), apis]),
      now,
      [`error kube-proxy-rules-stale: node2 still sends Service shop/web to ${GONE}:8080, which is gone`],
    ],
    [
      'the first endpoint came',
      objects([web, api], [slice('web', []), apis]),
      now,
      ['error kube-proxy-rules-missing: node2 has no rule for Service shop/web'],
    ],
    [
      'the Service is new',
      objects([api], [both, apis]),
      now,
      [
        mode === 'ipvs'
          ? 'error ipvs-virtual-server-missing: IPVS on node2 has no virtual server for Service shop/web'
          : 'error kube-proxy-rules-missing: node2 has no rule for Service shop/web',
      ],
    ],
    [
      'two Services have news',
      objects([web, api], [slice('web', [endpoint(A)]), slice('api', [endpoint('10.244.1.30')])]),
      objects([web, api], [both, slice('api', [endpoint('10.244.1.31'), endpoint('10.244.1.30')])]),
      [
        'error kube-proxy-rules-missing: node1 lacks 1 of 2 endpoints of shop/api',
        'error kube-proxy-rules-missing: node2 lacks endpoints of 2 Services',
      ],
    ],
    [
      'all endpoints went',
      now,
      objects([web, api], [slice('web', []), apis]),
      [
        'error kube-proxy-rules-stale: node1 still sends Service shop/web to 10.244.1.20:8080, 10.244.2.20:8080, which are gone',
        'error kube-proxy-rules-stale: node2 still sends Service shop/web to 10.244.1.20:8080, 10.244.2.20:8080, which are gone',
      ],
    ],
    [
      'a Service was deleted',
      objects([web, api, service('old', '10.96.0.99')], [both, apis, slice('old', [endpoint(GONE)])]),
      now,
      ['info kube-proxy-rules-stale: node2 still has rules for 10.96.0.99:80/tcp, which no Service has'],
    ],
  ])('%s', (_, saw, said, expected) => {
    expect(found(at(saw), said)).toEqual(expected)
  })

  test('an endpoint that is no longer ready is a moment, not a fault', () => {
    const said = objects([web, api], [slice('web', [endpoint(A), endpoint(B, { ready: false })]), apis])
    expect(
      found(
        [
          { saw: said, mode },
          { saw: now, mode },
        ],
        said,
      ),
    ).toEqual(['info kube-proxy-rules-stale: node2 still sends to endpoints that are not ready (shop/web)'])
  })

  test('the pod is just being deleted', () => {
    const leaving = pod('shop', 'web-2', 'node2', { podIPs: [GONE] })
    const dying = { ...leaving, meta: { ...leaving.meta, deletionTimestamp: '2026-01-01T00:00:00Z' } }
    const saw = objects([web, api], [slice('web', [endpoint(A), endpoint(B), endpoint(GONE)]), apis])
    expect(found(at(saw), { ...now, pods: [dying] })).toEqual([])
    expect(found(at(saw), { ...now, pods: [leaving] })).toEqual([
      `error kube-proxy-rules-stale: node2 still sends Service shop/web to ${GONE}:8080, which is no endpoint of it`,
    ])
  })
})

const NOTHING: NodeState = { saw: null, mode: 'iptables' }
const EMPTIED: NodeState = {
  saw: null,
  mode: 'iptables',
  also: '*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\nCOMMIT\n',
}
const GOOD: NodeState = { saw: now, mode: 'iptables' }
const proxyPod = (node: string, over: Partial<PodObject> = {}) => pod('kube-system', `kube-proxy-${node}`, node, over)
const cilium = (node: string) => {
  const p = pod('kube-system', `cilium-${node}`, node)
  return { ...p, meta: { ...p.meta, labels: { 'k8s-app': 'cilium' } } }
}
const crashing = {
  conditions: [{ type: 'Ready', status: 'False' }],
  containerStatuses: [{ name: 'kube-proxy', ready: false, restartCount: 9, waitingReason: 'CrashLoopBackOff' }],
}
const older = objects([web, api], [slice('web', [endpoint(A)]), apis])

describe('whose fault it is', () => {
  test.each<[string, NodeState[], readonly PodObject[], string[]]>([
    [
      'rules were emptied',
      [GOOD, EMPTIED],
      [],
      ['error kube-proxy-rules-missing: node2 has no rules for any Service: none of 2 leads to an endpoint'],
    ],
    [
      'no kube-proxy ever wrote here',
      [GOOD, NOTHING],
      [],
      ['error kube-proxy-not-running: kube-proxy does not run on node2: no Service leads to an endpoint there'],
    ],
    [
      'its pod is not there',
      [GOOD, EMPTIED],
      [proxyPod('node1')],
      ['error kube-proxy-not-running: kube-proxy does not run on node2: no Service leads to an endpoint there'],
    ],
    [
      'its pod crashes, rules are old',
      [GOOD, { saw: older, mode: 'iptables' }],
      [proxyPod('node1'), proxyPod('node2', crashing)],
      ['error kube-proxy-not-running: kube-proxy does not run on node2: node2 lacks 1 of 2 endpoints of shop/web'],
    ],
    ['its pod crashes, but the rules are right', [GOOD, GOOD], [proxyPod('node1'), proxyPod('node2', crashing)], []],
    ['no rules anywhere, and nobody who should write them', [NOTHING, NOTHING], [], []],
    [
      'no rules anywhere, although kube-proxy runs',
      [EMPTIED, EMPTIED],
      [proxyPod('node1'), proxyPod('node2')],
      [
        'error kube-proxy-rules-missing: node1 has no rules for any Service: none of 2 leads to an endpoint',
        'error kube-proxy-rules-missing: node2 has no rules for any Service: none of 2 leads to an endpoint',
      ],
    ],
    ['Cilium does it', [NOTHING, NOTHING], [cilium('node1'), cilium('node2')], []],
    [
      'Cilium does it, and chains of an old kube-proxy are left',
      [EMPTIED, EMPTIED],
      [cilium('node1'), cilium('node2')],
      [],
    ],
    [
      'Cilium does it on one node, kube-proxy still on the other',
      [GOOD, EMPTIED],
      [cilium('node1'), cilium('node2')],
      [],
    ],
    ['iptables was not collected', [GOOD, { ...EMPTIED, lacks: ['iptables'] }], [], []],
    ['nft was not collected', [GOOD, { ...EMPTIED, lacks: ['nft'] }], [], []],
    [
      'the legacy back end was not collected, and no trace is elsewhere',
      [GOOD, { ...NOTHING, lacks: ['iptables-legacy'] }],
      [],
      [],
    ],
    [
      'IPVS is in use, its table was not collected',
      [
        { saw: now, mode: 'ipvs' },
        { saw: now, mode: 'ipvs', lacks: ['ipvs'], ipvs: () => '' },
      ],
      [],
      [],
    ],
  ])('%s', (_, states, pods, expected) => {
    expect(found(states, { ...now, pods })).toEqual(expected)
  })
})

const DNAT = (match: string, to: string) =>
  `*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING ${match} -j DNAT --to-destination ${to}\nCOMMIT\n`

describe('policy Local', () => {
  const inner = service('web', '10.96.0.80', { internalTrafficPolicy: 'Local' })
  const said = objects([inner, api], [both, apis])

  test.each<Mode>(['iptables', 'nftables'])(
    '%s: a kube-proxy that knows the node by another name refuses on purpose',
    (mode) => {
      const renamed = slice('web', [endpoint(A), endpoint(B, { nodeName: 'node2.example' })])
      const saw = objects([inner, api], [renamed, apis])
      expect(
        found(
          [
            { saw: said, mode },
            { saw, mode },
          ],
          said,
        ),
      ).toEqual([])
    },
  )

  test.each<Mode>(['iptables', 'nftables'])('%s: one that saw no endpoint anywhere has not followed', (mode) => {
    const saw = objects([inner, api], [slice('web', []), apis])
    expect(
      found(
        [
          { saw: said, mode },
          { saw, mode },
        ],
        said,
      ),
    ).toEqual(['error kube-proxy-rules-missing: node2 has no rule for Service shop/web'])
  })
})

describe('healthy look-alikes', () => {
  const port = service('web', '10.96.0.80', { type: 'NodePort', ports: [{ ...web.ports[0]!, nodePort: 30080 }] })
  const other = service('api', '10.96.0.81', { type: 'NodePort', ports: [{ ...web.ports[0]!, nodePort: 30081 }] })
  const ports = objects([port, other], [both, apis])
  const lb = objects(
    [
      service('web', '10.96.0.80', {
        type: 'LoadBalancer',
        loadBalancerIngress: [{ ip: '198.51.100.1', ipMode: 'Proxy' }],
      }),
    ],
    [both],
  )
  test.each<[string, KubeObjects, NodeState]>([
    [
      'NodeLocal DNSCache keeps the address to itself',
      now,
      {
        saw: objects([api], [apis]),
        mode: 'iptables',
        also: '*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.80/32 -p tcp -j NOTRACK\n-A OUTPUT -d 10.96.0.80/32 -p tcp -j NOTRACK\nCOMMIT\n',
      },
    ],
    [
      'old rules in the back end nobody uses',
      now,
      { saw: now, mode: 'iptables', legacy: DNAT('-d 10.96.0.80/32 -p tcp -m tcp --dport 80', `${GONE}:8080`) },
    ],
    [
      'a hostPort on the number of a node port',
      ports,
      { saw: ports, mode: 'iptables', also: DNAT('-p tcp -m tcp --dport 30080', '10.244.2.50:80') },
    ],
    [
      'node ports served on other addresses',
      ports,
      { saw: ports, mode: 'iptables', options: { nodePortAddresses: ['192.0.2.9'] } },
    ],
    ['a load balancer that proxies', lb, { saw: lb, mode: 'iptables' }],
    [
      'a kube-proxy of another zone',
      objects([web], [slice('web', [endpoint(A, { hintZones: ['a'] }), endpoint(B, { hintZones: ['b'] })])]),
      { saw: objects([web], [slice('web', [endpoint(A), endpoint(B)])]), mode: 'iptables' },
    ],
  ])('%s', (_, said, state) => {
    expect(found([{ saw: said, mode: 'iptables' }, state], said)).toEqual([])
  })

  test('a node port that the rules lack, while others are served', () => {
    const saw = objects([web, other], [both, apis])
    expect(
      found(
        [
          { saw: ports, mode: 'iptables' },
          { saw, mode: 'iptables' },
        ],
        ports,
      ),
    ).toEqual(['error kube-proxy-rules-missing: node2 has no rule for Service shop/web at 172.30.0.12:30080/tcp'])
  })
})

test('IPVS: an address that kube-ipvs0 lacks', () => {
  const state: NodeState = { saw: now, mode: 'ipvs', unbound: ['10.96.0.80'] }
  expect(found([{ saw: now, mode: 'ipvs' }, state], now)).toEqual([
    'error ipvs-virtual-server-missing: node2 does not hold the address of Service shop/web, so IPVS never gets its packets',
  ])
})

test('IPVS: a drained destination is none', () => {
  const drained = (text: string) => text.replace(`${B}:8080 -m -w 1`, `${B}:8080 -m -w 0`)
  expect(
    found(
      [
        { saw: now, mode: 'ipvs' },
        { saw: now, mode: 'ipvs', ipvs: drained },
      ],
      now,
    ),
  ).toEqual(['error kube-proxy-rules-missing: node2 lacks 1 of 2 endpoints of shop/web'])
})

test('the evidence is the rule and the slice, and the remedy names the pod', () => {
  const saw = objects([web, api], [slice('web', [endpoint(A), endpoint(B), endpoint(GONE)]), apis])
  const pods = [proxyPod('node1'), proxyPod('node2')]
  const [one] = kubeProxyRules.find({
    network: world([GOOD, { saw, mode: 'iptables' }]),
    objects: { ...now, pods },
  })
  expect(one?.finding.evidence[0]?.artefact).toBe('nodes/node2/host/iptables-save.txt')
  expect(one?.finding.evidence[0]?.text).toMatch(/-j DNAT --to-destination 10\.244\.2\.7:8080$/)
  expect(one?.finding.evidence[1]?.text).toContain('EndpointSlice shop/web-x')
  expect(one?.finding.text).toContain(
    '33 % of new connections to shop/web (10.96.0.80:80/tcp) still go to 10.244.2.7:8080',
  )
  expect(one?.finding.remedy?.commands).toEqual(['kubectl -n kube-system delete pod kube-proxy-node2'])
  expect(one?.concerns).toEqual([{ kind: 'service', namespace: 'shop', name: 'web' }])
})

test('a restart is tried on the model: with the rules the objects ask for, nothing is left to say', () => {
  const saw = objects([web], [slice('web', [endpoint(A), endpoint(GONE)])])
  const network = world([GOOD, { saw, mode: 'iptables' }])
  const findings = kubeProxyRules.find({ network, objects: now })
  expect(findings.map((f) => f.finding.code)).toEqual(['kube-proxy-rules-stale', 'kube-proxy-rules-missing'])
  for (const f of findings) expect(kubeProxyRules.find({ network: f.edit!(network), objects: now })).toEqual([])
})
