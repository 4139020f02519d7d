/** Pods as a check asks about them: alive, Ready, and what was logged. */
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Network } from '../../model/network.ts'

export function podName(p: PodObject): string {
  return `${p.meta.namespace}/${p.meta.name}`
}

export function isReady(p: PodObject): boolean {
  return p.conditions.some((c) => c.type === 'Ready' && c.status === 'True')
}

/** Neither finished nor on its way out. */
export function isAlive(p: PodObject): boolean {
  return p.phase !== 'Succeeded' && p.phase !== 'Failed' && p.meta.deletionTimestamp === undefined
}

/** Kept log lines of a pod's containers, oldest first; empty when none were collected. */
export function logOf(network: Network, p: Pick<PodObject, 'meta'>): Evidence[] {
  return [...network.nodes.values()].flatMap((n) =>
    (n.files?.logs ?? [])
      .filter((l) => l.namespace === p.meta.namespace && l.pod === p.meta.name)
      .flatMap((l) => l.lines),
  )
}

/** Logs of every container whose namespace, pod or name fits `of`. */
export function logsWhere(
  network: Network,
  of: (log: { readonly namespace: string; readonly pod: string; readonly container: string }) => boolean,
): Evidence[] {
  return [...network.nodes.values()].flatMap((n) => (n.files?.logs ?? []).filter(of).flatMap((l) => l.lines))
}

/** What wrote the pod down: `Deployment/web` for the pods of its ReplicaSets, else the owner itself; empty without one. */
export function workloadOf(p: PodObject): string {
  const owner = p.meta.owners[0]
  if (!owner) return ''
  const hash = p.meta.labels['pod-template-hash']
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return `Deployment/${owner.name.slice(0, -hash.length - 1)}`
  return `${owner.kind}/${owner.name}`
}

export function namedService(objects: KubeObjects, namespace: string, name: string) {
  return objects.services.find((s) => s.meta.namespace === namespace && s.meta.name === name)
}
