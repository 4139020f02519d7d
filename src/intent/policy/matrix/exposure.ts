/** What pods that are not there yet could reach, and who could reach them. */
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { PolicyMatrixView } from '../../../model/policy-matrix.ts'
import { policyCluster } from '../cluster.ts'
import { stagesOf } from '../stages.ts'
import type { WorkloadName } from './ends.ts'
import { PAIR_NONE, policyMatrix } from './matrix.ts'
import { withNewcomers } from './newcomers.ts'
import { viewOf } from './view.ts'

/**
 * Connections between workloads that are there and pods that are not. Newcomers with labels are left out where their labels give
 * them nothing that a pod without labels in the same namespace has not.
 */
export function exposureView(objects: KubeObjects, workloadOf: WorkloadName): PolicyMatrixView {
  const newcomers = withNewcomers(objects, stagesOf(policyCluster(objects)).stages)
  const m = policyMatrix(policyCluster(newcomers.objects), {
    by: 'workload',
    workloadOf: (pod) => newcomers.names.get(pod) ?? workloadOf(pod),
  })
  const ends = new Map([...newcomers.names.keys()].map((pod) => [pod, m.endOf(pod)]))
  const isNew = new Set([...ends.values()].filter((id) => id !== null))
  const real = m.ends.filter((e) => e.kind === 'pods' && !isNew.has(e.id))
  const rows = new Map(m.ends.filter((e) => e.kind === 'pods').map((e) => [e.id, m.row(e)]))
  const alike = (x: number, y: number) =>
    real.every((e) => rows.get(x)![e.id] === rows.get(y)![e.id] && rows.get(e.id)![x] === rows.get(e.id)![y])
  const shown = new Set<number>()
  for (const [pod, id] of ends) {
    const plain = newcomers.plainOf.get(pod)
    const base = plain ? ends.get(plain) : null
    if (id === null || id === undefined) continue
    if (base === null || base === undefined || !alike(id, base)) shown.add(id)
  }
  const chosen = new Set([...real.map((e) => e.id), ...shown])
  const notes = newcomers.complete ? [] : ['the policies speak of more labels than were looked at for --exposure']
  const view = viewOf(m, { sources: chosen, targets: chosen, notes })
  return {
    ...view,
    rowKey: (i) => `${shown.has(i)} ${view.rowKey(i)}`,
    row: (i) => rows.get(i)!.map((id, j) => (shown.has(i) === shown.has(j) ? PAIR_NONE : id)),
  }
}
