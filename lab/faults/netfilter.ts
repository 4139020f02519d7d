/** Faults of the packet filter: firewalls, masquerade, kube-proxy's rules. */
import { FULL, nodeIP, POD_CIDR, podCIDR, UPSTREAM_DNS } from '../plan.ts'
import { each, type Fault, iptables, node } from './fault.ts'

const FLANNEL = ['flannel', 'hostgw'] as const

export const NETFILTER_FAULTS: readonly Fault[] = [
  {
    name: 'forward-policy-drop',
    title: "node3's FORWARD policy is DROP (docker) and flannel's accept rules are gone",
    code: 'forward-policy-drop',
    topologies: FLANNEL,
    example: ['pod/tools/client', 'pod/shop/web-2:8080'],
    inject: (h) =>
      h.machine(
        'node3',
        each(h, (f) => `${iptables(h, f)} -F FLANNEL-FWD\n${iptables(h, f)} -P FORWARD DROP`),
      ),
  },
  {
    name: 'host-firewall-reject',
    title: "firewalld's catch-all reject stands before the CNI's accept rules on node2",
    code: 'host-firewall-reject',
    example: ['pod/tools/client', 'pod/shop/web-2:8080'],
    inject: (h) =>
      h.machine(
        'node2',
        each(
          h,
          (f) => `${iptables(h, f)} -I FORWARD 1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
${iptables(h, f)} -I FORWARD 2 -j REJECT --reject-with ${f === 4 ? 'icmp-host-prohibited' : 'icmp6-adm-prohibited'}`,
        ),
      ),
  },
  {
    name: 'host-firewall-drop',
    title: 'ufw on node2 drops new connections that pods make to the outside',
    code: 'host-firewall-drop',
    example: ['pod/tools/client', '203.0.113.10:80'],
    inject: (h) =>
      h.machine(
        'node2',
        each(
          h,
          (f) => `${iptables(h, f)} -N ufw-reject-forward
${iptables(h, f)} -A ufw-reject-forward -s ${POD_CIDR[f]} -o eth0 -m conntrack --ctstate NEW -j DROP
${iptables(h, f)} -I FORWARD 1 -j ufw-reject-forward`,
        ),
      ),
  },
  {
    name: 'apiserver-host-firewall',
    title: "the control plane's own firewall refuses pods on port 6443",
    code: 'apiserver-host-firewall',
    example: ['pod/tools/client', 'svc/default/kubernetes:443'],
    inject: (h) =>
      h.machine(
        'node1',
        each(h, (f) =>
          // The node masquerades pods that leave for node1's own address, so both sources are named.
          [POD_CIDR[f], nodeIP(node(2), f), nodeIP(node(3), f)]
            .map((s) => `${iptables(h, f)} -I INPUT 1 -s ${s} -p tcp --dport 6443 -j DROP`)
            .join('\n'),
        ),
      ),
  },
  {
    name: 'tunnel-blocked',
    title: "node3's firewall drops VXLAN",
    code: 'tunnel-blocked',
    topologies: ['flannel', 'calico'],
    example: ['pod/tools/client', 'pod/shop/web-2:8080'],
    inject: (h) =>
      h.machine(
        'node3',
        each(
          h,
          (f) => `${iptables(h, f)} -I INPUT 1 -p udp --dport ${h.options.topology === 'calico' ? 4789 : 8472} -j DROP`,
        ),
      ),
  },
  {
    name: 'masquerade-missing',
    title: "flannel's masquerade rules on node2 are gone: pods reach the outside with an address nobody knows",
    code: 'masquerade-missing',
    topologies: FLANNEL,
    example: ['pod/tools/client', '203.0.113.10:80'],
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `${iptables(h, f)} -t nat -F FLANNEL-POSTRTG`),
      ),
  },
  {
    name: 'kube-proxy-rules-missing',
    title: "kube-proxy's service rules on node2 were flushed",
    code: 'kube-proxy-rules-missing',
    example: ['pod/tools/client', 'svc/shop/web:80'],
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) =>
          h.options.proxy === 'nftables'
            ? `nft flush chain ${f === 4 ? 'ip' : 'ip6'} kube-proxy services`
            : `${iptables(h, f)} -t nat -F KUBE-SERVICES`,
        ),
      ),
  },
  {
    name: 'dns-upstream-unreachable',
    title: 'the upstream resolver is gone: names outside the cluster do not resolve',
    code: 'dns-upstream-unreachable',
    example: ['pod/kube-system/coredns-1', '203.0.113.53:53'],
    inject: (h) =>
      h.machine(
        'outside',
        each(h, (f) => `ip addr del ${UPSTREAM_DNS[f]}/${FULL[f]} dev lo`),
      ),
  },
  {
    name: 'notrack',
    title: 'a raw rule on node2 keeps Service traffic out of connection tracking, and so out of NAT',
    code: 'notrack',
    example: ['pod/tools/client', 'svc/shop/web:80'],
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `${iptables(h, f)} -t raw -A PREROUTING -s ${podCIDR(node(2), f)} -p tcp -j CT --notrack`),
      ),
  },
]
