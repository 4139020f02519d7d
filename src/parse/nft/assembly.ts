/** Tables under construction, and how both dialects turn them into the model with rules and elements read on demand. */
import type { Issue } from '../../model/evidence.ts'
import type { BaseChain, Chain, NamedSet, Rule, Ruleset, SetElement, Table, TableFamily } from '../../model/ruleset.ts'
import { distrustTranslation, isIptablesTable } from './iptables-table.ts'
import { lowerElement } from './lower-expression.ts'
import { lowerRule } from './lower-rule.ts'
import type { ElementAst, SetTypes, StatementAst } from './syntax.ts'

/** A rule as read, before its meaning is known. */
export interface RuleSource {
  readonly line: number
  readonly text: string
  readonly handle?: number
  readonly statements: readonly StatementAst[]
}

/** An element as read; text instead when it could not be. */
export type ElementSource = ElementAst | { readonly line: number; readonly unread: string }

export interface ChainBuild {
  readonly name: string
  line: number
  base?: BaseChain
  /** Where its rules are, in order. */
  readonly rules: (() => readonly RuleSource[])[]
}

export interface SetBuild {
  readonly name: string
  line: number
  types: SetTypes
  dynamic: boolean
  readonly elements: (() => readonly ElementSource[])[]
}

export interface TableBuild {
  readonly family: TableFamily
  readonly name: string
  dormant: boolean
  readonly chains: Map<string, ChainBuild>
  readonly sets: Map<string, SetBuild>
}

/** How many troubles of one ruleset are told; a hostile file may hold millions. */
const MAX_ISSUES = 1000

/** Everything read so far of one ruleset. */
export interface Tables {
  readonly artefact: string
  readonly issues: Issue[]
  /** By family and name. */
  readonly byName: Map<string, TableBuild>
}

export function noTables(artefact: string): Tables {
  return { artefact, issues: [], byName: new Map() }
}

export function addIssue(tables: Tables, line: number, message: string): void {
  if (tables.issues.length < MAX_ISSUES) tables.issues.push({ artefact: tables.artefact, line, message })
}

/** The table, made when it is new. */
export function declareTable(tables: Tables, family: TableFamily, name: string): TableBuild {
  const key = `${family} ${name}`
  let table = tables.byName.get(key)
  if (!table) {
    table = { family, name, dormant: false, chains: new Map(), sets: new Map() }
    tables.byName.set(key, table)
  }
  return table
}

/** The model of what was read; its rules and elements are understood when they are first asked for. */
export function finishRuleset(tables: Tables): Ruleset {
  const { artefact, issues } = tables
  return { backend: 'nft', artefact, tables: [...tables.byName.values()].map((t) => finishTable(tables, t)), issues }
}

function finishTable(tables: Tables, t: TableBuild): Table {
  const types = new Map([...t.sets.values()].map((s) => [s.name, s.types]))
  return {
    family: t.family,
    name: t.name,
    chains: new Map([...t.chains.values()].map((c) => [c.name, finishChain(tables, t, c, types)])),
    sets: new Map([...t.sets.values()].map((s) => [s.name, finishSet(tables, s)])),
    ...(t.dormant ? { dormant: true } : {}),
  }
}

function finishChain(tables: Tables, t: TableBuild, c: ChainBuild, types: ReadonlyMap<string, SetTypes>): Chain {
  const rules = once(() => {
    const translated = isIptablesTable(t)
    return c.rules
      .flatMap((read) => read())
      .map((r): Rule => {
        const { statements, ...rest } = r
        const read = lowerRule(statements, t.family, types, r.line)
        const lowered = translated && read.counters ? { ...read, parts: distrustTranslation(read.parts) } : read
        for (const p of lowered.parts)
          if (p.kind === 'opaque') addIssue(tables, r.line, `not understood: ${cut(p.text)}`)
        return { ...rest, ...lowered }
      })
  })
  return { name: c.name, ...(c.base ? { base: c.base } : {}), line: c.line, rules }
}

function finishSet(tables: Tables, s: SetBuild): NamedSet {
  const { keyTypes, dataTypes, kind } = s.types
  const elements = once(() =>
    s.elements
      .flatMap((read) => read())
      .map((e): SetElement => {
        const element = 'unread' in e ? unreadElement(e) : lowerElement(e, keyTypes, dataTypes)
        if (element.opaque !== undefined)
          addIssue(tables, e.line, `element of ${cut(s.name)} not understood: ${cut(element.opaque)}`)
        return element
      }),
  )
  return { name: s.name, kind, keyTypes, dynamic: s.dynamic, line: s.line, elements }
}

function unreadElement(e: { line: number; unread: string }): SetElement {
  return { key: [{ from: e.unread, to: e.unread }], opaque: e.unread, line: e.line }
}

export function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function once<T>(read: () => readonly T[]): () => readonly T[] {
  let value: readonly T[] | undefined
  return () => {
    value ??= read()
    return value
  }
}

/** The chain, made when it is new. */
export function declareChain(table: TableBuild, name: string, line: number): ChainBuild {
  let chain = table.chains.get(name)
  if (!chain) {
    chain = { name, line, rules: [] }
    table.chains.set(name, chain)
  }
  return chain
}

/** The set or map, made when it is new. */
export function declareSet(table: TableBuild, name: string, line: number): SetBuild {
  let set = table.sets.get(name)
  if (!set) {
    set = { name, line, types: { kind: 'set', keyTypes: [], dataTypes: [] }, dynamic: false, elements: [] }
    table.sets.set(name, set)
  }
  return set
}
