/**
 * The `source` or `destination` of a Calico rule: whom it is about (updateprocessors/rules.go GetEntityRuleSelector,
 * felix/calc/rule_scanner.go extractSelectors).
 */
import { networkOf, type Prefix, parsePrefix } from '../../../base/ip.ts'
import { ACCOUNT_LABEL } from '../end.ts'
import type { PolicyPeer } from '../policy.ts'
import { isObject } from '../selector.ts'
import type { Complain } from '../tier.ts'
import { type Expression, parseExpression } from './expression.ts'
import { type AddressSets, setPeers, type Wanted } from './sets.ts'
import { type Condition, combine, conditionOf, type Term, termsOf } from './terms.ts'

/** An entity of a rule, read. */
export interface Entity {
  readonly wanted: Wanted
  readonly condition: Condition
  /** Selectors are given; without them, any end matches, pod or not. */
  readonly selects: 'no' | 'yes' | 'only-not'
  readonly nets: readonly Prefix[] | null
  readonly notNets: readonly Prefix[]
  readonly services: { readonly name: string; readonly namespace: string } | null
  readonly ports: unknown
  readonly notPorts: unknown
  /** Something in it is not understood. */
  readonly odd: string | null
}

const FIELDS = [
  'nets',
  'notNets',
  'selector',
  'notSelector',
  'namespaceSelector',
  'serviceAccounts',
  'services',
  'ports',
  'notPorts',
]

/** Reads an entity. `namespace` is the policy's, empty for a global one. */
export function decodeEntity(raw: unknown, namespace: string, complain: Complain): Entity {
  let odd: string | null = null
  const say: Complain = (why) => {
    odd ??= why
    complain(why)
  }
  const rule = isObject(raw) ? raw : {}
  if (raw !== undefined && raw !== null && !isObject(raw)) say('source or destination is not an object')
  const unknown = Object.keys(rule).find((k) => !FIELDS.includes(k))
  if (unknown !== undefined) say(`unknown field ${unknown}`)
  const selector = expressionOf(rule.selector, 'selector', say)
  const notSelector = expressionOf(rule.notSelector, 'notSelector', say)
  const namespaceSelector = expressionOf(rule.namespaceSelector, 'namespaceSelector', say)
  const account = accountCondition(rule.serviceAccounts, say)
  const positive = Boolean(selector || namespaceSelector || account !== null)
  // Any selector, also a notSelector, confines a namespaced policy's rule to its own namespace, unless it chooses others.
  const ownNamespace = namespace !== '' && !namespaceSelector && (positive || notSelector) ? namespace : null
  const conditions: Condition[] = [
    ...(selector ? [conditionOf(selector, 'endpoint')] : []),
    ...(namespaceSelector ? [conditionOf(namespaceSelector, 'namespace')] : []),
    ...(account !== null ? [account] : []),
    ...(ownNamespace === null ? [] : [inNamespace(ownNamespace)]),
  ]
  const onlyNot = notSelector !== null && conditions.length === 0
  if (notSelector) conditions.push(conditionOf(notSelector, 'endpoint', !onlyNot))
  return {
    wanted: {
      selector: onlyNot ? notSelector : selector,
      notSelector: onlyNot ? null : notSelector,
      namespaceSelector,
      ownNamespace,
      serviceAccount: account !== null,
    },
    condition: combine('and', conditions),
    selects: onlyNot ? 'only-not' : conditions.length > 0 ? 'yes' : 'no',
    nets: rule.nets === undefined || rule.nets === null ? null : netsOf(rule.nets, 'nets', say),
    notNets: netsOf(rule.notNets ?? [], 'notNets', say),
    services: servicesOf(rule.services, namespace, say),
    ports: rule.ports,
    notPorts: rule.notPorts,
    odd,
  }
}

/** Null: not given; what does not parse counts as given and odd. */
export function expressionOf(raw: unknown, field: string, complain: Complain): Expression | null {
  if (raw === undefined || raw === null || raw === '') return null
  const parsed = typeof raw === 'string' ? parseExpression(raw) : null
  if (parsed?.ok) return parsed.expression
  complain(parsed ? `${field} is no selector: ${parsed.why} at character ${parsed.at}` : `${field} is not a text`)
  return { kind: 'all' }
}

export function inNamespace(name: string): Condition {
  return { on: 'namespaces', requirement: { key: 'kubernetes.io/metadata.name', operator: 'In', values: [name] } }
}

/** Names and labels of service accounts must both match; null: not given. */
function accountCondition(raw: unknown, complain: Complain): Condition | null {
  if (raw === undefined || raw === null) return null
  const { names, selector } = isObject(raw) ? raw : {}
  const listed: readonly unknown[] = Array.isArray(names) ? names : []
  if (!isObject(raw) || !listed.every((n) => typeof n === 'string')) {
    complain('serviceAccounts is not understood')
    return null
  }
  const labels = expressionOf(selector, 'serviceAccounts.selector', complain)
  if (listed.length === 0 && !labels) return null
  return combine('and', [
    ...(listed.length > 0
      ? [{ on: 'pods', requirement: { key: ACCOUNT_LABEL, operator: 'In', values: listed } } as const]
      : []),
    ...(labels ? [conditionOf(labels, 'serviceaccount')] : []),
  ])
}

function netsOf(raw: unknown, field: string, complain: Complain): readonly Prefix[] {
  if (!Array.isArray(raw)) {
    complain(`${field} is not a list`)
    return []
  }
  return (raw as unknown[]).flatMap((net) => {
    const prefix = typeof net === 'string' ? parsePrefix(net) : null
    if (!prefix) complain(`${field}: ${JSON.stringify(net)} is not a network`)
    return prefix ? [networkOf(prefix)] : []
  })
}

function servicesOf(raw: unknown, namespace: string, complain: Complain): Entity['services'] {
  if (raw === undefined || raw === null) return null
  const { name, namespace: given } = isObject(raw) ? raw : {}
  const where = typeof given === 'string' && given !== '' ? given : namespace
  if (typeof name === 'string' && name !== '' && where !== '') return { name, namespace: where }
  complain('services does not name a Service')
  return null
}

/** The pods an entity's selectors find; a text says why they cannot be told. */
export function entityTerms(entity: Entity): readonly Term[] | string {
  return entity.selects === 'no' ? [{ namespaces: [], pods: [] }] : termsOf(entity.condition)
}

const EVERYBODY: PolicyPeer = { kind: 'entity', entity: 'all' }
/** A peer that nobody is. */
export const NOBODY: PolicyPeer = { kind: 'not', peer: EVERYBODY }

/** The entity as the peers of a rule; null: every end. */
export function entityPeers(entity: Entity, sets: AddressSets): readonly PolicyPeer[] | null {
  const terms = entityTerms(entity)
  if (typeof terms === 'string') return [{ kind: 'opaque', why: terms }]
  const found: readonly PolicyPeer[] =
    entity.selects === 'no'
      ? []
      : [...terms.map((t): PolicyPeer => ({ kind: 'pods', ...t })), ...setPeers(sets, entity.wanted)]
  const also: PolicyPeer[] = [
    ...(entity.selects === 'only-not' ? found.map((peer): PolicyPeer => ({ kind: 'not', peer })) : []),
    ...(entity.nets === null ? [] : [entity.nets.length > 0 ? networks(entity.nets) : EVERYBODY]),
    ...(entity.notNets.length > 0 ? [{ kind: 'not', peer: networks(entity.notNets) } as const] : []),
  ]
  if (entity.selects !== 'yes') return also.length === 0 ? null : [both(also)]
  if (found.length === 0) return [NOBODY]
  return found.map((peer) => (also.length === 0 ? peer : both([peer, ...also])))
}

const networks = (cidrs: readonly Prefix[]): PolicyPeer => ({ kind: 'networks', cidrs })

function both(peers: readonly PolicyPeer[]): PolicyPeer {
  return peers.length === 1 ? peers[0]! : { kind: 'allOf', peers }
}
