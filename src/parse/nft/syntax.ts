/**
 * The shape of nft rules between reading and understanding: both spellings of a ruleset (text and JSON) are read into
 * this, and one translation (`lower-*.ts`) turns it into the neutral model. Constants stay unresolved here, because what
 * `ip`, `0x10` or `cs1` mean depends on the type of the expression they are compared with.
 */
import type { Counters, Verdict } from '../../model/ruleset.ts'

export type BinaryOp = 'and' | 'or' | 'xor' | 'shl' | 'shr'

export type Ast =
  /** A bare word: an address, a number, a symbolic constant. */
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'range'; readonly from: Ast; readonly to: Ast }
  | { readonly kind: 'prefix'; readonly addr: Ast; readonly length: number }
  /** Flags by comma (`syn,ack`): any of them. */
  | { readonly kind: 'list'; readonly items: readonly Ast[] }
  | { readonly kind: 'set'; readonly elements: readonly ElementAst[] }
  | { readonly kind: 'setName'; readonly name: string }
  | { readonly kind: 'concat'; readonly parts: readonly Ast[] }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: Ast; readonly right: Ast }
  /** What is read from the packet or its surroundings, by its key in `fields.ts` (`ip.saddr`, `ct.original.ip saddr`). */
  | { readonly kind: 'field'; readonly key: string }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly modulus: number; readonly offset: number }
  | {
      readonly kind: 'hash'
      readonly of: Ast | 'symmetric'
      readonly modulus: number
      readonly seed: number | null
      readonly offset: number
    }
  | { readonly kind: 'fib'; readonly keys: readonly string[]; readonly result: string }
  | { readonly kind: 'map'; readonly key: Ast; readonly set: Ast }
  /** An expression outside the model; `protocol` is the transport protocol whose header it reads. */
  | { readonly kind: 'unknown'; readonly text: string; readonly protocol?: number }

export interface ElementAst {
  /** Null: the catch-all element. */
  readonly key: Ast | null
  readonly data?: Ast
  readonly verdict?: Verdict
  readonly comment?: string
  readonly line: number
}

/** `implicit` is the relation of `LEFT RIGHT` without an operator; `!` means "none of these flags". */
export type Relation = 'implicit' | '==' | '!=' | '<' | '>' | '<=' | '>=' | '!'

export type StatementAst =
  | { readonly kind: 'match'; readonly op: Relation; readonly left: Ast; readonly right: Ast }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'vmap'; readonly key: Ast; readonly set: Ast }
  | { readonly kind: 'mangle'; readonly key: Ast; readonly value: Ast }
  | {
      readonly kind: 'nat'
      readonly type: 'snat' | 'dnat' | 'masquerade' | 'redirect'
      readonly family: 'ip' | 'ip6' | null
      readonly addr: Ast | null
      readonly port: Ast | null
      /** `dnat prefix to`: only the network part is replaced. */
      readonly prefix: boolean
      readonly flags: readonly string[]
    }
  /** `type` null: the family's default. */
  | { readonly kind: 'reject'; readonly type: string | null; readonly code: string | null }
  | { readonly kind: 'tproxy'; readonly addr: Ast | null; readonly port: Ast | null }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'counter'; readonly counters: Counters }
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'rate'; readonly text: string }
  | {
      readonly kind: 'setUpdate'
      readonly op: 'add' | 'update' | 'delete'
      readonly set: string
      readonly text: string
    }
  | { readonly kind: 'note'; readonly what: string }
  | { readonly kind: 'opaque'; readonly what: 'match' | 'statement'; readonly text: string }

/** What a table's sets, maps and verdict maps hold, by name: needed to read data of a map that is used by name. */
export interface SetTypes {
  readonly kind: 'set' | 'map' | 'vmap'
  readonly keyTypes: readonly string[]
  readonly dataTypes: readonly string[]
}
