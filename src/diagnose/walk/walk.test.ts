import { describe, expect, it } from 'vitest'
import { topology } from '../../datapath/testing/topology.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Walk } from '../../model/walk.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { walkText } from '../../report/walk-text.ts'
import { conclude, inquire } from '../diagnose.ts'
import { QuestionError } from '../question/resolve.ts'
import { OBJECTS, STATE, service } from '../testing/cluster.ts'
import { askWalk } from './ask-walk.ts'
import { brokenWalk, walkOf } from './walk.ts'

interface Case {
  readonly edits?: readonly (readonly [string | RegExp, string])[]
  readonly rules?: Readonly<Record<string, string>>
  readonly objects?: KubeObjects
  readonly to?: string
  readonly from?: string
}

function walk(c: Case = {}): Walk {
  const text = (c.edits ?? []).reduce((t, [from, to]) => {
    const after = t.replace(from, to)
    if (after === t) throw new Error(`no match: ${from}`)
    return after
  }, STATE)
  const rulesets = Object.fromEntries(
    Object.entries(c.rules ?? {}).map(([id, save]) => [
      id,
      [parseIptablesSave(save, { artefact: `nodes/${id}/iptables-save.txt`, family: 'ip', backend: 'iptables-nft' })],
    ]),
  )
  const network = topology(text, rulesets)
  const objects = c.objects ?? OBJECTS
  const way = askWalk(network, objects, {
    from: c.from ?? 'pod/client1',
    to: c.to ?? '10.244.2.20:8080',
    protocol: 'tcp',
    namespace: 'default',
  })
  if (way.asked === null) return brokenWalk(way, way.question!)
  const q = inquire(network, objects, way.asked)
  return walkOf(q, way.asked, conclude(q, way.asked), way)
}

/** `id state finding` of the steps that are not plain ok. */
const odd = (w: Walk) =>
  w.steps.filter((s) => s.state !== 'ok').map((s) => [s.id, s.state, s.finding].filter((t) => t).join(' '))
const ids = (w: Walk) => w.steps.map((s) => s.id)

const FILTER = (rule: string, policy = 'ACCEPT') =>
  `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ${policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n${rule}\nCOMMIT\n`

const DNAT = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.1.20:8080
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.20:8080
COMMIT
`
const REJECT = { 'node1/host': FILTER('-A FORWARD -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j REJECT') }
const ROUTE2 = '  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink\n'
const ROUTE1 = '  route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\n'

describe('the eight steps from pod to pod', () => {
  const EIGHT = [
    'pod.address',
    'pod.send',
    'pod.route',
    'pod.encap',
    'pod.received',
    'pod.routed',
    'pod.deliver',
    'pod.return',
  ]

  it('are all ticks, with evidence, on a healthy network', () => {
    const w = walk()
    expect([w.verdict, ids(w), odd(w)]).toEqual(['reachable', EIGHT, []])
    expect(w.steps.map((s) => s.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    const encap = w.steps[3]!
    expect(encap.text).toContain('flannel.1 wraps it in VXLAN 1 to 172.30.0.12')
    expect(encap.text).toContain('MTU 1450 on eth0 of pod client1')
    expect(encap.evidence.length).toBeGreaterThan(0)
  })

  const cases: Record<string, [number, string, Case]> = {
    'no route on the own node': [3, 'route-missing', { edits: [[ROUTE2, '']] }],
    'the own node drops it': [3, 'forward-policy-drop', { rules: { 'node1/host': FILTER('', 'DROP') } }],
    'no FDB entry': [4, 'fdb-missing', { edits: [['  fdb @node2/host:flannel.1 flannel.1 dst 172.30.0.12\n', '']] }],
    'the other node does not take the tunnel': [
      5,
      'tunnel-blocked',
      { rules: { 'node2/host': FILTER('-A INPUT -p udp -m udp --dport 8472 -j DROP') } },
    ],
    'the other node drops it': [6, 'forward-policy-drop', { rules: { 'node2/host': FILTER('', 'DROP') } }],
    'nobody listens': [
      7,
      'not-listening',
      { edits: [[/(netns node2\/pod\/default\/web2[\s\S]*)\n {2}listen tcp 0.0.0.0:8080/, '$1']] },
    ],
    'no route back': [8, 'route-missing', { edits: [[ROUTE1, '']] }],
  }
  it.each(Object.entries(cases))('%s', (_name, [number, code, c]) => {
    const w = walk(c)
    expect(w.verdict).toBe('unreachable')
    expect(odd(w)).toEqual([`${EIGHT[number - 1]} failed ${code}`, ...EIGHT.slice(number).map((id) => `${id} skipped`)])
    expect(w.findings[0]?.code).toBe(code)
    expect(w.steps[number - 1]?.evidence.length).toBeGreaterThan(0)
  })

  it('what lies between nodes is skipped with a reason when both pods share one', () => {
    const w = walk({ to: '10.244.1.20:8080' })
    expect(odd(w)).toEqual(['pod.route skipped', 'pod.encap skipped', 'pod.received skipped', 'pod.routed skipped'])
    expect(w.steps[2]?.text).toContain('on node1')
  })

  it('a node has no veth to leave by', () => {
    expect(odd(walk({ from: 'node/node1' }))).toEqual(['pod.send skipped'])
  })

  it('a pod without an address is a cross at once, whatever else is known', () => {
    const objects = {
      ...OBJECTS,
      pods: OBJECTS.pods.map((p) => (p.meta.name === 'client1' ? { ...p, podIPs: [] } : p)),
    }
    expect(walk({ objects }).steps[0]).toMatchObject({ id: 'pod.address', state: 'failed' })
  })

  it('an address the pod should have and has not', () => {
    const w = walk({
      edits: [['eth0 veth node1/host:veth-client1 10.244.1.10/24', 'eth0 veth node1/host:veth-client1']],
    })
    expect(w.steps[0]).toMatchObject({ state: 'failed' })
    expect(w.steps[0]?.text).toContain('no link of the pod carries it')
  })

  it('what was not collected is a question mark, and nothing after it is claimed', () => {
    const w = walk({ edits: [['netns node2/host\n', 'netns node2/host\n  unknown routes\n']] })
    expect(w.verdict).toBe('unknown')
    expect(w.steps.filter((s) => s.state === 'failed')).toEqual([])
    expect(w.steps.some((s) => s.state === 'unknown')).toBe(true)
    expect(w.steps.at(-1)?.state).not.toBe('ok')
  })

  it('the Internet: the way out is seen, the outside is not', () => {
    const w = walk({ to: '203.0.113.9:443' })
    expect(w.verdict).toBe('unknown')
    expect(odd(w)).toEqual(['pod.received skipped', 'pod.routed skipped', 'pod.deliver skipped', 'pod.return unknown'])
  })
})

it('a cause without a dying packet is put to its step, so that no bad verdict stands above ticks alone', () => {
  const network = topology(STATE)
  const way = askWalk(network, OBJECTS, {
    from: 'pod/client1',
    to: '10.244.2.20:8080',
    protocol: 'tcp',
    namespace: 'default',
  })
  const q = inquire(network, OBJECTS, way.asked!)
  const finding = {
    code: 'path-mtu-too-small',
    severity: 'error',
    title: 'big packets are lost',
    text: '',
    where: {},
    evidence: [],
  } as const
  const answer = { ...conclude(q, way.asked!), verdict: 'partial', findings: [finding] } as const
  expect(odd(walkOf(q, way.asked!, answer, way))).toEqual(['pod.encap failed path-mtu-too-small'])
})

describe('a Service', () => {
  const to = 'svc/web:80'
  const changed = (change: object): KubeObjects => ({
    ...OBJECTS,
    services: OBJECTS.services.map((s) => ({ ...s, ...change })),
  })

  it('is checked before the pods behind it, and its shares are named', () => {
    const w = walk({ to, rules: { 'node1/host': DNAT } })
    expect([w.verdict, odd(w)]).toEqual(['reachable', []])
    expect(ids(w).slice(0, 8)).toEqual([
      'service.exists',
      'service.port',
      'service.selector',
      'service.ready',
      'service.endpoints',
      'service.target-port',
      'service.proxy',
      'pod.address',
    ])
    expect(w.steps[6]?.text).toBe('on node1: 10.244.1.20:8080 50 %, 10.244.2.20:8080 50 %')
  })

  it('half of its endpoints behind a missing route: the step fails for that half, the rest is told apart', () => {
    const w = walk({ to, rules: { 'node1/host': DNAT }, edits: [[ROUTE2, '']] })
    expect(w.verdict).toBe('partial')
    const route = w.steps.find((s) => s.id === 'pod.route')
    expect(route).toMatchObject({ state: 'failed', finding: 'route-missing' })
    expect(route?.text).toContain('50 % of connections (to 10.244.2.20)')
    expect(w.steps.find((s) => s.id === 'pod.deliver')).toMatchObject({ state: 'ok' })
    expect(w.steps.find((s) => s.id === 'pod.deliver')?.text).toContain('the rest (to 10.244.1.20)')
  })

  const LATE = ['pod.route', 'pod.encap', 'pod.received', 'pod.routed', 'pod.deliver', 'pod.return'].map(
    (id) => `${id} skipped`,
  )
  const gone = { endpointSlices: [] }
  it.each([
    [
      'selector of nobody',
      { ...changed({ selector: { app: 'wep' } }), ...gone },
      [
        'service.selector failed service-no-endpoints',
        'service.ready skipped',
        'service.endpoints failed service-no-endpoints',
        'service.target-port skipped',
        'service.proxy skipped',
        ...LATE,
      ],
    ],
    [
      'named port of nobody',
      { ...changed({ ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'https' }] }), ...gone },
      [
        'service.endpoints failed service-target-port-name-missing',
        'service.target-port failed service-target-port-name-missing',
        'service.proxy skipped',
        ...LATE,
      ],
    ],
    [
      'nobody ready',
      {
        ...OBJECTS,
        ...gone,
        pods: OBJECTS.pods.map((p) => ({ ...p, conditions: [{ type: 'Ready', status: 'False' }] })),
      },
      [
        'service.ready failed service-endpoints-not-ready',
        'service.endpoints failed service-endpoints-not-ready',
        'service.proxy skipped',
        ...LATE,
      ],
    ],
  ] satisfies [string, KubeObjects, string[]][])('%s', (_name, objects, wanted) => {
    expect(odd(walk({ to, rules: REJECT, objects }))).toEqual(wanted)
  })

  it('no rule on the node: kube-proxy’s step fails, the pod still sends', () => {
    const w = walk({ to })
    expect(odd(w)[0]).toMatch(/^service.proxy failed kube-proxy/)
    expect(odd(w).slice(1)).toEqual(LATE)
  })

  it('a port it does not publish', () => {
    const w = walk({ to: 'svc/web:81', rules: { 'node1/host': DNAT } })
    expect(w.steps.find((s) => s.id === 'service.port')?.state).toBe('failed')
  })

  it('an address that is no endpoint is not called right', () => {
    const w = walk({ to, rules: { 'node1/host': DNAT.replaceAll('10.244.1.20:8080', '10.244.1.10:8080') } })
    expect(w.steps.find((s) => s.id === 'service.proxy')?.state).not.toBe('ok')
  })
})

describe('a name', () => {
  const DNS = {
    ...service('kube-dns', '10.96.0.10', 53, 53, { app: 'dns' }),
    ports: [{ name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 }],
  }
  const objects: KubeObjects = {
    ...OBJECTS,
    services: [
      ...OBJECTS.services,
      { ...DNS, meta: { ...DNS.meta, namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } } },
    ],
  }
  it('is checked from resolv.conf to its Service; what was not collected is a question mark', () => {
    const w = walk({ to: 'host:web:80', objects, rules: { 'node1/host': DNAT } })
    expect(ids(w).slice(0, 8)).toEqual([
      'dns.resolv-conf',
      'dns.search',
      'dns.service',
      'dns.endpoints',
      'dns.path',
      'dns.corefile',
      'dns.name',
      'service.exists',
    ])
    expect(w.steps[0]?.state).toBe('unknown')
    expect(w.steps[2]?.state).toBe('ok')
    expect(w.steps[6]?.text).toContain('Service default/web')
  })
})

describe('an Ingress', () => {
  const other = (kind: string, name: string, spec: object) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind,
    meta: { ...OBJECTS.services[0]!.meta, name },
    evidence: { artefact: 'objects/all.json', text: `${kind} ${name}` },
    raw: { spec },
  })
  const ingress = (backend: string) =>
    other('Ingress', 'shop', {
      ingressClassName: 'nginx',
      rules: [
        {
          host: 'shop.example',
          http: { paths: [{ path: '/', backend: { service: { name: backend, port: { number: 80 } } } }] },
        },
      ],
    })
  const nginx = other('IngressClass', 'nginx', { controller: 'k8s.io/ingress-nginx' })
  const known = new Set([...OBJECTS.known, 'Ingress', 'IngressClass'])

  it('its class, controller and backend come before the Service', () => {
    const w = walk({
      to: 'ingress/shop',
      rules: { 'node1/host': DNAT },
      objects: { ...OBJECTS, known, others: [ingress('web'), nginx] },
    })
    expect(ids(w).slice(0, 6)).toEqual([
      'ingress.exists',
      'ingress.class',
      'ingress.controller',
      'ingress.address',
      'ingress.backend',
      'service.exists',
    ])
    expect(w.steps[1]).toMatchObject({ state: 'ok', text: 'nginx: k8s.io/ingress-nginx' })
  })

  it('a backend that does not exist ends it', () => {
    const w = walk({ to: 'ingress/shop', objects: { ...OBJECTS, known, others: [ingress('nope'), nginx] } })
    expect([w.verdict, w.steps.at(-1)?.id, w.steps.at(-1)?.state]).toEqual(['unreachable', 'ingress.backend', 'failed'])
  })

  it('one that is not there is the user’s mistake', () => {
    expect(() => walk({ to: 'ingress/other', objects: { ...OBJECTS, known } })).toThrow(QuestionError)
  })
})

describe('text', () => {
  it('fits 80 columns where words can be broken, and looks like this', () => {
    const text = walkText(walk({ edits: [[ROUTE2, '']] }), { colour: false, wide: false, width: 80 })
    expect(text.split('\n').filter((l) => l.length > 80)).toEqual([])
    expect(text).toMatchSnapshot()
  })
})
