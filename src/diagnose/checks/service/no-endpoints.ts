/** A Service nobody answers for: why its endpoint list is empty decides the code. */

import type { PodObject, ServiceObject } from '../../../kubeobj/objects.ts'
import type { Network } from '../../../model/network.ts'
import type { Code } from '../../codes.ts'
import { diagnosis } from '../../finding.ts'
import type { Check, Inquiry } from '../../inquiry.ts'
import { endpointsOfPods, withServiceEndpoints } from '../../remedy/service.ts'
import { podProof, serviceProof } from '../../view/object-proof.ts'
import {
  backendsOf,
  type Frontend,
  frontendOf,
  isDnsService,
  selectedPods,
  serviceName,
  usableBackends,
} from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

/** Why a Service port has no usable endpoint, from the objects alone. Null when it has one. */
export function whyNoEndpoints(
  q: Pick<Inquiry, 'objects'>,
  front: Pick<Frontend, 'service' | 'port'>,
): {
  readonly code: Code
  readonly title: string
  readonly text: string
  readonly todo: string
  readonly commands?: readonly string[]
  readonly edit?: (network: Network) => Network
  readonly pods: readonly PodObject[]
} | null {
  const { service, port } = front
  const { known } = q.objects
  // What was not read may well be there.
  if (!known.has('EndpointSlice') || (service.selector !== null && !known.has('Pod'))) return null
  const name = serviceName(service)
  const backends = backendsOf(q.objects, service, port)
  if (usableBackends(backends).length > 0) return null
  const pods = selectedPods(q.objects, service)
  const dns = isDnsService(service)
  const code = (plain: Code): Code => (dns ? 'dns-no-endpoints' : plain)
  if (service.selector === null)
    return {
      code: code('service-no-endpoints'),
      title: `Service ${name} has no selector and nobody entered endpoints for it`,
      text: `Service ${name} has no selector, so its EndpointSlices are kept by hand; none lists an address for port ${port.port}.`,
      todo: `Create an EndpointSlice for ${name}, or give the Service a selector.`,
      pods: [],
    }
  if (pods.length === 0) {
    const selector = labelText(service.selector)
    const near = nearMiss(q, front)
    return {
      code: code('service-no-endpoints'),
      title: `the selector of Service ${name} matches no pod`,
      text: `Service ${name} selects pods labelled ${selector} in namespace ${service.meta.namespace}; there is none. ${near ? `The nearest is pod ${near.pod.meta.name} with ${labelText(near.selector)}.` : ''}`,
      todo: `Correct the selector of the Service or the labels of the pods.${near ? ` If the pods labelled ${labelText(near.selector)} are meant:` : ''}`,
      ...(near
        ? {
            commands: [patchService(service, { selector: near.selector })],
            edit: (n) =>
              withServiceEndpoints(
                n,
                service,
                port,
                endpointsOfPods(q.objects, service, near.selector, port.targetPort),
              ),
          }
        : {}),
      pods: [],
    }
  }
  const named = port.targetPort
  if (typeof named === 'string' && !pods.some((p) => p.containers.some((c) => c.ports.some((x) => x.name === named)))) {
    const known = [
      ...new Set(
        pods.flatMap((p) => p.containers.flatMap((c) => c.ports.map((x) => x.name ?? String(x.containerPort)))),
      ),
    ]
    return {
      code: code('service-target-port-name-missing'),
      title: `no pod of Service ${name} has a port named ${named}`,
      text: `Service ${name} sends port ${port.port} to the container port named ${named}; the pods it selects declare ${known.join(', ') || 'no ports'}. So the port has no endpoint.`,
      todo: `Name a container port ${named}, or set targetPort to a port the pods have.`,
      ...(known.length === 1
        ? {
            commands: [patchService(service, { ports: [{ port: port.port, targetPort: target(known[0] ?? '') }] })],
            edit: (n) =>
              withServiceEndpoints(
                n,
                service,
                port,
                endpointsOfPods(q.objects, service, service.selector ?? {}, target(known[0] ?? '')),
              ),
          }
        : {}),
      pods,
    }
  }
  const asleep = pods.filter((p) => !isReady(p))
  const why = asleep.map((p) => reasonOf(q, p)).filter((r) => r !== '')
  return {
    code: code('service-endpoints-not-ready'),
    title: `no pod of Service ${name} is Ready`,
    text: `Service ${name} selects ${pods
      .map((p) => p.meta.name)
      .slice(0, 5)
      .join(
        ', ',
      )}, none of which is Ready, so it has no endpoint to send to.${why.length > 0 ? ` ${why.slice(0, 3).join(' ')}` : ''}`,
    todo: 'Find out why the pods are not Ready (readiness probe, crash, dependency) and correct that.',
    pods,
  }
}

/** A port name, or a number where the port has no name. */
function target(port: string): string | number {
  return /^\d+$/.test(port) ? Number(port) : port
}

function isReady(p: PodObject): boolean {
  return p.conditions.some((c) => c.type === 'Ready' && c.status === 'True')
}

/** What is said about a pod that is not Ready: events first, then its own status. */
function reasonOf(q: Pick<Inquiry, 'objects'>, p: PodObject): string {
  const event = q.objects.events.find(
    (e) =>
      e.about.kind === 'Pod' &&
      e.about.name === p.meta.name &&
      e.about.namespace === p.meta.namespace &&
      e.type === 'Warning',
  )
  if (event) return `${p.meta.name}: ${event.message}.`
  const status = p.containerStatuses.find((c) => c.waitingReason ?? c.lastTerminatedReason)
  const reason = status?.waitingReason ?? status?.lastTerminatedReason ?? p.reason
  return reason ? `${p.meta.name}: ${reason}.` : ''
}

/** A pod of the namespace whose labels have the selector's keys with nearly its values, to show a spelling mistake. */
function nearMiss(
  q: Pick<Inquiry, 'objects'>,
  front: Pick<Frontend, 'service'>,
): { readonly pod: PodObject; readonly selector: Readonly<Record<string, string>> } | null {
  const plain = (text: string) => text.replaceAll(/[-_.]/g, '')
  const wanted = Object.entries(front.service.selector ?? {})
  const pod = q.objects.pods.find(
    (p) =>
      p.meta.namespace === front.service.meta.namespace &&
      wanted.every(([k]) => p.meta.labels[k] !== undefined) &&
      wanted.some(([k, v]) => p.meta.labels[k] !== v && plain(p.meta.labels[k] ?? '').startsWith(plain(v).slice(0, 3))),
  )
  return pod ? { pod, selector: Object.fromEntries(wanted.map(([k]) => [k, pod.meta.labels[k] ?? ''])) } : null
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([k, v]) => `${k}=${v}`)
    .join(',')
}

/** `kubectl patch` of a Service's spec (a strategic merge: ports are told apart by `port`). */
export function patchService(service: ServiceObject, spec: Readonly<Record<string, unknown>>): string {
  const { namespace, name } = service.meta
  return `kubectl -n ${shellWord(namespace)} patch service ${shellWord(name)} -p ${shellWord(JSON.stringify({ spec }))}`
}

/** `service-no-endpoints`, `service-endpoints-not-ready`, `service-target-port-name-missing`, `dns-no-endpoints`. */
export const noEndpoints: Check = {
  name: 'no-endpoints',
  explain(f, q) {
    const { packet } = f.step
    const front = frontendOf(q, packet.dst, packet.dport, packet.protocol)
    if (!front) return null
    const why = whyNoEndpoints(q, front)
    if (!why) return null
    return diagnosis(f, why.code, {
      title: why.title,
      text: `${why.text} kube-proxy turns connections to it away${f.cause === 'rule-reject' ? ' at once ("connection refused" is said by the node, not by a pod)' : ''}.`,
      evidence: [serviceProof(front.service), ...why.pods.slice(0, 3).map((p) => podProof(p))],
      where: { object: `Service ${serviceName(front.service)}` },
      remedy: { text: why.todo, ...(why.commands ? { commands: why.commands } : {}) },
      ...(why.edit ? { edit: why.edit } : {}),
    })
  },
}
