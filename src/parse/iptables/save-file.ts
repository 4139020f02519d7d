/**
 * iptables-save and iptables-restore text into tables and chains. One pass notes where each chain's rules are; the rules
 * themselves are read when the chain is first visited, because a packet visits a dozen chains out of tens of thousands.
 */
import type { Issue } from '../../model/evidence.ts'
import type { Backend, BaseChain, Chain, ChainType, Counters, Hook, Rule, Ruleset, Table } from '../../model/ruleset.ts'
import { parseRuleLine } from './rule.ts'

export interface IptablesOptions {
  /** Artefact path or file name that lines refer to. */
  readonly artefact: string
  readonly family: 'ip' | 'ip6'
  readonly backend: Exclude<Backend, 'nft'>
}

/**
 * Priorities of include/uapi/linux/netfilter_ipv4.h; nat differs by hook. iptables-nft 1.8.9 registers security at 150, not at 50
 * as the kernel's own table (docs/lab-notes/security-table-priority.md).
 */
const PRIORITY: Readonly<Record<string, number>> = { raw: -300, mangle: -150, filter: 0 }
const SECURITY = { 'iptables-legacy': 50, 'iptables-nft': 150 } as const
const HOOKS: Readonly<Record<string, Hook>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
}
const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
}

/** Offsets of one rule in the text, its line, and where the options after the chain name begin. */
interface RuleAt {
  readonly start: number
  readonly options: number
  readonly end: number
  readonly line: number
}

interface ChainDraft {
  readonly name: string
  line: number
  policy: 'accept' | 'drop'
  counters?: Counters
  rules: RuleAt[]
}

function baseOf(table: string, draft: ChainDraft, backend: IptablesOptions['backend']): BaseChain | undefined {
  const hook = BUILT_IN[table]?.includes(draft.name) ? HOOKS[draft.name] : undefined
  if (!hook) return undefined
  const priority =
    table === 'nat' ? (hook === 'prerouting' || hook === 'output' ? -100 : 100) : (PRIORITY[table] ?? SECURITY[backend])
  const type: ChainType = table === 'nat' ? 'nat' : table === 'mangle' && hook === 'output' ? 'route' : 'filter'
  return { hook, type, priority, policy: draft.policy, ...(draft.counters ? { counters: draft.counters } : {}) }
}

function finishChain(
  text: string,
  table: string,
  draft: ChainDraft,
  all: ReadonlyMap<string, ChainDraft>,
  options: IptablesOptions,
  issues: Issue[],
): Chain {
  const base = baseOf(table, draft, options.backend)
  let parsed: readonly Rule[] | null = null
  const read = () => {
    const place = { table, chain: draft.name, options, issues, hasChain: (name: string) => all.has(name) }
    const rules: Rule[] = []
    for (const at of draft.rules)
      for (const rule of parseRuleLine(text.slice(at.start, at.end), at.options - at.start, at.line, place))
        rules.push(rule)
    return rules
  }
  return {
    name: draft.name,
    line: draft.line,
    ...(base ? { base } : {}),
    rules() {
      parsed ??= read()
      return parsed
    },
  }
}

/** Parses the text of `iptables-save`, `ip6tables-save` (with or without `-c`), or input for iptables-restore. Never throws. */
export function parseIptablesSave(text: string, options: IptablesOptions): Ruleset {
  const issues: Issue[] = []
  const tables: Table[] = []
  const seen = new Map<string, Map<string, ChainDraft>>()
  let table = ''
  let drafts: Map<string, ChainDraft> | null = null
  const complain = (line: number, message: string) => {
    if (issues.length < 200) issues.push({ artefact: options.artefact, line, message })
  }
  const chain = (name: string, line: number): ChainDraft => {
    let d = drafts!.get(name)
    if (!d) {
      d = { name, line, policy: 'accept', rules: [] }
      drafts!.set(name, d)
    }
    return d
  }

  /** A command line: `-A CHAIN …`, `-I CHAIN [n] …`, `-N`, `-P`, `-F`, `-X`. */
  const command = (lineStart: number, from: number, end: number, line: number) => {
    const nameFrom = from + 3
    let nameEnd = text.indexOf(' ', nameFrom)
    if (nameEnd < 0 || nameEnd > end) nameEnd = end
    const name = text.slice(nameFrom, nameEnd)
    switch (text.charCodeAt(from + 1)) {
      case 65: // A
        chain(name, line).rules.push({ start: lineStart, options: nameEnd, end, line })
        return
      case 73: {
        // I, with an optional 1-based position
        const position = /^ +(\d+)(?= |$)/.exec(text.slice(nameEnd, end))
        const at = { start: lineStart, options: nameEnd + (position?.[0].length ?? 0), end, line }
        chain(name, line).rules.splice(position ? Number(position[1]) - 1 : 0, 0, at)
        return
      }
      case 78: // N
        chain(name, line)
        return
      case 80: // P
        chain(name, line).policy = text.slice(nameEnd, end).trim() === 'DROP' ? 'drop' : 'accept'
        return
      case 70: // F
        if (name) chain(name, line).rules = []
        return
      case 88: // X
        drafts!.delete(name)
        return
      default:
        complain(line, `command not understood: ${text.slice(from, Math.min(end, from + 80))}`)
    }
  }

  let line = 0
  for (let start = 0; start < text.length; ) {
    let next = text.indexOf('\n', start)
    if (next < 0) next = text.length
    let end = next
    if (end > start && text.charCodeAt(end - 1) === 13) end--
    line++
    let from = start
    while (from < end && (text.charCodeAt(from) === 32 || text.charCodeAt(from) === 9)) from++
    const c = from < end ? text.charCodeAt(from) : 35
    if (c === 45) {
      if (drafts) command(start, from, end, line)
      else complain(line, 'rule before any *table line')
    } else if (c === 91) {
      const close = text.indexOf('] -', from)
      if (close > 0 && close < end && drafts) command(start, close + 2, end, line)
      else complain(line, `not understood: ${text.slice(from, Math.min(end, from + 80))}`)
    } else if (c === 58) {
      const m = /^:(\S+)\s+(\S+)(?:\s+\[(\d+):(\d+)\])?/.exec(text.slice(from, end))
      if (m && drafts) {
        const d = chain(m[1]!, line)
        d.line = line
        d.policy = m[2] === 'DROP' ? 'drop' : 'accept'
        if (m[3]) d.counters = { packets: Number(m[3]), bytes: Number(m[4]) }
      } else complain(line, `chain line not understood: ${text.slice(from, Math.min(end, from + 80))}`)
    } else if (c === 42) {
      table = text.slice(from + 1, end).trim()
      if (!BUILT_IN[table]) complain(line, `unknown table ${table.slice(0, 40)}`)
      drafts = seen.get(table) ?? new Map()
      seen.set(table, drafts)
    } else if (c === 35) {
      const comment = text.slice(from, end)
      if (comment.includes('incompatible') || comment.includes('legacy tables present'))
        complain(line, comment.slice(2))
    } else if (text.startsWith('COMMIT', from)) drafts = null
    else complain(line, `not understood: ${text.slice(from, Math.min(end, from + 80))}`)
    start = next + 1
  }

  if (drafts) complain(line, `table ${table.slice(0, 40)} has no COMMIT: the text is cut short`)
  for (const [name, all] of seen) {
    const chains = new Map<string, Chain>()
    const bases: string[] = []
    for (const d of all.values()) {
      const chain = finishChain(text, name, d, all, options, issues)
      chains.set(d.name, chain)
      if (chain.base) bases.push(chain.name)
    }
    tables.push({ family: options.family, name, chains, bases, sets: new Map() })
  }
  return { backend: options.backend, artefact: options.artefact, tables, issues }
}
