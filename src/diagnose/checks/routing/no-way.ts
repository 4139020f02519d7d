/**
 * A node has no right way to an address of the cluster: it has no route, or the packet leaves by the default route, or a
 * wrong route wins. What is wrong with the routes decides the code.
 */
import { formatIp, formatPrefix, type Ip, ipEquals, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Link, Netns, Network, Route, RoutingRule } from '../../../model/network.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Inquiry } from '../../inquiry.ts'
import { withFdb, withLinkUp, withNeighbour, withoutRoute, withoutRoutingRule, withRoute } from '../../remedy/edit.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { hostNetns, ownerOf, ownerText, podRanges } from '../../view/owner.ts'
import { isDefault, linkOf, MAIN_TABLE, routesTo } from '../../view/route-view.ts'
import { directionWord, packetWords } from '../../view/words.ts'
import { absence, nodeAddress, type Plight, plight, rangeText, TUNNELS, wantedRoute } from './plight.ts'

/** Addresses flannel and Calico wrote on the Node; both are host addresses, Calico's with a prefix length. */
function agentAddress(
  q: Inquiry,
  node: string,
): { readonly text: string; readonly key: string; readonly evidence: Evidence } | null {
  const object = q.objects.nodes.find((n) => n.meta.name === node)
  const key = 'projectcalico.org/IPv4Address'
  const text = object?.meta.annotations[key]
  return object && text !== undefined ? { text, key, evidence: nodeProof(object, key) } : null
}

/** `bgp-not-established`: routes to the peer are absent, and the address Calico announces for one of the two is not the Node's. */
const bgpNotEstablished: Check = {
  name: 'bgp-not-established',
  explain(f, q) {
    const p = plight(f, q)
    if (!p || p.best) return null
    for (const node of [p.node, p.netns.node]) {
      const said = agentAddress(q, node)
      const ip = said && parsePrefix(said.text)?.ip
      const real = nodeAddress(q, node, 4)
      if (!said || !ip || !real || ipEquals(ip, real)) continue
      const held = hostNetns(q.network, node)?.links.find((l) => l.addresses.some((a) => ipEquals(a.ip, ip)))
      return diagnosis(f, 'bgp-not-established', {
        title: `Calico on ${node} announces ${said.text} instead of ${formatIp(real)}, so no BGP session and no routes`,
        text: `Node ${node} carries ${said.key}=${said.text}${held ? `, the address of ${held.name}` : ''}; its InternalIP is ${formatIp(real)}. Peers try the wrong address, BGP is not established, and ${p.netns.node} has no route to ${rangeText(p)}.`,
        evidence: [said.evidence, held?.evidence, absence(p, `no route to ${rangeText(p)} but the default route`)],
        where: { node, netns: 'host', object: `Node ${node}` },
        remedy: {
          text: 'Let Calico find the right address; calico-node restarts by itself and its sessions bring the routes. What BGP then learns cannot be tried on the model.',
          commands: [
            'kubectl -n kube-system set env daemonset/calico-node IP_AUTODETECTION_METHOD=kubernetes-internal-ip',
          ],
        },
      })
    }
    return null
  },
}

function tunnelOf(netns: Netns): Link | undefined {
  return netns.links.find((l) => TUNNELS.has(l.kind) && l.kind !== 'sit')
}

/** A VXLAN link set up again, with what the kernel took away when it went down, for one peer; null when that cannot be told. */
function raiseTunnel(
  p: Pick<Plight, 'netns' | 'range'>,
  mine: Link,
  theirs: Link | undefined,
): { readonly commands: string[]; readonly edit: (n: Network) => Network } | null {
  const vtep = theirs?.vxlan?.local
  const via = p.range?.ip
  if (!p.range || !via || mine.kind !== 'vxlan' || !theirs || theirs === mine || !vtep) return null
  if (!theirs.addresses.some((a) => ipEquals(a.ip, via))) return null
  const range = p.range
  const route: Route = {
    family: via.family,
    type: 'unicast',
    dst: range,
    table: MAIN_TABLE,
    metric: 0,
    scope: 'global',
    protocol: 'static',
    tos: 0,
    flags: ['onlink'],
    nexthops: [{ gateway: via, link: mine.name, weight: 1, onlink: true, dead: false }],
    evidence: { artefact: 'what-if', text: 'proposed route' },
  }
  const id = p.netns.id
  return {
    commands: [
      `ip link set ${mine.name} up`,
      `ip neigh replace ${formatIp(via)} lladdr ${theirs.mac} dev ${mine.name} nud permanent`,
      `bridge fdb replace ${theirs.mac} dev ${mine.name} dst ${formatIp(vtep)} self permanent`,
      `ip route replace ${formatPrefix(range)} via ${formatIp(via)} dev ${mine.name} onlink`,
    ],
    edit: (n) =>
      withRoute(
        withFdb(
          withNeighbour(withLinkUp(n, id, mine.name), id, mine.name, via, theirs.mac),
          id,
          mine.name,
          theirs.mac,
          vtep,
        ),
        id,
        route,
      ),
  }
}

/** The same towards the node whose pod range holds `ip`. */
function raiseTowards(q: Inquiry, netns: Netns, mine: Link, ip: Ip) {
  const peer = podRanges(q.objects).find((r) => prefixContains(r.range, ip))
  const theirs = peer ? hostNetns(q.network, peer.node.meta.name) : undefined
  const raised = peer && theirs ? raiseTunnel({ netns, range: peer.range }, mine, tunnelOf(theirs)) : null
  return raised && peer ? { ...raised, peer: peer.node.meta.name } : null
}

/** `tunnel-down`, `tunnel-missing`: the route went with its link. */
const tunnelDown: Check = {
  name: 'tunnel-down',
  explain(f, q) {
    if (f.cause === 'tunnel-down') {
      const link = f.netns?.links.find((l) =>
        f.step.link === undefined ? TUNNELS.has(l.kind) : l.name === f.step.link,
      )
      const arrived = f.trace.hops.some((h) => h.steps.some((s) => s.kind === 'encap') && h.netns !== f.hop.netns)
      const raised =
        f.netns && link ? raiseTowards(q, f.netns, link, arrived ? f.step.packet.src : f.step.packet.dst) : null
      return diagnosis(f, 'tunnel-down', {
        title: `the tunnel link ${link?.name ?? ''} on ${f.hop.node} is down`.replace('  ', ' '),
        text: `${packetWords(f.step.packet)} ${arrived ? `arrives wrapped at ${f.hop.node}, where nobody unwraps it` : 'should enter the tunnel'}: ${link?.name ?? 'the link'} is not UP. The kernel removed its routes and neighbours when it went down.`,
        evidence: [link?.evidence],
        where: link ? { link: link.name } : {},
        remedy: {
          text: `Restart the CNI agent on ${f.hop.node}: it makes the link, its routes and its FDB anew; and keep NetworkManager off the link.${raised ? ` Until then, by hand, for ${raised.peer} alone:` : ''}`,
          ...(raised ? { commands: raised.commands } : {}),
        },
        ...(raised ? { edit: raised.edit } : {}),
      })
    }
    const p = plight(f, q)
    if (!p || p.best) return null
    const mine = tunnelOf(p.netns)
    const raised = mine ? raiseTunnel(p, mine, tunnelOf(hostNetns(q.network, p.node) ?? p.netns)) : null
    if (mine && !mine.flags.has('UP'))
      return diagnosis(f, 'tunnel-down', {
        title: `${mine.name} on ${p.netns.node} is down, and its routes went with it`,
        text: `${p.netns.node} has no route to ${rangeText(p)} because the link it leads through, ${mine.name}, is down: the kernel removes the routes and neighbours of a link that goes down, and the CNI agent does not add them again by itself. The ${directionWord(f)} leaves by the default route instead.`,
        evidence: [mine.evidence, absence(p, `no route to ${rangeText(p)}`)],
        where: { link: mine.name },
        remedy: {
          text: `Restart the CNI agent on ${p.netns.node} (it makes the link, routes and FDB anew), and keep NetworkManager off ${mine.name}.${raised ? ` Until then, by hand, for ${p.node} alone:` : ''}`,
          ...(raised ? { commands: raised.commands } : {}),
        },
        ...(raised ? { edit: raised.edit } : {}),
      })
    if (mine) return null
    const theirs = hostNetns(q.network, p.node)
    const peer = theirs ? tunnelOf(theirs) : undefined
    if (!peer || peer.kind === 'wireguard') return null
    return diagnosis(f, 'tunnel-missing', {
      title: `${p.netns.node} has no ${peer.name}: the tunnel link is gone`,
      text: `${p.node} joins the overlay with ${peer.name} (${peer.kind}); ${p.netns.node} has no such link and so no route to ${rangeText(p)}.`,
      evidence: [peer.evidence, absence(p, `no route to ${rangeText(p)}`)],
      remedy: { text: `Restart the CNI agent on ${p.netns.node}: it makes the link, routes and FDB anew.` },
    })
  },
}

/** Routing rules other than the three the kernel starts with (fib_default_rules_init: 0, 32766, 32767). */
function customRules(netns: Netns, family: 4 | 6): RoutingRule[] {
  return netns.routingRules.filter(
    (r) =>
      r.family === family &&
      !(r.action.kind === 'table' && [0, 32766, 32767].includes(r.priority) && !r.src && !r.dst && !r.mark),
  )
}

/** `routing-rule-wrong`: the main table knows the way, a rule before it sends the packet to another table. */
const routingRuleWrong: Check = {
  name: 'routing-rule-wrong',
  explain(f, q) {
    const p = plight(f, q)
    if (!p?.best) return null
    const { packet } = f.step
    const rule = customRules(p.netns, packet.src.family)
      .sort((x, y) => x.priority - y.priority)
      .find((r) => {
        if (r.src && prefixContains(r.src, packet.src) === r.negate) return false
        if (r.dst && prefixContains(r.dst, packet.dst) === r.negate) return false
        if (r.action.kind !== 'table') return r.action.kind !== 'nop' && r.action.kind !== 'goto'
        return r.action.table !== MAIN_TABLE && routesTo(p.netns, packet.dst, r.action.table).length > 0
      })
    if (!rule) return null
    const table = rule.action.kind === 'table' ? rule.action.table : undefined
    const used = table === undefined ? undefined : routesTo(p.netns, packet.dst, table)[0]
    if (used && p.best && linkOf(used) === linkOf(p.best)) return null
    return diagnosis(f, 'routing-rule-wrong', {
      title: `an ip rule on ${p.netns.node} (priority ${rule.priority}) steers pod traffic past the right route`,
      text: `The main table of ${p.netns.node} has the right route to ${rangeText(p)}, but the routing rule "${ruleWords(rule)}" is asked first and sends the ${directionWord(f)} ${packetWords(packet)} to ${table === undefined ? 'nowhere' : `table ${table}`}${used ? `, which only knows ${linkOf(used) ?? 'another way'}` : ''}. (nm-cloud-setup and multi-NIC scripts make such rules.)`,
      evidence: [rule.evidence, used?.evidence, p.best.evidence],
      remedy: {
        text: 'Remove the rule and disable what makes it (nm-cloud-setup.service and its timer, or the script).',
        commands: [`ip ${packet.src.family === 6 ? '-6 ' : ''}rule del pref ${rule.priority}`],
      },
      edit: (n) =>
        withoutRoutingRule(
          n,
          p.netns.id,
          (r) => r === rule || (r.priority === rule.priority && r.family === rule.family),
        ),
    })
  },
}

/** The route for the whole range of the owner's node, or a wider one that is no default. */
function rangeRoute(p: Plight): Route | undefined {
  return routesTo(p.netns, p.dst).find(
    (r) => !isDefault(r) && r !== p.best && (!p.range || r.dst.length <= p.range.length) && r.type === 'unicast',
  )
}

/** `route-shadowed`: a longer prefix inside the pod range takes a part of it elsewhere. */
const routeShadowed: Check = {
  name: 'route-shadowed',
  explain(f, q) {
    const p = plight(f, q)
    const best = p?.best
    if (!p || best?.type !== 'unicast') return null
    const right = rangeRoute(p)
    if (!right || best.dst.length <= right.dst.length || linkOf(best) === linkOf(right)) return null
    return diagnosis(f, 'route-shadowed', {
      title: `a more specific route on ${p.netns.node} takes ${formatPrefix(best.dst)} away from ${formatPrefix(right.dst)}`,
      text: `${p.netns.node} has the right route to ${formatPrefix(right.dst)} (by ${linkOf(right) ?? 'the overlay'}), but ${formatPrefix(best.dst)} by ${linkOf(best) ?? 'another link'} is more specific and wins for ${formatIp(p.dst)}, ${ownerText(p.owner)}. A VPN or tunnel on the node put it there.`,
      evidence: [best.evidence, right.evidence],
      remedy: {
        text: 'Exclude the pod and Service ranges from what the VPN installs, or give one of the two another range.',
        commands: [`ip route del ${formatPrefix(best.dst)}${linkOf(best) ? ` dev ${linkOf(best)}` : ''}`],
      },
      edit: (n) => withoutRoute(n, p.netns.id, (r) => r === best),
    })
  },
}

/** `route-wrong-next-hop`: the route to the range leads to an address the owner's node does not have. */
const routeWrongNextHop: Check = {
  name: 'route-wrong-next-hop',
  explain(f, q) {
    const p = plight(f, q)
    const best = p?.best
    const gateway = best?.nexthops.find((n) => n.gateway)?.gateway
    if (!p || !best || !gateway) return null
    const theirs = hostNetns(q.network, p.node)
    const internal = nodeAddress(q, p.node, gateway.family)
    if (internal && ipEquals(internal, gateway)) return null
    if (theirs?.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, gateway)))) return null
    const now = ownerOf(q.network, q.objects, gateway)
    const wanted = wantedRoute(q, p)
    return diagnosis(f, 'route-wrong-next-hop', {
      title: `${p.netns.node} sends ${formatPrefix(best.dst)} to ${formatIp(gateway)}, which is not ${p.node}`,
      text: `The pods of ${rangeText(p)} are on ${p.node} (${internal ? formatIp(internal) : 'address unknown'}); the route on ${p.netns.node} leads to ${formatIp(gateway)}, ${now.kind === 'node' && now.node !== p.node ? `which is ${now.node}` : 'which no Node has (a node that was replaced or got another address)'}.`,
      evidence: [best.evidence, proofOf(q, p.node)],
      remedy: {
        text: `Restart the routing agent of the CNI on ${p.netns.node}, and delete the Node object of the former machine if it still exists.`,
        ...(wanted ? { commands: [wanted.command] } : {}),
      },
      ...(wanted
        ? {
            edit: (n) =>
              withRoute(
                withoutRoute(n, p.netns.id, (r) => r === best),
                p.netns.id,
                wanted.route,
              ),
          }
        : {}),
    })
  },
}

/** `pod-cidr-missing`, `route-missing`. */
const routeMissing: Check = {
  name: 'route-missing',
  explain(f, q) {
    const p = plight(f, q)
    if (!p || p.best) return null
    const owner = q.objects.nodes.find((n) => n.meta.name === p.node)
    const used = routesTo(p.netns, p.dst).find(isDefault)
    if (owner && owner.podCIDRs.length === 0 && p.range === null)
      return diagnosis(f, 'pod-cidr-missing', {
        title: `Node ${p.node} has no podCIDR, so nobody has a route to its pods`,
        text: `Node.spec.podCIDR of ${p.node} is empty (the controller manager does not allocate node CIDRs); the CNI agent publishes no subnet for it and ${p.netns.node} has no route to ${formatIp(p.dst)}.`,
        evidence: [nodeProof(owner), absence(p, `no route to ${formatIp(p.dst)}`)],
        where: { object: `Node ${p.node}` },
        remedy: {
          text: 'Run the controller manager with --allocate-node-cidrs and --cluster-cidr (kubeadm: podSubnet), then restart the CNI agent.',
        },
      })
    const wanted = wantedRoute(q, p)
    return diagnosis(f, 'route-missing', {
      title: `${p.netns.node} has no route to ${rangeText(p)} (pods of ${p.node})`,
      text: `The ${directionWord(f)} ${packetWords(f.step.packet)} reaches ${p.netns.node}, which has no route to ${rangeText(p)}; ${used ? `it leaves by the default route (${linkOf(used) ?? '?'}), away from the cluster` : 'the kernel has no way for it'}. No tunnel packet is ever sent.`,
      evidence: [used?.evidence, absence(p, `no route to ${rangeText(p)} in the main table`)],
      remedy: {
        text: `Restart the CNI agent on ${p.netns.node} so that it installs the route again; look for what removed it (networkd and NetworkManager remove foreign routes).`,
        ...(wanted ? { commands: [wanted.command] } : {}),
      },
      ...(wanted ? { edit: (n) => withRoute(n, p.netns.id, wanted.route) } : {}),
    })
  },
}

/** In the order they are asked. */
export const noWay: readonly Check[] = [
  routingRuleWrong,
  bgpNotEstablished,
  tunnelDown,
  routeShadowed,
  routeWrongNextHop,
  routeMissing,
]

function proofOf(q: Inquiry, node: string): Evidence | undefined {
  const object = q.objects.nodes.find((n) => n.meta.name === node)
  return object ? nodeProof(object) : undefined
}

/** As `ip rule` prints it: `from 10.244.2.0/24 lookup 30400`. */
function ruleWords(r: RoutingRule): string {
  const to = r.action.kind === 'table' ? `lookup ${r.action.table}` : r.action.kind
  return [
    r.negate ? 'not' : '',
    `from ${r.src ? formatPrefix(r.src) : 'all'}`,
    r.dst ? `to ${formatPrefix(r.dst)}` : '',
    to,
  ]
    .filter((w) => w !== '')
    .join(' ')
}
