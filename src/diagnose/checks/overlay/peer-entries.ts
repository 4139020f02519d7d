/** What each node believes of the other nodes' VXLAN ends: neighbour and forwarding entries against the real device. */
import { formatIp, ipEquals } from '../../../base/ip.ts'
import type { Neighbour } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import type { Code } from '../../codes.ts'
import type { Words } from '../../finding.ts'
import { withNeighbour } from '../../remedy/edit.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { ownerOf, ownerText } from '../../view/owner.ts'
import { allHosts, concernsNode, type Host } from '../links/hosts.ts'
import { announces, hostsWith, overlaysOf, PUBLIC_IP, routesOver, type TunnelEnd } from './ends.ts'
import { fdbMissingWords, fdbWrongWords, vtepMacWords } from './words.ts'

const ANY_MAC = '00:00:00:00:00:00'

interface Pair {
  readonly state: ClusterState
  readonly hosts: readonly Host[]
  readonly from: TunnelEnd
  readonly to: TunnelEnd
}

function said(code: Code, pair: Pair, words: Words): ClusterFinding {
  const where = words.where ?? { node: pair.from.host.node, netns: 'host', link: pair.from.link.name }
  return clusterFinding(code, {
    ...words,
    severity: 'error',
    where,
    evidence: words.evidence ?? [],
    concerns: [...concernsNode(pair.from.host), ...concernsNode(pair.to.host)],
  })
}

/** The entry of `from` for the inner address of the other end. */
function entryOf({ from, to }: Pair): Neighbour | undefined {
  return from.host.netns.neighbours.find(
    (n) => n.link === from.link.name && !n.proxy && to.link.addresses.some((a) => ipEquals(a.ip, n.ip)),
  )
}

function neighbours(pair: Pair): ClusterFinding[] {
  const { from, to } = pair
  if (!from.host.netns.known.has('neighbours')) return []
  const entry = entryOf(pair)
  const holder = { node: from.host.node, netns: from.host.netns.id, link: from.link.name }
  if (entry?.mac !== undefined) {
    if (entry.mac === to.link.mac) return []
    const own = to.link.addresses.find((a) => ipEquals(a.ip, entry.ip))
    return [
      said(
        'vtep-mac-mismatch',
        pair,
        vtepMacWords(to.host.node, to.link, own, { ...holder, end: from.link }, entry, to.host.netns.id),
      ),
    ]
  }
  const route = routesOver(from.host, to.host, from.link.name)[0]
  const gateway = route?.nexthops[0]?.gateway
  const own = gateway && to.link.addresses.find((a) => ipEquals(a.ip, gateway))
  if (!route || !own || from.link.vxlan?.learning) return []
  return [
    said('neighbour-unreachable', pair, {
      title: `${from.host.node} does not know the tunnel end of ${to.host.node} (no neighbour entry for ${formatIp(own.ip)})`,
      text: `The route to the pods of ${to.host.node} leads to ${formatIp(own.ip)} by ${from.link.name}, which asks nobody on the wire: the CNI enters the MAC of every peer by hand, and this entry is missing or has failed.`,
      evidence: [entry?.evidence, route.evidence, to.link.evidence],
      remedy: {
        text: `Restart the CNI agent on ${from.host.node}; it writes the entry from the Node's annotations.`,
        commands: [`ip neigh replace ${formatIp(own.ip)} lladdr ${to.link.mac} dev ${from.link.name} nud permanent`],
      },
      edit: (n) => withNeighbour(n, from.host.netns.id, from.link.name, own.ip, to.link.mac),
    }),
  ]
}

function forwarding(pair: Pair): ClusterFinding[] {
  const { state, hosts, from, to } = pair
  const { netns, node } = from.host
  const right = to.link.vxlan?.local
  if (!netns.known.has('fdb') || !right || from.link.vxlan?.learning || from.link.vxlan?.remote) return []
  const mine = netns.fdb.filter((e) => e.link === from.link.name && e.dst !== undefined)
  const entries = mine.filter((e) => e.mac === to.link.mac)
  const holder = { node, netns: netns.id, link: from.link.name }
  if (entries.length === 0) {
    // A MAC mismatch explains it better, and a default entry floods to everybody.
    if (entryOf(pair)?.mac !== to.link.mac || mine.some((e) => e.mac === ANY_MAC)) return []
    return [
      said(
        'fdb-missing',
        pair,
        fdbMissingWords(holder, to.host.node, to.link, `packets for the pods of ${to.host.node}`),
      ),
    ]
  }
  return entries.flatMap((entry) => {
    const { dst } = entry
    if (dst === undefined || ipEquals(dst, right)) return []
    const holders = hostsWith(hosts, dst)
    if (holders.includes(to.host) && holders.length === 1) return []
    const announcers = hosts.filter((h) => announces(h, dst))
    if (holders.includes(from.host) || holders.length > 1 || announcers.length > 1)
      return [
        said('tunnel-source-wrong', pair, {
          title: `${announcers.length > 1 ? 'several nodes announce' : `${to.host.node} announced`} ${formatIp(dst)} as tunnel address, which ${node} has itself`,
          text: `${node} wraps packets for ${to.host.node} and addresses them to ${formatIp(dst)}, which ${holders.map((h) => h.node).join(', ') || 'no node'} ${holders.length > 1 ? 'have' : 'has'}: they never leave. The CNI chose the wrong interface (a NAT NIC with the same address on every machine).`,
          evidence: [entry.evidence, ...announcers.map((h) => h.object && nodeProof(h.object, PUBLIC_IP))],
          remedy: {
            text: 'Tell the CNI which interface joins the nodes (flannel --iface=…, Calico IP_AUTODETECTION_METHOD) and restart it on every node.',
          },
        }),
      ]
    const now = ownerText(ownerOf(state.network, state.objects, dst))
    return [said('fdb-wrong', pair, fdbWrongWords(holder, to.host.node, { ...entry, dst }, now, to.link))]
  })
}

/**
 * One MAC that changed is one fault, however many peers still have the old one; and the neighbour entries it lost itself, which the
 * kernel flushes when a link's address changes (neigh_changeaddr), are no fault of their own.
 */
function onePerEnd(findings: readonly ClusterFinding[]): ClusterFinding[] {
  const place = (f: ClusterFinding) => `${f.finding.where.node} ${f.finding.where.link}`
  const changed = new Map<string, ClusterFinding>()
  for (const f of findings) {
    if (f.finding.code !== 'vtep-mac-mismatch') continue
    const known = changed.get(place(f))
    const evidence = [...(known?.finding.evidence ?? []), ...f.finding.evidence.slice(0, known ? 1 : 3)].slice(0, 12)
    const concerns = [...(known?.concerns ?? []), ...f.concerns]
    changed.set(place(f), { ...(known ?? f), concerns, finding: { ...(known ?? f).finding, evidence } })
  }
  const rest = findings.filter(
    (f) =>
      f.finding.code !== 'vtep-mac-mismatch' && !(f.finding.code === 'neighbour-unreachable' && changed.has(place(f))),
  )
  return [...changed.values(), ...rest]
}

/** Every ordered pair of VXLAN ends of one overlay. */
export const tunnelPeers: ClusterCheck = {
  name: 'tunnel-peers',
  find(state) {
    const hosts = allHosts(state).filter((h) => h.netns.known.has('links'))
    return overlaysOf(state, hosts).flatMap(({ ends }) => {
      const up = ends.filter((e) => e.link.vxlan && e.link.flags.has('UP'))
      const pairs = up.flatMap((from) => up.flatMap((to) => (to === from ? [] : [{ state, hosts, from, to }])))
      return onePerEnd(pairs.flatMap((pair) => [...neighbours(pair), ...forwarding(pair)]))
    })
  },
}
