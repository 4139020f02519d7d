/** One rule of a Calico policy (api/pkg/apis/projectcalico/v3 Rule) as rules of a stage, with what it asks of the pod itself. */
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { Direction, PolicyPeer, PolicyPort } from '../policy.ts'
import { isObject } from '../selector.ts'
import { serviceEnds } from '../service-ends.ts'
import type { Action, StageRule } from '../stage.ts'
import type { Complain } from '../tier.ts'
import { decodeEntity, type Entity, entityPeers, entityTerms } from './entity.ts'
import { decodePorts } from './ports.ts'
import type { AddressSets } from './sets.ts'
import { conditionOf, type Term, termsOf } from './terms.ts'

export interface Surroundings {
  readonly objects: KubeObjects
  readonly sets: AddressSets
}

export interface DecodedRule {
  /** The rule is only about these of the policy's pods; null: about all of them. */
  readonly near: readonly Term[] | null
  /** Several where one rule of ours cannot say it; they stand together and have the same action. */
  readonly rules: readonly StageRule[]
}

const FIELDS = [
  'action',
  'protocol',
  'notProtocol',
  'icmp',
  'notICMP',
  'ipVersion',
  'source',
  'destination',
  'http',
  'metadata',
]
const ACTIONS: Readonly<Record<string, Action>> = { Allow: 'allow', Deny: 'deny', Pass: 'pass' }

/** Reads a rule; `namespace` is the policy's, empty for a global one. Null: it decides nothing (Log). */
export function decodeRule(
  raw: unknown,
  direction: Direction,
  index: number,
  namespace: string,
  { objects, sets }: Surroundings,
  complain: Complain,
): DecodedRule | null {
  const rule = isObject(raw) ? raw : {}
  if (rule.action === 'Log') return null
  const name = `${direction}[${index}]`
  const conditions: string[] = []
  const doubt: Complain = (why) => {
    conditions.push(why)
    complain(`${name}: ${why}`)
  }
  if (!isObject(raw)) doubt('the rule is not an object')
  const unknown = Object.keys(rule).find((k) => !FIELDS.includes(k))
  if (unknown !== undefined) doubt(`unknown field ${unknown}`)
  const source = decodeEntity(rule.source, namespace, doubt)
  const destination = decodeEntity(rule.destination, namespace, doubt)
  const [near, far] = direction === 'ingress' ? [destination, source] : [source, destination]
  if (isGiven(source.ports) || isGiven(source.notPorts)) conditions.push('the port it comes from decides')
  if (rule.http !== undefined && rule.http !== null) conditions.push('HTTP rules decide over each request')
  if (isGiven(rule.icmp) || isGiven(rule.notICMP)) conditions.push('the ICMP type decides')
  const { protocol, notProtocol } = rule
  const ported = decodePorts({ protocol, notProtocol, ports: destination.ports, notPorts: destination.notPorts }, doubt)
  if (ported.condition !== undefined) conditions.push(ported.condition)
  const about = nearTerms(near, conditions)
  const family = familyPeer(rule.ipVersion, doubt)
  const also = (peers: readonly PolicyPeer[] | null): readonly PolicyPeer[] | null =>
    !family ? peers : peers === null ? [family] : peers.map((p) => ({ kind: 'allOf', peers: [p, family] }))

  const ends = farEnds(far, ported.ports, direction, { objects, sets }, conditions)
  const condition = conditions.length === 0 ? {} : { condition: [...new Set(conditions)].join('; ') }
  const action = typeof rule.action === 'string' ? ACTIONS[rule.action] : undefined
  if (action === undefined) complain(`${name}: action ${JSON.stringify(rule.action) ?? 'is missing'} does not exist`)
  const actions: readonly Action[] = action === undefined ? ['allow', 'deny'] : [action]
  const unsure = action === undefined ? { condition: 'its action is not understood' } : condition
  return {
    near: about,
    rules: actions.flatMap((one) =>
      ends.map(({ peers, ports }): StageRule => ({ action: one, name, peers: also(peers), ports, ...unsure })),
    ),
  }
}

const isGiven = (raw: unknown): boolean =>
  raw !== undefined && raw !== null && !(Array.isArray(raw) && raw.length === 0)

interface FarEnd {
  readonly peers: readonly PolicyPeer[] | null
  readonly ports: readonly PolicyPort[] | null
}

function farEnds(
  far: Entity,
  ports: readonly PolicyPort[] | null,
  direction: Direction,
  { objects, sets }: Surroundings,
  conditions: string[],
): readonly FarEnd[] {
  const peers = entityPeers(far, sets)
  if (!far.services) return [{ peers, ports }]
  const ends = serviceEnds(objects, far.services)
  if (typeof ends === 'string') {
    conditions.push(ends)
    return [{ peers, ports }]
  }
  return ends.map((end) => ({
    peers:
      peers === null
        ? end.peers
        : end.peers.flatMap((e) => peers.map((p) => ({ kind: 'allOf', peers: [e, p] }) as const)),
    // The ports of the Service count where it is the destination, for the protocol of the rule if it has one.
    ports: direction === 'ingress' || end.ports === null ? ports : ofProtocols(end.ports, ports),
  }))
}

function ofProtocols(own: readonly PolicyPort[], rule: readonly PolicyPort[] | null): readonly PolicyPort[] {
  if (rule === null) return own
  return own.filter((p) =>
    rule.some((r) => r.kind === 'opaque' || ('protocol' in p && 'protocol' in r && p.protocol === r.protocol)),
  )
}

/** What the rule asks of the pod itself. What is not about its labels becomes a condition. */
function nearTerms(near: Entity, conditions: string[]): readonly Term[] | null {
  if (near.nets !== null || near.notNets.length > 0) conditions.push('the address of the pod itself decides')
  if (near.services) conditions.push('the Service of the pod itself decides')
  if (near.selects === 'no') return null
  const terms =
    near.selects === 'only-not' && near.wanted.selector
      ? termsOf(conditionOf(near.wanted.selector, 'endpoint', true))
      : entityTerms(near)
  if (typeof terms !== 'string') return terms
  conditions.push(terms)
  return null
}

function familyPeer(raw: unknown, complain: Complain): PolicyPeer | null {
  if (raw === undefined || raw === null) return null
  if (raw === 4) return { kind: 'networks', cidrs: [{ ip: { family: 4, a: 0, b: 0, c: 0, d: 0 }, length: 0 }] }
  if (raw === 6) return { kind: 'networks', cidrs: [{ ip: { family: 6, a: 0, b: 0, c: 0, d: 0 }, length: 0 }] }
  complain(`ipVersion ${JSON.stringify(raw)} does not exist`)
  return null
}
