/** Decisions: which CNI plugins make the pod's network, in which order, and who hands out addresses (A1.3, C2, C3). */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import type { CniConfigFile, CniPlugin } from '../../model/node-files.ts'
import { signs } from './cni-signs.ts'
import { type NodeFact, ofCluster, ofNodes, unknown } from './decision.ts'
import { withRole } from './software.ts'
import { askHosts, configMap, type Surroundings } from './surroundings.ts'

const PLUGIN = { id: 'cni', title: 'CNI plugins' }
const IPAM = { id: 'ipam', title: 'IPAM' }

/** The configuration the runtime uses: the first valid one by name (libcni ConfFiles, containerd and CRI-O). */
export function usedConfig(files: readonly CniConfigFile[] | undefined): CniConfigFile | null {
  return files?.find((f) => f.config !== null) ?? null
}

export function cni(s: Surroundings): Decision {
  const facts = askHosts(s, (host, node): NodeFact => {
    const files = s.network.nodes.get(node)?.files?.cniConfigs
    const used = usedConfig(files)
    if (used?.config) {
      const chain = used.config.plugins.map(pluginText).join(' → ')
      const owner = pluginOwner(used.config.plugins[0]!) ?? signs(host)[0]?.owner ?? null
      return { node, state: 'present', value: chain, owner, evidence: [used.evidence] }
    }
    if (files && files.length > 0)
      return { node, state: 'absent', value: 'no valid CNI configuration', evidence: files.map((f) => f.evidence) }
    const found = signs(host)
    if (found.length > 0) {
      const names = [...new Set(found.map((f) => f.owner))]
      return {
        node,
        state: 'present',
        value: `${names.join(' and ')}, by its links and chains`,
        owner: names[0]!,
        evidence: found.map((f) => f.evidence),
      }
    }
    return {
      node,
      state: 'unknown',
      why: 'CNI configuration not collected, and no link or chain of a plugin known to netwhy',
    }
  })
  if (facts.some((f) => f.state !== 'unknown')) return ofNodes(PLUGIN, facts)
  const running = withRole(s.software, 'cni')
  if (running.length > 0)
    return ofCluster(PLUGIN, {
      value: `${running.map((r) => r.product.name).join(' and ')}, by its pods`,
      owner: running[0]!.product.name,
      why: 'no node was collected: the order of its plugins was not seen',
      evidence: running.map((r) => r.evidence),
    })
  const annotated = annotationSign(s)
  if (annotated)
    return ofCluster(PLUGIN, {
      value: `${annotated.owner}, by its annotations on the nodes`,
      owner: annotated.owner,
      evidence: [annotated.evidence],
    })
  return unknown(PLUGIN, 'neither CNI configuration, nor links, nor pods of a CNI known to netwhy were collected')
}

function pluginText(p: CniPlugin): string {
  const inner = p.delegate ? ` (delegates to ${p.delegate.type})` : ''
  return `${p.type}${inner}`
}

const PLUGIN_OWNERS: Readonly<Record<string, string>> = {
  flannel: 'flannel',
  calico: 'Calico',
  'cilium-cni': 'Cilium',
  'weave-net': 'Weave',
  antrea: 'Antrea',
  'ovn-k8s-cni-overlay': 'OVN-Kubernetes',
  'aws-cni': 'AWS VPC CNI',
  'azure-vnet': 'Azure CNI',
  ptp: 'ptp plugin',
  multus: 'Multus',
  'multus-shim': 'Multus',
  'kube-router': 'kube-router',
  bridge: 'bridge plugin',
  macvlan: 'macvlan plugin',
  ipvlan: 'ipvlan plugin',
}

function pluginOwner(p: CniPlugin): string | null {
  // The bridge plugin is configured by others as well (kube-router, flannel by hand): then their signs say more.
  return p.type === 'bridge' ? null : (PLUGIN_OWNERS[p.type] ?? null)
}

function annotationSign(s: Surroundings): { owner: string; evidence: Evidence } | null {
  for (const n of s.objects.nodes)
    for (const key of Object.keys(n.meta.annotations)) {
      if (key.startsWith('flannel.alpha.coreos.com/')) return { owner: 'flannel', evidence: n.evidence }
      if (key.startsWith('projectcalico.org/')) return { owner: 'Calico', evidence: n.evidence }
      if (key.startsWith('network.cilium.io/') || key.startsWith('io.cilium.network.'))
        return { owner: 'Cilium', evidence: n.evidence }
      if (key.startsWith('k8s.ovn.org/')) return { owner: 'OVN-Kubernetes', evidence: n.evidence }
    }
  return null
}

export function ipam(s: Surroundings): Decision {
  const facts = s.nodes.map((node): NodeFact => {
    const used = usedConfig(s.network.nodes.get(node)?.files?.cniConfigs)
    const plugin = used?.config?.plugins.find((p) => ipamOf(p) !== undefined)
    const type = plugin && ipamOf(plugin)
    if (type === undefined || !used)
      return { node, state: 'unknown', why: 'CNI configuration not collected, or without ipam' }
    return { node, state: 'present', value: type, owner: IPAM_OWNERS[type] ?? null, evidence: [used.evidence] }
  })
  if (facts.some((f) => f.state === 'present')) return ofNodes(IPAM, facts)
  const cilium = configMap(s, /^cilium-config$/)
  const mode = cilium?.data.ipam
  if (cilium && mode !== undefined)
    return ofCluster(IPAM, { value: `Cilium, mode ${mode}`, owner: 'Cilium', evidence: [cilium.evidence] })
  const block = s.objects.others.find(
    (o) => ['IPAMBlock', 'IPPool'].includes(o.kind) && o.apiVersion.includes('projectcalico.org'),
  )
  if (block)
    return ofCluster(IPAM, { value: 'blocks out of Calico IP pools', owner: 'Calico', evidence: [block.evidence] })
  const given = s.objects.nodes.filter((n) => n.podCIDRs.length > 0)
  if (given.length > 0 && given.length === s.objects.nodes.length)
    return ofCluster(IPAM, {
      value: 'a range per node (spec.podCIDR)',
      owner: null,
      why: 'the plugin that hands out single addresses was not seen: CNI configuration not collected',
      evidence: given.slice(0, 2).map((n) => n.evidence),
    })
  return unknown(IPAM, 'CNI configuration not collected, and no object names it')
}

function ipamOf(p: CniPlugin): string | undefined {
  if (p.ipamType !== undefined && p.ipamType !== '') return p.ipamType
  const delegated = p.delegate && ipamOf(p.delegate)
  if (delegated !== undefined) return delegated
  // flannel's delegate is given host-local by the flannel plugin itself (plugins/meta/flannel), Cilium's agent answers for its plugin.
  if (p.type === 'flannel') return 'host-local'
  if (p.type === 'cilium-cni') return 'cilium'
  return undefined
}

const IPAM_OWNERS: Readonly<Record<string, string>> = {
  'calico-ipam': 'Calico',
  'host-local': 'host-local plugin',
  'aws-cni': 'AWS VPC CNI',
  'azure-vnet-ipam': 'Azure CNI',
  'weave-ipam': 'Weave',
  whereabouts: 'Whereabouts',
  cilium: 'Cilium',
  dhcp: 'dhcp plugin',
  static: 'static plugin',
}
