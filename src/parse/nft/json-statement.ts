/** Statements of `nft -j` (man libnftables-json, STATEMENTS) into the common shape. */
import { jsonExpression, jsonVerdict } from './json-expression.ts'
import { number, object, property, string, strings, wrapped } from './json-value.ts'
import type { Ast, Relation, StatementAst } from './syntax.ts'

const RELATIONS: readonly string[] = ['==', '!=', '<', '>', '<=', '>=', '!']

/** The statements one entry of a rule's `expr` stands for; opaque when it is not understood. */
export function jsonStatement(x: unknown): StatementAst[] {
  const opaque = (what: 'match' | 'statement' = 'statement'): StatementAst[] => [
    { kind: 'opaque', what, text: JSON.stringify(x)?.slice(0, 2000) ?? '' },
  ]
  const pair = wrapped(x)
  if (!pair) return opaque()
  const verdict = jsonVerdict(x)
  if (verdict) return [{ kind: 'verdict', verdict }]
  const [what, value] = pair
  const o = object(value)
  const expression = (key: string): Ast | null => jsonExpression(property(o, key))
  const text = () => (value === null ? what : `${what} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  switch (what) {
    case 'match': {
      const left = expression('left')
      const right = expression('right')
      const op = string(o, 'op') ?? '=='
      if (!left || !right || (op !== 'in' && !RELATIONS.includes(op))) return opaque()
      return [{ kind: 'match', op: op === 'in' ? 'implicit' : (op as Relation), left, right }]
    }
    case 'vmap': {
      const key = expression('key')
      const set = expression('data')
      return key && set ? [{ kind: 'vmap', key, set }] : opaque()
    }
    case 'mangle': {
      const key = expression('key')
      const to = expression('value')
      return key && to ? [{ kind: 'mangle', key, value: to }] : opaque()
    }
    case 'counter':
      if (!o) return typeof value === 'string' ? [{ kind: 'note', what: text() }] : []
      if (number(o, 'packets') === null) return [{ kind: 'note', what: text() }]
      return [{ kind: 'counter', counters: { packets: number(o, 'packets') ?? 0, bytes: number(o, 'bytes') ?? 0 } }]
    case 'limit':
    case 'quota':
    case 'ct count':
    case 'meter':
      return [{ kind: 'rate', text: text() }]
    case 'snat':
    case 'dnat':
    case 'masquerade':
    case 'redirect': {
      const addr = property(o, 'addr') === undefined ? null : expression('addr')
      const port = property(o, 'port') === undefined ? null : expression('port')
      if ((property(o, 'addr') !== undefined && !addr) || (property(o, 'port') !== undefined && !port)) return opaque()
      const family = string(o, 'family')
      return [
        {
          kind: 'nat',
          type: what,
          family: family === 'ip' || family === 'ip6' ? family : null,
          addr,
          port,
          prefix: strings(property(o, 'type_flags')).includes('prefix'),
          flags: strings(property(o, 'flags')),
        },
      ]
    }
    case 'reject': {
      const code = property(o, 'expr')
      const shown = typeof code === 'number' ? String(code) : code === undefined ? null : code
      if (shown !== null && typeof shown !== 'string') return opaque()
      return [{ kind: 'reject', type: string(o, 'type'), code: shown }]
    }
    case 'tproxy': {
      const addr = property(o, 'addr') === undefined ? null : expression('addr')
      const port = property(o, 'port') === undefined ? null : expression('port')
      if ((property(o, 'addr') !== undefined && !addr) || (property(o, 'port') !== undefined && !port)) return opaque()
      return [{ kind: 'tproxy', addr, port }]
    }
    case 'set':
    case 'map':
      return setUpdate(what, value) ?? opaque()
    case 'notrack':
      return [{ kind: 'notrack' }]
    case 'log':
    case 'dup':
    case 'flow':
    case 'last':
    case 'reset':
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
    case 'secmark':
      return [{ kind: 'note', what: text() }]
    case 'xt':
      // libnftables' JSON names an xtables extension and nothing more.
      if (string(o, 'type') !== 'match') return opaque()
      return string(o, 'name') === 'comment' ? [{ kind: 'note', what: 'xt match comment' }] : opaque('match')
    default:
      return opaque()
  }
}

function setUpdate(what: 'set' | 'map', value: unknown): StatementAst[] | null {
  const o = object(value)
  const op = string(o, 'op')
  const set = string(o, what)
  if ((op !== 'add' && op !== 'update' && op !== 'delete') || !set?.startsWith('@')) return null
  const text = `${op} ${set} ${JSON.stringify(property(o, 'elem'))}`
  const out: StatementAst[] = [{ kind: 'setUpdate', op, set: set.slice(1), text }]
  // Newer versions put the element's statements beside it, older ones inside.
  const stateful = JSON.stringify([property(o, 'stmt'), property(o, 'elem')])
  if (/"(?:limit|quota|ct count)":/.test(stateful)) out.push({ kind: 'rate', text })
  return out
}
