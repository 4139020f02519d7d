/** Services in front of a pod: policies see what is behind them, and people write policies for what is before them. */
import type { ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import type { PolicyCluster } from './cluster.ts'
import type { End } from './end.ts'
import type { ServiceHint } from './result.ts'

export interface ServiceInFront {
  readonly service: ServiceObject
  readonly hint: ServiceHint
}

/** The numbers a port name means in a pod, for one protocol (upper case). */
export function namedPorts(end: Extract<End, { kind: 'pod' }>, name: string, protocol: string): readonly number[] {
  const numbers = end.pod.containers.flatMap((c) =>
    c.ports.filter((p) => p.name === name && p.protocol.toUpperCase() === protocol).map((p) => p.containerPort),
  )
  return [...new Set(numbers)]
}

/** Service ports that lead to the asked port of the destination pod by their selector. */
export function servicesInFront(asked: {
  readonly cluster: PolicyCluster
  readonly destination: End
  readonly protocol: string
  readonly port: number | null
}): readonly ServiceInFront[] {
  const { destination, protocol, port } = asked
  if (destination.kind !== 'pod' || port === null) return []
  const out: ServiceInFront[] = []
  for (const service of asked.cluster.servicesByNamespace.get(destination.namespace) ?? []) {
    if (!selects(service, destination)) continue
    for (const p of service.ports) {
      if (p.protocol.toUpperCase() !== protocol || !targets(p, destination, protocol).includes(port)) continue
      const { name } = service.meta
      out.push({ service, hint: { namespace: destination.namespace, name, port: p.port, targetPort: port } })
    }
  }
  return out
}

function selects(service: ServiceObject, end: Extract<End, { kind: 'pod' }>): boolean {
  const wanted = Object.entries(service.selector ?? {})
  return wanted.length > 0 && wanted.every(([key, value]) => end.labels[key] === value)
}

function targets(p: ServicePort, end: Extract<End, { kind: 'pod' }>, protocol: string): readonly number[] {
  return typeof p.targetPort === 'number' ? [p.targetPort] : namedPorts(end, p.targetPort, protocol)
}
