/** Which network plugin this cluster has: its agents, configuration, and what it leaves on objects and links. */
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { CniConfig, CniPlugin, NodeFiles } from '../../model/node-files.ts'
import type { ClusterState } from '../cluster/check.ts'

export type PluginName =
  | 'flannel'
  | 'calico'
  | 'cilium'
  | 'weave'
  | 'kube-router'
  | 'antrea'
  | 'ovn'
  | 'kindnet'
  | 'aws'
  | 'azure'
  | 'gke'
  | 'other'

/** Agents by name or image (their makers' manifests). */
const AGENTS: readonly (readonly [RegExp, PluginName])[] = [
  [/^kube-flannel|flannel-cni|\/flannel:|^flannel-|^canal-/, 'flannel'],
  [/^calico-node|^calico-typha|^canal-|calico\/node/, 'calico'],
  [/^cilium(-[a-z0-9]{5})?$|^cilium-agent|cilium\/cilium:|^anetd/, 'cilium'],
  [/^weave-net/, 'weave'],
  [/^kube-router/, 'kube-router'],
  [/^antrea-agent/, 'antrea'],
  [/^ovnkube|^ovs-ovn|^kube-ovn/, 'ovn'],
  [/^kindnet/, 'kindnet'],
  [/^aws-node|amazon-k8s-cni/, 'aws'],
  [/^azure-cni|^azure-vnet|^azure-cns/, 'azure'],
  [/^netd-|^gke-|^anetd/, 'gke'],
]

const TYPES: Readonly<Record<string, PluginName>> = {
  flannel: 'flannel',
  calico: 'calico',
  'cilium-cni': 'cilium',
  'weave-net': 'weave',
  antrea: 'antrea',
  'ovn-k8s-cni-overlay': 'ovn',
  'kube-ovn': 'ovn',
  ptp: 'kindnet',
  'aws-cni': 'aws',
  'azure-vnet': 'azure',
  'gke-net': 'gke',
}

/** Plugins that hand out addresses by themselves: Node.spec.podCIDR means nothing to them, and may be empty or overlap. */
const OWN_IPAM: ReadonlySet<PluginName> = new Set(['calico', 'cilium', 'weave', 'ovn', 'aws', 'azure', 'gke', 'other'])

/** Chained behind another plugin, or in front of all (multus): not what gives the pod its network. */
const HELPERS: ReadonlySet<string> = new Set([
  ...['portmap', 'bandwidth', 'tuning', 'firewall', 'loopback', 'sbr', 'vrf', 'noop', 'istio-cni', 'linkerd-cni'],
])
const META: ReadonlySet<string> = new Set([
  'multus',
  'multus-cni',
  'multus-shim',
  'genie',
  'danm',
  'cni-metaplugin',
  'knitter',
  'spiderpool',
])

export function agentsOf(objects: KubeObjects): { readonly pod: PodObject; readonly plugin: PluginName }[] {
  return objects.pods.flatMap((pod) => {
    // An agent runs in its node's network; a pod that merely has such a name does not.
    if (!pod.hostNetwork) return []
    const names = [pod.meta.name, ...pod.containers.map((c) => c.image ?? '')]
    return AGENTS.filter(([pattern]) => names.some((n) => pattern.test(n))).map(([, plugin]) => ({ pod, plugin }))
  })
}

/** The plugin of a chain that gives the pod its link; null for loopback alone. A meta plugin counts as itself. */
export function mainPlugin(config: CniConfig): CniPlugin | null {
  return config.plugins.find((p) => META.has(p.type)) ?? config.plugins.find((p) => !HELPERS.has(p.type)) ?? null
}

export function isMeta(plugin: CniPlugin): boolean {
  return META.has(plugin.type)
}

/** The configuration the runtime uses: the first valid one by file name. */
export function usedConfig(files: NodeFiles | undefined): NonNullable<NodeFiles['cniConfigs']>[number] | undefined {
  return files?.cniConfigs?.find((c) => c.config !== null)
}

export function pluginOfType(type: string): PluginName | undefined {
  return TYPES[type]
}

/** Every network plugin there is a sign of. Empty: no sign of any. */
export function pluginsOf({ network, objects }: ClusterState): ReadonlySet<PluginName> {
  const found = new Set<PluginName>(agentsOf(objects).map((a) => a.plugin))
  for (const { meta } of objects.nodes) {
    const keys = Object.keys(meta.annotations)
    if (keys.some((k) => k.startsWith('flannel.alpha.coreos.com/'))) found.add('flannel')
    if (keys.some((k) => k.startsWith('projectcalico.org/'))) found.add('calico')
    if (keys.some((k) => /(^|\.)cilium\.io\//.test(k))) found.add('cilium')
    if (keys.some((k) => k.startsWith('kube-router.io/'))) found.add('kube-router')
    if (keys.some((k) => /ovn\.(org|kubernetes)/.test(k))) found.add('ovn')
    if ('cloud.google.com/gke-nodepool' in meta.labels) found.add('gke')
  }
  for (const o of objects.others) {
    if (o.kind === 'IPPool' && /projectcalico/.test(o.apiVersion)) found.add('calico')
    if (o.kind === 'CiliumNode') found.add('cilium')
    if (o.kind === 'ENIConfig') found.add('aws')
  }
  for (const node of network.nodes.values()) {
    const config = usedConfig(node.files)?.config
    const main = config && mainPlugin(config)
    const plugin = main && TYPES[main.type]
    if (plugin) found.add(plugin)
    for (const d of node.files?.daemons ?? []) {
      const program = (d.words[0] ?? '').replace(/^.*\//, '')
      if (program === 'flanneld') found.add('flannel')
      if (program === 'calico-node' || program === 'felix') found.add('calico')
      if (program === 'cilium-agent') found.add('cilium')
      if (program === 'kube-router') found.add('kube-router')
      if (program === 'weaver') found.add('weave')
    }
    const host = node.host === undefined ? undefined : network.netns.get(node.host)
    for (const l of host?.links ?? []) {
      if (/^flannel(\.\d+|-v6\.\d+|-wg)$/.test(l.name)) found.add('flannel')
      if (/^cali[0-9a-f]{11}$|^vxlan\.calico$/.test(l.name)) found.add('calico')
      if (/^cilium_(host|net|vxlan)$/.test(l.name)) found.add('cilium')
      if (/^(kube-bridge|kube-dummy-if)$/.test(l.name)) found.add('kube-router')
      if (/^antrea-gw0$/.test(l.name)) found.add('antrea')
      if (/^ovn-k8s-mp0$|^ovn0$/.test(l.name)) found.add('ovn')
      if (l.name === 'weave' && l.kind === 'bridge') found.add('weave')
      if (/^eni[0-9a-f]{11}$/.test(l.name)) found.add('aws')
    }
  }
  return found
}

/** True when Node.spec.podCIDR decides which addresses pods get: no plugin with an IPAM of its own is in sight. */
export function usesPodCidr(plugins: ReadonlySet<PluginName>): boolean {
  return ![...plugins].some((p) => OWN_IPAM.has(p))
}

/** Programs that bring their own runtime folders, policies and proxies in one binary. */
export function isAllInOne(files: NodeFiles | undefined): boolean {
  return (
    files?.daemons?.some((d) =>
      /(^|\/)(k3s|k3s-server|k3s-agent|rke2|k0s|kubelite|microk8s)$/.test(d.words[0] ?? ''),
    ) === true
  )
}
