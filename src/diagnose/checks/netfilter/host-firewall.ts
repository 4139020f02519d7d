import { formatIp, formatPrefix, prefixContains } from '../../../base/ip.ts'
import type { Code } from '../../codes.ts'
import { decisive, diagnosis } from '../../finding.ts'
import type { Check, Failure, Inquiry } from '../../inquiry.ts'
import { addressMatch, proposedRule, withChainPolicy, withRulesAppended } from '../../remedy/edit.ts'
import { podRanges, serviceOfAddress } from '../../view/owner.ts'
import { ruleOwnerText } from '../../view/rule-owner.ts'
import { destination, directionWord, packetWords, placeOf } from '../../view/words.ts'
import { apiServerEndpoints } from '../service/api-server.ts'
import {
  byNetfilter,
  deleteCommand,
  MOST_RANGES,
  onOuterPacket,
  ownerOfRule,
  podRangeWords,
  removeRule,
  ruleText,
} from './rule-facts.ts'

/** `apiserver-host-firewall`: the control plane's own firewall turns away who asks the API server. */
export const apiServerHostFirewall: Check = {
  name: 'apiserver-host-firewall',
  explain(f, q) {
    if (!byNetfilter(f) || f.step.hook !== 'input' || f.netns?.kind !== 'host') return null
    const { packet } = f.step
    const here = apiServerEndpoints(q.objects).some(
      (e) => e.address === formatIp(packet.dst) && e.port === packet.dport,
    )
    if (!here) return null
    const edit = removeRule(f)
    return diagnosis(f, 'apiserver-host-firewall', {
      title: `the firewall of ${f.hop.node} keeps ${formatIp(packet.src)} from the API server`,
      text: `${packetWords(packet)} arrives at the API server's machine untouched; there ${f.cause === 'chain-policy-drop' ? 'the chain policy of INPUT' : ruleText(f)} kills it. Pods on this node are not masqueraded on the way to the API server, so the firewall sees their own addresses.`,
      remedy: {
        text: `Remove the rule, or let it pass ${podRangeWords(q, packet.src.family)} to port ${packet.dport}/tcp; and correct what installs it.`,
        commands: deleteCommand(f),
      },
      ...(edit ? { edit } : {}),
    })
  },
}

/** `pod-firewall-drop`: a rule inside the pod's own netns. */
export const podFirewallDrop: Check = {
  name: 'pod-firewall-drop',
  explain(f) {
    if (!byNetfilter(f) || f.netns?.kind === 'host') return null
    const edit = removeRule(f)
    return diagnosis(f, 'pod-firewall-drop', {
      title: `a rule inside ${placeOf(f)} kills the packet`,
      text: `The ${directionWord(f)} ${packetWords(f.step.packet)} gets as far as ${placeOf(f)}; there ${f.cause === 'chain-policy-drop' ? 'the chain policy' : ruleText(f)} in the pod's own network namespace kills it. Nothing on the node shows this rule: a container with NET_ADMIN (VPN or mesh sidecar, init container) put it there.`,
      remedy: {
        text: 'Remove the rule, or correct the container that installs it, and restart the pod.',
        commands: deleteCommand(f),
      },
      ...(edit ? { edit } : {}),
    })
  },
}

/** `host-firewall-drop`, `host-firewall-reject`, `forward-drop`, `input-drop`, `output-drop`, `raw-drop`, `nft-chain-drop`. */
export const hostFirewall: Check = {
  name: 'host-firewall',
  explain(f, q) {
    if (!byNetfilter(f) || f.cause === 'chain-policy-drop' || onOuterPacket(f)) return null
    const owner = ownerOfRule(f)
    // kube-proxy turns away what it has no rule for (chain cluster-ips-check in nftables mode): the Service explains that.
    if (owner === 'kube-proxy' && serviceOfAddress(q.objects, f.step.packet.dst)) return null
    const hook = f.step.hook ?? 'forward'
    const native = decisive(f.step).some((e) => e.artefact.includes('nft-ruleset'))
    const edit = removeRule(f)
    const commands = deleteCommand(f)
    return diagnosis(
      f,
      firewallCode(f.cause === 'rule-reject', owner === 'firewalld' || owner === 'ufw', native, hook, f.step.table),
      {
        title: `a rule of ${ruleOwnerText(owner)} on ${f.hop.node} ${f.cause === 'rule-reject' ? 'rejects' : 'drops'} the ${directionWord(f)}`,
        text: `${packetWords(f.step.packet)} dies in hook ${hook}${f.step.chain ? `, chain ${f.step.chain}` : ''}${f.step.table ? ` of table ${f.step.table}` : ''}: ${ruleText(f)}. No Kubernetes object asks for this rule.`,
        remedy: {
          text: `Remove the rule, or let it pass ${senderWords(f, q)}; and correct what installs it.`,
          ...(commands.length > 0 ? { commands } : {}),
        },
        ...(edit ? { edit } : {}),
      },
    )
  },
}

function firewallCode(reject: boolean, named: boolean, native: boolean, hook: string, table: string | undefined): Code {
  if (reject) return 'host-firewall-reject'
  if (named) return 'host-firewall-drop'
  if (native) return 'nft-chain-drop'
  if (table === 'raw') return 'raw-drop'
  switch (hook) {
    case 'output':
      return 'output-drop'
    case 'input':
      return 'input-drop'
    default:
      return 'forward-drop'
  }
}

/** `forward-policy-drop` and its like on other hooks: nothing accepted the packet and the chain policy is drop. */
export const chainPolicyDrop: Check = {
  name: 'chain-policy-drop',
  explain(f, q) {
    if (f.cause !== 'chain-policy-drop') return null
    const { hook, chain, table } = f.step
    const native = decisive(f.step).some((e) => e.artefact.includes('nft-ruleset'))
    const artefact = decisive(f.step)[0]?.artefact
    const code = native
      ? 'nft-chain-drop'
      : hook === 'forward'
        ? 'forward-policy-drop'
        : hook === 'output'
          ? 'output-drop'
          : 'input-drop'
    const { packet } = f.step
    const six = packet.src.family === 6 ? 'ip6tables' : 'iptables'
    const tool = artefact?.includes('legacy') ? `${six}-legacy` : six
    const ranges = podRangeWords(q, packet.src.family)
    const place =
      table !== undefined && chain !== undefined && !native
        ? { ...(artefact === undefined ? {} : { artefact }), table, chain }
        : null
    const own = podRanges(q.objects)
      .map((r) => r.range)
      .filter((r) => r.ip.family === packet.src.family)
    const accepts =
      place && hook === 'forward' && place.chain === 'FORWARD' && own.length <= MOST_RANGES
        ? own.flatMap((range) => [
            { range, side: 'src' as const, flag: '-s' },
            { range, side: 'dst' as const, flag: '-d' },
          ])
        : []
    const commands =
      accepts.length > 0
        ? accepts.map((a) => `${tool} -A FORWARD ${a.flag} ${formatPrefix(a.range)} -j ACCEPT`)
        : place && hook === 'forward'
          ? [`${tool} -P ${place.chain} ACCEPT`]
          : []
    const words = policyWords(f, q, native)
    return diagnosis(f, code, {
      title: words.title,
      text: words.text,
      remedy: {
        text:
          words.remedy ??
          `Restart the CNI's node agent so that it adds its accept rules again, or ${accepts.length > 0 ? `accept ${ranges} yourself` : 'set the chain policy back to ACCEPT'}.`,
        ...(commands.length > 0 ? { commands } : {}),
      },
      ...(place && commands.length > 0
        ? {
            edit: (n) =>
              accepts.length > 0
                ? withRulesAppended(
                    n,
                    f.hop.netns,
                    place,
                    accepts.map((a) =>
                      proposedRule(
                        `-A ${place.chain} ${a.flag} ${formatPrefix(a.range)} -j ACCEPT`,
                        [addressMatch(a.side, a.range)],
                        {
                          kind: 'verdict',
                          verdict: { kind: 'accept' },
                        },
                      ),
                    ),
                  )
                : withChainPolicy(n, f.hop.netns, place, 'accept'),
          }
        : {}),
    })
  },
}

/** What a chain policy did, in words; `remedy` where the CNI's agent is not the one who can mend it. */
function policyWords(f: Failure, q: Inquiry, native: boolean): { title: string; text: string; remedy?: string } {
  const { hook = 'forward', chain = hook, table, packet } = f.step
  const passes = `${packetWords(packet)} passes every rule of ${chain} without one that accepts it and falls to the chain policy, which is DROP.`
  const ranges = podRangeWords(q, packet.src.family)
  if (native)
    return {
      title: `nftables chain ${chain} of table ${table ?? '?'} on ${f.hop.node} drops the ${directionWord(f)} by its policy`,
      text: `${passes} Every chain on hook ${hook} must let a packet pass: that iptables or another chain accepts it does not help.`,
      remedy: `Add a rule to ${chain} that accepts ${senderWords(f, q)}, and correct what installs the chain (its table tells who).`,
    }
  if (hook === 'forward')
    return {
      title: `${chain} on ${f.hop.node} drops by its policy, and no rule accepts pod traffic before it`,
      text: `${passes} The CNI's accept rules for ${ranges} are missing on ${f.hop.node} (docker, firewalld or an administrator set the policy).`,
    }
  return {
    title: `${chain} on ${f.hop.node} drops the ${directionWord(f)} by its policy: no rule accepts it`,
    text: `${passes} A firewall of the node itself set that policy; no Kubernetes object asks for it.`,
    remedy: `Add a rule to ${chain} that accepts ${senderWords(f, q)}${hook === 'input' ? ` to ${destination(packet)}` : ''}, and correct what installs the firewall of ${f.hop.node}.`,
  }
}

/** Whom a rule should let pass: the pod ranges for a pod, else the address itself. */
function senderWords(f: Failure, q: Inquiry): string {
  const { src } = f.step.packet
  const pods = podRanges(q.objects).some((r) => prefixContains(r.range, src))
  return pods ? podRangeWords(q, src.family) : formatIp(src)
}
