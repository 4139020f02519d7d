import type { Socket } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { serviceName } from '../../view/service-view.ts'
import { concernsNode, type Host, hostsOf, sysctl, sysctlProof } from '../links/hosts.ts'
import { nodePortsOf } from '../links/node-ports.ts'

const RANGE = 'net.ipv4.ip_local_port_range'
const RESERVED = 'net.ipv4.ip_local_reserved_ports'

/** The default of --service-node-port-range. */
const NODE_PORTS: readonly [number, number] = [30000, 32767]

/** `1024 65535` → [1024, 65535]; null when it is not a range. */
export function portRange(text: string | undefined): readonly [number, number] | null {
  const m = /^(\d{1,5})\s+(\d{1,5})$/.exec(text ?? '')
  return m ? [Number(m[1]), Number(m[2])] : null
}

/** `8080,9000-9010`: whether the port is among them (Documentation/networking/ip-sysctl.rst). */
export function isReserved(text: string | undefined, port: number): boolean {
  return (text ?? '').split(',').some((part) => {
    const m = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part)
    return m !== null && port >= Number(m[1]) && port <= Number(m[2] ?? m[1])
  })
}

/** A connection of the node itself that left from an allocated node port and waits for its answer. */
function victim(host: Host, ports: ReadonlySet<number>): Socket | undefined {
  return host.netns.sockets.find(
    (s) => s.protocol === 6 && s.state === 'SYN-SENT' && s.remotePort !== 0 && ports.has(s.localPort),
  )
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const range = portRange(sysctl(host.netns, RANGE))
  if (!range || !host.netns.known.has('sysctls')) return []
  const reserved = sysctl(host.netns, RESERVED)
  const endangered = nodePortsOf(state.objects).filter(
    (p) => p.nodePort >= range[0] && p.nodePort <= range[1] && !isReserved(reserved, p.nodePort),
  )
  const first = endangered[0]
  if (!first) return []
  const stuck = victim(host, new Set(endangered.map((p) => p.nodePort)))
  return [
    clusterFinding('port-range-overlap', {
      severity: stuck ? 'error' : 'warning',
      hurts: stuck !== undefined,
      title: `${host.node} may use a node port as source port of its own connections (${range[0]}–${range[1]} covers ${first.nodePort})`,
      text: `The kernel picks source ports from ${range[0]}–${range[1]}, and ${endangered.length} allocated node port${endangered.length === 1 ? '' : 's'} (${endangered
        .slice(0, 4)
        .map((p) => `${p.nodePort} of ${serviceName(p.service)}`)
        .join(
          ', ',
        )}) lie in it. When a connection of the node itself leaves from such a port, its answer is taken for traffic to the Service and the connection hangs, or a program that wants the port finds it in use. ${stuck ? `One hangs now: source port ${stuck.localPort}.` : 'It happens rarely and looks like chance.'}`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [...sysctlProof(host.netns, RANGE, RESERVED), stuck?.evidence, serviceProof(first.service)],
      remedy: {
        text: 'Keep the node ports out of it: reserve them, or use the kernel default 32768–60999; also in /etc/sysctl.d.',
        commands: [`sysctl -w ${RESERVED}=${[...(reserved ? [reserved] : []), NODE_PORTS.join('-')].join(',')}`],
      },
    }),
  ]
}

/** `port-range-overlap`: source ports the kernel may choose cover node ports that Services hold. */
export const portRangeOverlap: ClusterCheck = {
  name: 'port-range-overlap',
  find: (state) => hostsOf(state).flatMap((host) => ofHost(state, host)),
}
