/**
 * Whose rule is it. Table and chain names are the makers' published names: kube-proxy pkg/proxy/{iptables,ipvs,nftables},
 * kubelet pkg/kubelet/kubelet_network_linux.go (KEP-3178), kube-router pkg/controllers, Felix' rules package, flannel
 * pkg/trafficmngr, the CNI plugins portmap, bridge (pkg/ip/ipmasq) and firewall, Cilium pkg/datapath/iptables, Antrea
 * pkg/agent, OVN-Kubernetes go-controller/pkg/node, AWS VPC CNI pkg/networkutils, Istio tools/istio-iptables, Linkerd
 * proxy-init, firewalld, ufw, docker.
 */
import type { Rule } from '../../model/ruleset.ts'

/** What part the owner plays: what a finding about its rule has to know. */
export type RuleOwner = 'kube-proxy' | 'kubelet' | 'policy' | 'cni' | 'firewalld' | 'ufw' | 'docker' | 'mesh' | 'admin'

/** The software, and its part. */
export interface Maker {
  readonly name: string
  readonly role: RuleOwner
}

/** Nobody we know claims it: an administrator's, or a program's netwhy has not heard of. */
export const NOBODY_KNOWN: Maker = { name: 'unknown (admin)', role: 'admin' }

const maker = (name: string, role: RuleOwner): Maker => ({ name, role })
const KUBE_PROXY = maker('kube-proxy', 'kube-proxy')
const KUBELET = maker('kubelet', 'kubelet')
const KUBE_ROUTER = maker('kube-router', 'policy')
const CALICO = maker('Calico', 'policy')
const CILIUM = maker('Cilium', 'policy')
const FLANNEL = maker('flannel', 'cni')
const WEAVE = maker('Weave', 'cni')
const PORTMAP = maker('CNI portmap', 'cni')
const CNI_MASQ = maker('CNI bridge masquerade', 'cni')
const CNI_FIREWALL = maker('CNI firewall', 'cni')
const AWS = maker('AWS VPC CNI', 'cni')
const OVN = maker('OVN-Kubernetes', 'cni')
const KINDNET = maker('kindnet', 'cni')
const IP_MASQ = maker('ip-masq-agent', 'cni')
const NODE_LOCAL_DNS = maker('node-local-dns', 'cni')
const ISTIO = maker('Istio', 'mesh')
const LINKERD = maker('Linkerd', 'mesh')
const DOCKER = maker('docker', 'docker')
const UFW = maker('ufw', 'ufw')
const FIREWALLD = maker('firewalld', 'firewalld')

/** First match wins. */
const CHAINS: readonly (readonly [RegExp, Maker])[] = [
  [/^KUBE-(POD-FW|NWPLCY|ROUTER|NETWORK-POL|DEFAULT-NWPLCY)/, KUBE_ROUTER],
  [/^KUBE-(KUBELET|IPTABLES-HINT|FIREWALL$|MARK-DROP|HOSTPORTS$|HP-)/, KUBELET],
  [/^KUBE-/, KUBE_PROXY],
  [/^cali-/, CALICO],
  [/^(CILIUM|OLD_CILIUM)/, CILIUM],
  [/^WEAVE-NPC/, maker('Weave', 'policy')],
  [/^WEAVE/, WEAVE],
  [/^ANTREA-(POL|INGRESS|EGRESS)/, maker('Antrea', 'policy')],
  [/^ANTREA/, maker('Antrea', 'cni')],
  [/^OVN-KUBE/, OVN],
  [/^OPENSHIFT-/, maker('OpenShift SDN', 'cni')],
  [/^FLANNEL/, FLANNEL],
  [/^CNI-(HOSTPORT|DN-|SN-)/, PORTMAP],
  [/^CNI-(FORWARD|ADMIN|ISOLATION)/, CNI_FIREWALL],
  [/^CNI-/, CNI_MASQ],
  [/^(KINDNET|KIND-MASQ)/, KINDNET],
  [/^IP-MASQ/, IP_MASQ],
  [/^AWS-/, AWS],
  [/^AZURE-NPM/, maker('Azure NPM', 'policy')],
  [/^ufw6?-/, UFW],
  [/^(DOCKER|docker)/, DOCKER],
  [/^ISTIO_/, ISTIO],
  [/^(PROXY_INIT|LINKERD)/, LINKERD],
  [/^(CONSUL_|CONSUL-)/, maker('Consul', 'mesh')],
  [/^KUMA_MESH_/, maker('Kuma', 'mesh')],
  [/^(FORWARD|INPUT|OUTPUT|PREROUTING|POSTROUTING)_(direct|ZONES|POLICIES)/, FIREWALLD],
  [/^(FWD|FWDI|FWDO|IN|POST|PRE)_[A-Za-z]+(_|$)/, FIREWALLD],
  [/^filter_(FORWARD|INPUT|OUTPUT|FWD|IN)/, FIREWALLD],
  [/^NETAVARK/, maker('podman', 'admin')],
  [/^LIBVIRT_/, maker('libvirt', 'admin')],
  [/^f2b-/, maker('fail2ban', 'admin')],
  [/^ts-(input|forward|postrouting)$/, maker('Tailscale', 'admin')],
]

const TABLES: readonly (readonly [RegExp, Maker])[] = [
  [/^firewalld/, FIREWALLD],
  [/^kube-proxy/, KUBE_PROXY],
  [/^kube-network-policies/, maker('kube-network-policies', 'policy')],
  [/^kindnet-network-policies/, maker('kindnet', 'policy')],
  [/^kindnet/, KINDNET],
  [/^calico/, CALICO],
  [/^flannel/, FLANNEL],
  [/^ovn-kubernetes/, OVN],
  [/^antrea/i, maker('Antrea', 'cni')],
  [/^cni_hostport/, PORTMAP],
  [/^cni_plugins_masquerade/, CNI_MASQ],
  [/^docker/, DOCKER],
  [/^netavark/, maker('podman', 'admin')],
  [/^libvirt_network/, maker('libvirt', 'admin')],
  [/^netwhy-policy/, maker('netwhy lab', 'policy')],
]

/** Rules in chains that belong to nobody (INPUT, POSTROUTING…): by their comment, as the makers write it. */
const COMMENTS: readonly (readonly [RegExp, Maker])[] = [
  [/^flanneld (masq|forward)/, FLANNEL],
  [/^cali:/, CALICO],
  [/^cilium/i, CILIUM],
  [/^AWS[,: ]/, AWS],
  [/NodeLocal DNS Cache/, NODE_LOCAL_DNS],
  [/^ip-masq-agent/, IP_MASQ],
  [/^(kubernetes (service|load balancer|externally-visible|forwarding|postrouting)|kubernetes cluster )/, KUBE_PROXY],
  [/^kube-router/, KUBE_ROUTER],
  [/^CNI portfwd/, PORTMAP],
  [/^CNI firewall plugin/, CNI_FIREWALL],
  [/^name: "/, CNI_MASQ],
  [/^(proxy-init|linkerd)/, LINKERD],
]

/** The same by links and addresses that only one maker uses. */
const TEXTS: readonly (readonly [RegExp, Maker])[] = [
  [/(^|\s|")(docker0|br-[0-9a-f]{12})("|\s|$)/, DOCKER],
  [/(^|\s)(169\.254\.20\.10|fd00:90::a)(\/\d+)?(\s|$)/, NODE_LOCAL_DNS],
  [/-[io] weave(\s|$)/, WEAVE],
  [/-[io] cali\+/, CALICO],
  [/-[io] (lxc|cilium_)/, CILIUM],
  [/-[io] virbr\d/, maker('libvirt', 'admin')],
]

/** The maker of a chain by the names of table and chain; null when nobody we know claims them. */
export function chainMaker(table: string | undefined, chain: string | undefined): Maker | null {
  for (const [pattern, owner] of TABLES) if (table !== undefined && pattern.test(table)) return owner
  for (const [pattern, owner] of CHAINS) if (chain !== undefined && pattern.test(chain)) return owner
  return null
}

/** The maker of a rule: of its chain, or in a chain of everybody's (INPUT…) of what it jumps to, says and names. */
export function ruleMaker(table: string | undefined, chain: string | undefined, rule: Rule): Maker {
  const own = chainMaker(table, chain)
  if (own) return own
  for (const part of rule.parts)
    if (part.kind === 'verdict' && (part.verdict.kind === 'jump' || part.verdict.kind === 'goto')) {
      const target = chainMaker(undefined, part.verdict.chain)
      if (target) return target
    }
  const comment = rule.comment
  if (comment !== undefined) for (const [pattern, owner] of COMMENTS) if (pattern.test(comment)) return owner
  for (const [pattern, owner] of TEXTS) if (pattern.test(rule.text)) return owner
  return NOBODY_KNOWN
}

/** The owner's part by table and chain; `admin` when nobody we know claims the name. */
export function ruleOwner(table: string | undefined, chain: string | undefined): RuleOwner {
  return chainMaker(table, chain)?.role ?? 'admin'
}

export function ruleOwnerText(owner: RuleOwner): string {
  switch (owner) {
    case 'kube-proxy':
    case 'kubelet':
    case 'firewalld':
    case 'ufw':
    case 'docker':
      return owner
    case 'policy':
      return 'the network policy engine'
    case 'cni':
      return 'the CNI plugin'
    case 'mesh':
      return 'the service mesh'
    case 'admin':
      return 'somebody outside Kubernetes'
  }
}
