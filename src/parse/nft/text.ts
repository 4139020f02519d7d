/** `nft list ruleset` and `nft -f` files: the text dialect. */
import type { Ruleset, TableFamily } from '../../model/ruleset.ts'
import {
  addIssue,
  cut,
  declareChain,
  declareSet,
  declareTable,
  finishRuleset,
  noTables,
  type TableBuild,
} from './assembly.ts'
import { type RawStatement, splitStatements } from './blocks.ts'
import { readChainHeader, readRules } from './chain-text.ts'
import { readDefinitions } from './definitions.ts'
import { readElements, readSetHeader } from './set-text.ts'
import type { NftSource } from './source.ts'

const FAMILIES: readonly string[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']

/**
 * Reads the output of `nft list ruleset` (also `-a`, `-n`, `-s`), or a file in nft's block syntax or of `add …` commands
 * (man nft; grammar in nftables' src/parser_bison.y). Rules and set elements are read on first use. What is not
 * understood stays as opaque parts, with an issue; nothing throws.
 */
export function parseNftText(text: string, artefact: string): Ruleset {
  const tables = noTables(artefact)
  const statements = splitStatements(text, (line, what) => addIssue(tables, line, what))
  const source: NftSource = { text, tables, variables: readDefinitions(text, statements) }
  for (const s of statements) topLevel(source, s)
  return finishRuleset(tables)
}

/** The words before a statement's block, or all of it. */
function head(text: string, statement: RawStatement): string[] {
  const end = statement.body ? statement.body.from - 1 : statement.to
  let from = text.slice(statement.from, Math.min(end, statement.from + 2000))
  if (from.includes('#')) from = from.replace(/#.*/g, '')
  const words = from.trim().split(/\s+/)
  return from.includes('"') ? words.map((w) => w.replace(/^"(.+)"$/, '$1')) : words
}

/** `[family] NAME …` from `words[at]` on: the family is ip when left out. */
function familyAt(words: readonly string[], at: number): { family: TableFamily; next: number } {
  const w = words[at]
  return w !== undefined && FAMILIES.includes(w) && words[at + 1] !== undefined
    ? { family: w as TableFamily, next: at + 1 }
    : { family: 'ip', next: at }
}

function topLevel(source: NftSource, statement: RawStatement): void {
  const { text, tables } = source
  const words = head(text, statement)
  const known = ['table', 'add', 'create', 'insert', 'delete', 'destroy', 'flush', 'define', 'redefine']
  const verb = words[0]!
  if (!known.includes(verb)) {
    addIssue(tables, statement.line, `not understood: ${cut(text.slice(statement.from, statement.to))}`)
    return
  }
  if (verb === 'define' || verb === 'redefine') return
  if (verb === 'flush' && words[1] === 'ruleset') {
    tables.byName.clear()
    return
  }
  const at = verb === 'table' ? 0 : 1
  const what = words[at]
  const { family, next } = familyAt(words, at + 1)
  const name = words[next]
  if (name === undefined) {
    addIssue(tables, statement.line, `not understood: ${cut(text.slice(statement.from, statement.to))}`)
    return
  }
  if (what === 'table') {
    if (verb === 'delete' || verb === 'destroy') tables.byName.delete(`${family} ${name}`)
    else if (verb === 'flush') for (const c of declareTable(tables, family, name).chains.values()) c.rules.length = 0
    else {
      const table = declareTable(tables, family, name)
      for (const s of statement.inner ?? []) readTableStatement(source, table, s)
    }
    return
  }
  const table = declareTable(tables, family, name)
  const item = words[next + 1]
  if (what === 'rule' && item !== undefined) {
    addRule(source, table, item, verb, statement)
    return
  }
  if (verb === 'add' || verb === 'create') {
    if (what === 'element' && item !== undefined && statement.body) {
      const body = statement.body
      declareSet(table, item, statement.line).elements.push(() => readElements(source, body))
      return
    }
    if (item !== undefined && tableItem(source, table, [what!, item], statement)) return
  }
  if (verb === 'flush' && what === 'chain' && item !== undefined) {
    const chain = table.chains.get(item)
    if (chain) chain.rules.length = 0
    return
  }
  addIssue(tables, statement.line, `not understood: ${cut(text.slice(statement.from, statement.to))}`)
}

function readTableStatement(source: NftSource, table: TableBuild, s: RawStatement): void {
  const words = head(source.text, s)
  if (words[0] === 'flags') {
    if (words.some((w) => w.split(',').includes('dormant'))) table.dormant = true
  } else if (words[0] !== 'comment' && !tableItem(source, table, words, s))
    addIssue(source.tables, s.line, `not understood: ${cut(source.text.slice(s.from, s.to))}`)
}

/** Objects that rules refer to by name and that have no bearing on where a packet goes by themselves. */
const OBJECTS = ['counter', 'quota', 'limit', 'ct', 'flowtable', 'secmark', 'synproxy', 'meter']

function tableItem(source: NftSource, table: TableBuild, words: readonly string[], s: RawStatement): boolean {
  const [what, name] = words
  if (what === undefined || name === undefined) return false
  if (what === 'chain') {
    const chain = declareChain(table, name, s.line)
    const body = s.body
    if (body) {
      const base = readChainHeader(source, table.family, body)
      if (base) chain.base = base
      chain.rules.push(() => readRules(source, body))
    }
    return true
  }
  if (what === 'set' || what === 'map') {
    const set = declareSet(table, name, s.line)
    if (s.body) readSetHeader(source, set, what, s.body)
    return true
  }
  return OBJECTS.includes(what)
}

/** `add rule [family] TABLE CHAIN [handle|position|index N] STATEMENTS`. */
function addRule(source: NftSource, table: TableBuild, name: string, verb: string, s: RawStatement): void {
  const { text, tables } = source
  const chain = declareChain(table, name, s.line)
  const [rule] = readRules(source, { from: s.from, to: s.to, line: s.line }, (tokens) => {
    const isFamily = FAMILIES.includes(tokens[2]?.text ?? '') && tokens[4] !== undefined
    return tokens.slice(isFamily ? 5 : 4)
  })
  if (!rule || (verb !== 'add' && verb !== 'insert') || /^(?:handle|position|index)\b/.test(rule.text)) {
    addIssue(tables, s.line, `not understood: ${cut(text.slice(s.from, s.to))}`)
    return
  }
  const read = () => [rule]
  if (verb === 'add') chain.rules.push(read)
  else chain.rules.unshift(read)
}
