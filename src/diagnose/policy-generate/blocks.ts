/** Addresses outside to the fewest ipBlocks that hold exactly them; very many public ones to all public addresses. */
import { compareIp, formatPrefix, type Ip, networkOf, type Prefix, parsePrefix, prefixContains } from '../../base/ip.ts'

/** More blocks than this nobody reads or keeps up to date. */
const MOST_BLOCKS = 32

/** Special-use blocks that are not the public internet (RFC 6890). */
const PRIVATE4 = ['10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16']
/** Global unicast (RFC 4291 section 2.4). */
const PUBLIC6 = '2000::/3'

export interface Blocks {
  readonly peers: readonly Readonly<Record<string, unknown>>[]
  /** It holds more than the addresses. */
  readonly wide: boolean
}

export function blocksFor(ips: readonly Ip[]): Blocks {
  const exact = merged(ips)
  if (exact.length <= MOST_BLOCKS) return { peers: exact.map(blockOf), wide: false }
  const privates = PRIVATE4.map((p) => parsePrefix(p)!)
  const isPublic = (p: Prefix) =>
    p.ip.family === 4 ? !privates.some((x) => prefixContains(x, p.ip)) : prefixContains(parsePrefix(PUBLIC6)!, p.ip)
  const kept = exact.filter((p) => !isPublic(p)).map(blockOf)
  const wide = [
    ...(exact.some((p) => p.ip.family === 4 && isPublic(p))
      ? [{ ipBlock: { cidr: '0.0.0.0/0', except: PRIVATE4 } }]
      : []),
    ...(exact.some((p) => p.ip.family === 6 && isPublic(p)) ? [{ ipBlock: { cidr: PUBLIC6 } }] : []),
  ]
  return { peers: [...kept, ...wide], wide: wide.length > 0 }
}

const blockOf = (p: Prefix) => ({ ipBlock: { cidr: formatPrefix(p) } })

/** Two halves of a block are the block; again until nothing joins. */
function merged(ips: readonly Ip[]): Prefix[] {
  let list = [...ips].sort(compareIp).map((ip): Prefix => ({ ip, length: ip.family === 4 ? 32 : 128 }))
  list = list.filter((p, i) => i === 0 || compareIp(p.ip, list[i - 1]!.ip) !== 0)
  for (let joined = true; joined; ) {
    joined = false
    const next: Prefix[] = []
    for (const p of list) {
      const last = next.at(-1)
      const parent =
        last && last.length === p.length && p.length > 0 ? networkOf({ ip: last.ip, length: p.length - 1 }) : null
      if (last && parent && compareIp(parent.ip, last.ip) === 0 && prefixContains(parent, p.ip)) {
        next[next.length - 1] = parent
        joined = true
      } else next.push(p)
    }
    list = next
  }
  return list
}
