/** Testing a packet against an ipset (xt_set, net/netfilter/ipset/ip_set_hash_*.c, Linux 6.18). */
import { compareIp, type Ip, ipEquals } from '../../base/ip.ts'
import { hasPorts, ICMP, ICMPV6, SCTP, TCP, UDP } from '../../base/protocol.ts'
import type { IpSet, IpSetEntry, IpSetPart } from '../../model/ruleset.ts'
import { dportOf, type Run, sportOf, type Walk } from './walk.ts'

type Dirs = readonly ('src' | 'dst')[]

interface SetIndex {
  /** Entries by the first address, when that is a single one. */
  readonly exact: ReadonlyMap<string, readonly IpSetEntry[]>
  /** Entries whose first part is a range or no address, most specific first. */
  readonly rest: readonly IpSetEntry[]
}

const indexes = new WeakMap<IpSet, SetIndex>()
const keyOf = (ip: Ip) => (ip.family === 4 ? `${ip.d}` : `${ip.a}:${ip.b}:${ip.c}:${ip.d}`)

/** Size of a range of addresses, good enough to order nested prefixes. */
function width(part: IpSetPart | undefined): number {
  if (part?.kind !== 'net') return 0
  const { from, to } = part
  return (to.a - from.a) * 2 ** 96 + (to.b - from.b) * 2 ** 64 + (to.c - from.c) * 2 ** 32 + (to.d - from.d)
}

function indexOf(set: IpSet): SetIndex {
  const known = indexes.get(set)
  if (known) return known
  const exact = new Map<string, IpSetEntry[]>()
  const rest: IpSetEntry[] = []
  for (const entry of set.entries()) {
    const first = entry.parts[0]
    if (first?.kind === 'net' && ipEquals(first.from, first.to)) {
      const key = keyOf(first.from)
      const list = exact.get(key)
      if (list) list.push(entry)
      else exact.set(key, [entry])
    } else rest.push(entry)
  }
  const order = (x: IpSetEntry, y: IpSetEntry) => {
    for (let i = 0; i < x.parts.length; i++) {
      const d = width(x.parts[i]) - width(y.parts[i])
      if (d !== 0) return d
    }
    return 0
  }
  rest.sort(order)
  for (const list of exact.values()) list.sort(order)
  const index = { exact, rest }
  indexes.set(set, index)
  return index
}

/** True, false, or null when it cannot be decided. Sets inside a list:set are looked up by name. */
export function inIpSet(run: Run, walk: Walk, name: string, dirs: Dirs, depth = 0): boolean | null {
  const set = run.around.ipsets.get(name)
  if (!set || depth > 4) return null
  if (walk.memory.touched.has(`ipset ${name}`)) return null
  if (set.type === 'list:set') {
    let undecided = false
    for (const entry of set.entries()) {
      const part = entry.parts[0]
      if (part?.kind !== 'set') continue
      const inside = inIpSet(run, walk, part.name, dirs, depth + 1)
      if (inside === true) return true
      if (inside === null) undecided = true
    }
    return undecided ? null : false
  }
  // bitmap:port has no family; the others match packets of their own family only (ip_set_test).
  if (set.type !== 'bitmap:port' && set.type !== 'hash:mac' && set.family !== run.family) return false
  const dimensions = set.type.slice(set.type.indexOf(':') + 1).split(',').length
  if (dirs.length < dimensions) return false
  const index = indexOf(set)
  const first = dirs[0] === 'src' ? walk.packet.src : walk.packet.dst
  let undecided = false
  // Most specific first: the first entry that covers the packet decides, a `nomatch` one against it.
  for (const list of [index.exact.get(keyOf(first)) ?? [], index.rest]) {
    for (const entry of list) {
      const covered = covers(run, walk, set, entry, dirs)
      if (covered === true) return undecided ? null : !entry.nomatch
      if (covered === null) undecided = true
    }
  }
  return undecided ? null : false
}

function covers(run: Run, walk: Walk, set: IpSet, entry: IpSetEntry, dirs: Dirs): boolean | null {
  let undecided = false
  for (let i = 0; i < entry.parts.length; i++) {
    const one = coversPart(run, walk, set, entry.parts[i]!, dirs[i] ?? 'src')
    if (one === false) return false
    if (one === null) undecided = true
  }
  return undecided ? null : true
}

function coversPart(run: Run, walk: Walk, set: IpSet, part: IpSetPart, dir: 'src' | 'dst'): boolean | null {
  const p = walk.packet
  switch (part.kind) {
    case 'net': {
      const ip = dir === 'src' ? p.src : p.dst
      return ip.family === part.from.family && compareIp(ip, part.from) >= 0 && compareIp(ip, part.to) <= 0
    }
    case 'port': {
      // ip_set_get_ip_port serves bitmap:port for TCP and UDP alone; hash types compare the protocol as well.
      if (set.type === 'bitmap:port' && p.protocol !== TCP && p.protocol !== UDP) return false
      if (part.protocol !== null && part.protocol !== p.protocol) return false
      const port = portOf(walk, dir)
      return port < 0 ? null : port >= part.from && port <= part.to
    }
    case 'mac':
      return null
    case 'link': {
      const link = dir === 'src' ? run.in : run.out
      if (link?.unknown) return null
      if (part.name.startsWith('physdev:')) {
        const port = dir === 'src' ? run.physIn : run.physOut
        return port !== null && port.name === part.name.slice(8)
      }
      return link !== null && link.name === part.name
    }
    case 'mark':
      return p.mark === part.value
    case 'set':
    case 'opaque':
      return null
  }
}

/** ip_set_get_ip4_port: ports, or type and code of ICMP, or 0. */
function portOf(walk: Walk, dir: 'src' | 'dst'): number {
  const p = walk.packet
  if (hasPorts(p.protocol) && (p.protocol === TCP || p.protocol === UDP || p.protocol === SCTP || p.protocol === 136))
    return dir === 'src' ? sportOf(walk) : dportOf(walk)
  if (p.protocol === ICMP || p.protocol === ICMPV6) return p.icmp ? p.icmp.type * 256 + p.icmp.code : -1
  return 0
}
