import { describe, expect, it } from 'vitest'
import type { OtherObject } from '../../../kubeobj/objects.ts'
import { other, policy, world } from '../world.test-data.ts'
import { exposureView, workloadNames } from './index.ts'

function exposed(...others: OtherObject[]) {
  const objects = world(others)
  const view = exposureView(objects, workloadNames(objects))
  const names = view.sources.map((i) => view.ends[i]!.name)
  const id = (name: string) => view.ends.findIndex((e) => e.name === name)
  return {
    newcomers: names.filter((n) => n.startsWith('any pod')).sort(),
    ports: (from: string, to: string) => view.allowed(view.row(id(from))[id(to)]!).join(', '),
  }
}

const PLAIN = ['bare', 'kube-system', 'shop', 'tools'].map((n) => `any pod in namespace ${n}`)

describe('exposure', () => {
  it('without policies shows one newcomer for each namespace and one for a new one', () => {
    const e = exposed()
    expect(e.newcomers).toEqual(['any pod in a new namespace', ...PLAIN].sort())
    expect(e.ports('any pod in a new namespace', 'pod/shop/web')).toBe('all')
    expect(e.ports('pod/shop/web', 'any pod in namespace shop')).toBe('all')
    expect(e.ports('pod/shop/web', 'pod/shop/api')).toBe('')
  })

  it('shows labels that open something, of one namespace and of namespaces', () => {
    const e = exposed(
      policy(
        'shop',
        'p',
        `{ podSelector: {}, ingress: [
          { from: [ { podSelector: { matchLabels: { role: new } } } ], ports: [ { port: 1 } ] },
          { from: [ { namespaceSelector: { matchLabels: { env: prod } }, podSelector: { matchExpressions: [ { key: x, operator: Exists } ] } } ], ports: [ { port: 2 } ] },
          { from: [ { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: tools } } } ], ports: [ { port: 3 } ] } ] }`,
      ),
    )
    expect(e.newcomers.filter((n) => !PLAIN.includes(n))).toEqual([
      'any pod in a new namespace',
      'any pod in namespaces with env=prod',
      'any pod with role=new in namespace shop',
      'any pod with x in namespaces with env=prod',
    ])
    expect(e.ports('any pod with role=new in namespace shop', 'pod/shop/web')).toBe('TCP 1')
    expect(e.ports('any pod with x in namespaces with env=prod', 'pod/shop/web')).toBe('TCP 2')
    expect(e.ports('any pod in namespaces with env=prod', 'pod/shop/web')).toBe('')
    expect(e.ports('any pod in namespace tools', 'pod/shop/web')).toBe('TCP 3')
    expect(e.ports('any pod in a new namespace', 'pod/shop/web')).toBe('')
  })

  it('leaves labels out that open nothing more, and policies that select newcomers count', () => {
    const e = exposed(
      policy(
        'shop',
        'p',
        '{ podSelector: {}, policyTypes: [Egress], egress: [ { to: [ { podSelector: { matchLabels: { app: db } } } ] } ] }',
      ),
      policy(
        'tools',
        'q',
        '{ podSelector: { matchLabels: { app: web } }, ingress: [ { from: [ { podSelector: { matchLabels: { z: z } } } ] } ] }',
      ),
    )
    expect(e.newcomers).not.toContain('any pod with z=z in namespace tools')
    expect(e.newcomers).toContain('any pod with app=db in namespace shop')
    expect(e.ports('any pod in namespace shop', 'pod/tools/client')).toBe('')
    expect(e.ports('pod/shop/web', 'any pod with app=db in namespace shop')).toBe('all')
  })

  it('takes peers of the admin tier', () => {
    const rule = { name: 'x', action: 'Deny', from: [{ namespaces: { matchLabels: { env: 'test' } } }] }
    const spec = { priority: 1, subject: { namespaces: {} }, ingress: [rule] }
    const e = exposed(other('policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy', '', 'a', spec))
    expect(e.ports('any pod in namespaces with env=test', 'pod/shop/web')).toBe('')
    expect(e.ports('any pod in a new namespace', 'pod/shop/web')).toBe('all')
  })
})
