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
  readonly line: number
  readonly table: string
  readonly chain: string
  readonly options: IptablesOptions
  readonly issues: Issue[]
  hasChain(name: string): boolean
}

const ANY: readonly (Match | null)[] = [null]

/**
 * Reads one line; `from` is where the options begin behind the chain name. Several addresses in `-s` or `-d` make several
 * rules, in order, as iptables itself does. An empty list when the line belongs to the other address family.
 */
export function parseRuleLine(raw: string, from: number, place: RulePlace): Rule[] {
  const family = place.options.family === 'ip' ? 4 : 6
  const { core, matches, target, goto } = groupOptions(raw.slice(from))
  if (core.some((o) => o.name === (family === 4 ? '-6' : '-4'))) return []
  const text = raw.trim()
  const protocol = protocolOf(core)
  const ctx: RuleContext = { family, table: place.table, chain: place.chain, protocol, hasChain: place.hasChain }

  const head: Match[] = []
  let counters = countersOf(text)
  let sources: readonly (Match | null)[] = ANY
  let destinations: readonly (Match | null)[] = ANY
  for (const o of core) {
    if (o.name === '-s') sources = addresses(o, 'src', family)
    else if (o.name === '-d') destinations = addresses(o, 'dst', family)
    else if (o.name === '-c') counters = { packets: Number(o.args[0] ?? 0), bytes: Number(o.args[1] ?? 0) }
    else if (o.name === '-w' || o.name === '-4' || o.name === '-6') continue
    else {
      const m = coreMatch(o)
      if (m) head.push(m)
    }
  }

  const tail: RulePart[] = []
  let comment: string | undefined
  for (const group of matches) {
    if (group.name === 'comment') {
      comment = group.options.find((o) => o.name === '--comment')?.args.join(' ')
      continue
    }
    for (const m of extensionMatches(group, ctx)) tail.push(m)
  }
  for (const statement of targetStatements(target, goto, ctx)) tail.push(statement)
  for (const part of tail)
    if (part.kind === 'opaque' && place.issues.length < 200)
      place.issues.push({ artefact: place.options.artefact, line: place.line, message: `not understood: ${part.text}` })

  const out: Rule[] = []
  for (const source of sources)
    for (const destination of destinations) {
      const parts: RulePart[] = []
      if (source) parts.push(source)
      if (destination) parts.push(destination)
      for (const part of head) parts.push(part)
      for (const part of tail) parts.push(part)
      out.push({ line: place.line, text, parts, counters, comment })
    }
  return out
}

function countersOf(text: string): Counters | undefined {
  if (text.charCodeAt(0) !== 91) return undefined
  const m = /^\[(\d+):(\d+)\]/.exec(text)
  return m ? { packets: Number(m[1]), bytes: Number(m[2]) } : undefined
}

function protocolOf(core: readonly Option[]): number | null {
  const o = core.find((x) => x.name === '-p')
  return o && !o.negate && o.args[0] ? protocolNumber(o.args[0]) : null
}

function addresses(o: Option, side: 'src' | 'dst', family: 4 | 6): Match[] {
  const list = o.args[0] ?? ''
  const one = (text: string): Match => {
    const am = addressMask(text, family)
    return am ? { kind: 'address', side, addr: am.addr, mask: am.mask, negate: o.negate } : opaqueMatch(optionText(o))
  }
  return list.includes(',') ? list.split(',').map(one) : [one(list)]
}

function coreMatch(o: Option): Match | null {
  const arg = o.args[0] ?? ''
  switch (o.name) {
    case '-p': {
      if (arg.toLowerCase() === 'all' || arg === '0') return o.negate ? { kind: 'always', matches: false } : null
      const protocol = protocolNumber(arg)
      return protocol === null ? opaqueMatch(optionText(o)) : { kind: 'protocol', protocol, negate: o.negate }
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
