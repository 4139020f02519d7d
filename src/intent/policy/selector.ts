/**
 * Label selectors: reading and matching, with what did not match. Sources: apimachinery LabelSelectorAsSelector and
 * labels.Requirement.Matches (1.33): NotIn and DoesNotExist also hold where the label is absent.
 */
import type { Requirement, Selector } from './policy.ts'
import type { Tri } from './result.ts'
import { any, not } from './tri.ts'

export type Labels = Readonly<Record<string, string>>

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const nonsense = (key: string, why: string): Requirement => ({ key, operator: 'opaque', values: [why] })

/** Reads a LabelSelector. What the API server would refuse becomes an opaque requirement; `complain` hears of it. */
export function decodeSelector(raw: unknown, complain: (message: string) => void): Selector {
  const out: Requirement[] = []
  const refuse = (key: string, why: string) => {
    complain(why)
    out.push(nonsense(key, why))
  }
  if (!isObject(raw)) {
    refuse('', 'selector is not an object')
    return out
  }
  const labels = raw.matchLabels ?? {}
  if (isObject(labels)) {
    for (const [key, value] of Object.entries(labels)) {
      if (typeof value === 'string') out.push({ key, operator: 'In', values: [value] })
      else refuse(key, `matchLabels ${key}: the value is not a string`)
    }
  } else refuse('', 'matchLabels is not an object')
  const expressions = raw.matchExpressions ?? []
  if (!Array.isArray(expressions)) refuse('', 'matchExpressions is not a list')
  else for (const expression of expressions as unknown[]) decodeExpression(expression, out, refuse)
  for (const key of Object.keys(raw))
    if (key !== 'matchLabels' && key !== 'matchExpressions') refuse(key, `selector has an unknown field ${key}`)
  return out
}

function decodeExpression(raw: unknown, out: Requirement[], refuse: (key: string, why: string) => void): void {
  const { key, operator, values: listed } = isObject(raw) ? raw : {}
  const values: unknown = listed ?? []
  if (typeof key !== 'string' || key === '') {
    refuse('', 'matchExpressions entry without a key')
  } else if (!Array.isArray(values) || !values.every((v) => typeof v === 'string')) {
    refuse(key, `matchExpressions ${key}: values is not a list of strings`)
  } else if (operator === 'In' || operator === 'NotIn') {
    if (values.length > 0) out.push({ key, operator, values })
    else refuse(key, `matchExpressions ${key}: ${operator} without values`)
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length === 0) out.push({ key, operator, values })
    else refuse(key, `matchExpressions ${key}: ${operator} with values`)
  } else refuse(key, `matchExpressions ${key}: operator ${String(operator)} does not exist`)
}

export interface LabelMiss {
  readonly requirement: Requirement
  readonly actual: string | null
}

/** Whether `labels` satisfy the selector, and each requirement that does not hold or cannot be judged. */
export function matchLabels(
  selector: Selector,
  labels: Labels,
): { readonly matches: Tri; readonly misses: readonly LabelMiss[] } {
  let matches: Tri = 'yes'
  const misses: LabelMiss[] = []
  for (const requirement of selector) {
    const holds = requirementHolds(requirement, labels)
    if (holds === 'yes') continue
    misses.push({ requirement, actual: Object.hasOwn(labels, requirement.key) ? labels[requirement.key]! : null })
    if (holds === 'no') matches = 'no'
    else if (matches === 'yes') matches = 'unknown'
  }
  return { matches, misses }
}

const yes = (b: boolean): Tri => (b ? 'yes' : 'no')

/** Whether one requirement holds for a set of labels. */
export function requirementHolds(r: Requirement, labels: Labels): Tri {
  const actual = Object.hasOwn(labels, r.key) ? labels[r.key]! : null
  switch (r.operator) {
    case 'In':
      return yes(actual !== null && r.values.includes(actual))
    case 'NotIn':
      return yes(actual === null || !r.values.includes(actual))
    case 'Exists':
      return yes(actual !== null)
    case 'DoesNotExist':
      return yes(actual === null)
    case 'Contains':
      return yes(actual !== null && r.values.some((v) => actual.includes(v)))
    case 'StartsWith':
      return yes(actual !== null && r.values.some((v) => actual.startsWith(v)))
    case 'EndsWith':
      return yes(actual !== null && r.values.some((v) => actual.endsWith(v)))
    case 'AnyOf':
      return any((r.alternatives ?? []).map((s) => selectorHolds(s, labels)))
    case 'NoneOf':
      return not(any((r.alternatives ?? []).map((s) => selectorHolds(s, labels))))
    case 'opaque':
      return 'unknown'
  }
}

/** Whether `labels` satisfy the selector: `matchLabels` without the reasons. */
export function selectorHolds(selector: Selector, labels: Labels): Tri {
  let out: Tri = 'yes'
  for (const requirement of selector) {
    const holds = requirementHolds(requirement, labels)
    if (holds === 'no') return 'no'
    if (holds === 'unknown') out = 'unknown'
  }
  return out
}

/** The requirement as `kubectl` prints selectors: `app=web`, `tier notin (a,b)`, `!canary`. */
export function formatRequirement(r: Requirement): string {
  switch (r.operator) {
    case 'In':
      return r.values.length === 1 ? `${r.key}=${r.values[0]}` : `${r.key} in (${r.values.join(',')})`
    case 'NotIn':
      return `${r.key} notin (${r.values.join(',')})`
    case 'Exists':
      return r.key
    case 'DoesNotExist':
      return `!${r.key}`
    case 'Contains':
      return `${r.key} contains ${r.values.join(' or ')}`
    case 'StartsWith':
      return `${r.key} starts with ${r.values.join(' or ')}`
    case 'EndsWith':
      return `${r.key} ends with ${r.values.join(' or ')}`
    case 'AnyOf':
      return (r.alternatives ?? []).map(formatSelector).join(' or ')
    case 'NoneOf':
      return `not (${(r.alternatives ?? []).map(formatSelector).join(' or ')})`
    case 'opaque':
      return r.values.join(', ')
  }
}

const formatSelector = (s: Selector): string => `(${s.map(formatRequirement).join(' and ') || 'everything'})`
