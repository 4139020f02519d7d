/** Whom a selector means among the objects: pods, addresses outside, and what neither policies nor labels hold (nodes). */
import { formatIp, parseIp, parsePrefix } from '../../base/ip.ts'
import { hasEnded, type PolicyCluster } from '../../intent/policy/cluster.ts'
import type { PolicyEnd } from '../../intent/policy/result.ts'
import type { KubeObjects, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import {
  type AddressSet,
  intersect,
  NEVER_OUTSIDE,
  NO_ADDRESS,
  numberOf,
  PUBLIC,
  type Range,
  rangeOf,
  subtract,
  union,
  wholeFamily,
} from './addresses.ts'
import type { EndSelector, LabelTerms } from './expectation.ts'

/** A node, a pod on the network of its node, or an address that was named alone. */
export interface SpecialEnd {
  readonly end: PolicyEnd
  readonly text: string
}

export interface EndSet {
  /** With a network of their own, not ended. */
  readonly pods: ReadonlySet<PodObject>
  readonly outside: AddressSet
  readonly special: readonly SpecialEnd[]
  /** Set when the selector is one reference to a Service. */
  readonly service?: ServiceObject
  /** What it names and is not there. */
  readonly problems: readonly string[]
}

/** What a reference stands for; `problem`: why it stands for nothing. */
export interface Referred {
  readonly pods: readonly PodObject[]
  readonly special: readonly SpecialEnd[]
  readonly service?: ServiceObject
  readonly problem?: string
}

export type LookUp = (reference: string) => Referred

const NOBODY: EndSet = { pods: new Set(), outside: NO_ADDRESS, special: [], problems: [] }

export interface Selecting {
  readonly select: (selector: EndSelector) => EndSet
  /** Pods on the network of their node, which no selector but a reference finds. */
  readonly hostPods: number
}

/** Selectors over these objects. `hidden` pods are found by no selector. */
export function selecting(cluster: PolicyCluster, lookUp: LookUp, hidden: ReadonlySet<PodObject>): Selecting {
  const { objects } = cluster
  const running = objects.pods.filter((p) => !hasEnded(p) && !hidden.has(p))
  const everyone = running.filter((p) => !p.hostNetwork)
  const byNamespace = new Map<string, PodObject[]>()
  for (const pod of everyone) {
    const namespace = pod.meta.namespace || 'default'
    const list = byNamespace.get(namespace)
    if (list) list.push(pod)
    else byNamespace.set(namespace, [pod])
  }
  const external = outsideOf(objects, everyone)
  const known = new Map<string, EndSet>()

  const podsBy = (s: Extract<EndSelector, { kind: 'pods' }>): EndSet => {
    const lists = s.namespaces === null ? [everyone] : s.namespaces.map((n) => byNamespace.get(n) ?? [])
    const problems = (s.namespaces ?? [])
      .filter((n) => !byNamespace.has(n))
      .map((n) => `no pod is in namespace ${n}${cluster.namespaces.has(n) ? '' : ', and there is no such namespace'}`)
    const pods = lists.flat().filter((p) => {
      const namespace = p.meta.namespace || 'default'
      const labels = { ...cluster.namespaces.get(namespace)?.meta.labels, 'kubernetes.io/metadata.name': namespace }
      return fits(s.labels, p.meta.labels) && fits(s.namespaceLabels, labels)
    })
    return { ...NOBODY, pods: new Set(pods), problems }
  }

  const ofReference = ({ pods, special, service, problem }: Referred): EndSet => {
    const found = new Set(pods.filter((p) => !p.hostNetwork && !hasEnded(p)))
    const outside: Range[] = []
    const rest: SpecialEnd[] = []
    for (const one of special) {
      const ip = one.end.kind === 'ip' ? one.end.ip : null
      const key = ip && formatIp(ip)
      const pod = key === null ? undefined : cluster.podByIp.get(key)
      if (pod) found.add(pod)
      else if (ip === null || key === null || cluster.nodeByIp.has(key) || cluster.serviceByIp.has(key)) rest.push(one)
      else outside.push({ family: ip.family, from: numberOf(ip), to: numberOf(ip) })
    }
    return {
      pods: found,
      outside: union(outside),
      special: rest,
      ...(service ? { service } : {}),
      problems: problem === undefined ? [] : [problem],
    }
  }

  const find = (s: EndSelector): EndSet => {
    switch (s.kind) {
      case 'everyone':
        return { ...NOBODY, pods: new Set(everyone) }
      case 'anyone':
        return { ...NOBODY, pods: new Set(everyone), outside: external }
      case 'external':
        return { ...NOBODY, outside: external }
      case 'internet':
        return { ...NOBODY, outside: intersect(external, PUBLIC) }
      case 'cidr': {
        const range = rangeOf(s.prefix)
        const inside = everyone.filter((p) =>
          p.podIPs.some((t) => {
            const ip = parseIp(t)
            return ip !== null && ip.family === range.family && range.from <= numberOf(ip) && numberOf(ip) <= range.to
          }),
        )
        return { ...NOBODY, pods: new Set(inside), outside: intersect([range], external) }
      }
      case 'pods':
        return podsBy(s)
      case 'reference': {
        return ofReference(lookUp(s.text))
      }
      case 'dns':
        return NOBODY
      case 'union':
        return joined(s.of.map(select))
      case 'intersection':
        return s.of.map(select).reduce(common)
      case 'without':
        return without(select(s.of), select(s.not))
    }
  }

  const select = (s: EndSelector): EndSet => {
    const key = keyOf(s)
    const before = known.get(key)
    if (before) return before
    const found = find(s)
    known.set(key, found)
    return found
  }
  return { select, hostPods: running.length - everyone.length }
}

const keyOf = (s: EndSelector): string => JSON.stringify(s)

function fits(terms: LabelTerms | null, labels: Readonly<Record<string, string>>): boolean {
  if (terms === null) return true
  return Object.entries(terms).every(
    ([key, values]) => Object.hasOwn(labels, key) && (values === null || values.includes(labels[key]!)),
  )
}

/** Addresses of no pod, node or Service, of the families the pods have; IPv4 where that is not known. */
function outsideOf(objects: KubeObjects, pods: readonly PodObject[]): AddressSet {
  const families = new Set(pods.flatMap((p) => p.podIPs.flatMap((t) => parseIp(t)?.family ?? [])))
  if (families.size === 0) families.add(4)
  const own = [
    ...objects.pods.flatMap((p) => [...p.podIPs, p.hostIP ?? '']),
    ...objects.nodes.flatMap((n) => [...n.addresses.map((a) => a.address), ...n.podCIDRs]),
    ...objects.services.flatMap((s) => s.clusterIPs),
  ].flatMap((text) => {
    const ip = parseIp(text)
    if (ip) return [rangeOf({ ip, length: ip.family === 4 ? 32 : 128 })]
    const prefix = parsePrefix(text)
    return prefix ? [rangeOf(prefix)] : []
  })
  return subtract([...families].sort().map(wholeFamily), union(own, NEVER_OUTSIDE))
}

function joined(sets: readonly EndSet[]): EndSet {
  return {
    pods: new Set(sets.flatMap((s) => [...s.pods])),
    outside: union(...sets.map((s) => s.outside)),
    special: [...new Map(sets.flatMap((s) => s.special).map((e) => [e.text, e])).values()],
    problems: sets.flatMap((s) => s.problems),
  }
}

function common(x: EndSet, y: EndSet): EndSet {
  return {
    pods: new Set([...x.pods].filter((p) => y.pods.has(p))),
    outside: intersect(x.outside, y.outside),
    special: x.special.filter((e) => y.special.some((o) => o.text === e.text)),
    problems: [...x.problems, ...y.problems],
  }
}

function without(x: EndSet, y: EndSet): EndSet {
  return {
    pods: new Set([...x.pods].filter((p) => !y.pods.has(p))),
    outside: subtract(x.outside, y.outside),
    special: x.special.filter((e) => !y.special.some((o) => o.text === e.text)),
    problems: [...x.problems, ...y.problems],
  }
}
