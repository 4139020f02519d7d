/** Expressions of nft's language, as src/parser_bison.y of nftables defines them, from tokens. */
import { type Cursor, MAX_DEPTH, nextWord, peek, sourceText, take, takeNumber, takeWord } from './cursor.ts'
import { parseElements } from './elements.ts'
import { FIELD_EXPRESSIONS, OTHER_TRANSPORTS, rawPayloadField } from './fields.ts'
import type { Ast, BinaryOp } from './syntax.ts'

/** `meta_key_unqualified`: keys that may stand without the word `meta`. */
const BARE_META = new Set(
  'mark iif iifname iiftype oif oifname oiftype skuid skgid nftrace rtclassid ibriport obriport ibrname obrname pkttype cpu iifgroup oifgroup cgroup ipsec time day hour'.split(
    ' ',
  ),
)
const HEADERS = new Set(
  'ip ip6 tcp udp udplite sctp dccp th icmp icmpv6 igmp ether vlan arp ah esp comp gre gretap vxlan geneve'.split(' '),
)
const EXTENSIONS = new Set('hbh frag dst mh srh rt0 rt2 rt4'.split(' '))

/** Operators by spelling, and how tightly they bind (shifts tightest). */
const BINARY: ReadonlyMap<string, readonly [BinaryOp, number]> = new Map([
  ['|', ['or', 0]],
  ['or', ['or', 0]],
  ['^', ['xor', 1]],
  ['xor', ['xor', 1]],
  ['&', ['and', 2]],
  ['and', ['and', 2]],
  ['<<', ['shl', 3]],
  ['lshift', ['shl', 3]],
  ['>>', ['shr', 3]],
  ['rshift', ['shr', 3]],
])

/** A concatenation of expressions, possibly the key of a `map`; null (and the cursor anywhere) when it is not one. */
export function parseExpression(c: Cursor): Ast | null {
  const key = parseConcat(c)
  if (!key || nextWord(c) !== 'map') return key
  c.at++
  const set = parseSetReference(c)
  return set ? { kind: 'map', key, set } : null
}

/** Parts joined by ` . `; null beyond a sane depth of nesting. */
export function parseConcat(c: Cursor): Ast | null {
  if (c.depth >= MAX_DEPTH) return null
  c.depth++
  const found = concat(c)
  c.depth--
  return found
}

function concat(c: Cursor): Ast | null {
  const first = parseBinary(c, 0)
  if (!first || nextWord(c) !== '.') return first
  const parts = [first]
  while (nextWord(c) === '.') {
    c.at++
    const next = parseBinary(c, 0)
    if (!next || parts.length > 32) return null
    parts.push(next)
  }
  return { kind: 'concat', parts }
}

/** `{ … }` in place or `@name`. */
export function parseSetReference(c: Cursor): Ast | null {
  const w = nextWord(c)
  if (w?.startsWith('@')) {
    c.at++
    return { kind: 'setName', name: w.slice(1) }
  }
  if (!take(c, '{')) return null
  const elements = parseElements(c)
  return elements && take(c, '}') ? { kind: 'set', elements } : null
}

function parseBinary(c: Cursor, level: number): Ast | null {
  let left = parseTerm(c)
  for (let n = 0; left && n < 64; n++) {
    const t = peek(c)
    const op = t === undefined || t.kind === 'string' ? undefined : BINARY.get(t.text)
    if (!op || op[1] < level) return left
    c.at++
    const right = parseBinary(c, op[1] + 1)
    left = right && { kind: 'binary', op: op[0], left, right }
  }
  return left
}

function parseTerm(c: Cursor): Ast | null {
  const t = peek(c)
  if (!t) return null
  if (t.kind === 'string') {
    c.at++
    const from: Ast = { kind: 'word', text: t.text }
    if (nextWord(c) !== '-') return from
    c.at++
    const to = takeWord(c)
    return to === null ? null : { kind: 'range', from, to: { kind: 'word', text: to } }
  }
  if (t.kind === 'sign') {
    if (t.text !== '(') return null
    c.at++
    const inner = parseConcat(c)
    return inner && take(c, ')') ? inner : null
  }
  if (t.kind !== 'word') return null
  const field = c.constants ? null : parseField(c)
  if (field) return field
  c.at++
  if (nextWord(c) === '-') {
    c.at++
    const to = takeWord(c)
    return to === null ? null : { kind: 'range', from: { kind: 'word', text: t.text }, to: { kind: 'word', text: to } }
  }
  return { kind: 'word', text: t.text }
}

/** Something read from the packet; null, with the cursor where it was, when the next word begins none. */
export function parseField(c: Cursor): Ast | null {
  const start = c.at
  const w = nextWord(c)
  if (w === null) return null
  c.at++
  const found = fieldAfter(c, w, start)
  if (!found) c.at = start
  return found
}

const known = (key: string): Ast | null => FIELD_EXPRESSIONS.get(key) ?? null

function fieldAfter(c: Cursor, w: string, start: number): Ast | null {
  const unknown = (protocol?: number): Ast => ({
    kind: 'unknown',
    text: sourceText(c, start, c.at),
    ...(protocol === undefined ? {} : { protocol }),
  })
  if (w === 'meta') {
    const key = takeWord(c)
    return key === null ? null : (known(`meta.${key}`) ?? unknown())
  }
  const xfrm = w === 'ipsec' && (nextWord(c) === 'in' || nextWord(c) === 'out')
  if (BARE_META.has(w) && !xfrm) return known(`meta.${w}`) ?? unknown()
  if (HEADERS.has(w)) return headerField(c, w, unknown)
  if (EXTENSIONS.has(w)) return takeWord(c) === null ? null : unknown()
  const raw = /^@(ll|nh|th|ih),(\d+),(\d+)$/.exec(w)
  if (raw) {
    const key = rawPayloadField(raw[1]!, Number(raw[2]), Number(raw[3]))
    return key ? known(key) : unknown()
  }
  switch (w) {
    case 'ct':
      return ctField(c, unknown)
    case 'rt': {
      const family = nextWord(c) === 'ip' || nextWord(c) === 'ip6' ? `${takeWord(c)} ` : ''
      const key = takeWord(c)
      return key === null ? null : (known(`rt.${family}${key}`) ?? unknown())
    }
    case 'socket': {
      const key = takeWord(c)
      if (key === 'cgroupv2' && take(c, 'level')) takeNumber(c)
      return key === null ? null : (known(`socket.${key}`) ?? unknown())
    }
    case 'fib':
      return fibField(c)
    case 'numgen':
      return numgen(c)
    case 'jhash': {
      const of = parseConcat(c)
      return of && hash(c, of)
    }
    case 'symhash':
      return hash(c, 'symmetric')
    case 'osf':
      if (take(c, 'ttl')) takeWord(c)
      return takeWord(c) === null ? null : unknown()
    case 'exthdr':
      return takeWord(c) === null ? null : unknown()
    case 'ipsec': {
      takeWord(c)
      if (take(c, 'spnum')) takeNumber(c)
      const key = takeWord(c)
      if (key === 'ip' || key === 'ip6') takeWord(c)
      return key === null ? null : unknown()
    }
    default:
      return null
  }
}

function headerField(c: Cursor, header: string, unknown: (protocol?: number) => Ast): Ast | null {
  const key = takeWord(c)
  if (key === null) return null
  const l4 = OTHER_TRANSPORTS.get(header)
  if (key === 'option' || key === 'chunk') {
    if (takeWord(c) === null) return null
    // `tcp option sack exists` has no field; `tcp option maxseg size 1400` has one.
    const next = nextWord(c)
    if (next !== null && next !== 'exists' && next !== 'missing') c.at++
    return unknown(l4)
  }
  const spelled = key === 'hdrversion' ? 'version' : key
  return known(`${header}.${spelled}`) ?? unknown(l4)
}

function ctField(c: Cursor, unknown: () => Ast): Ast | null {
  const dir = nextWord(c) === 'original' || nextWord(c) === 'reply' ? takeWord(c) : null
  const family = dir !== null && (nextWord(c) === 'ip' || nextWord(c) === 'ip6') ? `${takeWord(c)} ` : ''
  const key = takeWord(c)
  if (key === null) return null
  return known(dir === null ? `ct.${key}` : `ct.${dir}.${family}${key}`) ?? unknown()
}

function fibField(c: Cursor): Ast | null {
  const keys: string[] = []
  do {
    const key = takeWord(c)
    if (key === null || keys.length > 4) return null
    keys.push(key)
  } while (take(c, '.'))
  const result = takeWord(c)
  return result === null ? null : { kind: 'fib', keys, result: result === 'check' ? 'present' : result }
}

function numgen(c: Cursor): Ast | null {
  const mode = takeWord(c)
  if ((mode !== 'random' && mode !== 'inc') || !take(c, 'mod')) return null
  const modulus = takeNumber(c)
  if (!modulus) return null
  const offset = take(c, 'offset') ? takeNumber(c) : 0
  return offset === null ? null : { kind: 'numgen', mode, modulus, offset }
}

function hash(c: Cursor, of: Ast | 'symmetric'): Ast | null {
  if (!take(c, 'mod')) return null
  const modulus = takeNumber(c)
  const seed = take(c, 'seed') ? takeNumber(c) : null
  const offset = take(c, 'offset') ? takeNumber(c) : 0
  return !modulus || offset === null ? null : { kind: 'hash', of, modulus, seed, offset }
}
