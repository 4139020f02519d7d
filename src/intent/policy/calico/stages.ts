/**
 * Calico's tiers as stages, with Kubernetes' own policies where Calico puts them. Sources: felix/calc/policy_sorter.go (order),
 * felix/rules/endpoints.go (what becomes of a packet at the end of a tier), libcalico-go/lib/backend/k8s/conversion (NetworkPolicy
 * becomes `knp.default.NAME` of order 1000 in tier `default`), api v3 Tier. After the last tier the namespace's profile allows.
 */
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import type { Issue } from '../../../model/evidence.ts'
import { isObject } from '../selector.ts'
import type { CompileDialect, CompiledStages, KubernetesStages, Stage, StagePolicy } from '../stage.ts'
import { type Complain, complainer } from '../tier.ts'
import { compare, groupedBy, prioritised } from './order.ts'
import { decodePolicy, type Placed } from './policies.ts'
import { addressSets } from './sets.ts'

const GROUP = /^(crd\.)?projectcalico\.org\//
const POLICIES = ['NetworkPolicy', 'GlobalNetworkPolicy']
const STAGED = ['StagedNetworkPolicy', 'StagedGlobalNetworkPolicy', 'StagedKubernetesNetworkPolicy']

/** A policy Calico enforces with an order and tiers: where there is one, Calico's order of evaluation holds. */
export function isCalicoPolicy(o: OtherObject): boolean {
  return GROUP.test(o.apiVersion) && POLICIES.includes(o.kind)
}

interface Tier {
  readonly name: string
  /** Infinity: none, which is last. */
  readonly order: number
  readonly unmatched: Stage['unmatched']
}

const TIER_DEFAULT: Tier = { name: 'default', order: 1_000_000, unmatched: 'deny' }
/** Where Calico puts the two tiers of Kubernetes' own (api v3 tier.go: AdminNetworkPolicy, BaselineAdminNetworkPolicy). */
const ADMIN_ORDER = 1_000
const BASELINE_ORDER = 10_000_000
const KUBERNETES_ORDER = 1_000

/** All stages of a cluster where Calico enforces. */
export const calicoStages: CompileDialect = (objects: KubeObjects, kubernetes: KubernetesStages): CompiledStages => {
  const issues: Issue[] = []
  const say = (o: OtherObject): Complain => complainer(o, issues)
  const calico = objects.others.filter((o) => GROUP.test(o.apiVersion))
  for (const o of calico) {
    if (STAGED.includes(o.kind)) say(o)('it is staged: Calico does not enforce it, and it is not evaluated')
    if (o.kind === 'HostEndpoint')
      say(o)('what policies do to host endpoints is not evaluated; its addresses are found by selectors')
  }
  const sets = addressSets(objects, say)
  const placed = calico.filter(isCalicoPolicy).flatMap((o) => decodePolicy(o, { objects, sets }, say(o)) ?? [])
  const tiers = tiersOf(calico, say)
  for (const p of kubernetes.networkPolicies.policies) placed.push(kubernetesPolicy(p))
  const stages: { order: number; name: string; stage: Stage }[] = [
    { order: ADMIN_ORDER, name: 'adminnetworkpolicy', stage: kubernetes.admin },
    { order: BASELINE_ORDER, name: 'baselineadminnetworkpolicy', stage: kubernetes.baseline },
  ]
  for (const [name, policies] of groupedBy(placed, (p) => p.tier)) {
    const tier = tiers.get(name) ?? { name, order: Number.POSITIVE_INFINITY, unmatched: 'deny' }
    stages.push({ order: tier.order, name, stage: stageOf(tier, policies, tiers.has(name)) })
  }
  stages.sort((x, y) => compare(x.order, y.order) || compare(x.name, y.name))
  return { stages: stages.map((s) => s.stage), issues }
}

function tiersOf(calico: readonly OtherObject[], say: (o: OtherObject) => Complain): Map<string, Tier> {
  const out = new Map<string, Tier>([[TIER_DEFAULT.name, TIER_DEFAULT]])
  for (const o of calico) {
    if (o.kind !== 'Tier') continue
    const spec = isObject(o.raw.spec) ? o.raw.spec : {}
    const { order, defaultAction } = spec
    const isDefault = o.meta.name === TIER_DEFAULT.name
    if (order !== undefined && order !== null && typeof order !== 'number') say(o)('order is not a number')
    if (defaultAction !== undefined && defaultAction !== null && defaultAction !== 'Deny' && defaultAction !== 'Pass')
      say(o)(`defaultAction ${JSON.stringify(defaultAction)} does not exist, it is taken for Deny`)
    out.set(o.meta.name, {
      name: o.meta.name,
      // The default tier's order is fixed.
      order: isDefault ? TIER_DEFAULT.order : typeof order === 'number' ? order : Number.POSITIVE_INFINITY,
      unmatched: defaultAction === 'Pass' ? 'continue' : 'deny',
    })
  }
  return out
}

const kubernetesPolicy = (p: StagePolicy): Placed => ({
  tier: TIER_DEFAULT.name,
  order: KUBERNETES_ORDER,
  storedName: `knp.default.${p.name}`,
  kind: p.kind,
  namespace: p.namespace,
  name: p.name,
  fromKubernetes: true,
  policies: [p],
})

/** Without its Tier object felix skips a tier, and which there are may not be in the evidence. */
function stageOf(tier: Tier, policies: readonly Placed[], known: boolean): Stage {
  const why = `tier ${tier.name} is not in the evidence`
  const inOrder = prioritised(policies)
  return {
    name: `tier ${tier.name}`,
    mode: 'first-match',
    policies: known ? inOrder : inOrder.map((p) => ({ ...p, subject: { ...p.subject, opaque: why } })),
    unmatched: tier.unmatched,
    tiesUndefined: true,
    // From a node to its own pods nothing is filtered (felix/rules/static.go, cali-OUTPUT); to the node, egress policy is.
    sparesOwnNode: ['ingress'],
  }
}
