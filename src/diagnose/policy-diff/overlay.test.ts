import { describe, expect, it } from 'vitest'
import { workloadNames } from '../../intent/policy/matrix/workload-name.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { type Deletion, overlay } from './overlay.ts'
import { DENY_EGRESS, load, policy, SHOP, workload } from './world.test-data.ts'

const lay = (base: KubeObjects, manifests: string, ...deletions: Deletion[]) =>
  overlay(base, load(manifests), deletions, workloadNames(base))
const pods = (o: KubeObjects) =>
  o.pods.map((p) => `${p.meta.namespace}/${p.meta.name} ${JSON.stringify(p.meta.labels)}`).sort()
const policies = (o: KubeObjects) =>
  o.others.filter((x) => x.kind === 'NetworkPolicy').map((x) => `${x.meta.name} ${JSON.stringify(x.raw.spec)}`)

describe('overlay', () => {
  it('adds, and replaces what has the same kind, namespace and name', () => {
    const base = load(SHOP, DENY_EGRESS)
    const other = policy('shop', 'no-egress', '{ podSelector: {} }')
    expect(policies(lay(base, other).objects)).toEqual(['no-egress {"podSelector":{}}'])
    expect(policies(lay(base, policy('tools', 'no-egress', '{}')).objects)).toHaveLength(2)
  })
  it('pods of a replaced workload are those of its new template, whatever they were called', () => {
    const base = load(
      SHOP,
      'apiVersion: v1\nkind: Pod\nmetadata: { namespace: shop, name: web-7d9f-x, labels: { app: web, pod-template-hash: 7d9f }, ownerReferences: [ { kind: ReplicaSet, name: web-7d9f } ] }\nspec: { containers: [ { name: c, ports: [ { containerPort: 8080, name: http } ] } ] }',
    )
    expect(pods(base)).toContain('shop/web-7d9f-x {"app":"web","pod-template-hash":"7d9f"}')
    const after = lay(base, workload('Deployment', 'shop', 'web', '{ app: web2 }')).objects
    expect(pods(after).filter((p) => p.startsWith('shop/web'))).toEqual(['shop/web {"app":"web2"}'])
    // The same template again changes no pod.
    const same = lay(base, workload('Deployment', 'shop', 'web', '{ app: web }', '{ containerPort: 8080, name: http }'))
    expect(pods(same.objects)).toEqual(pods(base))
  })
  it('deletes policies, workloads with their pods, and namespaces with what is in them', () => {
    const base = load(SHOP, DENY_EGRESS)
    expect(policies(lay(base, '', { kind: 'networkpolicy', namespace: 'shop', name: 'no-egress' }).objects)).toEqual([])
    const without = lay(base, '', { kind: 'Deployment', namespace: 'shop', name: 'web' })
    expect(pods(without.objects).some((p) => p.startsWith('shop/web'))).toBe(false)
    expect(without.missed).toEqual([])
    const empty = lay(base, '', { kind: 'Namespace', namespace: 'default', name: 'shop' })
    expect(pods(empty.objects).some((p) => p.startsWith('shop/'))).toBe(false)
    expect(policies(empty.objects)).toEqual([])
  })
  it('says what was not there', () => {
    const gone = { kind: 'NetworkPolicy', namespace: 'shop', name: 'nope' }
    expect(lay(load(SHOP), '', gone).missed).toEqual([gone])
  })
  it('does not know more than before', () => {
    const base = { ...load(SHOP), known: new Set(['Pod']) }
    expect([...lay(base, DENY_EGRESS).objects.known]).toEqual(['Pod'])
  })
})
