/** One rule set of a Cilium policy (`spec`, or one of `specs`) as a policy of the stage. pkg/policy/api/rule.go, rule_validation.go. */
import type { KubeObjects, OtherObject } from '../../../kubeobj/objects.ts'
import { NAME_LABEL } from '../end.ts'
import type { Direction } from '../policy.ts'
import { isObject } from '../selector.ts'
import type { Action, StagePolicy, StageRule, Subject } from '../stage.ts'
import type { Complain } from '../tier.ts'
import { named, splitSelector } from './labels.ts'
import { decodePeers, peerFields, type RuleContext } from './peers.ts'
import { decodePorts } from './ports.ts'

type Raw = Readonly<Record<string, unknown>>

const SPEC = [
  'endpointSelector',
  'nodeSelector',
  'ingress',
  'ingressDeny',
  'egress',
  'egressDeny',
  'labels',
  'enableDefaultDeny',
  'description',
  'log',
]

export interface DecodedSpec {
  readonly policies: readonly StagePolicy[]
  /** Directions in which fromRequires or toRequires narrow what every other policy allows. */
  readonly requires: readonly Direction[]
}

/** `where` is empty for `spec`, `specs[1].` for others. */
export function decodeSpec(
  o: OtherObject,
  raw: unknown,
  where: string,
  objects: KubeObjects,
  complain: Complain,
): DecodedSpec {
  const nothing: DecodedSpec = { policies: [], requires: [] }
  const spec = isObject(raw) ? raw : {}
  const namespace = o.kind === 'CiliumNetworkPolicy' ? o.meta.namespace || 'default' : ''
  if (spec.nodeSelector !== undefined && spec.nodeSelector !== null) {
    complain(`${where}nodeSelector: what it does to nodes is not evaluated`)
    return nothing
  }
  const doubts: string[] = []
  const refuse: Complain = (why) => {
    doubts.push(`Cilium may refuse it: ${why}`)
    complain(`${where}${why}`)
  }
  if (!isObject(raw)) refuse('spec is not an object')
  const unknown = Object.keys(spec).find((k) => !SPEC.includes(k))
  const odd = unknown === undefined ? [] : [`the policy has the unknown field ${unknown}`]
  for (const why of odd) refuse(why)
  if (!isObject(spec.endpointSelector)) refuse('there is no endpointSelector')
  const subject = subjectOf(spec.endpointSelector ?? {}, namespace, refuse)
  if (!subject) {
    complain(`${where}endpointSelector: it selects no pods`)
    return nothing
  }
  const requires: Direction[] = []
  const rules: Partial<Record<Direction, readonly StageRule[]>> = {}
  const isolates: Partial<Record<Direction, boolean>> = {}
  const perhaps: Direction[] = []
  for (const direction of ['ingress', 'egress'] as const) {
    const allow = listOf(spec[direction], direction, refuse)
    const deny = listOf(spec[`${direction}Deny`], `${direction}Deny`, refuse)
    const given = isObject(spec.enableDefaultDeny) ? spec.enableDefaultDeny[direction] : undefined
    if (allow.length === 0 && deny.length === 0) {
      if (given === true) perhaps.push(direction)
      continue
    }
    const decode = (list: readonly unknown[], action: Action, field: string) =>
      list.flatMap((rule, i) => {
        const name = `${where}${field}[${i}]`
        if (isObject(rule) && isFilled(rule[direction === 'ingress' ? 'fromRequires' : 'toRequires']))
          requires.push(direction)
        return decodeRule(rule, action, name, { objects, namespace, direction }, odd, refuse)
      })
    rules[direction] = [...decode(allow, 'allow', direction), ...decode(deny, 'deny', `${direction}Deny`)]
    // Also a policy with deny rules only isolates (rule_validation.go Sanitize).
    isolates[direction] = typeof given === 'boolean' ? given : true
  }
  const base = { kind: o.kind, namespace, name: o.meta.name, evidence: o.evidence }
  const opaque = [...new Set(doubts)].join('; ')
  const policies: StagePolicy[] = []
  if (Object.keys(rules).length > 0)
    policies.push({ ...base, subject: opaque === '' ? subject : { ...subject, opaque }, rules, isolates })
  for (const direction of perhaps) {
    const why = `enableDefaultDeny without ${direction} rules: versions of Cilium differ`
    policies.push({ ...base, subject: { ...subject, opaque: why }, rules: { [direction]: [] } })
  }
  return { policies, requires }
}

const isFilled = (raw: unknown): boolean =>
  raw !== undefined && raw !== null && !(Array.isArray(raw) && raw.length === 0)

function listOf(raw: unknown, field: string, refuse: Complain): readonly unknown[] {
  if (raw === undefined || raw === null) return []
  if (!Array.isArray(raw)) refuse(`${field} is not a list`)
  return Array.isArray(raw) ? (raw as unknown[]) : []
}

/** A namespaced policy is about its own namespace, whatever namespace it names. Null: about no pods. */
function subjectOf(raw: unknown, namespace: string, refuse: Complain): Subject | null {
  const { namespaces, pods, reserved } = splitSelector(raw, refuse)
  if (reserved.length > 0) return null
  if (namespace === '') return { namespaces, pods }
  const others = namespaces.filter((r) => r.key !== NAME_LABEL || r.operator !== 'In' || r.values.length !== 1)
  return { namespaces: [named(namespace), ...others], pods }
}

function decodeRule(
  raw: unknown,
  action: Action,
  name: string,
  around: Pick<RuleContext, 'objects' | 'namespace' | 'direction'>,
  odd: readonly string[],
  refuse: Complain,
): readonly StageRule[] {
  const conditions = [...odd]
  const context: RuleContext = {
    ...around,
    refuse: (why) => {
      refuse(`${name}: ${why}`)
      conditions.push(why)
    },
    doubt: (why) => conditions.push(why),
  }
  if (!isObject(raw)) {
    context.refuse('a rule is not an object')
    return []
  }
  const requires = around.direction === 'ingress' ? 'fromRequires' : 'toRequires'
  const unknown = Object.keys(raw).find(
    (k) => ![...peerFields(around.direction), requires, 'toPorts', 'icmps', 'authentication'].includes(k),
  )
  if (unknown !== undefined) context.refuse(`unknown field ${unknown}`)
  if (isObject(raw.authentication) && raw.authentication.mode !== 'disabled')
    conditions.push('mutual authentication decides')
  const peers = decodePeers(raw, context)
  const ports = decodePorts(raw, context)
  if (isFilled(raw.toServices) && ports !== null)
    conditions.push('toServices with toPorts, which versions of Cilium read in two ways')
  if (peers?.length === 0) return []
  const rule = (more: Partial<StageRule>): StageRule => ({ action, name, peers, ports: null, ...more })
  const conditional = (also?: string) => {
    const all = also === undefined ? conditions : [...conditions, also]
    return all.length === 0 ? {} : { condition: [...new Set(all)].join('; ') }
  }
  if (ports !== null) return ports.map((p) => rule({ ports: p.ports, ...conditional(p.condition) }))
  if (peers !== null) return [rule(conditional())]
  // A rule `{}` names nobody and no port: it allows nothing, but isolates. What it denies is said nowhere.
  return action === 'deny' ? [rule(conditional('a deny rule that names nobody'))] : []
}

/** The rule sets of a policy: `spec` and each of `specs`. */
export function specsOf(o: OtherObject): readonly (readonly [where: string, spec: unknown])[] {
  const { spec, specs } = o.raw as Raw
  const one: readonly (readonly [string, unknown])[] = spec === undefined || spec === null ? [] : [['', spec]]
  return [...one, ...(Array.isArray(specs) ? (specs as unknown[]).map((s, i) => [`specs[${i}].`, s] as const) : [])]
}
