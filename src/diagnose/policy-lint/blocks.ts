/** ipBlocks that name what policies never see: `policy-ipblock-in-cluster`, `policy-ipblock-nat`. */
import { formatPrefix, type Prefix, parseIp, parsePrefix, prefixContains } from '../../base/ip.ts'
import { NAME_LABEL } from '../../intent/policy/end.ts'
import type { PolicyPeer } from '../../intent/policy/policy.ts'
import { isObject } from '../../intent/policy/selector.ts'
import type { KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import type { Finding } from '../../model/finding.ts'
import { correct } from './correct.ts'
import { hasNodeCache, isDns } from './dns-servers.ts'
import { lintFinding, objectOf, placeOf } from './finding.ts'
import { isSubject, type LintPolicy, type LintWorld, namespaceOf, peersPath, type RuleAt, rulesOf } from './input.ts'
import { podText } from './subjects.ts'

type Block = Extract<PolicyPeer, { kind: 'ipBlock' }>

export function blocks(p: LintPolicy, world: LintWorld): Finding[] {
  return rulesOf(p.policy).flatMap((at) =>
    (at.rule.peers ?? []).flatMap((peer, i): Finding[] =>
      peer.kind === 'ipBlock' ? (inCluster(p, world, at, i, peer) ?? translated(p, world, at, i, peer)) : [],
    ),
  )
}

const within = (outer: Prefix, inner: Prefix) => outer.length <= inner.length && prefixContains(outer, inner.ip)

/** Ranges Services get their addresses from, where they are told. */
export function serviceRanges(objects: KubeObjects): Prefix[] {
  const told = objects.others.flatMap((o) => {
    const cidrs = o.kind === 'ServiceCIDR' && isObject(o.raw.spec) ? o.raw.spec.cidrs : undefined
    return Array.isArray(cidrs) ? cidrs.filter((c) => typeof c === 'string') : []
  })
  const flags = objects.pods.flatMap((pod) =>
    pod.containers.flatMap((c) =>
      [...(c.command ?? []), ...(c.args ?? [])].flatMap(
        (a) => /^--service-cluster-ip-range=(.+)$/.exec(a)?.[1]?.split(',') ?? [],
      ),
    ),
  )
  return [...told, ...flags].flatMap((text) => parsePrefix(text) ?? [])
}

function inCluster(p: LintPolicy, world: LintWorld, at: RuleAt, index: number, block: Block): Finding[] | null {
  const path = [...peersPath(at, index), 'ipBlock', 'cidr']
  const cidr = formatPrefix(block.cidr)
  const host = block.cidr.length === (block.cidr.ip.family === 4 ? 32 : 128)
  const { objects } = world
  const service = objects.services.find((s) =>
    s.clusterIPs.some((text) => {
      const ip = parseIp(text)
      return ip !== null && host && prefixContains(block.cidr, ip)
    }),
  )
  if (service || serviceRanges(objects).some((r) => within(r, block.cidr))) {
    // A cache on the node answers at the address of the DNS Service too, and is seen there.
    if (service && isDns(service) && hasNodeCache(objects)) return []
    return [
      lintFinding('policy-ipblock-in-cluster', 'warning', objectOf(p), {
        title: `NetworkPolicy ${p.name}: ipBlock ${cidr} ${service ? `is the address of Service ${service.meta.namespace}/${service.meta.name}` : 'is inside the Service range'}, which policies do not see`,
        text: `Service addresses are translated to those of pods before policies are evaluated, so the block matches nothing with most plugins; ${at.direction === 'ingress' ? 'and nothing is ever sent from a Service address.' : 'the pods behind the Service are what a policy must name.'}`,
        evidence: [placeOf(world, p.object, path), ...(service ? [service.evidence] : [])],
        remedy: service
          ? serviceRemedy(p, world, at, index, service)
          : { text: 'Use podSelector and namespaceSelector.', verified: false },
      }),
    ]
  }
  const range = objects.nodes
    .flatMap((n) => n.podCIDRs)
    .flatMap((text) => parsePrefix(text) ?? [])
    .find((r) => within(r, block.cidr))
  const pod = objects.pods.find((x) => isSubject(x) && x.podIPs.some((text) => isIn(block.cidr, text)))
  if (!range && !(pod && host)) return null
  return [
    lintFinding('policy-ipblock-in-cluster', 'warning', objectOf(p), {
      title: `NetworkPolicy ${p.name}: ipBlock ${cidr} is ${pod && host ? `the address of pod ${podText(pod)}` : 'inside the pod range'}`,
      text: 'Addresses of pods change when they are made anew, and plugins differ on whether a block finds a pod (Cilium does not).',
      evidence: [placeOf(world, p.object, path), ...(pod && host ? [pod.evidence] : [])],
      remedy: { text: 'Use podSelector and namespaceSelector.', verified: false },
    }),
  ]
}

function isIn(block: Prefix, text: string): boolean {
  const ip = parseIp(text)
  return ip !== null && prefixContains(block, ip)
}

function serviceRemedy(p: LintPolicy, world: LintWorld, at: RuleAt, index: number, service: ServiceObject) {
  const text = 'Name the pods behind the Service by their labels, and the port they listen on.'
  const { selector } = service
  if (at.direction !== 'egress' || selector === null) return { text, verified: false }
  const namespace = service.meta.namespace || 'default'
  const peer = {
    namespaceSelector: { matchLabels: { [NAME_LABEL]: namespace } },
    podSelector: { matchLabels: selector },
  }
  return correct(world, p, text, {
    edits: [{ path: peersPath(at, index), set: peer }],
    intended: (c) =>
      c.change === 'gained' &&
      c.to.pod !== undefined &&
      namespaceOf(c.to.pod) === namespace &&
      Object.entries(selector).every(([k, v]) => c.to.pod?.meta.labels[k] === v),
  })
}

/** Ranges of private use (RFC 1918, RFC 6598, RFC 4193) and of one machine or link, in which nodes and pods may be. */
export const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  '127.0.0.0/8',
  '169.254.0.0/16',
].flatMap((t) => parsePrefix(t) ?? [])

/** Clients that a node's own address stands for before the policy is evaluated. */
function translated(p: LintPolicy, world: LintWorld, at: RuleAt, index: number, block: Block): Finding[] {
  if (at.direction !== 'ingress' || block.cidr.length === 0) return []
  const nodes = world.objects.nodes.flatMap((n) => n.addresses.flatMap((a) => parseIp(a.address) ?? []))
  const holdsNode = nodes.some((ip) => prefixContains(block.cidr, ip))
  const mayHoldNode = nodes.length === 0 && PRIVATE.some((r) => within(r, block.cidr) || within(block.cidr, r))
  if (holdsNode || mayHoldNode || admitsNodes(p, world)) return []
  const service = world.objects.services.find(
    (s) =>
      (s.type === 'NodePort' || s.type === 'LoadBalancer') &&
      s.externalTrafficPolicy !== 'Local' &&
      (s.meta.namespace || 'default') === p.policy.namespace &&
      p.subjects.some((x) => isSubject(x) && selects(s, x.meta.labels)),
  )
  if (!service) return []
  const name = `${service.meta.namespace || 'default'}/${service.meta.name}`
  return [
    lintFinding('policy-ipblock-nat', 'warning', objectOf(p), {
      title: `NetworkPolicy ${p.name} admits clients of ${formatPrefix(block.cidr)}, but through ${service.type} Service ${name} the pods see a node's address`,
      text: `With externalTrafficPolicy Cluster the node that takes the connection puts its own address in place of the client's before the policy is evaluated, so the clients are denied (plugins that keep the address, as with direct server return, apart).`,
      evidence: [placeOf(world, p.object, [...peersPath(at, index), 'ipBlock']), service.evidence],
      remedy: {
        text: 'Set externalTrafficPolicy: Local on the Service, which keeps the client address; or admit the nodes and filter clients before the cluster (loadBalancerSourceRanges).',
        verified: false,
      },
    }),
  ]
}

function selects(s: ServiceObject, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(s.selector ?? {})
  return wanted.length > 0 && wanted.every(([k, v]) => labels[k] === v)
}

/** A rule for every peer, or for a private range, lets nodes in beside the clients. */
function admitsNodes(p: LintPolicy, world: LintWorld): boolean {
  const about = world.policies.filter(
    (q) => q.policy.namespace === p.policy.namespace && q.subjects.some((s) => p.subjects.includes(s)),
  )
  return about.some((q) =>
    (q.policy.ingress ?? []).some(
      (r) =>
        r.peers === null ||
        r.peers.some(
          (x) =>
            x.kind === 'ipBlock' &&
            (x.cidr.length === 0 || PRIVATE.some((range) => within(range, x.cidr) || within(x.cidr, range))),
        ),
    ),
  )
}
