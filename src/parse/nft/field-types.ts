/** Datatypes of expressions, as nft derives them. */
import { FIELDS } from './fields.ts'
import type { Ast } from './syntax.ts'

/** What a `fib` lookup can be asked for, and the type of the answer. */
export const FIB_RESULTS: Readonly<Record<string, string>> = {
  type: 'fib_addrtype',
  oif: 'iface_index',
  oifname: 'ifname',
  present: 'boolean',
}

/** Datatypes of an expression's components (for `typeof` declarations and for the sets it is looked up in). */
export function typesOf(ast: Ast): readonly string[] {
  switch (ast.kind) {
    case 'field':
      return [FIELDS.get(ast.key)?.type ?? 'integer']
    case 'concat':
      return ast.parts.flatMap(typesOf)
    case 'binary': {
      const left = typesOf(ast.left)
      return left[0] === 'constant' ? typesOf(ast.right) : left
    }
    case 'fib':
      return [FIB_RESULTS[ast.result] ?? 'integer']
    case 'word':
    case 'number':
      return ['constant']
    default:
      return ['integer']
  }
}
