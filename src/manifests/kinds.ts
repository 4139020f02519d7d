/** Kinds in the files that nobody here reads: told, so that silence is not taken for an answer. */
import type { Issue } from '../model/evidence.ts'
import { groupOf } from './places.ts'

/** Groups of Kubernetes itself and of what netwhy evaluates; their other kinds have no say in who may connect. */
const READ =
  /^(|apps|batch|autoscaling|policy|extensions|(.*\.)?k8s\.io|kustomize\.(config\.k8s\.io|toolkit\.fluxcd\.io)|(crd\.)?projectcalico\.org|cilium\.io)$/

/** One issue for each kind of another group, with how many there are and the file of the first. */
export function foreignKinds(
  seen: readonly { readonly kind: string; readonly apiVersion: string; readonly file: string }[],
): Issue[] {
  const counts = new Map<string, { count: number; file: string }>()
  for (const { kind, apiVersion, file } of seen) {
    const group = groupOf(apiVersion)
    if (READ.test(group)) continue
    const key = `${kind} (${group})`
    const known = counts.get(key)
    if (known) known.count++
    else counts.set(key, { count: 1, file })
  }
  return [...counts].map(([kind, { count, file }]) => ({
    artefact: file,
    message: `${count === 1 ? 'one object' : `${count} objects`} of kind ${kind}: not evaluated`,
  }))
}
