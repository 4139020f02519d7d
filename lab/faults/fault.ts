/** A fault: one named way to break the lab. */
import type { KubeJson } from '../kubejson.ts'
import type { LabOptions, NodePlan } from '../plan.ts'

export interface FaultHands {
  readonly options: LabOptions
  readonly families: readonly (4 | 6)[]
  /** Runs shell lines on a node (`node2`), the `outside` host or the switch (`fabric`). */
  machine(name: string, script: string): Promise<void>
  /** Runs shell lines in a pod (`shop/web-1`). */
  pod(name: string, script: string): Promise<void>
  /** Changes objects as `kubectl patch --type merge` does, and syncs. */
  patch(kind: string, name: string, patch: KubeJson): Promise<void>
  /** Applies whole objects. */
  apply(objects: readonly KubeJson[]): Promise<void>
  /** Name of a pod's veth on its node. */
  veth(name: string): string
  /** Ends the pod's listening process; `host` starts it again on that address only. */
  relisten(name: string, host: string | null): Promise<void>
}

export interface Fault {
  readonly name: string
  readonly title: string
  /** The finding code (CODES.md) that names this cause. */
  readonly code: string
  /** Absent: works in every topology. */
  readonly topologies?: readonly LabOptions['topology'][]
  readonly proxies?: readonly LabOptions['proxy'][]
  /** The one family it breaks, which the lab must have; absent: every family. */
  readonly family?: 4 | 6
  /** A connection that works before and after not at all, or not always; `bulk`: only large packets fail. */
  readonly example: readonly [from: string, to: string, bulk?: 'bulk']
  inject(hands: FaultHands): Promise<void>
}

export const node = (index: number): NodePlan => ({ name: `node${index}`, index })

/** The tunnel device of a family. */
export function tunnel(options: LabOptions, family: 4 | 6): string {
  if (options.topology === 'calico') return family === 4 ? 'vxlan.calico' : 'vxlan-v6.calico'
  return family === 4 ? 'flannel.1' : 'flannel-v6.1'
}

/** Shell lines for each family of the lab. */
export function each(hands: FaultHands, line: (family: 4 | 6) => string): string {
  return hands.families.map(line).join('\n')
}

/** The iptables program of a family and back end. */
export function iptables(hands: FaultHands, family: 4 | 6): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}-${hands.options.iptables} -w 60`
}
