import { describe, expect, it } from 'vitest'
import { policyClusterYaml } from '../../../bench/policy-cluster.ts'
import { lookUpIn } from '../../cli/guard-load.ts'
import { policyCluster } from '../../intent/policy/cluster.ts'
import { evaluator } from '../../intent/policy/evaluate.ts'
import { loadManifests } from '../../manifests/load.ts'
import { guard } from './guard.ts'
import { readExpectations } from './read.ts'

const yaml = policyClusterYaml({ namespaces: 5, workloads: 14, pods: 50, policies: 30, owned: true })
const { objects } = loadManifests([{ path: 'c.yaml', text: yaml }])

function judge(expectations: string) {
  const read = readExpectations(`apiVersion: netwhy/v1\nkind: Expectations\nexpect:\n${expectations}`)
  if ('message' in read) throw new Error(read.message)
  return guard({
    ...{ objects, network: null, file: 'e.yaml', most: 24, expectations: read.expectations },
    lookUp: lookUpIn(objects, 'default'),
    explain: () => ({ why: '' }),
  })
}

const pods = objects.pods.filter((p) => !p.hostNetwork)
const end = (p: (typeof pods)[number]) => ({ kind: 'pod' as const, namespace: p.meta.namespace, name: p.meta.name })

describe('counts equal the single answers', () => {
  const { decide } = evaluator(policyCluster(objects))
  const cases = [80, 443, 5432, 8080, 9090].flatMap((port) =>
    [true, false].map((reaches) => ({
      port,
      reaches,
      text: `{ from: everyone, to: everyone, port: ${port}, reaches: ${reaches} }`,
    })),
  )
  it.each(cases)('$text', ({ port, reaches, text }) => {
    let connections = 0
    const found = { allow: 0, deny: 0, unknown: 0 }
    for (const from of pods)
      for (const to of pods) {
        if (from === to) continue
        connections++
        found[decide({ from: end(from), to: end(to), protocol: 'TCP', port })]++
      }
    const [result] = judge(`  - ${text}\n`)
    const broken = reaches ? found.deny : found.allow
    expect(result).toMatchObject({ connections, against: broken > 0 ? broken : found.unknown })
    expect(result?.state).toBe(broken > 0 ? 'broken' : found.unknown > 0 ? 'unknown' : 'holds')
    // Every example is a real one.
    for (const e of result?.examples ?? []) expect(e.outcome).toBe(reaches ? 'denied' : 'allowed')
  })
})

describe('who is meant', () => {
  const count = (test: (p: (typeof pods)[number]) => boolean) => pods.filter(test).length
  const [one] = pods
  const { namespace, name } = one!.meta
  const inIt = count((p) => p.meta.namespace === namespace)
  // To one address outside on a port: as many connections as there are senders.
  it.each<[string, number]>([
    ['everyone', pods.length],
    [`{ namespace: ${namespace} }`, inIt],
    [`{ of: everyone, not: { namespace: ${namespace} } }`, pods.length - inIt],
    [`{ namespace: ${namespace}, not: pod/${namespace}/${name} }`, inIt - 1],
    ['{ labels: { tier: front } }', count((p) => p.meta.labels.tier === 'front')],
    ['{ labels: { tier: [front, back] } }', count((p) => ['front', 'back'].includes(p.meta.labels.tier ?? ''))],
    ['{ labels: { tier: "*" } }', count((p) => p.meta.labels.tier !== undefined)],
    [`{ namespaceLabels: { kubernetes.io/metadata.name: ${namespace} } }`, inIt],
    [`[pod/${namespace}/${name}, { namespace: ${namespace} }]`, inIt],
    [`{ any: [everyone], namespace: ${namespace} }`, inIt],
  ])('%s', (from, senders) => {
    const [result] = judge(`  - { from: ${from}, to: "ip:203.0.113.7:443", reaches: false }\n`)
    expect(result?.connections).toBe(senders)
  })

  it.each([
    ['{ namespace: nowhere }', 'no pod is in namespace nowhere'],
    ['[everyone, pod/a/b]', 'pod/a/b is not among the objects'],
    ['{ not: { namespace: nowhere } }', 'no pod is in namespace nowhere'],
    ['{ labels: { app: none } }', 'from selects nobody'],
  ])('%s hides a typo', (from, why) => {
    const [result] = judge(`  - { from: ${from}, to: everyone, port: 1, reaches: false }\n`)
    expect([result?.state, result?.reason]).toEqual(['broken', expect.stringContaining(why)])
  })

  it('a pod and itself are no connection', () => {
    const [result] = judge(`  - { from: pod/${namespace}/${name}, to: pod/${namespace}/${name}, port: 1 }\n`)
    expect(result?.state).toBe('broken')
  })
})
