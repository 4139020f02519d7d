/**
 * Calico in VXLAN mode on one node: no bridge, a /32 route per pod, proxy ARP, vxlan.calico to the other nodes.
 * Source: Calico libcalico-go/…/dataplane/linux/dataplane_linux.go (CNI), felix/dataplane/linux/vxlan_mgr.go,
 * felix/rules/{static,dispatch,endpoints,nat}.go (3.29). Felix' comments carry a hash of the rule; ours carry its purpose.
 */
import {
  FULL,
  families,
  type LabOptions,
  NODES,
  type NodePlan,
  nodeIP,
  POD_CIDR,
  podCIDR,
  tunnelIP,
  vtepMac,
} from '../plan.ts'
import { NO_GSO, sysctls } from './underlay.ts'

const device = (family: 4 | 6) => (family === 4 ? 'vxlan.calico' : 'vxlan-v6.calico')

/** The gateway every pod uses; nobody owns it, the node's proxy ARP answers (IPv6: the veth's link-local address). */
const GATEWAY = { 4: '169.254.1.1', 6: 'fe80::ecee:eeff:feee:eeee' } as const

/** Felix' number for routes it owns (`ip route … proto 80`). */
const PROTO = 80

export function calicoBatch(node: NodePlan, options: LabOptions): string[] {
  const mtu = families(options.stack).includes(6) ? 1430 : 1450
  const out: string[] = []
  for (const f of families(options.stack)) {
    const nodad = f === 6 ? ' nodad' : ''
    out.push(
      `link add ${device(f)} address ${vtepMac(node, f)} mtu ${mtu} ${NO_GSO} type vxlan id 4096 dstport 4789 local ${nodeIP(node, f)} dev eth0 nolearning`,
      `addr add ${tunnelIP(node, f)}/${FULL[f]} dev ${device(f)}${nodad}`,
      `link set ${device(f)} up`,
      `route add blackhole ${podCIDR(node, f)} proto ${PROTO}`,
    )
    for (const p of NODES.filter((n) => n.index !== node.index))
      out.push(
        `neigh add ${tunnelIP(p, f)} lladdr ${vtepMac(p, f)} dev ${device(f)} nud permanent`,
        `route add ${podCIDR(p, f)} via ${tunnelIP(p, f)} dev ${device(f)} onlink proto ${PROTO}`,
      )
  }
  return out
}

export function calicoFdbLines(node: NodePlan, options: LabOptions): string[] {
  return families(options.stack).flatMap((f) =>
    NODES.filter((n) => n.index !== node.index).map(
      (p) => `fdb add ${vtepMac(p, f)} dev ${device(f)} dst ${nodeIP(p, f)} self permanent`,
    ),
  )
}

/** `ipset restore` input: the pools that are masqueraded, and all pools. */
export function calicoSets(options: LabOptions): string {
  const lines = families(options.stack).flatMap((f) =>
    ['masq-ipam-pools', 'all-ipam-pools'].flatMap((set) => [
      `create cali${f}0${set} hash:net family ${f === 4 ? 'inet' : 'inet6'} maxelem 1048576`,
      `add cali${f}0${set} ${POD_CIDR[f]}`,
    ]),
  )
  return `${lines.join('\n')}\n`
}

/** iptables-restore input (`--noflush`) for Felix' chains with the node's workload interfaces; replaces what it defined before. */
export function calicoRules(family: 4 | 6, veths: readonly string[]): string {
  const because = (text: string) => `-m comment --comment "cali: ${text}"`
  const wl = veths.flatMap((v) => [`cali-fw-${v}`, `cali-tw-${v}`])
  const fixed = [
    'cali-FORWARD',
    'cali-INPUT',
    'cali-OUTPUT',
    'cali-from-wl-dispatch',
    'cali-to-wl-dispatch',
    'cali-wl-to-host',
  ]
  return `*filter
${[...fixed, ...wl].map((c) => `:${c} - [0:0]`).join('\n')}
-A cali-FORWARD ${because('clear accept mark')} -j MARK --set-xmark 0x0/0xe0000
-A cali-FORWARD -i cali+ ${because('from workloads')} -j cali-from-wl-dispatch
-A cali-FORWARD -o cali+ ${because('to workloads')} -j cali-to-wl-dispatch
-A cali-INPUT -i cali+ ${because('workload to host')} -g cali-wl-to-host
-A cali-wl-to-host ${because('endpoint egress policy')} -j cali-from-wl-dispatch
-A cali-wl-to-host ${because('Configured DefaultEndpointToHostAction')} -j ACCEPT
${veths.map((v) => `-A cali-from-wl-dispatch -i ${v} ${because('dispatch')} -g cali-fw-${v}`).join('\n')}
-A cali-from-wl-dispatch ${because('Unknown interface')} -j DROP
${veths.map((v) => `-A cali-to-wl-dispatch -o ${v} ${because('dispatch')} -g cali-tw-${v}`).join('\n')}
-A cali-to-wl-dispatch ${because('Unknown interface')} -j DROP
${wl
  .flatMap((c) => [
    `-A ${c} ${because('established')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `-A ${c} ${because('invalid')} -m conntrack --ctstate INVALID -j DROP`,
    `-A ${c} ${because('clear accept mark')} -j MARK --set-xmark 0x0/0x30000`,
    `-A ${c} ${because('default profile allows')} -j MARK --set-xmark 0x10000/0x10000`,
    `-A ${c} ${because('Return if profile accepted')} -m mark --mark 0x10000/0x10000 -j RETURN`,
    `-A ${c} ${because('Drop if no profiles matched')} -j DROP`,
  ])
  .join('\n')}
COMMIT
*nat
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A cali-POSTROUTING ${because('outgoing')} -j cali-nat-outgoing
-A cali-nat-outgoing ${because('natOutgoing')} -m set --match-set cali${family}0masq-ipam-pools src -m set ! --match-set cali${family}0all-ipam-pools dst -j MASQUERADE --random-fully
COMMIT
`
}

/** The jumps to Felix' chains, inserted once. */
export function calicoJumps(): string {
  const because = (text: string) => `-m comment --comment "cali: ${text}"`
  return `*filter
:cali-FORWARD - [0:0]
:cali-INPUT - [0:0]
:cali-OUTPUT - [0:0]
-I INPUT ${because('input')} -j cali-INPUT
-I OUTPUT ${because('output')} -j cali-OUTPUT
-I FORWARD ${because('forward')} -j cali-FORWARD
-A FORWARD ${because('Policy explicitly accepted packet.')} -m mark --mark 0x10000/0x10000 -j ACCEPT
COMMIT
*nat
:cali-POSTROUTING - [0:0]
-I POSTROUTING ${because('postrouting')} -j cali-POSTROUTING
COMMIT
`
}

/** `ip -batch` lines, run on the node: the pod's veth and its route. */
export function calicoPortBatch(
  veth: string,
  netns: string,
  mac: string,
  options: LabOptions,
  ips: Readonly<Partial<Record<4 | 6, string>>>,
): string[] {
  const mtu = families(options.stack).includes(6) ? 1430 : 1450
  return [
    `link add ${veth} address ee:ee:ee:ee:ee:ee mtu ${mtu} ${NO_GSO} type veth peer name eth0 address ${mac} mtu ${mtu} ${NO_GSO} netns ${netns}`,
    `link set ${veth} up`,
    ...families(options.stack)
      .filter((f) => ips[f] !== undefined)
      .map((f) => `route add ${ips[f]}/${FULL[f]} dev ${veth} proto ${PROTO} ${f === 4 ? 'scope link' : ''}`.trimEnd()),
  ]
}

/** Shell lines, run on the node after `calicoPortBatch`: what Felix sets on a workload interface. */
export function calicoPortSysctls(veth: string): string {
  return sysctls({
    [`net/ipv4/conf/${veth}/rp_filter`]: 1,
    [`net/ipv4/conf/${veth}/route_localnet`]: 1,
    [`net/ipv4/conf/${veth}/proxy_arp`]: 1,
    [`net/ipv4/neigh/${veth}/proxy_delay`]: 0,
    [`net/ipv4/conf/${veth}/forwarding`]: 1,
  })
}

/** `ip -batch` lines, run in the pod. */
export function calicoPodBatch(options: LabOptions, ips: Readonly<Partial<Record<4 | 6, string>>>): string[] {
  const out = ['link set lo up', 'link set eth0 up']
  for (const f of families(options.stack)) {
    if (ips[f] === undefined) continue
    out.push(`addr add ${ips[f]}/${FULL[f]} dev eth0${f === 6 ? ' nodad' : ''}`)
    if (f === 4) out.push(`route add ${GATEWAY[4]} dev eth0 scope link`)
    out.push(`route add default via ${GATEWAY[f]} dev eth0`)
  }
  return out
}
