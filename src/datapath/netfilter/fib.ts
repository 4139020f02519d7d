/** Routing-table questions of rules: address types and reverse paths (xt_addrtype, xt_rpfilter, nft_fib; Linux 6.18). */
import { type Ip, isUnspecified } from '../../base/ip.ts'
import type { AddressType } from '../../model/ruleset.ts'
import { type Certain, unknown } from './got.ts'
import type { LinkView } from './types.ts'
import type { Run, Walk } from './walk.ts'

type Key = 'saddr' | 'daddr' | 'mark' | 'iif' | 'oif'
type Result = 'type' | 'oif' | 'oifname' | 'present'

/** nft `fib KEYS RESULT`. */
export function readFib(run: Run, walk: Walk, keys: readonly Key[], result: Result): Certain {
  const address = keys.includes('saddr') ? walk.packet.src : walk.packet.dst
  const link = keys.includes('iif') ? run.in : keys.includes('oif') ? run.out : null
  if (link?.unknown) return unknown('the link of a FIB lookup is not known')
  if (result === 'type') {
    const type = run.around.addressType(address, link?.name ?? null)
    return type ?? unknown(`the type of an address is not known`)
  }
  const found = lookup(run, walk, keys, address, link)
  if (found === null) return unknown('a FIB lookup of a rule is not known')
  if (result === 'present') return found === 'none' ? 0 : 1
  if (found === 'none') return result === 'oif' ? 0 : ''
  return result === 'oif' ? found.ifindex : found.link
}

/** nft_fib4_eval: loopback traffic answers its own link, only unicast routes count, others are as if there were none. */
function lookup(run: Run, walk: Walk, keys: readonly Key[], address: Ip, link: LinkView | null) {
  if (run.in !== null && run.in.name === 'lo' && (run.hook === 'prerouting' || run.hook === 'input'))
    return { ifindex: run.in.ifindex, link: run.in.name, type: 'unicast' as const }
  if (keys.includes('saddr') && isUnspecified(walk.packet.src)) return null
  const fromSource = keys.includes('saddr')
  const found = run.around.fib({
    dst: address,
    src: fromSource ? walk.packet.dst : null,
    mark: keys.includes('mark') ? walk.packet.mark : 0,
    iif: null,
    oif: link?.name ?? null,
  })
  if (found === null || found === 'none') return found
  return found.type === 'unicast' ? found : ('none' as const)
}

/** Whether an address is of one of the types, in the words of xt_addrtype and `fib … type`; null when not known. */
export function isOfType(
  run: Run,
  address: Ip,
  types: readonly AddressType[],
  limit: 'in' | 'out' | null,
): boolean | null {
  const link = limit === 'in' ? run.in : limit === 'out' ? run.out : null
  if (link?.unknown) return null
  const type = run.around.addressType(address, link?.name ?? null)
  return type === null ? null : types.includes(type)
}

/** xt_rpfilter: the route back to the source leaves by the link the packet came in on. True: the test passes. */
export function reversePathHolds(
  run: Run,
  walk: Walk,
  options: { readonly loose: boolean; readonly validmark: boolean; readonly acceptLocal: boolean },
): boolean | null {
  const { packet } = walk
  if (run.in === null || run.in.name === 'lo') return true
  // rpfilter_mt: multicast and limited-broadcast destinations of unspecified sources pass.
  if (
    isUnspecified(packet.src) &&
    (packet.dst.family === 6 || packet.dst.d === 0xffffffff || packet.dst.d >>> 28 === 14)
  )
    return true
  if (run.in.unknown) return null
  const found = run.around.fib({
    dst: packet.src,
    src: packet.dst,
    mark: options.validmark ? packet.mark : 0,
    iif: null,
    oif: null,
  })
  if (found === null) return null
  if (found === 'none') return false
  if (found.type !== 'unicast' && !(found.type === 'local' && options.acceptLocal)) return false
  return options.loose || found.ifindex === run.in.ifindex
}
