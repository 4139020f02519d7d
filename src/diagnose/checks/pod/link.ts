/** The links of a pod and the bridge they hang on. */
import { formatIp, ipEquals } from '../../../base/ip.ts'
import type { Link, Netns } from '../../../model/network.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Diagnosis, Failure, Inquiry } from '../../inquiry.ts'
import { withLink, withLinkUp } from '../../remedy/edit.ts'
import { podProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { hasNoLink } from '../../view/route-view.ts'
import { packetWords, placeOf } from '../../view/words.ts'

interface Broken {
  readonly netns: Netns
  readonly link: Link
}

/** The link to look at: the one of the step, or the veth pair of the pod the packet was meant for. */
function suspects(f: Failure, q: Inquiry): Broken[] {
  const out: Broken[] = []
  const own = f.netns?.links.find((l) => l.name === f.step.link)
  if (f.netns && own) out.push({ netns: f.netns, link: own }, ...peerOf(q, f.netns, own))
  const owner = ownerOf(q.network, q.objects, f.step.packet.dst)
  if (owner.kind === 'pod' && owner.netns && owner.node === f.hop.node) {
    const dst = f.step.packet.dst
    const pod = owner.netns
    for (const link of pod.links)
      if (link.kind === 'veth' && (link.addresses.some((a) => ipEquals(a.ip, dst)) || link.name === 'eth0'))
        out.push({ netns: pod, link }, ...peerOf(q, pod, link))
  }
  for (const { netns, link } of [...out])
    if (link.master !== undefined) {
      const bridge = netns.links.find((l) => l.ifindex === link.master)
      if (bridge) out.push({ netns, link: bridge })
    }
  return out
}

function peerOf(q: Inquiry, _netns: Netns, link: Link): Broken[] {
  const peer = link.peer
  const netns = peer ? q.network.netns.get(peer.netns) : undefined
  const found = netns?.links.find((l) => l.ifindex === peer?.ifindex)
  return netns && found ? [{ netns, link: found }] : []
}

const LINK_CAUSES: ReadonlySet<string> = new Set([
  'link-down',
  'no-carrier',
  'link-missing',
  'peer-missing',
  'bridge-no-port',
  'bridge-port-blocked',
  'neighbour-failed',
  'neighbour-no-answer',
  'no-route',
  'route-blackhole',
  'route-unreachable',
])

function place(b: Broken): { readonly node: string; readonly netns: string; readonly link: string } {
  return {
    node: b.netns.node,
    netns: b.netns.kind === 'host' ? 'host' : b.netns.id.slice(b.netns.node.length + 1),
    link: b.link.name,
  }
}

/** `link-down`, `bridge-down`: somebody set a link of the path down. */
const linkDown: Check = {
  name: 'link-down',
  explain(f, q) {
    if (!(f.cause !== undefined && LINK_CAUSES.has(f.cause)) && f.trace.disposition !== 'exits-network') return null
    const broken = suspects(f, q).find((b) => !b.link.flags.has('UP'))
    if (!broken) return null
    const { link, netns } = broken
    const owner = ownerOf(q.network, q.objects, f.step.packet.dst)
    const whose =
      link.kind === 'veth' && netns.kind === 'host' && owner.kind === 'pod'
        ? `, the host side of pod ${owner.name},`
        : ''
    return diagnosis(f, link.kind === 'bridge' ? 'bridge-down' : 'link-down', {
      title: `${link.name} on ${netns.kind === 'host' ? netns.node : netns.id.slice(netns.node.length + 1)} is set down`,
      text: `${link.name}${whose} is administratively down (no UP flag), so ${packetWords(f.step.packet)} cannot pass. Its other end has no carrier; other pods of the node are not affected.`,
      evidence: [link.evidence],
      where: place(broken),
      remedy: {
        text: `Set it up, and keep NetworkManager and scripts off the CNI's links.`,
        commands: [`ip link set ${link.name} up`],
      },
      edit: (n) => withLinkUp(n, netns.id, link.name),
    })
  },
}

/** `link-missing`, `bridge-port-missing`: a link of the path is gone or not on its bridge. */
const linkMissing: Check = {
  name: 'link-missing',
  explain(f, q) {
    const gone = f.cause === 'peer-missing' || f.cause === 'link-missing'
    if (f.cause === 'no-route') return podLinkGone(f, q)
    if (f.cause !== 'bridge-no-port' && !gone && f.cause !== 'neighbour-no-answer') return null
    const all = suspects(f, q)
    const loose = all.find(
      (b) =>
        b.netns.kind === 'host' &&
        b.link.kind === 'veth' &&
        b.link.master === undefined &&
        !f.netns?.routes.some((r) => r.nexthops.some((n) => n.link === b.link.name)),
    )
    const bridge = f.netns?.links.find((l) => l.name === f.step.link && l.kind === 'bridge')
    if (loose && bridge)
      return diagnosis(f, 'bridge-port-missing', {
        title: `${loose.link.name} is not a port of ${bridge.name} on ${f.hop.node}`,
        text: `The pod's host side link ${loose.link.name} has no master: frames of ${bridge.name} never reach it.`,
        evidence: [loose.link.evidence, bridge.evidence],
        where: place(loose),
        remedy: {
          text: 'Attach it again, or create the pod anew.',
          commands: [`ip link set ${loose.link.name} master ${bridge.name}`],
        },
        edit: (n) => withLink(n, loose.netns.id, loose.link.name, (l) => ({ ...l, master: bridge.ifindex })),
      })
    return f.cause === 'neighbour-no-answer' ? podLinkGone(f, q) : gone ? nowhere(f) : null
  },
}

/** The link leads to nothing: frames of a VLAN nobody here has a link for, or a route into a dummy. */
function nowhere(f: Failure): Diagnosis {
  const link = f.step.link ?? 'a link'
  if (f.cause === 'link-missing')
    return diagnosis(f, 'link-missing', {
      title: `${placeOf(f)} has no link for the VLAN that packets arrive with on ${link}`,
      text: `${packetWords(f.step.packet)} comes in by ${link} with a VLAN tag, and no VLAN link on ${link} takes it (${f.step.text}).`,
      remedy: {
        text: `Make the VLAN link on ${link} anew (networkd, NetworkManager or the script that should make it at boot).`,
      },
    })
  return diagnosis(f, 'link-missing', {
    title: `the way on from ${placeOf(f)} ends at ${link}, a dummy link`,
    text: `${packetWords(f.step.packet)} leaves by ${link}, which has no other end: the kernel throws away what is sent there. The link that should lead on is gone, or a route points at the wrong one.`,
    evidence: [...(f.hop.steps.findLast((s) => s.kind === 'route')?.evidence ?? [])],
    remedy: {
      text:
        f.netns?.kind === 'host'
          ? `Restart the CNI's node agent on ${f.hop.node} so that it makes its link and routes anew; or correct the route to ${formatIp(f.step.packet.dst)}.`
          : 'Create the pod anew.',
    },
  })
}

/** A pod that packets come from or go to has no link at all: deleting one end of a veth pair deletes both. */
function podLinkGone(f: Failure, q: Inquiry): Diagnosis | null {
  const owner = ownerOf(q.network, q.objects, f.step.packet.dst)
  const here = f.cause === 'no-route' ? f.netns : owner.kind === 'pod' && owner.node === f.hop.node ? owner.netns : null
  if (!here?.pod || !hasNoLink(here)) return null
  const name = `${here.pod.namespace}/${here.pod.name}`
  const object = q.objects.pods.find((p) => p.meta.namespace === here.pod?.namespace && p.meta.name === here.pod.name)
  const [lo] = here.links
  return diagnosis(f, 'link-missing', {
    title: `pod ${name} has no network link`,
    text: `Pod ${name} has no link besides lo: somebody deleted its veth pair (deleting either end deletes both), or the CNI plugin did not finish. Nothing reaches the pod and nothing leaves it.`,
    evidence: [
      lo ? { artefact: lo.evidence.artefact, text: 'no link but lo' } : undefined,
      object ? podProof(object) : undefined,
    ],
    where: { node: here.node, netns: here.id.slice(here.node.length + 1), link: 'eth0' },
    remedy: { text: 'Create the pod anew: only the CNI plugin makes the link, when a pod starts.' },
  })
}

/** `hairpin-off`: the bridge will not send a frame out of the port it came in by. */
const hairpinOff: Check = {
  name: 'hairpin-off',
  explain(f, q) {
    if (f.cause !== 'hairpin-off') return null
    const port = f.netns?.links.find((l) => l.name === f.step.link)
    const target = f.branch.trace.forward.hops[0]
    const name = port?.name ?? f.step.link ?? ''
    const owner = q.objects.pods.find((p) => p.podIPs.includes(formatIp(f.step.packet.dst)))
    return diagnosis(f, 'hairpin-off', {
      title: `hairpin mode is off on ${name}: a pod cannot reach itself through its Service`,
      text: `The Service sent ${target ? target.netns.slice(target.node.length + 1).replace('pod/', 'pod ') : 'the pod'} back to itself. The frame must leave the bridge by the port it came in by, and ${name} has hairpin mode off, so the bridge drops it. Every other client is served; with N endpoints 1/N of the pod's own calls hang.`,
      evidence: [port?.evidence, owner ? podProof(owner) : undefined],
      where: { link: name },
      remedy: {
        text: 'Set hairpinMode: true in the CNI configuration (bridge plugin, flannel delegate); for pods that run, set it on the port.',
        commands: [`bridge link set dev ${name} hairpin on`],
      },
      edit: (n) =>
        withLink(n, f.hop.netns, name, (l) =>
          l.bridgePort ? { ...l, bridgePort: { ...l.bridgePort, hairpin: true } } : l,
        ),
    })
  },
}

/** `macvlan-isolation`: by design a macvlan child and its parent's host do not hear each other. */
const macvlan: Check = {
  name: 'macvlan-isolation',
  explain(f) {
    if (f.cause !== 'macvlan-isolation') return null
    // A child nobody collected is known by its address and by what its parent accepts.
    const stranger = f.branch.source.netns === null ? f.branch.source.ip : null
    const who = stranger ? formatIp(stranger) : placeOf(f)
    const link = stranger ? `The link of ${who}` : (f.step.link ?? 'The link')
    return diagnosis(f, 'macvlan-isolation', {
      title: `${who} reaches the LAN by macvlan, and a macvlan link cannot talk to its own node`,
      text: `${link} is a macvlan child of ${stranger ? `${f.step.link} on` : 'a link of'} ${f.hop.node}; the kernel never passes frames between a macvlan child and its parent's own addresses. Every other machine can be reached; no firewall is involved.`,
      remedy: {
        text: `Reach ${f.hop.node} by the pod's primary interface (a route in the pod), or give the node a macvlan link of its own on the same parent.`,
      },
    })
  },
}

export const linkChecks: readonly Check[] = [hairpinOff, macvlan, linkDown, linkMissing]
