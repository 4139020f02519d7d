import { formatIp } from '../../../base/ip.ts'
import { protocolName } from '../../../base/protocol.ts'
import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { byNetfilter, deleteCommand, onOuterPacket, removeRule, ruleText } from './rule-facts.ts'

/** `tunnel-blocked`: a rule kills the outer packet of the overlay. */
export const tunnelBlocked: Check = {
  name: 'tunnel-blocked',
  explain(f) {
    if (!byNetfilter(f) || !onOuterPacket(f)) return null
    const outer = f.step.encap?.[0]
    if (!outer) return null
    const { outer: p } = outer
    const what = p.dport ? `${protocolName(p.protocol)} port ${p.dport}` : `IP protocol ${protocolName(p.protocol)}`
    const edit = removeRule(f)
    const commands = deleteCommand(f)
    return diagnosis(f, 'tunnel-blocked', {
      title: `${f.hop.node} drops the tunnel packet (${outer.kind}, ${what})`,
      text: `Packets between nodes travel inside ${outer.kind} (${formatIp(p.src)} → ${formatIp(p.dst)}, ${what}). ${f.cause === 'chain-policy-drop' ? 'The chain policy' : `The rule ${ruleText(f)}`} on ${f.hop.node} kills that outer packet, so nothing between pods of different nodes gets through.`,
      remedy: {
        text: `Remove the rule, or allow ${what} between the nodes in the firewall of ${f.hop.node}; and correct what installs it.`,
        ...(commands.length > 0 ? { commands } : {}),
      },
      ...(edit ? { edit } : {}),
    })
  },
}
