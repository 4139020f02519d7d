/** Expressions into the model's, with the checks nft implies before it reads a header. */
import type { Expr, Interval, NamedSet, SetElement, SetRef } from '../../model/ruleset.ts'
import { type RuleContext, requireField, requireTransport } from './context.ts'
import { FIB_RESULTS, typesOf } from './field-types.ts'
import { FIELDS } from './fields.ts'
import { renderExpression } from './render.ts'
import type { Ast, ElementAst } from './syntax.ts'
import { constant } from './values.ts'

export interface Lowered {
  readonly expr: Expr
  /** nft datatype of each component. */
  readonly types: readonly string[]
}

/** The model's expression, or null when a part of it is not understood. `type` is what a constant is taken for. */
export function lowerExpression(ctx: RuleContext, ast: Ast, type?: string): Lowered | null {
  switch (ast.kind) {
    case 'field': {
      const field = FIELDS.get(ast.key)
      if (!field) return null
      requireField(ctx, field)
      return { expr: { kind: 'field', field: field.field }, types: [field.type] }
    }
    case 'word':
    case 'number':
    case 'list': {
      const value = type === undefined ? null : constant(ast, type)
      return value && value.from === value.to ? { expr: { kind: 'literal', value: value.from }, types: [type!] } : null
    }
    case 'binary': {
      const of = typesOf(ast)[0]!
      const t = of === 'constant' ? type : of
      const left = lowerExpression(ctx, ast.left, t)
      const shift = ast.op === 'shl' || ast.op === 'shr'
      const right = left && lowerExpression(ctx, ast.right, shift ? 'integer' : t)
      return right && { expr: { kind: 'bitwise', op: ast.op, left: left!.expr, right: right.expr }, types: left!.types }
    }
    case 'concat': {
      const parts: Lowered[] = []
      for (const p of ast.parts) {
        const part = lowerExpression(ctx, p)
        if (!part) return null
        parts.push(part)
      }
      return { expr: { kind: 'concat', parts: parts.map((p) => p.expr) }, types: parts.flatMap((p) => p.types) }
    }
    case 'map': {
      const dataTypes = mapDataTypes(ctx, ast.set, type)
      const key = lowerExpression(ctx, ast.key)
      const map = key && dataTypes && lowerSet(ctx, ast.set, 'map', key.types, dataTypes)
      return map ? { expr: { kind: 'map', key: key.expr, map }, types: dataTypes! } : null
    }
    case 'numgen':
      return {
        expr: { kind: 'numgen', mode: ast.mode, modulus: ast.modulus, offset: ast.offset },
        types: ['integer'],
      }
    case 'hash': {
      const { modulus, seed, offset } = ast
      if (ast.of === 'symmetric')
        return { expr: { kind: 'hash', of: 'symmetric', modulus, seed, offset }, types: ['integer'] }
      const of = lowerExpression(ctx, ast.of)
      return of && { expr: { kind: 'hash', of: of.expr, modulus, seed, offset }, types: ['integer'] }
    }
    case 'fib':
      return lowerFib(ast.keys, ast.result)
    case 'unknown':
      if (ast.protocol !== undefined) requireTransport(ctx, ast.protocol)
      return null
    default:
      return null
  }
}

type FibKey = 'saddr' | 'daddr' | 'mark' | 'iif' | 'oif'
type FibResult = 'type' | 'oif' | 'oifname' | 'present'

function lowerFib(keys: readonly string[], result: string): Lowered | null {
  const known = keys.every((k) => ['saddr', 'daddr', 'mark', 'iif', 'oif'].includes(k))
  const type = Object.hasOwn(FIB_RESULTS, result) ? FIB_RESULTS[result] : undefined
  if (!known || type === undefined) return null
  return { expr: { kind: 'fib', keys: keys as FibKey[], result: result as FibResult }, types: [type] }
}

/** What a map's values are: declared with a named map, else `type`, joined by a port when they are pairs. */
export function mapDataTypes(ctx: RuleContext, set: Ast, type: string | undefined): readonly string[] | null {
  if (set.kind === 'setName') {
    const declared = ctx.sets.get(set.name)
    return declared?.kind === 'map' ? declared.dataTypes : null
  }
  if (set.kind !== 'set' || type === undefined) return null
  return set.elements[0]?.data?.kind === 'concat' ? [type, 'inet_service'] : [type]
}

/** A set in place or by name; null when an element of it is not understood, or the table has no such set. */
export function lowerSet(
  ctx: RuleContext,
  ast: Ast,
  kind: NamedSet['kind'],
  keyTypes: readonly string[],
  dataTypes: readonly string[],
): SetRef | null {
  if (ast.kind === 'setName') return { kind: 'named', name: ast.name }
  if (ast.kind !== 'set') return null
  const elements: SetElement[] = []
  for (const e of ast.elements) {
    const element = lowerElement(e, keyTypes, dataTypes)
    if (element.opaque !== undefined) return null
    elements.push(element)
  }
  const set: NamedSet = { name: '', kind, keyTypes, dynamic: false, line: ctx.line, elements: () => elements }
  return { kind: 'anonymous', set }
}

/** An element with its constants resolved; one that is not understood keeps its words and is marked opaque. */
export function lowerElement(e: ElementAst, keyTypes: readonly string[], dataTypes: readonly string[]): SetElement {
  const key = e.key ? intervals(e.key, keyTypes) : []
  const data = e.data ? intervals(e.data, dataTypes) : undefined
  const opaque = key === null || data === null
  return {
    key: key ?? words(e.key!),
    ...(data ? { data } : {}),
    ...(e.verdict ? { verdict: e.verdict } : {}),
    ...(e.comment === undefined ? {} : { comment: e.comment }),
    ...(opaque ? { opaque: renderExpression({ kind: 'set', elements: [e] }) } : {}),
    line: e.line,
  }
}

function intervals(ast: Ast, types: readonly string[]): Interval[] | null {
  const parts = ast.kind === 'concat' ? ast.parts : [ast]
  if (parts.length !== types.length) return null
  const out: Interval[] = []
  for (let i = 0; i < parts.length; i++) {
    const value = constant(parts[i]!, types[i]!)
    if (!value) return null
    out.push(value)
  }
  return out
}

function words(ast: Ast): Interval[] {
  return (ast.kind === 'concat' ? ast.parts : [ast]).map((p) => {
    const text = renderExpression(p)
    return { from: text, to: text }
  })
}
