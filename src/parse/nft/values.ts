/** What a constant means, given the datatype of what it is compared with. */
import { type Ip, ipEquals, maskOf, parseIp, parsePrefix } from '../../base/ip.ts'
import type { Interval, Value } from '../../model/ruleset.ts'
import { ADDRESS_TYPES, CONSTANTS } from './constants.ts'
import type { Ast } from './syntax.ts'

/** Sorts after every other character: `"cali*"` is the interval from `cali` to `cali` followed by this. */
export const WILDCARD_END = '\uffff'

const NAMES = new Set(['ifname', 'ifkind', 'string', 'ether_addr'])
const BITMASKS = new Set(['ct_state', 'ct_status', 'tcp_flag', 'ct_label', 'ct_event'])

/** Types whose values are sets of bits: a comparison without an operator asks for any of them. */
export function isBitmask(type: string): boolean {
  return BITMASKS.has(type)
}

const single = (value: Value): Interval => ({ from: value, to: value })

/** The addresses a prefix covers. */
function prefixInterval(ip: Ip, length: number): Interval {
  const m = maskOf(ip.family, length)
  const low = (x: number, mask: number) => (x & mask) >>> 0
  const high = (x: number, mask: number) => (x | ~mask) >>> 0
  const { family, a, b, c, d } = ip
  const v6 = family === 6
  return {
    from: { family, a: low(a, m.a), b: low(b, m.b), c: low(c, m.c), d: low(d, m.d) },
    to: {
      family,
      a: v6 ? high(a, m.a) : 0,
      b: v6 ? high(b, m.b) : 0,
      c: v6 ? high(c, m.c) : 0,
      d: high(d, m.d),
    },
  }
}

/** Masks are shared: a large ruleset holds a hundred thousand addresses. */
const HOST_MASK: Record<4 | 6, Ip> = { 4: maskOf(4, 32), 6: maskOf(6, 128) }

/** The mask of the prefix that covers exactly `from`–`to`, or null when no prefix does. */
export function maskOfInterval(from: Ip, to: Ip): Ip | null {
  if (from === to || ipEquals(from, to)) return HOST_MASK[from.family]
  const words = from.family === 4 ? (['d'] as const) : (['a', 'b', 'c', 'd'] as const)
  let length = 0
  let open = false
  for (const w of words) {
    const x = (from[w] ^ to[w]) >>> 0
    if (open) {
      if (x !== 0xffffffff) return null
    } else if (x === 0) {
      length += 32
      continue
    } else {
      if ((x & (x + 1)) !== 0) return null
      length += Math.clz32(x)
      open = true
    }
    if ((from[w] & x) !== 0) return null
  }
  return maskOf(from.family, length)
}

function integer(text: string): number | null {
  if (!/^(?:\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text)) return null
  const n = Number(text)
  return n <= Number.MAX_SAFE_INTEGER ? n : null
}

/** Seconds of a duration as nft writes it (`1d2h3m4s5ms`, or plain seconds); null when it is not one. */
export function duration(text: string): number | null {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const m = /^(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,15})s)?(?:(\d{1,15})ms)?$/.exec(text)
  if (!m || text === '') return null
  const part = (i: number) => Number(m[i] ?? 0)
  return part(1) * 604800 + part(2) * 86400 + part(3) * 3600 + part(4) * 60 + part(5) + part(6) / 1000
}

/** Traffic class handles `major:minor` are hexadecimal (man tc). */
function classid(text: string): number | null {
  const m = /^([0-9a-fA-F]{0,4}):([0-9a-fA-F]{0,4})$/.exec(text)
  if (!m || text === ':') return null
  return Number.parseInt(m[1] || '0', 16) * 65536 + Number.parseInt(m[2] || '0', 16)
}

function address(text: string, type: string): Ip | null {
  const ip = parseIp(text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text)
  if (!ip) return null
  if (type === 'ipv4_addr') return ip.family === 4 ? ip : null
  return type === 'ip_addr' || ip.family === 6 ? ip : null
}

const isAddress = (type: string) => type === 'ipv4_addr' || type === 'ipv6_addr' || type === 'ip_addr'

function scalar(text: string, type: string): Value | null {
  if (isAddress(type)) return address(text, type)
  if (type === 'ether_addr')
    return /^[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}$/.test(text)
      ? text
          .toLowerCase()
          .split(':')
          .map((x) => x.padStart(2, '0'))
          .join(':')
      : null
  if (NAMES.has(type)) return text
  if (type === 'iface_index') return integer(text) ?? text
  if (type === 'fib_addrtype') {
    const n = integer(text)
    const name = n === null ? text : ADDRESS_TYPES[n]
    return name !== undefined && (ADDRESS_TYPES as readonly string[]).includes(name) ? name : null
  }
  if (type === 'clock') return null
  const known = CONSTANTS.get(type)?.get(text)
  if (known !== undefined) return known
  if (type === 'time') return duration(text)
  if (type === 'classid' || type === 'cgroupsv1') {
    const id = classid(text)
    if (id !== null) return id
  }
  const n = integer(text)
  if (n === null) return type === 'iface_index_or_bool' && text === 'missing' ? 0 : null
  return type === 'ct_label' ? (n <= 52 ? 2 ** n : null) : n
}

function word(text: string, type: string): Interval | null {
  if (type === 'ifname' && text.endsWith('*')) {
    if (text.endsWith('\\*')) return single(`${text.slice(0, -2)}*`)
    const start = text.slice(0, -1)
    return { from: start, to: start + WILDCARD_END }
  }
  const value = scalar(text, type)
  if (value !== null) return single(value)
  const slash = text.indexOf('/')
  if (slash > 0) {
    if (isAddress(type)) {
      const p = parsePrefix(text)
      return p && address(text.slice(0, slash), type) ? prefixInterval(p.ip, p.length) : null
    }
    const addr = scalar(text.slice(0, slash), type)
    const length = integer(text.slice(slash + 1))
    return addr === null || length === null ? null : numberPrefix(addr, length, type)
  }
  for (let dash = text.indexOf('-', 1); dash > 0; dash = text.indexOf('-', dash + 1)) {
    const from = scalar(text.slice(0, dash), type)
    const to = from === null ? null : scalar(text.slice(dash + 1), type)
    if (from !== null && to !== null) return { from, to }
  }
  return null
}

/** Width in bits of the types that nft prints with a prefix length. */
const WIDTH: Readonly<Record<string, number>> = { mark: 32, inet_service: 16, classid: 32, realm: 32, uid: 32, gid: 32 }

function numberPrefix(addr: Value, length: number, type: string): Interval | null {
  if (typeof addr === 'object') {
    return length <= (addr.family === 4 ? 32 : 128) ? prefixInterval(addr, length) : null
  }
  const width = WIDTH[type]
  if (width === undefined || typeof addr !== 'number' || length > width) return null
  const size = 2 ** (width - length)
  const from = addr - (addr % size)
  return { from, to: from + size - 1 }
}

/** The value or inclusive range a constant stands for, or null when it does not fit the type. */
export function constant(ast: Ast, type: string): Interval | null {
  switch (ast.kind) {
    case 'word':
      return word(ast.text, type)
    case 'number':
      if (isAddress(type) || NAMES.has(type) || type === 'clock') return null
      if (type === 'ct_label' || type === 'fib_addrtype') return word(String(ast.value), type)
      return ast.value >= 0 && Number.isFinite(ast.value) ? single(ast.value) : null
    case 'range': {
      const from = constant(ast.from, type)
      const to = constant(ast.to, type)
      return from && to ? { from: from.from, to: to.to } : null
    }
    case 'prefix': {
      const addr = constant(ast.addr, type)
      return addr ? numberPrefix(addr.from, ast.length, type) : null
    }
    case 'binary':
    case 'list': {
      const n = bits(ast, type)
      return n === null ? null : single(n)
    }
    default:
      return null
  }
}

/** The bits of a flag word, a list of them (`syn,ack`) or their union (`syn | ack`), or null. */
export function bits(ast: Ast, type: string): number | null {
  if (ast.kind === 'list' || (ast.kind === 'binary' && ast.op === 'or')) {
    let all = 0
    for (const item of ast.kind === 'list' ? ast.items : [ast.left, ast.right]) {
      const n = bits(item, type)
      if (n === null) return null
      // Beyond 32 bits (connection labels) the operators of the language do not reach.
      all = Number(BigInt(all) | BigInt(n))
    }
    return all
  }
  if (ast.kind === 'binary') return null
  const value = constant(ast, type)
  return value && value.from === value.to && Number.isInteger(value.from) ? (value.from as number) : null
}
