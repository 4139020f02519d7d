/** A packet to a Service address that no rule turned towards an endpoint. */
import { formatIp } from '../../../base/ip.ts'
import { hasPorts } from '../../../base/protocol.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Netns } from '../../../model/network.ts'
import type { Step } from '../../../model/trace.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Failure } from '../../inquiry.ts'
import { withExpectedRules } from '../../intent/expected-rules.ts'
import { hasTraces, proxyOn } from '../../intent/proxy.ts'
import { probeFailed } from '../../probes.ts'
import { withoutRule } from '../../remedy/edit.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { nodeOfAddress, ownerOf, serviceOfAddress } from '../../view/owner.ts'
import { frontendOf, serviceName } from '../../view/service-view.ts'
import { byNetfilter, matchesInvalid, ruleText } from '../netfilter/rule-facts.ts'
import { partlyTranslated } from './kube-proxy-partly.ts'
import { proxyCause, restartProxy } from './kube-proxy-words.ts'

interface Notrack {
  readonly netns: Netns
  readonly artefact: string
  readonly table: string
  readonly chain: string
  readonly line: number
  readonly text: string
}

/** Rules that take packets out of conntrack in the netns the failing packet passed. */
function notrackRules(f: Failure, netnsOf: (id: string) => Netns | undefined): Notrack[] {
  const out: Notrack[] = []
  const { forward, reply } = f.branch.trace
  for (const id of new Set([forward, reply].flatMap((t) => t?.hops ?? []).map((h) => h.netns))) {
    const netns = netnsOf(id)
    for (const ruleset of netns?.rulesets ?? [])
      for (const table of ruleset.tables)
        for (const chain of table.chains.values()) {
          const relevant = chain.base ? chain.base.priority <= -200 : table.name === 'raw'
          if (!netns || !relevant) continue
          for (const rule of chain.rules())
            if (rule.parts.some((p) => p.kind === 'notrack'))
              out.push({
                netns,
                artefact: ruleset.artefact,
                table: table.name,
                chain: chain.name,
                line: rule.line,
                text: rule.text,
              })
        }
  }
  return out
}

/** Steps of both directions, where a notrack rule may have been passed. */
function stepsBothWays(f: Failure): Step[] {
  const { forward, reply } = f.branch.trace
  return [forward, reply].flatMap((t) => t?.hops ?? []).flatMap((h) => h.steps)
}

/**
 * `notrack`: untracked packets are never translated; and a connection of which conntrack was shown one direction only has
 * its answers called INVALID.
 */
export const notrack: Check = {
  name: 'notrack',
  explain(f, q) {
    const { packet } = f.step
    const service = serviceOfAddress(q.objects, packet.dst)
    const invalid = f.cause === 'conntrack-invalid' || (byNetfilter(f) && matchesInvalid(f))
    const leaves = f.trace.disposition === 'exits-network' && ownerOf(q.network, q.objects, packet.src).kind === 'pod'
    if (!service && !invalid && !leaves) return null
    const hit = stepsBothWays(f).find((s) => s.rule !== undefined && /notrack/i.test(s.rule))
    if (!hit) return null
    const rule = notrackRules(f, (id) => q.network.netns.get(id)).find(
      (r) => r.text === hit.rule || r.line === hit.evidence[0]?.line,
    )
    const tool = packet.src.family === 6 ? 'ip6tables' : 'iptables'
    const text = (rule?.text ?? hit.rule ?? '').replace(/^\[\d+:\d+\]\s*/, '')
    return diagnosis(f, 'notrack', {
      // Without a probe nobody knows whether the outside has a way back to pods.
      ...(leaves && !service && !probeFailed(q) ? { severity: 'warning' as const } : {}),
      title: service
        ? `a rule keeps packets to Service ${serviceName(service)} out of conntrack, so they are never translated`
        : leaves
          ? 'a rule keeps packets for the outside out of conntrack, so they leave with an address nobody knows'
          : 'a rule keeps one direction of the connection out of conntrack, so the other is dropped as INVALID',
      text: service
        ? `${text} makes packets to ${formatIp(packet.dst)} untracked. NAT works on tracked connections only: the rules of kube-proxy are there but never reached, and the packet goes on to an address no machine has.`
        : leaves
          ? `${text} makes these packets untracked. Masquerading works on tracked connections only, so they leave ${f.hop.node} with the source ${formatIp(packet.src)}, to which machines outside have no way back.`
          : `${text} takes one direction of this connection out of connection tracking. The packets of the other direction belong to no connection the node knows; it calls them INVALID, and ${ruleText(f)} drops them.`,
      evidence: hit.evidence,
      ...(rule ? { where: { node: rule.netns.node, netns: rule.netns.kind === 'host' ? 'host' : f.hop.netns } } : {}),
      remedy: {
        text: service
          ? 'Remove the rule or narrow it so that it spares the Service range.'
          : 'Remove the rule, or narrow it so that it spares the connections of pods.',
        ...(/^-A /.test(text) ? { commands: [`${tool} -t raw -D ${text.slice(3)}`] } : {}),
      },
      ...(rule ? { edit: (n) => withoutRule(n, rule.netns.id, rule) } : {}),
    })
  },
}

function proxyEvidence(netns: Netns | undefined): Evidence | undefined {
  const ruleset = netns?.rulesets[0]
  return ruleset ? { artefact: ruleset.artefact, text: 'no rule for this Service address and port' } : undefined
}

/** Kinds of steps that come after routing and rules. */
const ON_THE_WIRE: ReadonlySet<Step['kind']> = new Set(['neighbour', 'send', 'wire'])

/** True when the packet came to a node's rules, or would have, were there any: what dies before was not theirs to translate. */
function cameToTheRules(f: Failure, kindOf: (netns: string) => Netns['kind'] | undefined): boolean {
  return f.trace.hops.some(
    (h) =>
      kindOf(h.netns) === 'host' &&
      h.steps.some(
        (s) =>
          (s.kind === 'netfilter' && (s.hook === 'prerouting' || s.hook === 'output')) ||
          (s.kind === 'route' && s.verdict === 'continue'),
      ),
  )
}

/** `service-port-missing`, `kube-proxy-rules-missing`, `kube-proxy-not-running`, `ipvs-virtual-server-missing`: the Service exists, the rule does not. */
export const notTranslated: Check = {
  name: 'service-not-translated',
  explain(f, q) {
    const { packet } = f.step
    if (f.direction === 'reply' || !cameToTheRules(f, (id) => q.network.netns.get(id)?.kind)) return null
    // Where a step before a node's wire could not be decided, or no machine we know had the packet, nothing says that
    // no rule translates it.
    if (f.netns === undefined) return null
    const onNode = f.netns.kind === 'host' && ON_THE_WIRE.has(f.step.kind)
    if (f.trace.disposition === 'insufficient-info' && !onNode) return null
    const front = frontendOf(q, packet.dst, packet.dport, packet.protocol)
    const service = serviceOfAddress(q.objects, packet.dst) ?? front?.service
    if (!service) return null
    // A load balancer or external address may be a node's own: beside the Service's ports it is an address like any other.
    if (!front && nodeOfAddress(q.objects, packet.dst)) return null
    const name = serviceName(service)
    const where = { object: `Service ${name}` }
    if (!hasPorts(packet.protocol))
      return diagnosis(f, 'service-answers-no-ping', {
        severity: 'info',
        title: `the address of Service ${name} does not answer ping, and need not`,
        text: 'A Service address exists in rules for its ports only; no machine has it. That an echo to it stays unanswered says nothing about the Service.',
        evidence: [serviceProof(service)],
        where,
        remedy: {
          text: `Ask for a port of the Service with --protocol tcp or udp: ${service.ports.map((p) => `${p.port}/${p.protocol.toLowerCase()}`).join(', ')}.`,
        },
      })
    if (!front) {
      const ports = service.ports.map((p) => `${p.port}/${p.protocol.toLowerCase()}`).join(', ')
      return diagnosis(f, 'service-port-missing', {
        title: `Service ${name} does not publish port ${packet.dport}`,
        text: `Service ${name} publishes ${ports || 'no port'}; nothing answers at ${formatIp(packet.dst)} on any other port.`,
        evidence: [serviceProof(service)],
        where,
        remedy: { text: `Use a published port, or add port ${packet.dport} to the Service.` },
      })
    }
    const host = [...q.network.netns.values()].find((n) => n.kind === 'host' && n.node === f.hop.node)
    const node = f.hop.node
    const partly = partlyTranslated(f, q, service)
    if (partly) return partly
    const ipvs = (host?.ipvs.length ?? 0) > 0
    const any = host !== undefined && (ipvs || hasTraces(host))
    const told = proxyCause(
      proxyOn(q.network, q.objects, node),
      node,
      ipvs ? 'ipvs-virtual-server-missing' : any ? 'kube-proxy-rules-missing' : 'kube-proxy-not-running',
    )
    const lacks = `Service ${name} port ${front.port.port}`
    return diagnosis(f, told.code, {
      title:
        told.code === 'kube-proxy-not-running'
          ? any
            ? `kube-proxy does not run on ${node}, and there is no rule for ${lacks}`
            : `there is no trace of kube-proxy on ${node}`
          : ipvs
            ? `IPVS on ${node} does not serve ${lacks}`
            : `kube-proxy on ${node} has no rule for ${lacks}`,
      text: `Service ${name} has endpoints, but on ${node} nothing translates ${formatIp(packet.dst)}:${packet.dport} to them.${told.because}`,
      evidence: [...told.evidence, proxyEvidence(host), serviceProof(service)],
      where,
      remedy: restartProxy(q.objects, node),
      edit: (n) => withExpectedRules(n, q.objects, node),
    })
  },
}
