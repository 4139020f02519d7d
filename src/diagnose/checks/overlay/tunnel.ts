/** The outer packet is sent wrongly, or arrives where nobody unwraps it. */
import { formatIp, type Ip, ipEquals } from '../../../base/ip.ts'
import type { Link, Netns, Route } from '../../../model/network.ts'
import type { Packet } from '../../../model/packet.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Diagnosis, Failure, Inquiry } from '../../inquiry.ts'
import { probeFailed } from '../../probes.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { holders, hostNetns, ownerOf, ownerText } from '../../view/owner.ts'
import { directionWord } from '../../view/words.ts'
import { absence, inPodRange } from '../routing/plight.ts'
import { fdbMissingWords, fdbWrongWords, mismatchWords, vtepMacWords } from './words.ts'

function vxlanOf(netns: Netns | undefined, name?: string): Link | undefined {
  return netns?.links.find((l) => l.kind === 'vxlan' && (name === undefined || l.name === name))
}

/** The node the inner packet is meant for. */
function meantFor(f: Failure, q: Inquiry): string | undefined {
  const owner = ownerOf(q.network, q.objects, f.step.packet.dst)
  return owner.kind === 'outside' || owner.kind === 'service' ? undefined : owner.node
}

interface Sender {
  readonly node: string
  readonly netns: string
  readonly link?: string
  /** The packet it put around the inner one. */
  readonly outer?: Packet
}

/** The node that wrapped the failing packet last. */
function senderOf(f: Failure): Sender | null {
  const hop = f.trace.hops.findLast((h) => h.steps.some((s) => s.kind === 'encap'))
  const step = hop?.steps.findLast((s) => s.kind === 'encap')
  if (!hop || !step) return null
  const after = hop.steps.find((s) => (s.encap?.length ?? 0) > 0)
  const outer = (step.encap ?? after?.encap)?.[0]?.outer
  return {
    node: hop.node,
    netns: hop.netns,
    ...(step.link === undefined ? {} : { link: step.link }),
    ...(outer ? { outer } : {}),
  }
}

/** `tunnel-port-mismatch`, `tunnel-vni-mismatch`. */
const mismatch: Check = {
  name: 'tunnel-mismatch',
  explain(f, q) {
    const port = f.cause === 'tunnel-port-mismatch'
    if (!port && f.cause !== 'tunnel-vni-mismatch') return null
    const sender = senderOf(f)
    const theirs = vxlanOf(f.netns)
    const mine = sender ? vxlanOf(q.network.netns.get(sender.netns), sender.link) : undefined
    const what = port ? 'UDP port' : 'VNI'
    return diagnosis(
      f,
      port ? 'tunnel-port-mismatch' : 'tunnel-vni-mismatch',
      mismatchWords(
        what,
        { node: sender?.node ?? 'the sender', link: mine },
        { node: f.hop.node, link: theirs },
        `the ${directionWord(f)}`,
      ),
    )
  },
}

/** `vtep-mac-mismatch`: the sender addresses the inner frame to a MAC the other tunnel end does not have. */
const vtepMac: Check = {
  name: 'vtep-mac-mismatch',
  explain(f, q) {
    const wrongMac = f.cause === 'neighbour-wrong-mac' || f.cause === 'wrong-destination-mac'
    const end = vxlanOf(f.netns, f.step.link) ?? (f.step.link === undefined ? vxlanOf(f.netns) : undefined)
    if (!wrongMac || !end || !f.netns) return null
    const remote = f.netns
    for (const netns of q.network.netns.values()) {
      if (netns.kind !== 'host' || netns.id === remote.id) continue
      const link = vxlanOf(netns, end.name) ?? vxlanOf(netns)
      const entry = netns.neighbours.find(
        (n) =>
          n.link === link?.name &&
          n.mac !== undefined &&
          n.mac !== end.mac &&
          end.addresses.some((a) => ipEquals(a.ip, n.ip)),
      )
      if (!link || !entry) continue
      if (!f.trace.hops.some((h) => h.netns === netns.id)) continue
      const own = end.addresses.find((a) => ipEquals(a.ip, entry.ip))
      const holder = { node: netns.node, netns: netns.id, link: link.name, end: link }
      return diagnosis(f, 'vtep-mac-mismatch', vtepMacWords(remote.node, end, own, holder, entry, remote.id))
    }
    return null
  },
}

function outerOf(f: Failure): Packet | null {
  return f.step.encap?.[0]?.outer ?? null
}

/** `tunnel-source-wrong`: every node announced the same address as its tunnel end (the NAT NIC of virtual machines). */
const tunnelSource: Check = {
  name: 'tunnel-source-wrong',
  explain(f, q) {
    const sender = senderOf(f)
    const meant = meantFor(f, q)
    const proof = f.step.evidence[0]
    const told =
      f.cause === 'vtep-unreachable'
        ? f.netns?.fdb.find((e) => e.evidence === proof || e.evidence.text === proof?.text)?.dst
        : undefined
    const outer = told ? { dst: told } : sender?.outer
    if (!sender || !outer) return null
    const own = q.network.netns.get(sender.netns)?.links.find((l) => l.addresses.some((a) => ipEquals(a.ip, outer.dst)))
    const shared = new Set(
      holders(q.network, outer.dst)
        .filter((h) => h.netns.kind === 'host')
        .map((h) => h.netns.node),
    )
    if (!own && shared.size < 2 && f.cause !== 'tunnel-source-wrong') return null
    const key = 'flannel.alpha.coreos.com/public-ip'
    const said = q.objects.nodes.filter((n) => n.meta.annotations[key] === formatIp(outer.dst))
    const entry = q.network.netns.get(sender.netns)?.fdb.find((e) => e.dst && ipEquals(e.dst, outer.dst))
    return diagnosis(f, 'tunnel-source-wrong', {
      title: `${said.length > 1 ? 'all nodes announce' : `${meant ?? 'the peer'} announced`} ${formatIp(outer.dst)} as tunnel address, which ${sender.node} has itself`,
      text: `${sender.node} wraps packets for ${meant ?? 'its peer'} and addresses them to ${formatIp(outer.dst)}${own ? `, an address of its own (${own.name})` : ''}: they never leave. The CNI chose the wrong interface (a NAT NIC with the same address on every machine)${said.length > 0 ? `; ${said.map((n) => n.meta.name).join(', ')} carry ${key}=${formatIp(outer.dst)}` : ''}.`,
      evidence: [entry?.evidence, own?.evidence, ...said.map((n) => nodeProof(n, key))],
      where: { node: sender.node, netns: 'host', ...(sender.link === undefined ? {} : { link: sender.link }) },
      remedy: {
        text: 'Tell the CNI which interface joins the nodes (flannel --iface=…, Calico IP_AUTODETECTION_METHOD) and restart it on every node. Entries corrected by hand are overwritten by the agent, so nothing short of that lasts.',
      },
    })
  },
}

function tunnelAddress(q: Inquiry, node: string): Ip | undefined {
  return vxlanOf(hostNetns(q.network, node))?.vxlan?.local
}

/** `fdb-wrong`, `fdb-missing`: the forwarding table of the VXLAN link. */
const fdb: Check = {
  name: 'fdb',
  explain(f, q) {
    if (f.cause === 'fdb-missing') {
      const meant = meantFor(f, q)
      const peer = meant === undefined ? undefined : hostNetns(q.network, meant)
      const end = vxlanOf(peer, f.step.link) ?? vxlanOf(peer)
      const holder = { node: f.hop.node, netns: f.hop.netns, link: f.step.link ?? end?.name ?? '' }
      return diagnosis(f, 'fdb-missing', {
        ...fdbMissingWords(holder, meant ?? 'the peer', end, `the ${directionWord(f)}`),
        where: {},
      })
    }
    const sender = senderOf(f)
    const outer = sender?.outer
    const meant = meantFor(f, q)
    if (!outer || !sender || meant === undefined || meant === sender.node) return null
    const right = tunnelAddress(q, meant)
    const peer = hostNetns(q.network, meant)
    if (
      right ? ipEquals(right, outer.dst) : peer?.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, outer.dst)))
    )
      return null
    if (!right && !peer) return null
    const mine = q.network.netns.get(sender.netns)
    const entry = mine?.fdb.find((e) => e.dst && ipEquals(e.dst, outer.dst))
    if (!entry?.dst) return null
    const now = ownerText(ownerOf(q.network, q.objects, outer.dst))
    const holder = { node: sender.node, netns: sender.netns }
    return diagnosis(f, 'fdb-wrong', fdbWrongWords(holder, meant, { ...entry, dst: entry.dst }, now, vxlanOf(peer)))
  },
}

/** The route's own words for having no way (`ip route get`: Network is unreachable, No route to host, Invalid argument, prohibited). */
const NO_WAY: ReadonlySet<string> = new Set(['no-route', 'route-unreachable', 'route-blackhole', 'route-prohibit'])

/**
 * `underlay-route-missing`, `node-unreachable`: another node's own address cannot be reached. That packets leave by a router
 * or towards a machine that was not collected is how healthy clusters with nodes in several subnets look: only probes that
 * fail make it suspicious.
 */
const nodeUnreachable: Check = {
  name: 'node-unreachable',
  explain(f, q) {
    const dst = outerOf(f)?.dst ?? f.step.packet.dst
    const owner = inPodRange(q, ownerOf(q.network, q.objects, dst), dst)
    if (owner.kind !== 'node' || f.netns?.kind !== 'host') return null
    const to = `${owner.node} (${formatIp(dst)})`
    if (f.cause === 'no-carrier') return noCarrier(f, f.netns)
    if (owner.node === f.hop.node) return null
    const used = routeTaken(f, f.netns)
    const remedy = {
      text: `Correct the routing table of ${f.hop.node}: the default route or the route to the subnet of ${owner.node}.`,
    }
    if (f.cause !== undefined && NO_WAY.has(f.cause)) {
      const none = f.cause === 'no-route'
      return diagnosis(f, 'underlay-route-missing', {
        title: `${f.hop.node} has no route to ${to}`,
        text: `${none ? `No route of ${f.hop.node} covers ${formatIp(dst)}` : `The route of ${f.hop.node} to ${formatIp(dst)} throws packets away`}. Everything between the two nodes, tunnels too, goes to that address, so all of it fails.`,
        evidence: none ? [absence({ netns: f.netns, dst }, `no route to ${formatIp(dst)}`)] : [used?.evidence],
        remedy,
      })
    }
    const gateway = used?.nexthops.find((n) => n.gateway)?.gateway
    if (f.trace.disposition === 'exits-network' && gateway && probeFailed(q))
      return diagnosis(f, 'underlay-route-missing', {
        severity: 'warning',
        title: `packets for ${to} leave ${f.hop.node} by the router ${formatIp(gateway)}, and none is answered`,
        text: `${f.hop.node} and ${owner.node} are on different networks; what the router ${formatIp(gateway)} does with the packets was not collected. Either it has no route to ${formatIp(dst)}, or a filter on the way drops them.`,
        evidence: [used?.evidence],
        remedy: {
          text: `Look at the routes of ${formatIp(gateway)} (or the cloud's route table) and at the filters between the two networks. If ${formatIp(gateway)} is the wrong router, correct the routes of ${f.hop.node}.`,
        },
      })
    if (f.cause !== 'neighbour-failed' && f.cause !== 'neighbour-no-answer') return null
    if (gateway)
      return diagnosis(f, 'node-unreachable', {
        title: `the router ${formatIp(gateway)}, by which ${f.hop.node} reaches ${to}, does not answer`,
        text: `${f.hop.node} asks who has ${formatIp(gateway)} and gets no answer: the router is down, or the two are not on one network.`,
        evidence: [used?.evidence],
        remedy: { text: `Check the router, and the link and VLAN of ${f.hop.node}.` },
      })
    const down = holders(q.network, dst).find((h) => h.netns.node === owner.node && !h.link.flags.has('UP'))?.link
    return diagnosis(f, 'node-unreachable', {
      title: `${owner.node} does not answer on the network of the nodes (${formatIp(dst)})`,
      text: `${f.hop.node} asks who has ${formatIp(dst)} and gets no answer: ${down ? `${down.name} of ${owner.node}, which has the address, is set down` : `${owner.node} is down, its link is down, or the two are not on one network`}.`,
      remedy: {
        text: down
          ? `Set ${down.name} of ${owner.node} up (ip link set ${down.name} up, at its console).`
          : `Check the power, the link and the VLAN of ${owner.node}.`,
      },
    })
  },
}

/** The route the failing step's netns chose last. */
function routeTaken(f: Failure, netns: Netns): Route | undefined {
  const proofs = f.hop.steps.findLast((s) => s.kind === 'route')?.evidence ?? []
  return netns.routes.find((r) => proofs.some((e) => e === r.evidence))
}

/** The NIC by which a node should send or receive has no carrier (`ip link`: NO-CARRIER). */
function noCarrier(f: Failure, netns: Netns): Diagnosis | null {
  const nic = netns.links.find((l) => l.name === f.step.link)
  if (nic?.kind !== 'ethernet' && nic?.kind !== 'bond') return null
  return diagnosis(f, 'node-unreachable', {
    title: `${nic.name} of ${f.hop.node} has no carrier`,
    text: `${nic.name} is set up, but no signal comes from the other end of its cable: nothing enters or leaves ${f.hop.node} by it.`,
    evidence: [nic.evidence],
    remedy: { text: 'Check the cable and the switch port (of a virtual machine: that the NIC is connected).' },
  })
}

export const tunnelChecks: readonly Check[] = [mismatch, vtepMac, tunnelSource, fdb]
export const underlayChecks: readonly Check[] = [nodeUnreachable]
