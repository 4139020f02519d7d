/** Pods that got a node and no network: what the runtime says why their sandbox is not created. */
import type { EventObject, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { ClusterState } from '../cluster/check.ts'
import { eventProof, waitingProof } from './proof.ts'

export interface SandboxTrouble {
  readonly namespace: string
  readonly name: string
  readonly pod?: PodObject
  readonly node?: string
  /** What the runtime or the plugin said last. */
  readonly message: string
  readonly evidence: readonly Evidence[]
}

/** True: scheduled, with a network of its own to come, and no address yet. */
export function waitsForNetwork(p: PodObject): boolean {
  return (
    p.phase === 'Pending' &&
    p.nodeName !== undefined &&
    !p.hostNetwork &&
    p.podIPs.length === 0 &&
    p.meta.deletionTimestamp === undefined
  )
}

const SANDBOX = /^(FailedCreatePodSandBox|FailedPodSandBoxStatus|NetworkNotReady|FailedCreatePodContainer)$/
const LOGGED = /(?:failed to (?:create|set ?up) (?:pod )?sandbox|FailedCreatePodSandBox|CreatePodSandbox).*/i

/**
 * One entry per pod that is stuck now. An event about a pod that has its address, is finished or gone is past; without Pod
 * objects the events alone count.
 */
export function sandboxTroubles(state: ClusterState): SandboxTrouble[] {
  const { objects, network } = state
  const events = new Map<string, EventObject[]>()
  for (const e of objects.events) {
    if (e.about.kind !== 'Pod' || !SANDBOX.test(e.reason)) continue
    const key = `${e.about.namespace}/${e.about.name}`
    events.set(key, [...(events.get(key) ?? []), e])
  }
  const newest = (list: readonly EventObject[]) =>
    [...list].sort((x, y) => (x.lastSeen ?? '').localeCompare(y.lastSeen ?? ''))
  if (!objects.known.has('Pod'))
    return [...events].map(([key, list]) => {
      const last = newest(list).at(-1)!
      const node = nodeOfReporter(last, state)
      return {
        namespace: key.slice(0, key.indexOf('/')),
        name: key.slice(key.indexOf('/') + 1),
        ...(node === undefined ? {} : { node }),
        message: last.message,
        evidence: [eventProof(last)],
      }
    })
  return objects.pods.filter(waitsForNetwork).flatMap((pod) => {
    const key = `${pod.meta.namespace}/${pod.meta.name}`
    const list = newest(events.get(key) ?? [])
    const logged = (network.nodes.get(pod.nodeName ?? '')?.files?.kubeletLog ?? []).findLast(
      (l) => l.text.includes(key) && LOGGED.test(l.text),
    )
    const message = list.at(-1)?.message ?? logged?.text
    if (message === undefined) return []
    return [
      {
        namespace: pod.meta.namespace,
        name: pod.meta.name,
        pod,
        node: pod.nodeName!,
        message,
        evidence: [...list.slice(-2).reverse().map(eventProof), ...(logged ? [logged] : []), waitingProof(pod)],
      },
    ]
  })
}

/** `kubelet node2` → node2. */
function nodeOfReporter(e: EventObject, { objects, network }: ClusterState): string | undefined {
  const host = e.reporter?.split(' ')[1]
  return host !== undefined && (network.nodes.has(host) || objects.nodes.some((n) => n.meta.name === host))
    ? host
    : undefined
}
