/** What is said twice: `policy-rule-shadowed`, `policy-redundant`. Implied by the words alone, so true for pods to come as well. */
import type { Direction, NetworkPolicy } from '../../intent/policy/policy.ts'
import type { Finding } from '../../model/finding.ts'
import { correct } from './correct.ts'
import { ruleCovers, selectorCovers } from './covers.ts'
import { lintFinding, objectOf, pathText, placeOf } from './finding.ts'
import { DIRECTIONS, type LintPolicy, type LintWorld, type RuleAt, rulesOf } from './input.ts'

export function shadows(world: LintWorld): Finding[] {
  const byNamespace = new Map<string, LintPolicy[]>()
  for (const p of world.policies)
    byNamespace.set(p.policy.namespace, [...(byNamespace.get(p.policy.namespace) ?? []), p])
  return [...byNamespace.values()].flatMap((policies) => inNamespace(policies, world))
}

function inNamespace(policies: readonly LintPolicy[], world: LintWorld): Finding[] {
  const out: Finding[] = []
  const gone = new Set<LintPolicy>()
  for (const p of policies) {
    const around = policies.filter(
      (q) => q !== p && !gone.has(q) && selectorCovers(q.policy.podSelector, p.policy.podSelector),
    )
    const rules = rulesOf(p.policy)
    const by = rules.map((at) => coveredBy(at, p, around))
    const isolated = DIRECTIONS.every((d) => p.policy[d] === undefined || around.some((q) => q.policy[d] !== undefined))
    // A policy without rules only isolates; beside others that do it is the usual base, and no mistake.
    if (rules.length > 0 && isolated && by.every((c) => c !== null && c.p !== p)) {
      gone.add(p)
      const others = [
        ...new Set([
          ...by.flatMap((c) => (c ? [c.p] : [])),
          ...around.filter((q) => isolates(q.policy, p.policy)).slice(0, 2),
        ]),
      ]
      out.push(redundant(p, others, world))
      continue
    }
    rules.forEach((at, i) => {
      const wide = by[i]
      if (wide) out.push(shadowed(p, at, wide, world))
    })
  }
  return out
}

const isolates = (q: NetworkPolicy, p: NetworkPolicy) =>
  DIRECTIONS.every((d: Direction) => p[d] === undefined || q[d] !== undefined)

interface Wider {
  readonly p: LintPolicy
  readonly at: RuleAt
}

/** A rule elsewhere, or in the same policy (of equal ones the first stays), that admits all this one does. */
function coveredBy(at: RuleAt, p: LintPolicy, around: readonly LintPolicy[]): Wider | null {
  const narrow = { rule: at.rule, namespace: p.policy.namespace }
  // Words that are not understood imply nothing.
  if ([...(at.rule.peers ?? []), ...(at.rule.ports ?? [])].some((x) => x.kind === 'opaque')) return null
  for (const q of [...around, p])
    for (const other of rulesOf(q.policy)) {
      if (other.direction !== at.direction) continue
      const wide = { rule: other.rule, namespace: q.policy.namespace }
      if (q === p && (other.index === at.index || (other.index > at.index && ruleCovers(narrow, wide)))) continue
      if (ruleCovers(wide, narrow)) return { p: q, at: other }
    }
  return null
}

function shadowed(p: LintPolicy, at: RuleAt, wide: Wider, world: LintWorld): Finding {
  const where = wide.p === p ? pathText(wide.at.path) : `${pathText(wide.at.path)} of NetworkPolicy ${wide.p.name}`
  return lintFinding('policy-rule-shadowed', 'info', objectOf(p), {
    title: `NetworkPolicy ${p.name}: ${pathText(at.path)} admits nothing that ${where} does not admit already`,
    text: `The other rule is as wide or wider, for the same pods. If this one was meant to limit something, it does not: rules only add.`,
    evidence: [placeOf(world, p.object, at.path), placeOf(world, wide.p.object, wide.at.path)],
    remedy: correct(world, p, 'Remove the rule, or make the wider one narrower.', {
      edits: [{ path: at.path, remove: true }],
      intended: () => false,
      mayChangeNothing: true,
    }),
  })
}

function redundant(p: LintPolicy, others: readonly LintPolicy[], world: LintWorld): Finding {
  const names = others.map((q) => q.name)
  return lintFinding('policy-redundant', 'info', objectOf(p), {
    title: `NetworkPolicy ${p.name} changes nothing: ${names.join(', ')} isolate${names.length === 1 ? 's' : ''} the same pods and admit${names.length === 1 ? 's' : ''} all that it admits`,
    text: 'Every rule of it is implied by a rule as wide or wider for the same pods. If it was meant to limit something, it does not: policies only add.',
    evidence: [
      placeOf(world, p.object, ['spec']),
      ...others.slice(0, 3).map((q) => placeOf(world, q.object, ['spec'])),
    ],
    remedy: { text: 'Remove it, or make the wider ones narrower.', verified: false },
  })
}
