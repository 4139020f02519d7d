/**
 * Where a node sends the first packet of a connection to a frontend: asked of the rules and of IPVS themselves, whoever wrote
 * them and however they are named.
 */
import { formatEndpoint, type Ip, ipEquals } from '../../base/ip.ts'
import { TCP } from '../../base/protocol.ts'
import { runHook } from '../../datapath/netfilter/index.ts'
import type { HookOutcome, Passage, RuleHit, Surroundings } from '../../datapath/netfilter/types.ts'
import { addressType } from '../../datapath/surroundings.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { IpvsService, Netns } from '../../model/network.ts'
import { type Packet, TCP_FLAGS } from '../../model/packet.ts'
import type { Ruleset, Table } from '../../model/ruleset.ts'
import type { ServiceSender } from './sender.ts'

export interface Target {
  readonly ip: Ip
  readonly port: number
  /** `ip:port`, `[ip]:port` for IPv6. */
  readonly text: string
  /** Share of new connections that go there. */
  readonly share: number
  /** The rule or destination that sends there. */
  readonly proof: Evidence
  /** Where that rule stands; absent for IPVS. */
  readonly rule?: { readonly ruleset: Ruleset; readonly table: Table; readonly chain: string; readonly line: number }
}

/** All shares add up to 1, with those of `targets`. */
export interface Lead {
  readonly targets: readonly Target[]
  /** Nothing turned the packet elsewhere. */
  readonly untouched: number
  /** Dropped or rejected before anything did. */
  readonly stopped: number
  /** Taken out of conntrack: somebody answers for this address without translation. */
  readonly untracked: number
  /** What cannot be decided. */
  readonly unknown: number
  /** The rule that stopped it. */
  readonly stopper?: Evidence
  /** The virtual server that took the packet. */
  readonly server?: IpvsService
  /** A virtual server for it exists, but the node does not take packets to the address for its own. */
  readonly unbound?: IpvsService
}

export interface Frontage {
  readonly ip: Ip
  /** IANA number. */
  readonly protocol: number
  readonly port: number
}

/** The netns as rules may ask about it, before anything is routed. What needs a route lookup is not known. */
export function aroundRules(netns: Netns, rulesets: readonly Ruleset[] = netns.rulesets): Surroundings {
  return {
    rulesets,
    ipsets: netns.ipsets,
    conntrack: [],
    addressType: (ip, link) => addressType(netns, ip, link),
    fib: () => null,
    masqueradeAddress: () => null,
    sysctl: (key) => netns.sysctls.get(key)?.value ?? null,
  }
}

/** The packet as it comes to the node's rules. */
export function firstPassage(front: Frontage, sender: ServiceSender): Passage {
  const packet: Packet = {
    src: sender.src,
    dst: front.ip,
    protocol: front.protocol,
    sport: 45678,
    dport: front.port,
    tcpFlags: front.protocol === TCP ? TCP_FLAGS.syn : 0,
    ttl: 64,
    dscp: 0,
    length: 60,
    dontFragment: true,
    mark: 0,
  }
  return {
    packet,
    connection: null,
    untracked: false,
    in: sender.in,
    out: sender.out,
    physIn: sender.physIn,
    physOut: null,
    uid: null,
  }
}

export function ruleProof(hit: RuleHit): Evidence {
  return { artefact: hit.ruleset.artefact, line: hit.line, text: hit.text }
}

/** Where a new connection from `sender` to the frontend is sent by this node. */
export function leadOf(around: Surroundings, netns: Netns, front: Frontage, sender: ServiceSender): Lead {
  const hook = sender.kind === 'node' ? 'output' : 'prerouting'
  const targets = new Map<string, Target>()
  let untouched = 0
  let stopped = 0
  let untracked = 0
  let unknown = 0
  let stopper: Evidence | undefined
  for (const o of runHook(around, hook, 'ip', firstPassage(front, sender))) {
    const { packet } = o.passage
    if (o.verdict === 'unknown' || o.verdict === 'queue') unknown += o.probability
    else if (!ipEquals(packet.dst, front.ip) || packet.dport !== front.port) addTarget(targets, o)
    else if (o.verdict !== 'accept') {
      stopped += o.probability
      if (o.decided) stopper ??= ruleProof(o.decided)
    } else if (o.passage.untracked) untracked += o.probability
    else untouched += o.probability
  }
  const found = { stopped, untracked, unknown, ...(stopper ? { stopper } : {}) }
  if (untouched === 0 || netns.ipvs.length === 0) return { ...found, targets: [...targets.values()], untouched }
  return viaIpvs(netns, front, [...targets.values()], untouched, found)
}

function addTarget(targets: Map<string, Target>, o: HookOutcome): void {
  const { dst: ip, dport: port } = o.passage.packet
  const text = formatEndpoint(ip, port)
  const known = targets.get(text)
  if (known) {
    targets.set(text, { ...known, share: known.share + o.probability })
    return
  }
  const hit = o.rules.findLast((r) => /\b(dnat|redirect|netmap)\b/.test(r.effect)) ?? o.rules.at(-1)
  const table = hit?.ruleset.tables.find((t) => t.name === hit.table && t.family === hit.family)
  targets.set(text, {
    ip,
    port,
    text,
    share: o.probability,
    proof: hit ? ruleProof(hit) : { artefact: 'rules', text },
    ...(hit && table ? { rule: { ruleset: hit.ruleset, table, chain: hit.chain, line: hit.line } } : {}),
  })
}

/** `ip_vs_in` runs for packets delivered to the node: the address must be its own. Weight 0 takes no new connection. */
function viaIpvs(
  netns: Netns,
  front: Frontage,
  already: readonly Target[],
  untouched: number,
  found: Pick<Lead, 'stopped' | 'untracked' | 'unknown' | 'stopper'>,
): Lead {
  const server = serversOf(netns).get(keyOf(front.protocol, front.ip, front.port))
  if (!server) return { ...found, targets: already, untouched }
  if (addressType(netns, front.ip, null) !== 'local') return { ...found, targets: already, untouched, unbound: server }
  const taking = server.destinations.filter((d) => d.weight > 0)
  const total = taking.reduce((sum, d) => sum + d.weight, 0)
  const own = taking.map((d) => ({
    ip: d.address,
    port: d.port || front.port,
    text: formatEndpoint(d.address, d.port || front.port),
    share: (untouched * d.weight) / total,
    proof: d.evidence,
  }))
  const refused = taking.length === 0
  return {
    ...found,
    targets: [...already, ...own],
    untouched: 0,
    stopped: found.stopped + (refused ? untouched : 0),
    server,
  }
}

const keyOf = (protocol: number, ip: Ip, port: number) => `${protocol} ${formatEndpoint(ip, port)}`

const servers = new WeakMap<readonly IpvsService[], ReadonlyMap<string, IpvsService>>()

function serversOf(netns: Netns): ReadonlyMap<string, IpvsService> {
  let index = servers.get(netns.ipvs)
  if (!index) {
    const made = new Map<string, IpvsService>()
    for (const s of netns.ipvs) if (s.address) made.set(keyOf(s.protocol, s.address, s.port), s)
    index = made
    servers.set(netns.ipvs, index)
  }
  return index
}
