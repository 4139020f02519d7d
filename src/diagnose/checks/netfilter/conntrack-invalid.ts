import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { byNetfilter, deleteCommand, matchesInvalid, removeRule, ruleText } from './rule-facts.ts'

/** `conntrack-invalid-drop`: a rule drops what conntrack calls INVALID, because the node saw only one direction. */
export const conntrackInvalidDrop: Check = {
  name: 'conntrack-invalid-drop',
  explain(f) {
    if (!(byNetfilter(f) && matchesInvalid(f)) && f.cause !== 'conntrack-invalid') return null
    const commands = deleteCommand(f)
    const edit = commands.length > 0 ? removeRule(f) : undefined
    return diagnosis(f, 'conntrack-invalid-drop', {
      title: `${f.hop.node} sees one direction only and drops the packet as INVALID`,
      text: `Request and reply take different ways, so the conntrack table of ${f.hop.node} knows only half of the connection and calls its later packets INVALID; ${ruleText(f)} drops them.`,
      remedy: {
        text: 'Make the routing symmetric (send to the node that owns the pod), or let the half-seen connections pass: kube-proxy with conntrack.tcpBeLiberal (1.29 and newer) does not write this rule. The sysctl nf_conntrack_tcp_be_liberal alone does not help: it is about sequence numbers.',
        ...(commands.length > 0 ? { commands } : {}),
      },
      ...(edit ? { edit } : {}),
    })
  },
}
