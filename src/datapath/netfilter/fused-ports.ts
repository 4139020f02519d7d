import type { Match, Rule } from '../../model/ruleset.ts'
import type { Place, Walk } from './walk.ts'

type PortMatch = Extract<Match, { kind: 'port' }>

/**
 * iptables-nft 1.8.8 and 1.8.9 turn `! --sport A ! --dport B` into one comparison of both ports (add_nft_tcpudp): the kernel
 * then excludes only packets that have both. iptables-save shows no difference, and which version loaded the rule is not in
 * it. True when `failed` decided against the rule in one reading only.
 */
export function isFusedPair(walk: Walk, place: Place, rule: Rule, failed: PortMatch): boolean {
  if (place.ruleset.backend !== 'iptables-nft' || !isOneNegated(failed)) return false
  const other = rule.parts.find((p) => p.kind === 'port' && p.side !== failed.side && isOneNegated(p))
  if (other?.kind !== 'port') return false
  return (other.side === 'src' ? walk.packet.sport : walk.packet.dport) !== other.ranges[0]![0]
}

function isOneNegated(p: PortMatch): boolean {
  return p.negate && p.side !== 'either' && p.ranges.length === 1 && p.ranges[0]![0] === p.ranges[0]![1]
}
