/** `nft -j list ruleset`: the JSON dialect. */
import type { BaseChain, ChainType, Hook, Ruleset, TableFamily } from '../../model/ruleset.ts'
import {
  addIssue,
  type ChainBuild,
  cut,
  declareChain,
  declareSet,
  declareTable,
  type ElementSource,
  finishRuleset,
  noTables,
  type RuleSource,
  type TableBuild,
  type Tables,
} from './assembly.ts'
import { typesOf } from './field-types.ts'
import { jsonElement, jsonExpression } from './json-expression.ts'
import { itemLines } from './json-lines.ts'
import { jsonStatement } from './json-statement.ts'
import { type JsonObject, number, object, property, string, strings, wrapped } from './json-value.ts'
import { renderStatement } from './render.ts'

const FAMILIES: readonly string[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']
const HOOKS: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress', 'egress']
const TYPES: readonly string[] = ['filter', 'nat', 'route']

/** Kinds of objects that rules refer to and that have no bearing on where a packet goes by themselves. */
const OBJECTS: readonly string[] = [
  'metainfo',
  'counter',
  'quota',
  'limit',
  'flowtable',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'synproxy',
]

/**
 * Reads the output of `nft -j list ruleset` (man libnftables-json). A rule's line is that of its object when the file is
 * pretty printed, else 1; its text is the rule in nft's language. What is not understood stays as opaque parts, with an
 * issue; nothing throws.
 */
export function parseNftJson(text: string, artefact: string): Ruleset {
  const tables = noTables(artefact)
  let items: unknown
  try {
    items = property(object(JSON.parse(text)), 'nftables')
  } catch (error) {
    addIssue(tables, 1, `not JSON: ${cut(error instanceof Error ? error.message : String(error))}`)
    return finishRuleset(tables)
  }
  if (!Array.isArray(items)) {
    addIssue(tables, 1, 'no "nftables" list')
    return finishRuleset(tables)
  }
  const lines = itemLines(text)
  items.forEach((item, i) => {
    const line = lines?.[i] ?? 1
    const pair = wrapped(item)
    const added = pair && (pair[0] === 'add' || pair[0] === 'create') ? wrapped(pair[1]) : pair
    if (!added || !readItem(tables, added[0], object(added[1]), line))
      addIssue(tables, line, `not understood: ${cut(JSON.stringify(item))}`)
  })
  return finishRuleset(tables)
}

function readItem(tables: Tables, what: string, o: JsonObject | null, line: number): boolean {
  if (!o) return false
  if (OBJECTS.includes(what)) return true
  const family = string(o, 'family')
  if (family === null || !FAMILIES.includes(family)) return false
  const tableName = string(o, what === 'table' ? 'name' : 'table')
  if (tableName === null) return false
  const table = declareTable(tables, family as TableFamily, tableName)
  switch (what) {
    case 'table': {
      const flags = strings(property(o, 'flags'))
      if (flags.includes('dormant')) table.dormant = true
      // nft 1.0.6 prints the table's name in place of its flags.
      else if (flags.some((f) => f !== 'owner' && f !== 'persist'))
        addIssue(tables, line, `flags of table ${cut(tableName)} not understood: it may be dormant`)
      return true
    }
    case 'chain':
      return readChain(tables, table, o, line)
    case 'rule': {
      const chain = string(o, 'chain')
      const expr = property(o, 'expr')
      if (chain === null || !Array.isArray(expr)) return false
      declareChain(table, chain, line).rules.push(() => [readRule(o, expr, line)])
      return true
    }
    case 'set':
    case 'map':
      return readSet(tables, table, what, o, line)
    case 'element': {
      const name = string(o, 'name')
      if (name === null) return false
      declareSet(table, name, line).elements.push(() => readElements(property(o, 'elem'), line))
      return true
    }
    default:
      return false
  }
}

function readChain(tables: Tables, table: TableBuild, o: JsonObject, line: number): boolean {
  const name = string(o, 'name')
  if (name === null) return false
  const chain: ChainBuild = declareChain(table, name, line)
  const hook = string(o, 'hook')
  if (hook === null) return true
  const type = string(o, 'type') ?? ''
  const priority = property(o, 'prio')
  if (!HOOKS.includes(hook) || !TYPES.includes(type) || typeof priority !== 'number') return false
  const devices = strings(property(o, 'dev'))
  // nft 1.0.6 leaves out the devices of a chain that lists several.
  if (devices.length === 0 && (hook === 'ingress' || hook === 'egress'))
    addIssue(tables, line, `devices of chain ${cut(name)} are not listed`)
  const base: BaseChain = {
    hook: hook as Hook,
    type: type as ChainType,
    priority,
    policy: string(o, 'policy') === 'drop' ? 'drop' : 'accept',
    ...(devices.length > 0 ? { devices } : {}),
  }
  chain.base = base
  return true
}

function readRule(o: JsonObject, expr: readonly unknown[], line: number): RuleSource {
  const statements = expr.flatMap(jsonStatement)
  const comment = string(o, 'comment')
  const handle = number(o, 'handle')
  const text = statements.map(renderStatement).join(' ')
  return {
    line,
    text: comment === null ? text : `${text} comment ${JSON.stringify(comment)}`,
    ...(handle === null ? {} : { handle }),
    statements: comment === null ? statements : [...statements, { kind: 'comment', text: comment }],
  }
}

/** `"ipv4_addr"`, a list of such, `"ipv4_addr . inet_service"`, or `{ "typeof": EXPR }`. */
function typeNames(x: unknown): readonly string[] {
  const o = object(x)
  if (o) {
    const ast = jsonExpression(property(o, 'typeof'))
    return ast ? typesOf(ast) : []
  }
  return strings(x).flatMap((t) => t.split(' . '))
}

function readSet(tables: Tables, table: TableBuild, what: 'set' | 'map', o: JsonObject, line: number): boolean {
  const name = string(o, 'name')
  if (name === null) return false
  const set = declareSet(table, name, line)
  const keyTypes = typeNames(property(o, 'type'))
  const data = property(o, 'map')
  set.types =
    what === 'set'
      ? { kind: 'set', keyTypes, dataTypes: [] }
      : data === 'verdict'
        ? { kind: 'vmap', keyTypes, dataTypes: [] }
        : { kind: 'map', keyTypes, dataTypes: typeNames(data) }
  set.dynamic = strings(property(o, 'flags')).some((f) => f === 'dynamic' || f === 'timeout')
  if (keyTypes.length === 0) addIssue(tables, line, `type of ${cut(name)} not understood`)
  const elements = property(o, 'elem')
  if (elements !== undefined) set.elements.push(() => readElements(elements, line))
  return true
}

function readElements(x: unknown, line: number): ElementSource[] {
  const list = Array.isArray(x) ? x : [x]
  return list.map((e) => jsonElement(e, line) ?? { line, unread: cut(JSON.stringify(e) ?? '') })
}
