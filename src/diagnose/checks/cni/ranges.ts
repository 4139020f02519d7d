/** The ranges of the cluster as its objects and agents tell them: of pods, of Services, and the addresses of Nodes. */
import { formatPrefix, type Prefix, parseIp, parsePrefix } from '../../../base/ip.ts'
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterState } from '../../cluster/check.ts'

export interface Range {
  readonly range: Prefix
  readonly what: string
  readonly evidence: Evidence
}

function fieldOf(raw: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    raw,
  )
}

/** Ranges pods get addresses from: Node objects, Calico pools, flannel's network, the controller manager's --cluster-cidr. */
export function podNetworks({ objects, network }: ClusterState): Range[] {
  const out: Range[] = []
  const add = (text: unknown, what: string, evidence: Evidence) => {
    const range = typeof text === 'string' ? parsePrefix(text.trim()) : null
    if (range) out.push({ range, what, evidence: { ...evidence, text: `${evidence.text}: ${formatPrefix(range)}` } })
  }
  for (const o of objects.others)
    if (o.kind === 'IPPool' && fieldOf(o.raw, 'spec', 'disabled') !== true)
      add(fieldOf(o.raw, 'spec', 'cidr'), `the pod range of IPPool ${o.meta.name}`, o.evidence)
  for (const p of objects.pods)
    for (const c of p.containers)
      for (const word of [...(c.command ?? []), ...(c.args ?? [])]) {
        const m = /^--cluster-cidr=(.+)$/.exec(word)
        if (m && /controller-manager|kube-proxy/.test(p.meta.name))
          for (const t of m[1]!.split(',')) add(t, 'the cluster range of pods', p.evidence)
      }
  for (const node of network.nodes.values())
    for (const r of node.files?.flannelSubnet?.networks ?? [])
      add(formatPrefix(r), "flannel's pod range", node.files!.flannelSubnet!.evidence)
  for (const n of objects.nodes) for (const t of n.podCIDRs) add(t, `the pod range of ${n.meta.name}`, n.evidence)
  return out
}

/** The Service range: ServiceCIDR objects, the API server's flag. */
export function serviceNetworks({ objects }: ClusterState): Range[] {
  const out: Range[] = []
  const add = (text: unknown, evidence: Evidence) => {
    const range = typeof text === 'string' ? parsePrefix(text.trim()) : null
    if (range)
      out.push({
        range,
        what: 'the Service range',
        evidence: { ...evidence, text: `${evidence.text}: ${formatPrefix(range)}` },
      })
  }
  for (const o of objects.others) {
    if (o.kind !== 'ServiceCIDR') continue
    const cidrs = fieldOf(o.raw, 'spec', 'cidrs')
    if (Array.isArray(cidrs)) for (const c of cidrs) add(c, o.evidence)
  }
  for (const p of objects.pods)
    for (const word of p.containers.flatMap((c) => [...(c.command ?? []), ...(c.args ?? [])])) {
      const m = /^--service-cluster-ip-range=(.+)$/.exec(word)
      if (m) for (const t of m[1]!.split(',')) add(t, p.evidence)
    }
  return out
}

/** InternalIPs of Nodes. */
export function internalAddresses(objects: KubeObjects) {
  return objects.nodes.flatMap((node) =>
    node.addresses.flatMap((a) => {
      const ip = a.type === 'InternalIP' ? parseIp(a.address) : null
      return ip ? [{ node, ip }] : []
    }),
  )
}
