import { formatEndpoint } from '../../../base/ip.ts'
import { protocolName } from '../../../base/protocol.ts'
import type { IpvsDestination, IpvsService } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState, Concern } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceOfAddress } from '../../view/owner.ts'
import { concernsNode, type Host, hostsOf, sysctl, sysctlProof } from '../links/hosts.ts'

const MODE = 'net.ipv4.vs.conn_reuse_mode'

/** Linux 5.9 reuses a connection without the delay and without the dead server (commit f0a5e4d7a594). Null: not known. */
function isOld(release: string | undefined): boolean | null {
  const m = /^(\d+)\.(\d+)/.exec(release ?? '')
  return m ? Number(m[1]) < 5 || (Number(m[1]) === 5 && Number(m[2]) < 9) : null
}

interface Leaving {
  readonly service: IpvsService
  readonly destination: IpvsDestination
}

/** Servers that take no new connections and still have some. */
function leaving(services: readonly IpvsService[]): Leaving[] {
  return services.flatMap((service) =>
    service.destinations.flatMap((destination) => {
      const some = (destination.activeConnections ?? 0) + (destination.inactiveConnections ?? 0)
      return destination.weight === 0 && some > 0 ? [{ service, destination }] : []
    }),
  )
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const { netns } = host
  const mode = sysctl(netns, MODE)
  if (netns.ipvs.length === 0 || (mode !== '0' && mode !== '1') || isOld(host.info.kernelRelease) !== true) return []
  const release = { artefact: `nodes/${host.node}/node/kernel-release.txt`, text: host.info.kernelRelease ?? '' }
  const remedy = {
    text: 'Update the kernel to 5.9 or later; until then let connections to servers that are gone expire at once.',
    commands: ['sysctl -w net.ipv4.vs.expire_nodest_conn=1'],
  }
  if (mode === '1')
    return [
      clusterFinding('ipvs-conn-reuse', {
        severity: 'warning',
        title: `IPVS on ${host.node} delays new connections that reuse a source port by a second`,
        text: `${MODE} is 1 and the kernel is ${host.info.kernelRelease}: the first SYN of a client that reuses a source port is dropped, and it tries again a second later. Clients with many short connections (load tests, proxies without keep-alive) see it.`,
        where: { node: host.node, netns: 'host' },
        concerns: concernsNode(host),
        evidence: [...sysctlProof(netns, MODE), release],
        remedy,
      }),
    ]
  return leaving(netns.ipvs)
    .slice(0, 20)
    .map(({ service, destination }) => {
      const at = service.address && formatEndpoint(service.address, service.port)
      const object = service.address && serviceOfAddress(state.objects, service.address)
      const name = object ? `${object.meta.namespace}/${object.meta.name}` : (at ?? `firewall mark ${service.mark}`)
      const server = formatEndpoint(destination.address, destination.port)
      const concerns: Concern[] = object
        ? [{ kind: 'service', namespace: object.meta.namespace, name: object.meta.name }]
        : [...concernsNode(host)]
      return clusterFinding('ipvs-conn-reuse', {
        severity: 'error',
        hurts: true,
        title: `IPVS on ${host.node} still sends reused source ports of Service ${name} to ${server}, which is leaving`,
        text: `${server} has weight 0 (its pod is gone or going) and still ${(destination.activeConnections ?? 0) + (destination.inactiveConnections ?? 0)} ${protocolName(service.protocol)} connections. ${MODE} is 0 and the kernel is ${host.info.kernelRelease}: a new connection from a source port one of them used goes to ${server} again and fails with "no route to host" or a timeout. Rolling updates and clients with many short connections meet it.`,
        where: { node: host.node, netns: 'host', object: `Service ${name}` },
        concerns,
        evidence: [destination.evidence, service.evidence, ...sysctlProof(netns, MODE), release],
        remedy,
      })
    })
}

/** `ipvs-conn-reuse`: kernels before 5.9 with either value of conn_reuse_mode (kubernetes#81775). */
export const ipvsConnReuse: ClusterCheck = {
  name: 'ipvs-conn-reuse',
  find: (state) => hostsOf(state).flatMap((host) => ofHost(state, host)),
}
