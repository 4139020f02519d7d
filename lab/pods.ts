/** A pod's namespace and plumbing, as kubelet and the CNI plugin would make them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { LabError } from './errors.ts'
import { type KubeJson, listAt, nameOf, namespaceOf, textAt } from './kubejson.ts'
import { NETNS_ETC } from './ownership.ts'
import {
  DNS_SERVICE,
  families,
  hostVeth,
  type LabOptions,
  type LabPlace,
  type NodePlan,
  nodePlan,
  podNetns,
  podNumber,
  UPSTREAM_DNS,
} from './plan.ts'
import { calicoPodBatch, calicoPortBatch, calicoPortSysctls } from './topology/calico.ts'
import { podBatch, podMtu, portBatch } from './topology/flannel.ts'
import { sysctls } from './topology/underlay.ts'

export interface PodPlan {
  readonly namespace: string
  readonly name: string
  readonly node: NodePlan
  readonly netns: string
  readonly veth: string
  readonly mac: string
  readonly ips: Readonly<Partial<Record<4 | 6, string>>>
}

/** The plan of a pod with a namespace of its own; null for a host-network pod or one that has no node yet. */
export function podPlan(place: LabPlace, pod: KubeJson, options: LabOptions): PodPlan | null {
  const spec = pod.spec as { hostNetwork?: unknown } | undefined
  const node = nodePlan(textAt(pod, 'spec', 'nodeName'))
  const phase = textAt(pod, 'status', 'phase')
  if (spec?.hostNetwork === true || phase === 'Succeeded' || phase === 'Failed' || !node) return null
  const ips: Partial<Record<4 | 6, string>> = {}
  for (const entry of listAt(pod, 'status', 'podIPs')) {
    const ip = textAt(entry, 'ip')
    if (ip !== '') ips[isIPv6(ip) ? 6 : 4] ??= ip
  }
  const number = podNumber(node, ips[families(options.stack)[0]!] ?? '')
  if (number === null) throw new LabError(2, `Pod ${namespaceOf(pod)}/${nameOf(pod)} has no address of ${node.name}`)
  const [namespace, name] = [namespaceOf(pod), nameOf(pod)]
  return {
    namespace,
    name,
    node,
    netns: podNetns(place, namespace, name),
    veth: hostVeth(options.topology, namespace, name),
    mac: `02:00:0a:f4:0${node.index}:${number.toString(16).padStart(2, '0')}`,
    ips,
  }
}

/** Shell lines, run on the pod's node, that plug the pod in. The pod's namespace exists already. */
export function plugScript(pod: PodPlan, options: LabOptions): string {
  const calico = options.topology === 'calico'
  const port = calico
    ? calicoPortBatch(pod.veth, pod.netns, pod.mac, options, pod.ips)
    : portBatch(pod.veth, pod.netns, pod.mac, podMtu(options))
  const inside = calico ? calicoPodBatch(options, pod.ips) : podBatch(pod.node, options, pod.ips)
  return `ip netns exec ${pod.netns} sh -eu -s <<'END'
${sysctls({ 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/all/accept_dad': 0, 'net/ipv6/conf/default/disable_ipv6': 0 })}
END
ip -batch - <<'END'
${port.join('\n')}
END
${calico ? calicoPortSysctls(pod.veth) : ''}
ip -n ${pod.netns} -batch - <<'END'
${inside.join('\n')}
END
`
}

/** Gives a namespace its own /etc/resolv.conf (ip-netns(8)). */
export function writeResolvConf(netns: string, text: string): void {
  mkdirSync(join(NETNS_ETC, netns), { recursive: true })
  writeFileSync(join(NETNS_ETC, netns, 'resolv.conf'), text)
}

export function removeResolvConf(netns: string): void {
  rmSync(join(NETNS_ETC, netns), { recursive: true, force: true })
}

/** What kubelet writes into the pod for its dnsPolicy. */
export function resolvConfOf(pod: KubeJson, options: LabOptions): string {
  const fs = families(options.stack)
  if (textAt(pod, 'spec', 'dnsPolicy') === 'Default') return machineResolvConf(options)
  const ns = namespaceOf(pod)
  return `search ${ns}.svc.cluster.local svc.cluster.local cluster.local
nameserver ${DNS_SERVICE[fs[0]!]}
options ndots:5
`
}

export function machineResolvConf(options: LabOptions): string {
  return `nameserver ${UPSTREAM_DNS[families(options.stack)[0]!]}\n`
}
