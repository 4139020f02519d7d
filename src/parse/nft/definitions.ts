/** Variables of ruleset files: `define NAME = VALUE`, used as `$NAME`. */
import type { RawStatement } from './blocks.ts'
import type { NftSource } from './source.ts'
import { type Token, tokenise } from './tokens.ts'

/** A variable that refers to others cannot make a text grow without end. */
const MAX_TOKENS = 4096

/** Values of all top-level definitions, later ones winning, with the variables inside them filled in. */
export function readDefinitions(
  text: string,
  statements: readonly RawStatement[],
): ReadonlyMap<string, readonly Token[]> {
  const variables = new Map<string, readonly Token[]>()
  for (const s of statements) {
    if (!/^(?:re)?define\s/.test(text.slice(s.from, s.from + 10))) continue
    const { tokens } = tokenise(text, s.from, s.to, s.line)
    const name = tokens[1]?.text
    if (name === undefined || tokens[2]?.text !== '=') continue
    variables.set(name, fill(variables, tokens.slice(3)))
  }
  return variables
}

/** The tokens with variables replaced by their values; an unknown variable stays as it is. */
export function expandVariables(source: NftSource, tokens: readonly Token[]): readonly Token[] {
  return source.variables.size === 0 ? tokens : fill(source.variables, tokens)
}

function fill(variables: ReadonlyMap<string, readonly Token[]>, tokens: readonly Token[]): readonly Token[] {
  if (!tokens.some((t) => t.kind === 'word' && t.text.startsWith('$'))) return tokens
  const out: Token[] = []
  let depth = 0
  for (const t of tokens) {
    if (t.kind === 'sign') depth += t.text === '{' ? 1 : t.text === '}' ? -1 : 0
    const value = t.kind === 'word' && t.text.startsWith('$') ? variables.get(t.text.slice(1)) : undefined
    if (!value || out.length > MAX_TOKENS) {
      out.push(t)
      continue
    }
    // A set inside a set means its elements.
    const inner =
      depth > 0 && value[0]?.text === '{' && value[value.length - 1]?.text === '}' ? value.slice(1, -1) : value
    for (const v of inner) out.push({ ...v, from: t.from, to: t.to, line: t.line })
  }
  return out
}
