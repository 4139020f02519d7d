import { describe, expect, it } from 'vitest'
import { brief, podItem, serviceItem, sliceItem, stateOf } from '../../testing/manifests.ts'
import { POLICY_CHECKS } from './index.ts'

const SELECT = { 'k8s-app': 'kube-dns' }
const ns = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
})
const base = [
  ns('default'),
  ns('tools'),
  ns('kube-system'),
  podItem('coredns', { ns: 'kube-system', labels: SELECT, ip: '10.244.1.53' }),
  serviceItem(
    'kube-dns',
    { clusterIP: '10.96.0.10', selector: SELECT, ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
    { ns: 'kube-system' },
  ),
  sliceItem('kube-dns', 53, [['10.244.1.53', 'node1', true, 'coredns']], {
    ns: 'kube-system',
    portName: 'dns',
    protocol: 'UDP',
  }),
  podItem('front', { labels: { app: 'front' }, ip: '10.244.1.10', spec: { dnsPolicy: 'ClusterFirst' } }),
  podItem('back', { labels: { app: 'back' }, ip: '10.244.1.11', spec: { dnsPolicy: 'ClusterFirst' } }),
  podItem('client', { ns: 'tools', labels: { app: 'client' }, ip: '10.244.1.12', spec: { dnsPolicy: 'ClusterFirst' } }),
]
const policy = (spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'p', namespace: 'default' },
  spec,
})
const egress = (...rules: object[]) =>
  policy({ podSelector: { matchLabels: { app: 'front' } }, policyTypes: ['Egress'], egress: rules })
const ingress = (...from: object[]) =>
  policy({ podSelector: { matchLabels: { app: 'back' } }, policyTypes: ['Ingress'], ingress: [{ from }] })
/** For pod front. */
const cluster = (tier: string, ...rules: object[]) => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha2',
  kind: 'ClusterNetworkPolicy',
  metadata: { name: 'c' },
  spec: { tier, priority: 1, subject: { pods: { podSelector: { matchLabels: { app: 'front' } } } }, egress: rules },
})
const ALLOW = { action: 'Accept', to: [{ namespaces: {} }] }
const BACK = { to: [{ podSelector: { matchLabels: { app: 'back' } } }] }
const dns = (...protocols: string[]) => ({
  to: [{ namespaceSelector: {} }],
  ports: protocols.map((protocol) => ({ protocol, port: 53 })),
})
const pods = (app: string) => ({ podSelector: { matchLabels: { app } } })
const named = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } })
const P = 'NetworkPolicy default/p'
const AND_OR = [`info policy-peer-and-or ${P}`]

const found = (item?: object) => brief(POLICY_CHECKS.flatMap((c) => c.find(stateOf(item ? [...base, item] : base))))

describe('policies without a question', () => {
  const cases: Record<string, [object | undefined, readonly string[]]> = {
    'no policy': [undefined, []],
    'the backend, and the DNS forgotten': [egress(BACK), [`warning policy-denies-dns ${P}`]],
    'the backend and the DNS': [egress(BACK, dns('UDP', 'TCP')), []],
    'the DNS over UDP alone': [egress(BACK, dns('UDP')), [`info dns-tcp-blocked ${P}`]],
    'nothing at all, as declared': [egress(), [`info policy-denies-dns ${P}`]],
    'an admin rule denies the DNS': [
      cluster('Admin', { action: 'Deny', to: [{ namespaces: {} }] }),
      ['info policy-denies-dns ClusterNetworkPolicy c'],
    ],
    'an admin rule denies the DNS and allows the rest': [
      cluster('Admin', { action: 'Deny', to: [{ pods: { podSelector: { matchLabels: SELECT } } }] }, ALLOW),
      ['warning policy-denies-dns ClusterNetworkPolicy c'],
    ],
    'an admin rule allows the DNS first': [
      cluster('Admin', ALLOW, { action: 'Deny', to: [{ networks: ['0.0.0.0/0'] }] }),
      [],
    ],
    'the baseline denies DNS over TCP': [
      cluster('Baseline', {
        name: 'no-tcp',
        action: 'Deny',
        to: [{ namespaces: {} }],
        protocols: [{ tcp: { destinationPort: { number: 53 } } }],
      }),
      ['info dns-tcp-blocked ClusterNetworkPolicy c'],
    ],
    'addresses alone may need no names': [
      egress({ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }),
      [`info policy-denies-dns ${P}`],
    ],
    'F148 ingress for one client': [ingress(pods('front')), []],
    'both selectors fit': [ingress({ ...named('tools'), ...pods('client') }), []],
    'joined by and, nobody is both': [ingress({ ...named('tools'), ...pods('front') }), AND_OR],
    'as two items': [ingress(named('tools'), pods('front')), []],
    'a podSelector for pods of another namespace': [ingress(pods('client')), AND_OR],
    'pods that are not there yet': [ingress(pods('prometheus')), []],
    'a namespace that is not there yet': [ingress({ ...named('monitoring'), ...pods('front') }), []],
  }
  it.each(Object.entries(cases))('%s', (_name, [item, expected]) => {
    expect(found(item)).toEqual(expected)
  })

  it("the policy it proposes has the denied pods' selector, so that it isolates nobody else, and cures", () => {
    const [f] = POLICY_CHECKS.flatMap((c) => c.find(stateOf([...base, egress(BACK)])))
    const manifest = f?.finding.remedy?.manifest ?? ''
    expect(manifest).toContain('podSelector: {"matchLabels":{"app":"front"}}')
    expect(manifest).toContain('podSelector: {"matchLabels":{"k8s-app":"kube-dns"}}')
    expect(manifest).toContain('name: "p-dns"')
  })
})
