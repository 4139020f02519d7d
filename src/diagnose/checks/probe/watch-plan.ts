/** Which netns are watched while probes are sent, for which packets, and which counters are wanted. */
import { formatIp, type Ip } from '../../../base/ip.ts'
import { ICMP, ICMPV6 } from '../../../base/protocol.ts'
import type { NetnsId } from '../../../model/network.ts'
import type { Inquiry } from '../../inquiry.ts'
import { holders } from '../../view/owner.ts'
import type { PlannedProbe } from './plan.ts'

export interface WatchPlan {
  readonly netns: readonly NetnsId[]
  readonly spec: {
    /** IANA number. */
    readonly protocol: number
    readonly marks: readonly { readonly address: string; readonly port: number }[]
    readonly tunnelPorts: readonly number[]
  }
  /** Texts of rules that the prediction blames. */
  readonly suspects: readonly string[]
}

const MOST_NETNS = 8

/** Everything on the ways of the question that packets of `protocol` are watched at. */
export function watchedPath(q: Inquiry, protocol: number): WatchPlan {
  const netns = new Set<NetnsId>()
  const marks = new Map<string, { address: string; port: number }>()
  const tunnelPorts = new Set<number>()
  const own = q.branches.filter((b) => b.stage === undefined)
  const portless = protocol === ICMP || protocol === ICMPV6
  for (const branch of own)
    for (const trace of [branch.trace.forward, branch.trace.reply])
      for (const hop of trace?.hops ?? []) {
        const known = q.network.netns.get(hop.netns)
        if (known) netns.add(hop.netns)
        for (const l of known?.links ?? []) {
          if (l.vxlan) tunnelPorts.add(l.vxlan.port)
          if (l.kind === 'geneve' && l.tunnel?.port !== undefined) tunnelPorts.add(l.tunnel.port)
        }
        if (trace !== branch.trace.forward) continue
        for (const s of hop.steps) {
          if (s.encap && s.encap.length > 0) continue
          const mark = { address: formatIp(s.packet.dst), port: portless ? 0 : s.packet.dport }
          marks.set(`${mark.address}/${mark.port}`, mark)
        }
      }
  const suspects = q.failures.flatMap((f) => (f.step.rule === undefined ? [] : [ruleWithoutCounters(f.step.rule)]))
  return {
    netns: [...netns].slice(0, MOST_NETNS),
    spec: { protocol, marks: [...marks.values()].slice(0, 16), tunnelPorts: [...tunnelPorts].slice(0, 8) },
    suspects: [...new Set(suspects)].slice(0, 8),
  }
}

/** `[12:720] -A FORWARD …` without its counters; nft's `counter packets 12 bytes 720` and handle go too. */
export function ruleWithoutCounters(rule: string): string {
  return rule
    .replace(/^\[\d+:\d+\] /, '')
    .replace(/counter packets \d+ bytes \d+ ?/, '')
    .replace(/ # handle \d+$/, '')
    .trim()
}

/** The probe that tells whether the network between the nodes is what loses big packets: from the first node of the way to the next. */
export function nodeMtuProbe(q: Inquiry, to: Ip): { readonly from: NetnsId; readonly probe: PlannedProbe } | null {
  const branch = q.branches.find((b) => b.stage === undefined)
  const hosts = (branch?.trace.forward.hops ?? []).filter((h) => q.network.netns.get(h.netns)?.kind === 'host')
  const [first, next] = hosts
  if (!first || !next || first.netns === next.netns) return null
  const wire = first.steps.findLast((s) => s.kind === 'wire' || s.kind === 'send')
  const link = q.network.netns.get(first.netns)?.links.find((l) => l.name === wire?.link)
  const outer = wire?.encap?.[0]?.outer.dst
  const arrived = q.network.netns.get(next.netns)?.links.find((l) => l.name === next.steps[0]?.link)
  const address = outer ?? arrived?.addresses.find((a) => a.ip.family === to.family && a.scope === 'global')?.ip
  if (!link || !address || !holders(q.network, address).some((h) => h.netns.id === next.netns)) return null
  return {
    from: first.netns,
    probe: {
      kind: 'mtu',
      purpose: 'node-mtu',
      target: `node/${next.node}`,
      address,
      port: 0,
      count: 1,
      wait: 1,
      low: 1280,
      high: link.mtu,
    },
  }
}
