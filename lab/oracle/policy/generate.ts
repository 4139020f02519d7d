/** Random NetworkPolicies for the pods of a lab: every part of networking.k8s.io/v1 that an enforcer must carry out. */
import type { KubeJson } from '../../kubejson.ts'
import type { Random } from '../random.ts'

export interface PolicyWorld {
  readonly namespaces: readonly string[]
  /** Values of the label `app`. */
  readonly apps: readonly string[]
  /** Addresses of pods, nodes and of the outside, of every family the lab has. */
  readonly addresses: readonly string[]
  readonly portNames: readonly string[]
  readonly ports: readonly number[]
}

type Selector = KubeJson

function podSelector(r: Random, w: PolicyWorld): Selector {
  const app = () => r.pick(w.apps)
  return r.weighted<() => Selector>([
    [4, () => ({})],
    [4, () => ({ matchLabels: { app: app() } })],
    [2, () => ({ matchExpressions: [{ key: 'app', operator: 'In', values: [app(), app()] }] })],
    [2, () => ({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: [app()] }] })],
    // Some pods have the label `role`, with an empty value.
    [1, () => ({ matchExpressions: [{ key: 'role', operator: r.pick(['Exists', 'DoesNotExist']) }] })],
    [1, () => ({ matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['x'] }] })],
    [1, () => ({ matchLabels: { role: '' } })],
  ])()
}

function namespaceSelector(r: Random, w: PolicyWorld): Selector {
  return r.weighted<() => Selector>([
    [3, () => ({})],
    [4, () => ({ matchLabels: { 'kubernetes.io/metadata.name': r.pick(w.namespaces) } })],
    [2, () => ({ matchLabels: { team: 'a' } })],
    [2, () => ({ matchExpressions: [{ key: 'team', operator: r.pick(['Exists', 'DoesNotExist']) }] })],
    [1, () => ({ matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] })],
  ])()
}

/** A block around some address, and blocks within it that hold some address too. */
function ipBlock(r: Random, w: PolicyWorld): KubeJson {
  const base = r.pick(w.addresses)
  const six = base.includes(':')
  const length = six ? r.pick([0, 8, 48, 64, 96, 128]) : r.pick([0, 8, 16, 24, 28, 32])
  const near = w.addresses.filter((a) => a.includes(':') === six)
  const longer = (six ? [16, 64, 80, 120, 128] : [16, 24, 28, 31, 32]).filter((n) => n > length)
  const inside = (a: string) => within(a, `${base}/${length}`)
  const except = [r.pick(near), r.pick(near)].filter((a) => longer.length > 0 && inside(a) && r.chance(0.6))
  return {
    cidr: masked(base, length),
    ...(except.length > 0 ? { except: except.map((a) => masked(a, r.pick(longer))) } : {}),
  }
}

function bits(text: string): { readonly value: bigint; readonly size: 32 | 128 } {
  if (!text.includes(':')) return { value: text.split('.').reduce((s, p) => s * 256n + BigInt(p), 0n), size: 32 }
  const [head = '', tail = ''] = text.split('::')
  const words = (part: string) => (part === '' ? [] : part.split(':'))
  const [front, back] = [words(head), words(tail)]
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0')
  return { value: [...front, ...zeros, ...back].reduce((s, x) => s * 65536n + BigInt(`0x${x}`), 0n), size: 128 }
}

function masked(text: string, length: number): string {
  const { value, size } = bits(text)
  const free = BigInt(size - length)
  const network = (value >> free) << free
  const part = (i: number, width: bigint) => Number((network >> (BigInt(i) * width)) & ((1n << width) - 1n))
  return size === 32
    ? `${[3, 2, 1, 0].map((i) => part(i, 8n)).join('.')}/${length}`
    : `${[7, 6, 5, 4, 3, 2, 1, 0].map((i) => part(i, 16n).toString(16)).join(':')}/${length}`
}

const within = (text: string, block: string): boolean => {
  const [base = '', length = ''] = block.split('/')
  return masked(text, Number(length)) === masked(base, Number(length))
}

const peer = (r: Random, w: PolicyWorld): KubeJson =>
  r.weighted<() => KubeJson>([
    [3, () => ({ podSelector: podSelector(r, w) })],
    [3, () => ({ namespaceSelector: namespaceSelector(r, w) })],
    [3, () => ({ namespaceSelector: namespaceSelector(r, w), podSelector: podSelector(r, w) })],
    [4, () => ({ ipBlock: ipBlock(r, w) })],
  ])()

function port(r: Random, w: PolicyWorld): KubeJson {
  const protocol = r.weighted<KubeJson>([
    [3, {}],
    [3, { protocol: 'TCP' }],
    [3, { protocol: 'UDP' }],
    [1, { protocol: 'SCTP' }],
  ])
  const number = () => r.pick(w.ports)
  return {
    ...protocol,
    ...r.weighted<() => KubeJson>([
      [2, () => ({})],
      [4, () => ({ port: number() })],
      [3, () => ({ port: r.pick(w.portNames) })],
      [
        3,
        () => {
          const [a, b] = [number(), number()]
          return { port: Math.min(a, b), endPort: Math.max(a, b) }
        },
      ],
    ])(),
  }
}

const several = <T>(r: Random, least: number, most: number, make: () => T): T[] =>
  Array.from({ length: least + r.below(most - least + 1) }, make)

function rule(r: Random, w: PolicyWorld, side: 'from' | 'to'): KubeJson {
  return {
    ...(r.chance(0.8) ? { [side]: several(r, r.chance(0.1) ? 0 : 1, 3, () => peer(r, w)) } : {}),
    ...(r.chance(0.5) ? { ports: several(r, r.chance(0.1) ? 0 : 1, 2, () => port(r, w)) } : {}),
  }
}

/** One to six policies. */
export function randomPolicies(r: Random, w: PolicyWorld): KubeJson[] {
  return several(r, 1, 6, () => 0).map((_, i) => {
    const types = r.weighted<KubeJson>([
      [2, { policyTypes: ['Ingress', 'Egress'] }],
      [2, { policyTypes: ['Ingress'] }],
      [2, { policyTypes: ['Egress'] }],
      [2, {}],
    ])
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `random-${i}`, namespace: r.pick(w.namespaces) },
      spec: {
        podSelector: podSelector(r, w),
        ...types,
        ...(r.chance(0.7) ? { ingress: several(r, 0, 2, () => rule(r, w, 'from')) } : {}),
        ...(r.chance(0.7) ? { egress: several(r, 0, 2, () => rule(r, w, 'to')) } : {}),
      },
    }
  })
}
