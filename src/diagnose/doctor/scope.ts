/** `doctor --node` and `-n`: the part of the cluster somebody answers for. */
import type { ClusterFinding } from '../cluster/check.ts'
import type { SampleQuestion } from './sample.ts'

export interface Scope {
  readonly node?: string
  readonly namespace?: string
}

function inNamespace(ref: string, namespace: string): boolean {
  return new RegExp(`^(?:pod|svc)/${namespace.replace(/[^a-z0-9-]/g, '')}/`).test(ref)
}

/** True when an end of the connection is of the namespace; of a node's connections those that its pods or it sends or gets. */
export function inScope(q: SampleQuestion, scope: Scope, nodeOf: (ref: string) => string | undefined): boolean {
  const { namespace, node } = scope
  if (namespace !== undefined && !inNamespace(q.from, namespace) && !inNamespace(q.to, namespace)) return false
  return node === undefined || nodeOf(q.from) === node || nodeOf(q.to) === node
}

/** Findings about other nodes or other namespaces' objects are left out; what concerns the whole cluster stays. */
export function concernsScope(f: ClusterFinding, scope: Scope): boolean {
  const { node, namespace } = scope
  if (node !== undefined && f.finding.where.node !== undefined && f.finding.where.node !== node)
    return f.concerns.some((c) => c.kind === 'node' && c.node === node)
  if (namespace === undefined) return true
  const owned = f.concerns.filter((c) => c.kind === 'pod' || c.kind === 'service')
  if (owned.length > 0) return owned.some((c) => c.namespace === namespace)
  const object = /^[A-Za-z]+ ([a-z0-9-]+)\//.exec(f.finding.where.object ?? '')
  return object === null || object[1] === namespace
}
