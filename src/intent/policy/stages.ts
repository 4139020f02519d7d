/** The policies of a cluster compiled into the stages that are evaluated: Kubernetes' own kinds, and the plugins' among them. */
import type { Issue } from '../../model/evidence.ts'
import { adminPolicies } from './admin.ts'
import type { PolicyCluster } from './cluster.ts'
import { clusterNetworkPolicies } from './cluster-network-policy.ts'
import { dialectOf } from './dialects.ts'
import type { NetworkPolicy, PolicyRule } from './policy.ts'
import type { CompiledStages, KubernetesStages, StagePolicy, StageRule } from './stage.ts'

export const ADMIN = 'Admin tier'
export const NETWORK_POLICY = 'NetworkPolicy'
export const BASELINE = 'Baseline tier'

const compiled = new WeakMap<PolicyCluster, CompiledStages>()

/**
 * All stages in order of evaluation; the same object for every question about this cluster. `issues` holds all that was met in
 * reading policies, that of `cluster.issues` too.
 */
export function stagesOf(cluster: PolicyCluster): CompiledStages {
  const known = compiled.get(cluster)
  if (known) return known
  const made = compile(cluster)
  compiled.set(cluster, made)
  return made
}

function compile(cluster: PolicyCluster): CompiledStages {
  const issues: Issue[] = [...cluster.issues]
  const kubernetes = kubernetesStages(cluster, issues)
  const dialect = dialectOf(cluster.objects)
  if (dialect) {
    const { stages, issues: more } = dialect.compile(cluster.objects, kubernetes)
    return { stages, issues: [...issues, ...more] }
  }
  const { admin, networkPolicies, baseline } = kubernetes
  return { stages: [admin, networkPolicies, baseline], issues }
}

/**
 * Admin tier, NetworkPolicy, Baseline tier (network-policy-api: AdminNetworkPolicy v1alpha1, ClusterNetworkPolicy v1alpha2 and
 * v1beta1). Trouble is appended to `issues`.
 */
function kubernetesStages(cluster: PolicyCluster, issues: Issue[]): KubernetesStages {
  const { objects } = cluster
  const tiers = [...adminPolicies(objects, issues), ...clusterNetworkPolicies(objects, issues)]
  const tier = (name: 'Admin' | 'Baseline') => tiers.filter((t) => t.tier === name).map((t) => t.policy)
  const inTier = { mode: 'first-match', unmatched: 'continue', tiesUndefined: true } as const
  return {
    admin: { name: ADMIN, ...inTier, policies: tier('Admin').sort(byPriority) },
    networkPolicies: {
      name: NETWORK_POLICY,
      mode: 'additive',
      unmatched: 'deny',
      tiesUndefined: false,
      protocols: ['TCP', 'UDP', 'SCTP'],
      // Concept page: traffic between a pod and its node is always allowed. The tiers have peers for nodes, and mean them.
      sparesOwnNode: ['ingress', 'egress'],
      policies: [...cluster.policiesByNamespace.values()].flatMap((list) => list.map(stagePolicy)),
    },
    baseline: { name: BASELINE, ...inTier, policies: tier('Baseline').sort(byPriority) },
  }
}

function byPriority(x: StagePolicy, y: StagePolicy): number {
  return (x.priority ?? 0) - (y.priority ?? 0) || (x.name < y.name ? -1 : 1)
}

/** A NetworkPolicy in the common form: rules that allow, isolation by the stage. */
export function stagePolicy(p: NetworkPolicy): StagePolicy {
  return {
    kind: 'NetworkPolicy',
    namespace: p.namespace,
    name: p.name,
    subject: { namespaces: null, pods: p.podSelector },
    rules: {
      ...(p.ingress ? { ingress: p.ingress.map((r, i) => allow(r, `ingress[${i}]`)) } : {}),
      ...(p.egress ? { egress: p.egress.map((r, i) => allow(r, `egress[${i}]`)) } : {}),
    },
    evidence: p.evidence,
  }
}

const allow = (rule: PolicyRule, name: string): StageRule => ({ action: 'allow', name, ...rule })
