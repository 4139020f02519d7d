/** Comparisons of one field with constants that have a form of their own in the model. */
import { type Ip, matchesMask } from '../../base/ip.ts'
import type { CtState } from '../../model/conntrack.ts'
import { CT_STATE_BITS, type Interval, type Match } from '../../model/ruleset.ts'
import { portProtocols, type RuleContext, requireField, requireNetwork, requireTransport } from './context.ts'
import { FIELDS } from './fields.ts'
import type { Ast, Relation } from './syntax.ts'
import { constant, maskOfInterval, WILDCARD_END } from './values.ts'

const CT_STATUS_BITS = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
} as const

type Status = keyof typeof CT_STATUS_BITS

/** Names of the bits set, or null when one has none. */
function namesOf<N extends string>(table: Readonly<Record<N, number>>, bits: number): N[] | null {
  const names: N[] = []
  let rest = bits
  for (const name of Object.keys(table) as N[]) {
    if ((bits & table[name]) === 0) continue
    names.push(name)
    rest &= ~table[name]
  }
  return rest === 0 ? names : null
}

const number = (v: Interval): number | null => (v.from === v.to && typeof v.from === 'number' ? v.from : null)
const ports = (v: Interval): [number, number] | null =>
  typeof v.from === 'number' && typeof v.to === 'number' && v.to <= 0xffff ? [v.from, v.to] : null

/**
 * The match for `KEY value`, or null when it has only the general form. `op` is `any` for a question about any of
 * the bits of a flags field, else a relation of equality.
 */
export function intervalMatch(
  ctx: RuleContext,
  key: string,
  v: Interval,
  negate: boolean,
  op: Relation | 'any',
): Match | null {
  const n = number(v)
  switch (key) {
    case 'ip.saddr':
    case 'ip6.saddr':
      return addressMatch(ctx, 'src', v, negate)
    case 'ip.daddr':
    case 'ip6.daddr':
      return addressMatch(ctx, 'dst', v, negate)
    case 'meta.l4proto':
      if (n !== null && !negate) ctx.protocols = [n]
      return n === null ? null : { kind: 'protocol', protocol: n, negate }
    case 'ip.protocol':
      if (n === null) return null
      requireNetwork(ctx, 4)
      if (!negate) ctx.protocols = [n]
      return { kind: 'protocol', protocol: n, negate }
    case 'ip6.nexthdr':
      // Not the same as the protocol: it may be an extension header.
      requireNetwork(ctx, 6)
      if (n !== null && !negate) ctx.protocols = [n]
      return null
    case 'meta.nfproto':
      return familyMatch(ctx, n, negate)
    case 'meta.protocol':
      if (!negate && ctx.l3 === null) ctx.l3 = n === 0x0800 ? 4 : n === 0x86dd ? 6 : null
      return null
    case 'th.sport':
    case 'tcp.sport':
    case 'udp.sport':
    case 'sctp.sport':
    case 'dccp.sport':
    case 'th.dport':
    case 'tcp.dport':
    case 'udp.dport':
    case 'sctp.dport':
    case 'dccp.dport':
      return portMatch(ctx, key, [v], negate)
    case 'meta.iif':
    case 'meta.iifname':
      return linkMatch('in', v, negate)
    case 'meta.oif':
    case 'meta.oifname':
      return linkMatch('out', v, negate)
    case 'meta.mark':
    case 'ct.mark':
      return markInterval(key, v, negate)
    case 'ct.state':
      return n === null ? null : stateMatch(n, negate, op)
    case 'ct.status': {
      const statuses = n === null || op !== 'any' ? null : namesOf<Status>(CT_STATUS_BITS, n)
      return statuses && { kind: 'ctStatus', statuses, negate }
    }
    case 'tcp.flags':
      if (n === null || n > 255) return null
      requireTransport(ctx, 6)
      // Any of the bits: not all of them clear.
      return op === 'any'
        ? { kind: 'tcpFlags', mask: n, comp: 0, negate: !negate }
        : { kind: 'tcpFlags', mask: 255, comp: n, negate }
    case 'icmp.type':
    case 'icmpv6.type':
      if (n === null) return null
      requireField(ctx, FIELDS.get(key)!)
      return { kind: 'icmpType', family: key === 'icmp.type' ? 4 : 6, type: n, codes: [0, 255], negate }
    default:
      return null
  }
}

/** `KEY { … }` where the set has a form of its own: ports and connection states. */
export function setMatch(
  ctx: RuleContext,
  key: string,
  set: Extract<Ast, { kind: 'set' }>,
  negate: boolean,
): Match | null {
  const type = FIELDS.get(key)?.type
  if (type !== 'ct_state' && !/^(?:th|tcp|udp|sctp|dccp)\.[sd]port$/.test(key)) return null
  const values: Interval[] = []
  for (const e of set.elements) {
    const v = e.key && constant(e.key, type!)
    if (!v) return null
    values.push(v)
  }
  if (values.length === 0) return null
  if (type !== 'ct_state') return portMatch(ctx, key, values, negate)
  const states: CtState[] = []
  for (const v of values) {
    const n = number(v)
    const names = n === null ? null : namesOf<CtState>(CT_STATE_BITS, n)
    // A packet has one state: an element with several bits is never it.
    if (names?.length !== 1) return null
    states.push(names[0]!)
  }
  return { kind: 'ctState', states, negate }
}

/** `KEY & mask == value`. */
export function maskMatch(
  ctx: RuleContext,
  left: Extract<Ast, { kind: 'binary' }>,
  right: Ast,
  negate: boolean,
): Match | null {
  if (left.left.kind !== 'field') return null
  const { key } = left.left
  const info = FIELDS.get(key)
  if (!info) return null
  const mask = constant(left.right, info.type)
  const value = constant(right, info.type)
  if (!mask || !value) return null
  if (typeof mask.from === 'object' && typeof value.from === 'object') {
    const side =
      key === 'ip.saddr' || key === 'ip6.saddr' ? 'src' : key === 'ip.daddr' || key === 'ip6.daddr' ? 'dst' : null
    if (side === null || !single(mask) || !single(value) || !within(value.from, mask.from)) return null
    requireFamily(ctx, value.from)
    return { kind: 'address', side, addr: value.from, mask: mask.from, negate }
  }
  const m = number(mask)
  const n = number(value)
  if (m === null || n === null) return null
  if (key === 'meta.mark' || key === 'ct.mark')
    return { kind: 'mark', of: key === 'meta.mark' ? 'packet' : 'connection', value: n, mask: m, negate }
  if (key === 'tcp.flags' && m <= 255) {
    requireTransport(ctx, 6)
    return { kind: 'tcpFlags', mask: m, comp: n, negate }
  }
  return null
}

const single = (v: Interval) =>
  typeof v.from === 'object' && typeof v.to === 'object' && matchesMask(v.from, v.to, ALL_ONES[v.from.family])

const ones = 0xffffffff
const ALL_ONES: Record<4 | 6, Ip> = {
  4: { family: 4, a: 0, b: 0, c: 0, d: ones },
  6: { family: 6, a: ones, b: ones, c: ones, d: ones },
}

/** True when `value` has no bit outside `mask`; otherwise it can never equal anything masked. */
function within(value: Ip, mask: Ip): boolean {
  return (
    value.family === mask.family &&
    ((value.a & ~mask.a) | (value.b & ~mask.b) | (value.c & ~mask.c) | (value.d & ~mask.d)) === 0
  )
}

/** An address match fails on the other family by itself, so what follows it may rely on the family. */
function requireFamily(ctx: RuleContext, ip: Ip): void {
  if (ctx.family === 'ip' || ctx.family === 'ip6') requireNetwork(ctx, ip.family)
  else ctx.l3 = ip.family
}

function addressMatch(ctx: RuleContext, side: 'src' | 'dst', v: Interval, negate: boolean): Match | null {
  const { from, to } = v
  if (typeof from !== 'object' || typeof to !== 'object') return null
  requireFamily(ctx, from)
  const mask = maskOfInterval(from, to)
  return mask ? { kind: 'address', side, addr: from, mask, negate } : { kind: 'addressRange', side, from, to, negate }
}

function familyMatch(ctx: RuleContext, n: number | null, negate: boolean): Match | null {
  if (n !== 2 && n !== 10) return null
  const l3 = n === 2 ? 4 : 6
  if (ctx.family === 'ip' || ctx.family === 'ip6') return { kind: 'always', matches: (ctx.l3 === l3) !== negate }
  if (ctx.family === 'inet') ctx.l3 = negate ? (l3 === 4 ? 6 : 4) : l3
  return null
}

function portMatch(ctx: RuleContext, key: string, values: readonly Interval[], negate: boolean): Match | null {
  const ranges: [number, number][] = []
  for (const v of values) {
    const range = ports(v)
    if (!range) return null
    ranges.push(range)
  }
  const side = key.endsWith('sport') ? 'src' : 'dst'
  let protocols = portProtocols(ctx)
  if (!key.startsWith('th.')) {
    const l4 = FIELDS.get(key)!.l4!
    requireTransport(ctx, l4)
    protocols = [l4]
  }
  // `th` reads two bytes of whatever transport header there is; only known protocols make that a port.
  return protocols && { kind: 'port', side, ranges, protocols, negate }
}

function linkMatch(side: 'in' | 'out', v: Interval, negate: boolean): Match | null {
  if (typeof v.from !== 'string') return null
  const wildcard = v.to === v.from + WILDCARD_END
  return wildcard || v.to === v.from ? { kind: 'link', side, name: v.from, wildcard, negate } : null
}

function markInterval(key: string, v: Interval, negate: boolean): Match | null {
  if (typeof v.from !== 'number' || typeof v.to !== 'number') return null
  const size = v.to - v.from + 1
  if (!Number.isInteger(Math.log2(size)) || v.from % size !== 0) return null
  const mask = 2 ** 32 - size
  return { kind: 'mark', of: key === 'meta.mark' ? 'packet' : 'connection', value: v.from, mask, negate }
}

function stateMatch(n: number, negate: boolean, op: Relation | 'any'): Match | null {
  const states = namesOf<CtState>(CT_STATE_BITS, n)
  // Compared for equality, several bits at once are no state a packet can have.
  if (!states || states.length === 0 || (op !== 'any' && states.length > 1)) return null
  return { kind: 'ctState', states, negate }
}
