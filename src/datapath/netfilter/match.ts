/** Whether one match of a rule holds for a packet (xt_* matches and nft expressions, Linux 6.18). */
import { compareIp, isMulticast, isUnspecified, matchesMask } from '../../base/ip.ts'
import { hasPorts, ICMP, ICMPV6, TCP } from '../../base/protocol.ts'
import { CT_STATE_BITS, type Match, type NamedSet, type SetRef, type Value } from '../../model/ruleset.ts'
import { isDstNat, isSrcNat } from '../conntrack/entry.ts'
import { evaluate, find, pair } from './expression.ts'
import { isOfType, reversePathHolds } from './fib.ts'
import { hasSocket, stateOf } from './field.ts'
import { type Certain, compareValues, type Got, isIp, isSpecial, valueEquals } from './got.ts'
import { inIpSet } from './ipset.ts'
import { recentMatch } from './recent.ts'
import type { Connection, LinkView } from './types.ts'
import { dportOf, type Place, type Run, sportOf, type Walk } from './walk.ts'

/** Chance that the match holds: 1 yes, 0 no, between by lot, UNDECIDED when it cannot be told (the reason is in `run.why`). */
export type Chance = number
export const UNDECIDED: Chance = -1

export function matches(run: Run, walk: Walk, place: Place, match: Match): Chance {
  const p = walk.packet
  switch (match.kind) {
    case 'address': {
      const ip = match.side === 'src' ? p.src : p.dst
      if (ip.family !== match.addr.family) return 0
      return yes(matchesMask(ip, match.addr, match.mask) !== match.negate)
    }
    case 'addressRange': {
      const ip = match.side === 'src' ? p.src : p.dst
      if (ip.family !== match.from.family) return 0
      return yes((compareIp(ip, match.from) >= 0 && compareIp(ip, match.to) <= 0) !== match.negate)
    }
    case 'protocol':
      return yes((p.protocol === match.protocol) !== match.negate)
    case 'port':
      return port(run, walk, match)
    case 'link':
      return link(run, match)
    case 'physdev':
      return physdev(run, match)
    case 'ctState':
      return ctState(walk, match)
    case 'ctStatus':
      return ctStatus(run, walk, match)
    case 'mark': {
      const mark = match.of === 'packet' ? p.mark : (walk.connection?.entry.mark ?? (walk.template ? 0 : null))
      if (mark === null) return 0
      return yes(((mark & match.mask) >>> 0 === match.value >>> 0) !== match.negate)
    }
    case 'addressType':
      return addressType(run, walk, place, match)
    case 'tcpFlags':
      if (p.protocol !== TCP) return 0
      return yes(((p.tcpFlags & match.mask) === match.comp) !== match.negate)
    case 'icmpType': {
      if (p.protocol !== (match.family === 4 ? ICMP : ICMPV6)) return 0
      if (!p.icmp) return undecided(run, 'the ICMP type is not known')
      // 255 is iptables' "any".
      const same =
        (match.type === 255 && match.family === 4) ||
        (p.icmp.type === match.type && p.icmp.code >= match.codes[0] && p.icmp.code <= match.codes[1])
      return yes(same !== match.negate)
    }
    case 'random':
      return lot(match.negate ? 1 - match.probability : match.probability)
    case 'nth':
      return lot(match.negate ? 1 - 1 / match.every : 1 / match.every)
    case 'ipset': {
      if (match.dirs.length === 0) return undecided(run, `not understood: ${match.text ?? match.name}`)
      const inside = inIpSet(run, walk, match.name, match.dirs)
      if (inside === null) return undecided(run, `what ipset ${match.name} holds for this packet is not known`)
      return yes(inside !== match.negate)
    }
    case 'recent':
      return recentMatch(run, walk, match)
    case 'rpfilter': {
      const holds = reversePathHolds(run, walk, match)
      if (holds === null) return undecided(run, 'the route back to the source is not known')
      return yes(holds !== match.invert)
    }
    case 'rate':
      return undecided(run, `depends on other traffic: ${match.text}`)
    case 'compare':
      return compare(run, walk, place, match)
    case 'in':
      return member(run, walk, place, match)
    case 'anyBit':
      return decide(run, evaluate(run, walk, place, match.left), (v) => {
        if (typeof v !== 'number') return null
        return ((v & match.bits) !== 0) !== match.negate
      })
    case 'always':
      return yes(match.matches)
    case 'opaque':
      return undecided(run, `not understood: ${match.text}`)
  }
}

function yes(holds: boolean): Chance {
  return holds ? 1 : 0
}

function lot(probability: number): Chance {
  return Math.min(1, Math.max(0, probability))
}

export function undecided(run: Run, why: string): Chance {
  run.why = why
  return UNDECIDED
}

/** Sums the chances of all values for which `test` says true; null from `test` is undecidable. */
function decide(run: Run, got: Got, test: (value: Value | readonly Value[]) => boolean | null): Chance {
  if (isSpecial(got) && got.kind === 'choice') {
    let sum = 0
    for (const option of got.options) {
      const one = decideOne(run, option.got, test)
      if (one < 0) return one
      sum += one * option.probability
    }
    return sum > 1 - 1e-12 ? 1 : sum < 1e-12 ? 0 : sum
  }
  return decideOne(run, got as Certain, test)
}

function decideOne(run: Run, got: Certain, test: (value: Value | readonly Value[]) => boolean | null): Chance {
  if (isSpecial(got)) return got.kind === 'break' ? 0 : undecided(run, 'why' in got ? got.why : 'a range of values')
  const holds = test(got)
  return holds === null ? undecided(run, 'values of different kinds are compared') : yes(holds)
}

function port(run: Run, walk: Walk, match: Extract<Match, { kind: 'port' }>): Chance {
  const p = walk.packet
  if (match.protocols === null ? !hasPorts(p.protocol) : !match.protocols.includes(p.protocol)) return 0
  const test = (n: number): boolean | null => (n < 0 ? null : match.ranges.some(([from, to]) => n >= from && n <= to))
  const src = match.side === 'dst' ? false : test(sportOf(walk))
  const dst = match.side === 'src' ? false : test(dportOf(walk))
  if (src === true || dst === true) return yes(!match.negate)
  if (src === null || dst === null) return undecided(run, 'a port of the packet is not known')
  return yes(match.negate)
}

/** No link reads as the empty name, which only a bare wildcard matches (`ip_packet_match`). */
function link(run: Run, match: Extract<Match, { kind: 'link' }>): Chance {
  const view = match.side === 'in' ? run.in : run.out
  if (view?.unknown && !(match.wildcard && match.name === ''))
    return undecided(run, `the ${match.side} link is not known`)
  return yes(nameMatches(view, match.name, match.wildcard) !== match.negate)
}

function nameMatches(view: LinkView | null, name: string, wildcard: boolean): boolean {
  const own = view?.name ?? ''
  return wildcard ? own.startsWith(name) : own === name
}

/** xt_physdev: off a bridge only the inverted forms hold. */
function physdev(run: Run, match: Extract<Match, { kind: 'physdev' }>): Chance {
  const view = match.side === 'in' ? run.physIn : run.physOut
  if (match.side === 'bridged') return yes((run.physIn !== null && run.physOut !== null) !== match.negate)
  if (view === null) return yes(match.negate)
  if (view.unknown) return undecided(run, 'the bridge port is not known')
  return yes((match.name === null || nameMatches(view, match.name, match.wildcard)) !== match.negate)
}

/** xt_conntrack's state bits: the state, and whether the connection is translated. */
function ctState(walk: Walk, match: Extract<Match, { kind: 'ctState' }>): Chance {
  const c = walk.connection
  const state = stateOf(walk)
  const holds = match.states.some((s) =>
    s === 'snat'
      ? c !== null && isSrcNat(c.entry)
      : s === 'dnat'
        ? c !== null && isDstNat(c.entry)
        : CT_STATE_BITS[s] === CT_STATE_BITS[state],
  )
  return yes(holds !== match.negate)
}

function ctStatus(run: Run, walk: Walk, match: Extract<Match, { kind: 'ctStatus' }>): Chance {
  const c = walk.connection
  // conntrack_mt without a connection: no comparison but that of states can hold.
  if (c === null) return 0
  const holds = match.statuses.some((s) => hasStatus(c, s))
  // A first packet that comes back over lo was confirmed when it left.
  if (!holds && match.statuses.includes('confirmed') && c.fresh && run.in?.name === 'lo')
    return undecided(run, 'whether the connection is confirmed is not known')
  return yes(holds !== match.negate)
}

function hasStatus(c: Connection, status: Extract<Match, { kind: 'ctStatus' }>['statuses'][number]): boolean {
  switch (status) {
    // `NONE` is an empty mask: it never matches.
    case 'none':
    case 'dying':
      return false
    case 'expected':
      return c.state === 'related'
    case 'seen-reply':
      return c.entry.seenReply || c.direction === 'reply'
    case 'assured':
      return c.entry.assured
    case 'confirmed':
      return !c.fresh
    case 'snat':
      return isSrcNat(c.entry)
    case 'dnat':
      return isDstNat(c.entry)
  }
}

function addressType(run: Run, walk: Walk, place: Place, match: Extract<Match, { kind: 'addressType' }>): Chance {
  const ip = match.side === 'src' ? walk.packet.src : walk.packet.dst
  const { types } = match
  if (ip.family === 6 && place.ruleset.backend !== 'nft') {
    // match_type6: multicast, unicast and unspec are asked of the address itself, and all that are named must hold.
    const own = (t: string) =>
      t === 'multicast' ? isMulticast(ip) : t === 'unicast' ? !isMulticast(ip) && !isUnspecified(ip) : isUnspecified(ip)
    const itself = types.filter((t) => t === 'multicast' || t === 'unicast' || t === 'unspec')
    const routed = types.filter((t) => t === 'local' || t === 'anycast' || t === 'prohibit' || t === 'unreachable')
    if (itself.some((t) => !own(t))) return yes(match.negate)
    if (routed.length === 0) return yes(!match.negate)
    const found = isOfType(run, ip, routed, match.limit)
    return found === null ? undecided(run, 'the type of an address is not known') : yes(found !== match.negate)
  }
  const found = isOfType(run, ip, types, match.limit)
  return found === null ? undecided(run, 'the type of an address is not known') : yes(found !== match.negate)
}

function compare(run: Run, walk: Walk, place: Place, match: Extract<Match, { kind: 'compare' }>): Chance {
  const { op, left } = match
  if (left.kind === 'field') {
    if (left.field === 'meta.random' && match.right.kind === 'literal' && typeof match.right.value === 'number')
      return randomBelow(run, op, match.right.value)
    // owner_mt: without a socket the inverted form holds; nft ends the rule.
    if (
      (left.field === 'meta.skuid' || left.field === 'meta.skgid') &&
      place.ruleset.backend !== 'nft' &&
      !hasSocket(run)
    )
      return yes(op === 'ne')
  }
  return decide(
    run,
    pair(run, walk, place, byName(left, match.right), match.right, (x, y) => holds(op, x, y)),
    (v) => (typeof v === 'number' ? v === 1 : null),
  )
}

/** nft prints `iif` by name: compare names, the dump does not tell the index. */
function byName(
  left: Extract<Match, { kind: 'compare' }>['left'],
  right: Extract<Match, { kind: 'compare' }>['right'],
) {
  if (left.kind !== 'field' || right.kind !== 'literal' || typeof right.value !== 'string') return left
  if (left.field === 'meta.iif') return { kind: 'field', field: 'meta.iifname' } as const
  if (left.field === 'meta.oif') return { kind: 'field', field: 'meta.oifname' } as const
  return left
}

function holds(
  op: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge',
  x: Value | readonly Value[],
  y: Value | readonly Value[],
): Certain {
  const xs = Array.isArray(x) ? (x as readonly Value[]) : [x as Value]
  const ys = Array.isArray(y) ? (y as readonly Value[]) : [y as Value]
  if (xs.length !== ys.length) return { kind: 'unknown', why: 'values of different shapes are compared' }
  if (xs.some((v, i) => sort(v) !== sort(ys[i]!)))
    return { kind: 'unknown', why: 'values of different kinds are compared' }
  if (op === 'eq' || op === 'ne') return xs.every((v, i) => valueEquals(v, ys[i]!)) === (op === 'eq') ? 1 : 0
  const order = xs.length === 1 ? compareValues(xs[0]!, ys[0]!) : null
  if (order === null) return { kind: 'unknown', why: 'values that have no order are compared' }
  return (op === 'lt' ? order < 0 : op === 'le' ? order <= 0 : op === 'gt' ? order > 0 : order >= 0) ? 1 : 0
}

const sort = (v: Value) => (isIp(v) ? 'ip' : typeof v)

/** `meta random`: 32 random bits. */
function randomBelow(run: Run, op: string, value: number): Chance {
  const share = value / 2 ** 32
  if (op === 'lt' || op === 'le') return lot(share)
  if (op === 'gt' || op === 'ge') return lot(1 - share)
  return undecided(run, 'meta random compared for equality')
}

function member(run: Run, walk: Walk, place: Place, match: Extract<Match, { kind: 'in' }>): Chance {
  const left = namesOf(match.left, match.set)
  const got = evaluate(run, walk, place, left)
  if (isSpecial(got) && got.kind === 'choice') {
    let sum = 0
    for (const option of got.options) {
      const one = memberOne(run, walk, place, match, option.got)
      if (one < 0) return one
      sum += one * option.probability
    }
    return lot(sum > 1 - 1e-12 ? 1 : sum)
  }
  return memberOne(run, walk, place, match, got as Certain)
}

function memberOne(run: Run, walk: Walk, place: Place, match: Extract<Match, { kind: 'in' }>, key: Certain): Chance {
  // An expression without a value ends the rule, also under `!=`.
  if (isSpecial(key) && key.kind === 'break') return 0
  const found = find(walk, place, match.set, key)
  if (found === 'undecided') {
    const name = match.set.kind === 'named' ? `set ${match.set.name}` : 'a set'
    return undecided(run, isSpecial(key) && 'why' in key ? key.why : `what ${name} holds is not known`)
  }
  return yes((found !== null) !== match.negate)
}

function namesOf(left: Extract<Match, { kind: 'in' }>['left'], ref: SetRef) {
  if (left.kind !== 'field' || (left.field !== 'meta.iif' && left.field !== 'meta.oif')) return left
  const set: NamedSet | null = ref.kind === 'anonymous' ? ref.set : null
  const first = set?.elements()[0]?.key[0]?.from
  if (typeof first !== 'string') return left
  return { kind: 'field', field: left.field === 'meta.iif' ? 'meta.iifname' : 'meta.oifname' } as const
}
