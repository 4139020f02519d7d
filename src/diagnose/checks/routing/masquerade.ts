import { formatIp, formatPrefix, prefixContains } from '../../../base/ip.ts'
import type { Network } from '../../../model/network.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Failure, Inquiry } from '../../inquiry.ts'
import { probeAnswered, probeFailed } from '../../probes.ts'
import { addressMatch, proposedRule, withRulesAppended } from '../../remedy/edit.ts'
import { ownerOf, podRanges } from '../../view/owner.ts'
import { isDefault, linkOf } from '../../view/route-view.ts'
import { packetWords, shellWord } from '../../view/words.ts'

/**
 * `masquerade-missing`: a packet leaves the cluster with a pod's address as its source, and no answer comes. Without a
 * probe that is a suspicion only: some clusters announce pod routes to their routers and need no masquerade.
 */
export const masqueradeMissing: Check = {
  name: 'masquerade-missing',
  explain(f, q) {
    const { packet } = f.step
    if (f.trace.disposition !== 'exits-network' || f.direction === 'reply' || probeAnswered(q)) return null
    if (f.netns?.kind !== 'host' || (f.step.encap?.length ?? 0) > 0) return null
    if (ownerOf(q.network, q.objects, packet.dst).kind !== 'outside') return null
    const from = ownerOf(q.network, q.objects, packet.src)
    const podSource = from.kind === 'pod' || podRanges(q.objects).some((r) => prefixContains(r.range, packet.src))
    if (!podSource) return null
    const sure = probeFailed(q)
    const nat = f.netns.rulesets.find((r) => r.tables.some((t) => t.name === 'nat'))
    const stopgap = masqueradeRule(f, q)
    return diagnosis(f, 'masquerade-missing', {
      severity: sure ? 'error' : 'warning',
      title: `packets leave ${f.hop.node} for the outside with the pod address ${formatIp(packet.src)}`,
      text: `${packetWords(packet)} leaves ${f.hop.node} by ${f.step.link ?? 'its uplink'} untranslated: no rule in POSTROUTING masquerades it. Machines outside have no route back to pod addresses${sure ? ', and the probes got no answer' : ', unless the routers learn pod routes; --prove would tell'}.`,
      evidence: [
        nat
          ? { artefact: nat.artefact, text: `no MASQUERADE or SNAT rule matches a source of ${formatIp(packet.src)}` }
          : undefined,
      ],
      remedy: {
        text: `Let the CNI masquerade pod traffic that leaves the cluster (flannel --ip-masq, Calico natOutgoing: true, ip-masq-agent) and restart its agent on ${f.hop.node}.${stopgap ? ' Until then, a rule of your own:' : ''}`,
        ...(stopgap ? { commands: [stopgap.command] } : {}),
      },
      ...(stopgap ? { edit: stopgap.edit } : {}),
    })
  },
}

/** A masquerade of the pod range at the uplink; null where pods of other nodes are reached by that link too. */
function masqueradeRule(
  f: Failure,
  q: Inquiry,
): { readonly command: string; readonly edit: (n: Network) => Network } | null {
  const { packet, link } = f.step
  const { netns } = f
  const own = podRanges(q.objects).find((r) => prefixContains(r.range, packet.src))?.range
  const ruleset = netns?.rulesets.find(
    (r) =>
      r.backend !== 'nft' &&
      r.tables.some((t) => t.name === 'nat' && t.chains.has('POSTROUTING') && sameFamily(t.family, packet.src.family)),
  )
  if (!netns || !own || link === undefined || !ruleset) return null
  const shared = podRanges(q.objects).some(
    (r) =>
      r.range !== own &&
      netns.routes.some((x) => prefixContains(x.dst, r.range.ip) && !isDefault(x) && linkOf(x) === link),
  )
  if (shared) return null
  const tool = `${packet.src.family === 6 ? 'ip6tables' : 'iptables'}${ruleset.backend === 'iptables-legacy' ? '-legacy' : ''}`
  const rule = `-A POSTROUTING -s ${formatPrefix(own)} -o ${shellWord(link)} -j MASQUERADE`
  return {
    command: `${tool} -t nat ${rule}`,
    edit: (n) =>
      withRulesAppended(n, netns.id, { artefact: ruleset.artefact, table: 'nat', chain: 'POSTROUTING' }, [
        proposedRule(
          rule,
          [addressMatch('src', own), { kind: 'link', side: 'out', name: link, wildcard: false, negate: false }],
          { kind: 'masquerade', port: null, random: false },
        ),
      ]),
  }
}

function sameFamily(table: string, family: 4 | 6): boolean {
  return table === (family === 6 ? 'ip6' : 'ip')
}
