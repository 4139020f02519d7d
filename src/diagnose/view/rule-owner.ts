/**
 * Whose rule is it. Table and chain names are the makers' published names (kube-proxy pkg/proxy/iptables and nftables,
 * kube-router pkg/controllers/netpol, Felix rules package, flannel pkg/trafficmngr, firewalld, ufw, docker).
 */
export type RuleOwner = 'kube-proxy' | 'kubelet' | 'policy' | 'cni' | 'firewalld' | 'ufw' | 'docker' | 'mesh' | 'admin'

const CHAINS: readonly (readonly [RegExp, RuleOwner])[] = [
  [/^KUBE-(POD-FW|NWPLCY|ROUTER|NETWORK-POL|DEFAULT-NWPLCY)/, 'policy'],
  [/^KUBE-(KUBELET|FIREWALL$|MARK-DROP)/, 'kubelet'],
  [/^KUBE-/, 'kube-proxy'],
  [/^cali-/, 'policy'],
  [/^(CILIUM|OLD_CILIUM)/, 'policy'],
  [/^WEAVE-NPC/, 'policy'],
  [/^(ANTREA-POL|ANTREA-INGRESS|ANTREA-EGRESS)/, 'policy'],
  [/^(FLANNEL|CNI|WEAVE|ANTREA|KINDNET|IP-MASQ|AWS)/, 'cni'],
  [/^ufw6?-/, 'ufw'],
  [/^(DOCKER|docker)/, 'docker'],
  [/^(ISTIO|PROXY_INIT|LINKERD)/, 'mesh'],
  [/^(FORWARD|INPUT|OUTPUT|PREROUTING|POSTROUTING)_(direct|ZONES|POLICIES)/, 'firewalld'],
  [/^(FWD|FWDI|FWDO|IN|POST|PRE)_[A-Za-z]+(_|$)/, 'firewalld'],
  [/^filter_(FORWARD|INPUT|OUTPUT|FWD|IN)/, 'firewalld'],
]

const TABLES: readonly (readonly [RegExp, RuleOwner])[] = [
  [/^firewalld/, 'firewalld'],
  [/^kube-proxy/, 'kube-proxy'],
  [/^(kube-network-policies|kindnet-network-policies|calico)/, 'policy'],
]

/** The owner by table and chain; `admin` when nobody we know claims the name. */
export function ruleOwner(table: string | undefined, chain: string | undefined): RuleOwner {
  for (const [pattern, owner] of TABLES) if (table !== undefined && pattern.test(table)) return owner
  for (const [pattern, owner] of CHAINS) if (chain !== undefined && pattern.test(chain)) return owner
  return 'admin'
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
