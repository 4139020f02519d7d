import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { selectorHolds } from '../selector.ts'
import { type Expression, expressionHolds } from './expression.ts'
import { conditionOf, termsOf } from './terms.ts'

const key = fc.constantFrom(
  'app',
  'tier',
  'pcns.team',
  'projectcalico.org/namespace',
  'projectcalico.org/orchestrator',
  'pcns.projectcalico.org/name',
)
const value = fc.constantFrom('', 'web', 'eb', 'ops', 'shop', 'k8s')
const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Expression>({ kind: 'all' }, { kind: 'global' }),
    fc.record({ kind: fc.constant('has' as const), key }),
    fc.record({ kind: fc.constantFrom('==', '!=', 'contains', 'starts with', 'ends with' as const), key, value }),
    fc.record({ kind: fc.constantFrom('in', 'not in' as const), key, values: fc.array(value, { maxLength: 2 }) }),
    fc.record({ kind: fc.constant('not' as const), of: tie('expression') }),
    fc.record({
      kind: fc.constantFrom('and', 'or' as const),
      of: fc.array(tie('expression'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}))
const labels = fc.dictionary(fc.constantFrom('app', 'tier'), value, { maxKeys: 2 })
const team = fc.dictionary(fc.constant('team'), value, { maxKeys: 1 })
const name = fc.constantFrom('shop', 'ops')

const label = (all: Record<string, string>) => (k: string) => (Object.hasOwn(all, k) ? all[k] : undefined)

describe('the terms of an expression', () => {
  it('find the pods whose endpoints the expression finds', () => {
    fc.assert(
      fc.property(expression, labels, team, name, (e, pod, namespace, own) => {
        const terms = termsOf(conditionOf(e, 'endpoint'))
        if (typeof terms === 'string') return
        const endpoint = {
          ...pod,
          ...Object.fromEntries(Object.entries(namespace).map(([k, v]) => [`pcns.${k}`, v])),
          'pcns.projectcalico.org/name': own,
          'projectcalico.org/namespace': own,
          'projectcalico.org/orchestrator': 'k8s',
        }
        const namespaces = { ...namespace, 'kubernetes.io/metadata.name': own }
        const found = terms.some(
          (t) => selectorHolds(t.namespaces, namespaces) === 'yes' && selectorHolds(t.pods, pod) === 'yes',
        )
        expect(found).toBe(expressionHolds(e, label(endpoint)))
      }),
      { numRuns: 2000 },
    )
  })
  it('find the namespaces that a namespaceSelector finds', () => {
    const words = { all: true, global: false }
    fc.assert(
      fc.property(expression, team, name, (e, namespace, own) => {
        const all = { ...namespace, 'kubernetes.io/metadata.name': own }
        const terms = termsOf(conditionOf(e, 'namespace'))
        if (typeof terms === 'string') return
        const found = terms.some((t) => selectorHolds(t.namespaces, all) === 'yes')
        expect(found).toBe(expressionHolds(e, label(all), words))
      }),
      { numRuns: 500 },
    )
  })
  it('are not spelt out without end', () => {
    const either = (i: number): Expression => ({
      kind: 'or',
      of: [
        { kind: 'has', key: `k${i}` },
        { kind: 'has', key: `pcns.k${i}` },
      ],
    })
    const many: Expression = { kind: 'and', of: Array.from({ length: 30 }, (_, i) => either(i)) }
    expect(termsOf(conditionOf(many, 'endpoint'))).toBe('the selector has more than 64 alternatives')
  })
})
