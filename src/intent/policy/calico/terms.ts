/**
 * A selector expression in the form the stages have: alternatives, each of labels of the namespace and labels of the pod. Calico
 * gives a pod's endpoint the labels of its namespace (prefix `pcns.`) and of its service account (`pcsa.`), and some of its own
 * (libcalico-go/lib/backend/k8s/conversion, syncersv1/updateprocessors/rules.go).
 */
import { ACCOUNT_LABEL, NAME_LABEL } from '../end.ts'
import type { Requirement, Selector } from '../policy.ts'
import type { Expression } from './expression.ts'

/** Pods whose namespace and whose labels both match. */
export interface Term {
  readonly namespaces: Selector
  readonly pods: Selector
}

/** Where the keys of an expression are to be looked up. */
export type Space = 'endpoint' | 'namespace' | 'serviceaccount'

/** An expression of which every `not` has been pushed to the leaves. */
export type Condition =
  | boolean
  | { readonly on: 'namespaces' | 'pods'; readonly requirement: Requirement }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }

/** More alternatives than this are not spelt out. */
const MOST_TERMS = 64

/** The expression as conditions on a pod's labels and its namespace's. */
export function conditionOf(e: Expression, space: Space, negated = false): Condition {
  switch (e.kind) {
    case 'all':
      return !negated
    case 'global':
      // Every pod is in a namespace, so a namespaceSelector global() finds none; in a selector it says nothing.
      return space === 'namespace' ? negated : !negated
    case 'not':
      return conditionOf(e.of, space, !negated)
    case 'and':
    case 'or':
      return combine(
        (e.kind === 'and') === negated ? 'or' : 'and',
        e.of.map((x) => conditionOf(x, space, negated)),
      )
    case 'has':
      return leaf(e.key, space, { key: e.key, operator: negated ? 'DoesNotExist' : 'Exists', values: [] })
    case '==':
    case '!=':
      return leaf(e.key, space, membership(e.key, [e.value], (e.kind === '==') !== negated))
    case 'in':
    case 'not in':
      return leaf(e.key, space, membership(e.key, e.values, (e.kind === 'in') !== negated))
    case 'contains':
    case 'starts with':
    case 'ends with': {
      const operator = { contains: 'Contains', 'starts with': 'StartsWith', 'ends with': 'EndsWith' } as const
      return leaf(e.key, space, { key: e.key, operator: operator[e.kind], values: [e.value] }, negated)
    }
  }
}

const membership = (key: string, values: readonly string[], inside: boolean): Requirement => ({
  key,
  operator: inside ? 'In' : 'NotIn',
  values,
})

function leaf(key: string, space: Space, requirement: Requirement, negated = false): Condition {
  const onPods = (own: string): Condition => {
    const moved = { ...requirement, key: own }
    return { on: 'pods', requirement: negated ? noneOf(moved) : moved }
  }
  if (space === 'serviceaccount' || key.startsWith('pcsa.')) {
    if (key === 'projectcalico.org/name' || key === 'pcsa.projectcalico.org/name') return onPods(ACCOUNT_LABEL)
    return { on: 'pods', requirement: opaque(key, 'it asks for labels of the service account of the pod') }
  }
  if (space === 'namespace')
    return onNamespace(key === 'projectcalico.org/name' ? NAME_LABEL : key, requirement, negated)
  if (key === 'projectcalico.org/namespace') return onNamespace(NAME_LABEL, requirement, negated)
  if (key.startsWith('pcns.')) {
    const own = key.slice('pcns.'.length)
    return onNamespace(own === 'projectcalico.org/name' ? NAME_LABEL : own, requirement, negated)
  }
  if (key === 'projectcalico.org/orchestrator') return constant(requirement, 'k8s') !== negated
  return onPods(key)
}

const opaque = (key: string, why: string): Requirement => ({ key, operator: 'opaque', values: [why] })
const noneOf = (r: Requirement): Requirement => ({ key: '', operator: 'NoneOf', values: [], alternatives: [[r]] })

function onNamespace(key: string, requirement: Requirement, negated: boolean): Condition {
  const moved = { ...requirement, key }
  return { on: 'namespaces', requirement: negated ? noneOf(moved) : moved }
}

/** A label with the same value on every pod. */
function constant({ operator, values }: Requirement, value: string): boolean {
  switch (operator) {
    case 'In':
      return values.includes(value)
    case 'NotIn':
      return !values.includes(value)
    case 'Exists':
      return true
    case 'Contains':
      return values.some((v) => value.includes(v))
    case 'StartsWith':
      return values.some((v) => value.startsWith(v))
    case 'EndsWith':
      return values.some((v) => value.endsWith(v))
    default:
      return false
  }
}

/** Both or one of the conditions, without those that are always or never true. */
export function combine(kind: 'and' | 'or', of: readonly Condition[]): Condition {
  const decisive = kind === 'or'
  const open = of.filter((c) => typeof c !== 'boolean')
  if (of.includes(decisive)) return decisive
  if (open.length === 0) return !decisive
  return open.length === 1 ? open[0]! : { kind, of: open }
}

/** The condition as alternatives; a text says why it cannot be written so. None: it finds no pod. */
export function termsOf(condition: Condition): readonly Term[] | string {
  if (condition === true) return [{ namespaces: [], pods: [] }]
  if (condition === false) return []
  const side = sideOf(condition)
  if (side !== 'mixed') {
    const selector = selectorOf(condition)
    return [side === 'pods' ? { namespaces: [], pods: selector } : { namespaces: selector, pods: [] }]
  }
  if ('on' in condition) return []
  return condition.kind === 'or' ? unionOf(condition.of) : productOf(condition.of)
}

function unionOf(conditions: readonly Condition[]): readonly Term[] | string {
  const out: Term[] = []
  for (const c of conditions) {
    const terms = termsOf(c)
    if (typeof terms === 'string') return terms
    out.push(...terms)
  }
  return out.length > MOST_TERMS ? TOO_MANY : out
}

const TOO_MANY = `the selector has more than ${MOST_TERMS} alternatives`

function productOf(conditions: readonly Condition[]): readonly Term[] | string {
  let out: readonly Term[] = [{ namespaces: [], pods: [] }]
  for (const c of conditions) {
    const terms = termsOf(c)
    if (typeof terms === 'string') return terms
    if (out.length * terms.length > MOST_TERMS) return TOO_MANY
    out = bothTerms(out, terms)
  }
  return out
}

/** Every pair of alternatives. */
export function bothTerms(xs: readonly Term[], ys: readonly Term[]): readonly Term[] {
  return xs.flatMap((x) =>
    ys.map((y) => ({ namespaces: [...x.namespaces, ...y.namespaces], pods: [...x.pods, ...y.pods] })),
  )
}

function sideOf(c: Exclude<Condition, boolean>): 'namespaces' | 'pods' | 'mixed' {
  if ('on' in c) return c.on
  const sides = new Set(c.of.map((x) => (typeof x === 'boolean' ? 'mixed' : sideOf(x))))
  return sides.size === 1 ? [...sides][0]! : 'mixed'
}

/** Of a condition on one side only. */
function selectorOf(c: Condition): Selector {
  if (typeof c === 'boolean') return []
  if ('on' in c) return [c.requirement]
  if (c.kind === 'and') return c.of.flatMap(selectorOf)
  return [{ key: '', operator: 'AnyOf', values: [], alternatives: c.of.map(selectorOf) }]
}
