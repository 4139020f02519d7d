import { describe, expect, it } from 'vitest'
import type { OtherObject } from '../../../kubeobj/objects.ts'
import { parseIptablesSave } from '../../../parse/iptables/index.ts'
import { answer } from '../../testing/ask.ts'
import { OBJECTS } from '../../testing/cluster.ts'

/** Whatever the policy is: the enforcer's rule for pod web2 drops. */
const DROPS = `*filter
:FORWARD ACCEPT [0:0]
:KUBE-POD-FW-X - [0:0]
-A FORWARD ! -s 10.244.2.20/32 -d 10.244.2.20/32 -j KUBE-POD-FW-X
-A KUBE-POD-FW-X -j DROP
COMMIT
`
const policy = (apiVersion: string, kind: string, name: string, spec: object): OtherObject => ({
  apiVersion,
  kind,
  meta: { ...OBJECTS.services[0]!.meta, namespace: kind === 'NetworkPolicy' ? 'default' : '', name },
  evidence: { artefact: 'objects/all.json', text: `${kind} ${name}` },
  raw: { spec },
})
const np = (name: string, ...ingress: object[]) =>
  policy('networking.k8s.io/v1', 'NetworkPolicy', name, { podSelector: {}, policyTypes: ['Ingress'], ingress })
const tier = (name: string, ...ingress: object[]) =>
  policy('policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy', name, {
    tier: name === 'floor' ? 'Baseline' : 'Admin',
    priority: 10,
    subject: { namespaces: {} },
    ingress,
  })
const banp = policy('policy.networking.k8s.io/v1alpha1', 'BaselineAdminNetworkPolicy', 'default', {
  subject: { namespaces: {} },
  ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
})
const DENY = { name: 'no-one', action: 'Deny', from: [{ namespaces: {} }] }
const PASS = { action: 'Pass', from: [{ namespaces: {} }] }

function why(...others: OtherObject[]) {
  const rules = parseIptablesSave(DROPS, {
    artefact: 'nodes/node2/host/iptables-save.txt',
    family: 'ip',
    backend: 'iptables-nft',
  })
  const { findings } = answer({ objects: { ...OBJECTS, others }, rulesets: { 'node2/host': [rules] } })
  const { code, title, text } = findings[0] ?? { code: 'nothing', title: '', text: '' }
  return { code, title, text }
}

describe('who denies', () => {
  const cases: Record<string, [readonly OtherObject[], code: string, words: RegExp]> = {
    'NetworkPolicies that isolate': [
      [np('a'), np('b')],
      'policy-denies-ingress',
      /^NetworkPolicy default\/a, default\/b does not allow/,
    ],
    'a rule of the Admin tier': [
      [tier('wall', DENY)],
      'policy-denies-ingress',
      /^ClusterNetworkPolicy wall denies pod/,
    ],
    'a rule of the Admin tier over a NetworkPolicy that allows': [
      [np('a', {}), tier('wall', DENY)],
      'policy-denies-ingress',
      /^ClusterNetworkPolicy wall denies/,
    ],
    'the baseline': [
      [tier('guard', PASS), tier('floor', DENY)],
      'policy-denies-ingress',
      /^ClusterNetworkPolicy floor denies/,
    ],
    'the baseline of the older kind': [[banp], 'policy-denies-ingress', /^BaselineAdminNetworkPolicy default denies/],
    'nobody: the baseline is overruled': [
      [banp, np('a', {})],
      'policy-enforcer-disagrees',
      /no NetworkPolicy asks for it/,
    ],
    'nobody: passed to a NetworkPolicy that allows': [
      [tier('guard', PASS), np('a', {})],
      'policy-enforcer-disagrees',
      /no NetworkPolicy asks for it/,
    ],
  }
  it.each(Object.entries(cases))('%s', (_who, [others, code, words]) => {
    const found = why(...others)
    expect(found.code).toBe(code)
    expect(found.title).toMatch(words)
  })
  it('names the rule, the tier and the priority', () => {
    expect(why(tier('wall', PASS, DENY)).code).toBe('policy-enforcer-disagrees')
    const { text } = why(tier('wall', DENY))
    expect(text).toContain('rule ingress "no-one"')
    expect(text).toContain('Admin tier, priority 10')
  })
})
