import { formatIp, prefixContains } from '../../../base/ip.ts'
import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { probeAnswered, probeFailed } from '../../probes.ts'
import { ownerOf, podRanges } from '../../view/owner.ts'
import { packetWords } from '../../view/words.ts'

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
        text: `Let the CNI masquerade pod traffic that leaves the cluster (flannel --ip-masq, Calico natOutgoing: true, ip-masq-agent) and restart its agent on ${f.hop.node}.`,
      },
    })
  },
}
