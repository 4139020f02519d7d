/** Address and port translation statements: snat, dnat, masquerade, redirect, tproxy. */
import { type Cursor, cursorOver, nextWord, peek, take, takeWord } from './cursor.ts'
import { takeFlags } from './elements.ts'
import { parseExpression } from './expressions.ts'
import type { Ast, StatementAst } from './syntax.ts'

const FLAGS = new Set(['random', 'fully-random', 'persistent', 'netmap'])

/** `snat|dnat [ip|ip6] [prefix] [addr . port] to ADDR[:PORT] [flags]`. */
export function parseNat(c: Cursor): StatementAst[] | null {
  const type = takeWord(c)
  if (type !== 'snat' && type !== 'dnat') return null
  const family = takeFamily(c)
  let prefix = false
  for (;;) {
    if (take(c, 'prefix')) prefix = true
    else if (take(c, 'addr') || take(c, '.') || take(c, 'port') || take(c, 'interval')) continue
    else break
  }
  if (!take(c, 'to')) return null
  const target = parseTarget(c)
  if (!target) return null
  return [{ kind: 'nat', type, family, ...target, prefix, flags: natFlags(c) }]
}

/** `masquerade|redirect [to :PORT] [flags]`. */
export function parseMasquerade(c: Cursor): StatementAst[] | null {
  const type = takeWord(c)
  if (type !== 'masquerade' && type !== 'redirect') return null
  let port: Ast | null = null
  if (take(c, 'to')) {
    take(c, ':')
    port = parseExpression(c)
    if (!port) return null
  }
  return [{ kind: 'nat', type, family: null, addr: null, port, prefix: false, flags: natFlags(c) }]
}

/** `tproxy [ip|ip6] to ADDR[:PORT]` or `to :PORT`. */
export function parseTproxy(c: Cursor): StatementAst[] | null {
  c.at++
  takeFamily(c)
  if (!take(c, 'to')) return null
  const target = parseTarget(c)
  return target && [{ kind: 'tproxy', ...target }]
}

function takeFamily(c: Cursor): 'ip' | 'ip6' | null {
  const w = nextWord(c)
  if (w !== 'ip' && w !== 'ip6') return null
  c.at++
  return w
}

function natFlags(c: Cursor): string[] {
  return FLAGS.has(nextWord(c) ?? '') ? takeFlags(c) : []
}

interface Target {
  readonly addr: Ast | null
  readonly port: Ast | null
}

function parseTarget(c: Cursor): Target | null {
  let addr: Ast | null = null
  const w = nextWord(c)
  const split = w === null ? null : splitEndpoint(w)
  if (split) {
    addr = { kind: 'word', text: split.addr }
    const t = peek(c)!
    if (split.port === null) c.at++
    else {
      // `10.0.0.1:80`, or `10.0.0.1:tcp dport map { … }`: the rest of the word begins the port expression.
      const patched = c.tokens.slice(c.at, c.end)
      patched[0] = { ...t, text: split.port }
      const rest = cursorOver(c.source, patched)
      const port = parseExpression(rest)
      c.at += rest.at
      return port && { addr, port }
    }
  } else if (peek(c)?.text !== ':') {
    addr = parseExpression(c)
    if (!addr) return null
  }
  if (!take(c, ':')) return addr && { addr, port: null }
  const port = parseExpression(c)
  return port && { addr, port }
}

/** Cuts `ADDR[-ADDR][:REST]`; an IPv6 address with a port is in brackets. Null when the word is not an address. */
function splitEndpoint(text: string): { addr: string; port: string | null } | null {
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?:-\[([0-9a-fA-F:.]+)\])?(?::(.+))?$/.exec(text)
  if (bracketed) {
    const [, from, to, port] = bracketed
    return { addr: to === undefined ? from! : `${from}-${to}`, port: port ?? null }
  }
  const v4 = /^(\d[\d.]*\.\d+(?:\/\d+)?(?:-[\d.]+)?)(?::(.+))?$/.exec(text)
  if (v4) return { addr: v4[1]!, port: v4[2] ?? null }
  return /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:\/\d+|-[0-9a-fA-F:.]+)?$/.test(text) ? { addr: text, port: null } : null
}
