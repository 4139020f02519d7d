/** Manifests of a large cluster with policies, the same ones for the same seed. */

export interface PolicyClusterSize {
  readonly namespaces: number
  readonly workloads: number
  readonly pods: number
  readonly policies: number
  /** Pods have owners; without, each stands for itself. */
  readonly owned: boolean
}

/** Numbers in [0, 1) from a seed (mulberry32, Tommy Ettinger, public domain). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const TIERS = ['front', 'back', 'data', 'batch'] as const
const BLOCKS = ['203.0.113.0/24', '198.51.100.0/24', '192.0.2.0/25', '172.16.0.0/12', '100.64.0.0/10'] as const

/** One YAML text: Namespaces, pods with addresses, policies with selectors, blocks, named ports and DNS egress. */
export function policyClusterYaml(size: PolicyClusterSize, seed = 4): string {
  const random = randomFrom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
  const out: string[] = []
  const nsOf = (w: number) => (w === 0 ? 'kube-system' : `team-${w % size.namespaces}`)
  const names = new Set(Array.from({ length: size.workloads }, (_, w) => nsOf(w)))
  for (const ns of names)
    out.push(
      `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${ns}\n  labels:\n    kubernetes.io/metadata.name: ${ns}\n    env: ${pick(['prod', 'test'])}\n`,
    )
  const app = (w: number) => (w === 0 ? 'kube-dns' : `app-${w}`)
  const labels = (w: number, indent: string) =>
    [
      `${w === 0 ? 'k8s-app' : 'app'}: ${app(w)}`,
      `tier: ${TIERS[w % TIERS.length]}`,
      `version: v${w % 3}`,
      `pod-template-hash: ${(w * 7919 + 4096).toString(16)}`,
    ]
      .map((l) => `${indent}${l}\n`)
      .join('')
  for (let p = 0; p < size.pods; p++) {
    const w = p % size.workloads
    const hash = (w * 7919 + 4096).toString(16)
    const owner = size.owned
      ? `  ownerReferences:\n    - apiVersion: apps/v1\n      kind: ReplicaSet\n      name: ${app(w)}-${hash}\n      uid: 00000000-0000-4000-8000-${String(w).padStart(12, '0')}\n      controller: true\n`
      : ''
    const port = w === 0 ? '        - name: dns\n          containerPort: 53\n          protocol: UDP\n' : ''
    out.push(
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${app(w)}-${hash}-${p.toString(36).padStart(5, '0')}\n  namespace: ${nsOf(w)}\n  labels:\n${labels(w, '    ')}${owner}` +
        `spec:\n  nodeName: node-${p % 100}\n  containers:\n    - name: main\n      image: registry.example/${app(w)}:1\n      ports:\n        - name: http\n          containerPort: ${8080 + (w % 4)}\n${port}` +
        `status:\n  phase: Running\n  podIP: 10.${64 + (p % 100)}.${(p >> 8) & 255}.${p & 255}\n  podIPs:\n    - ip: 10.${64 + (p % 100)}.${(p >> 8) & 255}.${p & 255}\n`,
    )
  }
  for (let i = 0; i < size.policies; i++) out.push(policyYaml(i))
  return out.join('---\n')

  function policyYaml(i: number): string {
    const w = 1 + below(size.workloads - 1)
    const head = `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: policy-${i}\n  namespace: ${nsOf(w)}\nspec:\n`
    if (i % 10 === 0) return `${head}  podSelector: {}\n  policyTypes: [Ingress, Egress]\n  egress:\n${dns}`
    const subject = random() < 0.7 ? `app: ${app(w)}` : `tier: ${pick(TIERS)}`
    const egress = i % 3 === 0
    return (
      `${head}  podSelector:\n    matchLabels:\n      ${subject}\n  policyTypes: [${egress ? 'Ingress, Egress' : 'Ingress'}]\n  ingress:\n` +
      Array.from({ length: 1 + below(3) }, () => rule('from', w)).join('') +
      (egress ? `  egress:\n${dns}${rule('to', w)}` : '')
    )
  }

  function rule(side: 'from' | 'to', w: number): string {
    const peers = Array.from({ length: 1 + below(2) }, () => peer(w)).join('')
    return `    - ${side}:\n${peers}      ports:\n${port()}`
  }

  function peer(w: number): string {
    const other = 1 + below(size.workloads - 1)
    switch (below(5)) {
      case 0:
        return `        - podSelector:\n            matchLabels:\n              tier: ${pick(TIERS)}\n`
      case 1:
        return `        - podSelector:\n            matchExpressions:\n              - { key: app, operator: In, values: [${app(w)}, ${app(other)}] }\n`
      case 2:
        return `        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: ${nsOf(other)}\n          podSelector:\n            matchLabels:\n              app: ${app(other)}\n`
      case 3:
        return `        - namespaceSelector:\n            matchLabels:\n              env: ${pick(['prod', 'test'])}\n`
      default:
        return `        - ipBlock:\n            cidr: ${pick(BLOCKS)}\n`
    }
  }

  function port(): string {
    switch (below(4)) {
      case 0:
        return '        - port: http\n'
      case 1:
        return '        - port: 8080\n          endPort: 8083\n'
      case 2:
        return '        - port: 443\n        - port: 5432\n'
      default:
        return `        - port: ${8080 + below(4)}\n`
    }
  }
}

const dns =
  '    - to:\n        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: kube-system\n          podSelector:\n            matchLabels:\n              k8s-app: kube-dns\n      ports:\n        - port: 53\n          protocol: UDP\n        - port: 53\n'
