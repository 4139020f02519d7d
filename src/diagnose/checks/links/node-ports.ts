/** Node ports and host ports: what the objects hold on every node, or on one. */
import { protocolNumber } from '../../../base/protocol.ts'
import type { KubeObjects, PodObject, ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'

export interface NodePort {
  readonly service: ServiceObject
  readonly port: ServicePort
  readonly nodePort: number
  /** IANA number. */
  readonly protocol: number
}

/** Every allocated node port. */
export function nodePortsOf(objects: KubeObjects): NodePort[] {
  return objects.services.flatMap((service) =>
    service.ports.flatMap((port) => {
      const protocol = protocolNumber(port.protocol)
      return port.nodePort === undefined || port.nodePort === 0 || protocol === null
        ? []
        : [{ service, port, nodePort: port.nodePort, protocol }]
    }),
  )
}

export interface HostPort {
  readonly pod: PodObject
  readonly hostPort: number
  readonly protocol: number
}

/** Host ports of pods that run on the node with a netns of their own (hostNetwork pods bind theirs as sockets). */
export function hostPortsOn(objects: KubeObjects, node: string): HostPort[] {
  return objects.pods.flatMap((pod) =>
    pod.nodeName !== node || pod.hostNetwork || pod.phase !== 'Running'
      ? []
      : pod.containers.flatMap((c) =>
          c.ports.flatMap((p) => {
            const protocol = protocolNumber(p.protocol)
            return p.hostPort === undefined || protocol === null ? [] : [{ pod, hostPort: p.hostPort, protocol }]
          }),
        ),
  )
}
