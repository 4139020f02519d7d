/** Small packets arrive, big ones that every configured MTU promises do not: where, and does anybody say so? */
import { formatIp } from '../../../base/ip.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { lossyEchoes, probeProof, resultText } from '../../probes.ts'
import { ownerOf } from '../../view/owner.ts'

function uplinks(
  q: Inquiry,
): { readonly node: string; readonly name: string; readonly mtu: number; readonly evidence: Evidence }[] {
  const out: { node: string; name: string; mtu: number; evidence: Evidence }[] = []
  for (const branch of q.branches)
    for (const hop of branch.trace.forward.hops) {
      const netns = q.network.netns.get(hop.netns)
      if (netns?.kind !== 'host') continue
      for (const l of netns.links)
        if (hop.steps.some((s) => s.link === l.name) && !out.some((o) => o.node === hop.node && o.name === l.name))
          out.push({ node: hop.node, name: l.name, mtu: l.mtu, evidence: l.evidence })
    }
  return out
}

/** `path-mtu-too-small`, `pmtu-blackhole`: small echoes are answered, big ones that the configured MTU promises are not. */
export function bigPacketsLost(q: Inquiry): StateFinding[] {
  const results = q.probes?.results ?? []
  const path = results.find((r) => r.purpose === 'path-mtu' && r.mtu)
  const { mtu } = path ?? {}
  if (!path || !mtu || mtu.largest === 0 || mtu.lost === 0 || lossyEchoes(q)) return []
  // Somebody said "fragmentation needed": senders learn the size and nothing hangs.
  if ((path.senders ?? []).some((s) => (s.mtu ?? 0) > 0)) return []
  const nodes = results.find((r) => r.purpose === 'node-mtu' && r.mtu)
  const outside = ownerOf(q.network, q.objects, path.address).kind === 'outside'
  const links = uplinks(q)
  const jumbo = links.filter((l) => l.mtu > 1500)
  const configured = `${mtu.configured} bytes${
    jumbo.length > 0
      ? ` (${jumbo
          .map((l) => `${l.name} of ${l.node}: ${l.mtu}`)
          .slice(0, 4)
          .join(', ')})`
      : ''
  }`
  const underlay =
    nodes?.mtu === undefined
      ? ''
      : nodes.mtu.lost > 0
        ? ` Between the nodes themselves it is the same: ${resultText(nodes)}, so it is the network under them.`
        : ` The nodes themselves exchange packets of ${nodes.mtu.largest} bytes, so it is on a node, not between them.`
  const blackhole = outside || nodes?.mtu?.lost === 0
  const sizes = `${mtu.largest} bytes pass, ${mtu.lost} bytes vanish without an answer`
  return [
    {
      hurts: true,
      finding: {
        code: blackhole ? 'pmtu-blackhole' : 'path-mtu-too-small',
        severity: 'error',
        title: `the path to ${path.target} loses big packets: ${sizes}`,
        text: outside
          ? `Packets with "don't fragment" of ${mtu.configured} bytes, which every configured MTU allows, disappear on the way to ${path.target}, and no "fragmentation needed" comes back. TCP connects and small answers pass; whatever fills a packet (a TLS hello, an upload) hangs.`
          : `Every link from end to end is configured for ${configured}, but the path carries less and says nothing: ${sizes}. TCP connects; transfers hang.${underlay}`,
        where: {},
        evidence: [
          probeProof(path),
          ...(nodes ? [probeProof(nodes)] : []),
          ...links.slice(0, 4).map((l) => l.evidence),
        ],
        remedy: {
          text: outside
            ? `Let ICMP type 3 code 4 pass, clamp the TCP segment size at the gateway of the narrow link (TCPMSS --clamp-mss-to-pmtu), or lower the MTU of the pods to what ${formatIp(path.address)} can be sent: ${mtu.largest}.`
            : `Raise the MTU of the switch ports and of everything between the nodes, or lower the MTU of nodes and CNI to what the path carries (${mtu.largest} bytes for pods).`,
          verified: false,
        },
      },
    },
  ]
}
