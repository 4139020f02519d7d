/** Does a remedy break what works? Other connections of the cluster, traced before and after. */
import { parseIp } from '../base/ip.ts'
import { protocolNumber } from '../base/protocol.ts'
import { traceConnection } from '../datapath/trace.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { NetnsId, Network } from '../model/network.ts'
import type { Packet } from '../model/packet.ts'
import { firstPacket } from './question/asked.ts'

/** Most connections traced: a remedy is tried while somebody waits. */
const MOST = 60

interface Sample {
  readonly from: NetnsId
  readonly packet: Packet
}

/** Every Service port from two pods on different nodes and from a node, and pods from each node; bounded. */
export function sampleConnections(network: Network, objects: KubeObjects): Sample[] {
  const pods = [...network.netns.values()].filter((n) => n.kind === 'pod')
  const first = pods[0]
  const second = pods.find((p) => p.node !== first?.node)
  const hosts = [...network.netns.values()].filter((n) => n.kind === 'host')
  const senders = [first?.id, second?.id, hosts[0]?.id].filter((id) => id !== undefined)
  const out: Sample[] = []
  const add = (from: NetnsId, address: string, port: number, protocol: string) => {
    const ip = parseIp(address)
    const number = protocolNumber(protocol)
    if (ip && number !== null && out.length < MOST) out.push({ from, packet: firstPacket(number, null, ip, port, 0) })
  }
  for (const s of objects.services)
    for (const p of s.ports)
      for (const from of senders) if (s.clusterIPs[0]) add(from, s.clusterIPs[0], p.port, p.protocol)
  for (const host of hosts)
    for (const pod of objects.pods) if (!pod.hostNetwork && pod.podIPs[0]) add(host.id, pod.podIPs[0], 0, 'icmp')
  return out
}

function success(network: Network, sample: Sample): number {
  return traceConnection(network, sample)
    .filter((t) => t.disposition === 'delivered')
    .reduce((sum, t) => sum + t.probability, 0)
}

/** True when no sampled connection fares worse on `after` than on `before`. */
export function breaksNothing(before: Network, after: Network, objects: KubeObjects): boolean {
  return sampleConnections(before, objects).every((s) => success(after, s) >= success(before, s) - 1e-9)
}
