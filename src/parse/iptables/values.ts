/** Values as iptables prints and reads them. All functions give null for what they cannot read. */
import { type Ip, maskOf, parseIp } from '../../base/ip.ts'
import type { Expr, Field, Interval, Match, NamedSet, Value } from '../../model/ruleset.ts'

/** `N`, `N:M`, `N:`, `:M`, service names of /etc/services that iptables resolves when read by hand. */
export function portRange(text: string, separator: ':' | '-' = ':'): readonly [number, number] | null {
  const at = text.indexOf(separator)
  if (at < 0) {
    const p = port(text)
    return p === null ? null : [p, p]
  }
  const from = at === 0 ? 0 : port(text.slice(0, at))
  const to = at === text.length - 1 ? 65535 : port(text.slice(at + 1))
  return from === null || to === null ? null : [from, to]
}

const SERVICES: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  www: 80,
  kerberos: 88,
  pop3: 110,
  sunrpc: 111,
  ntp: 123,
  imap2: 143,
  snmp: 161,
  bgp: 179,
  ldap: 389,
  https: 443,
  'microsoft-ds': 445,
  syslog: 514,
  ldaps: 636,
  imaps: 993,
  pop3s: 995,
  mysql: 3306,
  postgresql: 5432,
  'http-alt': 8080,
}

export function port(text: string): number | null {
  if (/^\d{1,5}$/.test(text)) return Number(text) <= 65535 ? Number(text) : null
  return SERVICES[text.toLowerCase()] ?? null
}

/** Decimal, hexadecimal (0x) or octal (0) unsigned 32-bit number, as strtoul with base 0. */
export function u32(text: string): number | null {
  const n = /^0x[0-9a-f]{1,8}$/i.test(text)
    ? Number.parseInt(text, 16)
    : /^0[0-7]+$/.test(text)
      ? Number.parseInt(text, 8)
      : /^\d{1,10}$/.test(text)
        ? Number(text)
        : Number.NaN
  return n <= 0xffffffff ? n : null
}

/** `VALUE` or `VALUE/MASK`; the mask defaults to all bits. */
export function valueMask(text: string): { value: number; mask: number } | null {
  const [v, m] = text.split('/')
  const value = u32(v ?? '')
  const mask = m === undefined ? 0xffffffff : u32(m)
  return value === null || mask === null ? null : { value, mask }
}

const MASKS = {
  4: Array.from({ length: 33 }, (_, n) => maskOf(4, n)),
  6: Array.from({ length: 129 }, (_, n) => maskOf(6, n)),
}

/** `ADDR`, `ADDR/LEN` or `ADDR/MASK`; the address is masked, as the kernel keeps it. */
export function addressMask(text: string, family: 4 | 6): { addr: Ip; mask: Ip } | null {
  const slash = text.indexOf('/')
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (!ip || ip.family !== family) return null
  const full = family === 4 ? 32 : 128
  const m = slash < 0 ? '' : text.slice(slash + 1)
  // One mask object a length: a large ruleset has a hundred thousand of them.
  const mask = slash < 0 ? MASKS[family][full]! : /^\d{1,3}$/.test(m) ? (MASKS[family][Number(m)] ?? null) : parseIp(m)
  if (!mask || mask.family !== family) return null
  const addr: Ip = {
    family,
    a: (ip.a & mask.a) >>> 0,
    b: (ip.b & mask.b) >>> 0,
    c: (ip.c & mask.c) >>> 0,
    d: (ip.d & mask.d) >>> 0,
  }
  return { addr, mask }
}

/** `A-B`, or a single address. */
export function addressRange(text: string, family: 4 | 6): { from: Ip; to: Ip } | null {
  const [a, b] = text.split('-')
  const from = parseIp(a ?? '')
  const to = b === undefined ? from : parseIp(b)
  return from && to && from.family === family && to.family === family ? { from, to } : null
}

export const field = (f: Field): Expr => ({ kind: 'field', field: f })
export const literal = (value: Value): Expr => ({ kind: 'literal', value })

/** An unnamed set of one-component keys. */
export function anonymousSet(keys: readonly Interval[]): NamedSet {
  const elements = keys.map((k) => ({ key: [k], line: 0 }))
  return { name: '', kind: 'set', keyTypes: [], dynamic: false, line: 0, elements: () => elements }
}

/** True when the field lies in the inclusive range (or, negated, does not). */
export function within(f: Field, from: Value, to: Value, negate: boolean): Match {
  if (from === to) return { kind: 'compare', op: negate ? 'ne' : 'eq', left: field(f), right: literal(from) }
  return { kind: 'in', left: field(f), set: { kind: 'anonymous', set: anonymousSet([{ from, to }]) }, negate }
}
