/** From where a node is asked about a frontend: a pod of its own, its own processes, or a machine outside. */
import { addToIp, type Ip, ipEquals, isLinkLocal, isLoopback, parseIp } from '../../base/ip.ts'
import type { LinkView } from '../../datapath/netfilter/types.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Link, Netns, Network } from '../../model/network.ts'

export interface ServiceSender {
  readonly kind: 'pod' | 'node' | 'outside'
  readonly src: Ip
  /** Null for the node's own packets. */
  readonly in: LinkView | null
  readonly physIn: LinkView | null
  /** The link the node's own packets would leave by. */
  readonly out: LinkView | null
}

export interface NodeSenders {
  readonly pod: ServiceSender | null
  readonly node: ServiceSender | null
  readonly outside: ServiceSender | null
  /** The node's own address, where it serves node ports. */
  readonly address: Ip | null
}

function view(link: Link, family: 4 | 6): LinkView {
  const addresses = link.addresses.filter((a) => a.ip.family === family).map((a) => a.ip)
  return { name: link.name, ifindex: link.ifindex, kind: link.kernelKind ?? link.kind, addresses }
}

const usable = (ip: Ip) => !isLoopback(ip) && !isLinkLocal(ip)

/** The senders of one family; null where the state does not hold what such a packet needs. */
export function sendersOf(network: Network, objects: KubeObjects, host: Netns, family: 4 | 6): NodeSenders {
  const own = nodeAddress(objects, host, family)
  const outside: ServiceSender | null = own
    ? { kind: 'outside', src: beside(own.ip), in: view(own.link, family), physIn: null, out: null }
    : null
  const node: ServiceSender | null = own
    ? { kind: 'node', src: own.ip, in: null, physIn: null, out: view(own.link, family) }
    : null
  return { pod: podSender(network, host, family), node, outside, address: own?.ip ?? null }
}

/** The registered InternalIP that a link of the node carries, or the first address of a NIC. */
function nodeAddress(objects: KubeObjects, host: Netns, family: 4 | 6): { ip: Ip; link: Link } | null {
  const all = host.links.flatMap((link) =>
    link.addresses.filter((a) => a.ip.family === family && usable(a.ip)).map((a) => ({ ip: a.ip, link })),
  )
  const object = objects.nodes.find((n) => n.meta.name === host.node)
  const texts = new Set(object?.addresses.filter((a) => a.type === 'InternalIP').map((a) => a.address))
  const registered = all.find((a) => [...texts].some((t) => sameText(t, a.ip)))
  return registered ?? (object ? null : (all.find((a) => a.link.kind === 'ethernet' || a.link.kind === 'veth') ?? null))
}

function sameText(text: string, ip: Ip): boolean {
  const parsed = parseIp(text)
  return parsed !== null && ipEquals(parsed, ip)
}

/** A neighbour on the same network: which one does not matter to rules about Services. */
function beside(ip: Ip): Ip {
  return addToIp(ip, (ip.d & 1) === 0 ? 1 : -1)
}

function podSender(network: Network, host: Netns, family: 4 | 6): ServiceSender | null {
  for (const id of network.nodes.get(host.node)?.pods ?? []) {
    const pod = network.netns.get(id)
    for (const link of pod?.links ?? []) {
      const src = link.addresses.find((a) => a.ip.family === family && usable(a.ip))?.ip
      const port = link.peer?.netns === host.id ? host.links.find((l) => l.ifindex === link.peer?.ifindex) : undefined
      if (!src || !port) continue
      const bridge = port.master === undefined ? undefined : host.links.find((l) => l.ifindex === port.master)
      const bridged = bridge?.kind === 'bridge'
      return {
        kind: 'pod',
        src,
        in: view(bridged ? bridge : port, family),
        physIn: bridged ? view(port, family) : null,
        out: null,
      }
    }
  }
  return null
}
