/** Every interface with its type, and how each pod hangs on its node (A4.1, A4.2). */
import { formatIp } from '../../base/ip.ts'
import type { InterfaceFact, PodAttachment } from '../../model/inventory.ts'
import type { Link, Netns } from '../../model/network.ts'
import { holdsAddress, hostNetns, netnsOfPod } from '../view/owner.ts'
import { netnsName } from './owners.ts'
import type { Surroundings } from './surroundings.ts'

export function interfacesOf(s: Surroundings): InterfaceFact[] {
  return [...s.network.netns.values()]
    .filter((n) => s.nodes.includes(n.node))
    .flatMap((netns) => netns.links.map((link) => factOf(s, netns, link)))
}

function factOf(s: Surroundings, netns: Netns, link: Link): InterfaceFact {
  const master = link.master === undefined ? undefined : netns.links.find((l) => l.ifindex === link.master)?.name
  const peer = peerOf(s, link)
  const detail = detailOf(link)
  return {
    node: netns.node,
    netns: netnsName(netns),
    name: link.name,
    ifindex: link.ifindex,
    type: typeOf(link),
    up: link.flags.has('UP'),
    mtu: link.mtu,
    addresses: link.addresses.map((a) => `${formatIp(a.ip)}/${a.length}`),
    ...(master === undefined ? {} : { master }),
    ...(peer ? { peer: { netns: peer.netns.id, link: peer.link.name } } : {}),
    ...(link.bridgePort ? { hairpin: link.bridgePort.hairpin } : {}),
    ...(detail === undefined ? {} : { detail }),
    evidence: link.evidence,
  }
}

export function typeOf(link: Link): string {
  return link.kind === 'other' || link.kind === 'tun' ? (link.kernelKind ?? link.kind) : link.kind
}

function peerOf(s: Surroundings, link: Link): { readonly netns: Netns; readonly link: Link } | null {
  const netns = link.peer && s.network.netns.get(link.peer.netns)
  const found = netns?.links.find((l) => l.ifindex === link.peer!.ifindex)
  return netns && found ? { netns, link: found } : null
}

function detailOf(link: Link): string | undefined {
  if (link.vxlan) {
    const { vni, port, local, external } = link.vxlan
    return `${external ? 'vni by flow' : `vni ${vni}`} port ${port}${local ? ` local ${formatIp(local)}` : ''}`
  }
  if (link.tunnel) {
    const { local, remote, external } = link.tunnel
    if (external) return 'remote by flow'
    const ends = [...(local ? [`local ${formatIp(local)}`] : []), ...(remote ? [`remote ${formatIp(remote)}`] : [])]
    return ends.length > 0 ? ends.join(' ') : undefined
  }
  if (link.vlanId !== undefined) return `id ${link.vlanId}`
  if (link.macvlanMode !== undefined) return `mode ${link.macvlanMode}`
  if (link.vrfTable !== undefined) return `table ${link.vrfTable}`
  return undefined
}

/** Pods with an address of their own: those of the objects, and those whose netns was found without an object. */
export function attachmentsOf(s: Surroundings): PodAttachment[] {
  const out: PodAttachment[] = []
  const seen = new Set<string>()
  for (const pod of s.objects.pods) {
    if (!holdsAddress(pod) || pod.nodeName === undefined || !s.nodes.includes(pod.nodeName)) continue
    const netns = netnsOfPod(s.network, pod.meta.namespace, pod.meta.name)
    const name = `${pod.meta.namespace}/${pod.meta.name}`
    seen.add(name)
    const containerIds = pod.containerStatuses.flatMap((c) => c.containerID ?? [])
    const base = { pod: name, node: pod.nodeName, containerIds }
    if (netns) out.push(...attachmentsIn(s, netns, base))
    else
      out.push({
        ...base,
        netns: null,
        addresses: pod.podIPs,
        why: hostNetns(s.network, pod.nodeName) ? 'its netns was not found' : `${pod.nodeName} was not collected`,
      })
  }
  for (const netns of s.network.netns.values()) {
    const name = netns.pod && `${netns.pod.namespace}/${netns.pod.name}`
    if (name !== undefined && !seen.has(name) && s.nodes.includes(netns.node))
      out.push(...attachmentsIn(s, netns, { pod: name, node: netns.node, containerIds: [] }))
  }
  return out.sort((a, b) => a.node.localeCompare(b.node, 'en', { numeric: true }) || a.pod.localeCompare(b.pod, 'en'))
}

function attachmentsIn(
  s: Surroundings,
  netns: Netns,
  base: { readonly pod: string; readonly node: string; readonly containerIds: readonly string[] },
): PodAttachment[] {
  const links = netns.links.filter(
    (l) => l.kind !== 'loopback' && l.name !== 'lo' && (l.addresses.length > 0 || l.peer),
  )
  if (links.length === 0) {
    const why = netns.known.has('links') ? 'no link with an address in its netns' : 'links not collected'
    return [{ ...base, netns: netns.id, addresses: [], why }]
  }
  return links.map((link) => {
    const host = peerOf(s, link)
    const master = host?.link.master
    const bridge = master === undefined ? undefined : host?.netns.links.find((l) => l.ifindex === master)?.name
    const why = host
      ? undefined
      : link.kind === 'veth'
        ? 'the other end of its veth was not found'
        : `${typeOf(link)}: has no other end`
    return {
      ...base,
      netns: netns.id,
      link: link.name,
      mtu: link.mtu,
      addresses: link.addresses.filter((a) => a.scope !== 'link').map((a) => formatIp(a.ip)),
      ...(host ? { hostLink: host.link.name } : {}),
      ...(bridge === undefined ? {} : { bridge }),
      ...(host?.link.bridgePort ? { hairpin: host.link.bridgePort.hairpin } : {}),
      ...(why === undefined ? {} : { why }),
    }
  })
}
