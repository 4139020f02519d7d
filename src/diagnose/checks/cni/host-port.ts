/** `hostport-not-programmed` by the state: a pod asks for a port of its node, and no rule or socket there takes it. */
import { formatIp, parseIp } from '../../../base/ip.ts'
import { protocolNumber } from '../../../base/protocol.ts'
import type { ContainerPort, PodObject } from '../../../kubeobj/objects.ts'
import type { Netns } from '../../../model/network.ts'
import type { Rule } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { mainPlugin, pluginsOf, usedConfig } from '../../setup/agents.ts'
import { podProof } from '../../view/object-proof.ts'
import { hostNetns } from '../../view/owner.ts'
import { listeners } from '../service/listener.ts'

/** True when some rule of the netns could send a packet to one of the pod's addresses: named in its text, or not legible. */
function mayForward(host: Netns, pod: PodObject): boolean {
  const addresses = pod.podIPs.flatMap((t) => parseIp(t) ?? []).map(formatIp)
  return host.rulesets.some((r) =>
    r.tables.some(
      (t) =>
        [...t.sets.values()].some((s) => addresses.some((a) => JSON.stringify(s).includes(a))) ||
        [...t.chains.values()].some((c) =>
          c.rules().some((rule) => /dnat|DNAT/.test(rule.text) && addresses.some((a) => rule.text.includes(a))),
        ),
    ),
  )
}

function takesPort(host: Netns, port: ContainerPort): boolean {
  const protocol = protocolNumber(port.protocol.toLowerCase())
  if (protocol === null || listeners(host, protocol).some((s) => s.localPort === port.hostPort)) return true
  const word = new RegExp(`(^|[^0-9])${port.hostPort}([^0-9]|$)`)
  return host.rulesets.some((r) =>
    r.tables.some((t) =>
      [...t.chains.values()].some((c) =>
        c
          .rules()
          .some(
            (rule) => matchesPort(rule, port.hostPort!) || (/dnat|redirect/i.test(rule.text) && word.test(rule.text)),
          ),
      ),
    ),
  )
}

/** A rule for the port that hands the packet on: to a translation or another chain. */
function matchesPort(rule: Rule, port: number): boolean {
  return (
    rule.parts.some(
      (p) =>
        p.kind === 'port' && p.side !== 'src' && !p.negate && p.ranges.some(([from, to]) => from <= port && port <= to),
    ) &&
    rule.parts.some(
      (p) =>
        p.kind === 'nat' ||
        p.kind === 'redirect' ||
        p.kind === 'tproxy' ||
        p.kind === 'opaque' ||
        (p.kind === 'verdict' && (p.verdict.kind === 'jump' || p.verdict.kind === 'goto')),
    )
  )
}

export const hostPortState: ClusterCheck = {
  name: 'hostport-not-programmed',
  find(state) {
    // eBPF serves host ports without a rule.
    if (pluginsOf(state).has('cilium')) return []
    return state.objects.pods.flatMap((pod) => missing(state, pod))
  },
}

function missing(state: ClusterState, pod: PodObject): ClusterFinding[] {
  if (pod.hostNetwork || pod.phase !== 'Running' || pod.nodeName === undefined || pod.podIPs.length === 0) return []
  if (pod.meta.deletionTimestamp !== undefined) return []
  const ports = pod.containers.flatMap((c) => c.ports).filter((p) => p.hostPort !== undefined)
  const host = ports.length > 0 ? hostNetns(state.network, pod.nodeName) : undefined
  if (!host || !(['iptables', 'iptables-legacy', 'nft', 'sockets'] as const).every((k) => host.known.has(k))) return []
  const lacking = ports.filter((p) => !takesPort(host, p))
  if (lacking.length === 0 || (lacking.length < ports.length && mayForward(host, pod))) return []
  const files = state.network.nodes.get(pod.nodeName)?.files
  const used = usedConfig(files)
  const main = used?.config && mainPlugin(used.config)
  const portmap = used?.config?.plugins.find((p) => p.type === 'portmap')
  const chained = portmap?.capabilities.includes('portMappings') === true
  const name = `${pod.meta.namespace}/${pod.meta.name}`
  const list = lacking.map((p) => p.hostPort).join(', ')
  return [
    clusterFinding('hostport-not-programmed', {
      severity: 'error',
      title: `pod ${name} has hostPort ${list}, but ${pod.nodeName} has no rule for it`,
      text: `Nothing on ${pod.nodeName} sends port ${list} to the pod, and no program listens there: connections are refused by the node. ${
        !main
          ? 'Either the CNI chain lacks the portmap plugin, or its rules were flushed after the pod had started; nobody writes them again.'
          : chained
            ? `portmap is in ${used.name}, so its rules were there when the pod started and were flushed since (a firewall reload). Nobody writes them again: not the plugin, not kube-proxy.`
            : `${used.name} ${portmap ? 'has portmap without the capability portMappings' : 'has no portmap plugin'}: hostPort is accepted by the API and then ignored.`
      }`,
      where: { node: pod.nodeName, object: `Pod ${name}` },
      concerns: [{ kind: 'pod', namespace: pod.meta.namespace, name: pod.meta.name }],
      evidence: [podProof(pod), used?.evidence],
      remedy: {
        text:
          main && !chained
            ? 'Add portmap with the capability portMappings to the CNI configuration, then create the pod anew; or use a NodePort or hostNetwork.'
            : 'Delete the pod, so that its replacement gets the rules; and stop what flushes the nat table.',
        commands: [`kubectl -n ${pod.meta.namespace} delete pod ${pod.meta.name}`],
      },
    }),
  ]
}
