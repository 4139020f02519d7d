import { formatPrefix } from '../../../base/ip.ts'
import type { Network } from '../../../model/network.ts'
import { decisive } from '../../finding.ts'
import type { Failure, Inquiry } from '../../inquiry.ts'
import { withoutRule } from '../../remedy/edit.ts'
import { podRanges } from '../../view/owner.ts'
import { type RuleOwner, ruleOwner } from '../../view/rule-owner.ts'

/** True when a netfilter rule or chain policy ended the packet's way. */
export function byNetfilter(f: Failure): boolean {
  return f.cause === 'rule-drop' || f.cause === 'rule-reject' || f.cause === 'chain-policy-drop'
}

/** True when the rule met the outer packet of a tunnel, not the packet asked about. */
export function onOuterPacket(f: Failure): boolean {
  return (f.step.encap?.length ?? 0) > 0
}

export function ownerOfRule(f: Failure): RuleOwner {
  return ruleOwner(f.step.table, f.step.chain)
}

/** The rule as a reader knows it, without its counters. */
export function ruleText(f: Failure): string {
  return (f.step.rule ?? f.step.text).replace(/^\[\d+:\d+\]\s*/, '')
}

/** True when the deciding rule matches what conntrack calls INVALID. */
export function matchesInvalid(f: Failure): boolean {
  return /ctstate INVALID|ct state (\{[^}]*)?invalid/i.test(ruleText(f))
}

/** `iptables -t TABLE -D …` that removes the rule, when it is an iptables rule; in the tool of its back end. */
export function deleteCommand(f: Failure): string[] {
  const { step } = f
  const text = ruleText(f)
  if (!/^-A \S/.test(text) || step.table === undefined) return []
  const artefact = decisive(step)[0]?.artefact ?? ''
  const six = step.packet.src.family === 6 ? 'ip6tables' : 'iptables'
  const tool = artefact.includes('legacy') ? `${six}-legacy` : six
  return [`${tool} -t ${step.table} -D ${text.slice(3)}`]
}

/** The model without the deciding rule; undefined when its line is not known. */
export function removeRule(f: Failure): ((network: Network) => Network) | undefined {
  const { table, chain } = f.step
  const proof = decisive(f.step)[0]
  if (table === undefined || chain === undefined || proof?.line === undefined) return undefined
  const { artefact, line } = proof
  return (network) => withoutRule(network, f.hop.netns, { artefact, table, chain, line })
}

/** Pod ranges named in a sentence, and rules proposed one by one. */
export const MOST_RANGES = 4

/** The pod ranges of the family in question, for remedies: `10.244.0.0/24, …`. */
export function podRangeWords(q: Inquiry, family: 4 | 6): string {
  const ranges = podRanges(q.objects).filter((r) => r.range.ip.family === family)
  const words = ranges.slice(0, MOST_RANGES).map((r) => formatPrefix(r.range))
  const more = ranges.length - words.length
  return words.length > 0 ? `${words.join(', ')}${more > 0 ? ` and ${more} more` : ''}` : 'the pod CIDR'
}
