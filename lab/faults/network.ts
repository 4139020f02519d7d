/** Faults of links, routes, tunnels and sysctls. */
import { nodeIP, podCIDR, tunnelIP, vtepMac } from '../plan.ts'
import { each, type Fault, node, tunnel } from './fault.ts'

const OVERLAY = ['flannel', 'calico'] as const
const BRIDGE = ['flannel', 'hostgw'] as const
const [two, three] = [node(2), node(3)]
const remote = ['pod/tools/client', 'pod/shop/web-2:8080'] as const
/** Nobody's address in the underlay. */
const GONE = { 4: '172.30.0.99', 6: 'fd00:172:30::99' } as const

export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'route-missing',
    title: "node2 has lost its route to node3's pods",
    code: 'route-missing',
    example: remote,
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `ip route del ${podCIDR(three, f)}`),
      ),
  },
  {
    name: 'return-route-missing',
    title: "node3 has lost its route back to node2's pods",
    code: 'route-missing',
    example: remote,
    inject: (h) =>
      h.machine(
        'node3',
        each(h, (f) => `ip route del ${podCIDR(two, f)}`),
      ),
  },
  {
    name: 'route-wrong-next-hop',
    title: "node2's route to node3's pods points at a machine that is gone",
    code: 'route-wrong-next-hop',
    example: remote,
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `ip route replace ${podCIDR(three, f)} via ${GONE[f]} dev eth0`),
      ),
  },
  {
    name: 'route-blackhole',
    title: "a blackhole route on node2 covers half of node3's pods",
    code: 'route-blackhole',
    example: remote,
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `ip route add blackhole ${podCIDR(three, f).replace(/\/\d+$/, f === 4 ? '/25' : '/65')}`),
      ),
  },
  {
    name: 'fdb-missing',
    title: "node2 does not know where node3's VTEP is",
    code: 'fdb-missing',
    topologies: OVERLAY,
    example: remote,
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `bridge fdb del ${vtepMac(three, f)} dev ${tunnel(h.options, f)} dst ${nodeIP(three, f)} self`),
      ),
  },
  {
    name: 'fdb-wrong',
    title: "node2 sends node3's VTEP traffic to an old address",
    code: 'fdb-wrong',
    topologies: OVERLAY,
    example: remote,
    inject: (h) =>
      h.machine(
        'node2',
        each(
          h,
          (f) => `bridge fdb replace ${vtepMac(three, f)} dev ${tunnel(h.options, f)} dst ${GONE[f]} self permanent`,
        ),
      ),
  },
  {
    name: 'neighbour-wrong',
    title: "node2's neighbour entry for node3's VTEP is gone",
    code: 'neighbour-unreachable',
    topologies: OVERLAY,
    example: remote,
    inject: (h) =>
      h.machine(
        'node2',
        each(h, (f) => `ip neigh del ${tunnelIP(three, f)} dev ${tunnel(h.options, f)}`),
      ),
  },
  {
    name: 'vtep-mac-mismatch',
    title: "the MAC of node3's VTEP changed; its peers keep the old one",
    code: 'vtep-mac-mismatch',
    topologies: OVERLAY,
    example: remote,
    inject: (h) =>
      h.machine(
        'node3',
        each(h, (f) => `ip link set ${tunnel(h.options, f)} address 5e:00:00:00:0${f}:99`),
      ),
  },
  {
    name: 'tunnel-port-mismatch',
    title: 'node3 uses another VXLAN UDP port than its peers',
    code: 'tunnel-port-mismatch',
    topologies: ['flannel'],
    example: remote,
    inject: (h) =>
      h.machine(
        'node3',
        each(h, (f) => retunnel(f, 'id 1 dstport 4789')),
      ),
  },
  {
    name: 'tunnel-vni-mismatch',
    title: 'node3 uses another VXLAN network identifier than its peers',
    code: 'tunnel-vni-mismatch',
    topologies: ['flannel'],
    example: remote,
    inject: (h) =>
      h.machine(
        'node3',
        each(h, (f) => retunnel(f, 'id 4096 dstport 8472')),
      ),
  },
  {
    name: 'tunnel-down',
    title: "node3's VXLAN device is down, and its routes with it",
    code: 'tunnel-down',
    topologies: OVERLAY,
    example: remote,
    inject: (h) =>
      h.machine(
        'node3',
        each(h, (f) => `ip link set ${tunnel(h.options, f)} down`),
      ),
  },
  {
    name: 'link-down',
    title: "the node's side of shop/web-2's veth is down",
    code: 'link-down',
    example: remote,
    inject: (h) => h.machine('node3', `ip link set ${h.veth('shop/web-2')} down`),
  },
  {
    name: 'pod-route-missing',
    title: 'tools/client has lost its default route',
    code: 'pod-route-missing',
    example: ['pod/tools/client', '203.0.113.10:80'],
    inject: (h) =>
      h.pod(
        'tools/client',
        each(h, (f) => `ip -${f} route del default`),
      ),
  },
  {
    name: 'hairpin-off',
    title: 'shop/db-0 cannot reach itself through a Service: hairpin mode is off on its bridge port',
    code: 'hairpin-off',
    topologies: BRIDGE,
    example: ['pod/shop/db-0', 'svc/shop/db-vip:5432'],
    inject: async (h) => {
      await h.apply([
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'db-vip', namespace: 'shop' },
          spec: { selector: { app: 'db' }, ports: [{ port: 5432 }] },
        },
      ])
      await h.machine('node3', `ip link set ${h.veth('shop/db-0')} type bridge_slave hairpin off`)
    },
  },
  {
    name: 'bridge-netfilter-off',
    title: 'bridged traffic on node2 bypasses iptables, so replies of same-node endpoints are not translated back',
    code: 'bridge-netfilter-off',
    topologies: BRIDGE,
    example: ['pod/tools/client', 'svc/shop/api:8080'],
    inject: (h) =>
      h.machine(
        'node2',
        'echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables; echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables',
      ),
  },
  {
    name: 'ip-forward-off',
    title: 'IPv4 forwarding is off on node3',
    code: 'ip-forward-off',
    family: 4,
    example: remote,
    inject: (h) => h.machine('node3', 'echo 0 >/proc/sys/net/ipv4/ip_forward'),
  },
  {
    name: 'link-forwarding-off',
    title: "forwarding is off for what arrives on node3's VXLAN device",
    code: 'link-forwarding-off',
    family: 4,
    topologies: OVERLAY,
    example: remote,
    inject: (h) => h.machine('node3', `echo 0 >/proc/sys/net/ipv4/conf/${tunnel(h.options, 4)}/forwarding`),
  },
  {
    name: 'rp-filter-drop',
    title: "node3 drops node2's pod traffic: strict reverse path filter, and the route back leaves by eth0",
    code: 'rp-filter-drop',
    family: 4,
    topologies: OVERLAY,
    example: remote,
    inject: (h) =>
      h.machine(
        'node3',
        `ip route replace ${podCIDR(two, 4)} via ${nodeIP(two, 4)} dev eth0
echo 1 >/proc/sys/net/ipv4/conf/${tunnel(h.options, 4)}/rp_filter`,
      ),
  },
  {
    name: 'path-mtu-too-small',
    title: "the switch port of node3 carries less than the nodes' MTU; small packets pass",
    code: 'path-mtu-too-small',
    example: ['pod/tools/client', 'pod/shop/web-2:8080', 'bulk'],
    inject: (h) => h.machine('fabric', 'ip link set p-node3 mtu 1400'),
  },
]

/** Makes node3's flannel device anew with other parameters, addresses and peers' entries as before. */
function retunnel(f: 4 | 6, parameters: string): string {
  const device = f === 4 ? 'flannel.1' : 'flannel-v6.1'
  const peers = [node(1), node(2)].map(
    (p) => `ip route add ${podCIDR(p, f)} via ${tunnelIP(p, f)} dev ${device} onlink
ip neigh add ${tunnelIP(p, f)} lladdr ${vtepMac(p, f)} dev ${device} nud permanent
bridge fdb add ${vtepMac(p, f)} dev ${device} dst ${nodeIP(p, f)} self permanent`,
  )
  return `mtu=$(cat /sys/class/net/${device}/mtu)
ip link del ${device}
ip link add ${device} address ${vtepMac(three, f)} mtu "$mtu" type vxlan ${parameters} local ${nodeIP(three, f)} dev eth0 nolearning
ip addr add ${tunnelIP(three, f)}/${f === 4 ? 32 : 128} dev ${device}
ip link set ${device} up
${peers.join('\n')}`
}
