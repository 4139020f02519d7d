/** xt_recent (net/netfilter/xt_recent.c, Linux 6.18) without its history: lists are empty until this packet's own rules fill them. */
import { formatIp } from '../../base/ip.ts'
import type { Match } from '../../model/ruleset.ts'
import type { Run, Walk } from './walk.ts'

/**
 * `--set` always matches and remembers; the others match only what an earlier rule remembered for this packet. A client
 * that was seen before may match where this says no: the dump does not hold the lists.
 */
export function recentMatch(_run: Run, walk: Walk, match: Extract<Match, { kind: 'recent' }>): 0 | 1 {
  const ip = match.side === 'src' ? walk.packet.src : walk.packet.dst
  // One list holds addresses, whichever side they came from.
  const key = `${match.name} ${formatIp(ip)}`
  const times = walk.memory.recent.get(key) ?? 0
  const remember = (n: number) => {
    const recent = new Map(walk.memory.recent)
    if (n > 0) recent.set(key, n)
    else recent.delete(key)
    walk.memory = { ...walk.memory, recent }
  }
  let found: boolean
  switch (match.mode) {
    case 'set':
      remember(times + 1)
      found = true
      break
    case 'remove':
      found = times > 0
      if (found) remember(0)
      break
    case 'rcheck':
    case 'update':
      found = times > 0 && (match.hitcount === null || times >= match.hitcount)
      if (found && match.mode === 'update') remember(times + 1)
      break
  }
  return found !== match.negate ? 1 : 0
}
