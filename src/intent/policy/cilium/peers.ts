/** Whom a rule of Cilium is about (pkg/policy/api/{ingress,egress,entity,cidr}.go, pkg/policy/utils RulesToPolicyEntries). */
import { networkOf, type Prefix, parsePrefix } from '../../../base/ip.ts'
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { Direction, Entity, PolicyPeer } from '../policy.ts'
import { isObject } from '../selector.ts'
import { serviceEnds } from '../service-ends.ts'
import { named, splitSelector } from './labels.ts'

/** Where a rule stands; what is said goes to `refuse` where Cilium would refuse the policy, to `doubt` where we cannot judge. */
export interface RuleContext {
  readonly objects: KubeObjects
  /** Empty for a clusterwide policy. */
  readonly namespace: string
  readonly direction: Direction
  refuse(why: string): void
  doubt(why: string): void
}

/** The fields that say who, per direction. Only one of them may be in a rule. */
const FIELDS = {
  ingress: {
    endpoints: 'fromEndpoints',
    nodes: 'fromNodes',
    entities: 'fromEntities',
    cidr: 'fromCIDR',
    cidrSet: 'fromCIDRSet',
    groups: 'fromGroups',
  },
  egress: {
    endpoints: 'toEndpoints',
    nodes: 'toNodes',
    entities: 'toEntities',
    cidr: 'toCIDR',
    cidrSet: 'toCIDRSet',
    groups: 'toGroups',
    services: 'toServices',
    fqdns: 'toFQDNs',
  },
} as const

type Kind = keyof (typeof FIELDS)['egress']

/** Empty lists of these select nobody; of the others they are as good as absent. */
const EMPTY_IS_NOBODY: readonly Kind[] = ['endpoints', 'nodes', 'entities', 'cidr', 'cidrSet']

export const peerFields = (direction: Direction): readonly string[] => Object.values(FIELDS[direction])

/** Null: the rule names nobody, which means everybody on its ports and nobody without ports. Empty: nobody. */
export function decodePeers(
  rule: Readonly<Record<string, unknown>>,
  context: RuleContext,
): readonly PolicyPeer[] | null {
  const given = Object.entries(FIELDS[context.direction]).flatMap(([kind, field]) => {
    const list = rule[field]
    if (list === undefined || list === null) return []
    if (!Array.isArray(list)) {
      context.refuse(`${field} is not a list`)
      return []
    }
    return [{ kind: kind as Kind, field, list: list as unknown[] }]
  })
  const filled = given.filter((g) => g.list.length > 0)
  if (filled.length > 1) context.refuse(`${filled.map((g) => g.field).join(' and ')} cannot be in one rule`)
  if (given.some((g) => g.list.length === 0 && EMPTY_IS_NOBODY.includes(g.kind))) return []
  if (filled.length === 0) return null
  return filled.flatMap(({ kind, list }) => list.flatMap((item) => decodePeer(kind, item, context)))
}

const OUTSIDE: PolicyPeer = { kind: 'entity', entity: 'world' }
const NOBODY: PolicyPeer = { kind: 'not', peer: { kind: 'entity', entity: 'all' } }
const outsiders = (peer: PolicyPeer): PolicyPeer => ({ kind: 'allOf', peers: [OUTSIDE, peer] })
const unclear = (why: string): PolicyPeer => ({ kind: 'opaque', why })

function decodePeer(kind: Kind, raw: unknown, context: RuleContext): readonly PolicyPeer[] {
  switch (kind) {
    case 'endpoints':
      return [endpoints(raw, context)]
    case 'nodes':
      context.doubt('it asks for nodes by their labels, which Cilium does only where it is told to')
      return [{ kind: 'nodes', nodes: splitSelector(raw, context.refuse).pods }]
    case 'entities':
      return [entity(raw, context)]
    case 'cidr':
      return [cidr({ cidr: raw }, context)]
    case 'cidrSet':
      return [cidr(raw, context)]
    case 'groups':
      return [outsiders(unclear('which addresses a cloud group has is not known'))]
    case 'fqdns':
      return [fqdn(raw, context)]
    case 'services':
      return service(raw, context)
  }
}

/** `{}` is the policy's namespace, or in a clusterwide policy every pod; a namespace label chooses others. */
function endpoints(raw: unknown, context: RuleContext): PolicyPeer {
  const { namespaces, pods, reserved, asksName, asksNamespace } = splitSelector(raw, context.refuse)
  if (reserved.length > 0) {
    const [one] = reserved
    const alone = reserved.length === 1 && pods.length === 0 && namespaces.length === 0
    const asked = one?.operator === 'Exists' || (one?.operator === 'In' && one.values.every((v) => v === ''))
    return alone && one && asked ? entity(one.key, context) : unclear('reserved labels together with others')
  }
  const own = context.namespace !== '' && !asksName && !asksNamespace
  return { kind: 'pods', namespaces: own ? [named(context.namespace)] : namespaces, pods }
}

const PLAIN: Readonly<Record<string, Entity>> = {
  all: 'all',
  world: 'world',
  cluster: 'cluster',
  host: 'host',
  'remote-node': 'remote-node',
}
const ZERO = { a: 0, b: 0, c: 0, d: 0 } as const
const everyAddress = (family: 4 | 6): Prefix => ({ ip: { family, ...ZERO }, length: 0 })

/** Pods are none of init (no labels yet), health, ingress (Cilium's own endpoints), unmanaged and none. */
const NO_PODS = ['init', 'health', 'ingress', 'unmanaged', 'none']

function entity(raw: unknown, context: RuleContext): PolicyPeer {
  const name = typeof raw === 'string' ? raw : ''
  if (Object.hasOwn(PLAIN, name)) return { kind: 'entity', entity: PLAIN[name]! }
  if (name === 'world-ipv4' || name === 'world-ipv6')
    return outsiders({ kind: 'networks', cidrs: [everyAddress(name === 'world-ipv4' ? 4 : 6)] })
  if (name === 'kube-apiserver') return apiServer(context.objects)
  if (NO_PODS.includes(name)) return NOBODY
  context.refuse(`entity ${JSON.stringify(raw)} does not exist`)
  return unclear(`entity ${JSON.stringify(raw)} does not exist`)
}

/** Wherever it runs: the endpoints of Service default/kubernetes. */
function apiServer(objects: KubeObjects): PolicyPeer {
  const ends = serviceEnds(objects, { name: 'kubernetes', namespace: 'default' })
  const cidrs =
    typeof ends === 'string' ? [] : ends.flatMap((e) => e.peers.flatMap((p) => ('cidrs' in p ? p.cidrs : [])))
  return cidrs.length > 0
    ? { kind: 'networks', cidrs }
    : unclear('the addresses of the API server are not in the evidence')
}

/** Blocks find what is neither pod nor node (default of policy-cidr-match-mode). */
function cidr(raw: unknown, context: RuleContext): PolicyPeer {
  if (!isObject(raw)) {
    context.refuse('a CIDR rule is not an object')
    return unclear('a CIDR rule is not an object')
  }
  const odd = Object.keys(raw).find((k) => !['cidr', 'except', 'cidrGroupRef', 'generated'].includes(k))
  if (odd !== undefined) return unclear(`a CIDR rule has the field ${odd}, which is not evaluated`)
  const cidrs = raw.cidrGroupRef === undefined ? prefixes([raw.cidr], context) : groupCidrs(raw.cidrGroupRef, context)
  if (typeof cidrs === 'string') return unclear(cidrs)
  const except = raw.except === undefined || raw.except === null ? [] : prefixes(raw.except, context)
  const block: PolicyPeer = { kind: 'networks', cidrs, outsideOnly: true }
  if (except.length === 0) return cidrs.length === 0 ? NOBODY : block
  return { kind: 'allOf', peers: [block, { kind: 'not', peer: { kind: 'networks', cidrs: except } }] }
}

function prefixes(raw: unknown, context: RuleContext): readonly Prefix[] {
  if (!Array.isArray(raw)) {
    context.refuse('except is not a list')
    return []
  }
  return (raw as unknown[]).flatMap((text) => {
    const prefix = typeof text === 'string' ? parsePrefix(text) : null
    if (!prefix) context.refuse(`${JSON.stringify(text) ?? 'an absent CIDR'} is not a CIDR`)
    return prefix ? [networkOf(prefix)] : []
  })
}

function groupCidrs(name: unknown, context: RuleContext): readonly Prefix[] | string {
  const group = context.objects.others.find(
    (o) => o.kind === 'CiliumCIDRGroup' && o.apiVersion.startsWith('cilium.io/') && o.meta.name === name,
  )
  if (!group) return `CiliumCIDRGroup ${JSON.stringify(name)} is not in the evidence`
  const spec = isObject(group.raw.spec) ? group.raw.spec : {}
  return prefixes(spec.externalCIDRs ?? [], context)
}

/** Names never stand for pods or nodes of the cluster, even where they resolve to one. */
function fqdn(raw: unknown, context: RuleContext): PolicyPeer {
  const { matchName, matchPattern } = isObject(raw) ? raw : {}
  const names = [matchName, matchPattern].filter((n) => typeof n === 'string')
  if (names.length === 0) context.refuse('toFQDNs has neither matchName nor matchPattern')
  return outsiders({ kind: 'domains', names })
}

function service(raw: unknown, context: RuleContext): readonly PolicyPeer[] {
  const wanted = isObject(raw) && isObject(raw.k8sService) ? raw.k8sService : {}
  const { serviceName: name, namespace: given } = wanted
  const namespace = typeof given === 'string' && given !== '' ? given : context.namespace || 'default'
  if (typeof name !== 'string' || name === '') return [unclear('toServices by labels of the Service is not evaluated')]
  const { services } = context.objects
  const object = services.find((s) => s.meta.name === name && (s.meta.namespace || 'default') === namespace)
  const ends = serviceEnds(context.objects, { name, namespace })
  if (typeof ends === 'string') return [unclear(ends)]
  if (object?.selector !== null)
    context.doubt('a Service with a selector in toServices, which older versions of Cilium ignore')
  return ends.flatMap((e) => e.peers)
}
