import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { byNetfilter, deleteCommand, removeRule, ruleText } from './rule-facts.ts'

/** xt_statistic and nft numgen random in the deciding rule: it drops a share of the packets, chosen by chance. */
const BY_CHANCE = /-m statistic .*--mode (random|nth)|numgen (random|inc)/

/** `packet-loss`: a rule drops packets at random. */
export const packetLossByRule: Check = {
  name: 'packet-loss by rule',
  explain(f) {
    if (!byNetfilter(f) || !BY_CHANCE.test(ruleText(f))) return null
    const edit = removeRule(f)
    const commands = deleteCommand(f)
    const share = `${Math.round(f.probability * 1000) / 10} %`
    return diagnosis(f, 'packet-loss', {
      title: `a rule on ${f.hop.node} drops packets by chance`,
      text: `The rule ${ruleText(f)} drops a share of the packets it matches. ${share} of the connection's packets end there; TCP repeats them after 1, 3 and 7 s, so that connecting is slow rather than impossible.`,
      remedy: { text: 'Remove the rule, or find out what installs it.', ...(commands.length > 0 ? { commands } : {}) },
      ...(edit ? { edit } : {}),
    })
  },
}
