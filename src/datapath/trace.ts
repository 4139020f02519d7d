import type { Ip } from '../base/ip.ts'
import { formatIp, ipEquals, isUnspecified } from '../base/ip.ts'
import { hasPorts, ICMP, ICMPV6, TCP, UDP } from '../base/protocol.ts'
import { type Netns, type NetnsId, type Network, unknownNetns } from '../model/network.ts'
import type { Packet } from '../model/packet.ts'
import { TCP_FLAGS } from '../model/packet.ts'
import type { ConnectionTrace, Disposition, PacketTrace, Step } from '../model/trace.ts'
import { leftToAsker, outsideStart } from './external.ts'
import { defaultTtl } from './facts.ts'
import type { Flight, Purpose, World } from './flight.ts'
import { end, toTrace, undecided } from './flight.ts'
import { mergeConnections, mergePackets } from './merge.ts'
import { segmentSize, withPathMtu } from './path-mtu.ts'
import { lookupRoute } from './routing/lookup.ts'
import { sourceFor } from './routing/source.ts'
import { findListener } from './socket/listen.ts'
import { walk } from './walk.ts'

/** Who sends the first packet: a netns, or a machine outside that was not collected. */
export type Sender = NetnsId | { readonly external: Ip }

export interface PacketQuestion {
  readonly from: Sender
  /** `src` unspecified (0.0.0.0, ::): the kernel chooses. `sport` 0: some high port, and no old conntrack entry applies. */
  readonly packet: Packet
}

/** Stands for "some port of ip_local_port_range" where the question names none. */
const UNSPECIFIED_SOURCE_PORT = 40000
/** Echo identifier when the question names none. */
const UNSPECIFIED_ECHO_ID = 4242

/** Every outcome of one packet. Probabilities add up to 1. */
export function tracePacket(network: Network, question: PacketQuestion): PacketTrace[] {
  const world: World = { network, purpose: { kind: 'request' }, exactTuple: isExact(question.packet) }
  return mergePackets(request(world, question).map(toTrace))
}

/**
 * Every outcome of a connection: the first packet, and for each way it is delivered the answer with the conntrack state it left,
 * and for TCP the packet that completes the handshake. One trace per load-balancing, ECMP or random choice; equal ones are one.
 */
export function traceConnection(network: Network, question: PacketQuestion): ConnectionTrace[] {
  const exactTuple = isExact(question.packet)
  const world: World = { network, purpose: { kind: 'request' }, exactTuple }
  const traces = request(world, question).flatMap((flight) => answered(world, question, flight))
  return mergeConnections(traces)
}

const isExact = (p: Packet): boolean => hasPorts(p.protocol) && p.sport !== 0

function completed(p: Packet): Packet {
  const icmp = p.protocol === ICMP || p.protocol === ICMPV6
  return {
    ...p,
    sport: hasPorts(p.protocol) && p.sport === 0 ? UNSPECIFIED_SOURCE_PORT : p.sport,
    tcpFlags: p.protocol === TCP && p.tcpFlags === 0 ? TCP_FLAGS.syn : p.tcpFlags,
    ...(icmp && !p.icmp ? { icmp: { type: p.protocol === ICMP ? 8 : 128, code: 0, id: UNSPECIFIED_ECHO_ID } } : {}),
  }
}

function flightIn(netns: Netns, packet: Packet, probability: number): Flight {
  return {
    probability,
    packet,
    layers: [],
    netns,
    connection: null,
    untracked: false,
    physIn: null,
    connections: new Map(),
    learned: new Map(),
    unknowns: [],
    mtu: null,
    sendMtu: null,
    age: 0,
    trail: null,
    stage: { kind: 'output', oif: null, socket: true },
  }
}

/** The netns to hang a step on when the one asked for was not collected. */
const NOWHERE = (id: string): Netns => unknownNetns(id, '')

function request(world: World, question: PacketQuestion): Flight[] {
  const packet = completed(question.packet)
  if (typeof question.from === 'string') {
    const netns = world.network.netns.get(question.from)
    if (!netns) {
      const nowhere = flightIn(NOWHERE(question.from), packet, 1)
      return [undecided(nowhere, 'send', `${question.from} was not collected`, 'not-collected')]
    }
    const sent = { ...packet, ttl: packet.ttl || defaultTtl(netns, packet.dst.family) }
    return walk(world, [flightIn(netns, sent, 1)])
  }
  const from = { ...packet, src: question.from.external, ttl: packet.ttl || 64 }
  const start = outsideStart(world, flightIn(NOWHERE('outside'), from, 1))
  return walk(world, start)
}

/** The packet that answers one that was delivered: SYN-ACK, datagram back, echo reply. */
function answerTo(p: Packet, netns: Netns): Packet {
  const { icmp, ...rest } = p
  const back: Packet = {
    ...rest,
    src: p.dst,
    dst: p.src,
    sport: p.dport,
    dport: p.sport,
    ttl: defaultTtl(netns, p.src.family),
    mark: 0,
    tcpFlags: p.protocol === TCP ? TCP_FLAGS.syn | TCP_FLAGS.ack : 0,
  }
  return icmp ? { ...back, icmp: { ...icmp, type: p.protocol === ICMP ? 0 : 129 } } : back
}

function answered(world: World, question: PacketQuestion, flight: Flight): ConnectionTrace[] {
  const forward = toTrace(flight)
  if (forward.disposition !== 'delivered')
    return [{ probability: forward.probability, disposition: forward.disposition, forward, reply: null }]
  const asked = firstPacket(question, forward)
  const asker = typeof question.from === 'string' ? question.from : null
  const purpose: Purpose = {
    kind: 'reply',
    asker,
    expected: { src: asked.dst, sport: asked.dport, dst: asked.src, dport: asked.sport },
  }
  const start: Flight = {
    ...flightIn(flight.netns, answerTo(flight.packet, flight.netns), 1),
    connections: flight.connections,
    learned: flight.learned,
  }
  const unsure = flight.packet.protocol === UDP ? answersFromElsewhere(flight, start.packet) : null
  if (unsure) {
    const reply = toTrace(undecided(start, 'socket', unsure, 'unsupported'))
    return [{ probability: forward.probability, disposition: 'insufficient-info', forward, reply }]
  }
  const back: World = { ...world, purpose }
  const replies = walk(back, [start]).map((f) => leftToAsker(back, f))
  return replies.map((reply) => {
    const size = flight.packet.protocol === TCP ? segmentSize(flight, reply) : 0
    const trace = toTrace(completes(world, withPathMtu(reply, size), flight, asked, asker))
    return {
      probability: forward.probability * trace.probability,
      disposition: trace.disposition,
      forward: trace.disposition === 'delivered' ? toTrace(withPathMtu(flight, size)) : forward,
      reply: trace,
    }
  })
}

/**
 * A UDP socket bound to any address answers from the address routing picks, unless the program takes care (IP_PKTINFO). Null when
 * that makes no difference here; otherwise the doubt in words.
 */
function answersFromElsewhere(flight: Flight, answer: Packet): string | null {
  const { netns } = flight
  const listening = findListener(netns, flight.packet, '')
  if (listening.kind !== 'found' || !listening.sockets.some((s) => isUnspecified(s.local))) return null
  const route = lookupRoute(netns, {
    dst: answer.dst,
    src: null,
    iif: 'lo',
    oif: null,
    mark: 0,
    dscp: 0,
    protocol: UDP,
    sport: answer.sport,
    dport: answer.dport,
    uid: null,
  })
  if (route.kind !== 'paths') return null
  for (const path of route.paths) {
    const source = sourceFor(netns, path, answer.dst)
    if (source && !ipEquals(source, answer.src))
      return `the socket on any address would answer from ${formatIp(source)}, not from ${formatIp(answer.src)}, unless the program keeps the address it was asked at (IP_PKTINFO)`
  }
  return null
}

/** The packet as the sender's socket sees it: source chosen, nothing translated yet. */
function firstPacket(question: PacketQuestion, forward: PacketTrace): Packet {
  const packet = completed(question.packet)
  if (typeof question.from !== 'string') return { ...packet, src: question.from.external, ttl: packet.ttl || 64 }
  const first: Step | undefined = forward.hops[0]?.steps.find((s) => s.kind === 'route')
  return first ? { ...packet, src: first.packet.src, ttl: first.packet.ttl } : packet
}

/**
 * The third packet of a TCP handshake. It matters where a netns on the way saw only one direction: conntrack there calls it
 * invalid, and rules that drop invalid packets kill a connection whose first two packets got through.
 */
function completes(world: World, reply: Flight, request: Flight, asked: Packet, asker: NetnsId | null): Flight {
  const done = reply.stage.kind === 'ended' && reply.stage.disposition === 'delivered'
  if (!done || asked.protocol !== TCP || asker === null) return reply
  const netns = world.network.netns.get(asker)
  if (!netns || !sawOneDirection(reply)) return reply
  const delivered = request.packet
  const purpose: Purpose = {
    kind: 'handshake',
    asker: request.netns.id,
    expected: { src: delivered.src, sport: delivered.sport, dst: delivered.dst, dport: delivered.dport },
  }
  const ack: Packet = { ...asked, tcpFlags: TCP_FLAGS.ack, mark: 0 }
  const start: Flight = { ...flightIn(netns, ack, 1), connections: reply.connections, learned: reply.learned }
  const ends = walk({ ...world, purpose }, [start])
  // An ACK lost by chance is made good by the data that follow it: only one that never gets through counts.
  if (ends.some((e) => e.stage.kind === 'ended' && e.stage.disposition === 'delivered')) return reply
  const failed = ends[0]
  if (failed?.stage.kind !== 'ended') return reply
  const last = failed.trail?.step
  const where = failed.netns
  const text = `the connection is not completed: the client's next packet (ACK) fails in ${where.id}: ${last?.text ?? ''}`
  const disposition: Disposition = failed.stage.disposition
  const moved: Flight = { ...reply, netns: where, unknowns: [...reply.unknowns, ...failed.unknowns] }
  return end(moved, disposition, last?.kind ?? 'conntrack', text, {
    ...(last?.hook ? { hook: last.hook } : {}),
    ...(last?.table ? { table: last.table } : {}),
    ...(last?.chain ? { chain: last.chain } : {}),
    ...(last?.rule ? { rule: last.rule } : {}),
    ...(last?.cause ? { cause: last.cause } : {}),
    evidence: last?.evidence ?? [],
  })
}

/** True when some netns made an entry for the request and never saw the answer. */
function sawOneDirection(reply: Flight): boolean {
  for (const entries of reply.connections.values()) if (entries.some((e) => !e.seenReply)) return true
  return false
}
