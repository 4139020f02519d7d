import { formatIp, ipEquals } from '../../../base/ip.ts'
import { diagnosis } from '../../finding.ts'
import type { Branch, Check } from '../../inquiry.ts'
import { nodeProof } from '../../view/object-proof.ts'

/** True when the packet was accepted by a node other than the one asked for. */
export function misdelivered(branch: Branch): boolean {
  const { node, service } = branch.target
  const { forward, disposition } = branch.trace
  if (!node || service || disposition !== 'delivered') return false
  const end = forward.hops.at(-1)
  return end?.netns.endsWith('/host') === true && end.node !== node.meta.name
}

/** `node-address-wrong`: the address the Node registered belongs to another machine, or to every one of them. */
export const nodeAddressWrong: Check = {
  name: 'node-address-wrong',
  explain(f, q) {
    const { node, ip } = f.branch.target
    if (!node || !misdelivered(f.branch)) return null
    const same = q.objects.nodes.filter((n) =>
      n.addresses.some((a) => a.type === 'InternalIP' && a.address === formatIp(ip)),
    )
    const here = f.netns?.links.find((l) => l.addresses.some((a) => ipEquals(a.ip, ip)))
    const real = [...q.network.netns.values()]
      .filter((n) => n.kind === 'host' && n.node === node.meta.name)
      .flatMap((n) => n.links)
      .filter((l) => l.kind === 'veth' || l.kind === 'ethernet' || l.kind === 'bond' || l.kind === 'vlan')
      .flatMap((l) => l.addresses.filter((a) => a.scope === 'global' && !ipEquals(a.ip, ip)).map((a) => formatIp(a.ip)))
    return diagnosis(f, 'node-address-wrong', {
      title: `Node ${node.meta.name} is registered with ${formatIp(ip)}, which is an address of ${f.hop.node}`,
      text: `${same.length > 1 ? `${same.map((n) => n.meta.name).join(' and ')} ${same.length === 2 ? 'both' : 'all'} have the InternalIP ${formatIp(ip)}` : `Node ${node.meta.name} has the InternalIP ${formatIp(ip)}`}. ${f.hop.node} has that address itself${here ? ` (${here.name})` : ''}, so whoever asks for ${node.meta.name} there talks to ${f.hop.node}. kubelet chose the wrong interface (a NAT NIC).`,
      evidence: [nodeProof(node), ...same.map((n) => nodeProof(n)), here?.evidence],
      where: { object: `Node ${node.meta.name}` },
      remedy: {
        text: `Start kubelet on each node with --node-ip set to the address that carries traffic${real.length > 0 ? ` (${[...new Set(real)].slice(0, 3).join(', ')} on ${node.meta.name})` : ''}.`,
      },
    })
  },
}
