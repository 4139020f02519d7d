/** Which files make up each piece of knowledge about a netns, and what cannot be decided without it. */
import type { NetnsArtefact } from '../model/network.ts'

export interface Need {
  readonly artefact: NetnsArtefact
  /** In words, for people. */
  readonly what: string
  readonly files: readonly string[]
  readonly consequence: string
  /** Not collected in pods, where it matters only when the pod has a bridge or VXLAN of its own. */
  readonly hostOnly?: boolean
}

export const NEEDS: readonly Need[] = [
  {
    artefact: 'links',
    what: 'links and addresses',
    files: ['ip-link.json', 'ip-addr.json'],
    consequence: 'no packet can be followed through here',
  },
  {
    artefact: 'routes',
    what: 'routes',
    files: ['ip-route.json', 'ip6-route.json'],
    consequence: 'where packets go from here is not known',
  },
  {
    artefact: 'routing-rules',
    what: 'routing rules',
    files: ['ip-rule.json', 'ip6-rule.json'],
    consequence: 'which routing table decides is not known',
  },
  {
    artefact: 'neighbours',
    what: 'neighbours',
    files: ['ip-neigh.json'],
    consequence: 'whether next hops answer is not known',
  },
  {
    artefact: 'fdb',
    what: 'forwarding entries',
    files: ['bridge-fdb.json'],
    consequence: 'which bridge port or VXLAN peer a frame goes to is not known',
    hostOnly: true,
  },
  {
    artefact: 'bridge-links',
    what: 'bridge ports',
    files: ['bridge-link.json'],
    consequence: 'state, hairpin and isolation of bridge ports are known only as far as ip link tells',
    hostOnly: true,
  },
  {
    artefact: 'bridge-vlans',
    what: 'bridge VLANs',
    files: ['bridge-vlan.json'],
    consequence: 'VLAN filtering of bridges cannot be judged',
    hostOnly: true,
  },
  {
    artefact: 'iptables',
    what: 'iptables rules',
    files: ['iptables-save.txt', 'ip6tables-save.txt'],
    consequence: 'rules that drop or rewrite packets here may be unknown',
  },
  {
    artefact: 'iptables-legacy',
    what: 'iptables-legacy rules',
    files: ['iptables-legacy-save.txt', 'ip6tables-legacy-save.txt'],
    consequence: 'rules of the legacy back end may drop or rewrite packets here',
  },
  {
    artefact: 'nft',
    what: 'nftables rules',
    files: ['nft-ruleset.txt'],
    consequence: 'nftables rules may drop or rewrite packets here',
  },
  {
    artefact: 'ipsets',
    what: 'ipsets',
    files: ['ipset-save.txt'],
    consequence: 'rules that match sets cannot be decided',
  },
  { artefact: 'ipvs', what: 'IPVS services', files: ['ipvsadm.txt'], consequence: 'IPVS may take packets over here' },
  {
    artefact: 'conntrack',
    what: 'connections',
    files: ['conntrack.txt'],
    consequence: 'connections that exist already, and clashes with them, are not known',
  },
  {
    artefact: 'sysctls',
    what: 'sysctls',
    files: ['sysctl.txt'],
    consequence: 'forwarding, rp_filter and their like are not known',
  },
  {
    artefact: 'sockets',
    what: 'sockets',
    files: ['ss.txt'],
    consequence: 'whether anything listens here is not known',
  },
  {
    artefact: 'tc',
    what: 'traffic control',
    files: ['tc-qdisc.json', 'tc-filter.txt'],
    consequence: 'shaping and filters of traffic control are not known',
  },
  {
    artefact: 'resolv-conf',
    what: 'resolver configuration',
    files: ['resolv.conf'],
    consequence: 'which name servers are asked from here is not known',
  },
  {
    artefact: 'counters',
    what: 'kernel counters',
    files: ['nstat.txt'],
    consequence: 'drops that only counters show are not seen',
  },
]

/** Files that hold the same knowledge in another form, tried when the first is not whole. */
export const SUBSTITUTES: Readonly<Record<string, string>> = {
  'nft-ruleset.txt': 'nft-ruleset.json',
  'ipvsadm.txt': 'proc-ip_vs.txt',
  'nstat.txt': 'proc-net-counters.txt',
}
