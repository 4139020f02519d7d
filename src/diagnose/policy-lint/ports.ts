/** Ports of rules: `policy-uses-service-port` and `policy-port-name-missing`. */
import type { Direction, PolicyPort } from '../../intent/policy/policy.ts'
import type { PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { Finding } from '../../model/finding.ts'
import { correct } from './correct.ts'
import { isDns } from './dns-servers.ts'
import { lintFinding, listed, objectOf, pathText, placeOf } from './finding.ts'
import { isSubject, type LintPolicy, type LintWorld, namespaceOf, podsOfPeer, type RuleAt, rulesOf } from './input.ts'
import { podText } from './subjects.ts'

/** Both checks, for each port of each rule. */
export function ports(p: LintPolicy, world: LintWorld): Finding[] {
  return rulesOf(p.policy).flatMap((at) => {
    const far = listeners(p, world, at)
    if (far === null || far.pods.length === 0) return []
    return (at.rule.ports ?? []).flatMap((port, i): Finding[] => {
      switch (port.kind) {
        case 'range':
          return port.from === port.to ? servicePort(p, world, at, i, port, far.pods) : []
        case 'named':
          return far.sure ? portName(p, world, at, i, port, far.pods) : []
        default:
          return []
      }
    })
  })
}

/** The pods that listen where the rule admits: the subjects of ingress, the peers of egress. Null where others may listen too. */
function listeners(p: LintPolicy, world: LintWorld, at: RuleAt): { pods: readonly PodObject[]; sure: boolean } | null {
  if (at.direction === 'ingress') return { pods: p.subjects.filter(isSubject), sure: true }
  if (at.rule.peers === null) return null
  let sure = true
  const pods = new Set<PodObject>()
  for (const peer of at.rule.peers) {
    if (peer.kind !== 'pods') return null
    const found = podsOfPeer(world, p.policy, peer)
    sure &&= found.sure
    for (const pod of found.pods) if (isSubject(pod)) pods.add(pod)
  }
  return { pods: [...pods], sure }
}

const declares = (pod: PodObject, protocol: string, port: number) =>
  pod.containers.some((c) => c.ports.some((x) => x.containerPort === port && x.protocol.toUpperCase() === protocol))

function servicePort(
  p: LintPolicy,
  world: LintWorld,
  at: RuleAt,
  index: number,
  port: Extract<PolicyPort, { kind: 'range' }>,
  pods: readonly PodObject[],
): Finding[] {
  const { protocol, from: number } = port
  if (pods.some((pod) => declares(pod, protocol, number))) return []
  const front = frontOf(world, pods, protocol, number, at.direction)
  if (!front) return []
  const { service, target, behind, name } = front
  if ((at.rule.ports ?? []).some((x) => admits(x, protocol, target, behind))) return []
  const path = [...at.path, 'ports', index, 'port']
  // A number that nothing says it listens on is replaced; where the pods do not tell their ports it is kept beside the right one.
  const told = pods.every((pod) => pod.containers.some((c) => c.ports.length > 0))
  const entry = { protocol, port: typeof name === 'string' ? name : target }
  const toBehind = (c: { readonly to: { readonly pod?: PodObject | undefined } }) =>
    c.to.pod !== undefined && pods.includes(c.to.pod)
  return [
    lintFinding('policy-uses-service-port', 'warning', objectOf(p), {
      title: `NetworkPolicy ${p.name} admits ${at.direction} on port ${number} of Service ${service.meta.name}, but policies see the pod's port ${target}`,
      text: `Service ${namespaceOfService(service)}/${service.meta.name} maps ${number} to ${target} of ${listed(behind.map(podText))} before any policy is evaluated, and none of the pods declares port ${number}.`,
      evidence: [placeOf(world, p.object, path), service.evidence],
      remedy: correct(
        world,
        p,
        `Write port ${target} instead of ${number}.`,
        ...(told
          ? [
              {
                edits: [{ path, set: target }],
                intended: (c: Parameters<Parameters<typeof correct>[3]['intended']>[0]) =>
                  toBehind(c) && c.protocol === protocol && c.port === (c.change === 'gained' ? target : number),
              },
            ]
          : []),
        {
          edits: [{ path: [...at.path, 'ports'], append: { ...entry, port: target } }],
          intended: (c) => c.change === 'gained' && toBehind(c) && c.protocol === protocol && c.port === target,
        },
      ),
    }),
  ]
}

const namespaceOfService = (s: ServiceObject) => s.meta.namespace || 'default'

function frontOf(world: LintWorld, pods: readonly PodObject[], protocol: string, number: number, direction: Direction) {
  for (const service of world.objects.services) {
    const wanted = Object.entries(service.selector ?? {})
    // Of a headless Service the port is not translated.
    if (wanted.length === 0 || service.clusterIPs.includes('None')) continue
    // The DNS check tells it, and knows of caches.
    if (direction === 'egress' && isDns(service)) continue
    const port = service.ports.find((x) => x.port === number && x.protocol.toUpperCase() === protocol)
    if (!port || port.targetPort === number) continue
    const behind = pods.filter(
      (pod) => namespaceOf(pod) === namespaceOfService(service) && wanted.every(([k, v]) => pod.meta.labels[k] === v),
    )
    const targets = new Set(behind.flatMap((pod) => numbersOf(pod, port.targetPort, protocol)))
    const [target] = targets
    if (targets.size !== 1 || target === undefined || target === number) continue
    return { service, target, behind, name: port.targetPort }
  }
  return null
}

function numbersOf(pod: PodObject, port: number | string, protocol: string): number[] {
  if (typeof port === 'number') return [port]
  return pod.containers.flatMap((c) =>
    c.ports.filter((x) => x.name === port && x.protocol.toUpperCase() === protocol).map((x) => x.containerPort),
  )
}

function admits(port: PolicyPort, protocol: string, target: number, pods: readonly PodObject[]): boolean {
  switch (port.kind) {
    case 'range':
      return port.protocol === protocol && port.from <= target && target <= port.to
    case 'named':
      return port.protocol === protocol && pods.some((pod) => numbersOf(pod, port.name, protocol).includes(target))
    default:
      return true
  }
}

function portName(
  p: LintPolicy,
  world: LintWorld,
  at: RuleAt,
  index: number,
  port: Extract<PolicyPort, { kind: 'named' }>,
  pods: readonly PodObject[],
): Finding[] {
  if (pods.some((pod) => numbersOf(pod, port.name, port.protocol).length > 0)) return []
  const path = [...at.path, 'ports', index, 'port']
  const other = pods.flatMap((pod) => pod.containers.flatMap((c) => c.ports)).find((x) => x.name === port.name)
  const names = [...new Set(pods.flatMap((pod) => pod.containers.flatMap((c) => c.ports.flatMap((x) => x.name ?? []))))]
  return [
    lintFinding('policy-port-name-missing', 'warning', objectOf(p), {
      title: `NetworkPolicy ${p.name}: no pod of this rule has a ${port.protocol} port named ${port.name}`,
      text: `${pathText(path)} is looked up in ${at.direction === 'ingress' ? "the subject's" : "the peer's"} containers (${listed(pods.map(podText))}). ${
        other
          ? `There ${port.name} is a ${other.protocol} port; a port without protocol is TCP.`
          : names.length > 0
            ? `They name ${listed(names, 5)}.`
            : 'They name no ports.'
      } The rule admits nothing by this name.`,
      evidence: [placeOf(world, p.object, path), ...(pods[0] ? [pods[0].evidence] : [])],
      remedy: other
        ? correct(world, p, `Write protocol: ${other.protocol}.`, {
            edits: [{ path: [...at.path, 'ports', index, 'protocol'], set: other.protocol }],
            intended: (c) => c.change === 'gained' && c.protocol === other.protocol && c.port === other.containerPort,
          })
        : { text: 'Name the port in the container, or write its number.', verified: false },
    }),
  ]
}
