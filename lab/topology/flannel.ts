/**
 * flannel on one node: the bridge plugin's cni0, and either VXLAN (flannel.1) or host-gw routes.
 * Source: flannel pkg/backend/vxlan/{device,vxlan_network}.go, pkg/trafficmngr/iptables/iptables.go (0.25–0.27).
 */
import {
  bridgeIP,
  FULL,
  families,
  type LabOptions,
  NODES,
  type NodePlan,
  nodeIP,
  POD_CIDR,
  podCIDR,
  tunnelIP,
  UNDERLAY_LENGTH,
  vtepMac,
} from '../plan.ts'
import { NO_GSO } from './underlay.ts'

/** flannel names its IPv6 device apart: one VXLAN device carries one underlay family. */
const device = (family: 4 | 6) => (family === 4 ? 'flannel.1' : 'flannel-v6.1')

/** MTU inside the overlay: 50 bytes of outer IPv4, UDP, VXLAN and Ethernet headers, 70 over IPv6 (RFC 7348). */
export function podMtu(options: LabOptions): number {
  if (options.topology === 'hostgw') return 1500
  return families(options.stack).includes(6) ? 1430 : 1450
}

/** `ip -batch` lines for bridge, tunnel and routes; bridge fdb entries are `fdbLines`. */
export function cniBatch(node: NodePlan, options: LabOptions): string[] {
  const mtu = podMtu(options)
  const peers = NODES.filter((n) => n.index !== node.index)
  const out = [
    `link add cni0 address 02:00:0a:f4:0${node.index}:01 mtu ${mtu} ${NO_GSO} type bridge`,
    'link set cni0 up',
  ]
  for (const f of families(options.stack)) {
    const nodad = f === 6 ? ' nodad' : ''
    out.push(`addr add ${bridgeIP(node, f)}/${podCIDR(node, f).split('/')[1]} dev cni0${nodad}`)
    if (options.topology === 'hostgw') {
      for (const p of peers) out.push(`route add ${podCIDR(p, f)} via ${nodeIP(p, f)} dev eth0`)
      continue
    }
    out.push(
      `link add ${device(f)} address ${vtepMac(node, f)} mtu ${mtu} ${NO_GSO} type vxlan id 1 dstport 8472 local ${nodeIP(node, f)} dev eth0 nolearning`,
      `addr add ${tunnelIP(node, f)}/${FULL[f]} dev ${device(f)}${nodad}`,
      `link set ${device(f)} up`,
    )
    for (const p of peers)
      out.push(
        `neigh add ${tunnelIP(p, f)} lladdr ${vtepMac(p, f)} dev ${device(f)} nud permanent`,
        `route add ${podCIDR(p, f)} via ${tunnelIP(p, f)} dev ${device(f)} onlink`,
      )
  }
  return out
}

/** `bridge -batch` lines: where each peer's VTEP lives. */
export function fdbLines(node: NodePlan, options: LabOptions): string[] {
  if (options.topology === 'hostgw') return []
  return families(options.stack).flatMap((f) =>
    NODES.filter((n) => n.index !== node.index).map(
      (p) => `fdb add ${vtepMac(p, f)} dev ${device(f)} dst ${nodeIP(p, f)} self permanent`,
    ),
  )
}

/** iptables-restore input for the masquerade and forward chains flanneld keeps. */
export function flannelRules(node: NodePlan, family: 4 | 6): string {
  const all = POD_CIDR[family]
  const own = podCIDR(node, family)
  const multicast = family === 4 ? '224.0.0.0/4' : 'ff00::/8'
  const masq = '-m comment --comment "flanneld masq"'
  const forward = '-m comment --comment "flanneld forward"'
  return `*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING ${masq} -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${own} -d ${all} ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${all} -d ${own} ${masq} -j RETURN
-A FLANNEL-POSTRTG ! -s ${all} -d ${own} ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${all} ! -d ${multicast} ${masq} -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s ${all} -d ${all} ${masq} -j MASQUERADE --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD ${forward} -j FLANNEL-FWD
-A FLANNEL-FWD -s ${all} ${forward} -j ACCEPT
-A FLANNEL-FWD -d ${all} ${forward} -j ACCEPT
COMMIT
`
}

/** `ip -batch` lines, run on the node, that plug a pod's veth into the bridge; the pod's own side is `podBatch`. */
export function portBatch(veth: string, netns: string, mac: string, mtu: number): string[] {
  return [
    `link add ${veth} mtu ${mtu} ${NO_GSO} type veth peer name eth0 address ${mac} mtu ${mtu} ${NO_GSO} netns ${netns}`,
    `link set ${veth} master cni0`,
    `link set ${veth} type bridge_slave hairpin on`,
    `link set ${veth} up`,
  ]
}

/** `ip -batch` lines, run in the pod, that the bridge plugin's IPAM would ask for. */
export function podBatch(node: NodePlan, options: LabOptions, ips: Readonly<Partial<Record<4 | 6, string>>>): string[] {
  const out = ['link set lo up', 'link set eth0 up']
  for (const f of families(options.stack)) {
    if (ips[f] === undefined) continue
    out.push(`addr add ${ips[f]}/${f === 4 ? UNDERLAY_LENGTH[4] : 64} dev eth0${f === 6 ? ' nodad' : ''}`)
    out.push(`route add default via ${bridgeIP(node, f)} dev eth0`)
    // The bridge plugin's second route: the cluster's pods by the gateway as well (flannel's delegate).
    out.push(`route add ${POD_CIDR[f]} via ${bridgeIP(node, f)} dev eth0`)
  }
  return out
}
