/** Source ports that translation, or the programs of a netns, may still choose towards one destination. */
import { formatEndpoint, formatIp, ipEquals } from '../../../base/ip.ts'
import { protocolName, TCP, UDP } from '../../../base/protocol.ts'
import { ipKey } from '../../../datapath/facts.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { counterProof, type Host, hostsOf } from '../links/hosts.ts'

/**
 * Ports a masqueraded connection may get unless the rule names a range: 1024–65535 for a source port above 1023
 * (net/netfilter/nf_nat_core.c nf_nat_l4proto_unique_tuple).
 */
const FREE_PORTS = 65536 - 1024
const EXHAUSTED = 0.9

/** The smallest `--to-ports` range of a masquerade rule; FREE_PORTS when none names one. Chains of single Services are not read. */
function portsOf(netns: Netns): { readonly size: number; readonly proof?: Evidence } {
  let best: { size: number; proof?: Evidence } = { size: FREE_PORTS }
  for (const ruleset of netns.rulesets)
    for (const table of ruleset.tables)
      for (const chain of table.chains.values()) {
        if (/^(KUBE-(SVC|SEP|SVL|EXT|FW|XLB)-|service-|endpoint-|external-)/.test(chain.name)) continue
        if (!/nat|kube-proxy/.test(table.name)) continue
        for (const rule of chain.rules())
          for (const p of rule.parts) {
            if (p.kind !== 'masquerade' || p.port?.kind !== 'range') continue
            const size = p.port.to - p.port.from + 1
            if (size > 0 && size < best.size)
              best = { size, proof: { artefact: ruleset.artefact, line: rule.line, text: rule.text } }
          }
      }
  return best
}

function ofHost(host: Host): ClusterFinding[] {
  const { netns } = host
  const groups = new Map<string, { first: (typeof netns.conntrack)[number]; ports: Set<number> }>()
  for (const e of netns.conntrack) {
    if (e.original.protocol !== TCP && e.original.protocol !== UDP) continue
    if (ipEquals(e.reply.dst, e.original.src)) continue
    const key = `${e.original.protocol} ${ipKey(e.reply.dst)} ${ipKey(e.reply.src)} ${e.reply.sport}`
    const group = groups.get(key) ?? { first: e, ports: new Set<number>() }
    group.ports.add(e.reply.dport)
    groups.set(key, group)
  }
  const largest = [...groups.values()].sort((x, y) => y.ports.size - x.ports.size)[0]
  // No range is smaller than this in earnest, and reading the rules costs time.
  if (!largest || largest.ports.size < 100) return []
  const range = portsOf(netns)
  if (largest.ports.size < range.size * EXHAUSTED) return []
  const { first, ports } = largest
  const to = formatEndpoint(first.reply.src, first.reply.sport)
  const from = formatIp(first.reply.dst)
  return [
    clusterFinding('snat-port-exhaustion', {
      severity: 'error',
      hurts: true,
      title: `${host.node} runs out of source ports towards ${to} (${ports.size} of ${range.size} in use)`,
      text: `Connections that ${host.node} masquerades reach ${to} with the one address ${from}, and each of them needs a ${protocolName(first.original.protocol)} source port of its own. ${ports.size} of ${range.size} are taken, so new connections to that destination fail until an old one has left the table; other destinations work.`,
      where: { node: host.node, netns: 'host' },
      concerns: [
        {
          kind: 'translated',
          netns: netns.id,
          protocol: first.original.protocol,
          source: first.reply.dst,
          destination: first.reply.src,
          port: first.reply.sport,
        },
      ],
      evidence: [first.evidence, range.proof, counterProof(netns, 'conntrack.insert_failed')],
      remedy: {
        text: 'Let the client reuse connections (keep-alive, a pool), give the node more source addresses, or spread the destination over several addresses.',
      },
    }),
  ]
}

/** `snat-port-exhaustion`: 0.9 of the ports of one translated source towards one destination are taken. */
export const snatPortExhaustion: ClusterCheck = {
  name: 'snat-port-exhaustion',
  find: (state) => hostsOf(state).flatMap((host) => (host.netns.known.has('conntrack') ? ofHost(host) : [])),
}
