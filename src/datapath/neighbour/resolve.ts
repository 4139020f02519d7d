import type { Ip } from '../../base/ip.ts'
import { formatIp, isLinkLocal } from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Link, Netns, Network } from '../../model/network.ts'
import type { DropCause } from '../../model/trace.ts'
import { confMax, has, linksWithAddress, neighbourOf, netnsName } from '../facts.ts'
import type { Flight, World } from '../flight.ts'
import { neighbourKey } from '../flight.ts'
import type { Place } from '../link/relations.ts'
import { masterOf, portsOf, uppersOf } from '../link/relations.ts'
import { hasCustomLocalRoutes, isLocalAddress } from '../routing/rpfilter.ts'
import { selectAddress } from '../routing/source.ts'
import type { Domain } from '../wire/domain.ts'
import { broadcastDomain } from '../wire/domain.ts'
import { attachmentOf } from '../wire/segment.ts'
import type { Reply } from './answer.ts'
import { repliesTo } from './answer.ts'

/** Link-layer address of the next hop. */
export type Resolution =
  | { readonly kind: 'none-needed'; readonly evidence: readonly Evidence[] }
  | {
      readonly kind: 'mac'
      readonly mac: string
      readonly text: string
      readonly evidence: readonly Evidence[]
      /** The entry is wrong, and where the frame goes shows it. */
      readonly cause?: DropCause
      /** What asking for it made the one who answered note down. */
      readonly taught?: { readonly key: string; readonly mac: string }
    }
  /** Some machine that was not collected takes it, as far as can be seen. */
  | { readonly kind: 'outside'; readonly text: string; readonly evidence: readonly Evidence[] }
  | { readonly kind: 'fail'; readonly cause: DropCause; readonly text: string; readonly evidence: readonly Evidence[] }
  | {
      readonly kind: 'unknown'
      readonly cause: 'not-collected' | 'unsupported'
      readonly text: string
      readonly evidence: readonly Evidence[]
    }

/** Links whose frames carry no addresses (`dev->header_ops` is NULL): no neighbour is asked for. */
const ADDRESSLESS = new Set<Link['kind']>(['loopback', 'ipip', 'sit', 'wireguard', 'tun', 'gre'])

interface Answers {
  readonly replies: readonly { readonly place: Place; readonly kind: 'owner' | 'proxy' }[]
  /** Why the others say nothing; worked out when nobody answers. */
  silent(): { readonly place: Place; readonly why: string }[]
  readonly unknown: readonly string[]
}

/**
 * The neighbour entry the kernel would use, or what asking for one would give (`neigh_resolve_output`; states NUD_VALID are
 * used as they stand, FAILED and INCOMPLETE ask again).
 */
export function resolveNeighbour(world: World, flight: Flight, link: Link, nexthop: Ip): Resolution {
  const { netns } = flight
  if (ADDRESSLESS.has(link.kind) || link.mac === '') return { kind: 'none-needed', evidence: [] }
  const entry = neighbourOf(netns, link.name, nexthop)
  const evidence = entry ? [entry.evidence] : []
  const name = formatIp(nexthop)
  const domain = broadcastDomain(world.network, { netns, link })
  const answers = ask(domain, netns, link, nexthop, flight.packet.src)
  const macs = [...new Set(answers.replies.map((r) => r.place.link.mac))]
  if (entry?.mac && entry.state !== 'FAILED' && entry.state !== 'INCOMPLETE') {
    const wrong = answers.unknown.length === 0 && macs.length > 0 && !macs.includes(entry.mac)
    const owner = answers.replies[0]?.place
    const text =
      wrong && owner
        ? `${name} is at ${entry.mac} (${entry.state}), but ${netnsName(owner.netns)} has it on ${owner.link.name} at ${owner.link.mac}`
        : `${name} is at ${entry.mac} (${entry.state})`
    return { kind: 'mac', mac: entry.mac, text, evidence, ...(wrong ? { cause: 'neighbour-wrong-mac' as const } : {}) }
  }
  if (link.flags.has('NOARP'))
    return { kind: 'mac', mac: link.mac, text: `${link.name} does not use ARP`, evidence: [link.evidence] }
  const noted = flight.learned.get(neighbourKey(netns, link, nexthop))
  if (noted !== undefined)
    return { kind: 'mac', mac: noted, text: `${name} is at ${noted}, as its own request said`, evidence }
  if (macs.length === 1) {
    const owner = answers.replies[0]!
    const asker = isLocalAddress(netns, flight.packet.src)
      ? flight.packet.src
      : askingAddress(netns, link, nexthop, nexthop)
    const how = owner.kind === 'proxy' ? 'answers for it (proxy)' : 'has it'
    return {
      kind: 'mac',
      mac: macs[0]!,
      text: `${name} is at ${macs[0]}: ${netnsName(owner.place.netns)} ${how} on ${owner.place.link.name}`,
      evidence,
      ...(asker ? { taught: { key: neighbourKey(owner.place.netns, owner.place.link, asker), mac: link.mac } } : {}),
    }
  }
  if (macs.length > 1) {
    const who = answers.replies.map((r) => `${netnsName(r.place.netns)} ${r.place.link.name}`).join(' and ')
    return { kind: 'unknown', cause: 'unsupported', text: `several machines answer for ${name}: ${who}`, evidence }
  }
  return unanswered(world, flight, link, nexthop, domain, answers, evidence)
}

function unanswered(
  world: World,
  flight: Flight,
  link: Link,
  nexthop: Ip,
  domain: Domain,
  answers: Answers,
  evidence: readonly Evidence[],
): Resolution {
  const { netns } = flight
  const name = formatIp(nexthop)
  const entry = neighbourOf(netns, link.name, nexthop)
  const tried = entry ? `, the neighbour entry is ${entry.state}` : ''
  const spoilt = answers.silent().find((s) => s.why !== 'not-mine')
  const owner = silentOwner(world, nexthop, netns, domain.wire)
  if (owner && areStacked(world.network, { netns, link }, owner))
    return {
      kind: 'fail',
      cause: 'macvlan-isolation',
      text: `nobody answers for ${name} on ${link.name}: a macvlan and the link it sits on do not hear each other (${netnsName(owner.netns)} ${owner.link.name})`,
      evidence: [...evidence, owner.link.evidence],
    }
  if (spoilt && (!domain.wire || owner)) {
    const who = `${netnsName(spoilt.place.netns)} ${spoilt.place.link.name}`
    const proxy = spoilt.why === 'proxy-off'
    const reasons: Record<string, string> = {
      'proxy-off': `proxy ARP is off on ${who}`,
      'arp-ignore': `arp_ignore or arp_filter keeps ${who} silent`,
      'source-refused': `${who} refuses the sender's address`,
      'dad-failed': `duplicate address detection failed on ${who}`,
    }
    return {
      kind: 'fail',
      cause: proxy ? 'proxy-arp-off' : spoilt.why === 'dad-failed' ? 'address-dadfailed' : 'neighbour-no-answer',
      text: `nobody answers for ${name} on ${link.name}: ${reasons[spoilt.why] ?? spoilt.why}${tried}`,
      evidence: [...evidence, ...proxyEvidence(spoilt.place, spoilt.why)],
    }
  }
  if (answers.unknown.length > 0)
    return { kind: 'unknown', cause: 'not-collected', text: answers.unknown.join('; '), evidence }
  if (domain.blind.length > 0)
    return { kind: 'unknown', cause: 'not-collected', text: `not visible: ${domain.blind.join('; ')}`, evidence }
  if (owner)
    return {
      kind: 'fail',
      cause: 'neighbour-no-answer',
      text: `nobody answers for ${name} on ${link.name}: ${netnsName(owner.netns)} has it on ${owner.link.name}, which this segment does not reach${tried}`,
      evidence: [...evidence, owner.link.evidence],
    }
  if (entry) {
    return {
      kind: 'fail',
      cause: 'neighbour-failed',
      text: `nobody answers for ${name} on ${link.name}${tried}`,
      evidence,
    }
  }
  if (domain.wire) {
    if (!has(netns, 'neighbours'))
      return { kind: 'unknown', cause: 'not-collected', text: `neighbours of ${netns.id}`, evidence }
    // A node whose addresses are not known hangs on no segment we can tell; it may be the one.
    const hidden = [...world.network.netns.values()].find((n) => n.kind === 'host' && !has(n, 'links'))
    if (hidden) return { kind: 'unknown', cause: 'not-collected', text: `addresses of ${hidden.id}`, evidence }
    return { kind: 'outside', text: `${name} is no machine that was collected: leaves by ${link.name}`, evidence }
  }
  return {
    kind: 'fail',
    cause: 'neighbour-no-answer',
    text: `nobody answers for ${name} on ${link.name}`,
    evidence,
  }
}

/** True for a macvlan and the link below it, either way round. */
function areStacked(network: Network, x: Place, y: Place): boolean {
  const sitsOn = (upper: Place, lower: Place) =>
    upper.link.kind === 'macvlan' &&
    uppersOf(network, lower).some((u) => u.link === upper.link && u.netns.id === upper.netns.id)
  return sitsOn(x, y) || sitsOn(y, x)
}

/**
 * A collected netns that has the address, although it did not answer: its link is down or elsewhere. On a cable only links that
 * are attached to one count: the same private address may well exist twice. Link-local addresses say nothing.
 */
function silentOwner(world: World, ip: Ip, asking: Netns, onWire: boolean): Place | null {
  if (isLinkLocal(ip)) return null
  for (const netns of world.network.netns.values()) {
    if (netns.id === asking.id) continue
    for (const link of linksWithAddress(netns, ip)) {
      if (link.kind === 'loopback' || link.kind === 'dummy') continue
      if (!onWire || isWired(world.network, { netns, link })) return { netns, link }
    }
  }
  return null
}

function isWired(network: Network, place: Place): boolean {
  if (place.link.kind === 'macvlan' || place.link.kind === 'vlan') return true
  const below = place.link.kind === 'bridge' ? portsOf(place.netns, place.link) : [place.link]
  return below.some((link) => attachmentOf(network, place.netns, link) === 'wire')
}

function proxyEvidence(place: Place, why: string): Evidence[] {
  if (why !== 'proxy-off') return []
  const s = place.netns.sysctls.get(`net.ipv4.conf.${place.link.name.replaceAll('.', '/')}.proxy_arp`)
  return s ? [s.evidence] : []
}

/** Everyone who hears the request, and what they say. */
function ask(domain: Domain, netns: Netns, link: Link, target: Ip, packetSource: Ip): Answers {
  const asker = target.family === 4 ? askingAddress(netns, link, target, packetSource) : null
  const replies: Answers['replies'][number][] = []
  const unknown: string[] = []
  const mute: Place[] = []
  for (const place of domain.places) {
    if (place.netns.id === netns.id && (place.link.ifindex === link.ifindex || isAbove(netns, place.link, link)))
      continue
    if (!mayAnswer(place, target)) {
      mute.push(place)
      continue
    }
    const reply: Reply = repliesTo(place, target, asker)
    if (reply.kind === 'unknown') unknown.push(reply.what)
    else if (reply.kind === 'silent') mute.push(place)
    else replies.push({ place, kind: reply.kind })
  }
  // The owner's own answer comes from its link; a proxy only matters when there is no owner on the segment.
  const owners = replies.filter((r) => r.kind === 'owner')
  const silent = () =>
    mute.flatMap((place) => {
      const reply = repliesTo(place, target, asker)
      return reply.kind === 'silent' ? [{ place, why: reply.why }] : []
    })
  return { replies: owners.length > 0 ? owners : replies, silent, unknown }
}

/** False when the netns can be seen not to answer without a route lookup: on a big bridge that is nearly everybody. */
function mayAnswer(place: Place, target: Ip): boolean {
  const { netns, link } = place
  if (!has(netns, 'links')) return true
  if (linksWithAddress(netns, target).length > 0 || hasCustomLocalRoutes(netns)) return true
  if (!has(netns, 'routes') || !has(netns, 'sysctls')) return true
  if (netns.neighbours.some((n) => n.proxy)) return true
  return target.family === 4 && (confMax(netns, 4, link.name, 'proxy_arp') ?? 0) > 0
}

const isAbove = (netns: Netns, upper: Link, lower: Link): boolean => masterOf(netns, lower)?.ifindex === upper.ifindex

/** Sender address of the ARP request (`arp_solicit`, arp_announce 0: the packet's source when it is ours; 1 and 2 a fitting one). */
function askingAddress(netns: Netns, link: Link, target: Ip, packetSource: Ip): Ip | null {
  const mode = confMax(netns, 4, link.name, 'arp_announce') ?? 0
  if (mode === 0 && packetSource.family === 4 && isLocalAddress(netns, packetSource)) return packetSource
  return selectAddress(netns, link, target, 253)
}
