/** Bits of the packet mark that two parties set for purposes of their own. */
import type { Evidence } from '../../../model/evidence.ts'
import type { Netns } from '../../../model/network.ts'
import type { Rule } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { chainMaker } from '../../view/rule-owner.ts'
import { concernsNode, type Host, hostsOf } from '../links/hosts.ts'
import { isPerObject, ruleProof, rulesOf } from './rule-scan.ts'

interface Use {
  /** Who sets the bits, by the chain. */
  readonly party: string
  /** Bits it sets to 1 in at least one rule. */
  bits: number
  readonly proofs: { readonly bits: number; readonly proof: Evidence }[]
}

/** kube-proxy and kubelet share their bits by design. Null: somebody we do not know. */
function partyOf(table: string, chain: string): string | null {
  const maker = chainMaker(table, chain)
  if (!maker) return null
  return maker.role === 'kubelet' ? 'kube-proxy' : maker.name
}

/** Bits the rule adds to the mark. A rule that writes the whole mark claims no bits of its own: whoever needs some sets them later. */
function bitsSet(rule: Rule): number[] {
  const added = /mark set (?:meta )?mark (?:or|\|) (0x[0-9a-f]{1,8})\b/.exec(rule.text)
  if (added) return [Number(added[1])]
  return rule.parts.flatMap((p) =>
    p.kind === 'setMark' && p.of === 'packet' && p.value !== 0 && p.mask >>> 0 !== 0xffffffff ? [p.value >>> 0] : [],
  )
}

function usesOf(netns: Netns): Use[] {
  const uses = new Map<string, Use>()
  for (const at of rulesOf(netns, (_, c) => !isPerObject(c.name))) {
    const party = partyOf(at.table.name, at.chain.name)
    if (party === null) continue
    for (const bits of bitsSet(at.rule)) {
      const use = uses.get(party) ?? { party, bits: 0, proofs: [] }
      use.bits = (use.bits | bits) >>> 0
      use.proofs.push({ bits, proof: ruleProof(at) })
      uses.set(party, use)
    }
  }
  return [...uses.values()]
}

function ofHost(host: Host): ClusterFinding[] {
  const uses = usesOf(host.netns)
  return uses.flatMap((x, i) =>
    uses.slice(i + 1).flatMap((y) => {
      const shared = (x.bits & y.bits) >>> 0
      if (shared === 0) return []
      const proof = (u: Use) => u.proofs.find((p) => (p.bits & shared) !== 0)?.proof
      const proxy = x.party === 'kube-proxy' || y.party === 'kube-proxy'
      return [
        clusterFinding('mark-conflict', {
          severity: proxy ? 'error' : 'warning',
          title: `${x.party} and ${y.party} both use bits 0x${shared.toString(16)} of the packet mark on ${host.node}`,
          text: `Each of them sets these bits on packets for a purpose of its own and later reads them back. A packet that one marks is treated by the other as its own: ${proxy ? 'masqueraded or dropped by kube-proxy although nobody asked for it, or admitted past a policy' : 'routed or admitted although nobody asked for it'}.`,
          where: { node: host.node, netns: 'host' },
          concerns: concernsNode(host),
          evidence: [proof(x), proof(y)],
          remedy: {
            text: 'Give one of them other bits: Felix iptablesMarkMask (nftablesMarkMask), kube-proxy iptables.masqueradeBit, or the option of the other program.',
          },
        }),
      ]
    }),
  )
}

/** `mark-conflict` between parties whose chains are known by name. */
export const markConflict: ClusterCheck = {
  name: 'mark-conflict',
  find: (state) => hostsOf(state).flatMap(ofHost),
}
