/** A sample of connections around a policy, and which of them a change of objects gives or takes. */
import { addToIp, formatIp, type Ip, ipv4, ipv6 } from '../../base/ip.ts'
import { decodePolicy } from '../../intent/policy/decode.ts'
import { type Direction, evaluator, type PolicyEnd, policyCluster } from '../../intent/policy/index.ts'
import type { NetworkPolicy } from '../../intent/policy/policy.ts'
import type { KubeObjects, OtherObject, PodObject } from '../../kubeobj/objects.ts'
import { isSubject, type LintPolicy, type LintWorld, namespaceOf, podsOfPeer, rulesOf } from './input.ts'

/** An end of a sampled connection: a pod of the objects, or an address outside. */
export type SampleEnd =
  | { readonly pod: PodObject; readonly ip?: undefined }
  | { readonly ip: Ip; readonly pod?: undefined }

export interface Change {
  readonly from: SampleEnd
  readonly to: SampleEnd
  readonly protocol: string
  readonly port: number
  readonly change: 'gained' | 'lost'
  /** The direction that denies it, before or after. */
  readonly denies: Direction
}

const MOST_SUBJECTS = 6
const MOST_OTHERS = 24
/** Of the policy's own namespace, and spread over all. */
const MOST_NEAR = 10
const MOST_FAR = 6
const MOST_PORTS = 16
/** Documentation addresses, which no rule is about but by 0.0.0.0/0 (RFC 5737, RFC 3849). */
const OUTSIDE: readonly Ip[] = [ipv4(0xcb007107), ipv6(0x20010db8, 0, 0, 7)]
/** A port no rule names, to see what rules without ports give. */
const ANY_PORT = 64999

/** The differences, unknown answers counted as denied; null when there is no pod to ask about. */
export function compare(
  world: LintWorld,
  p: LintPolicy,
  after: KubeObjects,
  about: readonly PodObject[],
  others: readonly PodObject[],
): readonly Change[] | null {
  const subjects = distinct(about.filter(isSubject)).slice(0, MOST_SUBJECTS)
  if (subjects.length === 0) return null
  const ends: SampleEnd[] = [...otherPods(world, p, others).map((pod) => ({ pod })), ...outside(p)]
  // Only policies of these namespaces and of the cluster can matter; reading all again for each correction is slow.
  const namespaces = new Set(['', p.policy.namespace])
  for (const end of ends) if (end.pod) namespaces.add(namespaceOf(end.pod)).add(end.pod.meta.namespace)
  const within = (o: OtherObject) => namespaces.has(o.meta.namespace)
  const scoped = (objects: KubeObjects) =>
    evaluator(policyCluster({ ...objects, others: objects.others.filter(within) }))
  const [old, now] = [evaluator(policyCluster(world.objects)), scoped(after)]
  const changed = after.others[world.objects.others.indexOf(p.object)]
  const policies = changed ? [p.policy, decodePolicy(changed, [])] : [p.policy]
  const out: Change[] = []
  for (const subject of subjects)
    for (const other of ends) {
      if (other.pod === subject) continue
      for (const [from, to] of [
        [{ pod: subject }, other],
        [other, { pod: subject }],
      ] as const)
        for (const [protocol, port] of portsOf(policies, to)) {
          const question = { from: endOf(from), to: endOf(to), protocol, port }
          const before = old.decide(question) === 'allow'
          if (before === (now.decide(question) === 'allow')) continue
          const denied = (before ? now : old).explain(question)
          out.push({
            from,
            to,
            protocol,
            port,
            change: before ? 'lost' : 'gained',
            denies: denied.egress.decision === 'allow' ? 'ingress' : 'egress',
          })
        }
    }
  return out
}

const endOf = (end: SampleEnd): PolicyEnd =>
  end.ip ? { kind: 'ip', ip: end.ip } : { kind: 'pod', namespace: namespaceOf(end.pod), name: end.pod.meta.name }

/** One pod for each namespace and set of labels. */
function distinct(pods: readonly PodObject[]): PodObject[] {
  const seen = new Set<string>()
  return pods.filter((p) => {
    const key = `${namespaceOf(p)} ${JSON.stringify(Object.entries(p.meta.labels).sort())}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

const kinds = new WeakMap<LintWorld, readonly PodObject[]>()

function kindsOfPods(world: LintWorld): readonly PodObject[] {
  const known = kinds.get(world) ?? distinct(world.objects.pods.filter(isSubject))
  kinds.set(world, known)
  return known
}

/** Pods the policy's peers find, those asked for and subjects first, then others spread over the rest. */
function otherPods(world: LintWorld, p: LintPolicy, first: readonly PodObject[]): PodObject[] {
  const found = rulesOf(p.policy).flatMap((at) =>
    (at.rule.peers ?? []).flatMap((peer) =>
      peer.kind === 'pods' ? podsOfPeer(world, p.policy, peer).pods.slice(0, 4) : [],
    ),
  )
  const near = distinct((world.podsByNamespace.get(p.policy.namespace) ?? []).filter(isSubject)).slice(0, MOST_NEAR)
  const rest = kindsOfPods(world)
  const stride = Math.max(1, Math.ceil(rest.length / MOST_FAR))
  const spread = rest.filter((_, i) => i % stride === 0)
  return [...new Set([...first, ...found, ...p.subjects.slice(0, 3), ...near, ...spread])]
    .filter(isSubject)
    .slice(0, MOST_OTHERS)
}

/** Addresses in and around the policy's blocks, and far from them. */
function outside(p: LintPolicy): SampleEnd[] {
  const inBlocks = rulesOf(p.policy).flatMap((at) =>
    (at.rule.peers ?? []).flatMap((peer) =>
      peer.kind === 'ipBlock'
        ? [addToIp(peer.cidr.ip, peer.cidr.length < (peer.cidr.ip.family === 4 ? 31 : 127) ? 1 : 0)]
        : [],
    ),
  )
  const unique = new Map([...OUTSIDE, ...inBlocks].map((ip) => [formatIp(ip), ip]))
  return [...unique.values()].slice(0, 8).map((ip) => ({ ip }))
}

function portsOf(
  policies: readonly NetworkPolicy[],
  to: SampleEnd,
): readonly (readonly [protocol: string, port: number])[] {
  const out = new Map<string, readonly [string, number]>()
  const add = (protocol: string, port: number) => out.set(`${protocol} ${port}`, [protocol, port])
  add('UDP', 53)
  add('TCP', 53)
  add('TCP', ANY_PORT)
  for (const at of policies.flatMap(rulesOf))
    for (const port of at.rule.ports ?? []) if (port.kind === 'range') add(port.protocol, Math.max(port.from, 1))
  if (to.pod) for (const c of to.pod.containers) for (const port of c.ports) add(port.protocol, port.containerPort)
  return [...out.values()].slice(0, MOST_PORTS)
}
