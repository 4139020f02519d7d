/**
 * A connection that gets through although the policies deny it: the rules of the policy engine do not hold what the objects say
 * (`policy-enforcer-disagrees`), or there is no engine (`policy-not-enforced`). Said only of an engine that enforces by rules netwhy
 * has read; one that works in eBPF or in Open vSwitch would not show.
 */
import { protocolName } from '../../../base/protocol.ts'
import { evaluatePolicy } from '../../../intent/policy/evaluate.ts'
import { blamed, policyText, policyTexts } from '../../../intent/policy/policy-text.ts'
import type { DirectionResult, PolicyResult } from '../../../intent/policy/result.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Netns } from '../../../model/network.ts'
import type { Packet } from '../../../model/packet.ts'
import type { Branch, Inquiry, StateFinding } from '../../inquiry.ts'
import { placed } from '../../remedy/place.ts'
import { ownerOf, ownerText } from '../../view/owner.ts'
import { chainMaker } from '../../view/rule-owner.ts'
import { packetWords } from '../../view/words.ts'
import { nobodyEnforces } from '../cni/enforcement.ts'

/** Policies of Kubernetes' own; those of a plugin it reads in its own way, which the evaluation only follows. */
const KINDS = /^(NetworkPolicy|AdminNetworkPolicy|BaselineAdminNetworkPolicy|ClusterNetworkPolicy)$/
/** Makers whose rules alone let a packet pass or not. */
const BY_RULES = /^(kube-router|Calico|Weave|Azure NPM|netwhy lab)$/
const OWN_DATAPATH = /^(cilium_|antrea-gw|ovn-k8s-|ovs-system$|bpf(in|out)\.cali$)/
const OWN_DATAPATH_PODS = /cilium|antrea|ovn|aws-node|anetd|azure-cns|kubeovn|nsx/i

/** A finding per policy that a delivered connection passes by. */
export function letThrough(q: Inquiry): StateFinding[] {
  const out = new Map<string, StateFinding>()
  for (const branch of q.branches) {
    if (branch.trace.disposition !== 'delivered') continue
    const denial = denialOf(q, branch)
    if (!denial || !blamed(denial.by).every((p) => KINDS.test(p.kind))) continue
    const found = told(q, denial)
    if (found) out.set(`${found.finding.code} ${found.finding.title}`, found)
  }
  return [...out.values()]
}

interface Denial {
  readonly by: DirectionResult
  /** As the policy would see it. */
  readonly packet: Packet
  /** The host netns of the pod the policies isolate. */
  readonly host: Netns
}

/** What denies, whichever source address the policies see; null when nothing surely does. */
function denialOf(q: Inquiry, { trace }: Branch): Denial | null {
  const sent = trace.forward.hops[0]?.steps[0]?.packet
  const arrived = trace.forward.packet
  if (!sent || arrived.dport === 0) return null
  const ask = (src: Packet['src']): PolicyResult =>
    evaluatePolicy(q.objects, {
      from: { kind: 'ip', ip: src },
      to: { kind: 'ip', ip: arrived.dst },
      protocol: protocolName(arrived.protocol),
      port: arrived.dport,
      family: arrived.dst.family,
    })
  const [own, seen] = [ask(sent.src), ask(arrived.src)]
  const egress = own.egress.decision === 'deny'
  if (!egress && (own.ingress.decision !== 'deny' || seen.ingress.decision !== 'deny')) return null
  const pod = ownerOf(q.network, q.objects, egress ? sent.src : arrived.dst)
  // What a node exchanges with its own pods no enforcer may deny, and of other nodes the address is not sure.
  if (pod.kind !== 'pod' || ownerOf(q.network, q.objects, egress ? arrived.dst : sent.src).kind === 'node') return null
  const node = pod.pod?.nodeName ?? pod.node
  const host = node === undefined ? undefined : q.network.nodes.get(node)?.host
  const netns = host === undefined ? undefined : q.network.netns.get(host)
  return netns ? { by: egress ? own.egress : own.ingress, packet: { ...arrived, src: sent.src }, host: netns } : null
}

function told(q: Inquiry, { by, packet, host }: Denial): StateFinding | null {
  if (q.objects.pods.some((p) => OWN_DATAPATH_PODS.test(p.meta.name))) return null
  if (host.links.some((l) => OWN_DATAPATH.test(l.name)) || host.qdiscs.some((d) => d.filters.length > 0)) return null
  const policies = blamed(by)
  const first = policies[0]
  if (!first) return null
  const names = policyTexts(policies)
  const who = ownerText(ownerOf(q.network, q.objects, by.direction === 'egress' ? packet.src : packet.dst))
  const engine = engineOf(host)
  const none = engine ? null : nobodyEnforces({ network: q.network, objects: q.objects })
  if (!engine && !none) return null
  const evidence = [
    ...policies.slice(0, 4).map((p) => p.evidence),
    ...(engine ? [engine.evidence] : (none?.evidence ?? [])),
  ]
  return {
    hurts: false,
    finding: placed({
      code: engine ? 'policy-enforcer-disagrees' : 'policy-not-enforced',
      severity: 'warning',
      title: engine
        ? `${names} denies this connection, and the rules of the policy engine on ${host.node} let it through`
        : `${names} denies this connection, and nothing here enforces policies`,
      text: `By the objects ${who} is isolated for ${by.direction} and ${packetWords(packet)} is not admitted${by.decidedBy?.rule ? ` (rule ${by.decidedBy.rule.name} of ${policyText(by.decidedBy.rule.policy)} denies it)` : ''}. ${
        engine
          ? `The rules of ${engine.name} on ${host.node} do not stop it: they are out of date, or the engine does not know policies of this kind.`
          : `The network plugin (${none?.plugins ?? ''}) knows no policies, no policy engine runs, and no node has a rule of one.`
      }`,
      where: { node: host.node, netns: 'host', object: policyText(first) },
      evidence,
      remedy: {
        text: engine
          ? `Look at the policy agent on ${host.node}: its log, and whether it knows policies of this kind; restart it if its rules are out of date.`
          : 'Install a policy engine beside the network plugin (kube-network-policies, or Calico for policy only), or take the policy as what it is: without effect.',
        verified: false,
      },
    }),
  }
}

/** The engine whose chains are on the node; null when none that enforces by rules alone is there, or another beside it. */
function engineOf(host: Netns): { readonly name: string; readonly evidence: Evidence } | null {
  let found: { readonly name: string; readonly evidence: Evidence } | null = null
  for (const ruleset of host.rulesets)
    for (const table of ruleset.tables)
      for (const chain of table.chains.values()) {
        const maker = chainMaker(table.name, chain.name)
        if (maker?.role !== 'policy') continue
        if (!BY_RULES.test(maker.name)) return null
        found ??= {
          name: maker.name,
          evidence: { artefact: ruleset.artefact, line: chain.line, text: `${table.name} ${chain.name}` },
        }
      }
  return found
}
