/** The lab's kube-proxy: writes what `src/intent/service` says into every node, as kube-proxy's own sync does. */

import { expectedServices, type ProxyOptions, renderIptables, renderNft } from '../src/intent/service/index.ts'
import type { KubeObjects } from '../src/kubeobj/objects.ts'
import { families, type LabOptions, type NodePlan, nodeIP, POD_CIDR, SERVICE_CIDR } from './plan.ts'

/** The program that loads rules: `iptables-nft-restore`, `ip6tables-legacy-restore`… */
export function restoreProgram(options: LabOptions, family: 4 | 6): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}-${options.iptables}-restore`
}

/** A shell command that loads `text`. */
export function restore(options: LabOptions, family: 4 | 6, text: string): string {
  return `${restoreProgram(options, family)} --noflush -w 60 <<'END'\n${text}END\n`
}

export function proxyOptions(node: NodePlan, options: LabOptions): ProxyOptions {
  const fs = families(options.stack)
  return {
    nodeIPs: fs.map((f) => nodeIP(node, f)),
    clusterCIDRs: fs.map((f) => POD_CIDR[f]),
    serviceCIDRs: fs.map((f) => SERVICE_CIDR[f]),
  }
}

/** Shell lines for one node's sync, both families whatever the cluster's, as kube-proxy does where the kernel has both. */
export function proxySync(
  objects: KubeObjects,
  node: NodePlan,
  options: LabOptions,
  known: Readonly<Record<string, readonly string[]>> | null,
): { script: string; chains: Record<string, readonly string[]> } {
  const services = expectedServices(objects, node.name)
  const proxy = proxyOptions(node, options)
  const chains: Record<string, readonly string[]> = {}
  let script = ''
  for (const family of [4, 6] as const) {
    if (options.proxy === 'nftables') {
      script += `nft -f - <<'END'\n${renderNft(services, family, proxy)}END\n`
      continue
    }
    const key = `${node.name}/${family}`
    const sync = known === null ? { jumps: true } : { jumps: false, stale: known[key] ?? [] }
    const rendering = renderIptables(services, family, proxy, sync)
    chains[key] = rendering.chains
    script += restore(options, family, rendering.text)
  }
  return { script, chains }
}

/** The chains kubelet makes so that it notices a flush, and its hint at the back end in use (kubelet_network_linux.go). */
export function kubeletChains(options: LabOptions): string {
  const table = (name: string, chains: readonly string[]) =>
    `*${name}\n${chains.map((c) => `:${c} - [0:0]`).join('\n')}\nCOMMIT\n`
  const text =
    table('mangle', ['KUBE-IPTABLES-HINT', 'KUBE-KUBELET-CANARY']) +
    table('nat', ['KUBE-KUBELET-CANARY']) +
    table('filter', ['KUBE-KUBELET-CANARY', 'KUBE-FIREWALL'])
  return ([4, 6] as const).map((f) => restore(options, f, text)).join('')
}
