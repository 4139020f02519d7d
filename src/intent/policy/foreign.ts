/** Policy kinds that are recognised but not evaluated: where one may have a say, NetworkPolicy alone does not decide. */
import type { KubeObjects, OtherObject } from '../../kubeobj/objects.ts'
import { isObject } from './selector.ts'

export interface ForeignPolicy {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Null: it may concern pods of every namespace. */
  readonly within: string | null
  /** `baseline` has a say only where no NetworkPolicy isolates the pod (network-policy-api, BANP and the Baseline tier). */
  readonly tier: 'baseline' | 'any'
}

const GROUPS: readonly (readonly [group: RegExp, kinds: readonly string[]])[] = [
  [/^policy\.networking\.k8s\.io\//, ['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy']],
  [/^(crd\.)?projectcalico\.org\//, ['NetworkPolicy', 'GlobalNetworkPolicy']],
  [/^cilium\.io\//, ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy']],
  [/^(crd|security)\.antrea\.(io|tanzu\.vmware\.com)\//, ['NetworkPolicy', 'ClusterNetworkPolicy']],
]

/** All such policies of the snapshot. */
export function foreignPolicies(objects: KubeObjects): ForeignPolicy[] {
  return objects.others.filter(isForeign).map((o) => ({
    kind: o.kind,
    namespace: o.meta.namespace,
    name: o.meta.name,
    within: o.meta.namespace === '' ? null : o.meta.namespace,
    tier: isBaseline(o) ? 'baseline' : 'any',
  }))
}

function isForeign(o: OtherObject): boolean {
  return GROUPS.some(([group, kinds]) => group.test(o.apiVersion) && kinds.includes(o.kind))
}

function isBaseline(o: OtherObject): boolean {
  if (o.kind === 'BaselineAdminNetworkPolicy') return true
  return o.kind === 'ClusterNetworkPolicy' && isObject(o.raw.spec) && o.raw.spec.tier === 'Baseline'
}
