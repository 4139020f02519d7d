/** What AdminNetworkPolicy and ClusterNetworkPolicy have in common: subjects and peers (network-policy-api, one API group). */
import { networkOf, type Prefix, parsePrefix } from '../../base/ip.ts'
import type { OtherObject } from '../../kubeobj/objects.ts'
import type { Issue } from '../../model/evidence.ts'
import type { Direction, PolicyPeer, PolicyPort } from './policy.ts'
import { decodeSelector, isObject } from './selector.ts'
import type { Action, StagePolicy, StageRule, Subject } from './stage.ts'

/** A policy of the Admin or the Baseline tier. */
export interface TierPolicy {
  readonly tier: 'Admin' | 'Baseline'
  readonly policy: StagePolicy
}

export type Complain = (message: string) => void

/** How one kind of these policies differs from the others. */
export interface TierDialect {
  readonly actions: Readonly<Record<string, Action>>
  /** The field that lists ports. */
  readonly ports: 'ports' | 'protocols'
  decodePort(raw: Readonly<Record<string, unknown>>, complain: Complain): PolicyPort
}

type Raw = Readonly<Record<string, unknown>>

const opaque = (complain: Complain, why: string): { readonly kind: 'opaque'; readonly why: string } => {
  complain(why)
  return { kind: 'opaque', why }
}

/** What is said about one policy, with its name. */
export function complainer(o: OtherObject, issues: Issue[]): Complain {
  return (message) =>
    issues.push({
      artefact: o.evidence.artefact,
      ...(o.evidence.line === undefined ? {} : { line: o.evidence.line }),
      message: `${o.kind} ${o.meta.name}: ${message}`,
    })
}

/** The whole policy but for its tier. `priority` undefined: the kind has none. */
export function decodeTierPolicy(
  o: OtherObject,
  priority: number | undefined,
  dialect: TierDialect,
  complain: Complain,
): StagePolicy {
  const spec = isObject(o.raw.spec) ? o.raw.spec : {}
  const rules = (direction: Direction): readonly StageRule[] | undefined =>
    decodeRules(spec[direction], direction, dialect, complain)
  const ingress = rules('ingress')
  const egress = rules('egress')
  return {
    kind: o.kind,
    namespace: '',
    name: o.meta.name,
    subject: decodeSubject(spec.subject, complain),
    rules: { ...(ingress ? { ingress } : {}), ...(egress ? { egress } : {}) },
    ...(priority === undefined ? {} : { priority }),
    evidence: o.evidence,
  }
}

function decodeSubject(raw: unknown, complain: Complain): Subject {
  const nobodyKnows = (why: string): Subject => ({ namespaces: [], pods: [], opaque: opaque(complain, why).why })
  if (!isObject(raw)) return nobodyKnows('the subject is missing')
  const keys = Object.keys(raw)
  if (keys.length !== 1) return nobodyKnows('the subject must be one of namespaces and pods')
  if (isObject(raw.namespaces)) return { namespaces: decodeSelector(raw.namespaces, complain), pods: [] }
  const pods = decodeNamespacedPod(raw.pods, complain)
  return pods ?? nobodyKnows(`the subject ${keys[0]} is not understood`)
}

/** v1beta1: an absent namespaceSelector selects every namespace; podSelector is required, absent it selects every pod. */
function decodeNamespacedPod(raw: unknown, complain: Complain) {
  if (!isObject(raw)) return null
  const odd = Object.keys(raw).find((k) => k !== 'namespaceSelector' && k !== 'podSelector')
  if (odd !== undefined) return null
  return {
    namespaces: decodeSelector(raw.namespaceSelector ?? {}, complain),
    pods: decodeSelector(raw.podSelector ?? {}, complain),
  }
}

/** Undefined for no rules: such a policy says nothing in that direction. */
function decodeRules(
  raw: unknown,
  direction: Direction,
  dialect: TierDialect,
  complain: Complain,
): readonly StageRule[] | undefined {
  if (raw === undefined || raw === null) return undefined
  if (!Array.isArray(raw)) {
    const { why } = opaque(complain, `${direction} is not a list`)
    return [{ action: 'deny', name: direction, peers: null, ports: null, condition: why }]
  }
  const rules = (raw as unknown[]).flatMap((rule, i) =>
    decodeRule(rule, i, direction, dialect, (m) => complain(`${direction} rule ${i}: ${m}`)),
  )
  return rules.length === 0 ? undefined : rules
}

/** A rule whose action is not understood may do anything: both readings are there, under a condition. */
function decodeRule(
  raw: unknown,
  index: number,
  direction: Direction,
  dialect: TierDialect,
  complain: Complain,
): readonly StageRule[] {
  const rule: Raw = isObject(raw) ? raw : {}
  const given = typeof rule.name === 'string' && rule.name !== '' ? rule.name : null
  const name = given === null ? `${direction}[${index}]` : `${direction} "${given}"`
  const side = direction === 'ingress' ? 'from' : 'to'
  const peers = decodePeers(rule[side], side, direction, complain)
  const ports = decodePorts(rule[dialect.ports], dialect, complain)
  const odd = Object.keys(rule).find((k) => !['name', 'action', side, dialect.ports].includes(k))
  const condition = odd === undefined ? {} : { condition: opaque(complain, `unknown field ${odd}`).why }
  const action = typeof rule.action === 'string' ? dialect.actions[rule.action] : undefined
  if (action !== undefined) return [{ action, name, peers, ports, ...condition }]
  const { why } = opaque(complain, `action ${JSON.stringify(rule.action) ?? 'is missing'} is not one of these policies`)
  return (['allow', 'deny'] as const).map((either) => ({ action: either, name, peers, ports, condition: why }))
}

function decodePeers(raw: unknown, side: string, direction: Direction, complain: Complain): readonly PolicyPeer[] {
  if (!Array.isArray(raw) || raw.length === 0) return [opaque(complain, `${side} is not a list of peers`)]
  return (raw as unknown[]).map((p) => decodePeer(p, direction, complain))
}

function decodePeer(raw: unknown, direction: Direction, complain: Complain): PolicyPeer {
  if (!isObject(raw)) return opaque(complain, 'a peer is empty')
  const keys = Object.keys(raw)
  if (keys.length !== 1)
    return opaque(complain, keys.length === 0 ? 'a peer is empty' : 'a peer has more than one field')
  const [key] = keys
  if (key === 'namespaces') return { kind: 'pods', namespaces: decodeSelector(raw.namespaces, complain), pods: null }
  if (key === 'pods') {
    const pods = decodeNamespacedPod(raw.pods, complain)
    return pods ? { kind: 'pods', ...pods } : opaque(complain, 'a pods peer is not understood')
  }
  if (direction === 'egress' && key === 'nodes') return { kind: 'nodes', nodes: decodeSelector(raw.nodes, complain) }
  if (direction === 'egress' && key === 'networks') return decodeNetworks(raw.networks, complain)
  if (direction === 'egress' && key === 'domainNames') return decodeDomains(raw.domainNames, complain)
  return opaque(complain, `a peer has the unknown field ${key}`)
}

function decodeNetworks(raw: unknown, complain: Complain): PolicyPeer {
  if (!Array.isArray(raw) || raw.length === 0) return opaque(complain, 'networks is not a list of CIDRs')
  const cidrs: Prefix[] = []
  for (const text of raw as unknown[]) {
    const prefix = typeof text === 'string' && text.includes('/') ? parsePrefix(text) : null
    if (!prefix) return opaque(complain, `networks: ${JSON.stringify(text)} is not a CIDR`)
    cidrs.push(networkOf(prefix))
  }
  return { kind: 'networks', cidrs }
}

function decodeDomains(raw: unknown, complain: Complain): PolicyPeer {
  const names = Array.isArray(raw) ? (raw as unknown[]).filter((n) => typeof n === 'string') : []
  return names.length > 0 ? { kind: 'domains', names } : opaque(complain, 'domainNames is not a list of names')
}

function decodePorts(raw: unknown, dialect: TierDialect, complain: Complain): readonly PolicyPort[] | null {
  if (raw === undefined || raw === null) return null
  if (!Array.isArray(raw) || raw.length === 0) return [opaque(complain, `${dialect.ports} is not a list`)]
  return (raw as unknown[]).map((item) => {
    const keys = isObject(item) ? Object.keys(item) : []
    if (!isObject(item) || keys.length !== 1) return opaque(complain, `${dialect.ports}: exactly one field must be set`)
    return dialect.decodePort(item, complain)
  })
}

/** A range of ports 1–65535, or opaque. */
export function portRange(protocol: unknown, from: unknown, to: unknown, complain: Complain): PolicyPort {
  const port = (n: unknown): n is number => typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= 65535
  if (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'SCTP')
    return opaque(complain, `protocol ${JSON.stringify(protocol)} is not TCP, UDP or SCTP`)
  if (!port(from) || !port(to) || to < from) return opaque(complain, 'a port number is out of range')
  return { kind: 'range', protocol, from, to }
}

/** A port by the name of a container port, whatever its protocol; or opaque. */
export function portName(name: unknown, complain: Complain): PolicyPort {
  return typeof name === 'string' && name !== ''
    ? { kind: 'named-any', name }
    : opaque(complain, 'a port name is not a text')
}

/** A part that is not what the API has. */
export function notUnderstood(complain: Complain, why: string): PolicyPort {
  return opaque(complain, why)
}
