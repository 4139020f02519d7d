/** What the network between the nodes must carry for a connection: the outer packet, when a tunnel wraps it. */
import { protocolName } from '../../../base/protocol.ts'
import type { Encap } from '../../../model/packet.ts'
import type { Inquiry } from '../../inquiry.ts'

function wrapped({ kind, outer, vni }: Encap): string {
  switch (kind) {
    case 'ipip':
      return 'IP protocol 4 (IP-in-IP; security groups ask for the protocol by number, and Azure never passes it)'
    case 'gre':
      return 'IP protocol 47 (GRE)'
    case 'vxlan':
    case 'geneve':
    case 'wireguard': {
      const names = { vxlan: `VXLAN${vni === undefined ? '' : ` ${vni}`}`, geneve: 'Geneve', wireguard: 'WireGuard' }
      return `UDP port ${outer.dport} (${names[kind]})`
    }
  }
}

/** `UDP port 8472 (VXLAN 1)`, `IP protocol 4 (IP-in-IP…)`, or the connection itself: `tcp port 8080`. */
export function onTheWire(q: Inquiry): string {
  const own = q.branches.filter((b) => b.stage === undefined)
  for (const b of own)
    for (const hop of b.trace.forward.hops)
      for (const step of hop.steps) {
        const outer = step.encap?.at(-1)
        if (outer) return wrapped(outer)
      }
  const packet = own[0]?.trace.forward.packet
  if (!packet) return 'the traffic'
  const name = protocolName(packet.protocol)
  return packet.dport > 0 ? `${name} port ${packet.dport} of the pod addresses` : `${name} of the pod addresses`
}
