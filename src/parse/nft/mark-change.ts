/** `meta mark set …` and `ct mark set …` as one mask and one value, where they can be. */
import type { Statement } from '../../model/ruleset.ts'
import type { Ast } from './syntax.ts'
import { constant } from './values.ts'

/** `(source & and) ^ xor`; a constant has no source and its value in `xor`. */
interface Affine {
  readonly source: string | null
  readonly and: number
  readonly xor: number
}

/** setMark or copyMark; null when the new mark mixes more than one mark and constants bit by bit. */
export function markChange(target: 'meta.mark' | 'ct.mark', value: Ast): Statement | null {
  const a = affine(value)
  if (!a) return null
  const to = target === 'meta.mark' ? 'packet' : 'connection'
  if (a.source === null || a.source === target)
    return { kind: 'setMark', of: to, value: a.xor, mask: a.source === null ? 0xffffffff : ~a.and >>> 0 }
  return a.xor === 0 ? { kind: 'copyMark', to, fromMask: a.and, toMask: 0xffffffff } : null
}

function affine(ast: Ast): Affine | null {
  if (ast.kind === 'field')
    return ast.key === 'meta.mark' || ast.key === 'ct.mark' ? { source: ast.key, and: 0xffffffff, xor: 0 } : null
  if (ast.kind !== 'binary') {
    const v = constant(ast, 'mark')
    return v && v.from === v.to && typeof v.from === 'number' && v.from <= 0xffffffff
      ? { source: null, and: 0, xor: v.from }
      : null
  }
  const left = affine(ast.left)
  const right = left && affine(ast.right)
  if (!left || !right || (left.source !== null && right.source !== null)) return null
  const [x, c] = left.source === null ? [right, left.xor] : [left, right.xor]
  const source = x.source
  switch (ast.op) {
    case 'and':
      return { source, and: (x.and & c) >>> 0, xor: (x.xor & c) >>> 0 }
    case 'or':
      return { source, and: (x.and & ~c) >>> 0, xor: ((x.xor & ~c) | c) >>> 0 }
    case 'xor':
      return { source, and: x.and, xor: (x.xor ^ c) >>> 0 }
    default:
      return null
  }
}
