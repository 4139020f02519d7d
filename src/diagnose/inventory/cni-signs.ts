/** Signs on a node of the CNI that made its network: names of links and chains that only one maker uses. */
import type { Evidence } from '../../model/evidence.ts'
import type { Netns } from '../../model/network.ts'
import { chainMaker } from '../view/rule-owner.ts'

/** Makers by the names they give their tunnel links. */
export function linkOwner(link: string): string | null {
  if (/^flannel|^flannel-wg/.test(link)) return 'flannel'
  // tunl0 is nobody's: the kernel makes one in every netns once the ipip module is loaded.
  if (/^(vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|wg-v6\.cali|cali[0-9a-z]|bpf(in|out)\.cali)/.test(link))
    return 'Calico'
  if (/^cilium_|^lxc(_health|[0-9a-f]{12})$/.test(link)) return 'Cilium'
  if (/^(weave|vxlan-6784|vethwe-bridge)$/.test(link)) return 'Weave'
  if (/^(antrea-|genev_sys|vxlan_sys|gre_sys)/.test(link)) return 'Open vSwitch'
  if (/^(kube-bridge|tun-)/.test(link)) return 'kube-router'
  if (/^ovn-k8s/.test(link)) return 'OVN-Kubernetes'
  if (/^eni[0-9a-f]{11}$/.test(link)) return 'AWS VPC CNI'
  if (/^(kilo|kg0)/.test(link)) return 'Kilo'
  if (/^docker0$|^br-[0-9a-f]{12}$/.test(link)) return 'docker'
  return null
}

const CNI_MAKERS = new Set([
  'flannel',
  'Calico',
  'Cilium',
  'Weave',
  'Antrea',
  'OVN-Kubernetes',
  'AWS VPC CNI',
  'kube-router',
  'kindnet',
])

/** Links and chains only one maker's CNI makes. Calico's chains alone may be Canal's policy half: its links decide first. */
export function signs(host: Netns): { readonly owner: string; readonly evidence: Evidence }[] {
  const out: { owner: string; evidence: Evidence }[] = []
  const add = (owner: string, evidence: Evidence) => {
    if (!out.some((o) => o.owner === owner)) out.push({ owner, evidence })
  }
  for (const link of host.links) {
    const owner = linkOwner(link.name)
    if (owner !== null && CNI_MAKERS.has(owner)) add(owner, link.evidence)
    if (/^antrea-gw/.test(link.name)) add('Antrea', link.evidence)
  }
  for (const ruleset of host.rulesets)
    for (const table of ruleset.tables)
      for (const chain of table.chains.values()) {
        const maker = chainMaker(table.name, chain.name)
        if (maker && CNI_MAKERS.has(maker.name) && maker.role !== 'policy')
          add(maker.name, { artefact: ruleset.artefact, line: chain.line, text: `${table.name} ${chain.name}` })
      }
  return out
}
