import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { OtherObject } from '../../kubeobj/objects.ts'
import { loadManifests } from '../../manifests/load.ts'
import { splitDocuments } from '../../manifests/split.ts'
import type { Finding } from '../../model/finding.ts'
import { DNS, DNS_5353, NODE_CACHE, policy, SHOP } from './lint.test-data.ts'
import { lintPolicies } from './lint.ts'

/** Lints the documents as one file `all.yaml`. */
function lint(documents: readonly string[], complete = false): Finding[] {
  const text = documents.join('---\n')
  const { objects, places } = loadManifests([{ path: 'all.yaml', text }])
  const chunks = splitDocuments(text)
  const refOf = ({ apiVersion, kind, meta }: OtherObject) => ({
    apiVersion,
    kind,
    namespace: meta.namespace,
    name: meta.name,
  })
  return lintPolicies({
    objects,
    complete,
    lineOf: (o, path) => places.placeOf(refOf(o), path)?.line,
    textOf: (o) => chunks.findLast((c) => c.line <= (o.evidence.line ?? 0))?.text ?? null,
  })
}

const dnsTo =
  '{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }, podSelector: { matchLabels: { k8s-app: kube-dns } } }'
const web = 'podSelector: { matchLabels: { app: web } }'
const api = 'podSelector: { matchLabels: { app: api } }'
const toApi = `- to: [{ ${api} }]\n    ports: [{ port: http }]`
const egress = (...rules: string[]) =>
  `${web}\npolicyTypes: [Egress]\negress:\n${rules.map((r) => `  ${r}`).join('\n')}`
const both = '[{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]'
const said = (findings: readonly Finding[], code: string) => findings.filter((f) => f.code === code)
const codes = (findings: readonly Finding[]) => [...new Set(findings.map((f) => `${f.severity} ${f.code}`))].sort()

interface Row {
  readonly name: string
  readonly docs: readonly string[]
  /** `severity code`, each that must be there. Empty: nothing at all. */
  readonly finds: readonly string[]
  readonly says?: RegExp
  readonly verified?: boolean
  readonly complete?: boolean
}

const BASE = [...SHOP, ...DNS]
const OPEN = policy('open', 'podSelector: {}\npolicyTypes: [Ingress]\ningress: [{}]')
const withSpec = (spec: string) => [...BASE, policy('p', spec)]

const ROWS: readonly Row[] = [
  // DNS
  { name: 'egress with DNS', docs: withSpec(egress(toApi, `- to: [${dnsTo}]\n    ports: ${both}`)), finds: [] },
  {
    name: 'egress, DNS forgotten',
    docs: withSpec(egress(toApi)),
    finds: ['warning policy-denies-dns'],
    says: /forgotten/,
    verified: true,
  },
  {
    name: 'all egress denied, which may be meant',
    docs: withSpec(`${web}\npolicyTypes: [Egress]`),
    finds: ['info policy-denies-dns'],
    says: /may be meant/,
    verified: true,
  },
  {
    name: 'port 53 without protocol',
    docs: withSpec(egress(toApi, `- to: [${dnsTo}]\n    ports: [{ port: 53 }]`)),
    finds: ['warning policy-denies-dns'],
    says: /without protocol is TCP/,
    verified: true,
  },
  {
    name: 'UDP only',
    docs: withSpec(egress(toApi, `- to: [${dnsTo}]\n    ports: [{ port: 53, protocol: UDP }]`)),
    finds: ['info dns-tcp-blocked'],
    verified: true,
  },
  {
    name: 'podSelector without namespaceSelector',
    docs: withSpec(
      egress(toApi, `- to: [{ podSelector: { matchLabels: { k8s-app: kube-dns } } }]\n    ports: ${both}`),
    ),
    finds: ['warning policy-denies-dns', 'warning policy-peer-and-or'],
    says: /without a namespaceSelector/,
    verified: true,
  },
  {
    name: 'the DNS Service address',
    docs: withSpec(egress(toApi, `- to: [{ ipBlock: { cidr: 10.96.0.10/32 } }]\n    ports: ${both}`)),
    finds: ['warning policy-denies-dns', 'warning policy-ipblock-in-cluster'],
    says: /address of the DNS Service/,
  },
  {
    name: 'a public resolver is not the cluster DNS',
    docs: withSpec(egress(toApi, `- to: [{ ipBlock: { cidr: 8.8.8.8/32 } }]\n    ports: ${both}`)),
    finds: ['warning policy-denies-dns'],
  },
  {
    name: 'a private block may hold the DNS pods',
    docs: withSpec(egress(toApi, `- to: [{ ipBlock: { cidr: 10.0.0.0/8 } }]\n    ports: ${both}`)),
    finds: [],
  },
  { name: 'any address on port 53', docs: withSpec(egress(toApi, `- ports: ${both}`)), finds: [] },
  {
    name: 'port 53 where the pods serve 5353',
    docs: [...SHOP, ...DNS_5353, policy('p', egress(toApi, `- to: [${dnsTo}]\n    ports: ${both}`))],
    finds: ['warning policy-denies-dns'],
    says: /listen on 5353/,
    verified: true,
  },
  {
    name: 'port 5353 where the pods serve 5353',
    docs: [
      ...SHOP,
      ...DNS_5353,
      policy('p', egress(toApi, `- to: [${dnsTo}]\n    ports: [{ port: 5353, protocol: UDP }, { port: 5353 }]`)),
    ],
    finds: [],
  },
  {
    name: 'a namespace label that kube-system has not',
    docs: withSpec(
      egress(toApi, `- to: [{ namespaceSelector: { matchLabels: { name: kube-system } } }]\n    ports: ${both}`),
    ),
    finds: ['warning policy-denies-dns', 'warning policy-label-missing'],
    says: /no such label/,
    verified: true,
  },
  {
    name: 'the DNS pods isolated themselves',
    docs: [
      ...withSpec(egress(toApi, `- to: [${dnsTo}]\n    ports: ${both}`)),
      policy(
        'closed',
        'podSelector: { matchLabels: { k8s-app: kube-dns } }\ningress: [{ from: [{ podSelector: {} }] }]',
        'kube-system',
      ),
    ],
    finds: ['warning policy-denies-dns'],
    says: /isolates kube-system\/coredns/,
  },
  {
    name: 'NodeLocal DNSCache: depends on the plugin',
    docs: [...BASE, ...NODE_CACHE, policy('p', egress(toApi))],
    finds: ['info policy-denies-dns'],
    says: /169\.254\.20\.10/,
  },
  {
    name: 'NodeLocal DNSCache admitted by address',
    docs: [
      ...BASE,
      ...NODE_CACHE,
      policy(
        'p',
        egress(
          toApi,
          `- to: [{ ipBlock: { cidr: 169.254.20.10/32 } }, { ipBlock: { cidr: 10.96.0.10/32 } }]\n    ports: ${both}`,
        ),
      ),
    ],
    finds: [],
  },
  {
    name: 'DNS Service not there, no rule could',
    docs: [...SHOP, policy('p', egress(toApi))],
    finds: ['warning policy-denies-dns'],
    says: /not in these manifests/,
  },
  {
    name: 'DNS Service not there, a rule could',
    docs: [...SHOP, policy('p', egress(toApi, `- to: [${dnsTo}]\n    ports: ${both}`))],
    finds: [],
  },
  {
    name: 'DNS Service not there, own namespace only',
    docs: [...SHOP, policy('p', egress(toApi, `- to: [{ podSelector: {} }]\n    ports: ${both}`))],
    finds: ['warning policy-denies-dns'],
    says: /looks in namespace shop only/,
  },
  {
    name: 'policies alone, DNS in another of them',
    docs: [
      policy('a', egress(toApi)),
      policy('dns', `podSelector: {}\npolicyTypes: [Egress]\negress: [{ ports: ${both} }]`),
    ],
    finds: [],
  },
  { name: 'policies alone, DNS forgotten', docs: [policy('a', egress(toApi))], finds: ['warning policy-denies-dns'] },
  // ports
  {
    name: 'the Service port in ingress',
    docs: withSpec(`${api}\ningress: [{ from: [{ ${web} }], ports: [{ port: 80 }] }]`),
    finds: ['warning policy-uses-service-port'],
    says: /80 to 9090/,
    verified: true,
  },
  {
    name: 'the pod port in ingress',
    docs: withSpec(`${api}\ningress: [{ from: [{ ${web} }], ports: [{ port: 9090 }] }]`),
    finds: [],
  },
  {
    name: 'both ports in ingress',
    docs: withSpec(`${api}\ningress: [{ from: [{ ${web} }], ports: [{ port: 80 }, { port: http }] }]`),
    finds: [],
  },
  {
    name: 'the Service port in egress',
    docs: withSpec(egress(`- to: [{ ${api} }]\n    ports: [{ port: 80 }]`, `- ports: ${both}`)),
    finds: ['warning policy-uses-service-port'],
    verified: true,
  },
  { name: 'port 80 of anything', docs: withSpec(egress('- ports: [{ port: 80 }]', `- ports: ${both}`)), finds: [] },
  {
    name: 'a port name nobody has',
    docs: withSpec(`${api}\ningress: [{ ports: [{ port: grpc }] }]`),
    finds: ['warning policy-port-name-missing'],
    says: /They name http/,
  },
  {
    name: 'a port name of another protocol',
    docs: withSpec(`${api}\ningress: [{ ports: [{ port: metrics }] }]`),
    finds: ['warning policy-port-name-missing'],
    says: /is a UDP port/,
    verified: true,
  },
  {
    name: 'a port name that is there',
    docs: withSpec(`${api}\ningress: [{ ports: [{ port: metrics, protocol: UDP }] }]`),
    finds: [],
  },
  // selectors
  {
    name: 'a subject with a slip',
    docs: withSpec('podSelector: { matchLabels: { app: wbe } }'),
    finds: ['warning policy-selects-nothing'],
    says: /nearest label is app=web/,
    verified: true,
  },
  {
    name: 'a subject of another namespace',
    docs: withSpec('podSelector: { matchLabels: { app: prom } }'),
    finds: ['info policy-selects-nothing'],
    says: /own namespace only/,
  },
  {
    name: 'a subject yet to come',
    docs: withSpec('podSelector: { matchLabels: { app: cart } }'),
    finds: ['info policy-selects-nothing'],
  },
  {
    name: 'web-2 is no slip of web-1',
    docs: [
      ...BASE,
      policy('p', 'podSelector: { matchLabels: { zone: web-2 } }'),
      'apiVersion: v1\nkind: Pod\nmetadata: { namespace: shop, name: z, labels: { zone: web-1 } }\nspec: { containers: [{ name: c, image: i }] }\n',
    ],
    finds: ['info policy-selects-nothing'],
  },
  {
    name: 'no pods of the namespace known',
    docs: [policy('p', 'podSelector: { matchLabels: { app: wbe } }')],
    finds: [],
  },
  {
    name: 'a peer with a slip',
    docs: withSpec(`${api}\ningress: [{ from: [{ podSelector: { matchLabels: { app: wbe } } }] }]`),
    finds: ['warning policy-peer-matches-nothing'],
    says: /app=web/,
    verified: true,
  },
  {
    name: 'a namespace label with a slip',
    docs: withSpec(`${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { team: opps } } }] }]`),
    finds: ['warning policy-label-missing'],
    says: /team=ops/,
    verified: true,
  },
  {
    name: 'a namespace label that is there',
    docs: withSpec(`${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { team: ops } } }] }]`),
    finds: [],
  },
  {
    name: 'a namespace that is elsewhere',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ingress-nginx } } }] }]`,
    ),
    finds: [],
  },
  {
    name: 'a namespace that is nowhere in a whole cluster',
    complete: true,
    docs: withSpec(
      `${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: gone } } }] }]`,
    ),
    finds: ['warning policy-label-missing'],
  },
  {
    name: 'podSelector alone, pods elsewhere',
    docs: withSpec(`${api}\ningress: [{ from: [{ podSelector: { matchLabels: { app: prom } } }] }]`),
    finds: ['warning policy-peer-and-or'],
    says: /looks in namespace shop only/,
    verified: true,
  },
  {
    name: 'two items where one was meant',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { team: ops } } }, { podSelector: { matchLabels: { app: prom } } }] }]`,
    ),
    finds: ['warning policy-peer-and-or'],
    verified: true,
  },
  {
    name: 'one item that nobody matches',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: web } } }] }]`,
    ),
    finds: ['warning policy-peer-and-or'],
    says: /both must match/,
  },
  {
    name: 'one item that matches',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ namespaceSelector: { matchLabels: { team: ops } }, podSelector: { matchLabels: { app: prom } } }] }]`,
    ),
    finds: [],
  },
  {
    name: 'a host-network subject',
    docs: withSpec('podSelector: { matchLabels: { app: agent } }'),
    finds: ['warning policy-host-network'],
  },
  {
    name: 'a host-network peer',
    docs: withSpec(`${api}\ningress: [{ from: [{ podSelector: { matchLabels: { app: agent } } }] }]`),
    finds: ['warning policy-host-network'],
    says: /node's network/,
  },
  {
    name: 'everybody, a host-network pod among them',
    docs: withSpec('podSelector: {}\ningress: [{ from: [{ podSelector: {} }] }]'),
    finds: [],
  },
  {
    name: 'a subject that has ended',
    docs: [
      ...BASE,
      'apiVersion: v1\nkind: Pod\nmetadata: { namespace: shop, name: job, labels: { job: x } }\nspec: { containers: [{ name: c, image: i }] }\nstatus: { phase: Succeeded }\n',
      policy('p', 'podSelector: { matchLabels: { job: x } }'),
    ],
    finds: ['info policy-selects-ended-pods'],
  },
  // form
  {
    name: 'egress rules, policyTypes Ingress',
    docs: withSpec(`${web}\npolicyTypes: [Ingress]\negress: [{ to: [{ ${api} }] }, { ports: ${both} }]`),
    finds: ['warning policy-types-forget-rules'],
    verified: true,
  },
  {
    name: 'empty egress without policyTypes',
    docs: withSpec(`${web}\negress: []`),
    finds: ['warning policy-types-forget-rules'],
    says: /denies nothing/,
  },
  {
    name: 'empty egress, policyTypes Ingress',
    docs: withSpec(`${web}\npolicyTypes: [Ingress]\negress: []`),
    finds: [],
  },
  {
    name: 'endPort below port',
    docs: withSpec(`${api}\ningress: [{ ports: [{ port: 90, endPort: 80 }] }]`),
    finds: ['error policy-invalid'],
  },
  {
    name: 'except outside its block',
    docs: withSpec(`${api}\ningress: [{ from: [{ ipBlock: { cidr: 203.0.113.0/24, except: [198.51.100.0/24] } }] }]`),
    finds: ['error policy-invalid'],
  },
  {
    name: 'except that leaves nothing',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ ipBlock: { cidr: 203.0.113.0/24, except: [203.0.113.0/25, 203.0.113.128/25] } }] }]`,
    ),
    finds: ['warning policy-rule-never-matches'],
  },
  {
    name: 'except that leaves something',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ ipBlock: { cidr: 203.0.113.0/24, except: [203.0.113.0/25, 203.0.113.128/26] } }] }]`,
    ),
    finds: [],
  },
  // shadows
  {
    name: 'a rule implied by another',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ ${web} }], ports: [{ port: http }] }, { from: [{ podSelector: {} }] }]`,
    ),
    finds: ['info policy-rule-shadowed'],
    verified: true,
  },
  {
    name: 'rules side by side',
    docs: withSpec(
      `${api}\ningress: [{ from: [{ ${web} }] }, { from: [{ podSelector: { matchLabels: { app: db } } }] }]`,
    ),
    finds: [],
  },
  {
    name: 'a policy implied by another',
    docs: [...withSpec(`${api}\ningress: [{ from: [{ ${web} }] }]`), OPEN],
    finds: ['info policy-redundant'],
  },
  {
    name: 'a default deny beside what it is for',
    docs: [
      ...withSpec(`${api}\ningress: [{ from: [{ ${web} }] }]`),
      policy('deny', 'podSelector: {}\npolicyTypes: [Ingress]'),
    ],
    finds: [],
  },
  // blocks
  {
    name: 'the address of a Service',
    docs: withSpec(egress('- to: [{ ipBlock: { cidr: 10.96.7.7/32 } }]', `- ports: ${both}`)),
    finds: ['warning policy-ipblock-in-cluster'],
    verified: true,
  },
  {
    name: 'a range inside the pod range',
    docs: [
      ...withSpec(`${api}\ningress: [{ from: [{ ipBlock: { cidr: 10.244.1.0/25 } }] }]`),
      'apiVersion: v1\nkind: Node\nmetadata: { name: n1 }\nspec: { podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24] }\n',
    ],
    finds: ['warning policy-ipblock-in-cluster'],
  },
  {
    name: 'clients behind a NodePort',
    docs: [
      ...withSpec(`${web}\ningress: [{ from: [{ ipBlock: { cidr: 203.0.113.0/24 } }] }]`),
      'apiVersion: v1\nkind: Service\nmetadata: { namespace: shop, name: web }\nspec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: http, nodePort: 30080 }] }\n',
    ],
    finds: ['warning policy-ipblock-nat'],
  },
  {
    name: 'clients behind a NodePort that keeps their address',
    docs: [
      ...withSpec(`${web}\ningress: [{ from: [{ ipBlock: { cidr: 203.0.113.0/24 } }] }]`),
      'apiVersion: v1\nkind: Service\nmetadata: { namespace: shop, name: web }\nspec: { type: NodePort, externalTrafficPolicy: Local, selector: { app: web }, ports: [{ port: 80, targetPort: http, nodePort: 30080 }] }\n',
    ],
    finds: [],
  },
  // enforcement
  {
    name: 'flannel alone',
    complete: true,
    docs: [
      ...withSpec(`${api}\ningress: [{ from: [{ ${web} }] }]`),
      'apiVersion: v1\nkind: Pod\nmetadata: { namespace: kube-flannel, name: kube-flannel-ds-x }\nspec: { hostNetwork: true, containers: [{ name: kube-flannel, image: flannel }] }\n',
    ],
    finds: ['warning policy-not-enforced'],
  },
]

const tier = (kind: string, name: string, spec: string, version = 'v1alpha1') =>
  `apiVersion: policy.networking.k8s.io/${version}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n${spec
    .trim()
    .split('\n')
    .map((l) => `  ${l}`)
    .join('\n')}\n`
const all = 'subject: { namespaces: {} }'

const TIERS: readonly Row[] = [
  {
    name: 'equal priorities that disagree',
    docs: [
      ...BASE,
      tier('AdminNetworkPolicy', 'a', `priority: 5\n${all}\ningress: [{ action: Deny, from: [{ namespaces: {} }] }]`),
      tier(
        'AdminNetworkPolicy',
        'b',
        `priority: 5\n${all}\ningress: [{ action: Allow, from: [{ namespaces: { matchLabels: { team: ops } } }] }]`,
      ),
    ],
    finds: ['warning policy-priority-equal', 'warning policy-admin-denies-dns'],
  },
  {
    name: 'different priorities, the narrow one first',
    docs: [
      ...BASE,
      tier(
        'AdminNetworkPolicy',
        'a',
        `priority: 6\n${all}\ningress: [{ action: Deny, from: [{ namespaces: { matchLabels: { team: dev } } }] }]`,
      ),
      tier(
        'AdminNetworkPolicy',
        'b',
        `priority: 5\n${all}\ningress: [{ action: Allow, from: [{ namespaces: { matchLabels: { team: ops } } }] }]`,
      ),
    ],
    finds: [],
  },
  {
    name: 'a rule behind a broader one',
    docs: [
      ...BASE,
      tier(
        'AdminNetworkPolicy',
        'a',
        `priority: 5\n${all}\ningress:\n  - { action: Pass, from: [{ namespaces: {} }] }\n  - { action: Deny, from: [{ namespaces: { matchLabels: { team: ops } } }] }`,
      ),
    ],
    finds: ['warning policy-rule-unreachable'],
  },
  {
    name: 'Pass in the baseline',
    docs: [
      ...BASE,
      tier(
        'ClusterNetworkPolicy',
        'a',
        `tier: Baseline\npriority: 5\n${all}\ningress: [{ action: Pass, from: [{ namespaces: {} }] }]`,
        'v1alpha2',
      ),
    ],
    finds: ['warning policy-pass-in-baseline'],
  },
  {
    name: 'the Admin tier denies the DNS',
    docs: [
      ...BASE,
      tier(
        'AdminNetworkPolicy',
        'a',
        `priority: 5\n${all}\negress: [{ action: Deny, to: [{ namespaces: { matchLabels: { kubernetes.io/metadata.name: kube-system } } }] }]`,
      ),
    ],
    finds: ['warning policy-admin-denies-dns'],
  },
]

const CALICO = `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  selector: app == 'web'
  types: [Egress]
  egress: [{ action: Allow, protocol: TCP, destination: { selector: "app == 'api'" } }]
`
const CILIUM = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  egress: [{ toEndpoints: [{ matchLabels: { app: api } }] }]
`
const BANP = (...rules: string[]) =>
  tier('BaselineAdminNetworkPolicy', 'default', `${all}\negress:\n${rules.map((r) => `  - ${r}`).join('\n')}`)

const DIALECTS: readonly Row[] = [
  {
    name: 'Calico isolates, DNS forgotten',
    docs: [...BASE, CALICO],
    finds: ['warning policy-denies-dns'],
    says: /shop\/web isolates it/,
  },
  {
    name: 'Cilium isolates, DNS forgotten',
    docs: [...BASE, CILIUM],
    finds: ['warning policy-denies-dns'],
    says: /CiliumNetworkPolicy shop\/web isolates it/,
  },
  {
    name: 'the Baseline denies the DNS',
    docs: [...BASE, BANP('{ action: Deny, to: [{ namespaces: {} }] }')],
    finds: ['warning policy-denies-dns'],
    says: /comes before/,
  },
  {
    name: 'the Baseline denies after allowing the DNS',
    docs: [
      ...BASE,
      BANP(
        '{ action: Allow, to: [{ namespaces: { matchLabels: { kubernetes.io/metadata.name: kube-system } } }] }',
        '{ action: Deny, to: [{ namespaces: {} }] }',
      ),
    ],
    finds: [],
  },
]

describe('policy lint', () => {
  it.each([...ROWS, ...TIERS, ...DIALECTS])('$name', ({ docs, finds, says, verified, complete }) => {
    const findings = lint(docs, complete)
    if (finds.length === 0) expect(findings.map((f) => `${f.severity} ${f.code}: ${f.title}`)).toEqual([])
    expect(codes(findings)).toEqual(expect.arrayContaining([...finds]))
    expect(codes(findings).filter((c) => !c.startsWith('info') && !finds.includes(c))).toEqual([])
    const [first] = said(findings, finds[0]?.split(' ')[1] ?? '')
    if (says) expect(`${first?.title}\n${first?.text}`).toMatch(says)
    if (verified !== undefined) expect(first?.remedy?.verified).toBe(verified)
    for (const f of findings) expect(f.evidence[0]?.line).toBeGreaterThan(0)
  })

  it.each([...ROWS.filter((r) => r.verified)])('applied: $name', ({ docs, finds, complete }) => {
    const code = finds[0]?.split(' ')[1] ?? ''
    const [first] = said(lint(docs, complete), code)
    const manifest = first?.remedy?.manifest ?? ''
    const { name } = (parse(manifest, { version: '1.1' }) as { metadata: { name: string } }).metadata
    const after = docs.map((d) =>
      new RegExp(`kind: NetworkPolicy\\nmetadata:\\n {2}name: ${name}\\n`).test(d) ? manifest : d,
    )
    expect(after).not.toEqual(docs)
    expect(said(lint(after, complete), code)).toEqual([])
  })

  it('keeps comments and the way lists are written', () => {
    const spec = `# who may call\n${api}\ningress:\n# from web\n- ports:\n  - port: 80 # the Service\n  from:\n  - ${web}`
    const [f] = said(lint(withSpec(spec)), 'policy-uses-service-port')
    expect(f?.remedy?.manifest).toBe(policy('p', spec.replace('port: 80', 'port: 9090')))
  })

  it('tells nonsense once, at its rule', () => {
    const found = lint(withSpec(`${api}\ningress: [{}, { ports: [{ port: 0 }] }]`))
    expect(said(found, 'policy-invalid').map((f) => f.evidence[0]?.text.split(':')[0])).toEqual(['spec.ingress[1]'])
  })

  it('points at the line of the field', () => {
    const docs = withSpec(`${api}\ningress:\n- ports:\n  - port: 80`)
    const line = docs
      .join('---\n')
      .split('\n')
      .findIndex((l) => l.includes('- port: 80'))
    expect(said(lint(docs), 'policy-uses-service-port')[0]?.evidence[0]).toMatchObject({
      artefact: 'all.yaml',
      line: line + 1,
    })
  })
})
