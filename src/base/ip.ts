/**
 * IPv4 and IPv6 addresses as four unsigned 32-bit words, most significant first.
 *
 * One shape for both families keeps prefix matching to four AND-XORs and never allocates a BigInt: an iptables-save of a
 * large cluster holds a hundred thousand addresses. An IPv4 address lives in `d`; `a`, `b` and `c` are zero.
 */
export interface Ip {
  readonly family: 4 | 6
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

/** An address and a prefix length, 0–32 or 0–128. Host bits are kept: `10.0.0.1/24` is an interface address. */
export interface Prefix {
  readonly ip: Ip
  readonly length: number
}

export function ipv4(d: number): Ip {
  return { family: 4, a: 0, b: 0, c: 0, d: d >>> 0 }
}

export function ipv6(a: number, b: number, c: number, d: number): Ip {
  return { family: 6, a: a >>> 0, b: b >>> 0, c: c >>> 0, d: d >>> 0 }
}

/** Dotted quad, strictly four decimal parts without leading zeros (as Go's netip and inet_pton), or null. */
function parseIpv4(text: string): Ip | null {
  let value = 0
  let part = -1
  let parts = 0
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 46
    if (c === 46) {
      if (part < 0 || part > 255) return null
      value = value * 256 + part
      parts++
      part = -1
    } else if (c >= 48 && c <= 57) {
      if (part === 0) return null
      part = part < 0 ? c - 48 : part * 10 + (c - 48)
      if (part > 255) return null
    } else return null
  }
  return parts === 4 ? ipv4(value) : null
}

/** RFC 4291 section 2.2 text forms, zone identifiers refused; or null. */
function parseIpv6(text: string): Ip | null {
  const gap = text.indexOf('::')
  if (gap >= 0 && text.indexOf('::', gap + 1) >= 0) return null
  const groups = (part: string): number[] | null => {
    if (part === '') return []
    const out: number[] = []
    const fields = part.split(':')
    for (let i = 0; i < fields.length; i++) {
      const f = fields[i]!
      if (i === fields.length - 1 && f.includes('.')) {
        const v4 = parseIpv4(f)
        if (!v4) return null
        out.push(v4.d >>> 16, v4.d & 0xffff)
      } else {
        if (!/^[0-9a-fA-F]{1,4}$/.test(f)) return null
        out.push(Number.parseInt(f, 16))
      }
    }
    return out
  }
  const head = groups(gap < 0 ? text : text.slice(0, gap))
  const tail = gap < 0 ? [] : groups(text.slice(gap + 2))
  if (!head || !tail) return null
  const missing = 8 - head.length - tail.length
  if (gap < 0 ? missing !== 0 : missing < 1) return null
  const g = [...head, ...new Array<number>(Math.max(0, missing)).fill(0), ...tail]
  const word = (i: number) => ((g[i]! << 16) | g[i + 1]!) >>> 0
  return ipv6(word(0), word(2), word(4), word(6))
}

/** Parses an address in text form; null when it is not one. */
export function parseIp(text: string): Ip | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** Parses `ADDRESS` or `ADDRESS/LENGTH`; a bare address gets the full length. Null when it is neither. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/')
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (!ip) return null
  const max = ip.family === 4 ? 32 : 128
  if (slash < 0) return { ip, length: max }
  const digits = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits)) return null
  const length = Number(digits)
  return length <= max ? { ip, length } : null
}

/** Text form: dotted quad, or RFC 5952 for IPv6. */
export function formatIp(ip: Ip): string {
  if (ip.family === 4) return `${ip.d >>> 24}.${(ip.d >>> 16) & 255}.${(ip.d >>> 8) & 255}.${ip.d & 255}`
  const g: number[] = []
  for (const w of [ip.a, ip.b, ip.c, ip.d]) g.push(w >>> 16, w & 0xffff)
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; ) {
    let j = i
    while (j < 8 && g[j] === 0) j++
    if (j - i > bestLength) {
      best = i
      bestLength = j - i
    }
    i = j + 1
  }
  const hex = (from: number, to: number) =>
    g
      .slice(from, to)
      .map((x) => x.toString(16))
      .join(':')
  return best < 0 ? hex(0, 8) : `${hex(0, best)}::${hex(best + bestLength, 8)}`
}

export function formatPrefix(p: Prefix): string {
  return `${formatIp(p.ip)}/${p.length}`
}

/** `10.0.0.1:80` or `[fd00::1]:80`; without a port just the address. */
export function formatEndpoint(ip: Ip, port?: number): string {
  const text = formatIp(ip)
  if (port === undefined) return text
  return ip.family === 6 ? `[${text}]:${port}` : `${text}:${port}`
}

export function ipEquals(x: Ip, y: Ip): boolean {
  return x.d === y.d && x.family === y.family && x.c === y.c && x.b === y.b && x.a === y.a
}

/** Negative, zero or positive, by family and then by value. */
export function compareIp(x: Ip, y: Ip): number {
  return x.family - y.family || x.a - y.a || x.b - y.b || x.c - y.c || x.d - y.d
}

const word = (bits: number) => (bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0)

/** The network mask of a prefix length: 24 → 255.255.255.0. */
export function maskOf(family: 4 | 6, length: number): Ip {
  return family === 4 ? ipv4(word(length)) : ipv6(word(length), word(length - 32), word(length - 64), word(length - 96))
}

/** True when `x` and `value` agree on the bits of `mask` (which need not be contiguous) and are of one family. */
export function matchesMask(x: Ip, value: Ip, mask: Ip): boolean {
  return (
    x.family === value.family &&
    ((x.d ^ value.d) & mask.d) === 0 &&
    ((x.c ^ value.c) & mask.c) === 0 &&
    ((x.b ^ value.b) & mask.b) === 0 &&
    ((x.a ^ value.a) & mask.a) === 0
  )
}

export function prefixContains(p: Prefix, ip: Ip): boolean {
  return p.ip.family === ip.family && matchesMask(ip, p.ip, maskOf(ip.family, p.length))
}

/** True when the two prefixes share an address. */
export function prefixesOverlap(x: Prefix, y: Prefix): boolean {
  return x.length <= y.length ? prefixContains(x, y.ip) : prefixContains(y, x.ip)
}

/** The prefix with its host bits cleared. */
export function networkOf(p: Prefix): Prefix {
  const m = maskOf(p.ip.family, p.length)
  const { family, a, b, c, d } = p.ip
  return {
    ip: { family, a: (a & m.a) >>> 0, b: (b & m.b) >>> 0, c: (c & m.c) >>> 0, d: (d & m.d) >>> 0 },
    length: p.length,
  }
}

/** The address `n` (≥ 0, < 2^32) places after `ip`, wrapping at the end of the family. */
export function addToIp(ip: Ip, n: number): Ip {
  if (ip.family === 4) return ipv4((ip.d + n) % 2 ** 32)
  const d = ip.d + n
  const c = ip.c + (d > 0xffffffff ? 1 : 0)
  const b = ip.b + (c > 0xffffffff ? 1 : 0)
  const a = ip.a + (b > 0xffffffff ? 1 : 0)
  return ipv6(a, b, c, d)
}

export const UNSPECIFIED: Record<4 | 6, Ip> = { 4: ipv4(0), 6: ipv6(0, 0, 0, 0) }

/** 127.0.0.0/8 (RFC 1122 section 3.2.1.3) or ::1 (RFC 4291 section 2.5.3). */
export function isLoopback(ip: Ip): boolean {
  return ip.family === 4 ? ip.d >>> 24 === 127 : ip.a === 0 && ip.b === 0 && ip.c === 0 && ip.d === 1
}

/** 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291 section 2.7). */
export function isMulticast(ip: Ip): boolean {
  return ip.family === 4 ? ip.d >>> 28 === 14 : ip.a >>> 24 === 0xff
}

/** 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291 section 2.5.6). */
export function isLinkLocal(ip: Ip): boolean {
  return ip.family === 4 ? ip.d >>> 16 === 0xa9fe : ip.a >>> 22 === 0x3fa
}

export function isUnspecified(ip: Ip): boolean {
  return ip.a === 0 && ip.b === 0 && ip.c === 0 && ip.d === 0
}
