/** A rule's statements into parts, in order. */
import type { Counters, Field, RejectWith, RulePart, Statement, TableFamily } from '../../model/ruleset.ts'
import { type RuleContext, requireField, requireNetwork, requireTransport, ruleContext } from './context.ts'
import { FIELDS } from './fields.ts'
import { lowerExpression, lowerSet } from './lower-expression.ts'
import { lowerMatch } from './lower-match.ts'
import { lowerNat, lowerTproxy } from './lower-nat.ts'
import { markChange } from './mark-change.ts'
import { renderStatement } from './render.ts'
import type { Ast, SetTypes, StatementAst } from './syntax.ts'
import { constant } from './values.ts'

export interface LoweredRule {
  readonly parts: readonly RulePart[]
  readonly counters?: Counters
  readonly comment?: string
}

/** Translates one rule of a table of `family`; `sets` are the types of the table's sets. */
export function lowerRule(
  statements: readonly StatementAst[],
  family: TableFamily,
  sets: ReadonlyMap<string, SetTypes>,
  line: number,
): LoweredRule {
  const ctx = ruleContext(family, sets, line)
  let counters: Counters | undefined
  let comment: string | undefined
  for (const s of statements) {
    if (s.kind === 'counter') counters ??= s.counters
    else if (s.kind === 'comment') comment ??= s.text
    else lowerStatement(ctx, s)
  }
  return { parts: ctx.parts, ...(counters ? { counters } : {}), ...(comment === undefined ? {} : { comment }) }
}

function lowerStatement(ctx: RuleContext, s: Exclude<StatementAst, { kind: 'counter' | 'comment' }>): void {
  const push = (part: Statement | null) =>
    ctx.parts.push(part ?? { kind: 'opaque', what: 'statement', text: renderStatement(s) })
  switch (s.kind) {
    case 'match':
      lowerMatch(ctx, s.op, s.left, s.right)
      return
    case 'vmap': {
      const key = lowerExpression(ctx, s.key)
      const map = key && lowerSet(ctx, s.set, 'vmap', key.types, [])
      push(map && { kind: 'vmap', key: key!.expr, map })
      return
    }
    case 'mangle':
      push(lowerMangle(ctx, s.key, s.value, renderStatement(s)))
      return
    case 'nat':
      push(lowerNat(ctx, s))
      return
    case 'tproxy':
      push(lowerTproxy(ctx, s))
      return
    case 'reject': {
      const reason = rejectWith(s.type, s.code)
      // nft checks what the reply needs first, and does not print that check (stmt_evaluate_reject).
      if (s.type === 'tcp reset') requireTransport(ctx, 6)
      if (s.type === 'icmp' || s.type === 'icmpv6') requireNetwork(ctx, s.type === 'icmp' ? 4 : 6)
      push(reason && { kind: 'reject', with: reason })
      return
    }
    case 'verdict':
    case 'notrack':
    case 'rate':
    case 'setUpdate':
    case 'note':
    case 'opaque':
      ctx.parts.push(s)
      return
  }
}

const REJECTS: Readonly<Record<string, RejectWith>> = {
  'tcp reset': 'tcp-reset',
  'icmp net-unreachable': 'net-unreachable',
  'icmp host-unreachable': 'host-unreachable',
  'icmp prot-unreachable': 'proto-unreachable',
  'icmp port-unreachable': 'port-unreachable',
  'icmp net-prohibited': 'net-prohibited',
  'icmp host-prohibited': 'host-prohibited',
  'icmp admin-prohibited': 'admin-prohibited',
  'icmpv6 no-route': 'no-route',
  'icmpv6 admin-prohibited': 'admin-prohibited',
  'icmpv6 addr-unreachable': 'addr-unreachable',
  'icmpv6 port-unreachable': 'port-unreachable',
  'icmpv6 policy-fail': 'policy-fail',
  'icmpv6 reject-route': 'reject-route',
  'icmpx port-unreachable': 'port-unreachable',
  'icmpx admin-prohibited': 'admin-prohibited',
  'icmpx no-route': 'no-route',
  'icmpx host-unreachable': 'host-unreachable',
}

/** ICMP codes as `nft -n` prints them. */
const REJECT_CODES: Readonly<Record<string, readonly string[]>> = {
  icmp: ['net-unreachable', 'host-unreachable', 'prot-unreachable', 'port-unreachable'],
  icmpv6: ['no-route', 'admin-prohibited', '', 'addr-unreachable', 'port-unreachable', 'policy-fail', 'reject-route'],
  icmpx: ['no-route', 'port-unreachable', 'host-unreachable', 'admin-prohibited'],
}
const ICMP_PROHIBITED: Readonly<Record<string, string>> = {
  9: 'net-prohibited',
  10: 'host-prohibited',
  13: 'admin-prohibited',
}

function rejectWith(type: string | null, code: string | null): RejectWith | null {
  if (type === null) return 'port-unreachable'
  if (code === null) return type === 'tcp reset' ? 'tcp-reset' : null
  const named = /^\d+$/.test(code)
    ? (REJECT_CODES[type]?.[Number(code)] ?? (type === 'icmp' ? ICMP_PROHIBITED[code] : undefined))
    : code
  const word = `${type} ${named}`
  return Object.hasOwn(REJECTS, word) ? REJECTS[word]! : null
}

/** Things that are set without bearing on where the packet goes. */
const HARMLESS = /^(?:meta nftrace|meta secmark|ct secmark|ct helper|ct timeout|ct expectation|ct event)$/

function lowerMangle(ctx: RuleContext, key: Ast, value: Ast, text: string): Statement | null {
  if (key.kind === 'unknown') {
    if (key.text === 'tcp option maxseg size') return maxseg(ctx, key, value)
    return HARMLESS.test(key.text) ? { kind: 'note', what: text } : null
  }
  if (key.kind !== 'field') return null
  const info = FIELDS.get(key.key)
  if (!info) return null
  if (key.key === 'ct.helper') return { kind: 'note', what: text }
  if (key.key === 'meta.mark' || key.key === 'ct.mark') {
    const change = markChange(key.key, value)
    if (change) return change
  }
  requireField(ctx, info)
  const plain = constant(value, info.type)
  const n = plain && plain.from === plain.to && typeof plain.from === 'number' ? plain.from : null
  if (n !== null) {
    if (key.key === 'ct.zone') return { kind: 'ctZone', zone: n }
    if (key.key === 'ip.ttl' || key.key === 'ip6.hoplimit') return { kind: 'ttl', op: 'set', value: n }
    if (key.key === 'ip.dscp' || key.key === 'ip6.dscp') return { kind: 'dscp', value: n }
  }
  const field: Field = info.field
  const found = lowerExpression(ctx, value, info.type)
  return found?.types.length === 1 ? { kind: 'set', field, value: found.expr } : null
}

function maxseg(ctx: RuleContext, key: Ast, value: Ast): Statement | null {
  lowerExpression(ctx, key)
  if (value.kind === 'field' && value.key === 'rt.mtu') return { kind: 'mss', size: null }
  const size = constant(value, 'integer')
  return size && size.from === size.to && typeof size.from === 'number' ? { kind: 'mss', size: size.from } : null
}
