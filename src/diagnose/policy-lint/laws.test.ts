import fc from 'fast-check'
import { expect, test } from 'vitest'
import { objectsOf, questionOf } from '../../../test/policy/compare.ts'
import { cases } from '../../../test/policy/random-cluster.ts'
import { evaluator, policyCluster } from '../../intent/policy/index.ts'
import type { KubeObjects, OtherObject } from '../../kubeobj/objects.ts'
import type { Finding } from '../../model/finding.ts'
import { lintPolicies } from './lint.ts'

type Raw = { readonly spec: Record<'ingress' | 'egress', readonly unknown[]> }

/** The object with one rule taken out, as the finding's first piece of evidence names it: `spec.ingress[1]: …`. */
function withoutRule(o: OtherObject, f: Finding): OtherObject {
  const [, direction, index] = /^spec\.(ingress|egress)\[(\d+)\]/.exec(f.evidence[0]?.text ?? '') ?? []
  const { spec } = o.raw as unknown as Raw
  const rules = spec[direction as 'ingress'].filter((_, i) => i !== Number(index))
  return { ...o, raw: { ...o.raw, spec: { ...spec, policyTypes: typesOf(spec), [direction ?? '']: rules } } }
}

/** Written out, so that taking the last egress rule does not change what the policy is about. */
function typesOf(spec: Readonly<Record<string, unknown>>): unknown {
  if (!('podSelector' in spec)) return undefined
  const given = spec.policyTypes
  if (Array.isArray(given) && given.length > 0) return given
  return Array.isArray(spec.egress) && spec.egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']
}

function objectOf(objects: KubeObjects, f: Finding): OtherObject | undefined {
  const [kind, name = ''] = (f.where.object ?? '').split(' ')
  return objects.others.find(
    (o) => o.kind === kind && (o.meta.namespace === '' ? o.meta.name : `${o.meta.namespace}/${o.meta.name}`) === name,
  )
}

/** What may be taken out without changing an answer, by the lint's own word. */
function shorter(objects: KubeObjects, f: Finding): KubeObjects | null {
  const o = objectOf(objects, f)
  if (!o) return null
  switch (f.code) {
    case 'policy-redundant':
      return { ...objects, others: objects.others.filter((x) => x !== o) }
    case 'policy-rule-shadowed':
    case 'policy-rule-unreachable':
      return { ...objects, others: objects.others.map((x) => (x === o ? withoutRule(o, f) : x)) }
    default:
      return null
  }
}

test('what is called implied, redundant or unreachable changes no answer when it is gone', () => {
  let tried = 0
  fc.assert(
    fc.property(cases, ({ cluster, questions }) => {
      const objects = objectsOf(cluster)
      const before = evaluator(policyCluster(objects))
      for (const f of lintPolicies({ objects, complete: true })) {
        const less = shorter(objects, f)
        if (!less) continue
        const after = evaluator(policyCluster(less))
        for (const q of questions.map(questionOf)) {
          tried++
          expect([after.decide(q), f.code, f.title]).toEqual([before.decide(q), f.code, f.title])
        }
      }
    }),
    { numRuns: 300, seed: 7 },
  )
  expect(tried).toBeGreaterThan(500)
}, 60_000)
