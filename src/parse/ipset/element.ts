/**
 * One element of an ipset: the text before the options, component by component. Sources: man ipset (7.17), SET TYPES;
 * kernel net/netfilter/ipset/ip_set_hash_*.c, ip_set_bitmap_*.c and ip_set_getport.c (6.18).
 */
import { compareIp, type Ip, ipv6, maskOf, networkOf, parseIp, parsePrefix } from '../../base/ip.ts'
import { ICMP, ICMPV6, protocolNumber } from '../../base/protocol.ts'
import type { IpSetPart } from '../../model/ruleset.ts'
import { icmpTypeOf } from './icmp.ts'

/** What the `create` line says that changes how elements are read. */
export interface SetShape {
  readonly type: string
  /** `hash:ip,port` → `['ip', 'port']`. */
  readonly dimensions: readonly string[]
  readonly family: 4 | 6
  /** `netmask` of the set: addresses are masked before they are stored and before they are looked up. */
  readonly netmask: number | null
  /** An option that changes what elements cover and that is not modelled. */
  readonly odd: string | null
}

function lastOf(from: Ip, length: number): Ip {
  const m = maskOf(from.family, length)
  return from.family === 4
    ? { ...from, d: (from.d | ~m.d) >>> 0 }
    : ipv6(from.a | ~m.a, from.b | ~m.b, from.c | ~m.c, from.d | ~m.d)
}

/** `ADDRESS`, `ADDRESS/LENGTH` or `FROM-TO`, as the range it covers in a set of `shape`; null when it is none of these. */
export function parseNet(text: string, shape: SetShape): Extract<IpSetPart, { kind: 'net' }> | null {
  const dash = text.indexOf('-')
  if (dash >= 0) {
    const from = parseIp(text.slice(0, dash))
    const to = parseIp(text.slice(dash + 1))
    if (!from || !to || from.family !== shape.family || to.family !== shape.family) return null
    const [low, high] = compareIp(from, to) <= 0 ? [from, to] : [to, from]
    return { kind: 'net', from: masked(low, shape), to: shape.netmask === null ? high : lastOf(high, shape.netmask) }
  }
  const prefix = parsePrefix(text)
  if (!prefix || prefix.ip.family !== shape.family) return null
  const length = Math.min(prefix.length, shape.netmask ?? 128)
  const from = networkOf({ ip: prefix.ip, length }).ip
  return { kind: 'net', from, to: lastOf(from, length) }
}

function masked(ip: Ip, shape: SetShape): Ip {
  return shape.netmask === null ? ip : networkOf({ ip, length: shape.netmask }).ip
}

const portNumber = (text: string): number | null =>
  /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : null

/** `80`, `80-90`, null for anything else (service names depend on the machine). */
function parseRange(text: string): readonly [number, number] | null {
  const dash = text.indexOf('-')
  const from = portNumber(dash < 0 ? text : text.slice(0, dash))
  const to = dash < 0 ? from : portNumber(text.slice(dash + 1))
  if (from === null || to === null) return null
  return from <= to ? [from, to] : [to, from]
}

/**
 * `tcp:80`, `udp:1-9`, `icmp:echo-request`, `ipv6-icmp:128/0`, `gre:0`. Without a protocol it is TCP in hash types, and null
 * (TCP and UDP alike) in `bitmap:port`. An ICMP type and code become `type × 256 + code`, as the kernel's get_port does.
 */
export function parsePort(text: string, type: string): Extract<IpSetPart, { kind: 'port' }> | null {
  const colon = text.indexOf(':')
  const rest = text.slice(colon + 1)
  if (colon < 0) {
    const range = parseRange(rest)
    return range && { kind: 'port', protocol: type === 'bitmap:port' ? null : 6, from: range[0], to: range[1] }
  }
  const protocol = protocolNumber(text.slice(0, colon))
  if (protocol === null || type === 'bitmap:port') return null
  if (protocol === ICMP || protocol === ICMPV6) {
    const port = icmpTypeOf(protocol, rest)
    return port === null ? null : { kind: 'port', protocol, from: port, to: port }
  }
  const range = parseRange(rest)
  return range && { kind: 'port', protocol, from: range[0], to: range[1] }
}

/** The components of an element; one that is not understood is opaque, and so is an element of the wrong number of them. */
export function parseElement(text: string, shape: SetShape, flags: { readonly wildcard: boolean }): IpSetPart[] {
  if (shape.odd !== null) return [{ kind: 'opaque', why: shape.odd }]
  if (shape.dimensions[0] === 'set') return [{ kind: 'set', name: text }]
  const fields = text.split(',')
  const n = shape.dimensions.length
  // bitmap:ip,mac: the first packet from an address fills in its MAC address.
  if (shape.type === 'bitmap:ip,mac' && fields.length === 1) fields.push('')
  // Only a link name may hold a comma, and it is always the last component.
  if (fields.length > n && shape.dimensions[n - 1] === 'iface')
    fields.splice(n - 1, fields.length, fields.slice(n - 1).join(','))
  if (fields.length !== n) return [{ kind: 'opaque', why: `${fields.length} components where the type has ${n}` }]
  return fields.map((field, i) => {
    const part = parseComponent(shape.dimensions[i]!, field, shape, flags)
    return typeof part === 'string' ? { kind: 'opaque', why: part } : part
  })
}

function parseComponent(
  dimension: string,
  text: string,
  shape: SetShape,
  flags: { readonly wildcard: boolean },
): IpSetPart | string {
  switch (dimension) {
    case 'ip':
    case 'net':
      return parseNet(text, shape) ?? `not an IPv${shape.family} address or network: ${text}`
    case 'port':
      return parsePort(text, shape.type) ?? `not a port: ${text}`
    case 'mac':
      if (text === '') return 'the MAC address is not filled in yet'
      return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)
        ? { kind: 'mac', mac: text.toLowerCase() }
        : `not a MAC address: ${text}`
    case 'mark':
      return /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) && Number(text) <= 0xffffffff
        ? { kind: 'mark', value: Number(text) }
        : `not a mark: ${text}`
    case 'iface':
      return flags.wildcard ? 'a link name that is a prefix is not modelled' : { kind: 'link', name: text }
    default:
      return `component ${dimension} is not known`
  }
}
