/** Who sent a refusal: the destination itself, a node on the way, the asking machine, or somebody else. */
import { formatIp, ipEquals } from '../../../base/ip.ts'
import type { Network } from '../../../model/network.ts'
import type { AnswerSender } from '../../../model/probe.ts'
import type { Hop } from '../../../model/trace.ts'
import type { Branch, Inquiry, ProbeResult } from '../../inquiry.ts'
import { holders, serviceOfAddress } from '../../view/owner.ts'

export type Refuser =
  | { readonly kind: 'destination'; readonly hop: Hop; readonly how: string }
  | { readonly kind: 'node'; readonly node: string; readonly how: string }
  | { readonly kind: 'self'; readonly how: string }
  | { readonly kind: 'other'; readonly how: string }
  /** Not seen, or it could be several. */
  | { readonly kind: 'unknown'; readonly how: string }

/** TTL, or hop limit, a machine begins with (Linux 64, Windows 128, routers 255). */
function routersPassed(ttl: number): number {
  return (ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl
}

/** Hops of the way with the number of routers between them and the source. */
function distances(branch: Branch): { readonly hop: Hop; readonly routers: number }[] {
  const [first, ...rest] = branch.trace.forward.hops
  const begin = first?.steps.at(-1)?.packet.ttl
  if (begin === undefined) return []
  return rest.flatMap((hop) => {
    const arrived = hop.steps[0]?.packet.ttl
    return arrived === undefined ? [] : [{ hop, routers: begin - arrived }]
  })
}

/**
 * A RST carries the destination's address whoever sent it (net/ipv4/netfilter/nf_reject_ipv4.c, nf_send_reset), and an ICMP error about a
 * translated connection the Service's (nf_nat_icmp_reply_translation): there the TTL tells, which begins anew at the sender.
 */
export function refuserOf(q: Inquiry, r: ProbeResult): Refuser {
  const s = r.senders?.[0]
  if (!s)
    return {
      kind: 'unknown',
      how: r.blind ? `the sender of the answer is not known: ${r.blind}` : 'no refusal was seen on the wire',
    }
  const branch = q.branches.find((b) => b.stage === undefined)
  if (s.link === 'lo') return { kind: 'self', how: `${said(s)} came from the asking machine itself` }
  const byAddress = s.kind === 'icmp' && !serviceOfAddress(q.objects, s.from) ? holderOf(q.network, s) : null
  const end = branch?.trace.forward.hops.at(-1)
  if (byAddress) {
    const how = `${said(s)} came from ${formatIp(s.from)}, an address of ${byAddress.name}`
    if (byAddress.host) return { kind: 'node', node: byAddress.node, how }
    return end?.netns === byAddress.netns ? { kind: 'destination', hop: end, how } : { kind: 'other', how }
  }
  if (s.kind === 'icmp' && !ipEquals(s.from, r.address))
    return { kind: 'other', how: `${said(s)} came from ${formatIp(s.from)}, which is no machine of the cluster` }
  const passed = routersPassed(s.ttl)
  const there = branch ? distances(branch).filter((d) => d.routers === passed) : []
  const how = `${said(s)} arrived with TTL ${s.ttl}, so ${passed === 0 ? 'no router' : passed === 1 ? 'one router' : `${passed} routers`} passed it on`
  const only = there.length === 1 ? there[0]?.hop : undefined
  if (!only) return { kind: 'unknown', how }
  if (only === end && branch?.trace.forward.disposition !== 'exits-network' && !isHost(q.network, only))
    return { kind: 'destination', hop: only, how: `${how}: it is from the destination's own kernel` }
  if (only === end && isHost(q.network, only) && endsThere(branch))
    return { kind: 'destination', hop: only, how: `${how}: it is from ${only.node} itself, the destination` }
  return { kind: 'node', node: only.node, how: `${how}: it is from ${only.node}` }
}

function endsThere(branch: Branch | undefined): boolean {
  return branch?.trace.forward.disposition === 'delivered' || branch?.trace.forward.disposition === 'no-listener'
}

function isHost(network: Network, hop: Hop): boolean {
  return network.netns.get(hop.netns)?.kind === 'host'
}

function holderOf(network: Network, s: AnswerSender) {
  const held = holders(network, s.from)
  const one = held.length === 1 ? held[0]?.netns : undefined
  if (!one) return null
  return {
    netns: one.id,
    node: one.node,
    host: one.kind === 'host',
    name: one.pod ? `pod ${one.pod.namespace}/${one.pod.name}` : one.node,
  }
}

/** `the RST`, `ICMP "host unreachable"`. */
function said(s: AnswerSender): string {
  return s.kind === 'rst' ? 'the RST' : `ICMP "${icmpText(s)}"`
}

const V4: Record<number, string> = {
  0: 'network unreachable',
  1: 'host unreachable',
  2: 'protocol unreachable',
  3: 'port unreachable',
  4: 'fragmentation needed',
  9: 'network prohibited',
  10: 'host prohibited',
  13: 'administratively prohibited',
}
const V6: Record<number, string> = {
  0: 'no route',
  1: 'administratively prohibited',
  3: 'address unreachable',
  4: 'port unreachable',
  5: 'source policy',
  6: 'reject route',
}

/** The message in words (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3.1). */
export function icmpText(s: AnswerSender): string {
  const words =
    s.from.family === 4 ? (s.type === 3 ? V4[s.code ?? 0] : undefined) : s.type === 1 ? V6[s.code ?? 0] : undefined
  return words ?? `type ${s.type} code ${s.code}`
}

/** True for "host unreachable": the last router asked for the neighbour and got no answer (a REJECT rule may say so as well). */
export function saysHostUnreachable(s: AnswerSender): boolean {
  return s.kind === 'icmp' && (s.from.family === 4 ? s.type === 3 && s.code === 1 : s.type === 1 && s.code === 3)
}
