/** One new connection through saved rulesets, without the rest of the machine: what `netwhy rules eval` answers. */
import { type Ip, ipEquals, isLoopback, isMulticast } from '../../base/ip.ts'
import { ICMP, ICMPV6, TCP } from '../../base/protocol.ts'
import type { ConntrackEntry, CtState } from '../../model/conntrack.ts'
import { type Packet, TCP_FLAGS } from '../../model/packet.ts'
import type { AddressType, Hook, IpSet, RejectWith, Ruleset } from '../../model/ruleset.ts'
import { newEntry } from '../conntrack/entry.ts'
import { runHook } from './hook.ts'
import type { Connection, HookOutcome, LinkView, Passage, RuleHit, Surroundings } from './types.ts'

/** What is asked. Whatever is left out is not known: a rule that needs it makes the outcome unknown. */
export interface Query {
  readonly src: Ip
  readonly dst: Ip
  readonly protocol: number
  readonly sport?: number
  readonly dport?: number
  /** Addresses of this machine; loopback addresses always are. */
  readonly localIps: readonly Ip[]
  readonly in?: string
  readonly out?: string
  /** Addresses of the in and out link, primary first. */
  readonly inAddresses?: readonly Ip[]
  readonly outAddresses?: readonly Ip[]
  /** As the packet arrives; forwarding takes one off before the forward hook. Default 64. */
  readonly ttl?: number
  readonly dscp?: number
  /** Bytes of the IP packet. */
  readonly length?: number
  readonly mark?: number
  /** Default: what conntrack makes of a first packet, which is `new` for the packets this builds by default. */
  readonly ctState?: CtState
  readonly uid?: number
  /** Default SYN. */
  readonly tcpFlags?: number
  /** Default an echo request. */
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number }
}

export interface Outcome {
  readonly probability: number
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown'
  readonly rejectWith?: RejectWith
  /** The packet at its end. Ports below zero were not given. */
  readonly packet: Packet
  /** True when the packet ends on this machine. */
  readonly local: boolean
  readonly translated: boolean
  /** A MASQUERADE matched. */
  readonly masquerade: boolean
  /** The port was drawn by the kernel: the one in `packet` is one of many. */
  readonly drawnPorts: { readonly sport: boolean; readonly dport: boolean }
  readonly rules: readonly RuleHit[]
  readonly decided?: RuleHit
  readonly byPolicy?: boolean
  readonly unknowns: readonly string[]
  readonly connection: ConntrackEntry | null
}

/**
 * Follows the packet as the kernel does. From this machine: output, postrouting, and when the destination is (or becomes)
 * local also prerouting and input on lo. From elsewhere: prerouting, then input or forward and postrouting.
 */
export function evaluateRuleset(
  rulesets: readonly Ruleset[],
  ipsets: ReadonlyMap<string, IpSet>,
  query: Query,
): Outcome[] {
  const packet = packetOf(query)
  const isLocal = (ip: Ip) => isLoopback(ip) || query.localIps.some((own) => ipEquals(own, ip))
  const course: Course = {
    around: surroundingsOf(rulesets, ipsets, query, packet, isLocal),
    isLocal,
    in: linkOf(query.in, query.inAddresses),
    out: linkOf(query.out, query.outAddresses),
    done: [],
    original: packet,
  }
  const sentHere = isLocal(query.src)
  const passage: Passage = {
    packet,
    connection: query.ctState === 'related' ? related(packet) : null,
    untracked: query.ctState === 'untracked',
    ...(query.ctState === 'invalid' ? { invalid: true } : {}),
    in: sentHere ? null : course.in,
    out: null,
    physIn: null,
    physOut: null,
    uid: query.uid ?? null,
  }
  const start: Leg = { passage, probability: 1, rules: [], masquerade: false }
  if (sentHere) leave(course, start)
  else arrive(course, start)
  return course.done
}

interface Course {
  readonly around: Surroundings
  readonly isLocal: (ip: Ip) => boolean
  readonly in: LinkView
  readonly out: LinkView
  readonly done: Outcome[]
  readonly original: Packet
}

interface Leg {
  readonly passage: Passage
  readonly probability: number
  readonly rules: readonly RuleHit[]
  readonly masquerade: boolean
}

const LOOPBACK: LinkView = { name: 'lo', ifindex: 1, kind: 'loopback', addresses: [] }

/** Output and postrouting; a local destination is then met again coming in from lo. */
function leave(course: Course, leg: Leg): void {
  const outLink = (l: Leg) => (course.isLocal(l.passage.packet.dst) ? LOOPBACK : course.out)
  const at = (l: Leg, hook: Hook): Leg[] => pass(course, { ...l, passage: { ...l.passage, out: outLink(l) } }, hook)
  for (const sent of at(leg, 'output')) {
    for (const out of at(sent, 'postrouting')) {
      if (!course.isLocal(out.passage.packet.dst)) finish(course, out, false)
      else arrive(course, { ...out, passage: { ...out.passage, in: LOOPBACK, out: null } })
    }
  }
}

/** Prerouting, then input, or forward and postrouting. */
function arrive(course: Course, leg: Leg): void {
  for (const routed of pass(course, leg, 'prerouting')) {
    const { packet } = routed.passage
    if (course.isLocal(packet.dst) || isMulticast(packet.dst) || isBroadcast(packet.dst)) {
      for (const end of pass(course, routed, 'input')) finish(course, end, true)
      continue
    }
    if (packet.ttl <= 1) {
      // ip_forward answers "time exceeded" before any hook.
      course.done.push({ ...outcomeOf(course, routed, 'drop'), unknowns: [] })
      continue
    }
    // ip_forward and ip6_forward take the hop off before the forward hook.
    const forwarded = { ...routed.passage, packet: { ...packet, ttl: packet.ttl - 1 }, out: course.out }
    for (const through of pass(course, { ...routed, passage: forwarded }, 'forward'))
      for (const end of pass(course, through, 'postrouting')) finish(course, end, false)
  }
}

/** Runs a hook; what it ends is done, the rest is given back. */
function pass(course: Course, leg: Leg, hook: Hook): Leg[] {
  const going: Leg[] = []
  for (const o of runHook(course.around, hook, 'ip', leg.passage)) {
    const next: Leg = {
      passage: o.passage,
      probability: leg.probability * o.probability,
      rules: o.rules.length ? [...leg.rules, ...o.rules] : leg.rules,
      masquerade: leg.masquerade || o.masqueraded,
    }
    if (o.verdict === 'accept') going.push(next)
    else course.done.push(endedAt(course, next, o))
  }
  return going
}

function endedAt(course: Course, leg: Leg, o: HookOutcome): Outcome {
  const queued = o.verdict === 'queue'
  return {
    ...outcomeOf(course, leg, o.verdict === 'queue' ? 'unknown' : o.verdict),
    ...(o.rejectWith ? { rejectWith: o.rejectWith } : {}),
    ...(o.decided ? { decided: o.decided } : {}),
    ...(o.byPolicy ? { byPolicy: true } : {}),
    unknowns: queued ? ['the packet is queued to a program, which decides'] : o.unknowns,
  }
}

function finish(course: Course, leg: Leg, local: boolean): void {
  course.done.push({ ...outcomeOf(course, leg, 'accept'), local })
}

function outcomeOf(course: Course, leg: Leg, verdict: Outcome['verdict']): Outcome {
  const { packet, memory, connection } = leg.passage
  const before = course.original
  return {
    probability: leg.probability,
    verdict,
    packet,
    local: false,
    translated:
      !ipEquals(packet.src, before.src) ||
      !ipEquals(packet.dst, before.dst) ||
      packet.sport !== before.sport ||
      packet.dport !== before.dport,
    masquerade: leg.masquerade,
    drawnPorts: memory?.drawn ?? { sport: false, dport: false },
    rules: leg.rules,
    unknowns: [],
    connection: connection?.entry ?? null,
  }
}

function packetOf(query: Query): Packet {
  const { protocol } = query
  const icmp =
    query.icmp ??
    (protocol === ICMP ? { type: 8, code: 0, id: 0 } : protocol === ICMPV6 ? { type: 128, code: 0, id: 0 } : undefined)
  const ports = protocol !== ICMP && protocol !== ICMPV6
  return {
    src: query.src,
    dst: query.dst,
    protocol,
    sport: query.sport ?? (ports ? -1 : 0),
    dport: query.dport ?? (ports ? -1 : 0),
    ...(icmp ? { icmp } : {}),
    tcpFlags: protocol === TCP ? (query.tcpFlags ?? TCP_FLAGS.syn) : 0,
    ttl: query.ttl ?? 64,
    dscp: query.dscp ?? 0,
    length: query.length ?? -1,
    dontFragment: true,
    mark: query.mark ?? 0,
  }
}

function linkOf(name: string | undefined, addresses: readonly Ip[] | undefined): LinkView {
  if (name === undefined) return { name: '', ifindex: 0, addresses: addresses ?? [], unknown: true }
  if (name === 'lo') return { ...LOOPBACK, addresses: addresses ?? [] }
  return { name, ifindex: 0, addresses: addresses ?? [] }
}

const isBroadcast = (ip: Ip) => ip.family === 4 && ip.d === 0xffffffff

/** No routing table was given: addresses are local, broadcast, multicast or unicast, and routes are not known. */
function surroundingsOf(
  rulesets: readonly Ruleset[],
  ipsets: ReadonlyMap<string, IpSet>,
  query: Query,
  packet: Packet,
  isLocal: (ip: Ip) => boolean,
): Surroundings {
  return {
    rulesets,
    ipsets,
    conntrack: query.ctState === 'established' ? [earlier(packet)] : [],
    addressType(ip, link): AddressType | null {
      if (isBroadcast(ip) || (ip.family === 4 && ip.d === 0)) return 'broadcast'
      if (isMulticast(ip)) return 'multicast'
      // Which link holds an address was not told, unless it is named with its addresses.
      if (link !== null && isLocal(ip)) return localOn(query, ip, link)
      return isLocal(ip) ? 'local' : 'unicast'
    },
    fib: ({ dst }) => (isLocal(dst) ? { type: 'local', ifindex: 1, link: 'lo' } : null),
    masqueradeAddress: (out, dst) =>
      out.name === 'lo' ? null : (out.addresses.find((a) => a.family === dst.family) ?? null),
    sysctl: () => null,
  }
}

/** inet_dev_addr_type: local only when the address is on that very link. */
function localOn(query: Query, ip: Ip, link: string): AddressType | null {
  const addresses = link === query.in ? query.inAddresses : link === query.out ? query.outAddresses : undefined
  if (addresses === undefined) return null
  return addresses.some((a) => ipEquals(a, ip)) ? 'local' : 'unicast'
}

/** The connection the packet is said to belong to already: untranslated, since nothing else was told. */
function earlier(packet: Packet): ConntrackEntry {
  return { ...newEntry(packet, 0), seenReply: true, assured: true }
}

/** A connection that a helper expected: new to NAT, related to the rules. */
function related(packet: Packet): Connection {
  const settled = { src: false, dst: false }
  return { entry: newEntry(packet, 0), direction: 'original', state: 'related', fresh: true, settled }
}
