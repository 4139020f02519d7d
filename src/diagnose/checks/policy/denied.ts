/** A rule dropped the packet, and the NetworkPolicy objects say that this was meant. */

import { formatIp, ipEquals } from '../../../base/ip.ts'
import { protocolName } from '../../../base/protocol.ts'
import { evaluatePolicy } from '../../../intent/policy/evaluate.ts'
import { policyText, policyTexts } from '../../../intent/policy/policy-text.ts'
import type {
  DirectionResult,
  PeerMiss,
  PolicyConsidered,
  PolicyQuestion,
  PolicyResult,
  ServiceHint,
} from '../../../intent/policy/result.ts'
import { formatRequirement } from '../../../intent/policy/selector.ts'
import { BASELINE } from '../../../intent/policy/stages.ts'
import type { Packet } from '../../../model/packet.ts'
import type { Code } from '../../codes.ts'
import { diagnosis, type Words } from '../../finding.ts'
import type { Check, Diagnosis, Failure, Inquiry } from '../../inquiry.ts'
import { type Owner, ownerOf, ownerText } from '../../view/owner.ts'
import { directionWord, packetWords } from '../../view/words.ts'
import { byNetfilter, onOuterPacket, ownerOfRule, ruleText } from '../netfilter/rule-facts.ts'
import {
  type Admitted,
  admitting,
  hostBlock,
  nodeBlocks,
  type PolicyPlace,
  withNamespaceName,
  withPort,
} from './corrected.ts'
import { dnsPolicy } from './manifest.ts'
import { joinManifest, joinText, joinThatDenies } from './selector-join.ts'

function questionOf(packet: Packet, src = packet.src): PolicyQuestion {
  return {
    from: { kind: 'ip', ip: src },
    to: { kind: 'ip', ip: packet.dst },
    protocol: protocolName(packet.protocol),
    port: packet.dport === 0 ? null : packet.dport,
    family: packet.dst.family,
  }
}

function ask(q: Inquiry, packet: Packet, src = packet.src): PolicyResult {
  return evaluatePolicy(q.objects, questionOf(packet, src))
}

/** A rule that admits this peer but names the Service port where the pod's port is meant. */
function servicePortRule(d: DirectionResult): { readonly hint: ServiceHint; readonly at: PolicyPlace } | null {
  for (const c of d.considered)
    for (const r of c.rules) {
      if (r.peer !== 'yes') continue
      for (const p of r.ports)
        for (const m of p.misses)
          if (m.kind === 'number' && m.service) return { hint: m.service, at: placeOf(d, c, r.index, p.index) }
    }
  return null
}

const placeOf = (d: DirectionResult, c: PolicyConsidered, rule: number, index: number): PolicyPlace => ({
  policy: c.policy,
  direction: d.direction,
  rule,
  index,
})

type LabelMiss = PeerMiss & { readonly kind: 'namespace-label' }

/** A namespace label that a rule asks for and no namespace of the cluster carries. */
function absentLabel(q: Inquiry, d: DirectionResult): { readonly miss: LabelMiss; readonly at: PolicyPlace } | null {
  for (const c of d.considered)
    for (const r of c.rules)
      for (const p of r.peers)
        for (const miss of p.misses) {
          if (miss.kind !== 'namespace-label' || miss.requirement.operator !== 'In') continue
          const { key, values } = miss.requirement
          if (!q.objects.namespaces.some((n) => values.includes(n.meta.labels[key] ?? '')))
            return { miss, at: placeOf(d, c, r.index, p.index) }
        }
  return null
}

/** The source address before the nodes translated it. */
function originalSource(f: Failure): Packet['src'] | null {
  const first = f.trace.hops[0]?.steps[0]?.packet.src
  return first && !ipEquals(first, f.step.packet.src) ? first : null
}

/** `policy-denies-*`, `policy-uses-service-port`, `policy-label-missing`, `policy-ipblock-nat`. */
export const policyDenies: Check = {
  name: 'policy-denies',
  explain(f, q) {
    if (!byNetfilter(f) || onOuterPacket(f) || f.direction === 'reply') return null
    const owner = ownerOfRule(f)
    if (owner !== 'policy' && owner !== 'admin') return null
    const { packet } = f.step
    const result = ask(q, packet)
    if (result.decision !== 'deny') return null
    return explainDenial(f, q, result)
  },
}

function explainDenial(f: Failure, q: Inquiry, result: PolicyResult): Diagnosis {
  const { packet } = f.step
  const egress = result.egress.decision === 'deny'
  const d = egress ? result.egress : result.ingress
  const byRule = denyingRule(f, q, d)
  if (byRule) return byRule
  const names = policyTexts(d.policies)
  const who = ownerText(ownerOf(q.network, q.objects, egress ? packet.src : packet.dst))
  const base = (code: Code, words: Words) =>
    diagnosis(f, code, {
      ...words,
      evidence: [...(words.evidence ?? []), ...d.policies.map((p) => p.evidence)],
      where: { object: names.split(', ')[0] ?? '' },
    })
  const said = `${names} isolates ${who} for ${d.direction}, and no rule of it admits ${packetWords(packet)}; on ${f.hop.node} that is ${ruleText(f)}.`
  const question = questionOf(packet)
  const found = servicePortRule(d)
  if (found) {
    const { hint } = found
    return base('policy-uses-service-port', {
      title: `${names} allows port ${hint.port} of Service ${hint.name}, but policies see the pod's port ${packet.dport}`,
      text: `${said} It admits this peer on port ${hint.port}, the port of Service ${hint.namespace}/${hint.name}; policies are evaluated after the Service translation, where the port is ${hint.targetPort}.`,
      remedy: {
        text: `Write port ${packet.dport} (or the name of the container port) in the policy.`,
        ...manifest(withPort(q.objects, question, found.at, packet.dport)),
      },
    })
  }
  const before = originalSource(f)
  if (!egress && before && ask(q, packet, before).ingress.decision === 'allow')
    return base('policy-ipblock-nat', {
      title: `${names} admits ${formatIp(before)}, but the pod sees ${formatIp(packet.src)}: a node translated the source`,
      text: `${said} It would admit ${formatIp(before)}, the real client; with externalTrafficPolicy Cluster the node that takes the connection puts its own address in place of the client's before the policy is evaluated.`,
      remedy: {
        text: 'Set externalTrafficPolicy: Local on the Service, so that the client address is kept (and send clients only to nodes that have an endpoint); or admit the node addresses, as this policy does, and filter clients before the cluster.',
        ...manifest(admitting(q.objects, question, d.policies[0], d.direction, nodes(q, packet))),
      },
    })
  const absent = absentLabel(q, d)
  if (absent) {
    const { miss: label, at } = absent
    const wanted = formatRequirement(label.requirement)
    const ns = q.objects.namespaces.find((n) => n.meta.name === label.namespace)
    return base('policy-label-missing', {
      title: `${names} admits namespaces labelled ${wanted}, and no namespace has that label`,
      text: `${said} Namespace ${label.namespace} has ${label.actual === null ? `no label ${label.requirement.key}` : `${label.requirement.key}=${label.actual}`}.`,
      evidence: ns ? [ns.evidence] : [],
      remedy: {
        text: 'Use the label every namespace has, kubernetes.io/metadata.name, or label the namespace. The policy engine then writes its rules anew.',
        ...manifest(withNamespaceName(q.objects, question, at, label.requirement.key, label.namespace)),
        commands: [
          `kubectl label namespace ${label.namespace} ${label.requirement.key}=${label.requirement.values[0] ?? ''}`,
        ],
      },
    })
  }
  const far = ownerOf(q.network, q.objects, egress ? packet.dst : packet.src)
  const join = joinThatDenies(q.objects, d, far.kind === 'pod' ? far.pod : undefined)
  if (join)
    return base('policy-peer-and-or', {
      title: `NetworkPolicy ${join.policy.namespace}/${join.policy.name} admits nobody by the rule meant for ${ownerText(far)}`,
      text: `${said} ${joinText(join)}`,
      evidence: [join.policy.evidence],
      remedy: { text: 'Join the selectors the other way if that was meant.', manifest: joinManifest(join) },
    })
  const code = egress ? egressCode(packet) : 'policy-denies-ingress'
  return base(code, {
    title: `${names} does not allow ${ownerText(ownerOf(q.network, q.objects, packet.src))} to reach ${ownerText(ownerOf(q.network, q.objects, packet.dst))} on ${protocolName(packet.protocol)} port ${packet.dport}`,
    text: `${said}${code === 'policy-denies-dns' ? ' Without port 53 to the cluster DNS every lookup of the pod fails.' : ''}`,
    remedy: {
      text: `If this connection is wanted, add a rule to ${d.direction} of ${names} that admits it; if not, all is as declared.`,
      ...manifest(
        code === 'policy-denies-dns'
          ? dnsPolicy(q.objects, d.policies[0], packet.dport)
          : admitting(
              q.objects,
              question,
              d.policies[0],
              d.direction,
              admittedOf(q, far, egress ? packet.dst : packet.src, packet),
            ),
      ),
    },
  })
}

const manifest = (text: string | null): { manifest?: string } => (text === null ? {} : { manifest: text })

const nodes = (q: Inquiry, packet: Packet): Admitted => ({
  kind: 'addresses',
  what: 'nodes',
  blocks: nodeBlocks(q.objects, packet.src.family),
})

function admittedOf(q: Inquiry, far: Owner, address: Packet['src'], packet: Packet): Admitted {
  if (far.kind === 'pod' && far.pod) return { kind: 'pod', pod: far.pod }
  return far.kind === 'node' ? nodes(q, packet) : { kind: 'addresses', what: 'address', blocks: [hostBlock(address)] }
}

/** A rule of the Admin or Baseline tier (or of the plugin's own policies) says deny: no other rule of a later stage can help. */
function denyingRule(f: Failure, q: Inquiry, d: DirectionResult): Diagnosis | null {
  const by = d.decidedBy
  if (by?.action !== 'deny' || by.rule === null) return null
  const { packet } = f.step
  const name = policyText(by.rule.policy)
  const [src, dst] = [packet.src, packet.dst].map((ip) => ownerText(ownerOf(q.network, q.objects, ip)))
  return diagnosis(f, d.direction === 'ingress' ? 'policy-denies-ingress' : egressCode(packet), {
    title: `${name} denies ${src} to reach ${dst} on ${protocolName(packet.protocol)} port ${packet.dport}`,
    text: `${name}, rule ${by.rule.name}, denies ${packetWords(packet)} (${by.stage}${by.priority === null ? '' : `, priority ${by.priority}`}); on ${f.hop.node} that is ${ruleText(f)}. ${by.stage === BASELINE ? 'A NetworkPolicy that selects the pod takes the place of the baseline.' : 'No NetworkPolicy can allow what this rule denies.'}`,
    evidence: [by.rule.policy.evidence],
    where: { object: name },
    remedy: {
      text: `If this connection is wanted, put a rule that allows it before rule ${by.rule.name} of ${name}; if not, all is as declared.`,
    },
  })
}

const egressCode = (packet: Packet): Code => (packet.dport === 53 ? 'policy-denies-dns' : 'policy-denies-egress')

/** `policy-enforcer-disagrees`: a policy engine's rule drops what the policies allow. */
export const policyDisagrees: Check = {
  name: 'policy-enforcer-disagrees',
  explain(f, q) {
    if (!byNetfilter(f) || onOuterPacket(f) || ownerOfRule(f) !== 'policy') return null
    // Answers to a connection that was let in need no policy's leave.
    const decision = f.direction === 'reply' ? 'allow' : ask(q, f.step.packet).decision
    // A kind the collector may not read is no kind without objects.
    const read = ['NetworkPolicy', 'Pod', 'Namespace'].every((kind) => q.objects.known.has(kind))
    const sure = decision === 'allow' && read
    return diagnosis(f, 'policy-enforcer-disagrees', {
      title: `a rule of the policy engine on ${f.hop.node} drops the ${directionWord(f)}, and ${sure ? 'no NetworkPolicy asks for it' : 'whether a NetworkPolicy asks for it is not clear'}`,
      text: `${ruleText(f)} drops ${packetWords(f.step.packet)}. The NetworkPolicy objects ${sure ? 'allow the connection' : 'leave it undecided'}: the rules are out of date, or come from a policy kind of the CNI that is not evaluated here.`,
      remedy: {
        text: `Look at the policy agent on ${f.hop.node} and its own policy kinds; restart it if its rules are out of date.`,
      },
    })
  },
}
