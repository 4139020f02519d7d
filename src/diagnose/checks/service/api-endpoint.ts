import { formatEndpoint, formatIp } from '../../../base/ip.ts'
import { diagnosis } from '../../finding.ts'
import type { Check } from '../../inquiry.ts'
import { probeFailed } from '../../probes.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { holders, nodeOfAddress } from '../../view/owner.ts'
import { apiServerEndpoints, isApiServerAddress, kubernetesService } from './api-server.ts'

/** `apiserver-endpoint-stale`: `default/kubernetes` lists an address that no machine we know has, and nothing answers there. */
export const apiServerEndpointStale: Check = {
  name: 'apiserver-endpoint-stale',
  explain(f, q) {
    const { packet } = f.step
    if (f.direction === 'reply' || (f.step.encap?.length ?? 0) > 0) return null
    if (!isApiServerAddress(q.objects, packet.dst)) return null
    if (holders(q.network, packet.dst).length > 0 || nodeOfAddress(q.objects, packet.dst)) return null
    const quiet = f.cause === 'neighbour-failed' || f.cause === 'no-route'
    if (!quiet && !probeFailed(q)) return null
    const service = kubernetesService(q.objects)
    return diagnosis(f, 'apiserver-endpoint-stale', {
      title: `default/kubernetes points at ${formatEndpoint(packet.dst, packet.dport)}, where no API server is`,
      text: `The endpoints of the Service default/kubernetes name ${formatIp(packet.dst)}. No Node has this address and nothing answers there: it is a control-plane address of former times.`,
      evidence: [...apiServerEndpoints(q.objects).map((e) => e.evidence), service ? serviceProof(service) : undefined],
      where: { object: 'Service default/kubernetes' },
      remedy: {
        text: 'Start the API server with the right --advertise-address (or remove the dead control-plane member), so that the endpoints are written anew.',
        commands: ['kubectl -n default get endpointslices -l kubernetes.io/service-name=kubernetes -o yaml'],
      },
    })
  },
}
