import { type Ip, ipEquals, parseIp } from '../../../base/ip.ts'
import type { KubeObjects, ServiceObject } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'

/** The Service `default/kubernetes`: every API server keeps itself listed behind it. */
export function kubernetesService(objects: KubeObjects): ServiceObject | undefined {
  return objects.services.find((s) => s.meta.namespace === 'default' && s.meta.name === 'kubernetes')
}

/** Addresses and ports behind `default/kubernetes`. */
export function apiServerEndpoints(
  objects: KubeObjects,
): { readonly address: string; readonly ip: Ip | null; readonly port: number; readonly evidence: Evidence }[] {
  return objects.endpointSlices
    .filter((s) => s.meta.namespace === 'default' && s.serviceName === 'kubernetes')
    .flatMap((s) =>
      s.endpoints.flatMap((e) =>
        e.addresses.flatMap((address) =>
          s.ports.flatMap((p) =>
            p.port === null ? [] : [{ address, ip: parseIp(address), port: p.port, evidence: s.evidence }],
          ),
        ),
      ),
    )
}

export function isApiServerAddress(objects: KubeObjects, ip: Ip): boolean {
  return apiServerEndpoints(objects).some((e) => e.ip !== null && ipEquals(e.ip, ip))
}
