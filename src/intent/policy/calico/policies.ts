/** Calico's policies as policies of a tier (api/pkg/apis/projectcalico/v3 NetworkPolicySpec, GlobalNetworkPolicySpec). */
import type { OtherObject } from '../../../kubeobj/objects.ts'
import type { Direction } from '../policy.ts'
import { isObject } from '../selector.ts'
import type { StagePolicy, StageRule } from '../stage.ts'
import type { Complain } from '../tier.ts'
import { expressionOf, inNamespace } from './entity.ts'
import { decodeRule, type Surroundings } from './rule.ts'
import { bothTerms, type Condition, combine, conditionOf, type Term, termsOf } from './terms.ts'

/** A policy with its place, before places have become priorities. */
export interface Placed {
  readonly tier: string
  /** Infinity: none, which is last. */
  readonly order: number
  /** As Calico stores it, with the tier's name before it: `default.allow-dns`. */
  readonly storedName: string
  readonly kind: string
  /** Empty for global ones. */
  readonly namespace: string
  readonly name: string
  /** A NetworkPolicy of Kubernetes, which Calico takes for one of its own. */
  readonly fromKubernetes: boolean
  readonly policies: readonly StagePolicy[]
}

const SPEC = [
  'tier',
  'order',
  'ingress',
  'egress',
  'selector',
  'namespaceSelector',
  'serviceAccountSelector',
  'types',
  'doNotTrack',
  'preDNAT',
  'applyOnForward',
  'performanceHints',
]

/** Reads a NetworkPolicy or GlobalNetworkPolicy of Calico's. Null: it is not about pods. */
export function decodePolicy(o: OtherObject, around: Surroundings, complain: Complain): Placed | null {
  const spec = isObject(o.raw.spec) ? o.raw.spec : {}
  const doubts: string[] = []
  const doubt: Complain = (why) => {
    doubts.push(why)
    complain(why)
  }
  if (spec.preDNAT === true || spec.doNotTrack === true) {
    complain(
      `${spec.preDNAT === true ? 'preDNAT' : 'doNotTrack'}: it is about host endpoints only and is not evaluated`,
    )
    return null
  }
  if (spec.applyOnForward === true)
    complain('applyOnForward: what it does to host endpoints is not evaluated, only to pods')
  const unknown = Object.keys(spec).find((k) => !SPEC.includes(k))
  const odd = unknown === undefined ? null : `the policy has the unknown field ${unknown}`
  if (odd !== null) doubt(odd)
  const namespace = o.kind === 'NetworkPolicy' ? o.meta.namespace || 'default' : ''
  const subjects = subjectTerms(spec, namespace, doubt)
  const { sure, perhaps } = directionsOf(o, spec, doubt)
  const shape = (directions: readonly Direction[], more: readonly string[]): StagePolicy[] => {
    const opaque = [...doubts, ...more].join('; ')
    return chunksOf(spec, directions, namespace, around, complain).flatMap(({ near, rules }) =>
      (near === null ? subjects : bothTerms(subjects, near)).map((term) => ({
        kind: o.kind,
        namespace,
        name: o.meta.name,
        subject: { ...term, ...(opaque === '' ? {} : { opaque }) },
        rules: odd === null ? rules : underCondition(rules, odd),
        evidence: o.evidence,
      })),
    )
  }
  const tier = typeof spec.tier === 'string' && spec.tier !== '' ? spec.tier : 'default'
  const order = orderOf(spec.order, doubt)
  const policies = [...shape(sure, []), ...shape(perhaps, ['types is absent, and Calico reads that in two ways'])]
  return {
    tier,
    order,
    storedName: storedName(o.meta.name, tier),
    kind: o.kind,
    namespace,
    name: o.meta.name,
    fromKubernetes: false,
    policies,
  }
}

function underCondition({ ingress, egress }: StagePolicy['rules'], why: string): StagePolicy['rules'] {
  const doubtful = (rules: readonly StageRule[]) => rules.map((r) => ({ ...r, condition: r.condition ?? why }))
  return { ...(ingress ? { ingress: doubtful(ingress) } : {}), ...(egress ? { egress: doubtful(egress) } : {}) }
}

/** Names are stored with their tier before them; `kubectl get` of the API server shows them with or without it. */
function storedName(name: string, tier: string): string {
  return name.startsWith(`${tier}.`) || name.startsWith('knp.default.') ? name : `${tier}.${name}`
}

/** Lower first, also fractions; none is last. */
function orderOf(raw: unknown, complain: Complain): number {
  if (raw === undefined || raw === null) return Number.POSITIVE_INFINITY
  const order = typeof raw === 'number' ? raw : Number.NaN
  if (!Number.isNaN(order)) return order
  complain('order is not a number')
  return Number.POSITIVE_INFINITY
}

function subjectTerms(spec: Readonly<Record<string, unknown>>, namespace: string, doubt: Complain): readonly Term[] {
  const selector = expressionOf(spec.selector, 'selector', doubt)
  const namespaces = namespace === '' ? expressionOf(spec.namespaceSelector, 'namespaceSelector', doubt) : null
  const accounts = expressionOf(spec.serviceAccountSelector, 'serviceAccountSelector', doubt)
  const conditions: Condition[] = [
    ...(namespace === '' ? [] : [inNamespace(namespace)]),
    ...(namespaces ? [conditionOf(namespaces, 'namespace')] : []),
    ...(selector ? [conditionOf(selector, 'endpoint')] : []),
    ...(accounts ? [conditionOf(accounts, 'serviceaccount')] : []),
  ]
  const terms = termsOf(combine('and', conditions))
  if (typeof terms !== 'string') return terms
  doubt(terms)
  return [{ namespaces: [], pods: [] }]
}

/**
 * `types`. Where it is absent, the API server fills it in from the rules that are there (clientv3 defaultPolicyTypesField:
 * Ingress, unless there are only egress rules); felix reads an object that came past it as both (policy_sorter.go).
 */
function directionsOf(
  o: OtherObject,
  spec: Readonly<Record<string, unknown>>,
  doubt: Complain,
): { readonly sure: readonly Direction[]; readonly perhaps: readonly Direction[] } {
  const given = spec.types ?? []
  if (!Array.isArray(given)) doubt('types is not a list')
  else if (given.length > 0) {
    const has = (type: string) => (given as unknown[]).some((t) => typeof t === 'string' && t.toLowerCase() === type)
    if ((given as unknown[]).some((t) => t !== 'Ingress' && t !== 'Egress'))
      doubt('types has more than Ingress and Egress')
    return { sure: (['ingress', 'egress'] as const).filter(has), perhaps: [] }
  }
  const some = (field: unknown) => Array.isArray(field) && field.length > 0
  const sure: readonly Direction[] = !some(spec.egress)
    ? ['ingress']
    : some(spec.ingress)
      ? ['ingress', 'egress']
      : ['egress']
  if (!o.apiVersion.startsWith('crd.')) return { sure, perhaps: [] }
  return { sure, perhaps: (['ingress', 'egress'] as const).filter((d) => !sure.includes(d)) }
}

interface Chunk {
  readonly near: readonly Term[] | null
  readonly rules: StagePolicy['rules']
}

/** Runs of rules that are about the same of the policy's pods. */
function chunksOf(
  spec: Readonly<Record<string, unknown>>,
  directions: readonly Direction[],
  namespace: string,
  around: Surroundings,
  complain: Complain,
): readonly Chunk[] {
  const out: Chunk[] = []
  const plain: Partial<Record<Direction, readonly StageRule[]>> = {}
  for (const direction of directions) {
    const runs = runsOf(spec[direction], direction, namespace, around, complain)
    if (runs.every((r) => r.near === null)) plain[direction] = runs.flatMap((r) => r.rules)
    else {
      for (const { near, rules } of runs) out.push({ near, rules: { [direction]: rules } })
      // All of the policy's pods are isolated, also those that no rule is about.
      out.push({ near: null, rules: { [direction]: [] } })
    }
  }
  return Object.keys(plain).length === 0 ? out : [...out, { near: null, rules: plain }]
}

interface Run {
  readonly near: readonly Term[] | null
  readonly rules: StageRule[]
}

function runsOf(
  raw: unknown,
  direction: Direction,
  namespace: string,
  around: Surroundings,
  complain: Complain,
): readonly Run[] {
  if (raw === undefined || raw === null) return []
  if (!Array.isArray(raw)) {
    complain(`${direction} is not a list`)
    const doubtful = { name: direction, peers: null, ports: null, condition: `${direction} is not a list` }
    return [{ near: null, rules: (['allow', 'deny'] as const).map((action) => ({ action, ...doubtful })) }]
  }
  const out: Run[] = []
  for (const [i, item] of (raw as unknown[]).entries()) {
    const decoded = decodeRule(item, direction, i, namespace, around, complain)
    if (!decoded) continue
    const last = out.at(-1)
    if (decoded.near === null && last?.near === null) last.rules.push(...decoded.rules)
    else out.push({ near: decoded.near, rules: [...decoded.rules] })
  }
  return out
}
