/** What netwhy says about a probe: the hooks of the router run by the same `runHook` that every command uses. */
import { type Ip, ipEquals, isMulticast, parseIp, parsePrefix, prefixContains } from '../../src/base/ip.ts'
import { ICMP, ICMPV6 } from '../../src/base/protocol.ts'
import { runHook } from '../../src/datapath/netfilter/hook.ts'
import type {
  FibAnswer,
  HookOutcome,
  LinkView,
  Passage,
  RuleHit,
  Surroundings,
} from '../../src/datapath/netfilter/types.ts'
import type { Packet } from '../../src/model/packet.ts'
import type { AddressType, Hook, Ruleset } from '../../src/model/ruleset.ts'
import { parseIpsetSave } from '../../src/parse/ipset/index.ts'
import { parseIptablesSave } from '../../src/parse/iptables/index.ts'
import { parseNftText } from '../../src/parse/nft/index.ts'
import { ROUTER_ADDRESSES } from './arena.ts'
import type { OracleCase } from './case.ts'
import type { Prediction } from './compare.ts'
import type { Probe } from './probe.ts'
import { probeLength } from './probes.ts'

const ip = (text: string) => parseIp(text)!
const LAN = [parsePrefix('10.1.0.0/24')!, parsePrefix('fd00:1::/64')!]
const BROADCAST = ['255.255.255.255', '10.1.0.255', '10.2.0.255'].map(ip)
const INDEX = { lan0: 3, wan0: 2 } as const
type LinkName = keyof typeof INDEX

function ownLink(address: Ip): LinkName | 'lo' | null {
  for (const link of ['lan0', 'wan0'] as const)
    if (ROUTER_ADDRESSES[link].some((a) => ipEquals(ip(a), address))) return link
  return address.family === 4 && address.d >>> 24 === 127 ? 'lo' : null
}
const linkTowards = (dst: Ip): LinkName => (LAN.some((p) => prefixContains(p, dst)) ? 'lan0' : 'wan0')

function addressType(address: Ip, link: string | null): AddressType {
  const own = ownLink(address)
  if (own) return link === null || own === link ? 'local' : 'unicast'
  if (BROADCAST.some((b) => ipEquals(b, address))) return 'broadcast'
  return isMulticast(address) ? 'multicast' : 'unicast'
}

function fib(dst: Ip, oif: string | null): FibAnswer | 'none' {
  const own = ownLink(dst)
  const link = own ?? linkTowards(dst)
  if (oif !== null && oif !== link) return 'none'
  return { type: own ? 'local' : 'unicast', ifindex: link === 'lo' ? 1 : INDEX[link], link }
}

function view(name: LinkName, family: 4 | 6): LinkView {
  return {
    name,
    ifindex: INDEX[name],
    kind: 'veth',
    addresses: ROUTER_ADDRESSES[name].map(ip).filter((a) => a.family === family),
  }
}

function packetOf(p: Probe): Packet {
  const icmp = p.protocol === ICMP || p.protocol === ICMPV6
  return {
    src: ip(p.src),
    dst: ip(p.dst),
    protocol: p.protocol,
    sport: p.sport,
    dport: p.dport,
    ...(icmp ? { icmp: { type: p.icmpType, code: p.icmpCode, id: p.id } } : {}),
    tcpFlags: p.flags,
    ttl: p.ttl,
    dscp: p.dscp,
    length: probeLength(p),
    dontFragment: true,
    mark: p.mark,
  }
}

/** Parses the listings of a case; artefacts are `r0`, `r1`… in the case's order. */
export function parseListings(c: OracleCase, listings: readonly string[]): Ruleset[] {
  return c.rulesets.map((r, i) =>
    r.backend === 'nft'
      ? parseNftText(listings[i]!, `r${i}`)
      : parseIptablesSave(listings[i]!, {
          artefact: `r${i}`,
          family: r.family === 4 ? 'ip' : 'ip6',
          backend: r.backend,
        }),
  )
}

interface State {
  readonly probability: number
  readonly passage: Passage
  readonly rules: readonly RuleHit[]
}

/** A range or a random choice in a rule that translated: the kernel may take another port than the one we name. */
const FREE_SOURCE = /--random|random|--to-ports \d+-|--to-source \S*:\d+-|5000-5100/
const FREE_DESTINATION = /--to-destination \S*:\d+-\d+/

function finish(rulesets: readonly Ruleset[], s: State, verdict: Prediction['verdict'], local: boolean): Prediction {
  const lines = (uncertain: boolean) =>
    rulesets.map(
      (r) => new Set(s.rules.filter((h) => h.ruleset === r && (h.uncertain ?? false) === uncertain).map((h) => h.line)),
    )
  const texts = s.rules.map((h) => h.text)
  return {
    probability: s.probability,
    verdict,
    local,
    src: s.passage.packet.src,
    dst: s.passage.packet.dst,
    sport: s.passage.packet.sport,
    dport: s.passage.packet.dport,
    hits: lines(false),
    perhaps: lines(true),
    freeSourcePort: texts.some((t) => FREE_SOURCE.test(t)),
    freeDestinationPort: texts.some((t) => FREE_DESTINATION.test(t)),
  }
}

/**
 * All outcomes for one probe; null for a locally generated packet that a rule sent back to the router itself, which passes
 * the hooks twice and is the path oracle's business.
 */
export function predict(c: OracleCase, rulesets: readonly Ruleset[], probe: Probe): Prediction[] | null {
  const around: Surroundings = {
    rulesets,
    ipsets: parseIpsetSave(`${c.ipsets.join('\n')}\n`, 'ipsets').value,
    conntrack: [],
    addressType,
    fib: (q) => fib(q.dst, q.oif),
    masqueradeAddress: (out) => out.addresses[0] ?? null,
    sysctl: () => null,
  }
  const out: Prediction[] = []
  const through = (hook: Hook, states: readonly State[]): State[] =>
    states.flatMap((s) =>
      runHook(around, hook, 'ip', s.passage).flatMap((o: HookOutcome): State[] => {
        const next: State = {
          probability: s.probability * o.probability,
          passage: o.passage,
          rules: [...s.rules, ...o.rules],
        }
        if (o.verdict === 'accept') return [next]
        out.push(finish(rulesets, next, o.verdict === 'queue' ? 'drop' : o.verdict, false))
        return []
      }),
    )
  const family = c.family
  const start = (fields: Partial<Passage>): State => ({
    probability: 1,
    passage: {
      packet: packetOf(probe),
      connection: null,
      untracked: false,
      in: null,
      out: null,
      physIn: null,
      physOut: null,
      uid: null,
      ...fields,
    },
    rules: [],
  })
  if (probe.from === 'r') {
    const sent = through('output', [start({ out: view(linkTowards(ip(probe.dst)), family) })])
    if (sent.some((s) => ownLink(s.passage.packet.dst))) return null
    const routed = sent.map((s) => ({
      ...s,
      passage: { ...s.passage, out: view(linkTowards(s.passage.packet.dst), family) },
    }))
    for (const s of through('postrouting', routed)) out.push(finish(rulesets, s, 'accept', false))
    return out
  }
  const arrived = through('prerouting', [start({ in: view(probe.from === 'c' ? 'lan0' : 'wan0', family) })])
  const own = arrived.filter((s) => ownLink(s.passage.packet.dst))
  for (const s of through('input', own)) out.push(finish(rulesets, s, 'accept', true))
  const others = arrived
    .filter((s) => !own.includes(s))
    .map((s) => ({
      ...s,
      passage: {
        ...s.passage,
        packet: { ...s.passage.packet, ttl: s.passage.packet.ttl - 1 },
        out: view(linkTowards(s.passage.packet.dst), family),
      },
    }))
  for (const s of through('postrouting', through('forward', others))) out.push(finish(rulesets, s, 'accept', false))
  return out
}
