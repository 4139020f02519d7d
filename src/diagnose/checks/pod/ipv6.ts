import { formatIp, ipEquals, prefixContains } from '../../../base/ip.ts'
import type { Netns } from '../../../model/network.ts'
import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { routesTo } from '../../view/route-view.ts'

/** The sysctl that switches IPv6 off for a link of this netns, when one does. */
function disabledBy(netns: Netns) {
  for (const key of ['net.ipv6.conf.all.disable_ipv6', 'net.ipv6.conf.eth0.disable_ipv6']) {
    const s = netns.sysctls.get(key)
    if (s?.value.trim() === '1') return { key, evidence: s.evidence }
  }
  return null
}

/** `dad-failed`: the address is there, but the kernel will not use it. */
export const dadFailed: Check = {
  name: 'dad-failed',
  explain(f, q) {
    const { packet } = f.step
    for (const ip of [packet.dst, packet.src])
      for (const netns of q.network.netns.values())
        for (const link of netns.links) {
          const address = link.addresses.find((a) => ipEquals(a.ip, ip) && a.flags.includes('dadfailed'))
          if (!address || ip.family !== 6) continue
          const place = netns.pod ? `pod ${netns.pod.namespace}/${netns.pod.name}` : netns.node
          return diagnosis(f, 'dad-failed', {
            title: `${formatIp(ip)} of ${place} failed duplicate address detection`,
            text: `${link.name} of ${place} lists ${formatIp(ip)}/${address.length} with the flags ${address.flags.join(' ')}: another machine answered for the address (or the bridge reflected the pod's own solicitation), so the kernel neither answers for it nor accepts packets to it.`,
            evidence: [address.evidence, link.evidence],
            where: { node: netns.node, netns: netns.id.slice(netns.node.length + 1), link: link.name },
            remedy: {
              text: 'Remove the duplicate (an old pod that still runs?) and create the pod anew, so that the address is checked again; with hairpin bridges use a CNI version that switches DAD off (accept_dad=0, enhanced_dad).',
            },
          })
        }
    return null
  },
}

/** `ipv6-disabled`: the destination lost its IPv6 addresses because IPv6 is switched off in its netns. */
export const ipv6Disabled: Check = {
  name: 'ipv6-disabled',
  explain(f, q) {
    const { packet } = f.step
    if (packet.dst.family !== 6) return null
    const text = formatIp(packet.dst)
    const known = q.objects.pods.find((p) => p.podIPs.includes(text))
    const silent =
      f.cause === 'neighbour-no-answer' ||
      f.cause === 'neighbour-failed' ||
      f.cause === 'ipv6-disabled' ||
      f.cause === 'no-route'
    if (!silent || !f.netns) return null
    const route = routesTo(f.netns, packet.dst)[0]
    const candidates = [...q.network.netns.values()].filter((n) => {
      if (n.kind !== 'pod' || n.node !== f.hop.node || !disabledBy(n)) return false
      if (known) return n.pod?.name === known.meta.name && n.pod.namespace === known.meta.namespace
      return (
        n.id === f.netns?.id ||
        !n.links.some((l) => l.addresses.some((a) => a.ip.family === 6 && route && prefixContains(route.dst, a.ip)))
      )
    })
    const netns = candidates[0]
    const why = netns ? disabledBy(netns) : null
    if (!netns?.pod || !why || (candidates.length > 1 && !known)) return null
    const name = `${netns.pod.namespace}/${netns.pod.name}`
    return diagnosis(f, 'ipv6-disabled', {
      title: `IPv6 is switched off inside pod ${name}`,
      text: `Nobody on ${f.step.link ?? f.hop.node} answers for ${text}. Pod ${name}, which should be on this network, has ${why.key} = 1: the kernel took all IPv6 addresses from its links. Its neighbours have theirs.`,
      evidence: [why.evidence],
      where: { node: netns.node, netns: `pod/${name}`, object: `Pod ${name}` },
      remedy: {
        text: 'Set it to 0 before the pod starts (node default, pod securityContext sysctls, image start-up script) and create the pod anew. Setting it in the running pod is not enough: its addresses are gone, and only the CNI gives it new ones.',
      },
    })
  },
}
