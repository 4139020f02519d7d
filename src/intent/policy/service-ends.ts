/** The `services` of a rule: the endpoints of a Kubernetes Service, with their ports where it is the destination. */
import { type Prefix, parsePrefix } from '../../base/ip.ts'
import type { EndpointSliceObject, KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import { NAME_LABEL } from './end.ts'
import type { PolicyPeer, PolicyPort, Requirement } from './policy.ts'

export interface ServiceEnds {
  readonly peers: readonly PolicyPeer[]
  /** Null: every port. */
  readonly ports: readonly PolicyPort[] | null
}

/**
 * Endpoint addresses with their ports, from the EndpointSlices (felix/serviceindex: ready or not); without slices, the pods that
 * the Service selects. A text says why they cannot be told.
 */
export function serviceEnds(
  objects: KubeObjects,
  wanted: { readonly name: string; readonly namespace: string },
): readonly ServiceEnds[] | string {
  const { name, namespace } = wanted
  const slices = objects.endpointSlices.filter(
    (s) => s.serviceName === name && (s.meta.namespace || 'default') === namespace,
  )
  if (slices.length > 0) return slices.map(sliceEnds)
  const service = objects.services.find((s) => s.meta.name === name && (s.meta.namespace || 'default') === namespace)
  if (service?.selector) return [selectedEnds(service, namespace)]
  return `the endpoints of Service ${namespace}/${name} are not in the evidence`
}

function sliceEnds(slice: EndpointSliceObject): ServiceEnds {
  const cidrs = slice.endpoints.flatMap((e) => e.addresses.flatMap((a): Prefix[] => [parsePrefix(a) ?? []].flat()))
  return {
    peers: [{ kind: 'networks', cidrs }],
    ports: slice.ports.map(
      ({ port, protocol }): PolicyPort => ({
        kind: 'range',
        protocol: protocol.toUpperCase(),
        from: port ?? 0,
        to: port ?? 65535,
      }),
    ),
  }
}

function selectedEnds(service: ServiceObject, namespace: string): ServiceEnds {
  const pods = Object.entries(service.selector ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  )
  return {
    peers: [{ kind: 'pods', namespaces: [{ key: NAME_LABEL, operator: 'In', values: [namespace] }], pods }],
    ports: service.ports.map(({ targetPort, protocol }): PolicyPort => {
      const upper = protocol.toUpperCase()
      return typeof targetPort === 'number'
        ? { kind: 'range', protocol: upper, from: targetPort, to: targetPort }
        : { kind: 'named', protocol: upper, name: targetPort }
    }),
  }
}
