import { formatIp, type Ip, parseIp } from '../../../base/ip.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Inquiry } from '../../inquiry.ts'
import { probeAnswered, probeFailed } from '../../probes.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { backendsOf, dnsServices, serviceName } from '../../view/service-view.ts'
import { packetWords, placeOf } from '../../view/words.ts'
import { byNetfilter, deleteCommand, removeRule, ruleText } from '../netfilter/rule-facts.ts'

/** True when the pod that sends is one of those behind the cluster's DNS Service. */
function fromDnsPod(q: Inquiry, ip: Ip): boolean {
  const text = formatIp(ip)
  return dnsServices(q.objects).some((s) =>
    s.ports.some((p) => backendsOf(q.objects, s, p).some((b) => b.address === text)),
  )
}

/** `dns-upstream-unreachable`: the cluster DNS cannot ask the resolver it forwards to. */
export const dnsUpstream: Check = {
  name: 'dns-upstream-unreachable',
  explain(f, q) {
    const first = f.trace.hops[0]?.steps[0]?.packet
    if (f.direction === 'reply' || first?.dport !== 53 || !fromDnsPod(q, first.src)) return null
    if (ownerOf(q.network, q.objects, first.dst).kind !== 'outside') return null
    if (f.trace.disposition === 'exits-network' && !probeFailed(q)) return null
    const edit = removeRule(f)
    const killed = byNetfilter(f)
      ? `${ruleText(f)} on ${f.hop.node} kills the query`
      : `the query gets as far as ${placeOf(f)}`
    return diagnosis(f, 'dns-upstream-unreachable', {
      title: `the cluster DNS cannot reach its upstream ${formatIp(first.dst)}: ${killed}`,
      text: `${packetWords(first)} is the DNS pod asking the resolver outside; ${killed}. Names of the cluster resolve, all others end in SERVFAIL after some seconds, for every pod.`,
      remedy: {
        text: 'Let the DNS pods reach their upstream (firewall, masquerade), or forward to a resolver they can reach.',
        ...(byNetfilter(f) ? { commands: deleteCommand(f) } : {}),
      },
      ...(byNetfilter(f) && edit ? { edit } : {}),
    })
  },
}

/** True when `ip` lies among the Service addresses: it shares a prefix of at least 12 bits (v6: 96) with all of one. */
function amongServiceAddresses(q: Inquiry, ip: Ip): boolean {
  const bits = ip.family === 4 ? 12 : 96
  return q.objects.services.some((s) =>
    s.clusterIPs.some((text) => {
      const other = parseIp(text)
      return other !== null && other.family === ip.family && commonBits(other, ip) >= bits
    }),
  )
}

function commonBits(x: Ip, y: Ip): number {
  let n = 0
  for (const [a, b] of x.family === 4
    ? [[x.d, y.d]]
    : [
        [x.a, y.a],
        [x.b, y.b],
        [x.c, y.c],
        [x.d, y.d],
      ]) {
    const diff = ((a ?? 0) ^ (b ?? 0)) >>> 0
    if (diff !== 0) return n + Math.clz32(diff)
    n += 32
  }
  return n
}

/** `dns-nameserver-wrong`: the nameserver asked is a Service address nobody has; the DNS Service is elsewhere. */
export const dnsNameserverWrong: Check = {
  name: 'dns-nameserver-wrong',
  explain(f, q) {
    const first = f.trace.hops[0]?.steps[0]?.packet
    if (f.direction === 'reply' || first?.dport !== 53 || probeAnswered(q)) return null
    if (ownerOf(q.network, q.objects, first.dst).kind !== 'outside' || !amongServiceAddresses(q, first.dst)) return null
    const dns = dnsServices(q.objects)[0]
    const right = dns?.clusterIPs[0]
    if (!dns || right === undefined) return null
    const netns = q.network.netns.get(f.trace.hops[0]?.netns ?? '')
    return diagnosis(f, 'dns-nameserver-wrong', {
      title: `the nameserver ${formatIp(first.dst)} is no Service; the cluster DNS is ${right}`,
      text: `${formatIp(first.dst)} lies in the Service range but no Service has it, so no rule translates it and the query goes nowhere. Service ${serviceName(dns)} has ${right}. kubelet on this node hands out the wrong address (clusterDNS).`,
      evidence: [serviceProof(dns), netns?.resolvConf?.evidence],
      remedy: {
        text: `Set clusterDNS: [${right}] in the kubelet configuration of the node, restart kubelet and create the pods anew.`,
      },
    })
  },
}
