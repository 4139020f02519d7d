import type { RawObject } from './decode.ts'
import {
  integerOf,
  isRaw,
  objectOf,
  objectsOf,
  optional,
  portOf,
  type Raw,
  recordOf,
  textOf,
  textsOf,
} from './fields.ts'
import { conditionsOf } from './node.ts'
import type { ContainerPort, PodObject } from './objects.ts'

export function decodePod({ meta, evidence, spec, status }: RawObject): PodObject {
  const ips = objectsOf(status.podIPs).map((p) => textOf(p.ip) ?? '')
  const ip = textOf(status.podIP)
  // A sidecar is an init container that goes on (KEP-753): its ports are the pod's.
  const init = objectsOf(spec.initContainers)
  const sidecars = init.filter((c) => c.restartPolicy === 'Always')
  const starters = init.filter((c) => c.restartPolicy !== 'Always')
  return {
    meta,
    evidence,
    ...optional('nodeName', textOf(spec.nodeName)),
    hostNetwork: spec.hostNetwork === true,
    ...optional('dnsPolicy', textOf(spec.dnsPolicy)),
    containers: [...objectsOf(spec.containers), ...sidecars].map(decodeContainer),
    ...(starters.length === 0 ? {} : { initContainers: starters.map(decodeInit) }),
    ...(isRaw(spec.dnsConfig) ? { dnsConfig: decodeDns(spec.dnsConfig) } : {}),
    tolerations: objectsOf(spec.tolerations).map((t) => ({
      key: textOf(t.key) ?? '',
      operator: textOf(t.operator) ?? 'Equal',
      effect: textOf(t.effect) ?? '',
    })),
    ...optional('terminationGracePeriod', integerOf(spec.terminationGracePeriodSeconds)),
    ...(isRaw(spec.nodeSelector) ? { nodeSelector: recordOf(spec.nodeSelector) } : {}),
    ...optional('priorityClassName', textOf(spec.priorityClassName)),
    ...optional('serviceAccountName', textOf(spec.serviceAccountName ?? spec.serviceAccount)),
    phase: textOf(status.phase) ?? 'Unknown',
    podIPs: [...new Set([...(ip === undefined ? [] : [ip]), ...ips])].filter((x) => x !== ''),
    ...optional('hostIP', textOf(status.hostIP)),
    conditions: conditionsOf(status),
    containerStatuses: objectsOf(status.containerStatuses).map(decodeStatus),
    ...(Array.isArray(status.initContainerStatuses)
      ? { initContainerStatuses: objectsOf(status.initContainerStatuses).map(decodeStatus) }
      : {}),
    ...optional('startTime', textOf(status.startTime)),
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
    ...(isRaw(c.resources)
      ? { resources: { limits: recordOf(c.resources.limits), requests: recordOf(c.resources.requests) } }
      : {}),
    ...commandOf(c),
    ...(c.restartPolicy === 'Always' ? { sidecar: true } : {}),
  }
}

function commandOf(c: Raw): { readonly command?: readonly string[]; readonly args?: readonly string[] } {
  return {
    ...(Array.isArray(c.command) ? { command: textsOf(c.command) } : {}),
    ...(Array.isArray(c.args) ? { args: textsOf(c.args) } : {}),
  }
}

function decodeInit(c: Raw): NonNullable<PodObject['initContainers']>[number] {
  return {
    name: textOf(c.name) ?? '',
    ...optional('image', textOf(c.image)),
    ports: objectsOf(c.ports).flatMap(decodePort),
    ...commandOf(c),
  }
}

function decodeDns(d: Raw): NonNullable<PodObject['dnsConfig']> {
  return {
    nameservers: textsOf(d.nameservers),
    searches: textsOf(d.searches),
    options: objectsOf(d.options).map((o) => ({ name: textOf(o.name) ?? '', ...optional('value', textOf(o.value)) })),
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
  const ended = objectOf(objectOf(s.state).terminated)
  return {
    name: textOf(s.name) ?? '',
    ready: s.ready === true,
    restartCount: integerOf(s.restartCount) ?? 0,
    ...optional('containerID', textOf(s.containerID)),
    ...optional('waitingReason', textOf(waiting.reason)),
    ...optional('waitingMessage', textOf(waiting.message)),
    ...optional('lastTerminatedReason', textOf(terminated.reason)),
    ...optional('lastTerminatedMessage', textOf(terminated.message)),
    ...optional('lastTerminatedExitCode', integerOf(terminated.exitCode)),
    ...(isRaw(objectOf(s.state).running) ? { running: true } : {}),
    ...optional('terminatedReason', textOf(ended.reason)),
  }
}
