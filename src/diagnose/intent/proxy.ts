/** What is known of kube-proxy on a node: its pod, its process, what it left in the rules, and who may stand in for it. */
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Netns, Network } from '../../model/network.ts'
import { podProof } from '../view/object-proof.ts'

export type ProxyState =
  /** A pod or process of it is there and nothing is said against it. */
  | { readonly kind: 'running'; readonly evidence: readonly Evidence[] }
  /** `why` completes "kube-proxy on NODE …". */
  | { readonly kind: 'failing'; readonly why: string; readonly evidence: readonly Evidence[] }
  | { readonly kind: 'absent'; readonly why: string; readonly evidence: readonly Evidence[] }
  /** Something else that implements Services runs on the node, and no kube-proxy; not `sure`: it may, or leave it to one. */
  | { readonly kind: 'replaced'; readonly by: string; readonly sure: boolean }
  | { readonly kind: 'unknown' }

/** Labels and names as kubeadm, RKE2, EKS, GKE and OpenShift ship it. */
export function isProxyPod(p: PodObject): boolean {
  const { labels, name } = p.meta
  if (
    labels['k8s-app'] === 'kube-proxy' ||
    labels.component === 'kube-proxy' ||
    labels['app.kubernetes.io/name'] === 'kube-proxy'
  )
    return true
  return p.meta.namespace === 'kube-system' && /^kube-proxy(-|$)/.test(name)
}

/** Agents that may implement Services themselves, in eBPF, Open vSwitch or IPVS (their projects' own labels). */
function replacement(p: PodObject): string | null {
  const { labels, name } = p.meta
  const app = labels['k8s-app'] ?? labels.app ?? labels['app.kubernetes.io/name'] ?? ''
  if (app === 'cilium' || app === 'cilium-agent') return 'Cilium'
  if (app === 'antrea' && (labels.component === 'antrea-agent' || name.startsWith('antrea-agent'))) return 'Antrea'
  if (app.startsWith('ovnkube-node') || app === 'ovn-kubernetes') return 'OVN-Kubernetes'
  if (app === 'kube-router') return 'kube-router'
  if (app === 'calico-node') return 'Calico'
  return null
}

/** Programs that have kube-proxy inside. */
const HAS_PROXY_INSIDE = /(^|\/)(k3s[\w.-]*|rke2|microk8s|kubelite|k0s)$/

/** kube-proxy of one node, as objects and the node's process list tell. */
export function proxyOn(network: Network, objects: KubeObjects, node: string): ProxyState {
  const daemons = network.nodes.get(node)?.files?.daemons
  const process = daemons?.find(
    (d) => /(^|\/)kube-proxy$/.test(d.words[0] ?? '') || HAS_PROXY_INSIDE.test(d.words[0] ?? ''),
  )
  const pods = objects.pods.filter(isProxyPod)
  const own = pods.find((p) => p.nodeName === node && p.meta.deletionTimestamp === undefined)
  if (own) {
    const trouble = troubleOf(own)
    if (trouble !== null) return { kind: 'failing', why: trouble, evidence: [podProof(own)] }
    if (daemons && daemons.length > 0 && !process)
      return {
        kind: 'absent',
        why: `is not among the processes of the node, although pod ${own.meta.name} counts as running`,
        evidence: [podProof(own), ...(daemons[0] ? [daemons[0].evidence] : [])],
      }
    return { kind: 'running', evidence: [podProof(own)] }
  }
  if (process) return { kind: 'running', evidence: [process.evidence] }
  const agent = objects.pods.find((p) => p.nodeName === node && replacement(p) !== null)
  const by = agent ? replacement(agent) : null
  if (by !== null && by !== 'Calico' && by !== 'kube-router') return { kind: 'replaced', by, sure: true }
  if (pods.length > 0) {
    const other = pods.find((p) => troubleOf(p) === null) ?? pods[0]!
    return {
      kind: 'absent',
      why: `has no pod here; ${other.meta.name} runs on ${other.nodeName ?? 'no node'}`,
      evidence: [podProof(other)],
    }
  }
  // A kube-proxy under the service manager has no pod anywhere: then the list of processes decides.
  if (daemons && daemons.length > 0 && runsSomewhere(network))
    return {
      kind: 'absent',
      why: 'is not among the processes of the node',
      evidence: daemons.slice(0, 3).map((d) => d.evidence),
    }
  return by === null ? { kind: 'unknown' } : { kind: 'replaced', by, sure: false }
}

function runsSomewhere(network: Network): boolean {
  for (const n of network.nodes.values())
    if (n.files?.daemons?.some((d) => /(^|\/)kube-proxy$/.test(d.words[0] ?? ''))) return true
  return false
}

/** What is wrong with a kube-proxy pod, completing "kube-proxy on NODE …"; null when nothing is. */
function troubleOf(p: PodObject): string | null {
  const bad = p.containerStatuses.find((c) => c.waitingReason !== undefined)
  if (bad)
    return `does not start: ${bad.waitingReason}${bad.waitingMessage ? ` (${bad.waitingMessage.slice(0, 160)})` : ''}`
  if (p.phase !== 'Running') return `is not running: its pod ${p.meta.name} is ${p.phase}`
  const ready = p.conditions.find((c) => c.type === 'Ready')
  if (ready?.status === 'False') return `is not ready${ready.reason ? `: ${ready.reason}` : ''}`
  return null
}

/** Whether anything in the node's rules or links was ever kube-proxy's; kubelet's own canaries are not. */
export function hasTraces(host: Netns): boolean {
  return (
    host.links.some((l) => l.name === 'kube-ipvs0') ||
    host.rulesets.some((r) =>
      r.tables.some(
        (t) =>
          t.name === 'kube-proxy' ||
          ['KUBE-SERVICES', 'KUBE-PROXY-CANARY', 'KUBE-FORWARD'].some((c) => t.chains.has(c)),
      ),
    )
  )
}
