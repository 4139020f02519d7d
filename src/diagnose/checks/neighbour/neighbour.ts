/** Next hops that do not answer, answer for somebody else, or are two machines. */
import { formatIp, formatPrefix, ipEquals, prefixContains } from '../../../base/ip.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Failure, Inquiry } from '../../inquiry.ts'
import { withNeighbour, withoutRoute, withRoute, withSysctls } from '../../remedy/edit.ts'
import { holders, ownerOf, ownerText, podRanges } from '../../view/owner.ts'
import { linkOf, routesTo } from '../../view/route-view.ts'
import { packetWords, placeOf } from '../../view/words.ts'
import { confKey } from '../sysctl/forwarding.ts'

const SILENT: ReadonlySet<string> = new Set([
  'neighbour-failed',
  'neighbour-no-answer',
  'proxy-arp-off',
  'neighbour-wrong-mac',
  'wrong-destination-mac',
  'duplicate-address',
])

const WRONG: ReadonlySet<string> = new Set(['neighbour-wrong-mac', 'wrong-destination-mac', 'duplicate-address'])

/** Every MAC that some link of the collected network has for this address. */
function macsOf(q: Inquiry, f: Failure, ip: Failure['step']['packet']['dst']): string[] {
  return holders(q.network, ip)
    .filter((h) => h.netns.id !== f.hop.netns && h.link.kind !== 'loopback')
    .map((h) => h.link.mac)
}

/** `node-address-duplicate`, `pod-address-duplicate`, `neighbour-wrong`: the cache holds a MAC the owner does not have. */
const wrongMac: Check = {
  name: 'neighbour-wrong',
  explain(f, q) {
    const told = f.trace.hops.some((h) => h.steps.some((x) => x.cause !== undefined && WRONG.has(x.cause)))
    if (!told) return null
    for (const hop of f.trace.hops.toReversed()) {
      const netns = q.network.netns.get(hop.netns)
      for (const step of hop.steps.toReversed()) {
        const outer = step.encap?.[0]?.outer ?? step.packet
        const candidates =
          netns?.neighbours.filter((n) => n.mac !== undefined && (step.link === undefined || n.link === step.link)) ??
          []
        const nexthops = netns
          ? routesTo(netns, outer.dst).flatMap((r) => r.nexthops.flatMap((x) => (x.gateway ? [x.gateway] : [])))
          : []
        const entry = candidates.find((n) => {
          if (!ipEquals(n.ip, outer.dst) && !nexthops.some((g) => ipEquals(g, n.ip))) return false
          const real = macsOf(q, f, n.ip)
          return real.length > 0 && !real.includes(n.mac ?? '')
        })
        if (!entry || !netns) continue
        const owner = ownerOf(q.network, q.objects, entry.ip)
        const held = holders(q.network, entry.ip).find((h) => h.link.kind !== 'loopback')
        const code =
          owner.kind === 'node'
            ? 'node-address-duplicate'
            : holders(q.network, entry.ip).length > 1
              ? 'pod-address-duplicate'
              : 'neighbour-wrong'
        const other = [...q.network.netns.values()].flatMap((n) =>
          n.links.filter((l) => l.mac === entry.mac && l.kind !== 'loopback').map((l) => `${l.name} of ${n.id}`),
        )[0]
        return diagnosis(f, code, {
          title: `${netns.node} believes ${formatIp(entry.ip)} is ${entry.mac}, but ${ownerText(owner)} has ${held?.link.mac ?? 'another MAC'}`,
          text: `The neighbour table of ${netns.node} maps ${formatIp(entry.ip)} to ${entry.mac}${other ? ` (${other})` : ', a machine that is not in this cluster'}. ${ownerText(owner)} has the address with MAC ${held?.link.mac ?? '?'}: ${owner.kind === 'node' ? 'another machine on the network uses the same address (a cloned VM, a static address inside the DHCP range), and whoever answered last gets the traffic' : 'the entry is out of date or the address exists twice'}.`,
          evidence: [entry.evidence, held?.link.evidence],
          where: { node: netns.node, netns: netns.kind === 'host' ? 'host' : hop.netns, link: entry.link },
          remedy: {
            text: `Find the machine with MAC ${entry.mac} (switch MAC table; arping -D -I ${entry.link} ${formatIp(entry.ip)}) and take the address from it. Until then pin the right MAC${held ? '' : ' of the owner'}; delete the pin afterwards with ip neigh del.`,
            ...(held
              ? {
                  commands: [
                    `ip neigh replace ${formatIp(entry.ip)} lladdr ${held.link.mac} dev ${entry.link} nud permanent`,
                  ],
                }
              : {}),
          },
          ...(held ? { edit: (n) => withNeighbour(n, netns.id, entry.link, entry.ip, held.link.mac) } : {}),
        })
      }
    }
    return null
  },
}

/** `pod-route-wrong`: the pod thinks the whole cluster range is on its own link. */
const podRouteWrong: Check = {
  name: 'pod-route-wrong',
  explain(f, q) {
    if (f.netns?.kind !== 'pod' || !(f.cause !== undefined && SILENT.has(f.cause))) return null
    const { dst } = f.step.packet
    const route = routesTo(f.netns, dst)[0]
    if (!route || route.nexthops.some((n) => n.gateway) || route.dst.length === 0) return null
    const owner = ownerOf(q.network, q.objects, dst)
    const own = podRanges(q.objects).find((r) => r.node.meta.name === f.hop.node && r.range.ip.family === dst.family)
    if ((owner.kind !== 'pod' && owner.kind !== 'pod-range') || owner.node === f.hop.node) return null
    if (own && own.range.length <= route.dst.length && prefixContains(own.range, route.dst.ip)) return null
    const link = f.netns.links.find((l) => l.name === linkOf(route))
    const address = link?.addresses.find((a) => a.ip.family === dst.family)
    const narrow = own && link && route.dst.length > 0 ? { dst: own.range, link: link.name } : null
    return diagnosis(f, 'pod-route-wrong', {
      title: `${placeOf(f)} takes ${formatIp(dst)} for a neighbour on its own link (prefix length /${route.dst.length})`,
      text: `${link?.name ?? 'The link'} of ${placeOf(f)} has ${address ? `${formatIp(address.ip)}/${address.length}` : 'too wide an address'}, wider than the range of ${f.hop.node}. The pod asks on its own bridge for ${formatIp(dst)}, which is ${ownerText(owner)}, instead of sending to its gateway; nobody answers.`,
      evidence: [address?.evidence, route.evidence],
      remedy: {
        text: `Correct the subnet in the IPAM section of the CNI configuration to the podCIDR of the Node, and create the pod anew.${narrow ? ' Until then, correct the route of this pod.' : ''}`,
        ...(narrow
          ? {
              commands: [
                `ip route replace ${formatPrefix(narrow.dst)} dev ${narrow.link} scope link`,
                `ip route del ${formatPrefix(route.dst)} dev ${narrow.link} scope link`,
              ],
            }
          : {}),
      },
      ...(narrow
        ? {
            edit: (n) =>
              withRoute(
                withoutRoute(n, f.hop.netns, (r) => r === route),
                f.hop.netns,
                { ...route, dst: narrow.dst },
              ),
          }
        : {}),
    })
  },
}

/** `proxy-arp-off`: the gateway 169.254.1.1 of Calico-style pods is answered by proxy ARP only. */
const proxyArpOff: Check = {
  name: 'proxy-arp-off',
  explain(f, q) {
    if (f.cause !== 'proxy-arp-off' || !f.netns) return null
    const host =
      q.network.netns.get(`${f.hop.node}/host`) ??
      [...q.network.netns.values()].find((n) => n.kind === 'host' && n.node === f.hop.node)
    const link = f.netns.kind === 'host' ? f.step.link : peerName(q, f)
    const key = link === undefined ? undefined : confKey(4, link, 'proxy_arp')
    return diagnosis(f, 'proxy-arp-off', {
      title: `nobody answers ${placeOf(f)} for its gateway: proxy_arp is off on ${link ?? 'its host side link'}`,
      text: `The pod's gateway exists on no machine; the node answers for it by proxy ARP on ${link ?? 'the host side of the pod link'}. With proxy_arp 0 the pod's ARP requests stay unanswered. A sysctl or hardening job reset it after the CNI had set it.`,
      evidence: [key === undefined ? undefined : host?.sysctls.get(key)?.evidence],
      where: { netns: 'host', ...(link === undefined ? {} : { link }) },
      remedy: {
        text: 'Set it to 1 (or restart the CNI agent, which does), and leave the CNI links out of the hardening.',
        ...(key === undefined ? {} : { commands: [`sysctl -w ${key}=1`] }),
      },
      ...(key !== undefined && host ? { edit: (n) => withSysctls(n, host.id, { [key]: '1' }) } : {}),
    })
  },
}

function peerName(q: Inquiry, f: Failure): string | undefined {
  const link = f.netns?.links.find((l) => l.name === f.step.link)
  const peer = link?.peer
  return peer ? q.network.netns.get(peer.netns)?.links.find((l) => l.ifindex === peer.ifindex)?.name : undefined
}

/** `neighbour-unreachable`: the next hop does not answer and nothing more specific explains it. */
const neighbourUnreachable: Check = {
  name: 'neighbour-unreachable',
  explain(f, q) {
    if (f.cause !== 'neighbour-failed' && f.cause !== 'neighbour-no-answer') return null
    const p = f.step.encap?.[0]?.outer ?? f.step.packet
    const owner = ownerOf(q.network, q.objects, p.dst)
    return diagnosis(f, 'neighbour-unreachable', {
      title: `${placeOf(f)} gets no answer to ${p.dst.family === 6 ? 'neighbour solicitation' : 'ARP'} on ${f.step.link ?? 'the link'}`,
      text: `To send ${packetWords(f.step.packet)}, ${placeOf(f)} needs the MAC of the next hop on ${f.step.link ?? 'the link'}; no machine there answers. The destination is ${ownerText(owner)}.`,
      remedy: {
        text:
          owner.kind === 'outside'
            ? 'Check that a machine has this address and is on this network.'
            : 'Check the link of the machine or pod that should answer.',
      },
    })
  },
}

export const neighbourChecks: readonly Check[] = [wrongMac, podRouteWrong, proxyArpOff]
export const neighbourLast: readonly Check[] = [neighbourUnreachable]
