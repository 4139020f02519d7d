/** Chains in text: their declaration, and their rules line by line. */
import type { BaseChain, ChainType, Hook, TableFamily } from '../../model/ruleset.ts'
import { addIssue, type RuleSource } from './assembly.ts'
import type { Body } from './blocks.ts'
import { namedPriority } from './constants.ts'
import { cursorOver } from './cursor.ts'
import { expandVariables } from './definitions.ts'
import type { NftSource } from './source.ts'
import { parseStatements } from './statements.ts'
import { type Token, tokenise } from './tokens.ts'

const HOOKS: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress', 'egress']
const TYPES: readonly string[] = ['filter', 'nat', 'route']

/** Words that begin a declaration instead of a rule, as the first word of a statement in a chain. */
const DECLARES = new Set(['type', 'policy', 'flags', 'device', 'devices', 'hook', 'priority'])
const HEADER = /\s*(?:#[^\n]*\s*)*(?:type|policy|comment|flags|devices?)\s/y

/** Statements of a block: runs of tokens between line ends. */
function* statementsOf(tokens: readonly Token[]): Generator<Token[]> {
  let run: Token[] = []
  for (const t of tokens) {
    if (t.kind !== 'end') run.push(t)
    else if (run.length > 0) {
      yield run
      run = []
    }
  }
  if (run.length > 0) yield run
}

/** The base chain a chain's block declares, or null for a regular chain. Reads only the block's first lines. */
export function readChainHeader(source: NftSource, family: TableFamily, body: Body): BaseChain | null {
  const { text } = source
  HEADER.lastIndex = body.from
  const first = HEADER.exec(text)
  let to = body.to
  if (first && HEADER.lastIndex <= body.to) to = Math.min(body.to, lineAfter(text, HEADER.lastIndex, 8))
  else if (!text.slice(body.from, body.to).includes(' hook ')) return null
  const { tokens } = tokenise(text, body.from, to, body.line)

  let declared: Omit<BaseChain, 'policy'> | null = null
  let policy: BaseChain['policy'] = 'accept'
  let devices: string[] = []
  for (const run of statementsOf(expandVariables(source, tokens))) {
    const word = run[0]!.kind === 'word' ? run[0]!.text : ''
    if (word === 'type') {
      declared = declaration(family, run)
      if (!declared) addIssue(source.tables, run[0]!.line, 'a chain declaration that is not understood')
    } else if (word === 'policy') policy = run[1]?.text === 'drop' ? 'drop' : 'accept'
    else if (word === 'devices' || word === 'device') devices = names(run.slice(1))
  }
  if (!declared) return null
  const all = [...(declared.devices ?? []), ...devices]
  return { ...declared, policy, ...(all.length > 0 ? { devices: all } : {}) }
}

function lineAfter(text: string, from: number, count: number): number {
  let at = from
  for (let i = 0; i < count; i++) {
    const next = text.indexOf('\n', at)
    if (next < 0) return text.length
    at = next + 1
  }
  return at
}

function names(tokens: readonly Token[]): string[] {
  return tokens.filter((t) => t.kind === 'word' || t.kind === 'string').map((t) => t.text)
}

/** `type filter hook ingress devices = { eth0, eth1 } priority filter + 5`. */
function declaration(family: TableFamily, run: readonly Token[]): Omit<BaseChain, 'policy'> | null {
  const type = run[1]?.text ?? ''
  const hook = run[3]?.text ?? ''
  const at = run.findIndex((t) => t.kind === 'word' && t.text === 'priority')
  if (!TYPES.includes(type) || run[2]?.text !== 'hook' || !HOOKS.includes(hook) || at < 0) return null
  const words = run
    .slice(at + 1)
    .filter((t) => t.kind !== 'note')
    .map((t) => t.text)
  const priority = readPriority(family, words.join(' '))
  if (priority === null) return null
  const devices = names(run.slice(4, at)).filter((w) => w !== 'device' && w !== 'devices')
  return {
    hook: hook as Hook,
    type: type as ChainType,
    priority,
    ...(devices.length > 0 ? { devices } : {}),
  }
}

/** `-150`, `filter`, `dstnat - 10`, `mangle + 5`; null when it is none of these. */
export function readPriority(family: TableFamily, text: string): number | null {
  const m = /^(?:(-?\d{1,10})|([a-z]+)(?:\s*([+-])\s*(\d{1,10}))?)$/.exec(text)
  if (!m) return null
  if (m[1] !== undefined) return Number(m[1])
  const base = namedPriority(family, m[2]!)
  if (base === null) return null
  return base + (m[3] === '-' ? -1 : 1) * Number(m[4] ?? 0)
}

/** The rules of a block; `trim` cuts what stands before the statements of a rule given as a command. */
export function readRules(
  source: NftSource,
  body: Body,
  trim: (tokens: Token[]) => Token[] = (tokens) => tokens,
): RuleSource[] {
  const { tokens } = tokenise(source.text, body.from, body.to, body.line)
  const out: RuleSource[] = []
  for (const whole of statementsOf(tokens)) {
    const raw = trim(whole)
    const run = expandVariables(source, raw)
    const first = run[0]
    if (!first || first.kind === 'note') continue
    if (first.kind === 'word' && (DECLARES.has(first.text) || (first.text === 'comment' && run.length <= 3))) continue
    const last = raw[raw.length - 1]!
    const text = source.text.slice(raw[0]!.from, last.to)
    const handle = last.kind === 'note' ? /# handle (\d+)$/.exec(last.text)?.[1] : undefined
    out.push({
      line: first.line,
      text: text.includes('\n') ? text.replace(/\s*\n\s*/g, ' ') : text,
      ...(handle === undefined ? {} : { handle: Number(handle) }),
      statements: parseStatements(cursorOver(source.text, run)),
    })
  }
  return out
}
