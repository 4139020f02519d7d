/** Names of policies as findings and answers print them. */
import type { DirectionResult, PolicyRef } from './result.ts'

/** `NetworkPolicy shop/web`, `AdminNetworkPolicy guard`. */
export function policyText({ kind, namespace, name }: Pick<PolicyRef, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`
}

/** `NetworkPolicy shop/a, shop/b`: the kind once where it is the same. */
export function policyTexts(policies: readonly PolicyRef[]): string {
  return policies
    .map((p, i) => {
      const text = policyText(p)
      return i > 0 && policies[i - 1]?.kind === p.kind ? text.slice(p.kind.length + 1) : text
    })
    .join(', ')
}

/** Who is to blame for a denial: the policy of the rule that denies, else those that isolate the pod. */
export function blamed(d: DirectionResult): readonly PolicyRef[] {
  return d.decidedBy?.rule ? [d.decidedBy.rule.policy] : d.policies
}
