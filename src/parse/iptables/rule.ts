/** One rule line into neutral parts. */
import { protocolNumber } from '../../base/protocol.ts'
import type { Issue } from '../../model/evidence.ts'
import type { Counters, Match, Rule, RulePart } from '../../model/ruleset.ts'
import { opaqueMatch, optionText, type RuleContext } from './extension.ts'
import { extensionMatches } from './match.ts'
import { groupOptions, type Option } from './options.ts'
import type { IptablesOptions } from './save-file.ts'
import { targetStatements } from './target.ts'
import { addressMask } from './values.ts'

export interface RulePlace {
  readonly table: string
  readonly chain: string
  readonly options: IptablesOptions
  readonly issues: Issue[]
  hasChain(name: string): boolean
}

/**
 * Reads one line; `from` is where the options begin behind the chain name. Several addresses in `-s` or `-d` make several
 * rules, in order, as iptables itself does. An empty list when the line belongs to the other address family.
 */
export function parseRuleLine(raw: string, from: number, line: number, place: RulePlace): Rule[] {
  const { core, matches, target, goto } = groupOptions(raw.slice(from))
  const family = place.options.family === 'ip' ? 4 : 6
  const text = raw.trim()
  let counters = countersOf(text)
  let protocol: number | null = null
  // Lists of addresses multiply the rule; everything else is a part of each.
  let variants: RulePart[][] | null = null
  const parts: RulePart[] = []
  for (const o of core) {
    switch (o.name) {
      case '-s':
      case '-d': {
        const side = o.name === '-s' ? 'src' : 'dst'
        const list = o.args[0] ?? ''
        if (list.includes(',')) {
          const alternatives = list.split(',').map((one) => addressPart(o, one, side, family))
          const before: RulePart[][] = variants ?? [[]]
          variants = before.flatMap((v) => alternatives.map((x) => [...v, x]))
        } else parts.push(addressPart(o, list, side, family))
        break
      }
      case '-c':
        counters = { packets: Number(o.args[0] ?? 0), bytes: Number(o.args[1] ?? 0) }
        break
      case '-4':
      case '-6':
        if ((o.name === '-4') !== (family === 4)) return []
        break
      case '-w':
        break
      default: {
        if (o.name === '-p' && !o.negate) protocol = protocolNumber(o.args[0] ?? '')
        const m = coreMatch(o)
        if (m) parts.push(m)
      }
    }
  }
  const ctx: RuleContext = { family, table: place.table, chain: place.chain, protocol, hasChain: place.hasChain }
  let comment: string | undefined
  for (const group of matches) {
    if (group.name === 'comment') comment = group.options.find((o) => o.name === '--comment')?.args.join(' ')
    else for (const m of extensionMatches(group, ctx)) parts.push(m)
  }
  for (const statement of targetStatements(target, goto, ctx)) parts.push(statement)
  for (const part of parts)
    if (part.kind === 'opaque' && place.issues.length < 200)
      place.issues.push({ artefact: place.options.artefact, line, message: `not understood: ${part.text}` })
  if (!variants) return [{ line, text, parts, counters, comment }]
  return variants.map((v) => ({ line, text, parts: [...v, ...parts], counters, comment }))
}

function countersOf(text: string): Counters | undefined {
  if (text.charCodeAt(0) !== 91) return undefined
  const m = /^\[(\d+):(\d+)\]/.exec(text)
  return m ? { packets: Number(m[1]), bytes: Number(m[2]) } : undefined
}

function addressPart(o: Option, text: string, side: 'src' | 'dst', family: 4 | 6): Match {
  const am = addressMask(text, family)
  return am ? { kind: 'address', side, addr: am.addr, mask: am.mask, negate: o.negate } : opaqueMatch(optionText(o))
}

/** One object a protocol: a large ruleset names the same few a hundred thousand times. */
const PROTOCOL_MATCHES = Array.from(
  { length: 256 },
  (_, protocol): Match => ({ kind: 'protocol', protocol, negate: false }),
)

function coreMatch(o: Option): Match | null {
  const arg = o.args[0] ?? ''
  switch (o.name) {
    case '-p': {
      if (arg.toLowerCase() === 'all' || arg === '0') return o.negate ? { kind: 'always', matches: false } : null
      const protocol = protocolNumber(arg)
      if (protocol === null) return opaqueMatch(optionText(o))
      return o.negate ? { kind: 'protocol', protocol, negate: true } : PROTOCOL_MATCHES[protocol]!
    }
    case '-i':
    case '-o': {
      const wildcard = arg.endsWith('+')
      const name = wildcard ? arg.slice(0, -1) : arg
      // A bare `+` has an empty mask: it matches whatever the link, even none (net/ipv4/netfilter/ip_tables.c ip_packet_match).
      if (wildcard && name === '') return { kind: 'always', matches: !o.negate }
      return { kind: 'link', side: o.name === '-i' ? 'in' : 'out', name, wildcard, negate: o.negate }
    }
    case '-f':
      // Second and further fragments only; conntrack's defragmentation leaves none, and we trace whole packets.
      return { kind: 'always', matches: o.negate }
    default:
      return opaqueMatch(optionText(o))
  }
}
