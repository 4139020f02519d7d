/**
 * Pseudonyms of addresses that keep what routing needs: equal prefixes stay equal, and different ones different.
 * Each bit of the middle of an address is flipped or not by a keyed hash of the bits before it (as Crypto-PAn does).
 */
import { formatIp, type Ip, ipv4, ipv6, maskOf, parseIp } from '../base/ip.ts'
import { sha256 } from '../base/sha256.ts'

export interface AddressMap {
  readonly ip: (ip: Ip) => Ip
  /** Lower or upper case, six groups. */
  readonly mac: (mac: string) => string
}

/**
 * Bits at the start that stay: what makes an address private, shared, loopback or multicast. 32: the address stays.
 * A whole /8 that holds a special range keeps that range's bits, or a neighbour could be mapped into it.
 */
function keptV4(d: number): number {
  const a = d >>> 24
  if (a === 0 || a === 127 || a >= 224 || d >>> 16 === 0xa9fe) return 32
  if (a === 192 || a === 169) return 16
  if (a === 172) return 12
  return a === 100 ? 10 : 8
}

/**
 * The map for one secret `key`. IPv4 keeps its first byte (the first 10, 12 or 16 bits in 100/8, 172/8, 169/8 and 192/8) and its last;
 * IPv6 its first and last 16 bits. Unspecified, loopback, link-local IPv4 and multicast addresses and masks stay.
 */
export function addressMap(key: string): AddressMap {
  const encoder = new TextEncoder()
  const hash = (text: string) => sha256(encoder.encode(`${key}\0${text}`))
  const bits = new Map<string, number>()
  const flip = (prefix: string): number => {
    let bit = bits.get(prefix)
    if (bit === undefined) {
      bit = hash(prefix)[0]! & 1
      bits.set(prefix, bit)
    }
    return bit
  }
  /** Flips bits `from`..`to`-1 of the words; the last of them always, so that no address stays what it was. */
  const permute = (words: readonly number[], from: number, to: number): number[] => {
    const out = [...words]
    let prefix = `${words.length}:`
    for (let i = 0; i < to; i++) {
      const bit = (words[i >>> 5]! >>> (31 - (i & 31))) & 1
      if (i >= from && (i === to - 1 || flip(prefix) === 1))
        out[i >>> 5] = (out[i >>> 5]! ^ (1 << (31 - (i & 31)))) >>> 0
      prefix += bit
    }
    return out
  }
  const solicited = (word: number): number => {
    const h = hash(`solicited ${word & 0xffffff}`)
    return (h[0]! << 16) | (h[1]! << 8) | h[2]!
  }
  const v4 = new Map<number, number>()
  const ip = (x: Ip): Ip => {
    if (x.family === 4) {
      const kept = keptV4(x.d)
      if (kept === 32) return x
      // The last byte stays, so one entry serves a whole /24.
      let middle = v4.get(x.d >>> 8)
      if (middle === undefined) {
        middle = permute([x.d], kept, 24)[0]! >>> 8
        v4.set(x.d >>> 8, middle)
      }
      return ipv4(((middle << 8) | (x.d & 255)) >>> 0)
    }
    if (x.a === 0 && x.b === 0 && (x.c === 0xffff || x.c === 0)) {
      if (x.c === 0 && x.d <= 1) return x
      return ipv6(0, 0, x.c, ip(ipv4(x.d)).d)
    }
    // Solicited-node groups (RFC 4291 section 2.7.1) and their MAC addresses carry the end of an address; other groups nothing.
    if (x.a === 0xff020000 && x.b === 0 && x.c === 1 && x.d >>> 24 === 0xff)
      return ipv6(x.a, 0, 1, (0xff000000 | solicited(x.d)) >>> 0)
    if (x.a >>> 24 === 0xff) return x
    const linkLocal = x.a >>> 22 === 0x3fa
    // An interface identifier made of a MAC address (RFC 4291 appendix A) follows the MAC's pseudonym.
    const fromMac = (x.c & 0xff) === 0xff && x.d >>> 24 === 0xfe
    const [a, b, c, d] = permute([x.a, x.b, x.c, x.d], linkLocal ? 64 : 16, 112) as [number, number, number, number]
    if (!fromMac) return ipv6(a, b, c, d)
    const m = [
      (x.c >>> 24) ^ 2,
      (x.c >>> 16) & 255,
      (x.c >>> 8) & 255,
      (x.d >>> 16) & 255,
      (x.d >>> 8) & 255,
      x.d & 255,
    ]
    const n = mac(m.map((v) => v.toString(16).padStart(2, '0')).join(':'))
      .split(':')
      .map((v) => Number.parseInt(v, 16))
    return ipv6(
      a,
      b,
      (((n[0]! ^ 2) << 24) | (n[1]! << 16) | (n[2]! << 8) | 0xff) >>> 0,
      ((0xfe << 24) | (n[3]! << 16) | (n[4]! << 8) | n[5]!) >>> 0,
    )
  }
  const mac = (text: string): string => {
    const m = text.toLowerCase()
    if (m.startsWith('33:33:ff:')) {
      const n = solicited(Number.parseInt(m.slice(9).replaceAll(':', ''), 16))
      return `33:33:ff:${[n >>> 16, (n >>> 8) & 255, n & 255].map((v) => v.toString(16).padStart(2, '0')).join(':')}`
    }
    // All zeros, broadcast, and the multicast groups of IPv4, IPv6 and bridges are the same everywhere.
    if (/^(00:00:00:00:00:00|ff:ff:ff:ff:ff:ff|33:33:|01:00:5e:|01:80:c2:)/.test(m)) return m
    const bytes = [...hash(`mac ${m}`).subarray(0, 5)].map((v) => v.toString(16).padStart(2, '0'))
    return [m.slice(0, 2), ...bytes].join(':')
  }
  return { ip, mac }
}

/** The pseudonym of `ADDRESS` or `ADDRESS/LENGTH` in text form; null when it is neither. A network keeps its host bits zero. */
export function mapAddressText(text: string, map: AddressMap): string | null {
  const slash = text.indexOf('/')
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (!ip) return null
  const mapped = map.ip(ip)
  if (slash < 0) return formatIp(mapped)
  const length = Number(text.slice(slash + 1))
  if (length > (ip.family === 4 ? 32 : 128)) return formatIp(mapped) + text.slice(slash)
  const m = maskOf(ip.family, length)
  const network = ((ip.a & ~m.a) | (ip.b & ~m.b) | (ip.c & ~m.c) | (ip.d & ~m.d)) === 0
  const { family, a, b, c, d } = mapped
  const masked: Ip = { family, a: (a & m.a) >>> 0, b: (b & m.b) >>> 0, c: (c & m.c) >>> 0, d: (d & m.d) >>> 0 }
  return formatIp(network ? masked : mapped) + text.slice(slash)
}
