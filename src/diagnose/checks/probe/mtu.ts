/** What only packets can tell: big ones vanish, some vanish, all vanish although the state says they should arrive. */
import type { Evidence } from '../../../model/evidence.ts'
import type { Inquiry, ProbeResult, StateFinding } from '../../inquiry.ts'
import { ownerOf } from '../../view/owner.ts'

function proof(r: ProbeResult): Evidence {
  return { artefact: `probe: ${r.command}`, text: r.output, source: '--prove' }
}

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
  const small = results.find((r) => r.kind === 'big-echo' && r.answered > 0)
  const big = results.find((r) => r.kind === 'big-echo' && r.answered === 0 && r.sent >= 2)
  if (!small || !big || (small.bytes ?? 0) >= (big.bytes ?? 0)) return []
  const told = /frag(mentation)? needed|message too long|mtu ?=/i.test(big.output)
  if (told) return []
  const target = q.branches[0]?.target
  const outside = target ? ownerOf(q.network, q.objects, target.ip).kind === 'outside' : false
  const links = uplinks(q)
  const jumbo = links.filter((l) => l.mtu > 1500)
  const sizes = `${small.bytes} bytes pass, ${big.bytes} bytes vanish without an answer`
  return [
    {
      hurts: true,
      finding: {
        code: outside ? 'pmtu-blackhole' : 'path-mtu-too-small',
        severity: 'error',
        title: `the path to ${target?.label ?? 'the destination'} loses big packets: ${sizes}`,
        text: outside
          ? `Packets with "don't fragment" of ${big.bytes} bytes, which every configured MTU allows, disappear on the way to ${target?.label}, and no "fragmentation needed" comes back. TCP connects and small answers pass; whatever fills a packet (a TLS hello, an upload) hangs.`
          : `Every link from end to end is configured for ${big.bytes} bytes${
              jumbo.length > 0
                ? ` (${jumbo
                    .map((l) => `${l.name} of ${l.node}: ${l.mtu}`)
                    .slice(0, 4)
                    .join(', ')})`
                : ''
            }, but the network between the nodes carries less and says nothing: ${sizes}. TCP connects; transfers hang.`,
        where: {},
        evidence: [proof(big), proof(small), ...links.slice(0, 4).map((l) => l.evidence)],
        remedy: {
          text: outside
            ? 'Let ICMP type 3 code 4 pass, clamp the TCP segment size at the gateway of the narrow link (TCPMSS --clamp-mss-to-pmtu), or lower the MTU of the pods.'
            : 'Raise the MTU of the switch ports and of everything between the nodes, or lower the MTU of nodes and CNI to what the path carries.',
          verified: false,
        },
      },
    },
  ]
}

/** `packet-loss`: some probes are answered and some are not, where the state knows of no reason. */
export function someProbesLost(q: Inquiry): StateFinding[] {
  const tries = q.probes?.results.filter((r) => r.kind === 'echo' && r.sent >= 10) ?? []
  const lossy = tries.find((r) => r.answered > 0 && r.answered <= r.sent * 0.9)
  if (!lossy || q.failures.length > 0) return []
  return [
    {
      hurts: true,
      finding: {
        code: 'packet-loss',
        severity: 'error',
        title: `${lossy.sent - lossy.answered} of ${lossy.sent} echoes to ${lossy.target} are lost`,
        text: 'Nothing in the state of the nodes explains it: packets are lost between them (cable, NIC, switch) or by an overloaded machine. TCP repeats lost packets after 1, 3 and 7 s.',
        where: {},
        evidence: [proof(lossy)],
        remedy: {
          text: 'Look at the error counters of the NICs and switch ports of the path (ip -s link, ethtool -S).',
          verified: false,
        },
      },
    },
  ]
}

/** `underlay-drop`: the state of every node says the packet should arrive, and no probe is answered. */
export function allProbesLost(q: Inquiry): StateFinding[] {
  const tries =
    q.probes?.results.filter((r) => r.kind === 'connect' || r.kind === 'echo' || r.kind === 'datagram') ?? []
  if (tries.length === 0 || tries.some((r) => r.answered > 0) || q.failures.length > 0) return []
  const nodes = new Set(q.branches.flatMap((b) => b.trace.forward.hops.map((h) => h.node)))
  if (nodes.size < 2 || !q.branches.every((b) => b.trace.disposition === 'delivered')) return []
  const silent = tries.every((r) => r.error === undefined || r.error === 'ETIMEDOUT' || r.error === 'timeout')
  if (!silent) return []
  const [from, to] = [...nodes]
  return [
    {
      hurts: true,
      finding: {
        code: 'underlay-drop',
        severity: 'error',
        title: `packets leave ${from} and do not arrive at ${to}`,
        text: `Routes, rules and tunnels of the nodes are right, yet no probe is answered: something between ${[...nodes].join(' and ')} drops the packets (security group, anti-spoofing, switch, firewall between the nodes).`,
        where: { ...(from === undefined ? {} : { node: from }) },
        evidence: tries.map(proof),
        remedy: {
          text: 'Allow the traffic between the nodes in the network outside them; a capture on both NICs shows the packet leaving and not arriving.',
          verified: false,
        },
      },
    },
  ]
}
