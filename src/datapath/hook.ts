import type { Ip } from '../base/ip.ts'
import { formatEndpoint } from '../base/ip.ts'
import { hasPorts, TCP } from '../base/protocol.ts'
import type { ConntrackEntry } from '../model/conntrack.ts'
import type { Evidence } from '../model/evidence.ts'
import type { Netns } from '../model/network.ts'
import type { Packet } from '../model/packet.ts'
import { TCP_FLAGS } from '../model/packet.ts'
import type { Hook } from '../model/ruleset.ts'
import { afterPacket } from './conntrack/entry.ts'
import { tupleEquals, tupleOf } from './conntrack/tuple.ts'
import { has } from './facts.ts'
import type { Flight, World } from './flight.ts'
import { end, note, undecided } from './flight.ts'
import { runHook } from './netfilter/hook.ts'
import type { HookOutcome, LinkView, RuleHit } from './netfilter/types.ts'
import { surroundings } from './surroundings.ts'

/** The links a hook sees. */
export interface HookLinks {
  readonly in: LinkView | null
  readonly out: LinkView | null
  readonly physOut?: LinkView | null
  /** Where the packet is about to go, for MASQUERADE. */
  readonly nexthop?: Ip | null
}

/** Rules quoted as evidence of one hook: the deciding one is always among them. */
const QUOTED_RULES = 16

/**
 * Sends the flight through one netfilter hook. Flights that are dropped, rejected or undecided come back ended; the
 * others keep their stage, with translations and marks applied.
 */
export function passHook(
  world: World,
  flight: Flight,
  hook: Hook,
  links: HookLinks,
  layer: 'ip' | 'bridge' = 'ip',
): Flight[] {
  const { netns } = flight
  if (layer === 'ip' && !has(netns, 'iptables') && !has(netns, 'nft'))
    return [
      undecided(flight, 'netfilter', `${hook}: the rules of ${netns.id} were not collected`, 'not-collected', { hook }),
    ]
  const outcomes = runHook(surroundings(world, flight, links.nexthop ?? null), hook, layer, {
    packet: flight.packet,
    connection: flight.connection,
    ...(halfOpen(flight) ? { invalid: true } : {}),
    untracked: flight.untracked,
    in: links.in,
    out: links.out,
    physIn: flight.physIn,
    physOut: links.physOut ?? null,
    uid: null,
    ...(flight.memory ? { memory: flight.memory } : {}),
  })
  return outcomes.map((outcome) => apply(flight, hook, outcome))
}

const layered = new WeakMap<Netns, ReadonlySet<string>>()

/** Hooks of the bridge layer and of devices (`ingress`, `egress`) at which this netns has chains: most have none. */
function extraHooks(netns: Netns): ReadonlySet<string> {
  let hooks = layered.get(netns)
  if (!hooks) {
    const found = new Set<string>()
    for (const r of netns.rulesets)
      for (const t of r.tables)
        for (const c of t.chains.values()) {
          if (!c.base || t.dormant) continue
          if (t.family === 'bridge') found.add(`bridge ${c.base.hook}`)
          else if (c.base.hook === 'ingress' || c.base.hook === 'egress') found.add(`ip ${c.base.hook}`)
        }
    hooks = found
    layered.set(netns, hooks)
  }
  return hooks
}

/** A bridge-family or device hook: nothing happens where the netns has no chain there. */
export function passExtraHook(
  world: World,
  flight: Flight,
  hook: Hook,
  links: HookLinks,
  layer: 'ip' | 'bridge',
): Flight[] {
  return extraHooks(flight.netns).has(`${layer} ${hook}`) ? passHook(world, flight, hook, links, layer) : [flight]
}

/**
 * True for a bare ACK in the original direction in a netns that saw the SYN but no SYN-ACK: `tcp_conntracks[original][ack]
 * [SYN_SENT]` is sIV (net/netfilter/nf_conntrack_proto_tcp.c).
 */
function halfOpen(flight: Flight): boolean {
  const p = flight.packet
  if (p.protocol !== TCP || (p.tcpFlags & (TCP_FLAGS.syn | TCP_FLAGS.rst | TCP_FLAGS.ack)) !== TCP_FLAGS.ack)
    return false
  const tuple = tupleOf(p)
  const entry = flight.connections.get(flight.netns.id)?.find((e) => tupleEquals(e.original, tuple))
  return entry !== undefined && !entry.seenReply
}

/** True when the drop is due to the packet fitting no connection: conntrack has none for it and a rule asks for that. */
function isInvalidDrop(outcome: HookOutcome): boolean {
  const { passage, decided } = outcome
  return passage.connection === null && !passage.untracked && decided !== undefined && /\binvalid\b/i.test(decided.text)
}

const endpoint = (ip: Ip, port: number, p: Packet) => formatEndpoint(ip, hasPorts(p.protocol) ? port : undefined)

/** What changed in the packet, in words; empty when nothing did. */
function changes(before: Packet, after: Packet): string[] {
  const out: string[] = []
  const dst = [endpoint(before.dst, before.dport, before), endpoint(after.dst, after.dport, after)]
  const src = [endpoint(before.src, before.sport, before), endpoint(after.src, after.sport, after)]
  if (dst[0] !== dst[1]) out.push(`destination ${dst[0]} becomes ${dst[1]}`)
  if (src[0] !== src[1]) out.push(`source ${src[0]} becomes ${src[1]}`)
  if (before.mark !== after.mark) out.push(`mark 0x${(after.mark >>> 0).toString(16)}`)
  return out
}

function ruleEvidence(hit: RuleHit): Evidence {
  return { artefact: hit.ruleset.artefact, ...(hit.line > 0 ? { line: hit.line } : {}), text: hit.text }
}

function apply(flight: Flight, hook: Hook, outcome: HookOutcome): Flight {
  const { passage } = outcome
  const decided = outcome.decided
  const after: Flight = {
    ...flight,
    probability: flight.probability * outcome.probability,
    packet: passage.packet,
    connection: passage.connection,
    untracked: passage.untracked,
    ...(passage.memory ? { memory: passage.memory } : {}),
  }
  const telling = outcome.rules.slice(-QUOTED_RULES)
  const evidence = telling.map(ruleEvidence)
  if (decided && !telling.includes(decided)) evidence.push(ruleEvidence(decided))
  const last = decided ?? outcome.rules[outcome.rules.length - 1]
  const detail = {
    hook,
    evidence,
    ...(last ? { table: last.table, chain: last.chain, rule: last.text } : {}),
  }
  switch (outcome.verdict) {
    case 'accept': {
      const changed = changes(flight.packet, passage.packet)
      const state = passage.connection && !flight.connection ? passage.connection.state : undefined
      if (changed.length === 0 && outcome.rules.length === 0) return after
      const rules = outcome.rules.length === 0 ? 'the connection says so' : rulesText(outcome.rules)
      const what = changed.length > 0 ? changed.join(', ') : 'accepted'
      const text = `${hook}: ${what} (${rules}${state && state !== 'new' ? `; ${state}` : ''})`
      return note(after, 'netfilter', text, { ...detail, verdict: 'accept' })
    }
    case 'drop': {
      const invalid = isInvalidDrop(outcome)
      const text = outcome.byPolicy
        ? `${hook}: dropped by the chain policy of ${where(decided)}`
        : decided
          ? `${hook}: dropped by a rule of ${where(decided)}${invalid ? ', the packet fits no connection (ctstate INVALID)' : ''}`
          : `${hook}: dropped`
      return end(after, 'denied', 'netfilter', text, {
        ...detail,
        cause: outcome.byPolicy ? 'chain-policy-drop' : invalid ? 'conntrack-invalid' : 'rule-drop',
      })
    }
    case 'reject':
      return end(
        after,
        'rejected',
        'netfilter',
        `${hook}: rejected with ${outcome.rejectWith ?? 'port-unreachable'} by a rule of ${where(decided)}`,
        { ...detail, cause: 'rule-reject' },
      )
    case 'queue':
      return {
        ...undecided(
          after,
          'netfilter',
          `${hook}: handed to a program by NFQUEUE, ${where(decided)}`,
          'opaque-rule',
          detail,
        ),
      }
    case 'unknown': {
      const what = outcome.unknowns.length > 0 ? outcome.unknowns : ['a rule that is not understood']
      const ended = undecided(
        after,
        'netfilter',
        `${hook}: cannot be decided: ${what.join('; ')}`,
        'opaque-rule',
        detail,
      )
      return { ...ended, unknowns: [...flight.unknowns, ...what] }
    }
  }
}

const where = (hit: RuleHit | undefined): string =>
  hit ? `${hit.family} ${hit.table} ${hit.chain}` : 'an unnamed chain'

function rulesText(rules: readonly RuleHit[]): string {
  const chains: string[] = []
  for (const r of rules) {
    const name = `${r.table} ${r.chain}`
    if (chains[chains.length - 1] !== name && !chains.includes(name)) chains.push(name)
  }
  const shown = chains.length > 4 ? [chains[0]!, '…', ...chains.slice(-2)] : chains
  return shown.join(', ')
}

/**
 * `nf_conntrack_confirm`, at the end of input and postrouting: the netns will know the connection from now on. Also marks
 * an entry as replied.
 */
export function confirmConnection(flight: Flight): Flight {
  const c = flight.connection
  if (!c || flight.untracked || c.state === 'invalid' || c.state === 'untracked') return flight
  const entry: ConntrackEntry = afterPacket(c.entry, c.direction)
  const old = flight.connections.get(flight.netns.id) ?? []
  const kept = old.filter((e) => !(e.zone === entry.zone && tupleEquals(e.original, entry.original)))
  const connections = new Map(flight.connections)
  connections.set(flight.netns.id, [...kept, entry])
  return { ...flight, connections, connection: { ...c, entry } }
}
