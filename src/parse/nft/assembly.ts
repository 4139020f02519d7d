/** Tables under construction, and how both dialects turn them into the model with rules and elements read on demand. */
import type { Issue } from '../../model/evidence.ts'
import type {
  BaseChain,
  Chain,
  NamedSet,
  Rule,
  RulePart,
  Ruleset,
  SetElement,
  Table,
  TableFamily,
} from '../../model/ruleset.ts'
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

export class Tables {
  readonly issues: Issue[] = []
  readonly #artefact: string
  readonly #tables = new Map<string, TableBuild>()

  constructor(artefact: string) {
    this.#artefact = artefact
  }

  issue(line: number, message: string): void {
    if (this.issues.length < MAX_ISSUES) this.issues.push({ artefact: this.#artefact, line, message })
  }

  /** The table, made when it is new. */
  table(family: TableFamily, name: string): TableBuild {
    const key = `${family} ${name}`
    let table = this.#tables.get(key)
    if (!table) {
      table = { family, name, dormant: false, chains: new Map(), sets: new Map() }
      this.#tables.set(key, table)
    }
    return table
  }

  remove(family: TableFamily, name: string): void {
    this.#tables.delete(`${family} ${name}`)
  }

  clear(): void {
    this.#tables.clear()
  }

  finish(): Ruleset {
    const tables = [...this.#tables.values()].map((t) => this.#finishTable(t))
    return { backend: 'nft', artefact: this.#artefact, tables, issues: this.issues }
  }

  #finishTable(t: TableBuild): Table {
    const types = new Map([...t.sets.values()].map((s) => [s.name, s.types]))
    return {
      family: t.family,
      name: t.name,
      chains: new Map([...t.chains.values()].map((c) => [c.name, this.#finishChain(t, c, types)])),
      sets: new Map([...t.sets.values()].map((s) => [s.name, this.#finishSet(s)])),
      ...(t.dormant ? { dormant: true } : {}),
    }
  }

  #finishChain(t: TableBuild, c: ChainBuild, types: ReadonlyMap<string, SetTypes>): Chain {
    const rules = once(() =>
      c.rules
        .flatMap((read) => read())
        .map((r): Rule => {
          const { statements, ...rest } = r
          const lowered = lowerRule(statements, t.family, types, r.line)
          for (const p of lowered.parts) this.#tellOpaque(p, r.line)
          return { ...rest, ...lowered }
        }),
    )
    return { name: c.name, ...(c.base ? { base: c.base } : {}), line: c.line, rules }
  }

  #finishSet(s: SetBuild): NamedSet {
    const { keyTypes, dataTypes, kind } = s.types
    const elements = once(() =>
      s.elements
        .flatMap((read) => read())
        .map((e): SetElement => {
          const element = 'unread' in e ? unreadElement(e) : lowerElement(e, keyTypes, dataTypes)
          if (element.opaque !== undefined)
            this.issue(e.line, `element of ${s.name} not understood: ${cut(element.opaque)}`)
          return element
        }),
    )
    return { name: s.name, kind, keyTypes, dynamic: s.dynamic, line: s.line, elements }
  }

  #tellOpaque(part: RulePart, line: number): void {
    if (part.kind === 'opaque') this.issue(line, `not understood: ${cut(part.text)}`)
  }
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
