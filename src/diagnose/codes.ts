/**
 * Every finding code (CODES are API: none is ever renamed): what it means, what proves it, what cures it. `docs/codes.md`
 * is made from this table by `scripts/codes.mjs`; checks can only report codes that are in it.
 */

export interface CodePage {
  readonly area: string
  readonly meaning: string
  readonly proof: string
  readonly remedy: string
}

/** The codes that checks report now. */
export const CODES = {
  'node-address-wrong': {
    area: 'node',
    meaning:
      'The address a Node object registers is not the one that carries its traffic: packets for the node or its pods end at another machine or nowhere.',
    proof: "The node's status.addresses, the addresses of its links, and the trace that ends at the wrong holder.",
    remedy: 'Give kubelet the right --node-ip and let the CNI re-detect its address.',
  },
  'node-address-duplicate': {
    area: 'node',
    meaning: "Two machines answer for one node's address; whoever answered last gets the traffic.",
    proof: "A neighbour entry for the node's address with a MAC the node does not have.",
    remedy: 'Find the machine with that MAC, take the address from it, flush the entry.',
  },
  'node-unreachable': {
    area: 'node',
    meaning: 'The underlay gives no path to a node.',
    proof: "A route lookup for the node's address, and the neighbour or probe that fails.",
    remedy: 'Repair the network between the two nodes.',
  },
  'node-not-ready': {
    area: 'node',
    meaning:
      'kubelet of a node does not report, or reports that the machine cannot run pods; the cause lies with kubelet, the runtime or the machine.',
    proof: "The Node's condition Ready with its reason and message.",
    remedy: 'Look at kubelet and the machine: the message says which.',
  },
  'apiserver-unreachable': {
    area: 'node',
    meaning: 'A component of a node does not reach the API server: what it knows of pods and Services stays as it was.',
    proof: 'Lines of its log that say so, and how: refused, timed out or no route.',
    remedy:
      'Make the way from that node to the API server work again; netwhy why node/NODE svc/default/kubernetes shows where it ends.',
  },
  'apiserver-endpoint-stale': {
    area: 'node',
    meaning: 'Service default/kubernetes points at an address where no API server is any more.',
    proof: 'The endpoint of default/kubernetes next to the addresses of the control plane.',
    remedy: 'Remove the stale address; correct --advertise-address.',
  },
  'apiserver-host-firewall': {
    area: 'node',
    meaning: "The control plane's own firewall refuses connections of pods or nodes to the API server.",
    proof: 'The rule on the control plane that drops or rejects the packet.',
    remedy: "Admit the pod and node ranges on the API server's port.",
  },
  'host-firewall-drop': {
    area: 'node',
    meaning:
      'A rule of firewalld, ufw or another host firewall, which no Kubernetes object asks for, drops the packet.',
    proof: 'The rule, with file and line.',
    remedy: 'Admit the pod range in that firewall, or take the rule away and correct what installs it.',
  },
  'host-firewall-reject': {
    area: 'node',
    meaning: 'As host-firewall-drop, but the sender is told: an ICMP error or a TCP reset.',
    proof: 'The rejecting rule, with file and line.',
    remedy: 'Admit the pod range in that firewall, or take the rule away and correct what installs it.',
  },
  'underlay-drop': {
    area: 'node',
    meaning:
      'The packet leaves one node and never reaches the next: security group, anti-spoofing, switch or perimeter firewall.',
    proof: "With --prove: nothing sent was answered although the nodes' own state lets it through.",
    remedy: 'Open the path between the nodes (protocol and port are named).',
  },
  'cni-config-missing': {
    area: 'CNI',
    meaning:
      'The container runtime of a node has no network configuration. Before a network plugin is installed that is a step on the way, not a fault.',
    proof: "The Node's condition (cni plugin not initialized) and the empty folder /etc/cni/net.d.",
    remedy: 'Install the network plugin, or restart its agent on that node.',
  },
  'cni-config-invalid': {
    area: 'CNI',
    meaning:
      'The first configuration file by name in /etc/cni/net.d is broken, and the container runtime takes no other.',
    proof: 'The file, and why it cannot be read.',
    remedy: 'Correct the file or move it out of the folder.',
  },
  'cni-config-conflict': {
    area: 'CNI',
    meaning:
      'The runtime uses a configuration of another network plugin than the one whose agent runs here, because its file name comes first.',
    proof: "Both files, and the agent's pod.",
    remedy: 'Move the file that is left over out of the folder, create the pods anew.',
  },
  'cni-plugin-missing': {
    area: 'CNI',
    meaning: 'The CNI configuration names a program that is not in the plugin folder: new pods get no network.',
    proof: "The runtime's error text, the configuration, the listing of the folder.",
    remedy: 'Install the plugin on that node.',
  },
  'sandbox-creation-failed': {
    area: 'CNI',
    meaning:
      'The network plugin fails when a pod is created, for a cause that no other code names; the error text is quoted.',
    proof: 'The event FailedCreatePodSandBox of a pod that still waits.',
    remedy: 'What the text asks for: the agent running, valid credentials, the API server in reach.',
  },
  'pod-cidr-missing': {
    area: 'CNI',
    meaning: 'A node has no pod CIDR, so nobody has a route to its pods.',
    proof: 'The Node object without spec.podCIDR and the missing routes.',
    remedy: "Give the node a pod CIDR (controller-manager --allocate-node-cidrs, or the CNI's own IPAM).",
  },
  'pod-cidr-duplicate': {
    area: 'CNI',
    meaning: 'Two Nodes have overlapping pod ranges.',
    proof: 'Both Node objects.',
    remedy: 'Join one of them anew, so that it gets a range of its own.',
  },
  'ipam-exhausted': {
    area: 'CNI',
    meaning:
      'There is no free address for another pod: range, subnet or interfaces of the node are used up, or reservations were never given back.',
    proof: "The IPAM's error text for a pod that waits, or the reservations of the node.",
    remedy: 'Remove reservations of pods that are gone; otherwise bigger ranges or fewer pods per node.',
  },
  'pod-address-duplicate': {
    area: 'CNI',
    meaning: 'Two pods or links hold one address.',
    proof: 'Both links with the address, and the neighbour entry that picks the wrong one.',
    remedy: "Delete the pod that has the address wrongly; look at the IPAM's records.",
  },
  'pod-address-wrong': {
    area: 'CNI',
    meaning: "A pod's link has an address that is not of its node's range, or not the one the API knows.",
    proof: "The address on the link, the Node's range, the pod object.",
    remedy: 'Correct the subnet in the CNI configuration, create the pod anew.',
  },
  'hostport-not-programmed': {
    area: 'CNI',
    meaning: 'A pod asks for a hostPort and the node has no rule that forwards it.',
    proof: "The pod's hostPort next to the node's nat rules.",
    remedy: 'Chain the portmap plugin in the CNI configuration, create the pod anew.',
  },
  'policy-not-enforced': {
    area: 'CNI',
    meaning:
      'NetworkPolicies exist and nothing here enforces them: the network plugin cannot, and no policy engine is installed.',
    proof: 'The policies, the CNI configuration, and nodes whose rules hold nothing of a policy engine.',
    remedy:
      'Install a policy engine (kube-network-policies, Calico for policy), or take the policies as what they are: without effect.',
  },
  'link-down': {
    area: 'pod',
    meaning: "A link on the path is down, in the pod or on the node's side of its veth.",
    proof: "The link's state in `ip link`.",
    remedy: 'Set it up again, or create the pod anew.',
  },
  'link-missing': {
    area: 'pod',
    meaning:
      'A link on the path does not exist: the veth pair of a pod has gone, a VLAN link is missing, or a dummy stands in its place.',
    proof: 'The list of links without it, or the dummy link.',
    remedy: 'Create the pod anew; on a node, restart the CNI agent.',
  },
  'pod-route-missing': {
    area: 'pod',
    meaning: 'The pod itself has no route to the address, usually no default route.',
    proof: "The pod's own routing table.",
    remedy: 'Create the pod anew; look for a container that changes routes.',
  },
  'pod-route-wrong': {
    area: 'pod',
    meaning: "The pod's route leads to a gateway or link that does not take it on.",
    proof: "The pod's route and who holds, or does not hold, the gateway's address.",
    remedy: 'Create the pod anew; look for a container or second network that changes routes.',
  },
  'pod-firewall-drop': {
    area: 'pod',
    meaning: "A rule inside the pod's own namespace drops the packet.",
    proof: 'The rule, with file and line.',
    remedy: 'Correct the container (init container, mesh, VPN) that installs it.',
  },
  'macvlan-isolation': {
    area: 'pod',
    meaning: 'A macvlan or ipvlan pod talks to its own node, which these drivers do not carry.',
    proof: "The pod's link of that kind with the node's link as parent.",
    remedy: 'Give the node a macvlan link of its own on the same parent, or use a bridge.',
  },
  'bridge-port-missing': {
    area: 'bridge',
    meaning: "The node's side of a veth is in no bridge, or not in the one its neighbours use.",
    proof: "`ip link` with the link's master.",
    remedy: 'Attach it to the bridge, or create the pod anew.',
  },
  'bridge-down': {
    area: 'bridge',
    meaning: 'The bridge itself is down.',
    proof: "The bridge's state in `ip link`.",
    remedy: 'Set it up, and find out what set it down.',
  },
  'bridge-address-wrong': {
    area: 'bridge',
    meaning:
      "The bridge of the pods has an address outside the node's pod range, from an earlier life of the node: no new pod can be connected.",
    proof: "The bridge's address next to Node.spec.podCIDR and /run/flannel/subnet.env.",
    remedy: 'Delete the bridge; it is made anew with the next pod. Pods on it must be created anew.',
  },
  'bridge-netfilter-off': {
    area: 'bridge',
    meaning: 'Bridged packets bypass iptables, so replies of an endpoint on the same node are not translated back.',
    proof: 'net.bridge.bridge-nf-call-iptables is 0 or absent.',
    remedy: 'Load br_netfilter and set the sysctl to 1, also in /etc/sysctl.d.',
  },
  'hairpin-off': {
    area: 'bridge',
    meaning:
      'A bridge does not send a packet back out of the port it came in by, so a pod cannot reach itself through a Service.',
    proof: "`hairpin off` on the pod's bridge port.",
    remedy: 'Set hairpinMode in the CNI configuration, or hairpin on the port.',
  },
  'route-missing': {
    area: 'routing',
    meaning:
      'A node has no route to the destination; `where` says which node and whether the request or the reply needs it.',
    proof: "The node's routing table without the route, and the pod CIDR that wants it.",
    remedy: "Restart the node's routing agent, or add the route it should have made (the command is given).",
  },
  'route-wrong-next-hop': {
    area: 'routing',
    meaning: 'A route names a next hop that is not the node that holds the pods.',
    proof: 'The route and the Node object that owns the pod CIDR.',
    remedy: "Replace the route's next hop.",
  },
  'route-shadowed': {
    area: 'routing',
    meaning: 'A more specific or preferred route leads the packet elsewhere than the right one.',
    proof: 'Both routes.',
    remedy: 'Remove or narrow the one that shadows.',
  },
  'route-blackhole': {
    area: 'routing',
    meaning: 'A blackhole, unreachable or prohibit route discards the packet.',
    proof: 'The route.',
    remedy: 'Remove it, and find out what added it.',
  },
  'routing-rule-wrong': {
    area: 'routing',
    meaning: 'An `ip rule` steers the packet into a table that leads elsewhere.',
    proof: "The rule and the table's route.",
    remedy: 'Correct or remove the rule, or give it a lower priority.',
  },
  'underlay-route-missing': {
    area: 'routing',
    meaning: "A node, or a router between the nodes, has no route to another node's own address.",
    proof: "The node's routing table; or the router the packets leave by, and probes that get no answer (a warning).",
    remedy: 'Correct the routes of the node, or those of the router or cloud.',
  },
  'tunnel-down': {
    area: 'overlay',
    meaning: 'The tunnel device is down, and the routes over it are gone.',
    proof: "The device's state in `ip link`.",
    remedy: "Set it up, then restart the CNI's node agent so that it restores the routes.",
  },
  'tunnel-missing': {
    area: 'overlay',
    meaning: 'The tunnel device does not exist on this node.',
    proof: 'The links of this node next to those of its peers.',
    remedy: "Restart the CNI's node agent; look why it could not make the device.",
  },
  'tunnel-source-wrong': {
    area: 'overlay',
    meaning: 'The tunnel sends from an address its peers do not expect.',
    proof: "The device's local address and the Node's address.",
    remedy: 'Correct the address the CNI chose (flannel --iface, Calico IP_AUTODETECTION_METHOD).',
  },
  'tunnel-port-mismatch': {
    area: 'overlay',
    meaning: 'Two nodes use different UDP ports for the tunnel.',
    proof: "Both devices' ports.",
    remedy: 'Give all nodes the same port.',
  },
  'tunnel-vni-mismatch': {
    area: 'overlay',
    meaning: 'Two nodes use different network identifiers for the tunnel.',
    proof: "Both devices' identifiers.",
    remedy: 'Give all nodes the same identifier.',
  },
  'vtep-mac-mismatch': {
    area: 'overlay',
    meaning: "A node's tunnel device has another MAC than its peers believe, so the inner packet is not for it.",
    proof: "The peer's entry and the device's MAC.",
    remedy: "Restart the CNI's node agent on the peers, so that they learn the new MAC.",
  },
  'fdb-missing': {
    area: 'overlay',
    meaning: 'The tunnel has no forwarding entry for the other node: it does not know which machine to send to.',
    proof: 'The FDB of the tunnel device without the entry.',
    remedy: "Add the entry (the command is given), or restart the CNI's node agent.",
  },
  'fdb-wrong': {
    area: 'overlay',
    meaning: "The tunnel's forwarding entry names a machine that is not the right node.",
    proof: "The FDB entry and the Node's address.",
    remedy: "Replace the entry, or restart the CNI's node agent.",
  },
  'tunnel-blocked': {
    area: 'overlay',
    meaning: "A named rule drops the tunnel's outer packets.",
    proof: 'The rule, with file and line.',
    remedy: "Admit the tunnel's protocol and port between the nodes.",
  },
  'bgp-not-established': {
    area: 'overlay',
    meaning: 'Routes that BGP should bring are not there.',
    proof: "No route of the routing daemon for the peer's block.",
    remedy: 'Look at the BGP sessions; open TCP 179 between the nodes.',
  },
  'path-mtu-too-small': {
    area: 'MTU',
    meaning:
      'The path carries smaller packets than the configured MTU promises: small packets pass, large ones vanish.',
    proof: 'With --prove: echoes of one size pass, of another do not.',
    remedy: "Lower the pods' MTU, or raise the path's.",
  },
  'pmtu-blackhole': {
    area: 'MTU',
    meaning: 'Packets too big for the path outside are dropped and nobody tells the sender.',
    proof: 'With --prove: large packets with DF are lost without an ICMP error.',
    remedy: 'Admit ICMP "fragmentation needed" on the path, lower the MTU, or clamp the MSS.',
  },
  'neighbour-unreachable': {
    area: 'neighbour',
    meaning: "Nobody answers for the next hop's address.",
    proof: 'The neighbour entry that failed, or the lack of anyone who holds the address.',
    remedy: 'Look at the machine that should answer; restore the permanent entry of a tunnel.',
  },
  'neighbour-wrong': {
    area: 'neighbour',
    meaning: "The neighbour table maps an address to a MAC that is not its holder's.",
    proof: "The entry and the holder's link.",
    remedy: 'Delete the entry.',
  },
  'proxy-arp-off': {
    area: 'neighbour',
    meaning: 'The node does not answer for the gateway address its pods use (169.254.1.1 of Calico).',
    proof: "proxy_arp of the pod's host link.",
    remedy: 'Set it to 1, or restart calico-node.',
  },
  'forward-drop': {
    area: 'netfilter',
    meaning: 'A rule of nobody known to netwhy drops forwarded packets.',
    proof: 'The rule, with file and line.',
    remedy: 'Remove the rule, and correct what installs it.',
  },
  'forward-policy-drop': {
    area: 'netfilter',
    meaning: "Chain FORWARD drops by its policy and the CNI's accept rules are not before it.",
    proof: 'The chain policy and the rules passed.',
    remedy: "Restart the CNI's node agent, or accept the pod range.",
  },
  'nft-chain-drop': {
    area: 'netfilter',
    meaning: 'An nftables base chain beside the ones of iptables drops the packet; an accept elsewhere does not help.',
    proof: 'The chain, its hook and priority, and the rule or policy.',
    remedy: 'Accept the pod range in that chain, or remove it.',
  },
  'raw-drop': {
    area: 'netfilter',
    meaning: 'A rule in table raw drops the packet before everything else.',
    proof: 'The rule, with file and line.',
    remedy: 'Remove the rule, and correct what installs it.',
  },
  'output-drop': {
    area: 'netfilter',
    meaning: 'A rule or policy of OUTPUT drops what the machine itself sends.',
    proof: 'The rule or chain policy.',
    remedy: 'Remove the rule, and correct what installs it.',
  },
  'input-drop': {
    area: 'netfilter',
    meaning: 'A rule or policy of INPUT drops what is meant for the machine itself.',
    proof: 'The rule or chain policy.',
    remedy: 'Remove the rule, and correct what installs it.',
  },
  'backend-mixed': {
    area: 'netfilter',
    meaning: 'Rules in both iptables-legacy and iptables-nft disagree.',
    proof: 'The saved rules of both.',
    remedy: 'Use one back end for all (kube-proxy, CNI, host), flush the other.',
  },
  'service-no-endpoints': {
    area: 'service',
    meaning: "The Service's selector matches no pod, or nobody entered endpoints for it.",
    proof: 'The selector and the labels of the pods.',
    remedy: 'Correct the selector or the labels.',
  },
  'service-endpoints-not-ready': {
    area: 'service',
    meaning: 'The Service selects pods, and none is Ready.',
    proof: "The pods' Ready conditions and the EndpointSlice.",
    remedy: 'Find out why they are not Ready.',
  },
  'service-selector-too-broad': {
    area: 'service',
    meaning: 'The selector also picks pods of something else, where nobody listens.',
    proof: 'The endpoint that does not listen and its labels.',
    remedy: 'Narrow the selector.',
  },
  'service-target-port-wrong': {
    area: 'service',
    meaning: 'The Service sends to a port where nothing listens.',
    proof: "targetPort next to the pod's listening sockets.",
    remedy: 'Set targetPort to the port the pod listens on.',
  },
  'service-target-port-name-missing': {
    area: 'service',
    meaning: "targetPort is a name that no selected pod's ports have.",
    proof: 'targetPort and the container ports.',
    remedy: 'Name the container port so, or correct targetPort.',
  },
  'service-port-missing': {
    area: 'service',
    meaning: 'The Service does not publish the port asked for.',
    proof: "The Service's ports.",
    remedy: 'Use a published port, or publish this one.',
  },
  'service-headless-port': {
    area: 'service',
    meaning: "A headless Service does not translate ports: the port must be the pod's own.",
    proof: "clusterIP None and the pods' listening ports.",
    remedy: "Connect to the pod's port.",
  },
  'service-answers-no-ping': {
    area: 'service',
    meaning: 'ClusterIPs answer only on published ports; ICMP is not one. Not a fault.',
    proof: 'The Service and the protocol asked for.',
    remedy: "Ask with the Service's protocol and port.",
  },
  'traffic-policy-no-local-endpoint': {
    area: 'service',
    meaning: 'internalTrafficPolicy or externalTrafficPolicy is Local and this node has no ready endpoint.',
    proof: 'The policy and the endpoints by node.',
    remedy: 'Run an endpoint on the node, choose another node, or set the policy to Cluster.',
  },
  'service-topology-mismatch': {
    area: 'service',
    meaning:
      "The node's name or zone as kube-proxy has it differs from what the endpoints say, so none counts as local.",
    proof: 'The names in the EndpointSlice and of the Node.',
    remedy: 'Give kube-proxy the right --hostname-override.',
  },
  'kube-proxy-not-running': {
    area: 'service',
    meaning: 'The node has no rules of kube-proxy at all.',
    proof: 'The saved rules without any Service chain.',
    remedy: 'Start kube-proxy on the node; read its log.',
  },
  'kube-proxy-rules-missing': {
    area: 'service',
    meaning: 'kube-proxy programmed this node, but not this Service.',
    proof: 'The expected rules next to the saved ones.',
    remedy: 'Restart kube-proxy on the node; read its log.',
  },
  'kube-proxy-rules-stale': {
    area: 'service',
    meaning: 'The rules send to an address that is no endpoint any more.',
    proof: 'The rule and the EndpointSlice.',
    remedy: 'Restart kube-proxy on the node; see whether it reaches the API server.',
  },
  'kube-proxy-slow': {
    area: 'service',
    meaning: 'kube-proxy follows, but writing its rules takes it many seconds: changes reach the node late.',
    proof: "kube-proxy's own log lines with the time each sync took.",
    remedy: 'Move to nftables mode, or raise minSyncPeriod; look for others that hold the xtables lock.',
  },
  'ipvs-virtual-server-missing': {
    area: 'IPVS',
    meaning: 'The node uses IPVS for Services, but has no virtual server for this one, or does not hold its address.',
    proof: 'The list of virtual servers and the addresses of kube-ipvs0 next to the Service.',
    remedy: 'Restart kube-proxy on the node; read its log.',
  },
  'conntrack-stale': {
    area: 'conntrack, NAT',
    meaning: 'An old conntrack entry sends the connection to an address that is gone.',
    proof: 'The conntrack entry and the EndpointSlice.',
    remedy: 'Delete the entry (the command is given).',
  },
  'conntrack-invalid-drop': {
    area: 'conntrack, NAT',
    meaning: 'A rule drops what conntrack calls invalid, because it saw only one direction.',
    proof: 'The rule, and the path that avoids the node in one direction.',
    remedy: 'Make the path symmetric, or take the rule away.',
  },
  'masquerade-missing': {
    area: 'conntrack, NAT',
    meaning: "Pod packets leave the cluster with the pod's address, which nobody outside can answer.",
    proof: "The packet's source as it leaves and the nat rules that do not match.",
    remedy: "Restore the CNI's or the ip-masq-agent's rule.",
  },
  notrack: {
    area: 'conntrack, NAT',
    meaning: 'A raw rule keeps the packets out of connection tracking, and so out of NAT.',
    proof: 'The rule, with file and line.',
    remedy: 'Take the rule away, or narrow it.',
  },
  'policy-denies-ingress': {
    area: 'policy',
    meaning: 'The destination is isolated for ingress by a NetworkPolicy and no rule admits this peer and port.',
    proof: 'The policies that select the pod, and the rule that enforces them.',
    remedy: 'If the connection is wanted, admit it in ingress.',
  },
  'policy-denies-egress': {
    area: 'policy',
    meaning: 'The source is isolated for egress and no rule admits this peer and port.',
    proof: 'The policies that select the pod, and the rule that enforces them.',
    remedy: 'If the connection is wanted, admit it in egress.',
  },
  'policy-denies-dns': {
    area: 'policy',
    meaning: 'The source is isolated for egress and nobody thought of port 53.',
    proof: 'The policies that select the pod, and the rule that enforces them.',
    remedy: 'Admit UDP and TCP 53 to the cluster DNS.',
  },
  'policy-uses-service-port': {
    area: 'policy',
    meaning: "A policy names the Service's port; policies see the pod's port.",
    proof: 'The policy, the Service and its targetPort.',
    remedy: "Write the pod's port, or the container port's name.",
  },
  'policy-label-missing': {
    area: 'policy',
    meaning: 'A policy admits a namespace label that no namespace has.',
    proof: "The policy and the namespaces' labels.",
    remedy: 'Use kubernetes.io/metadata.name, or label the namespace.',
  },
  'policy-ipblock-nat': {
    area: 'policy',
    meaning: "A policy admits the client's address, but a node translated it before the policy saw it.",
    proof: 'The address before and after translation.',
    remedy: 'externalTrafficPolicy Local keeps the address; or admit the nodes.',
  },
  'policy-enforcer-disagrees': {
    area: 'policy',
    meaning:
      'A rule of the policy engine drops what the policies allow (error), or its rules let through what they deny (warning).',
    proof: 'The rule, or the chains of the engine, and the decision of the objects.',
    remedy: 'Look at the policy agent and its own policy kinds; restart it.',
  },
  'dns-no-endpoints': {
    area: 'DNS',
    meaning: 'The cluster DNS has no ready endpoint.',
    proof: 'The Service kube-dns and its EndpointSlice.',
    remedy: 'Find out why CoreDNS is not Ready.',
  },
  'dns-nameserver-wrong': {
    area: 'DNS',
    meaning: "The pod's resolv.conf names a server that is not the cluster's DNS.",
    proof: "The pod's resolv.conf and the Service's address.",
    remedy: "Correct kubelet's clusterDNS, create the pod anew.",
  },
  'dns-upstream-unreachable': {
    area: 'DNS',
    meaning: 'CoreDNS cannot reach the resolver it forwards to, so outside names fail.',
    proof: 'The upstream, and the trace or probe that does not reach it.',
    remedy: "Correct the forward line of the Corefile or the node's resolv.conf; open the path.",
  },
  'ip-forward-off': {
    area: 'sysctl',
    meaning: 'IPv4 forwarding is off on a node.',
    proof: 'net.ipv4.ip_forward is 0.',
    remedy: 'Set it to 1, also in /etc/sysctl.d.',
  },
  'link-forwarding-off': {
    area: 'sysctl',
    meaning: 'Forwarding is off for what arrives by one link.',
    proof: 'net.ipv4.conf.LINK.forwarding is 0.',
    remedy: 'Set it to 1, and find out what resets it.',
  },
  'ipv6-forwarding-off': {
    area: 'sysctl',
    meaning: 'IPv6 forwarding is off on a node.',
    proof: 'net.ipv6.conf.all.forwarding is 0.',
    remedy: 'Set it to 1, also in /etc/sysctl.d.',
  },
  'ipv6-disabled': {
    area: 'sysctl',
    meaning: 'IPv6 is disabled on a link that should carry it.',
    proof: 'net.ipv6.conf.LINK.disable_ipv6 is 1.',
    remedy: 'Set it to 0, create the pod anew.',
  },
  'rp-filter-drop': {
    area: 'sysctl',
    meaning: 'The reverse path filter drops packets whose source would be answered by another link.',
    proof: 'rp_filter of the link and the route back.',
    remedy: 'Make the route symmetric, or set rp_filter to 2 (loose).',
  },
  'cidr-overlap-node': {
    area: 'CIDR',
    meaning: "The pod range covers addresses of the nodes' network.",
    proof: 'The overlapping route and address.',
    remedy: 'Choose ranges that do not overlap.',
  },
  'cidr-overlap-service': {
    area: 'CIDR',
    meaning: 'The Service range covers addresses of real machines, or of pods: kube-proxy takes their packets.',
    proof: "The Service range or the Service's address, next to the machine's.",
    remedy: 'Choose ranges that do not overlap.',
  },
  'cidr-overlap-external': {
    area: 'CIDR',
    meaning: "A range of the cluster, or docker's, covers an outside network that is needed.",
    proof: 'The local route that takes the outside address.',
    remedy: 'Choose ranges that do not overlap.',
  },
  'dad-failed': {
    area: 'dual-stack',
    meaning: 'An IPv6 address is a duplicate and the kernel does not use it.',
    proof: 'The address with flag dadfailed.',
    remedy: 'Remove the other holder, create the pod anew.',
  },
  'not-listening': {
    area: 'application',
    meaning: 'Nobody listens on that port of that address.',
    proof: 'The sockets of the destination.',
    remedy: 'Start the process, or correct the port.',
  },
  'listens-on-loopback': {
    area: 'application',
    meaning: 'The process listens on 127.0.0.1 or ::1 only.',
    proof: 'The socket.',
    remedy: 'Let it listen on 0.0.0.0 or ::.',
  },
  'listens-ipv4-only': {
    area: 'application',
    meaning: 'The process listens on one family, the connection comes in the other.',
    proof: 'The socket.',
    remedy: 'Let it listen on :: as well.',
  },
  'accept-queue-overflow': {
    area: 'application',
    meaning: 'The process does not accept fast enough; its queue is full.',
    proof: "The socket's queue next to its limit.",
    remedy: 'Find out what blocks the process; raise the backlog and net.core.somaxconn.',
  },
  'container-not-ready': {
    area: 'application',
    meaning: 'A pod runs and is not ready, so no Service sends to it; its probe or its container says why.',
    proof: "The condition Ready, the probe's error text, the container's state.",
    remedy: 'Mend what the probe says; refused, timeout and no route are three different faults.',
  },
  'bandwidth-limited': {
    area: 'timing',
    meaning: 'A queueing discipline limits the rate.',
    proof: 'The qdisc and its rate.',
    remedy: 'Raise kubernetes.io/ingress-bandwidth or egress-bandwidth, or remove them.',
  },
  'packet-loss': {
    area: 'timing',
    meaning: 'Part of the packets is lost.',
    proof: 'The rule or qdisc that drops a share, or with --prove the echoes that were not answered.',
    remedy: "Remove the rule; look at the link's error counters.",
  },
  'policy-peer-and-or': {
    area: 'policy',
    meaning:
      "A policy's namespaceSelector and podSelector are joined the other way than meant: in one list item both must match, as two items either does.",
    proof: "The policy's peer and the labels of the pod and namespace that match one half only.",
    remedy: 'Write the selectors as one item (and) or as two (or); the manifest is given.',
  },
  'dns-policy-not-cluster': {
    area: 'DNS',
    meaning:
      "The pod does not ask the cluster's DNS: dnsPolicy Default, or hostNetwork with dnsPolicy ClusterFirst, which acts as Default.",
    proof: "The pod's dnsPolicy and hostNetwork next to the name asked for.",
    remedy: 'Set dnsPolicy ClusterFirst (ClusterFirstWithHostNet with hostNetwork).',
  },
  'dns-name-wrong': {
    area: 'DNS',
    meaning:
      "The name means no Service as this pod's search list completes it, usually because the namespace is left out.",
    proof: "The name, the sender's namespace and the Service that has the name elsewhere.",
    remedy: 'Ask for SERVICE.NAMESPACE.',
  },
  'dns-loop': {
    area: 'DNS',
    meaning: "CoreDNS forwards to itself: its upstream is a loopback address or the cluster DNS's own.",
    proof: `The Corefile's forward line and the resolv.conf it reads, or CoreDNS's own "Loop detected".`,
    remedy: "Point kubelet's resolvConf at the real resolvers, or name them in the Corefile.",
  },
  'dns-search-wildcard': {
    area: 'DNS',
    meaning: 'A domain of the search list answers for every name, so outside names resolve to the wrong address.',
    proof: 'The search list and an answered query for an outside name with that domain appended.',
    remedy: 'Take the domain out of the list kubelet hands on, lower ndots, or remove the wildcard record.',
  },
  'dns-search-limit': {
    area: 'DNS',
    meaning: 'The search list or the list of name servers is longer than resolvers take; the rest is left out.',
    proof: "The event DNSConfigForming, or the pod's resolv.conf.",
    remedy: "Shorten dnsConfig.searches or the node's resolv.conf.",
  },
  'dns-ndots-amplification': {
    area: 'DNS',
    meaning: 'Each outside name is tried with every search domain first, which multiplies queries. Not a fault.',
    proof: "CoreDNS's query log with the names that do not exist.",
    remedy: 'End outside names with a dot, or set ndots 2 in dnsConfig.',
  },
  'dns-tcp-blocked': {
    area: 'DNS',
    meaning: 'DNS works over UDP only: large answers, which need TCP port 53, fail.',
    proof: 'The DNS Service without TCP 53, or the policy that admits UDP 53 alone.',
    remedy: 'Publish and admit TCP 53 as well.',
  },
  'dns-rbac': {
    area: 'DNS',
    meaning: 'CoreDNS may not list EndpointSlices, so it knows no Services.',
    proof: `The ClusterRole system:coredns, or CoreDNS's log "endpointslices is forbidden".`,
    remedy: 'Add the rule (the command is given).',
  },
  'dns-slow': {
    area: 'DNS',
    meaning: 'The cluster DNS answers, but takes long.',
    proof: "CoreDNS's own durations, or with --prove the time an answer took.",
    remedy: "Look at the upstream's latency, CPU limits of CoreDNS and the number of its pods.",
  },
  'lb-pending': {
    area: 'service',
    meaning: 'A Service of type LoadBalancer has no address: nobody gives one out, or none is left.',
    proof: 'status.loadBalancer is empty; the event AllocationFailed; no pod of a provider.',
    remedy: 'Install or correct a load balancer implementation (MetalLB, cloud controller), or use NodePort.',
  },
  'lb-hairpin': {
    area: 'service',
    meaning:
      'A client inside the cluster comes back to its own machine through the load balancer, where the connection fails.',
    proof: "The balancer keeps client addresses, or expects a PROXY header that kube-proxy's short cut does not send.",
    remedy: 'Use the ClusterIP inside, or stop keeping the client address.',
  },
  'dual-stack-backend-missing': {
    area: 'dual-stack',
    meaning: 'A dual-stack Service has endpoints in one family only.',
    proof: "The Service's addresses and its EndpointSlices by family.",
    remedy: 'Give the pods addresses of both families, or the Service one.',
  },
  'ingress-class-missing': {
    area: 'ingress',
    meaning: 'No controller takes the Ingress or Gateway up: it names no class, or one that does not exist.',
    proof: "The Ingress's class next to the IngressClasses, and its empty status.",
    remedy: 'Set ingressClassName (the command is given), or mark a class default.',
  },
  'ingress-backend-wrong': {
    area: 'ingress',
    meaning: 'An Ingress or route sends to a Service or port that does not exist.',
    proof: "The backend next to the Service's ports.",
    remedy: 'Correct name or port in the Ingress.',
  },
  'ingress-controller-down': {
    area: 'ingress',
    meaning: 'The controller of an IngressClass in use has no Ready pod.',
    proof: "The class's controller and its pods.",
    remedy: 'Find out why it is not Ready.',
  },
  'proxy-protocol-mismatch': {
    area: 'ingress',
    meaning: 'Load balancer and ingress controller disagree whether connections begin with a PROXY header.',
    proof: `The Service's annotation, the controller's ConfigMap, its log "broken header".`,
    remedy: 'Turn it on at both, or off at both.',
  },
  'webhook-unreachable': {
    area: 'ingress',
    meaning: 'The API server cannot reach an admission webhook whose failure refuses the request.',
    proof: "The webhook's Service, its endpoints and ports, and the path from the control plane.",
    remedy: 'Repair the Service or the path; as a way out set failurePolicy Ignore.',
  },
  'mesh-mtls-strict': {
    area: 'mesh',
    meaning:
      "The server's mesh accepts mutual TLS only and the client does not speak it: the connection opens and is reset.",
    proof: 'PeerAuthentication STRICT, the sidecar of the server, the client without one.',
    remedy: 'Put the client into the mesh, or allow plain text on that port.',
  },
  'mesh-protocol-wrong': {
    area: 'mesh',
    meaning: "The Service's port name or appProtocol makes the mesh speak the wrong protocol.",
    proof: "The port's name next to the container's, or the proxy's log.",
    remedy: 'Rename the port or set appProtocol.',
  },
  'mesh-redirect-no-proxy': {
    area: 'mesh',
    meaning: "The pod's rules send its traffic to a mesh proxy that does not run.",
    proof: "The redirect rule and the pod's sockets.",
    remedy: 'Find out why the proxy does not run, or create the pod anew.',
  },
  'rollout-race': {
    area: 'timing',
    meaning: 'Pods stop before everybody has stopped sending to them, so rollouts refuse connections.',
    proof: "Refused connections in the ingress log just after a pod's deletion; no preStop.",
    remedy: 'Add a preStop delay; the manifest is given.',
  },
  'connection-not-rebalanced': {
    area: 'timing',
    meaning: 'Long-lived connections stay where they were made: a new pod gets none.',
    proof: 'Established connections by endpoint.',
    remedy: 'Limit the age of connections, or balance requests in a proxy.',
  },
  'prediction-refuted': {
    area: 'netwhy itself',
    meaning:
      'Real packets did otherwise than the collected state says: answered where they should not be, or lost where nothing should lose them.',
    proof: "The probe's outcome, and where its packets were last seen.",
    remedy: 'Take a new snapshot; look at the place where the packets were last seen; report it if it stays.',
  },
  'tunnel-checksum-offload': {
    area: 'overlay',
    meaning:
      'The sender leaves checksums of tunnelled packets to a device that computes them wrongly; the receiver drops them.',
    proof: 'UdpInCsumErrors rising on a node with a tunnel, and the kernel release.',
    remedy: "Switch the tunnel device's checksum offload off (the command is given), or update the kernel.",
  },
  'mtu-mismatch': {
    area: 'MTU',
    meaning:
      'Configured sizes disagree: a pod sends larger packets than its node, its tunnel or the other nodes carry.',
    proof: 'The MTU of both links.',
    remedy: "Set one MTU in the CNI's configuration and create the pods anew.",
  },
  'neighbour-table-full': {
    area: 'neighbour',
    meaning: 'The neighbour table of a node is full; new next hops cannot be learned.',
    proof: 'gc_thresh3 next to the number of entries, "neighbor table overflow" in the kernel log, table_fulls.',
    remedy: 'Raise net.ipv4.neigh.default.gc_thresh1, 2 and 3.',
  },
  'lb-arp-conflict': {
    area: 'neighbour',
    meaning: 'Two machines answer for a load balancer address.',
    proof: 'Both links with the address, or two MACs for it in neighbour tables.',
    remedy: 'Let one machine answer: arp_ignore and arp_announce (strictARP), or take the address away from the other.',
  },
  'lb-not-announced': {
    area: 'neighbour',
    meaning: 'A load balancer address was given out, and nobody announces it.',
    proof: 'The address pool without an advertisement, or no speaker that may announce.',
    remedy: 'Add an L2Advertisement or BGPAdvertisement for the pool; let the speaker run.',
  },
  'arp-stale-outside': {
    area: 'neighbour',
    meaning: 'A machine outside still sends a load balancer address to the node that announced it before.',
    proof: 'Its neighbour entry next to the node that announces now.',
    remedy: 'Flush the entry; let the network accept gratuitous ARP.',
  },
  'rules-flushed': {
    area: 'netfilter',
    meaning: "Kubernetes' or the CNI's rules were flushed: their chains are empty, or nothing leads to them.",
    proof: 'The chain without rules or without a jump, next to the other nodes.',
    remedy: 'Restart kube-proxy or the CNI agent; find out what flushed (firewalld reload, iptables -F).',
  },
  'nodeport-blocked': {
    area: 'service',
    meaning: 'A rule before translation drops what is sent to node ports.',
    proof: 'The rule, with file and line, and the node port.',
    remedy: 'Admit the node port range in that rule.',
  },
  'nodeport-port-conflict': {
    area: 'service',
    meaning:
      'Two parties claim one port of a node: a Service, a hostPort, a process or a rule; traffic lands on the wrong one.',
    proof: 'Both claims.',
    remedy: 'Give one of them another port.',
  },
  'conntrack-full': {
    area: 'conntrack, NAT',
    meaning: 'The connection table of a node is full; new connections are dropped.',
    proof: 'nf_conntrack_count next to nf_conntrack_max, and "table full, dropping packet" in the kernel log.',
    remedy: 'Raise nf_conntrack_max; find the client that fills it.',
  },
  'conntrack-insert-race': {
    area: 'conntrack, NAT',
    meaning: 'Two packets of one UDP socket race for one conntrack entry, and one is lost: DNS lookups that take 5 s.',
    proof: 'insert_failed of conntrack -S, next to translated DNS connections.',
    remedy: 'Run a node-local DNS cache, or use-vc or single-request in resolv.conf.',
  },
  'snat-port-exhaustion': {
    area: 'conntrack, NAT',
    meaning: 'All source ports of one address towards one destination are taken.',
    proof: 'The number of translated connections to it next to the size of the range.',
    remedy: 'More source addresses, connections that are reused, or several destinations.',
  },
  'masquerade-unwanted': {
    area: 'conntrack, NAT',
    meaning: 'Traffic between pods is masqueraded: the receiver sees a node instead of the pod.',
    proof: "The pod's address before and after the node.",
    remedy: "Exclude the pod range from the masquerade rule (the CNI's or ip-masq-agent's configuration).",
  },
  'mark-conflict': {
    area: 'conntrack, NAT',
    meaning: 'Two parties use the same bits of the packet mark for different purposes.',
    proof: 'A rule of each that sets the bits.',
    remedy: 'Give one of them other bits (Felix iptablesMarkMask, kube-proxy masqueradeBit).',
  },
  'ipvs-conn-reuse': {
    area: 'IPVS',
    meaning: 'IPVS sends a new connection that reuses a source port to the old server, or delays it by a second.',
    proof: 'net.ipv4.vs.conn_reuse_mode, a server of weight 0 that still has connections, the kernel release.',
    remedy: 'Update the kernel to 5.9 or later; expire_nodest_conn 1.',
  },
  'ipvs-port-collision': {
    area: 'IPVS',
    meaning:
      'A masqueraded connection got an allocated node port as source port; IPVS takes its answer for node port traffic.',
    proof: 'A SYN_SENT conntrack entry whose reply goes to a node port.',
    remedy: 'Keep the node port range out of masquerading (--to-ports).',
  },
  'ipvs-address-conflict': {
    area: 'IPVS',
    meaning: 'kube-ipvs0 holds the address of a real machine, or a real link holds the address of a Service.',
    proof: 'Both links with the address.',
    remedy: 'Take the address from the Service or from the machine.',
  },
  'port-range-overlap': {
    area: 'sysctl',
    meaning: 'Source ports the kernel may choose cover allocated node ports.',
    proof: 'net.ipv4.ip_local_port_range, the reserved ports, and the Services.',
    remedy: 'Reserve the node port range (net.ipv4.ip_local_reserved_ports).',
  },
  'tcp-tw-recycle': {
    area: 'sysctl',
    meaning: 'Clients that share an address lose connections by chance.',
    proof: 'net.ipv4.tcp_tw_recycle is 1; TcpExtPAWSPassive.',
    remedy: 'Set it to 0.',
  },
  'ipv6-default-route-lost': {
    area: 'sysctl',
    meaning: 'With forwarding on, router advertisements are ignored, and the IPv6 default route expired.',
    proof: 'net.ipv6.conf.LINK.accept_ra is 1, forwarding is 1, no default route.',
    remedy: 'Set accept_ra to 2.',
  },
  'cpu-throttled': {
    area: 'timing',
    meaning: 'A container is held back by its CPU limit; it looks like a slow network.',
    proof: 'nr_throttled next to nr_periods in cpu.stat.',
    remedy: 'Raise or remove the CPU limit.',
  },
  'capture-leftover': {
    area: 'leftovers',
    meaning: 'Something that was made to watch traffic is still there: a mirror, a tap, a debug pod. Not a fault.',
    proof: 'The link, the filter or the pod.',
    remedy: 'Remove it when nobody uses it any more (the command is given).',
  },
} as const satisfies Readonly<Record<string, CodePage>>

export type Code = keyof typeof CODES

/** Codes with a reserved meaning that no check reports yet, by area. */
export const RESERVED: Readonly<Record<string, readonly string[]>> = {
  netfilter: ['reject-rule'],
}
