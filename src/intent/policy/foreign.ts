/** Policy kinds that are recognised but not evaluated: where one may have a say, NetworkPolicy alone does not decide. */
import type { KubeObjects, OtherObject } from '../../kubeobj/objects.ts'
import { dialectOf } from './dialects.ts'

export interface ForeignPolicy {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Null: it may concern pods of every namespace. */
  readonly within: string | null
}

const GROUPS: readonly (readonly [group: RegExp, kinds: readonly string[]])[] = [
  [/^(crd\.)?projectcalico\.org\//, ['NetworkPolicy', 'GlobalNetworkPolicy']],
  [/^cilium\.io\//, ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy']],
  [/^(crd|security)\.antrea\.(io|tanzu\.vmware\.com)\//, ['NetworkPolicy', 'ClusterNetworkPolicy']],
]

/** All such policies of the snapshot; not those of the plugin whose dialect is evaluated. */
export function foreignPolicies(objects: KubeObjects): ForeignPolicy[] {
  const evaluated = dialectOf(objects)
  const foreign = objects.others.filter((o) => isForeign(o) && !evaluated?.isPolicy(o))
  return foreign.map((o) => ({
    kind: o.kind,
    namespace: o.meta.namespace,
    name: o.meta.name,
    within: o.meta.namespace === '' ? null : o.meta.namespace,
  }))
}

function isForeign(o: OtherObject): boolean {
  return GROUPS.some(([group, kinds]) => group.test(o.apiVersion) && kinds.includes(o.kind))
}
