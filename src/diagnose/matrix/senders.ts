import type { ClusterState } from '../cluster/check.ts'
import { parseReference } from '../question/reference.ts'
import { QuestionError, resolveSources } from '../question/resolve.ts'

/**
 * The pods and nodes that references name, as `pod/NS/NAME` and `node/NAME`; a workload is its pods.
 * @throws QuestionError (code 2) for what is not there, or is neither pod nor node
 */
export function sendersNamed(
  state: ClusterState,
  references: readonly string[],
  namespace: string,
): ReadonlySet<string> {
  const out = new Set<string>()
  for (const text of references) {
    const parsed = parseReference(text, namespace, state.objects)
    if (typeof parsed === 'string') throw new QuestionError(parsed)
    const { kind } = parsed.reference
    if (kind !== 'pod' && kind !== 'workload' && kind !== 'node')
      throw new QuestionError(`${text}: --from takes pods, workloads and nodes`)
    for (const source of resolveSources(state.network, state.objects, parsed.reference)) out.add(source.label)
  }
  return out
}
