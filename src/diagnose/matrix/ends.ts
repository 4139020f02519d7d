/** Pods and nodes a matrix may be made of. */
import { formatIp } from '../../base/ip.ts'
import { TCP } from '../../base/protocol.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Netns } from '../../model/network.ts'
import type { ClusterState } from '../cluster/check.ts'
import { hostNetns, netnsOfPod } from '../view/owner.ts'

export interface PodEnd {
  readonly ref: string
  readonly pod: PodObject
  readonly namespace: string
  readonly node: string
  readonly ip: string
  /** Undefined: not collected; then what it sends is not known. */
  readonly netns: Netns | undefined
}

/** Running pods with an address of their own, those that were collected first, spread over namespaces as they come. */
export function podEnds({ network, objects }: ClusterState): PodEnd[] {
  const all = objects.pods.flatMap((pod): PodEnd[] => {
    const ip = pod.podIPs[0]
    const node = pod.nodeName
    if (pod.hostNetwork || pod.phase !== 'Running' || pod.meta.deletionTimestamp !== undefined) return []
    if (ip === undefined || node === undefined) return []
    const { namespace, name } = pod.meta
    return [{ ref: `pod/${namespace}/${name}`, pod, namespace, node, ip, netns: netnsOfPod(network, namespace, name) }]
  })
  return [...all.filter((p) => p.netns), ...all.filter((p) => !p.netns)]
}

/** Nodes whose host netns was collected, by name. */
export function nodeEnds({ network, objects }: ClusterState): string[] {
  const names = new Set([...objects.nodes.map((n) => n.meta.name), ...network.nodes.keys()])
  return [...names].filter((n) => hostNetns(network, n)).sort()
}

/** A TCP port with a listener others can reach (`loopback`: that the pod's own containers can reach); null when there is none or it is not known. */
export function openPort(netns: Netns | undefined, loopback: boolean): number | null {
  if (!netns?.known.has('sockets')) return null
  const usable = netns.sockets.filter((s) => {
    if (s.protocol !== TCP || s.state !== 'LISTEN' || s.link !== undefined) return false
    const at = formatIp(s.local)
    const local = /^(127\.|::1$)/.test(at)
    return loopback ? local || /^(0\.0\.0\.0|::)$/.test(at) : !local
  })
  return usable[0]?.localPort ?? null
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
