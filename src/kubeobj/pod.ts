import type { RawObject } from './decode.ts'
import { integerOf, objectOf, objectsOf, optional, portOf, type Raw, textOf } from './fields.ts'
import { conditionsOf } from './node.ts'
import type { ContainerPort, PodObject } from './objects.ts'

export function decodePod({ meta, evidence, spec, status }: RawObject): PodObject {
  const ips = objectsOf(status.podIPs).map((p) => textOf(p.ip) ?? '')
  const ip = textOf(status.podIP)
  // A sidecar is an init container that goes on (KEP-753): its ports are the pod's.
  const sidecars = objectsOf(spec.initContainers).filter((c) => c.restartPolicy === 'Always')
  return {
    meta,
    evidence,
    ...optional('nodeName', textOf(spec.nodeName)),
    hostNetwork: spec.hostNetwork === true,
    ...optional('dnsPolicy', textOf(spec.dnsPolicy)),
    containers: [...objectsOf(spec.containers), ...sidecars].map(decodeContainer),
    phase: textOf(status.phase) ?? 'Unknown',
    podIPs: [...new Set([...(ip === undefined ? [] : [ip]), ...ips])].filter((x) => x !== ''),
    ...optional('hostIP', textOf(status.hostIP)),
    conditions: conditionsOf(status),
    containerStatuses: objectsOf(status.containerStatuses).map(decodeStatus),
    ...optional('reason', textOf(status.reason)),
    ...optional('message', textOf(status.message)),
  }
}

function decodeContainer(c: Raw): PodObject['containers'][number] {
  return {
    name: textOf(c.name) ?? '',
    ...optional('image', textOf(c.image)),
    ports: objectsOf(c.ports).flatMap(decodePort),
    hasPreStop: objectOf(c.lifecycle).preStop !== undefined,
    hasReadinessProbe: c.readinessProbe !== undefined && c.readinessProbe !== null,
  }
}

function decodePort(p: Raw): ContainerPort[] {
  const containerPort = portOf(p.containerPort)
  if (containerPort === undefined) return []
  return [
    {
      containerPort,
      protocol: (textOf(p.protocol) ?? 'TCP').toUpperCase(),
      ...optional('name', textOf(p.name)),
      ...optional('hostPort', portOf(p.hostPort)),
    },
  ]
}

function decodeStatus(s: Raw): PodObject['containerStatuses'][number] {
  const waiting = objectOf(objectOf(s.state).waiting)
  const terminated = objectOf(objectOf(s.lastState).terminated)
  return {
    name: textOf(s.name) ?? '',
    ready: s.ready === true,
    restartCount: integerOf(s.restartCount) ?? 0,
    ...optional('containerID', textOf(s.containerID)),
    ...optional('waitingReason', textOf(waiting.reason)),
    ...optional('waitingMessage', textOf(waiting.message)),
    ...optional('lastTerminatedReason', textOf(terminated.reason)),
  }
}
