import { describe, expect, it } from 'vitest'
import { topology } from '../../datapath/testing/topology.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Matrix, MatrixDirection, MatrixLevel, MatrixTraffic } from '../../model/matrix.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { matrixCsv } from '../../report/matrix-csv.ts'
import { matrixJson } from '../../report/matrix-json.ts'
import { matrixText } from '../../report/matrix-text.ts'
import { OBJECTS, STATE } from '../testing/cluster.ts'
import { matrixOf } from './matrix.ts'
import { type MatrixOptions, planMatrix } from './plan.ts'
import { sendersNamed } from './senders.ts'
import { tryMatrix } from './try.ts'

interface Case {
  readonly edits?: readonly (readonly [string | RegExp, string])[]
  readonly rules?: Readonly<Record<string, string>>
  readonly objects?: KubeObjects
  readonly options?: Partial<MatrixOptions>
}

const DNAT = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.1.20:8080
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.20:8080
-A OUTPUT -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.20:8080
-A POSTROUTING -s 10.244.1.20/32 -d 10.244.1.20/32 -j MASQUERADE
-A POSTROUTING -s 10.244.2.20/32 -d 10.244.2.20/32 -j MASQUERADE
-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
COMMIT
`
const ROUTE2 = '  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink\n'
/** A pod may be chosen as its own backend. */
const HAIRPIN: readonly (readonly [string, string])[] = ['web1', 'web2'].map((name) => {
  const veth = `${name}:eth0 master cni0 mtu 1450`
  return [veth, `${veth} hairpin`]
})

function matrix(c: Case = {}): Matrix {
  const text = [...HAIRPIN, ...(c.edits ?? [])].reduce((t, [from, to]) => {
    const after = t.replace(from, to)
    if (after === t) throw new Error(`no match: ${from}`)
    return after
  }, STATE)
  const saves = Object.entries({ 'node1/host': DNAT, 'node2/host': DNAT, ...c.rules })
  const rulesets = Object.fromEntries(
    saves.map(([id, save]) => [
      id,
      [parseIptablesSave(save, { artefact: `nodes/${id}/iptables-save.txt`, family: 'ip', backend: 'iptables-nft' })],
    ]),
  )
  const state = { network: topology(text, rulesets), objects: c.objects ?? OBJECTS }
  const plan = planMatrix(state, { outside: '203.0.113.9:443', ...c.options })
  return matrixOf(state, plan, tryMatrix(state, plan.questions))
}

function place(m: Matrix, level: MatrixLevel, traffic: MatrixTraffic, direction: MatrixDirection = 'pod-ip') {
  return m.places.find((p) => p.level === level && p.traffic === traffic && p.direction === direction)!
}

describe('the healthy cluster', () => {
  const m = matrix()

  it('has every place once', () => {
    expect(m.places.length).toBe(5 * 5 * 4)
    expect(new Set(m.places.map((p) => `${p.level} ${p.traffic} ${p.direction}`)).size).toBe(100)
  })

  it.each([
    ['container', 'container-container', 'pod-ip', 'works'],
    ['pod', 'pod-pod-same-node', 'pod-ip', 'works'],
    ['pod', 'pod-pod-other-node', 'pod-ip', 'works'],
    ['pod', 'pod-service', 'cluster-ip', 'works'],
    ['pod', 'pod-service', 'node-port', 'not-applicable'],
    ['pod', 'pod-service', 'load-balancer', 'not-applicable'],
    ['pod', 'pod-service', 'ingress-host', 'not-applicable'],
    ['pod', 'pod-internet', 'pod-ip', 'leaves'],
    ['node', 'pod-pod-same-node', 'pod-ip', 'works'],
    ['node', 'pod-pod-other-node', 'pod-ip', 'works'],
    ['node', 'pod-internet', 'pod-ip', 'leaves'],
    ['namespace', 'pod-pod-other-node', 'pod-ip', 'works'],
    ['container', 'pod-service', 'cluster-ip', 'not-applicable'],
  ] as const)('%s level, %s by %s: %s', (level, traffic, direction, state) => {
    expect(place(m, level, traffic, direction).state).toBe(state)
  })

  it('every place without a connection says why', () => {
    for (const p of m.places.filter((x) => x.tried === 0)) expect(p.reason).toBeTruthy()
  })

  it('raises no alarm', () => {
    expect(m.findings.filter((f) => f.severity !== 'info')).toEqual([])
  })
})

describe('what breaks', () => {
  it('a missing route: other nodes from there, not the same one; the finding says how many', () => {
    const m = matrix({ edits: [[ROUTE2, '']] })
    expect(place(m, 'pod', 'pod-pod-other-node')).toMatchObject({ state: 'fails', code: 'route-missing' })
    expect(place(m, 'pod', 'pod-pod-same-node').state).toBe('works')
    expect(m.findings[0]).toMatchObject({ code: 'route-missing', severity: 'error' })
    expect(m.findings[0]?.breaks?.connections).toBeGreaterThan(1)
    expect(m.nodePairs.find((p) => p.from === 'node1' && p.to === 'node2')?.state).toBe('fails')
    expect(m.nodePairs.find((p) => p.from === 'node1' && p.to === 'node1')?.state).toBe('works')
  })

  it('a policy that denies is shown as such and is no fault', () => {
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      meta: { ...OBJECTS.services[0]!.meta, name: 'deny-all' },
      evidence: { artefact: 'objects/all.json', text: 'NetworkPolicy deny-all' },
      raw: { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
    }
    const deny =
      '*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-POD-FW-X - [0:0]\n-A FORWARD ! -s 10.244.2.20/32 -d 10.244.2.20/32 -j KUBE-POD-FW-X\n-A KUBE-POD-FW-X -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A KUBE-POD-FW-X -j DROP\nCOMMIT\n'
    const m = matrix({ objects: { ...OBJECTS, others: [policy] }, rules: { 'node2/host': DNAT + deny } })
    const cell = m.cells.find((c) => c.from === 'pod/default/client1' && c.to === 'pod/default/web2:8080')
    expect(cell).toMatchObject({ state: 'denied', code: 'policy-denies-ingress' })
    expect(cell?.reason).toContain('deny-all')
    expect(m.findings.find((f) => f.code === 'policy-denies-ingress')?.severity).toBe('info')
    expect(m.findings.filter((f) => f.severity === 'error')).toEqual([])
  })

  it('what was not collected is not known, never right or wrong', () => {
    const m = matrix({ edits: [['netns node1/host\n', 'netns node1/host\n  unknown routes\n']] })
    expect(place(m, 'pod', 'pod-pod-other-node').state).toBe('unknown')
    expect(place(m, 'pod', 'pod-pod-other-node').reason).toBeTruthy()
    expect(m.findings.filter((f) => f.severity === 'error')).toEqual([])
  })

  it('no objects at all: places are not known rather than empty', () => {
    const bare: KubeObjects = { ...OBJECTS, nodes: [], pods: [], services: [], endpointSlices: [], known: new Set() }
    const m = matrix({ objects: bare })
    expect(place(m, 'pod', 'pod-pod-other-node').state).toBe('unknown')
    expect(place(m, 'pod', 'pod-service', 'cluster-ip').state).toBe('unknown')
  })
})

describe('who sends', () => {
  const state = { network: topology(STATE), objects: OBJECTS }
  const plan = (options: Partial<MatrixOptions>) =>
    planMatrix(state, { outside: '203.0.113.9:443', ...options }).questions

  it('the Internet is asked in the family the sender has', () => {
    const six = OBJECTS.pods.map((p, i) => (i === 0 ? { ...p, podIPs: ['fd00::10'] } : p))
    const plan6 = (outside: string | null) =>
      planMatrix({ network: state.network, objects: { ...OBJECTS, pods: six } }, { outside })
        .questions.filter((q) => q.traffic === 'pod-internet' && q.level === 'pod')
        .map((q) => `${q.from} ${q.to}`)
    expect(plan6(null)).toEqual(['pod/default/client1 [2606:4700:4700::1111]:443', 'pod/default/web2 1.1.1.1:443'])
    expect(plan6('192.0.2.1:80')).toEqual(['pod/default/web2 192.0.2.1:80'])
  })

  it('--from', () => {
    const from = sendersNamed(state, ['pod/web2', 'node/node1'], 'default')
    expect([...new Set(plan({ from }).map((q) => q.from))].sort()).toEqual(['node/node1', 'pod/default/web2'])
    expect(() => sendersNamed(state, ['svc/web'], 'default')).toThrow(/--from/)
    expect(() => sendersNamed(state, ['pod/none'], 'default')).toThrow(/none/)
  })

  it('--namespace: its pods only, to everybody', () => {
    expect(plan({ namespace: 'elsewhere' })).toEqual([])
    expect(new Set(plan({ namespace: 'default' }).map((q) => q.level))).toEqual(
      new Set(['namespace', 'pod', 'container']),
    )
  })

  it('a hundred nodes: bounded, every node sends and is sent to, and it says what was left out', () => {
    const nodes = Array.from({ length: 100 }, (_, i) => `n${i}`)
    const pods = nodes.flatMap((n, i) =>
      [1, 2].map((k) => ({
        ...OBJECTS.pods[1]!,
        meta: { ...OBJECTS.pods[1]!.meta, name: `p${i}-${k}` },
        nodeName: n,
        podIPs: [`10.${i}.0.${k}`],
      })),
    )
    const { questions, sampled } = planMatrix(
      { network: topology(''), objects: { ...OBJECTS, pods } },
      { outside: '203.0.113.9:443' },
    )
    const pairs = questions.filter((q) => q.level === 'pod' && q.traffic === 'pod-pod-other-node')
    expect(questions.length).toBeLessThan(2000)
    expect(new Set(pairs.map((q) => q.toNode)).size).toBeGreaterThan(60)
    expect(new Set(pairs.map((q) => q.fromNode)).size).toBeGreaterThan(60)
    expect(sampled.join(' ')).toMatch(/not to all/)
  })
})

describe('output', () => {
  const m = matrix({ edits: [[ROUTE2, '']] })
  it('fits 80 columns, and looks like this', () => {
    const text = matrixText(m, { colour: false, wide: false, width: 80 })
    expect(text.split('\n').filter((l) => l.length > 80)).toEqual([])
    expect(text).toMatchSnapshot()
  })

  it('JSON has the agreed shape', () => {
    const json = matrixJson(m)
    expect(json.kind).toBe('Matrix')
    for (const c of json.cells as Record<string, unknown>[])
      expect(Object.keys(c)).toEqual(
        expect.arrayContaining(['traffic', 'direction', 'level', 'from', 'to', 'state', 'probability']),
      )
  })

  it('CSV has a line a cell, and no cell a spreadsheet would run', () => {
    const evil = { ...m, cells: [{ ...m.cells[0]!, reason: '=HYPERLINK("http://x",1)' }] }
    const [head, line, end] = matrixCsv(evil).split('\n')
    expect(head?.split(',')).toHaveLength(10)
    expect(line).toContain(`"'=HYPERLINK(""http://x"",1)"`)
    expect(end).toBe('')
  })
})
