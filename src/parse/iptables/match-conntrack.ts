/** conntrack and state (net/netfilter/xt_conntrack.c, Linux 6.18). Every option is a match of its own; all must hold. */
import { protocolNumber } from '../../base/protocol.ts'
import type { CtState } from '../../model/conntrack.ts'
import type { Field, Match } from '../../model/ruleset.ts'
import { opaqueMatch, optionText, type RuleContext } from './extension.ts'
import type { Group, Option } from './options.ts'
import { addressMask, anonymousSet, field, literal, portRange, within } from './values.ts'

const STATES: Readonly<Record<string, CtState | 'snat' | 'dnat'>> = {
  NEW: 'new',
  ESTABLISHED: 'established',
  RELATED: 'related',
  INVALID: 'invalid',
  UNTRACKED: 'untracked',
  SNAT: 'snat',
  DNAT: 'dnat',
}
const STATUSES = {
  NONE: 'none',
  EXPECTED: 'expected',
  SEEN_REPLY: 'seen-reply',
  ASSURED: 'assured',
  CONFIRMED: 'confirmed',
} as const
const ADDRESSES: Readonly<Record<string, Field>> = {
  '--ctorigsrc': 'ct.original.saddr',
  '--ctorigdst': 'ct.original.daddr',
  '--ctreplsrc': 'ct.reply.saddr',
  '--ctrepldst': 'ct.reply.daddr',
}
const PORTS: Readonly<Record<string, Field>> = {
  '--ctorigsrcport': 'ct.original.proto-src',
  '--ctorigdstport': 'ct.original.proto-dst',
  '--ctreplsrcport': 'ct.reply.proto-src',
  '--ctrepldstport': 'ct.reply.proto-dst',
}

function states(o: Option): Match {
  const list = (o.args[0] ?? '').split(',').map((s) => STATES[s.toUpperCase()])
  return list.includes(undefined)
    ? opaqueMatch(optionText(o))
    : { kind: 'ctState', states: list.map((s) => s!), negate: o.negate }
}

function address(o: Option, f: Field, family: 4 | 6): Match {
  const am = addressMask(o.args[0] ?? '', family)
  if (!am) return opaqueMatch(optionText(o))
  const { addr, mask } = am
  const to = {
    family,
    a: (addr.a | ~mask.a) >>> 0,
    b: (addr.b | ~mask.b) >>> 0,
    c: (addr.c | ~mask.c) >>> 0,
    d: (addr.d | ~mask.d) >>> 0,
  } as const
  const last = family === 4 ? { ...to, a: 0, b: 0, c: 0 } : to
  return {
    kind: 'in',
    left: field(f),
    set: { kind: 'anonymous', set: anonymousSet([{ from: addr, to: last }]) },
    negate: o.negate,
  }
}

export function conntrackMatches(group: Group, ctx: RuleContext): Match[] {
  return group.options.map((o): Match => {
    const arg = o.args[0] ?? ''
    const a = ADDRESSES[o.name]
    if (a) return address(o, a, ctx.family)
    const p = PORTS[o.name]
    if (p) {
      const range = portRange(arg)
      return range ? within(p, range[0], range[1], o.negate) : opaqueMatch(optionText(o))
    }
    switch (o.name) {
      case '--ctstate':
        return states(o)
      case '--ctstatus': {
        const list = arg.split(',').map((s) => STATUSES[s.toUpperCase() as keyof typeof STATUSES])
        return list.some((s) => s === undefined)
          ? opaqueMatch(optionText(o))
          : { kind: 'ctStatus', statuses: list, negate: o.negate }
      }
      case '--ctproto': {
        const protocol = protocolNumber(arg)
        return protocol === null ? opaqueMatch(optionText(o)) : within('ct.protocol', protocol, protocol, o.negate)
      }
      case '--ctdir': {
        // IP_CT_DIR_ORIGINAL is 0, IP_CT_DIR_REPLY 1.
        const direction = { ORIGINAL: 0, REPLY: 1 }[arg.toUpperCase()]
        return direction === undefined
          ? opaqueMatch(optionText(o))
          : { kind: 'compare', op: o.negate ? 'ne' : 'eq', left: field('ct.direction'), right: literal(direction) }
      }
      default:
        return opaqueMatch(optionText(o))
    }
  })
}

/** `-m state --state …`: conntrack's older, smaller sibling. */
export function stateMatches(group: Group): Match[] {
  return group.options.map((o) => (o.name === '--state' ? states(o) : opaqueMatch(optionText(o))))
}
