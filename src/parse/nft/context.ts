/** What a rule has established so far: nft leaves out the dependency checks it can infer, and so they are put back. */
import { hasPorts } from '../../base/protocol.ts'
import type { RulePart, TableFamily } from '../../model/ruleset.ts'
import type { FieldInfo } from './fields.ts'
import type { SetTypes } from './syntax.ts'

export interface RuleContext {
  readonly family: TableFamily
  /** Types of the table's sets by name. */
  readonly sets: ReadonlyMap<string, SetTypes>
  readonly line: number
  readonly parts: RulePart[]
  /** Transport protocols the packet can have here, once the rule has asked. */
  protocols: readonly number[] | null
  l3: 4 | 6 | null
}

export function ruleContext(family: TableFamily, sets: ReadonlyMap<string, SetTypes>, line: number): RuleContext {
  const l3 = family === 'ip' ? 4 : family === 'ip6' ? 6 : null
  return { family, sets, line, parts: [], protocols: null, l3 }
}

/**
 * Adds the check nft makes before it reads an IPv4 or IPv6 header in a table that sees both: `meta nfproto` in inet,
 * `meta protocol` in bridge and netdev (nftables src/payload.c, payload_gen_dependency).
 */
export function requireNetwork(ctx: RuleContext, l3: 4 | 6): void {
  if (ctx.l3 === l3) return
  if (ctx.family === 'ip' || ctx.family === 'ip6') {
    ctx.parts.push({ kind: 'always', matches: false })
    return
  }
  const inet = ctx.family === 'inet'
  const value = inet ? (l3 === 4 ? 2 : 10) : l3 === 4 ? 0x0800 : 0x86dd
  ctx.parts.push({
    kind: 'compare',
    op: 'eq',
    left: { kind: 'field', field: inet ? 'meta.nfproto' : 'meta.protocol' },
    right: { kind: 'literal', value },
  })
  ctx.l3 = l3
}

/** Adds the `meta l4proto` check nft makes before it reads a transport header, unless the rule has made it. */
export function requireTransport(ctx: RuleContext, protocol: number): void {
  if (ctx.protocols?.length === 1 && ctx.protocols[0] === protocol) return
  ctx.parts.push({ kind: 'protocol', protocol, negate: false })
  ctx.protocols = [protocol]
}

/** The checks that must precede reading `field`. */
export function requireField(ctx: RuleContext, field: FieldInfo): void {
  if (field.l3 !== undefined) requireNetwork(ctx, field.l3)
  if (field.l4 !== undefined) requireTransport(ctx, field.l4)
}

/** Protocols to read ports of with `th`: null when the rule has not said that the packet has ports at all. */
export function portProtocols(ctx: RuleContext): readonly number[] | null {
  return ctx.protocols?.length && ctx.protocols.every(hasPorts) ? ctx.protocols : null
}
