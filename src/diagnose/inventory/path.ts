/** The generic way of a packet out of a pod of this cluster, with every place that may rewrite it (A2.2). */
import type { PathPoint } from '../../model/inventory.ts'
import { nodesText, several } from './decision.ts'
import { podBridges, podLinks, sizes } from './mtu.ts'
import type { Rewrites } from './rewrites.ts'
import { hostsOf, type Surroundings, uplinkOf } from './surroundings.ts'

export function pathOf(s: Surroundings, rewrites: Rewrites): PathPoint[] {
  const at = (place: PathPoint['place']) => rewrites.at.get(place) ?? []
  const hosts = hostsOf(s)
  const links = s.nodes.flatMap((n) => podLinks(s, n))
  const bridges = [...new Set(hosts.flatMap((h) => podBridges(s, h).map((l) => l.name)))]
  const nics = [...new Set(hosts.flatMap((h) => uplinkOf(h)?.name ?? []))]
  const tunnels = at('tunnel')
  const podRules = rewrites.pods === 0 ? null : at('pod-hooks')
  return [
    { place: 'process', title: 'process', text: '', rewrites: [] },
    {
      place: 'pod-hooks',
      title: 'iptables@pod',
      text:
        podRules === null
          ? 'rules of pods not collected'
          : podRules.length === 0
            ? `nothing in ${several(rewrites.pods, 'pod')}`
            : '',
      rewrites: podRules,
    },
    {
      place: 'pod-link',
      title: names(
        links.map((l) => l.name),
        'eth0',
      ),
      text:
        links.length === 0
          ? 'not collected'
          : `${[...new Set(links.map((l) => l.kind))].join(', ')}, mtu ${sizes(links)}`,
      rewrites: links.length === 0 ? null : at('pod-link'),
    },
    hostEnd(s, bridges, at('host-link')),
    {
      place: 'host-hooks',
      title: 'iptables@host, routing',
      text:
        rewrites.hosts === 0
          ? 'rules of nodes not collected'
          : at('host-hooks').length === 0
            ? `nothing on ${several(rewrites.hosts, 'node')}`
            : '',
      rewrites: rewrites.hosts === 0 ? null : at('host-hooks'),
    },
    {
      place: 'tunnel',
      title: 'tunnel',
      text: hosts.length === 0 ? 'not collected' : tunnels.length === 0 ? 'none' : '',
      rewrites: hosts.length === 0 ? null : tunnels,
    },
    {
      place: 'nic',
      title: names(nics, 'NIC'),
      text: nics.length === 0 ? 'not collected' : `mtu ${sizes(hosts.flatMap((h) => uplinkOf(h) ?? []))}`,
      rewrites: nics.length === 0 ? null : at('nic'),
    },
  ]
}

function names(all: readonly string[], otherwise: string): string {
  const unique = [...new Set(all)]
  return unique.length === 0 ? otherwise : unique.length <= 2 ? unique.join(', ') : `${unique[0]} and others`
}

function hostEnd(s: Surroundings, bridges: readonly string[], rewrites: PathPoint['rewrites']): PathPoint {
  const place = 'host-link' as const
  const hosts = hostsOf(s)
  if (hosts.length === 0) return { place, title: 'veth, bridge', text: 'not collected', rewrites: null }
  if (bridges.length === 0) return { place, title: 'veth', text: 'no bridge: the node routes to each pod', rewrites }
  const ports = hosts.flatMap((h) => {
    const own = new Set(podBridges(s, h).map((b) => b.ifindex))
    return h.links
      .filter((l) => l.master !== undefined && own.has(l.master))
      .map((l) => ({ node: h.node, port: l.bridgePort }))
  })
  const off = ports.filter((p) => p.port?.hairpin === false)
  const told = ports.some((p) => p.port !== undefined)
  const hairpin = !told
    ? ''
    : off.length === 0
      ? ', hairpin on'
      : off.length === ports.length
        ? ', hairpin off'
        : `, hairpin off on ${nodesText([...new Set(off.map((p) => p.node))])}`
  return {
    place,
    title: `veth, bridge ${bridges.join(', ')}`,
    text: `${several(ports.length, 'port')}${hairpin}`,
    rewrites,
  }
}
