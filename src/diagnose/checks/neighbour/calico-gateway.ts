/**
 * A pod nobody collected, behind a link of a node. Calico gives its pods the gateway 169.254.1.1, which no machine has: the node
 * answers for it on the host side link (always MAC ee:ee:ee:ee:ee:ee, no address, a host route to the pod). What that answer needs
 * can be read on the node alone (arp_process in net/ipv4/arp.c: proxy_arp on the link or on all, and a route to the asked address by
 * another link).
 */
import { formatIp, ipv4 } from '../../../base/ip.ts'
import type { Netns } from '../../../model/network.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Inquiry } from '../../inquiry.ts'
import { isDefault, linkOf, routesTo } from '../../view/route-view.ts'
import { shellWord } from '../../view/words.ts'
import { confKey } from '../sysctl/forwarding.ts'

const CALICO_MAC = 'ee:ee:ee:ee:ee:ee'
/** 169.254.1.1 */
const GATEWAY = ipv4(0xa9fe0101)

/** `proxy-arp-off`, `route-missing`: the node does not answer for a pod's gateway. */
export const calicoGateway: Check = {
  name: 'calico-gateway',
  explain(f, q) {
    const behind = f.branch.source.behind
    const host = behind ? q.network.netns.get(behind.netns) : undefined
    const link = host?.links.find((l) => l.name === behind?.link)
    const ip = f.branch.source.ip
    if (!host || !link || !ip || f.trace.disposition !== 'insufficient-info' || ip.family !== 4) return null
    if (link.mac !== CALICO_MAC || link.addresses.some((a) => a.ip.family === 4)) return null
    const where = { node: host.node, netns: 'host', link: link.name }
    const values = [confKey(4, link.name, 'proxy_arp'), confKey(4, 'all', 'proxy_arp')].map((k) => ({
      key: k,
      s: host.sysctls.get(k),
    }))
    if (values.every((v) => v.s?.value.trim() === '0'))
      return diagnosis(f, 'proxy-arp-off', {
        title: `proxy_arp is off on ${link.name} of ${host.node}: the pod ${formatIp(ip)} gets no answer for its gateway`,
        text: `The gateway of Calico pods, ${formatIp(GATEWAY)}, exists on no machine; ${host.node} answers for it by proxy ARP on ${link.name}. With proxy_arp 0 the requests of ${formatIp(ip)} stay unanswered and nothing it sends leaves the pod. A sysctl or hardening job reset it after Calico had set it.`,
        evidence: [...values.map((v) => v.s?.evidence), link.evidence],
        where,
        remedy: {
          text: 'Set it to 1, or restart calico-node, which does; leave the CNI links out of the hardening. What the pod then does cannot be tried on the model: its own network was not collected.',
          commands: [`sysctl -w ${values[0]?.key ?? ''}=1`],
        },
      })
    const best = routesTo(host, GATEWAY)[0]
    if (!host.known.has('routes') || (best && linkOf(best) !== link.name)) return null
    const model = defaultOfAnother(q, host)
    return diagnosis(f, 'route-missing', {
      title: `${host.node} has no route that covers ${formatIp(GATEWAY)}, so it does not answer pods for their gateway`,
      text: `Linux answers by proxy ARP only for addresses it has a route to. ${host.node} has lost its default route: who-has ${formatIp(GATEWAY)} from ${formatIp(ip)} on ${link.name} stays unanswered, although proxy_arp is on.`,
      evidence: [
        {
          artefact: host.routes[0]?.evidence.artefact ?? `nodes/${host.node}/host/ip-route.json`,
          text: `no default route, and none to ${formatIp(GATEWAY)}`,
        },
        ...values.map((v) => v.s?.evidence),
      ],
      where,
      remedy: {
        text: `Give ${host.node} a default route (or a route to ${formatIp(GATEWAY)}), also after a reboot. What the pod then does cannot be tried on the model: its own network was not collected.${model ? ` ${model.node} has this route:` : ''}`,
        ...(model ? { commands: [model.command] } : {}),
      },
    })
  },
}

/** The default route of another node, when this one reaches the same gateway by a link of the same name. */
function defaultOfAnother(q: Inquiry, host: Netns): { readonly node: string; readonly command: string } | null {
  for (const netns of q.network.netns.values()) {
    const route =
      netns.kind === 'host' && netns !== host ? netns.routes.find((r) => isDefault(r) && r.family === 4) : undefined
    const hop = route?.nexthops[0]
    const own = hop?.gateway ? routesTo(host, hop.gateway)[0] : undefined
    if (!hop?.gateway || !own || isDefault(own) || !own.nexthops.every((n) => !n.gateway)) continue
    const link = linkOf(own)
    if (link !== undefined)
      return {
        node: netns.node,
        command: `ip route replace default via ${formatIp(hop.gateway)} dev ${shellWord(link)}`,
      }
  }
  return null
}
