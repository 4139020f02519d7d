/** Statements of a rule, left to right. What cannot be read ends the reading: the rest of the rule is opaque. */
import {
  amongConstants,
  type Cursor,
  nextWord,
  peek,
  sourceText,
  take,
  takeBraces,
  takeNumber,
  takeWord,
} from './cursor.ts'
import { parseVerdict, takeFlags } from './elements.ts'
import { parseConcat, parseExpression, parseSetReference } from './expressions.ts'
import { typesOf } from './field-types.ts'
import { parseMasquerade, parseNat, parseTproxy } from './nat-statement.ts'
import type { Ast, Relation, StatementAst } from './syntax.ts'

/** All statements of the rule the cursor spans. */
export function parseStatements(c: Cursor): StatementAst[] {
  const out: StatementAst[] = []
  while (c.at < c.end) {
    const start = c.at
    const t = peek(c)!
    if (t.kind === 'note') {
      c.at++
      const xt = /^# (?:xt_(\w+)|(?:match|target) (\w+))/.exec(t.text)
      if (xt) out.push({ kind: 'opaque', what: 'statement', text: t.text.slice(2) })
      continue
    }
    const s = parseStatement(c)
    if (s === null || c.at === start) {
      c.at = start
      let end = c.end
      while (end > start + 1 && c.tokens[end - 1]!.kind === 'note') end--
      out.push({ kind: 'opaque', what: 'statement', text: sourceText(c, start, end) })
      return out
    }
    out.push(...s)
  }
  return out
}

function parseStatement(c: Cursor): StatementAst[] | null {
  const start = c.at
  const verdict = parseVerdict(c)
  if (verdict) return [{ kind: 'verdict', verdict }]
  const text = () => sourceText(c, start, c.at)
  const note = (): StatementAst[] => [{ kind: 'note', what: text() }]
  const rate = (): StatementAst[] => [{ kind: 'rate', text: text() }]
  switch (nextWord(c)) {
    case 'counter':
      c.at++
      return counter(c, note)
    case 'comment': {
      c.at++
      const comment = takeWord(c)
      return comment === null ? null : [{ kind: 'comment', text: comment }]
    }
    case 'log':
      c.at++
      skipLogOptions(c)
      return note()
    case 'limit':
    case 'quota':
      c.at++
      if (take(c, 'name')) return named(c) ? rate() : null
      skipAmounts(c)
      return rate()
    case 'last':
      c.at++
      if (take(c, 'used')) takeWord(c)
      return note()
    case 'ct':
      if (nextWord(c, 1) !== 'count') return relation(c)
      c.at += 2
      skipAmounts(c)
      return rate()
    case 'meter':
      c.at += 2
      if (take(c, 'size')) takeNumber(c)
      return takeBraces(c) ? rate() : null
    case 'notrack':
      c.at++
      return [{ kind: 'notrack' }]
    case 'reject':
      c.at++
      return reject(c)
    case 'snat':
    case 'dnat':
      return parseNat(c)
    case 'masquerade':
    case 'redirect':
      return parseMasquerade(c)
    case 'tproxy':
      return parseTproxy(c)
    case 'add':
    case 'update':
    case 'delete':
      return setUpdate(c)
    case 'flow':
      // An offloaded flow skips the hooks from its second packet on; the first one goes on as if nothing were said.
      c.at += 3
      return c.at <= c.end ? note() : null
    case 'dup':
    case 'fwd': {
      const what = takeWord(c)
      if (nextWord(c) === 'ip' || nextWord(c) === 'ip6') c.at++
      if (!take(c, 'to') || !parseExpression(c) || (take(c, 'device') && !parseExpression(c))) return null
      return what === 'dup' ? note() : [{ kind: 'opaque', what: 'statement', text: text() }]
    }
    case 'synproxy':
      c.at++
      while (/^(?:mss|wscale|timestamp|sack-perm|name|\d+)$/.test(nextWord(c) ?? '')) c.at++
      return [{ kind: 'opaque', what: 'statement', text: text() }]
    case 'reset':
      c.at++
      return parseConcat(c) ? note() : null
    case 'xt':
      return xt(c, text)
    default:
      return relation(c)
  }
}

/** `EXPR [OP] VALUE`, `EXPR vmap SET`, `EXPR set VALUE`. */
function relation(c: Cursor): StatementAst[] | null {
  const left = parseConcat(c)
  // Words that read nothing from the packet begin a statement we do not know.
  if (!left || typesOf(left).includes('constant')) return null
  const w = nextWord(c)
  if (w === 'vmap') {
    c.at++
    const set = parseSetReference(c)
    return set && [{ kind: 'vmap', key: left, set }]
  }
  if (w === 'set') {
    c.at++
    const value = parseExpression(c)
    return value && [{ kind: 'mangle', key: left, value: listFrom(c, value) }]
  }
  const op = takeRelation(c)
  const right = amongConstants(c, parseRight)
  if (!right) return null
  // `FLAGS / MASK` is (field & MASK) == FLAGS.
  if (nextWord(c) !== '/') return [{ kind: 'match', op, left, right }]
  c.at++
  const mask = amongConstants(c, parseRight)
  if (!mask || (op !== 'implicit' && op !== '==' && op !== '!=')) return null
  const masked: Ast = { kind: 'binary', op: 'and', left, right: mask }
  return [{ kind: 'match', op: op === 'implicit' ? '==' : op, left: masked, right }]
}

const RELATIONS: ReadonlyMap<string, Relation> = new Map<string, Relation>([
  ['==', '=='],
  ['=', '=='],
  ['eq', '=='],
  ['!=', '!='],
  ['ne', '!='],
  ['<', '<'],
  ['lt', '<'],
  ['>', '>'],
  ['gt', '>'],
  ['<=', '<='],
  ['le', '<='],
  ['>=', '>='],
  ['ge', '>='],
  ['!', '!'],
])

function takeRelation(c: Cursor): Relation {
  const t = peek(c)
  const op = (t && t.kind !== 'string' && RELATIONS.get(t.text)) || 'implicit'
  if (op !== 'implicit') c.at++
  return op
}

function parseRight(c: Cursor): Ast | null {
  if (peek(c)?.text === '{' || nextWord(c)?.startsWith('@')) return parseSetReference(c)
  const first = parseConcat(c)
  return first && listFrom(c, first)
}

/** `first, second, …`: a list of flags. */
function listFrom(c: Cursor, first: Ast): Ast {
  if (peek(c)?.text !== ',') return first
  const items = [first]
  while (items.length < 64 && take(c, ',')) {
    const next = parseConcat(c)
    if (!next) break
    items.push(next)
  }
  return { kind: 'list', items }
}

/** The object of a stateful reference: a name, or a map from which it comes. */
function named(c: Cursor): boolean {
  if (!parseConcat(c)) return false
  return take(c, 'map') ? (nextWord(c)?.startsWith('@') === true ? takeWord(c) !== null : takeBraces(c)) : true
}

function counter(c: Cursor, note: () => StatementAst[]): StatementAst[] | null {
  if (take(c, 'name')) return named(c) ? note() : null
  let packets = 0
  let bytes = 0
  if (take(c, 'packets')) packets = takeNumber(c) ?? 0
  if (take(c, 'bytes')) bytes = takeNumber(c) ?? 0
  return [{ kind: 'counter', counters: { packets, bytes } }]
}

function skipLogOptions(c: Cursor): void {
  for (;;) {
    const w = nextWord(c)
    if (w === 'flags') {
      c.at++
      if (nextWord(c) === 'tcp' || nextWord(c) === 'ip') c.at++
      takeFlags(c)
    } else if (w !== null && /^(?:prefix|level|group|snaplen|queue-threshold)$/.test(w) && peek(c, 1)) c.at += 2
    else return
  }
}

function skipAmounts(c: Cursor): void {
  while (
    /^(?:rate|over|until|used|burst|packets|[kmg]?bytes|\d+|(?:\d+|[kmg]?bytes)?\/(?:second|minute|hour|day|week))$/.test(
      nextWord(c) ?? '',
    )
  )
    c.at++
}

function reject(c: Cursor): StatementAst[] | null {
  if (!take(c, 'with')) return [{ kind: 'reject', type: null, code: null }]
  const type = takeWord(c)
  if (type === 'tcp') return take(c, 'reset') ? [{ kind: 'reject', type: 'tcp reset', code: null }] : null
  if (nextWord(c) === 'type' || nextWord(c) === 'code') c.at++
  const code = takeWord(c)
  return type === null || code === null ? null : [{ kind: 'reject', type, code }]
}

/** `add @set { KEY … }`: the element may carry a rate, which decides whether the rule goes on. */
function setUpdate(c: Cursor): StatementAst[] | null {
  const start = c.at
  const op = takeWord(c)
  const set = takeWord(c)
  if ((op !== 'add' && op !== 'update' && op !== 'delete') || !set?.startsWith('@')) return null
  const inside = c.at
  if (!takeBraces(c)) return null
  const text = sourceText(c, start, c.at)
  const out: StatementAst[] = [{ kind: 'setUpdate', op, set: set.slice(1), text }]
  const words = c.tokens.slice(inside, c.at)
  const stateful = words.some(
    (t, i) =>
      t.kind === 'word' &&
      (t.text === 'limit' || t.text === 'quota' || (t.text === 'ct' && words[i + 1]?.text === 'count')),
  )
  if (stateful) out.push({ kind: 'rate', text })
  return out
}

/** An xtables match or target that nft could not translate: it prints only the name. */
function xt(c: Cursor, text: () => string): StatementAst[] | null {
  c.at++
  const type = takeWord(c)
  const name = takeWord(c)
  if (name === null) return null
  if (type === 'match')
    return name === 'comment' ? [{ kind: 'note', what: text() }] : [{ kind: 'opaque', what: 'match', text: text() }]
  return [{ kind: 'opaque', what: 'statement', text: text() }]
}
