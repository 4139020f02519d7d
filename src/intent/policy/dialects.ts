/** The plugins whose own policy kinds are evaluated together with those of Kubernetes. */
import type { KubeObjects, OtherObject } from '../../kubeobj/objects.ts'
import { calicoStages, isCalicoPolicy } from './calico/stages.ts'
import { ciliumStages, isCiliumPolicy } from './cilium/stages.ts'
import type { CompileDialect } from './stage.ts'

export interface Dialect {
  readonly name: string
  /** A policy of a kind that `compile` reads: where there is one, this plugin enforces. */
  isPolicy(o: OtherObject): boolean
  readonly compile: CompileDialect
}

const DIALECTS: readonly Dialect[] = [
  { name: 'Calico', isPolicy: isCalicoPolicy, compile: calicoStages },
  { name: 'Cilium', isPolicy: isCiliumPolicy, compile: ciliumStages },
]

/**
 * The plugin whose policies are there; null for none. Policies of two plugins: which of them enforces what is not known, so
 * neither is taken, and their policies count as foreign.
 */
export function dialectOf(objects: KubeObjects): Dialect | null {
  const present = DIALECTS.filter((d) => objects.others.some((o) => d.isPolicy(o)))
  return present.length === 1 ? present[0]! : null
}
