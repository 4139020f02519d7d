/** “Anywhere outside” as addresses: one for every range that the policies' blocks tell apart. */
import {
  addToIp,
  formatPrefix,
  type Ip,
  ipv4,
  ipv6,
  maskOf,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
} from '../base/ip.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'

export interface OutsideAddress {
  readonly ip: Ip
  /** The range it stands for: `10.0.0.0/8`, `any other address`. */
  readonly range: string
}

/** Most ranges asked about. */
const MAX_RANGES = 200
/** TEST-NET-3 and the documentation prefix: nobody's addresses (RFC 5737, RFC 3849). */
const ELSEWHERE = ['203.0.113.1', '2001:db8::1', '198.51.100.1', '192.0.2.1', '9.9.9.9', '2600::1'] as const

/**
 * Addresses of a family that are of no pod, node or Service, one for each block a policy names and one of no block.
 * `complete` false: there are more ranges than are asked about.
 */
export function outsideAddresses(
  objects: KubeObjects,
  family: 4 | 6,
): { readonly addresses: readonly OutsideAddress[]; readonly complete: boolean } {
  const blocks = blocksOf(objects).filter((b) => b.ip.family === family)
  const inside = ownRanges(objects).filter((p) => p.ip.family === family)
  const isFree = (ip: Ip) => !inside.some((p) => prefixContains(p, ip))
  const out: OutsideAddress[] = []
  for (const block of blocks.slice(0, MAX_RANGES)) {
    const nested = blocks.filter((b) => b.length > block.length && prefixContains(block, b.ip))
    const candidates = [block.ip, addToIp(block.ip, 1), ...[...nested, ...inside].map(behind)]
    const ip = candidates.find(
      (c) => prefixContains(block, c) && !nested.some((n) => prefixContains(n, c)) && isFree(c),
    )
    if (ip) out.push({ ip, range: formatPrefix(block) })
  }
  const spare = [...ELSEWHERE.flatMap((t) => parseIp(t) ?? []), ...blocks.map(behind)]
  const ip = spare.find((c) => c.family === family && !blocks.some((b) => prefixContains(b, c)) && isFree(c))
  if (ip) out.push({ ip, range: blocks.length === 0 ? 'any address' : 'any other address' })
  return { addresses: out, complete: blocks.length <= MAX_RANGES }
}

/** The address after the last of a block; wraps at the end of the family. */
function behind({ ip, length }: Prefix): Ip {
  const mask = maskOf(ip.family, length)
  const end = (word: number, bits: number) => (word | ~bits) >>> 0
  const last =
    ip.family === 4
      ? ipv4(end(ip.d, mask.d))
      : ipv6(end(ip.a, mask.a), end(ip.b, mask.b), end(ip.c, mask.c), end(ip.d, mask.d))
  return addToIp(last, 1)
}

const known = new WeakMap<KubeObjects, Prefix[]>()

/** Every block that stands anywhere in a policy, of whatever dialect, without doubles. */
export function blocksOf(objects: KubeObjects): Prefix[] {
  const before = known.get(objects)
  if (before) return before
  const found = new Map<string, Prefix>()
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'string') {
      const prefix = /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(value) ? parsePrefix(value) : null
      if (prefix) found.set(formatPrefix(networkOf(prefix)), networkOf(prefix))
    } else if (typeof value === 'object' && value !== null && depth < 12)
      for (const item of Array.isArray(value) ? value : Object.values(value)) visit(item, depth + 1)
  }
  for (const o of objects.others) if (/(Policy|NetworkSet|CIDRGroup)$/.test(o.kind)) visit(o.raw.spec, 0)
  const blocks = [...found.values()]
  known.set(objects, blocks)
  return blocks
}

function ownRanges(objects: KubeObjects): Prefix[] {
  const texts = [
    ...objects.pods.flatMap((p) => [...p.podIPs, p.hostIP ?? '']),
    ...objects.nodes.flatMap((n) => [...n.addresses.map((a) => a.address), ...n.podCIDRs]),
    ...objects.services.flatMap((s) => [...s.clusterIPs, ...s.externalIPs]),
  ]
  return texts.flatMap((text) => {
    const ip = parseIp(text)
    if (ip) return [{ ip, length: ip.family === 4 ? 32 : 128 }]
    const prefix = parsePrefix(text)
    return prefix ? [networkOf(prefix)] : []
  })
}
