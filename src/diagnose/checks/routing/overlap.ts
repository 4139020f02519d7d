/** Ranges that collide: a route of the cluster or of a private bridge takes packets meant for other machines. */
import { formatIp, formatPrefix, type Prefix, parsePrefix, prefixContains, prefixesOverlap } from '../../../base/ip.ts'
import type { Evidence } from '../../../model/evidence.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Inquiry } from '../../inquiry.ts'
import { withoutLink, withoutRoute } from '../../remedy/edit.ts'
import { ownerOf, podRanges } from '../../view/owner.ts'
import { isDefault, linkOf, routesTo } from '../../view/route-view.ts'
import { directionWord, packetWords, placeOf, shellWord } from '../../view/words.ts'

/** `cidr-overlap-node`, `route-blackhole`: the route that wins throws the packet away. */
const blackhole: Check = {
  name: 'route-blackhole',
  explain(f, q) {
    if (f.cause !== 'route-blackhole' && f.cause !== 'route-unreachable' && f.cause !== 'route-prohibit') return null
    const { packet, encap } = f.step
    const netns = f.netns
    // The route of a tunnel's outer packet is the underlay's business.
    if (!netns || (encap?.length ?? 0) > 0) return null
    const best = routesTo(netns, packet.dst)[0]
    const lan = routesTo(netns, packet.dst).find(
      (r) => r !== best && r.type === 'unicast' && !isDefault(r) && r.nexthops.every((n) => !n.gateway),
    )
    const pool = pools(q).find((x) => prefixContains(x.range, packet.dst))
    if (best && lan && (pool || podRanges(q.objects).some((r) => prefixesOverlap(r.range, lan.dst))))
      return diagnosis(f, 'cidr-overlap-node', {
        title: `the pod range${pool ? ` ${formatPrefix(pool.range)}` : ''} overlaps the node network ${formatPrefix(lan.dst)}`,
        text: `${formatIp(packet.dst)} is a machine of the LAN ${formatPrefix(lan.dst)} (${linkOf(lan) ?? 'a link'}), but it also lies in the range pods get addresses from. The CNI's route ${formatPrefix(best.dst)} (${best.type}) on ${f.hop.node} is more specific than the LAN's and takes the packet.`,
        evidence: [best.evidence, lan.evidence, pool?.evidence],
        remedy: {
          text: 'Give the pods a range that does not overlap the LAN: make a new IP pool, move the pods, delete the old one. Until then the route can be removed; the CNI agent puts it back when it restarts.',
          commands: [`ip route del ${best.type} ${formatPrefix(best.dst)}`],
        },
        edit: (n) => withoutRoute(n, netns.id, (r) => r === best),
      })
    return diagnosis(f, 'route-blackhole', {
      title: `a ${best?.type ?? 'blackhole'} route on ${placeOf(f)} throws the ${directionWord(f)} away`,
      text: `${packetWords(packet)} matches ${best ? `${best.type} ${formatPrefix(best.dst)}` : 'a blackhole route'}. ${ownerOf(q.network, q.objects, packet.dst).kind === 'pod' ? 'The route to the pod itself is missing, so the block route of the CNI catches the packet.' : 'No pod has this address, or its route is gone.'}`,
      evidence: [best?.evidence],
      remedy: {
        text: 'If a pod has this address, restart the CNI agent so that it installs the /32 route; if none has, the address is out of date.',
      },
    })
  },
}

/** Calico IPPools. */
function pools(q: Inquiry): { readonly range: Prefix; readonly evidence: Evidence }[] {
  return q.objects.others.flatMap((o) => {
    if (o.kind !== 'IPPool') return []
    const spec = o.raw.spec
    const cidr = typeof spec === 'object' && spec !== null && 'cidr' in spec ? spec.cidr : undefined
    const range = typeof cidr === 'string' ? parsePrefix(cidr) : null
    return range ? [{ range, evidence: o.evidence }] : []
  })
}

/** `cidr-overlap-external`: a private bridge of the node claims a range that real machines outside use. */
const overlapExternal: Check = {
  name: 'cidr-overlap-external',
  explain(f, q) {
    const { packet, encap } = f.step
    if (f.netns?.kind !== 'host' || (encap?.length ?? 0) > 0) return null
    if (ownerOf(q.network, q.objects, packet.dst).kind !== 'outside') return null
    const best = routesTo(f.netns, packet.dst)[0]
    const link = best && f.netns.links.find((l) => l.name === linkOf(best))
    if (!best || !link || isDefault(best) || best.nexthops.some((n) => n.gateway)) return null
    const uplink = routesTo(f.netns, packet.dst).find(isDefault)
    if (link.kind !== 'bridge' || (uplink && linkOf(uplink) === link.name)) return null
    const ports = f.netns.links.filter((l) => l.master === link.ifindex)
    return diagnosis(f, 'cidr-overlap-external', {
      title: `${link.name} on ${f.hop.node} claims ${formatPrefix(best.dst)}, so ${formatIp(packet.dst)} outside cannot be reached`,
      text: `${formatIp(packet.dst)} is nobody's address in the cluster. The private bridge ${link.name} owns ${formatPrefix(best.dst)} as a directly attached network, so ${f.hop.node} looks for the address there${ports.length === 0 ? ', on a bridge without a single port,' : ''} instead of sending it to the gateway.`,
      evidence: [best.evidence, link.evidence],
      where: { link: link.name },
      remedy: {
        text: `Give ${link.name} another range (docker: bip and default-address-pools in daemon.json), or remove the bridge if nobody uses it.${ports.length === 0 ? ' It has no port now.' : ''}`,
        ...(ports.length === 0 ? { commands: [`ip link del ${shellWord(link.name)}`] } : {}),
      },
      ...(ports.length === 0 ? { edit: (n) => withoutLink(n, f.hop.netns, link.name) } : {}),
    })
  },
}

/**
 * `route-blackhole` on the way back: with rp_filter on, strict or loose, a packet whose source is covered by a blackhole,
 * unreachable or prohibit route is dropped on arrival (fib_validate_source, net/ipv4/fib_frontend.c, Linux 6.18).
 */
export const sourceBlackholed: Check = {
  name: 'source-blackholed',
  explain(f, q) {
    const { netns } = f
    if (f.cause !== 'rp-filter' || !netns) return null
    const { packet, link = '' } = f.step
    const best = routesTo(netns, packet.src)[0]
    if (!best || !['blackhole', 'unreachable', 'prohibit'].includes(best.type)) return null
    const owner = ownerOf(q.network, q.objects, packet.src)
    return diagnosis(f, 'route-blackhole', {
      title: `a ${best.type} route on ${placeOf(f)} covers the sender of the ${directionWord(f)}`,
      text: `${packetWords(packet)} comes in by ${link}, but the way back to ${formatIp(packet.src)} is ${best.type} ${formatPrefix(best.dst)}. rp_filter therefore drops the packet on arrival, and no answer could be sent either.${owner.kind === 'pod' ? ` ${formatIp(packet.src)} is ${owner.name}.` : ''}`,
      evidence: [best.evidence],
      remedy: {
        text: `Find who set the route; remove it if it is nobody's.`,
        commands: [`ip route del ${best.type} ${formatPrefix(best.dst)}`],
      },
      edit: (n) => withoutRoute(n, netns.id, (r) => r === best),
    })
  },
}

export const overlaps: readonly Check[] = [blackhole, overlapExternal]
