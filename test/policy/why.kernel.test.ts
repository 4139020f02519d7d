/** `why` and policies on the lab: what is denied is named, remedies are applied and cure, rules that hold something else are told. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { applyObjects, deleteObject, sync } from '../../lab/apply.ts'
import { type KubeJson, kindOf, ofKind } from '../../lab/kubejson.ts'
import { parseManifests } from '../../lab/manifests.ts'
import type { LabOptions } from '../../lab/plan.ts'
import { readObjects, requireUp, withLock, writeObjects } from '../../lab/state.ts'
import { makeTrial, type Trial } from '../../lab/trial.ts'
import { assemble } from '../../src/assemble/assemble.ts'
import { collectInventory } from '../../src/collect/collect-inventory.ts'
import { readInventory } from '../../src/collect/inventory.ts'
import { conclude, inquire } from '../../src/diagnose/diagnose.ts'
import { ask } from '../../src/diagnose/question/ask.ts'
import type { Answer, Finding } from '../../src/model/finding.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('why')
})
afterAll(() => lab?.end())

async function why(from: string, to: string): Promise<Answer> {
  const snapshot = await collectInventory(readInventory(`${lab.place.dir}/inventory.yaml`), {})
  const { network, objects } = assemble(snapshot)
  const asked = ask(network, objects, { from, to, namespace: 'default' })
  return conclude(inquire(network, objects, asked), asked)
}

const opens = async (from: string, host: string, port: number) =>
  (await lab.probe(from, host, port, { patience: 400 })).outcome === 'open'
const apply = (text: string) => applyObjects(lab.place, parseManifests(text, 'test'))

async function clearPolicies(): Promise<void> {
  await withLock(lab.place, () =>
    sync(
      lab.place,
      requireUp(lab.place),
      readObjects(lab.place).filter((o) => !/Policy$/.test(kindOf(o))),
    ),
  )
}

const alarms = (a: Answer): string[] =>
  a.findings.filter((f) => f.severity !== 'info').map((f) => `${f.severity} ${f.code}`)
const cause = (a: Answer): Finding | undefined => a.findings.find((f) => f.code === a.rootCause)

const policy = (name: string, spec: string, namespace = 'shop') => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`
const WEB = '10.244.2.10'
const CLIENT = 'pod/tools/client'

const SHAPES: readonly Partial<LabOptions>[] = [
  { topology: 'flannel', proxy: 'iptables' },
  { topology: 'calico', proxy: 'nftables' },
  { topology: 'hostgw', proxy: 'iptables', iptables: 'legacy' },
]

describe.each(SHAPES.map((s) => [Object.values(s).join(' '), s] as const))('%s', (_name, shape) => {
  beforeAll(() => lab.up(shape))
  afterEach(clearPolicies)
  afterAll(() => lab.down())

  test('policies that let it through: nothing is told', async () => {
    await apply(policy('open', '{ podSelector: {}, ingress: [ { from: [ { namespaceSelector: {} } ] } ] }'))
    const answer = await why(CLIENT, 'pod/shop/web-1:8080')
    expect([answer.verdict, alarms(answer)]).toEqual(['reachable', []])
    expect(await opens(CLIENT, WEB, 8080)).toBe(true)
  })

  // F112, F084, F085: the ingress controller (here tools/client) is not admitted, or not by the port or label meant.
  test.each([
    [
      'policy-denies-ingress',
      '{ podSelector: {}, policyTypes: [Ingress], ingress: [ { from: [ { podSelector: {} } ] } ] }',
    ],
    [
      'policy-uses-service-port',
      '{ podSelector: { matchLabels: { app: web } }, ingress: [ { from: [ { namespaceSelector: {} } ], ports: [ { port: 80 } ] } ] }',
    ],
    [
      'policy-label-missing',
      '{ podSelector: { matchLabels: { app: web } }, ingress: [ { from: [ { namespaceSelector: { matchLabels: { name: tools } } } ] } ] }',
    ],
  ])('%s: named with policy and rule, its manifest cures', async (code, spec) => {
    await apply(policy('p', spec))
    expect(await opens(CLIENT, WEB, 8080)).toBe(false)
    const found = cause(await why(CLIENT, 'svc/shop/web:80'))
    expect(found).toMatchObject({ code, where: { object: 'NetworkPolicy shop/p' } })
    expect(found?.title).toContain('NetworkPolicy shop/p')
    expect(found?.text).toMatch(/KUBE-POD-FW-|DROP|drop/)
    await apply(found?.remedy?.manifest ?? '')
    expect(await opens(CLIENT, WEB, 8080)).toBe(true)
    const after = await why(CLIENT, 'svc/shop/web:80')
    expect([after.verdict, alarms(after)]).toEqual(['reachable', []])
  })

  test('policy-denies-egress: its manifest cures', async () => {
    await apply(
      policy('p', '{ podSelector: {}, policyTypes: [Egress], egress: [ { to: [ { podSelector: {} } ] } ] }', 'tools'),
    )
    const found = cause(await why(CLIENT, 'pod/shop/web-2:8080'))
    expect(found).toMatchObject({ code: 'policy-denies-egress', where: { object: 'NetworkPolicy tools/p' } })
    expect(await opens(CLIENT, '10.244.3.10', 8080)).toBe(false)
    await apply(found?.remedy?.manifest ?? '')
    expect(await opens(CLIENT, '10.244.3.10', 8080)).toBe(true)
  })

  // F087: the outside host is admitted, and a node puts its own address in place of it.
  test('policy-ipblock-nat: its manifest cures', async () => {
    await apply(
      policy(
        'p',
        '{ podSelector: { matchLabels: { app: web } }, ingress: [ { from: [ { ipBlock: { cidr: 172.30.0.100/32 } } ] } ] }',
      ),
    )
    const tries = async () =>
      (await Promise.all(Array.from({ length: 8 }, () => opens('node/outside', '172.30.0.11', 30080)))).filter(Boolean)
    expect(await tries()).toHaveLength(0)
    const found = cause(await why('ip:172.30.0.100', '172.30.0.11:30080'))
    expect(found).toMatchObject({ code: 'policy-ipblock-nat', where: { object: 'NetworkPolicy shop/p' } })
    await apply(found?.remedy?.manifest ?? '')
    expect(await tries()).toHaveLength(8)
  })

  test('an Admin tier that denies what the engine drops is named, and no engine is blamed', async () => {
    await apply(
      policy('p', '{ podSelector: {}, policyTypes: [Ingress], ingress: [ { from: [ { podSelector: {} } ] } ] }'),
    )
    await apply(`apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: guard }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: { matchLabels: { kubernetes.io/metadata.name: shop } } }
  ingress:
    - { action: Deny, from: [ { namespaces: { matchLabels: { kubernetes.io/metadata.name: tools } } } ] }
`)
    const answer = await why(CLIENT, 'pod/shop/web-1:8080')
    expect(cause(answer)).toMatchObject({
      code: 'policy-denies-ingress',
      where: { object: 'ClusterNetworkPolicy guard' },
    })
    expect(alarms(answer)).toEqual(['error policy-denies-ingress'])
  })

  test('an Admin tier the engine does not know: the connection works, and that is told', async () => {
    await apply(policy('p', '{ podSelector: {}, ingress: [ {} ] }'))
    await apply(`apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: { name: guard }
spec:
  priority: 1
  subject: { namespaces: {} }
  ingress:
    - { action: Deny, from: [ { namespaces: { matchLabels: { kubernetes.io/metadata.name: tools } } } ] }
`)
    expect(await opens(CLIENT, WEB, 8080)).toBe(true)
    const answer = await why(CLIENT, 'pod/shop/web-1:8080')
    expect([answer.verdict, alarms(answer)]).toEqual(['reachable', ['warning policy-enforcer-disagrees']])
    // What stays inside the namespace no policy denies.
    expect(alarms(await why('pod/shop/api-1', 'pod/shop/web-1:8080'))).toEqual([])
  })

  test('rules of yesterday: dropped although the policy is gone, let through although a new one denies', async () => {
    const drop = policy('p', '{ podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress] }')
    await apply(drop)
    const stored = readObjects(lab.place)
    const rest = stored.filter((o) => kindOf(o) !== 'NetworkPolicy')
    writeObjects(lab.place, [
      { ...ofKind(stored, 'NetworkPolicy')[0]!, metadata: { name: 'other', namespace: 'kube-system' } },
      ...rest,
    ])
    const dropped = await why(CLIENT, 'pod/shop/web-1:8080')
    expect([dropped.verdict, dropped.rootCause]).toEqual(['unreachable', 'policy-enforcer-disagrees'])
    writeObjects(lab.place, stored)
    await deleteObject(lab.place, 'networkpolicy', 'shop/p')
    await apply(policy('q', '{ podSelector: { matchLabels: { app: db } }, policyTypes: [Ingress] }'))
    writeObjects(lab.place, [...readObjects(lab.place), ...(parseManifests(drop, 'test') as KubeJson[])])
    const passed = await why(CLIENT, 'pod/shop/web-1:8080')
    expect([passed.verdict, alarms(passed)]).toEqual(['reachable', ['warning policy-enforcer-disagrees']])
    expect(passed.findings[0]?.title).toContain('NetworkPolicy shop/p')
    expect(await opens(CLIENT, WEB, 8080)).toBe(true)
  })
})
