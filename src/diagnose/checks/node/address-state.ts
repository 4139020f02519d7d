/** Addresses of Nodes by the state: registered twice, on no link of the machine, or answered for by another machine. */
import { formatIp, ipEquals, parseIp } from '../../../base/ip.ts'
import type { NodeObject } from '../../../kubeobj/objects.ts'
import type { Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { hostNetns } from '../../view/owner.ts'
import { isDefault, linkOf, MAIN_TABLE } from '../../view/route-view.ts'

function internal(node: NodeObject): string[] {
  return node.addresses.filter((a) => a.type === 'InternalIP').map((a) => a.address)
}

/** Addresses by which the machine could be reached: global ones of its real links, other than those Nodes registered twice. */
function candidates(host: Netns | undefined, without: string): string[] {
  const kinds = new Set(['ethernet', 'veth', 'bond', 'vlan'])
  return (host?.links ?? [])
    .filter((l) => kinds.has(l.kind) && l.master === undefined && l.flags.has('UP'))
    .flatMap((l) =>
      l.addresses
        .filter((a) => a.scope === 'global' && formatIp(a.ip) !== without)
        .map((a) => `${formatIp(a.ip)} on ${l.name}`),
    )
}

/** `node-address-wrong`: one address registered by several Nodes, or one that the machine does not have. */
export const nodeAddressState: ClusterCheck = {
  name: 'node-address-wrong',
  find(state) {
    const { nodes } = state.objects
    const out: ClusterFinding[] = []
    const shared = new Map<string, NodeObject[]>()
    for (const n of nodes) for (const a of internal(n)) shared.set(a, [...(shared.get(a) ?? []), n])
    for (const [address, list] of shared) {
      if (list.length < 2) continue
      const ip = parseIp(address)
      const names = list.map((n) => n.meta.name)
      const hosts = names.map((n) => hostNetns(state.network, n))
      const on = hosts.flatMap(
        (h) =>
          h?.links.flatMap((l) =>
            l.addresses
              .filter((a) => ip && ipEquals(a.ip, ip))
              .map((a) => ({ link: l.name, node: h.node, evidence: a.evidence })),
          ) ?? [],
      )
      const better = hosts.flatMap((h) =>
        candidates(h, address)
          .slice(0, 1)
          .map((c) => `${c} of ${h!.node}`),
      )
      out.push(
        clusterFinding('node-address-wrong', {
          severity: 'error',
          title: `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''} are all registered with the address ${address}`,
          text: `Every one of these Nodes has the InternalIP ${address}${
            on.length > 1
              ? `, and ${on
                  .map((o) => `${o.node} has it on ${o.link}`)
                  .slice(0, 3)
                  .join(', ')}: the NAT network of a virtual machine looks the same in each`
              : ''
          }. Whoever asks for one of them (logs, exec, metrics, NodePorts) reaches itself or another. kubelet chose the wrong network card.`,
          where: { object: `Node ${names[0]}` },
          concerns: names.map((node) => ({ kind: 'node', node })),
          evidence: [...list.map((n) => nodeProof(n)), ...on.map((o) => o.evidence)],
          remedy: {
            text: `Start kubelet on each node with --node-ip set to the address that carries traffic${better.length > 0 ? ` (${better.slice(0, 3).join(', ')})` : ''}.`,
          },
        }),
      )
    }
    for (const node of nodes) out.push(...absent(state, node, shared))
    return out
  },
}

function absent(
  state: ClusterState,
  node: NodeObject,
  shared: ReadonlyMap<string, readonly NodeObject[]>,
): ClusterFinding[] {
  const name = node.meta.name
  const host = hostNetns(state.network, name)
  if (!host?.known.has('links') || !host.links.some((l) => l.addresses.length > 0)) return []
  return internal(node).flatMap((address) => {
    const ip = parseIp(address)
    if (!ip || (shared.get(address)?.length ?? 0) > 1) return []
    if (host.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, ip)))) return []
    const other = [...state.network.netns.values()].find(
      (n) =>
        n.kind === 'host' &&
        n.id !== host.id &&
        n.links.some((l) => l.kind !== 'loopback' && l.addresses.some((a) => ipEquals(a.ip, ip))),
    )
    const own = candidates(host, address)
    return [
      clusterFinding('node-address-wrong', {
        severity: 'error',
        title: `${name} is registered with ${address}, an address it does not have`,
        text: `No link of ${name} carries ${address}${other ? `; ${other.node} has it` : ''}. The machine got another address (DHCP, a rebuilt image), or kubelet was told a wrong one. Packets for ${name} and for its pods go to ${address}.`,
        where: { node: name, object: `Node ${name}` },
        concerns: [{ kind: 'node', node: name }],
        evidence: [
          nodeProof(node),
          ...host.links
            .flatMap((l) => l.addresses.filter((a) => a.scope === 'global').map((a) => a.evidence))
            .slice(0, 4),
        ],
        remedy: {
          text: `Give the machine its address back, or start kubelet with --node-ip${own[0] ? ` (${own[0]})` : ''}, and let the network agent detect it anew.`,
        },
      }),
    ]
  })
}

/** The fabric of Azure answers ARP for every address with this one. */
const FABRIC = new Set(['12:34:56:78:9a:bc'])

/**
 * `node-address-duplicate`: a node's neighbour table has another machine's MAC for a Node's address. A fabric or router that
 * answers for everybody gives one MAC for several addresses, or the gateway's, and is no second machine.
 */
export const nodeAddressDuplicate: ClusterCheck = {
  name: 'node-address-duplicate',
  find(state) {
    const addresses = state.objects.nodes.flatMap((node) => internal(node).flatMap((a) => ({ node, ip: parseIp(a) })))
    return [...state.network.netns.values()].flatMap((host): ClusterFinding[] => {
      if (host.kind !== 'host' || !host.known.has('neighbours')) return []
      const gateways = host.routes
        .filter((r) => r.table === MAIN_TABLE && isDefault(r))
        .flatMap((r) => r.nexthops.flatMap((n) => n.gateway ?? []))
      return host.neighbours.flatMap((entry) => {
        const owner = addresses.find((a) => a.ip && ipEquals(a.ip, entry.ip))
        if (
          !owner ||
          entry.mac === undefined ||
          entry.proxy ||
          FABRIC.has(entry.mac) ||
          owner.node.meta.name === host.node
        )
          return []
        if (/FAILED|INCOMPLETE/.test(entry.state)) return []
        const machine = hostNetns(state.network, owner.node.meta.name)
        const real = machine?.links.find((l) => l.addresses.some((a) => ipEquals(a.ip, entry.ip)))
        if (!machine?.known.has('links') || !real || machine.links.some((l) => l.mac === entry.mac)) return []
        const twins = host.neighbours.filter(
          (n) => n.mac === entry.mac && !ipEquals(n.ip, entry.ip) && n.ip.family === entry.ip.family,
        )
        if (
          twins.length > 0 ||
          gateways.some((g) => host.neighbours.some((n) => ipEquals(n.ip, g) && n.mac === entry.mac))
        )
          return []
        const name = owner.node.meta.name
        return [
          clusterFinding('node-address-duplicate', {
            severity: 'error',
            title: `${host.node} takes ${entry.mac} for ${name} (${formatIp(entry.ip)}), but ${name} has ${real.mac}`,
            text: `Another machine on the network answers for ${formatIp(entry.ip)}: a cloned virtual machine, or a static address that DHCP gave out again. Traffic of ${host.node} to ${name} and to all its pods goes to whoever answered last, so it breaks and heals by itself.`,
            where: { node: host.node, netns: 'host', ...linkOfEntry(host, entry.link) },
            concerns: [
              { kind: 'node', node: host.node },
              { kind: 'node', node: name },
            ],
            evidence: [entry.evidence, real.evidence, nodeProof(owner.node)],
            remedy: {
              text: `Find the machine with MAC ${entry.mac} and take the address from it; then flush the neighbour entries.`,
              commands: [
                `arping -D -c 3 -I ${entry.link} ${formatIp(entry.ip)}`,
                `ip neigh del ${formatIp(entry.ip)} dev ${entry.link}`,
              ],
            },
          }),
        ]
      })
    })
  },
}

function linkOfEntry(host: Netns, link: string): { readonly link?: string } {
  return host.links.some((l) => l.name === link) || host.routes.some((r) => linkOf(r) === link) ? { link } : {}
}
