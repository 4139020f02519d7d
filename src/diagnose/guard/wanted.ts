/** The ports an expectation means at each pod: policies see the pod's own port, after any Service. */
import type { PodObject, ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import type { Expectation, ExpectedPort } from './expectation.ts'

/** `port` null: every port of the protocol; `protocol` (upper case) null: of TCP, UDP and SCTP. */
export interface WantedPort {
  readonly protocol: string | null
  readonly port: number | null
}

/** The ports wanted at a pod (null: at an address, where names mean nothing); empty: it has none of them. */
export interface Wants {
  (pod: PodObject | null): readonly WantedPort[]
  /** Set when they are the same ones everywhere. */
  readonly same?: readonly WantedPort[]
}

const everywhere = (same: readonly WantedPort[]): Wants => Object.assign(() => same, { same })

const declared = (pod: PodObject | null) => pod?.containers.flatMap((c) => c.ports) ?? []

/** A port by number or name, on a pod. */
function portOn(pod: PodObject | null, port: string, protocol: string | null): WantedPort[] {
  if (/^\d+$/.test(port)) return [{ protocol: protocol ?? 'TCP', port: Number(port) }]
  return declared(pod)
    .filter((p) => p.name === port && (protocol === null || p.protocol.toUpperCase() === protocol))
    .map((p) => ({ protocol: p.protocol.toUpperCase(), port: p.containerPort }))
}

/** The ports of a Service that are meant; a text when it has none such. */
export function servicePorts(service: ServiceObject, e: Expectation): readonly ServicePort[] | string {
  const { namespace, name } = service.meta
  const fits = (p: ServicePort, protocol: string | null) => protocol === null || p.protocol.toUpperCase() === protocol
  if (e.ports.length === 0) {
    const found = service.ports.filter((p) => fits(p, e.protocol))
    return found.length > 0 ? found : `svc/${namespace}/${name} has no ${e.protocol ?? ''} port`.replace('  ', ' ')
  }
  const found: ServicePort[] = []
  for (const { port, protocol } of e.ports) {
    const fitting = service.ports.filter((p) => (String(p.port) === port || p.name === port) && fits(p, protocol))
    if (fitting.length === 0) {
      const has = service.ports.map((p) => `${p.port}/${p.protocol.toLowerCase()}`).join(', ') || 'none'
      return `svc/${namespace}/${name} has no port ${port}; it has ${has}`
    }
    found.push(...fitting)
  }
  return found
}

/** What `e` wants of pods behind `service`, or of pods themselves; a text when the Service has no such port. */
export function wantsOf(e: Expectation, service: ServiceObject | undefined): Wants | string {
  const headless = service?.clusterIPs[0] === 'None'
  if (service && !(headless && e.ports.length > 0 && e.ports.every(isNumber))) {
    const ports = servicePorts(service, e)
    if (typeof ports === 'string') return ports
    return (pod) =>
      ports.flatMap((p) =>
        typeof p.targetPort === 'number'
          ? [{ protocol: p.protocol.toUpperCase(), port: p.targetPort }]
          : portOn(pod, p.targetPort, p.protocol.toUpperCase()),
      )
  }
  if (e.ports.length > 0 && e.ports.every(isNumber)) {
    return everywhere(e.ports.flatMap((p) => portOn(null, p.port, p.protocol)))
  }
  if (e.ports.length > 0) return (pod) => e.ports.flatMap((p) => portOn(pod, p.port, p.protocol))
  if (!e.reaches) return everywhere([{ protocol: e.protocol, port: null }])
  // A promise without a port is about the ports that are there.
  return (pod) =>
    declared(pod)
      .filter((p) => e.protocol === null || p.protocol.toUpperCase() === e.protocol)
      .map((p) => ({ protocol: p.protocol.toUpperCase(), port: p.containerPort }))
}

const isNumber = (p: ExpectedPort) => /^\d+$/.test(p.port)

/** `TCP 8080`; `every port`. */
export function wantedText({ protocol, port }: WantedPort): string {
  if (port !== null) return `${port}/${(protocol ?? 'TCP').toLowerCase()}`
  return protocol === null ? 'every port' : `every ${protocol} port`
}
