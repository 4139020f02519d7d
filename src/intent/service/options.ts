/** How a node's kube-proxy was configured, as far as its rules show it. */
export interface ProxyOptions {
  /** The node's own addresses (Node.status.addresses, InternalIP), both families. */
  readonly nodeIPs: readonly string[]
  /** Local traffic detector by cluster CIDR (`--cluster-cidr`); a family without one gets no masquerade by source. */
  readonly clusterCIDRs: readonly string[]
  /** Service CIDRs; nftables mode drops packets to their unallocated addresses. */
  readonly serviceCIDRs: readonly string[]
  readonly masqueradeAll?: boolean
  /** `--iptables-localhost-nodeports`, default true; IPv4 and iptables mode only. */
  readonly localhostNodePorts?: boolean
  /** True when the kernel's nf_conntrack_tcp_be_liberal is 1: packets of state INVALID are then not dropped. */
  readonly conntrackLiberal?: boolean
  /** Addresses that serve node ports; absent: the mode's default (iptables all local ones, nftables the node's primary one). */
  readonly nodePortAddresses?: readonly string[]
}

/** The packet mark that asks for masquerade (`--iptables-masquerade-bit 14`). */
export const MASQUERADE_MARK = '0x4000'

/** The first of `texts` (addresses or prefixes) that belongs to the family. */
export function ofFamily(texts: readonly string[], family: 4 | 6): string | undefined {
  return texts.find((t) => t.includes(':') === (family === 6))
}
