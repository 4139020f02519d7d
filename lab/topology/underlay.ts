/** The machines and the wire between them: switch, outside host, nodes with their NIC, before any CNI. */
import {
  FULL,
  families,
  GATEWAY,
  INTERNET,
  type LabOptions,
  type LabPlace,
  NODES,
  type NodePlan,
  nodeIP,
  nodeMac,
  nodeNetns,
  OUTSIDE,
  UNDERLAY_LENGTH,
  UPSTREAM_DNS,
} from '../plan.ts'

/**
 * Veths carry one segment per skb. A bridge forwards a GSO skb whatever the MTU of its ports (kernel
 * `__is_skb_forwardable`), so with GSO a switch port of smaller MTU would pass what a real switch drops.
 */
export const NO_GSO = 'gso_max_segs 1'

/** The namespaces of a lab, without the pods'. */
export function machineNetns(place: LabPlace): string[] {
  return ['fabric', 'outside', ...NODES.map((n) => n.name)].map((n) => nodeNetns(place, n))
}

/** `ip -batch` input, run in the switch's namespace: the bridge `sw0` and a port `p-NAME` to every machine's `eth0`. */
export function fabricBatch(place: LabPlace): string {
  const port = (name: string, mac: string) => [
    `link add p-${name} mtu 1500 ${NO_GSO} type veth peer name eth0 address ${mac} mtu 1500 ${NO_GSO} netns ${nodeNetns(place, name)}`,
    `link set p-${name} master sw0 up`,
  ]
  return `${[
    'link set lo up',
    'link add sw0 type bridge',
    'link set sw0 up',
    ...port('outside', '02:00:ac:1e:00:64'),
    ...NODES.flatMap((n) => port(n.name, nodeMac(n))),
  ].join('\n')}\n`
}

/** `/proc/sys` writes as shell lines; a kernel without IPv6 lacks its keys, and needs none of them. */
export function sysctls(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(
      ([key, value]) =>
        `${key.startsWith('net/ipv6/') ? `[ ! -e /proc/sys/${key} ] || ` : ''}echo ${value} >/proc/sys/${key}`,
    )
    .join('\n')
}

/** Before any link exists: what links made later inherit. */
const INHERITED = {
  'net/ipv4/conf/all/rp_filter': 0,
  // systemd's default: loose (sysctl.d/50-default.conf).
  'net/ipv4/conf/default/rp_filter': 2,
  // Duplicate address detection would make every new IPv6 address wait a second.
  'net/ipv6/conf/default/accept_dad': 0,
  'net/ipv6/conf/all/accept_dad': 0,
  'net/ipv6/conf/default/disable_ipv6': 0,
}

export function outsideScript(options: LabOptions): string {
  const lines = families(options.stack).flatMap((f) => [
    `addr add ${OUTSIDE[f]}/${UNDERLAY_LENGTH[f]} dev eth0${f === 6 ? ' nodad' : ''}`,
    `addr add ${GATEWAY[f]}/${UNDERLAY_LENGTH[f]} dev eth0${f === 6 ? ' nodad' : ''}`,
    `addr add ${INTERNET[f]}/${FULL[f]} dev lo`,
    `addr add ${UPSTREAM_DNS[f]}/${FULL[f]} dev lo`,
  ])
  return `${sysctls({ ...INHERITED, 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 })}
ip -batch - <<'END'
link set lo up
link set eth0 up
${lines.join('\n')}
END
`
}

/** A node with addresses, default route and the sysctls of a Kubernetes machine, run in the node's namespace. */
export function nodeScript(node: NodePlan, options: LabOptions): string {
  const fs = families(options.stack)
  return `${sysctls({
    ...INHERITED,
    'net/ipv4/conf/eth0/rp_filter': 2,
    'net/ipv6/conf/eth0/accept_dad': 0,
    'net/ipv4/ip_forward': 1,
    'net/ipv6/conf/all/forwarding': fs.includes(6) ? 1 : 0,
    'net/bridge/bridge-nf-call-iptables': 1,
    'net/bridge/bridge-nf-call-ip6tables': 1,
    // kube-proxy sets it for node ports on 127.0.0.1 (--iptables-localhost-nodeports).
    'net/ipv4/conf/all/route_localnet': options.proxy === 'iptables' ? 1 : 0,
  })}
ip -batch - <<'END'
link set lo up
link set eth0 up
${fs.map((f) => `addr add ${nodeIP(node, f)}/${UNDERLAY_LENGTH[f]} dev eth0${f === 6 ? ' nodad' : ''}`).join('\n')}
${fs.map((f) => `route add default via ${GATEWAY[f]} dev eth0`).join('\n')}
END
`
}
