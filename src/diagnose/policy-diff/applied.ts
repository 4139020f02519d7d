/** Which policies are about some workload of a state. */
import { policyCluster } from '../../intent/policy/cluster.ts'
import { resolveEnd } from '../../intent/policy/end.ts'
import { planOf } from '../../intent/policy/plan.ts'
import { policyText } from '../../intent/policy/policy-text.ts'
import type { Side } from './side.ts'

/** `NetworkPolicy shop/web` of every policy that selects, or may select, a pod. */
export function appliedPolicies(side: Side): ReadonlySet<string> {
  const cluster = policyCluster(side.full)
  const out = new Set<string>()
  for (const pods of side.podsOf.values())
    for (const { meta } of pods) {
      const end = resolveEnd(cluster, { kind: 'pod', namespace: meta.namespace || 'default', name: meta.name }, 'from')
      if (end.kind !== 'pod') continue
      for (const direction of ['ingress', 'egress'] as const)
        for (const { applied } of planOf(cluster, end, direction))
          for (const a of applied) out.add(policyText(a.policy))
    }
  return out
}
