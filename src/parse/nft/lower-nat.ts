/** Translation statements into the model's. */
import type { Ip } from '../../base/ip.ts'
import type { NatAddress, NatPort, Statement } from '../../model/ruleset.ts'
import { type RuleContext, requireNetwork } from './context.ts'
import { lowerExpression } from './lower-expression.ts'
import type { Ast, StatementAst } from './syntax.ts'
import { constant, maskOfInterval } from './values.ts'

type NatAst = Extract<StatementAst, { kind: 'nat' }>

/** The model's statement, or null when an operand is not understood. */
export function lowerNat(ctx: RuleContext, s: NatAst): Statement | null {
  const random = s.flags.includes('random') || s.flags.includes('fully-random')
  const port = s.port && lowerPort(ctx, s.port)
  if (s.port && !port) return null
  if (s.type === 'masquerade' || s.type === 'redirect') return { kind: s.type, port, random }

  const persistent = s.flags.includes('persistent')
  if (!s.addr) return port && { kind: 'nat', type: s.type, address: null, port, random, persistent }
  const family = s.family ?? (ctx.family === 'ip' || ctx.family === 'ip6' ? ctx.family : null)
  const type = family === 'ip' ? 'ipv4_addr' : family === 'ip6' ? 'ipv6_addr' : 'ip_addr'
  const value = constant(s.addr, type)
  if (value) {
    const { from, to } = value as { from: Ip; to: Ip }
    // nft_nat_inet_eval leaves packets of the other family alone.
    if (ctx.family === 'inet') requireNetwork(ctx, from.family)
    if (s.prefix) {
      const mask = port ? null : maskOfInterval(from, to)
      return mask && { kind: 'netmap', type: s.type, addr: from, mask }
    }
    return { kind: 'nat', type: s.type, address: { kind: 'range', from, to }, port, random, persistent }
  }
  if (s.prefix) return null
  if (ctx.family === 'inet' && family) requireNetwork(ctx, family === 'ip' ? 4 : 6)
  const found = lowerExpression(ctx, s.addr, type)
  if (!found) return null
  const address: NatAddress = { kind: 'expr', expr: found.expr }
  if (found.types.length === 1) return { kind: 'nat', type: s.type, address, port, random, persistent }
  // One lookup gives address and port.
  if (found.types.length !== 2 || port) return null
  return { kind: 'nat', type: s.type, address, port: { kind: 'expr', expr: found.expr }, random, persistent }
}

function lowerPort(ctx: RuleContext, ast: Ast): NatPort | null {
  const value = constant(ast, 'inet_service')
  if (value && typeof value.from === 'number' && typeof value.to === 'number')
    return { kind: 'range', from: value.from, to: value.to }
  const found = lowerExpression(ctx, ast, 'inet_service')
  return found?.types.length === 1 ? { kind: 'expr', expr: found.expr } : null
}

/** Transparent proxying to an address and port of this netns; maps as operands are not modelled. */
export function lowerTproxy(ctx: RuleContext, s: Extract<StatementAst, { kind: 'tproxy' }>): Statement | null {
  const addr = s.addr && constant(s.addr, 'ip_addr')
  const port = s.port && constant(s.port, 'inet_service')
  if ((s.addr && !addr) || (s.port && !port)) return null
  if (addr && ctx.family === 'inet') requireNetwork(ctx, (addr.from as Ip).family)
  return {
    kind: 'tproxy',
    address: addr ? (addr.from as Ip) : null,
    port: port ? (port.from as number) : null,
    markValue: 0,
    markMask: 0,
  }
}
